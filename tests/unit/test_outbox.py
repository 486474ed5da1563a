"""The outgoing stream: a row for each record, numbers without a gap, and nothing goes that is not acknowledged."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from partsight.domain.errors import RecordsError, RecordsUnavailable
from partsight.domain.inspection import Inspection, Timings
from partsight.domain.reasons import Reason
from partsight.domain.status import Mode
from partsight.domain.trigger import Trigger, TriggerKind
from partsight.domain.uid import uuid7
from partsight.domain.verdict import Action, Finding, RecipeRef, Result, Verdict, invalid
from partsight.outputs.records import Durability, OutboxRow, RecordsReader, SqliteRecords, schema
from partsight.outputs.records.folder import DATABASE, NUMBERS
from partsight.wire import EventRecord, LineContext, ResultRecord, record_of

RECIPE = RecipeRef("pcb", 3, "b" * 64)
AT = datetime(2026, 5, 1, 6, 0, tzinfo=timezone.utc)


def open_records(folder: Path, **options: Any) -> SqliteRecords:
    # Without the disk's flush, which costs milliseconds and proves nothing in a test that pulls no plug.
    return SqliteRecords.open(
        folder, **{"durability": Durability.PROCESS, "ballast_bytes": 0, "station": "press2", **options}
    )


def make_inspection(sequence: int, result: Result = Result.OK, *, at: datetime = AT, **changes: Any) -> Inspection:
    trigger = Trigger(sequence, sequence % 65535 + 1, 1, TriggerKind.CALL, at, 0, 300_000_000, f"SN{sequence}")
    findings = () if result is Result.OK else (Finding(1001, "short"),)
    action = Action.PASS if result is Result.OK else Action.REJECT
    plain = Inspection(uuid7(), trigger, Verdict(result, action, findings, RECIPE), (), Timings(verdict_ms=5.0), None)
    return replace(plain, **changes)


def all_rows(records: SqliteRecords) -> list[OutboxRow]:
    return records.read_outbox(0, 100_000)


def database(folder: Path) -> sqlite3.Connection:
    return sqlite3.connect(folder / DATABASE, isolation_level=None)


def test_rule_4_a_record_and_its_outgoing_row_are_one(tmp_path: Path) -> None:
    with open_records(tmp_path) as records:
        told: list[int] = []
        records.on_outbox = lambda: told.append(records.outbox_bounds()[1])
        records.context = lambda: LineContext("B77", "4711", "ntp")
        first = make_inspection(records.reserve(1), Result.NG)
        records.commit(first)
        records.commit(first)  # a repeat changes nothing
        assert records.append_event("fault.raised", {"key": "disk"}, AT) == 2
        result, event = all_rows(records)
        assert (result.seq, result.sequence, result.kind, result.at) == (1, first.trigger.sequence, "result", AT)
        assert (event.seq, event.sequence, event.kind) == (2, None, "event")
        sent = ResultRecord.parse(result.payload)
        assert (sent.seq, sent.station, sent.uid) == (1, "press2", str(first.uid))
        assert (sent.batch, sent.order, sent.clock) == ("B77", "4711", "ntp")
        assert EventRecord.parse(event.payload).data == {"key": "disk"}
        assert EventRecord.parse(event.payload).epoch == records.epoch
        assert records.outbox_bounds() == (1, 2)
        assert told == [1, 2]


def test_a_pass_that_the_deadline_overruled_is_made_void(tmp_path: Path) -> None:
    with open_records(tmp_path) as records:
        passed = make_inspection(records.reserve(1))
        records.commit(make_inspection(records.reserve(1)))
        records.commit(passed)
        records.commit(replace(passed, verdict=invalid(Reason.DEADLINE, "late", RECIPE), late=Result.OK))
        sent = [ResultRecord.parse(r.payload) for r in all_rows(records)]
        assert [(r.seq, r.verdict, r.supersedes) for r in sent] == [
            (1, Result.OK, None),
            (2, Result.OK, None),
            (3, Result.INVALID, 2),
        ]


def test_parts_that_a_killed_process_left_open_go_out_too(tmp_path: Path) -> None:
    """Also a pass whose reject had left: a second row, which makes the first void."""
    with open_records(tmp_path) as records:
        left, passed = make_inspection(records.reserve(1)), make_inspection(records.reserve(1))
        records.latch(left.trigger)
        records.latch(passed.trigger)
        records.latch_reject(passed.trigger.sequence, Reason.DEADLINE)
        records.commit(passed)
    with open_records(tmp_path) as records:
        sent = [ResultRecord.parse(r.payload) for r in all_rows(records)]
        assert [(r.seq, r.sequence, r.verdict, r.supersedes) for r in sent] == [
            (1, passed.trigger.sequence, Result.OK, None),
            (2, left.trigger.sequence, Result.INVALID, None),
            (3, passed.trigger.sequence, Result.INVALID, 1),
        ]
        assert sent[1].reasons[0].code == Reason.RESTART


def test_the_mode_is_recorded(tmp_path: Path) -> None:
    with open_records(tmp_path) as records:
        records.commit(make_inspection(records.reserve(1), Result.NG, mode=Mode.BYPASS))
        with RecordsReader.open(tmp_path) as reader:
            found = reader.inspection(1)
        assert found is not None
        assert (found.mode, found.verdict.action) == (Mode.BYPASS, Action.REJECT)
        assert ResultRecord.parse(all_rows(records)[0].payload).action == "PASS"


STEPS = st.sampled_from(["commit", "repeat", "refused", "overrule", "event", "bad event", "reopen", "prune", "ack"])


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=st.lists(STEPS, min_size=5, max_size=30))
def test_seq_has_no_gap_and_comes_once(tmp_path_factory: pytest.TempPathFactory, steps: list[str]) -> None:
    """Whatever is rolled back, repeated, deleted or started again in between."""
    folder = tmp_path_factory.mktemp("outbox")
    keep = timedelta(days=1)
    records = open_records(folder, keep=keep, block=5)
    seen: dict[int, bytes] = {}
    last: Inspection | None = None
    count = 0
    try:
        for step in steps:
            if step == "commit":
                last = make_inspection(records.reserve(1), at=AT)
                records.commit(last)
                count += 1
            elif step == "repeat" and last is not None:
                records.commit(last)
            elif step == "refused":
                broken = make_inspection(records.reserve(1))
                with pytest.raises(RecordsError):
                    records.commit(replace(broken, trigger=replace(broken.trigger, encoder=2**70)))
            elif step == "overrule" and last is not None:
                records.commit(replace(last, verdict=invalid(Reason.DEADLINE, "late", RECIPE), late=Result.OK))
                last, count = None, count + 1
            elif step == "event":
                count += 1
                assert records.append_event("operator", {}, AT) == count
            elif step == "bad event":
                # The number is taken before the text is made, so that this rolls it back.
                with pytest.raises(RecordsError):
                    records.append_event("operator", {"what": object()}, AT)
            elif step == "reopen":
                records.close()
                records = open_records(folder, keep=keep, block=5)
            elif step == "prune":
                records.maintain()
            elif step == "ack":
                records.ack("mes", count)
            rows = all_rows(records)
            assert all(seen.setdefault(r.seq, r.payload) == r.payload for r in rows)
            assert records.outbox_bounds() == (count - len(rows) + 1, count)
            assert [r.seq for r in rows] == list(range(count - len(rows) + 1, count + 1))
    finally:
        records.close()
    assert list(seen) == list(range(1, count + 1))
    assert [json.loads(p)["seq"] for p in seen.values()] == list(seen)


def test_rows_go_when_they_are_old_and_acknowledged_by_all(tmp_path: Path) -> None:
    now = datetime.now(timezone.utc)
    with open_records(tmp_path, keep=timedelta(days=1)) as records:
        records.set_consumers(["mes", "lake"])
        for n in range(10):
            records.commit(make_inspection(records.reserve(1), at=AT if n < 8 else now))
        records.ack("mes", 10)
        records.ack("lake", 5)
        records.maintain()
        assert records.outbox_bounds() == (6, 10)
        records.set_consumers(["mes"])
        records.maintain()
        assert records.outbox_bounds() == (9, 10)
        assert records.consumers() == {"mes": 10}
        with RecordsReader.open(tmp_path) as reader:
            assert reader.summary().total == 2


def test_more_is_deleted_than_a_line_can_record(tmp_path: Path) -> None:
    with open_records(tmp_path, keep=timedelta(days=1)) as records:
        for n in range(650):
            records.append_event("operator", {"n": n}, AT)
        records.maintain()
        assert records.outbox_bounds() == (651, 650)
        assert records.append_event("operator", {}, AT) == 651


def test_acknowledgements_only_rise(tmp_path: Path) -> None:
    with open_records(tmp_path) as records:
        for _ in range(5):
            records.append_event("operator", {}, AT)
        assert records.acked("mes") == 0
        records.ack("mes", 3)
        records.ack("mes", 2)
        assert records.acked("mes") == 3
        with pytest.raises(ValueError, match="acknowledged 6, but the newest record is 5"):
            records.ack("mes", 6)
        for seq in (-1, 2**63, 10**30):
            with pytest.raises(ValueError, match="no number of a record"):
                records.ack("mes", seq)
        for name in ("", "a/b", "#", "x" * 65):
            with pytest.raises(ValueError, match="no consumer"):
                records.ack(name, 1)
        assert records.acked("mes") == 3
    with open_records(tmp_path) as records:
        assert records.acked("mes") == 3
        records.set_consumers(["mes", "new"])
        assert records.consumers() == {"mes": 3, "new": 0}


def test_rule_5_a_reader_waits_for_no_writer(tmp_path: Path) -> None:
    """While another program holds the database's lock, the outbox is read; a commit fails and says so."""
    with open_records(tmp_path, busy_timeout_s=0.05) as records:
        records.commit(make_inspection(records.reserve(1)))
        other = database(tmp_path)
        other.execute("BEGIN IMMEDIATE")
        assert [r.seq for r in all_rows(records)] == [1]
        assert records.outbox_bounds() == (1, 1)
        with pytest.raises(RecordsUnavailable, match="locked"):
            records.commit(make_inspection(2))
        other.close()
        records.commit(make_inspection(2))
        assert [r.seq for r in all_rows(records)] == [1, 2]


def test_many_writers_and_readers(tmp_path: Path) -> None:
    """Commits, events, acknowledgements and readers of several threads: one order, no gap."""
    with open_records(tmp_path) as records:
        ended = threading.Event()

        def write() -> None:
            for _ in range(50):
                records.commit(make_inspection(records.reserve(1)))
                records.ack("mes", records.append_event("operator", {}, AT))

        def read() -> int:
            seen = 0
            while not ended.is_set() or seen < records.outbox_bounds()[1]:
                for row in records.read_outbox(seen, 64):
                    assert row.seq == seen + 1
                    assert record_of(row.payload).seq == row.seq
                    seen = row.seq
            return seen

        with ThreadPoolExecutor(5) as pool:
            reading = pool.submit(read)
            for writing in [pool.submit(write) for _ in range(4)]:
                writing.result()
            ended.set()
            assert reading.result() == 400
        assert records.outbox_bounds() == (1, 400)


WRITER = """
import os, sys, threading
from datetime import datetime, timezone
from pathlib import Path
from partsight.domain.inspection import Inspection, Timings
from partsight.domain.trigger import Trigger, TriggerKind
from partsight.domain.uid import uuid7
from partsight.domain.verdict import Action, RecipeRef, Result, Verdict
from partsight.outputs.records import SqliteRecords

records = SqliteRecords.open(Path(sys.argv[1]), block=7, ballast_bytes=0)
def sweep():
    while True: records.maintain()
threading.Thread(target=sweep, daemon=True).start()
while True:
    trigger = Trigger(records.reserve(1), 1, records.epoch, TriggerKind.CALL, datetime.now(timezone.utc), 0, 0)
    records.latch(trigger)
    verdict = Verdict(Result.OK, Action.PASS, (), RecipeRef("r", 1, "s"))
    records.commit(Inspection(uuid7(), trigger, verdict, (), Timings(), None))
    seq = records.append_event("operator", {}, datetime.now(timezone.utc)) if trigger.sequence % 3 == 0 else 0
    records.audit("me", "test", "part", after=trigger.sequence)
    os.write(1, f"{trigger.sequence} {seq}\\n".encode())
"""


def run_and_kill(folder: Path, after_lines: int) -> list[tuple[int, int]]:
    """Start a writer, kill it after so many lines; what it had said."""
    child = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )
    watchdog = threading.Timer(60, child.kill)
    watchdog.start()
    said: list[tuple[int, int]] = []
    assert child.stdout is not None
    with child:
        for line in child.stdout:
            sequence, seq = line.split()
            said.append((int(sequence), int(seq)))
            if len(said) == after_lines:
                os.kill(child.pid, signal.SIGKILL)
    watchdog.cancel()
    assert child.returncode == -signal.SIGKILL
    assert len(said) >= after_lines, "the writer died by itself"
    return said


def test_rule_4_kill_9_a_record_has_its_row_and_a_row_its_record(tmp_path: Path) -> None:
    chance = random.Random(20261124)
    committed: set[int] = set()
    events: set[int] = set()
    for _ in range(4):
        for sequence, seq in run_and_kill(tmp_path, chance.randrange(5, 60)):
            committed.add(sequence)
            events |= {seq} - {0}
    with open_records(tmp_path) as records, RecordsReader.open(tmp_path) as reader:
        rows = all_rows(records)
        assert [r.seq for r in rows] == list(range(1, len(rows) + 1))
        assert [json.loads(r.payload)["seq"] for r in rows] == [r.seq for r in rows]
        recorded = sorted(i.trigger.sequence for i in reader.inspections(limit=100_000))
        assert sorted(r.sequence for r in rows if r.sequence is not None) == recorded
        assert committed <= set(recorded)
        assert events <= {r.seq for r in rows if r.kind == "event"}


@pytest.mark.parametrize("version", range(1, len(schema.MIGRATIONS)))
def test_an_older_database_keeps_its_records_and_begins_its_stream(tmp_path: Path, version: int) -> None:
    old = database(tmp_path)
    for statements in schema.MIGRATIONS[:version]:
        for statement in statements:
            old.execute(statement)
    old.execute(f"PRAGMA user_version = {version}")
    old.execute("INSERT INTO counter VALUES ('sequence', 500), ('epoch', 4)")
    old.execute("INSERT INTO recipe VALUES (1, 'pcb', 3, 'b')")
    columns = (
        "sequence, uid, trigger_id, epoch, kind, at_us, at_ns, deadline_ns, part_id, result, action, code, findings"
    )
    old.execute(
        f"INSERT INTO inspection ({columns}, recipe, simulated) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        (
            7,
            uuid7().bytes,
            8,
            4,
            "call",
            1_000_000,
            0,
            0,
            "SN7",
            "NG",
            1,
            1001,
            '[[1001,"short","",null,null,"",""]]',
            1,
            0,
        ),
    )
    old.close()
    with open_records(tmp_path) as records, RecordsReader.open(tmp_path) as reader:
        found = reader.inspection(7)
        assert found is not None
        assert (found.mode, found.verdict.result, found.trigger.part_id) == (Mode.PRODUCTION, Result.NG, "SN7")
        assert records.epoch == 5
        assert records.outbox_bounds() == (1, 0)
        records.commit(make_inspection(records.reserve(1)))
        assert [r.sequence for r in all_rows(records)] == [501]


def test_a_lost_database_does_not_give_its_numbers_again(tmp_path: Path) -> None:
    """A number that comes twice would make a receiver drop the record; a gap only makes it ask."""
    with open_records(tmp_path, block=10) as records:
        for _ in range(25):
            records.append_event("operator", {}, AT)
            records.maintain()
        records.append_event("operator", {}, AT)
    for path in tmp_path.glob(DATABASE + "*"):
        path.unlink()
    assert json.loads((tmp_path / NUMBERS).read_text())["seq"] >= 20
    with open_records(tmp_path, block=10) as records:
        assert records.append_event("operator", {}, AT) > 26


def test_the_bound_of_the_database_warns_and_never_drops(tmp_path: Path) -> None:
    with open_records(tmp_path, keep=timedelta(days=1)) as records:
        records.maintain()
        empty = records.health()
        assert (empty.full, empty.problem, empty.max_bytes) == (False, "", None)
    bound = 4 << 20
    with open_records(tmp_path, keep=timedelta(days=1), max_bytes=bound) as records:
        told: dict[str, float] = {}
        n = 0
        while n < 5000 and not records.health().full:
            records.append_event("operator", {"text": "x" * 4000, "n": n}, AT if n else datetime.now(timezone.utc))
            n += 1
            health = records.health()
            if health.problem:
                told.setdefault("warned", health.used_bytes / bound)
                assert "MiB that it may have" in health.problem
                assert health.cure
            if health.full:
                told.setdefault("full", health.used_bytes / bound)
        assert 0.7 <= told["warned"] < 0.75
        assert 0.9 <= told["full"] < 0.95
        assert records.append_event("operator", {}, AT) == n + 1
        assert len(all_rows(records)) == n + 1
