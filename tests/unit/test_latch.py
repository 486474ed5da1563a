"""The latch: an accepted trigger survives its process and is closed exactly once (rules 1 and 5)."""

from __future__ import annotations

import sqlite3
import time
from datetime import datetime, timezone
from pathlib import Path

import pytest

from partsight.domain.inspection import Inspection, Timings
from partsight.domain.reasons import Reason
from partsight.domain.trigger import Trigger, TriggerKind
from partsight.domain.uid import uuid7
from partsight.domain.verdict import Action, RecipeRef, Result, Verdict
from partsight.outputs.records import Durability, RecordsReader, SqliteRecords
from partsight.outputs.records.folder import DATABASE
from partsight.outputs.records.latch import ENTRY_BYTES, Latch, latch_files, read_latch

RECIPE = RecipeRef("pcb", 1, "b" * 64)


def make_trigger(sequence: int, part_id: str = "", encoder: int | None = None) -> Trigger:
    at = datetime(2026, 5, 1, 6, 0, 0, 123_457, tzinfo=timezone.utc)
    return Trigger(
        sequence, sequence % 65535 + 1, 4, TriggerKind.TIMER, at, 10**12 + sequence, 2 * 10**12, part_id, encoder
    )


def ok(trigger: Trigger) -> Inspection:
    return Inspection(uuid7(), trigger, Verdict(Result.OK, Action.PASS, (), RECIPE), (), Timings(), None)


def open_records(folder: Path) -> SqliteRecords:
    return SqliteRecords.open(folder, durability=Durability.PROCESS, ballast_bytes=0)


def test_rule_1_open_triggers_are_closed_once_at_the_next_start(tmp_path: Path) -> None:
    """By RESTART, or by the code of the reject that had left; with every field that the trigger had."""
    waiting = make_trigger(11, "LOT/7 Gehäuse", -5)
    rejected = make_trigger(12)
    with open_records(tmp_path) as records:
        for trigger in (make_trigger(10), waiting, rejected):
            records.latch(trigger)
        records.latch_reject(12, int(Reason.DEADLINE))
        records.commit(ok(make_trigger(10)))
        with RecordsReader.open(tmp_path) as reader:
            assert [(e.trigger, e.code) for e in reader.open_triggers()] == [(waiting, None), (rejected, 200)]

    with open_records(tmp_path) as records:
        assert [i.trigger for i in records.recovered] == [waiting, rejected]
        assert records.health().recovered == 2
        assert len(latch_files(tmp_path)) == 1
        assert records.reserve(1) > 12
    with open_records(tmp_path) as records, RecordsReader.open(tmp_path) as reader:
        assert records.recovered == ()
        found = {i.trigger.sequence: (i.verdict.result, i.verdict.action, i.verdict.code) for i in reader.inspections()}
        assert found == {
            10: (Result.OK, Action.PASS, 0),
            11: (Result.INVALID, Action.REJECT, int(Reason.RESTART)),
            12: (Result.INVALID, Action.REJECT, int(Reason.DEADLINE)),
        }
        assert reader.open_triggers() == []


@pytest.mark.parametrize("cut", [1, 60, ENTRY_BYTES - 1])
def test_a_torn_last_entry_is_passed_over(tmp_path: Path, cut: int) -> None:
    latch = Latch(tmp_path)
    for sequence in (1, 2):
        latch.opened(make_trigger(sequence))
    latch.close()
    (path,) = latch_files(tmp_path)
    raw = path.read_bytes()
    path.write_bytes(raw[: ENTRY_BYTES + cut])
    assert list(read_latch(tmp_path)) == [1]
    path.write_bytes(raw[:ENTRY_BYTES] + raw[ENTRY_BYTES : ENTRY_BYTES + cut].ljust(ENTRY_BYTES, b"\0") + raw[256:])
    assert list(read_latch(tmp_path)) == [1]


def test_a_record_without_its_done_entry_is_not_closed_again(tmp_path: Path) -> None:
    """The process died between the commit and the latch: the database is the authority."""
    with open_records(tmp_path) as records:
        records.latch(make_trigger(5))
        records.commit(ok(make_trigger(5)))
        (path,) = latch_files(tmp_path)
        entry = path.read_bytes()[:ENTRY_BYTES]
    path.write_bytes(entry)
    with open_records(tmp_path) as records, RecordsReader.open(tmp_path) as reader:
        assert records.recovered == ()
        assert [i.verdict.result for i in reader.inspections()] == [Result.OK]


def test_part_id_of_64_bytes_fits_and_a_longer_one_is_cut_visibly(tmp_path: Path) -> None:
    latch = Latch(tmp_path)
    latch.opened(make_trigger(1, "ä" * 32))
    latch.opened(make_trigger(2, "ä" * 33))
    found = read_latch(tmp_path)
    latch.close()
    assert found[1].trigger.part_id == "ä" * 32
    assert found[2].trigger.part_id == "ä" * 30 + "…"


def test_files_rotate_and_go_when_their_triggers_have_records(tmp_path: Path) -> None:
    """A long run keeps few files, also when one part never gets its record; that one is not forgotten."""
    latch = Latch(tmp_path, entries_a_file=8)
    latch.opened(make_trigger(1))
    latch.rejected(1, 200)
    for sequence in range(2, 400):
        latch.opened(make_trigger(sequence))
        if sequence > 3:
            latch.done(sequence - 2)
        latch.rotate()
        assert set(read_latch(tmp_path)) == {1, max(2, sequence - 1), sequence}
        assert len(latch_files(tmp_path)) <= 8
    assert read_latch(tmp_path)[1].code == 200
    assert latch.oldest() == 1
    for sequence in (1, 398, 399):
        latch.done(sequence)
    latch.close()
    assert latch_files(tmp_path) == []


def test_rotation_needs_no_help(tmp_path: Path) -> None:
    """Without a slow lane the latch makes its next file by itself."""
    latch = Latch(tmp_path, entries_a_file=4)
    for sequence in range(1, 20):
        latch.opened(make_trigger(sequence))
    assert sorted(read_latch(tmp_path)) == list(range(1, 20))
    latch.close()


def test_rule_5_latching_needs_no_database(tmp_path: Path) -> None:
    """While another process holds the database and a commit waits, triggers and rejects are noted at once."""
    with open_records(tmp_path) as records:
        other = sqlite3.connect(tmp_path / DATABASE, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        records.latch(make_trigger(1))
        records.latch_reject(1, 200)
        assert read_latch(tmp_path)[1].code == 200
        other.execute("ROLLBACK")
        other.close()


@pytest.mark.timed
def test_latching_takes_microseconds(tmp_path: Path) -> None:
    """The median: a shared machine may be slow at any one moment."""
    with open_records(tmp_path) as records:
        times = []
        for sequence in range(1, 500):
            trigger = make_trigger(sequence, "LOT-7/0001", 12)
            start = time.perf_counter_ns()
            records.latch(trigger)
            times.append(time.perf_counter_ns() - start)
    assert sorted(times)[250] < 500_000
