"""The record database: what is written is read back, once for each part, and never lost to a mistake."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from partsight.domain.detections import Detections, ModelRef
from partsight.domain.errors import FolderInUse, RecordsError, RecordsUnavailable
from partsight.domain.frame import Truth, TruthBox
from partsight.domain.inspection import Inspection, Timings
from partsight.domain.reasons import Reason, defect_code
from partsight.domain.trigger import Trigger, TriggerKind
from partsight.domain.uid import uuid7
from partsight.domain.verdict import Action, Finding, RecipeRef, Result, Verdict
from partsight.domain.views import Alignment, ImageFacts, View
from partsight.outputs.records import Durability, Query, RecordsReader, SqliteRecords, schema
from partsight.outputs.records.folder import DATABASE, NUMBERS

NAMES = ("open", "short", "spur")
MODEL = ModelRef("pcb", "a" * 64, "onnx", "float32")
RECIPE = RecipeRef("pcb", 3, "b" * 64)
START = datetime(2026, 5, 1, 6, 0, tzinfo=timezone.utc)


def make_trigger(sequence: int, **changes: object) -> Trigger:
    plain = Trigger(
        sequence=sequence,
        id=sequence % 65535 + 1,
        epoch=1,
        kind=TriggerKind.CALL,
        at=START + timedelta(seconds=sequence),
        at_ns=1_000 * sequence,
        deadline_ns=1_000 * sequence + 500,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def make_inspection(sequence: int, result: Result = Result.OK, code: int = 0, **changes: object) -> Inspection:
    findings = () if result is Result.OK else (Finding(code, f"reason {code}"),)
    action = Action.PASS if result is Result.OK else Action.REJECT
    plain = Inspection(
        uid=uuid7(),
        trigger=make_trigger(sequence),
        verdict=Verdict(result, action, findings, RECIPE),
        views=(View("top", Detections.none(NAMES, MODEL)),),
        timings=Timings(verdict_ms=float(sequence)),
        model=MODEL,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def open_records(folder: Path, **options: object) -> SqliteRecords:
    # Without the disk's flush, which costs milliseconds and proves nothing in a test that pulls no plug.
    settings_ = {"durability": Durability.PROCESS, "ballast_bytes": 0, **options}
    return SqliteRecords.open(folder, **settings_)  # type: ignore[arg-type]


def comparable(inspection: Inspection) -> tuple[object, ...]:
    """Detections hold arrays and have no equality of their own."""
    views = []
    for view in inspection.views:
        found = view.detections
        columns = None
        if found is not None:
            arrays = (found.boxes, found.scores, found.class_ids)
            columns = (found.names, found.model, *((a.dtype.str, a.shape, a.tobytes()) for a in arrays))
        views.append((view.camera, view.facts, view.failure, view.detail, columns))
    rest = tuple(getattr(inspection, f.name) for f in fields(Inspection) if f.name != "views")
    return (rest, tuple(views))


finite = st.floats(allow_nan=False, allow_infinity=False, width=64)
score = st.floats(0, 1, width=32)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
boxes = st.tuples(finite, finite, finite, finite)
int64 = st.integers(-(2**63), 2**63 - 1)
models = st.builds(ModelRef, texts, texts, st.sampled_from(["onnx", "openvino"]), texts)


@st.composite
def detections(draw: st.DrawFn) -> Detections:
    n = draw(st.integers(0, 5))
    coordinate = st.floats(-1e6, 1e6, width=32)
    return Detections(
        np.array(draw(st.lists(coordinate, min_size=4 * n, max_size=4 * n)), np.float32).reshape(n, 4),
        np.array(draw(st.lists(score, min_size=n, max_size=n)), np.float32),
        np.array(draw(st.lists(st.integers(0, 2), min_size=n, max_size=n)), np.int32),
        NAMES,
        draw(models),
    )


facts = st.builds(
    ImageFacts,
    width=st.integers(1, 20_000),
    height=st.integers(1, 20_000),
    level=finite,
    saturated=finite,
    sharpness=finite,
    frozen=st.booleans(),
    alignment=st.none() | st.builds(Alignment, shift_px=st.tuples(finite, finite), angle_deg=finite, score=finite),
    counts=st.dictionaries(texts, st.integers(0, 99), max_size=3),
    coverage=st.dictionaries(texts, finite, max_size=3),
    mm_per_px=st.none() | finite,
)
views = st.builds(
    View,
    camera=texts,
    detections=st.none() | detections(),
    facts=st.none() | facts,
    failure=st.none() | st.sampled_from(Reason),
    detail=texts,
)
findings = st.builds(
    Finding,
    code=st.sampled_from([int(r) for r in Reason if r]) | st.integers(1000, 1200),
    text=texts,
    camera=texts,
    score=st.none() | finite,
    box=st.none() | boxes,
    rule=texts,
    severity=texts,
)


@st.composite
def verdicts(draw: st.DrawFn) -> Verdict:
    recipe = draw(st.builds(RecipeRef, texts, st.integers(0, 1000), texts))
    result = draw(st.sampled_from(Result))
    if result is Result.OK:
        return Verdict(result, Action.PASS, (), recipe)
    found = tuple(draw(st.lists(findings, min_size=1, max_size=4)))
    return Verdict(result, draw(st.sampled_from([Action.REJECT, Action.HOLD])), found, recipe)


inspections = st.builds(
    Inspection,
    uid=st.uuids(),
    trigger=st.builds(
        Trigger,
        sequence=st.just(0),
        id=st.integers(1, 65535),
        epoch=st.integers(1, 2**31),
        kind=st.sampled_from(TriggerKind),
        at=st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1), timezones=st.just(timezone.utc)),  # noqa: DTZ001 - hypothesis wants naive bounds
        at_ns=int64,
        deadline_ns=int64,
        part_id=texts,
        encoder=st.none() | int64,
    ),
    verdict=verdicts(),
    views=st.lists(views, max_size=3).map(tuple),
    timings=st.builds(Timings, *[st.none() | finite] * 6),
    model=st.none() | models,
    late=st.none() | st.sampled_from(Result),
    simulated=st.booleans(),
    truth=st.none()
    | st.builds(
        Truth,
        st.sampled_from(["present", "absent"]),
        st.lists(st.builds(TruthBox, texts, boxes), max_size=2).map(tuple),
    ),
    images=st.lists(texts, max_size=3).map(tuple),
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteRecords]:
    with open_records(tmp_path_factory.mktemp("round-trip")) as records:
        yield records


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(inspection=inspections)
def test_round_trip(shared: SqliteRecords, inspection: Inspection) -> None:
    """Every field of an inspection is read back as it was written, to the last bit."""
    sequence = shared.reserve(1)
    inspection = replace(inspection, trigger=replace(inspection.trigger, sequence=sequence))
    shared.commit(inspection)
    with RecordsReader.open(shared.folder) as reader:
        found = reader.inspection(sequence)
    assert found is not None
    assert comparable(found) == comparable(inspection)


def test_rule_1_a_part_has_one_verdict(tmp_path: Path) -> None:
    """A second commit of a sequence, even with another verdict, changes nothing and is counted."""
    with open_records(tmp_path) as records:
        records.commit(make_inspection(7, Result.NG, 1001))
        records.commit(make_inspection(7, Result.OK))
        assert records.health().duplicates == 1
        with RecordsReader.open(tmp_path) as reader:
            found = reader.inspections()
    assert [i.verdict.result for i in found] == [Result.NG]


def test_rule_1_eight_threads_commit_the_same_parts(tmp_path: Path) -> None:
    with open_records(tmp_path) as records:
        threads = [
            threading.Thread(target=lambda: [records.commit(make_inspection(s)) for s in range(1, 41)])
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert records.health().duplicates == 7 * 40
        with RecordsReader.open(tmp_path) as reader:
            assert reader.summary().total == 40


def test_sequence_and_epoch_never_come_twice(tmp_path: Path) -> None:
    """Neither over restarts, nor after the database or the copy of its numbers was deleted."""
    given_out: list[int] = []
    epochs = []
    for round_number in range(4):
        records = open_records(tmp_path, block=10)
        epochs.append(records.epoch)
        for _ in range(7):
            first = records.reserve(3)
            given_out += [first, first + 1, first + 2]
        records.maintain()
        records.close()
        if round_number == 1:
            (tmp_path / NUMBERS).unlink()
        if round_number == 2:
            for path in tmp_path.glob(DATABASE + "*"):
                path.unlink()
    assert len(set(given_out)) == len(given_out) == 84
    assert given_out == sorted(given_out)
    assert epochs == [1, 2, 3, 4]


def test_maintain_extends_the_block_before_it_is_used_up(tmp_path: Path) -> None:
    """Rule 5: with `maintain` in time, `reserve` never writes to the disk."""
    with open_records(tmp_path, block=100) as records:
        records.reserve(90)
        records.maintain()
        other = sqlite3.connect(tmp_path / DATABASE, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")  # a reserve that wrote would now fail
        records.reserve(90)
        other.execute("ROLLBACK")
        other.close()


def test_rule_1_two_stations_on_one_folder(tmp_path: Path) -> None:
    """The second is refused with the first one's process number, and gets the folder when the first has gone."""
    code = (
        "import sys; from pathlib import Path; from partsight.outputs.records import SqliteRecords\n"
        "r = SqliteRecords.open(Path(sys.argv[1]), ballast_bytes=0); print('open', flush=True); sys.stdin.read()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )
    assert child.stdout is not None
    assert child.stdin is not None
    with child:
        assert child.stdout.readline() == b"open\n"
        with pytest.raises(FolderInUse, match=rf"process {child.pid}\b.*stop it"):
            open_records(tmp_path)
        with RecordsReader.open(tmp_path) as reader:  # reading is always possible
            assert reader.inspections() == []
        child.kill()
    open_records(tmp_path).close()


def test_database_locked_by_another_process(tmp_path: Path) -> None:
    """The writer waits for its busy timeout, then says so; afterwards the same commit works."""
    with open_records(tmp_path, busy_timeout_s=0.2) as records:
        other = sqlite3.connect(tmp_path / DATABASE, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(RecordsUnavailable, match="locked by another program; close"):
            records.commit(make_inspection(1))
        assert "locked" in records.health().problem
        other.execute("ROLLBACK")
        other.close()
        records.commit(make_inspection(1))
        assert records.health().problem == ""
    other = sqlite3.connect(tmp_path / DATABASE, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(RecordsUnavailable, match="locked"):
        open_records(tmp_path, busy_timeout_s=0.1)
    other.close()
    open_records(tmp_path).close()


@pytest.mark.parametrize("where", ["header", "middle"])
def test_damaged_database_is_never_overwritten(tmp_path: Path, where: str) -> None:
    """Refused with the cure and untouched; set aside only on request, and the numbers go on."""
    with open_records(tmp_path) as records:
        last = records.reserve(1)
        for sequence in range(1, 200):
            records.commit(make_inspection(sequence, Result.NG, 1001))
    path = tmp_path / DATABASE
    damaged = bytearray(path.read_bytes())
    start = 0 if where == "header" else 4096 * (len(damaged) // 4096 // 2)
    damaged[start : start + 8192] = os.urandom(8192)
    path.write_bytes(damaged)
    with pytest.raises(RecordsUnavailable, match=r"damaged.*Restore it from a copy"):
        open_records(tmp_path)
    assert path.read_bytes() == bytes(damaged)
    with open_records(tmp_path, set_aside_damaged=True) as records:
        assert records.reserve(1) > last
        assert records.recovered == ()
        records.commit(make_inspection(records.reserve(1)))
    kept = list(tmp_path.glob(f"{DATABASE}.damaged-*"))
    assert [p.read_bytes() for p in kept] == [bytes(damaged)]


def test_older_database_is_migrated_with_its_records(tmp_path: Path) -> None:
    """Each step from each older version: what was recorded then is still there."""
    for version in range(1, len(schema.MIGRATIONS)):
        folder = tmp_path / str(version)
        folder.mkdir()
        db = sqlite3.connect(folder / DATABASE, isolation_level=None)
        for statements in schema.MIGRATIONS[:version]:
            for statement in statements:
                db.execute(statement)
        db.execute(f"PRAGMA user_version = {version}")
        db.execute("INSERT INTO counter VALUES ('sequence', 500)")
        db.execute("INSERT INTO recipe VALUES (1, 'pcb', 1, 'x')")
        db.execute(
            "INSERT INTO inspection (sequence, uid, trigger_id, epoch, kind, at_us, at_ns, deadline_ns, part_id, "
            "result, action, code, findings, recipe, simulated) "
            "VALUES (400, ?, 1, 1, 'call', 0, 0, 0, 'p', 'OK', 0, 0, '[]', 1, 0)",
            (uuid.uuid4().bytes,),
        )
        db.close()
        with pytest.raises(RecordsUnavailable, match="older partsight"):
            RecordsReader.open(folder)
        with open_records(folder) as records:
            assert records.reserve(1) == 501
            records.attach_images(400, ("images/x.png",))
        with RecordsReader.open(folder) as reader:
            found = reader.inspection(400)
        assert found is not None
        assert found.images == ("images/x.png",)


def test_newer_database_is_refused(tmp_path: Path) -> None:
    open_records(tmp_path).close()
    db = sqlite3.connect(tmp_path / DATABASE)
    db.execute("PRAGMA user_version = 99")
    db.close()
    for attempt in (open_records, RecordsReader.open):
        with pytest.raises(RecordsUnavailable, match="newer partsight"):
            attempt(tmp_path)


def test_big_database_is_checked_within_its_time(tmp_path: Path) -> None:
    with open_records(tmp_path) as records:
        for sequence in range(1, 300):
            records.commit(make_inspection(sequence, Result.NG, 1001))
    with open_records(tmp_path, quick_check_s=-1.0) as records:
        assert records.health().quick_check == "unfinished"
    with open_records(tmp_path) as records:
        assert records.health().quick_check == "ok"


def test_reader_filters_pages_and_counts_while_the_station_writes(tmp_path: Path) -> None:
    with open_records(tmp_path) as records, RecordsReader.open(tmp_path) as reader:
        for sequence in range(1, 101):
            result = (Result.OK, Result.NG, Result.REVIEW, Result.INVALID)[sequence % 4]
            code = (0, defect_code(1), int(Reason.DOUBT), int(Reason.PART_ABSENT))[sequence % 4]
            records.commit(
                make_inspection(sequence, result, code, trigger=make_trigger(sequence, part_id=f"P{sequence % 10}"))
            )

        def found(**query: object) -> list[int]:
            return [i.trigger.sequence for i in reader.inspections(Query(**query))]  # type: ignore[arg-type]

        assert found() == list(range(100, 0, -1))
        assert found(result=Result.NG) == list(range(97, 0, -4))
        assert found(part_id="P3") == list(range(93, 0, -10))
        assert found(code=500, before=50) == list(range(47, 0, -4))
        assert found(since=START + timedelta(seconds=10), until=START + timedelta(seconds=13)) == [12, 11, 10]
        assert found(recipe="other") == []
        assert len(found(recipe="pcb")) == 100
        pages = [[i.trigger.sequence for i in reader.inspections(limit=40, offset=o)] for o in (0, 40, 80)]
        assert [s for page in pages for s in page] == found()

        summary = reader.summary()
        assert set(summary.counts.values()) == {25}
        assert summary.passed == 0.25
        assert [(r.code, r.text, r.count) for r in summary.pareto] == [
            (500, "no part in view", 25),
            (600, "score inside the band of doubt", 25),
            (1001, "short", 25),
        ]
        assert summary.latency_ms.p50 == pytest.approx(50.5)
        assert summary.latency_ms.max == 100.0
        assert reader.summary(Query(part_id="nobody")).passed is None
        assert reader.inspection(101) is None


def test_attached_images_are_in_the_record(tmp_path: Path) -> None:
    with open_records(tmp_path) as records, RecordsReader.open(tmp_path) as reader:
        records.commit(make_inspection(1))
        records.attach_images(1, ("a.png", "b.jpg"))
        records.attach_images(1, ("c.png",))
        found = reader.inspection(1)
        assert found is not None
        assert found.images == ("c.png",)
        with pytest.raises(RecordsUnavailable):
            records.attach_images(2, ("nobody.png",))
        records.mark_reviewed(1, START)
        assert records.reviewed() == {1}


def test_what_cannot_be_written_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with open_records(tmp_path) as records, RecordsReader.open(tmp_path) as reader:
        for bad in ({"part_id": "\ud800"}, {"encoder": 2**63}):
            with pytest.raises(RecordsError, match="cannot be written"):
                records.commit(make_inspection(1, trigger=make_trigger(1, **bad)))
        assert reader.inspections() == []
        records.commit(make_inspection(1))
        assert len(reader.inspections()) == 1


def test_old_records_go_only_where_a_site_asks(tmp_path: Path) -> None:
    now = datetime.now(timezone.utc)
    with open_records(tmp_path, keep=timedelta(days=30)) as records, RecordsReader.open(tmp_path) as reader:
        ages = {records.reserve(1): timedelta(days=d) for d in (40, 31, 29, 0)}
        for sequence, age in ages.items():
            records.commit(make_inspection(sequence, trigger=make_trigger(sequence, at=now - age)))
        records.maintain()
        assert [i.trigger.sequence for i in reader.inspections()] == sorted(ages)[:1:-1]
    with open_records(tmp_path) as records, RecordsReader.open(tmp_path) as reader:
        records.maintain()
        assert len(reader.inspections()) == 2


def test_rule_5_the_log_is_moved_by_the_slow_lane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`maintain` keeps the write-ahead log from growing without end."""
    monkeypatch.setattr("partsight.outputs.records.store.CHECKPOINT_COMMITS", 50)
    log = tmp_path / (DATABASE + "-wal")
    with open_records(tmp_path) as records:
        sizes = []
        for sequence in range(1, 401):
            records.commit(make_inspection(sequence, Result.NG, 1001))
            if sequence % 50 == 0:
                records.maintain()
                sizes.append(log.stat().st_size)
    assert max(sizes) < 2 * sizes[0]


def test_reader_needs_records(tmp_path: Path) -> None:
    with pytest.raises(RecordsUnavailable, match="there are no records"):
        RecordsReader.open(tmp_path)
    (tmp_path / DATABASE).write_bytes(b"not a database, but long enough to look like one" * 100)
    with pytest.raises(RecordsUnavailable, match="damaged"):
        RecordsReader.open(tmp_path)


def test_uuid7_is_of_its_version_and_sorts_by_time() -> None:
    moments = [1_700_000_000_000_000_000 + n * 1_000 for n in range(50)]
    made = [uuid7(ns) for ns in moments]
    assert all(u.version == 7 and u.variant == uuid.RFC_4122 for u in made)
    assert made == sorted(made)
    assert all(u.int >> 80 == ns // 1_000_000 for u, ns in zip(made, moments, strict=True))
    assert len({uuid7(0) for _ in range(1000)}) == 1000
