"""What people say of judged parts: kept beside the record, which never changes for it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partsight.domain.detections import Detections, ModelRef
from partsight.domain.errors import RecordsError, ReviewRefused, UnknownRecord
from partsight.domain.inspection import Inspection, Timings
from partsight.domain.reasons import Reason
from partsight.domain.status import Mode
from partsight.domain.trigger import Trigger, TriggerKind
from partsight.domain.uid import uuid7
from partsight.domain.verdict import Action, Finding, RecipeRef, Result, Verdict
from partsight.domain.views import ImageFacts, View
from partsight.outputs.records import Durability, Query, RecordsReader, SqliteRecords, reviews, rows, schema
from partsight.outputs.records.folder import DATABASE
from partsight.wire import record_of
from partsight.wire.records import EventRecord
from partsight.wire.screen.parts import ReviewBox, ReviewRequest

NAMES = ("open", "short")
MODEL = ModelRef("pcb", "a" * 64, "onnx", "float32")
START = datetime(2026, 5, 1, 6, 0, tzinfo=timezone.utc)
LONG_AGO = datetime(2020, 1, 1, tzinfo=timezone.utc)
RIGHT = ReviewRequest(judgement="right")
WRONG = ReviewRequest(judgement="wrong")


def make_part(sequence: int, result: Result = Result.REVIEW, **changes: Any) -> Inspection:
    findings = () if result is Result.OK else (Finding(int(Reason.DOUBT), "doubt", "top"),)
    facts = ImageFacts(width=640, height=480, level=1.0, saturated=0.0, sharpness=1.0)
    return replace(
        Inspection(
            uid=uuid7(),
            trigger=Trigger(sequence, 1, 1, TriggerKind.CALL, START + timedelta(seconds=sequence), 0, 1, "P"),
            verdict=Verdict(
                result, Action.PASS if result is Result.OK else Action.REJECT, findings, RecipeRef("r", 1, "s")
            ),
            views=(View("top", Detections.none(NAMES, MODEL), facts), View("side", failure=Reason.NO_FRAME)),
            timings=Timings(verdict_ms=10.0),
            model=MODEL,
        ),
        **changes,
    )


def box(*corners: float, label: str = "open", camera: str = "top") -> ReviewBox:
    return ReviewBox(camera=camera, label=label, box=corners)


@pytest.fixture
def records(tmp_path: Path) -> Iterator[SqliteRecords]:
    with SqliteRecords.open(tmp_path, durability=Durability.PROCESS, ballast_bytes=0, station="cell") as opened:
        yield opened


@pytest.fixture
def reader(records: SqliteRecords) -> Iterator[RecordsReader]:
    with RecordsReader.open(records.folder) as opened:
        yield opened


def queued(reader: RecordsReader) -> list[int]:
    found = reader.waiting(200, LONG_AGO)
    assert found.waiting == reader.count_waiting()
    return [part.trigger.sequence for part in found.parts]


def everything_but_reviews(folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of the records and of what went out as results."""
    db = sqlite3.connect(folder / DATABASE)
    tables = {name: f"SELECT * FROM {name}" for name in ("inspection", "view", "image", "recipe", "model", "classes")}
    tables["results"] = "SELECT * FROM outbox WHERE kind = 'result'"
    found = {name: db.execute(statement).fetchall() for name, statement in tables.items()}
    db.close()
    return found


def test_a_review_is_read_back_and_the_record_stays_as_it_was(records: SqliteRecords, reader: RecordsReader) -> None:
    for sequence, result in enumerate((Result.OK, Result.NG, Result.REVIEW, Result.INVALID), 1):
        records.commit(make_part(sequence, result))
    before, summary = everything_but_reviews(records.folder), reader.summary()
    said = ReviewRequest(
        judgement="wrong", is_ok=False, label="short", boxes=(box(1, 2, 30.5, 40, label="short"),), remark="scratch, ä"
    )
    for sequence in (1, 2, 3, 4):
        records.review(sequence, said, "anna", "api 127.0.0.1")
    kept = reader.dispositions([1, 2, 3, 4, 5])
    assert set(kept) == {1, 2, 3, 4}
    assert kept[2].who == "anna"
    assert ReviewRequest(**kept[2].model_dump(exclude={"who", "at"})) == said
    records.undo_review(2, "anna")
    assert everything_but_reviews(records.folder) == before
    assert reader.summary() == summary


def test_each_review_and_each_undo_goes_out_as_an_event(records: SqliteRecords) -> None:
    records.commit(make_part(1))
    records.review(1, WRONG, "anna")
    records.undo_review(1, "bert")
    told = [record_of(row.payload) for row in records.read_outbox(0, 10) if row.kind == "event"]
    assert all(isinstance(event, EventRecord) and event.kind == "reviewed" for event in told)
    data = [event.data for event in told if isinstance(event, EventRecord)]
    assert [(d["sequence"], d["by"], d["undone"], d["judgement"]) for d in data] == [
        (1, "anna", False, "wrong"),
        (1, "bert", True, None),
    ]


def test_undo_goes_back_one_by_one_and_forgets_nothing(records: SqliteRecords, reader: RecordsReader) -> None:
    records.commit(make_part(1))
    for said, who in ((RIGHT, "a"), (WRONG, "b"), (RIGHT, "c")):
        records.review(1, said, who)
    assert queued(reader) == []
    counts = [records.undo_review(1, "d") for _ in range(3)]
    assert [now.who if now else None for now in counts] == ["b", "a", None]
    assert queued(reader) == [1]
    with pytest.raises(UnknownRecord, match="no review to undo"):
        records.undo_review(1, "d")
    records.review(1, WRONG, "e")
    assert reader.dispositions([1])[1].who == "e"
    db = sqlite3.connect(records.folder / DATABASE)
    assert [who for (who,) in db.execute("SELECT who FROM disposition ORDER BY n")] == list("abcddde")
    db.close()


def test_what_was_said_cannot_be_changed_and_goes_with_its_record_only(records: SqliteRecords) -> None:
    records.commit(make_part(1))
    records.review(1, RIGHT, "anna")
    db = sqlite3.connect(records.folder / DATABASE)
    db.execute("PRAGMA foreign_keys = ON")
    for statement in ("UPDATE disposition SET who = 'x'", "DELETE FROM disposition"):
        with pytest.raises(sqlite3.IntegrityError, match="what was said"):
            db.execute(statement)
    db.rollback()
    db.execute("DELETE FROM inspection")
    assert db.execute("SELECT count(*) FROM disposition").fetchone() == (0,)
    assert db.execute("SELECT count(*) FROM review_queue").fetchone() == (0,)
    db.close()


def test_the_queue_has_review_parts_oldest_first_and_no_challenge(
    records: SqliteRecords, reader: RecordsReader
) -> None:
    for sequence, result in (
        (5, Result.REVIEW),
        (3, Result.REVIEW),
        (4, Result.NG),
        (6, Result.OK),
        (7, Result.INVALID),
    ):
        records.commit(make_part(sequence, result))
    records.commit(make_part(8, Result.REVIEW, mode=Mode.CHALLENGE))
    assert queued(reader) == [3, 5]
    assert [p.trigger.sequence for p in reader.waiting(1, LONG_AGO).parts] == [3]
    records.review(3, RIGHT, "anna")
    found = reader.waiting(10, LONG_AGO)
    assert ([p.trigger.sequence for p in found.parts], found.waiting, found.done) == ([5], 1, 1)
    assert reader.waiting(10, datetime.now(timezone.utc) + timedelta(hours=1)).done == 0
    records.undo_review(3, "anna")
    assert (queued(reader), reader.waiting(10, LONG_AGO).done) == ([3, 5], 0)
    records.maintain()
    assert records.review_waiting == 2


def test_a_share_of_good_parts_whose_images_are_kept_is_looked_at(
    records: SqliteRecords, reader: RecordsReader
) -> None:
    records.review_share = 0.25
    parts = [make_part(sequence, Result.OK) for sequence in range(1, 401)]
    for part in parts:
        records.commit(part)
    assert queued(reader) == []
    for part in parts[:200]:
        records.attach_images(part.trigger.sequence, ("images/x.png",))
        records.attach_images(part.trigger.sequence, ("images/x.png", "images/x.jpg"))
    wanted = [p.trigger.sequence for p in parts[:200] if reviews.in_sample(p.uid.bytes, 0.25)]
    assert queued(reader) == wanted
    assert 20 <= len(wanted) <= 80
    records.review(wanted[0], RIGHT, "anna")
    records.attach_images(wanted[0], ("images/x.png",))
    assert queued(reader) == wanted[1:], "written again: it was reviewed all the same"


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_no_share_takes_none_and_the_whole_takes_all(share: float) -> None:
    assert all(reviews.in_sample(tail * 16, share) is (share == 1.0) for tail in (b"\0", b"\x80", b"\xff"))


def test_review_parts_of_an_older_database_wait_too(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / DATABASE, isolation_level=None)
    for statements in schema.MIGRATIONS[:3]:
        for statement in statements:
            db.execute(statement)
    db.execute("PRAGMA user_version = 3")
    for sequence, result in ((1, Result.REVIEW), (2, Result.OK), (3, Result.REVIEW)):
        rows.write(db, make_part(sequence, result), rows.Interned())
    db.close()
    with SqliteRecords.open(tmp_path, ballast_bytes=0), RecordsReader.open(tmp_path) as reader:
        assert queued(reader) == [1, 3]


def test_a_filter_by_review(records: SqliteRecords, reader: RecordsReader) -> None:
    for sequence in (1, 2, 3):
        records.commit(make_part(sequence))
    records.review(1, RIGHT, "anna")
    records.review(2, RIGHT, "anna")
    records.undo_review(2, "anna")

    def fitting(reviewed: bool) -> list[int]:
        return [p.trigger.sequence for p in reader.heads(Query(reviewed=reviewed))]

    assert (fitting(True), fitting(False)) == ([1], [3, 2])


def test_reviewed_parts_keep_their_images_longest(records: SqliteRecords) -> None:
    records.commit(make_part(1))
    records.review(1, RIGHT, "anna")
    records.undo_review(1, "anna")
    assert records.reviewed() == {1}


def test_a_part_that_was_never_recorded_is_said_so(records: SqliteRecords) -> None:
    with pytest.raises(UnknownRecord, match="part 99 has no record"):
        records.review(99, RIGHT, "anna")


@pytest.mark.parametrize(
    ("result", "said", "told"),
    [
        (Result.OK, {"judgement": "right", "is_ok": False}, "the verdict is OK"),
        (Result.OK, {"judgement": "wrong", "is_ok": True}, "the verdict is OK"),
        (Result.NG, {"judgement": "right", "is_ok": True}, "the verdict is NG"),
        (Result.NG, {"judgement": "wrong", "label": "dust"}, "'dust' is no class of the model; it knows: open, short"),
        (Result.NG, {"judgement": "right", "boxes": (box(1, 1, 9, 9, label="dust"),)}, "box 1: 'dust' is no class"),
        (Result.NG, {"judgement": "right", "boxes": (box(1, 1, 9, 9, camera="x"),)}, "no picture of camera 'x'"),
        (Result.NG, {"judgement": "right", "boxes": (box(1, 1, 9, 9, camera="side"),)}, "it has: top"),
        (Result.NG, {"judgement": "right", "boxes": (box(9, 1, 9, 9),)}, "is no box of a picture of 640 x 480"),
        (Result.NG, {"judgement": "right", "boxes": (box(1, 1, 643, 9),)}, "inside the picture"),
        (Result.NG, {"judgement": "right", "boxes": (box(-1e300, 1, 1e300, 9),)}, "inside the picture"),
    ],
)
def test_what_cannot_be_so_is_refused_and_nothing_is_kept(
    records: SqliteRecords, reader: RecordsReader, result: Result, said: dict[str, Any], told: str
) -> None:
    records.commit(make_part(1, result))
    with pytest.raises(ReviewRefused) as refused:
        records.review(1, ReviewRequest(**said), "anna")
    assert any(told in mistake for mistake in refused.value.mistakes), refused.value.mistakes
    assert reader.dispositions([1]) == {}
    assert [row.kind for row in records.read_outbox(0, 10)] == ["result"]


def test_every_mistake_is_told_at_once(records: SqliteRecords) -> None:
    records.commit(make_part(1))
    bad = ReviewRequest(judgement="right", label="no", boxes=(box(5, 5, 1, 1), box(1, 1, 5, 5, label="nor this")))
    with pytest.raises(ReviewRefused) as refused:
        records.review(1, bad, "anna")
    assert len(refused.value.mistakes) == 3


def test_a_class_of_the_model_that_is_loaded_now_may_be_used(records: SqliteRecords) -> None:
    records.commit(make_part(1))
    said = ReviewRequest(judgement="wrong", label="dust")
    assert records.review(1, said, "anna", classes=("dust",)).label == "dust"


def test_a_database_that_another_program_locks_refuses_the_review(tmp_path: Path) -> None:
    with SqliteRecords.open(tmp_path, ballast_bytes=0, busy_timeout_s=0.05) as records:
        records.commit(make_part(1))
        other = sqlite3.connect(tmp_path / DATABASE, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(RecordsError, match="locked"):
            records.review(1, RIGHT, "anna")
        other.execute("ROLLBACK")
        other.close()
        records.review(1, RIGHT, "anna")


corner = st.floats(-10, 700)


@given(st.tuples(corner, corner, corner, corner))
def test_a_box_that_is_kept_lies_in_the_picture_and_is_where_it_was_drawn(drawn: tuple[float, ...]) -> None:
    part = make_part(1)
    said = ReviewRequest(judgement="right", boxes=(ReviewBox(camera="top", label="open", box=drawn),))
    try:
        kept = reviews.checked(part, said).boxes
    except ReviewRefused:
        x1, y1, x2, y2 = drawn
        far = x1 < -2 or y1 < -2 or x2 > 642 or y2 > 482
        flat = min(x2, 640) - max(x1, 0) < 1 or min(y2, 480) - max(y1, 0) < 1
        assert far or flat
        return
    assert kept is not None
    x1, y1, x2, y2 = kept[0].box
    assert 0 <= x1 < x2 <= 640
    assert 0 <= y1 < y2 <= 480
    assert np.allclose(kept[0].box, drawn, atol=2)


def test_parts_for_training_come_in_order_and_page_by_page(records: SqliteRecords, reader: RecordsReader) -> None:
    for sequence in range(1, 8):
        records.commit(make_part(sequence))
        records.review(sequence, replace_boxes(sequence), "anna")
    for sequence in (2, 3, 4):
        records.undo_review(sequence, "anna")
    seen: list[int] = []
    after: int | None = 0
    while after is not None:
        after, found = reader.reviewed_after(after, 2)
        seen += [part.trigger.sequence for part, said in found if said.boxes is not None]
    assert seen == [1, 5, 6, 7]


def replace_boxes(sequence: int) -> ReviewRequest:
    return ReviewRequest(judgement="right", boxes=(box(0, 0, sequence, sequence),))


def test_the_event_is_plain_json_whatever_a_part_is_called(records: SqliteRecords) -> None:
    part = make_part(1)
    records.commit(replace(part, trigger=replace(part.trigger, part_id='"\x00\n€')))
    records.review(1, RIGHT, "anna")
    events = [json.loads(row.payload) for row in records.read_outbox(0, 10) if row.kind == "event"]
    assert events[0]["data"]["verdict"] == "REVIEW"
