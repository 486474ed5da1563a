"""A disk that is really full: verdicts go on, images stop, nothing recorded is lost (rules 4, 5 and 6)."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest

from partsight.domain.errors import RecordsUnavailable
from partsight.domain.frame import Frame, Grab, PixelFormat
from partsight.domain.inspection import Inspection, Timings
from partsight.domain.trigger import Trigger, TriggerKind
from partsight.domain.uid import uuid7
from partsight.domain.verdict import Action, Finding, RecipeRef, Result, Verdict
from partsight.outputs.images import ArchivePolicy, ImageArchive
from partsight.outputs.records import RecordsReader, SqliteRecords

MIB = 1 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MiB of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "none", str(place)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"NOT TESTED: a full disk needs the right to mount a tmpfs here: {mounted.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def make_inspection(sequence: int) -> Inspection:
    at = datetime(2026, 5, 1, tzinfo=timezone.utc)
    trigger = Trigger(sequence, 1, 1, TriggerKind.CALL, at, 0, 0)
    finding = Finding(1001, "short " * 100)
    verdict = Verdict(Result.NG, Action.REJECT, (finding,), RecipeRef("pcb", 1, "b" * 64))
    return Inspection(uuid7(), trigger, verdict, (), Timings(), None)


def make_frame(inspection: Inspection) -> Frame:
    noise = np.random.default_rng(inspection.trigger.sequence).integers(0, 255, (400, 400), np.uint8)
    return Frame(inspection.trigger, "top", Grab(noise, PixelFormat.MONO8), 0)


def fill(disk: Path) -> Path:
    """Take every byte that is left, as another program's log would."""
    path = disk / "other.log"
    with path.open("wb", buffering=0) as file:
        for size in (MIB, 4096, 1):
            try:
                while True:
                    file.write(os.urandom(size))
            except OSError:
                continue
    return path


def record_parts(records: SqliteRecords, count: int) -> int:
    """Record up to `count` parts as the line would; how many have their record."""
    for done in range(count):
        try:
            part = make_inspection(records.reserve(1))
            records.latch(part.trigger)
            records.commit(part)
        except RecordsUnavailable:
            return done
    return count


def test_rule_4_records_go_on_by_the_ballast_and_people_are_told(small_disk: Path) -> None:
    """Full: the ballast is given up, parts are recorded, a fault says so. Room again: all is as before."""
    with SqliteRecords.open(small_disk, ballast_bytes=3 * MIB, block=50) as records:
        assert record_parts(records, 20) == 20
        assert records.health().problem == ""
        assert records.health().ballast_present
        log = fill(small_disk)
        assert record_parts(records, 200) == 200
        health = records.health()
        assert not health.ballast_present
        assert "ballast was given up" in health.problem
        assert "free space" in health.cure
        log.unlink()
        records.maintain()
        assert records.health().ballast_present
        assert records.health().problem == ""
        with RecordsReader.open(small_disk) as reader:
            assert reader.summary().total == 220


def test_rule_1_full_to_the_last_byte_nothing_recorded_is_lost(small_disk: Path) -> None:
    """When even the ballast is used up a commit says so; what was latched is closed after the cure."""
    with SqliteRecords.open(small_disk, ballast_bytes=MIB, block=50) as records:
        log = fill(small_disk)
        recorded = record_parts(records, 100_000)
        assert recorded > 10
        with pytest.raises(RecordsUnavailable, match="the disk is full; free space on it"):
            records.commit(make_inspection(10_000_000))
        with RecordsReader.open(small_disk) as reader:
            assert reader.summary().total == recorded
            opened = {e.trigger.sequence for e in reader.open_triggers()}
    log.unlink()
    with SqliteRecords.open(small_disk, ballast_bytes=MIB) as records, RecordsReader.open(small_disk) as reader:
        assert {i.trigger.sequence for i in records.recovered} == opened
        assert reader.summary().total == recorded + len(opened)


def test_a_station_starts_on_a_full_disk_that_has_its_ballast(small_disk: Path) -> None:
    with SqliteRecords.open(small_disk, ballast_bytes=4 * MIB) as records:
        assert record_parts(records, 5) == 5
    fill(small_disk)
    with SqliteRecords.open(small_disk, ballast_bytes=4 * MIB) as records:
        assert record_parts(records, 5) == 5
        assert "ballast was given up" in records.health().problem


def test_rule_5_a_full_disk_stops_images_never_verdicts_and_heals(small_disk: Path) -> None:
    policy = ArchivePolicy(budget_bytes=100 * MIB, min_free_bytes=2 * MIB)
    with SqliteRecords.open(small_disk, ballast_bytes=2 * MIB) as records:
        archive = ImageArchive(small_disk, records, policy)
        archive.start()

        def part() -> int:
            inspection = make_inspection(records.reserve(1))
            records.commit(inspection)
            archive.offer(inspection, [make_frame(inspection)])
            assert archive.drain(20)
            return inspection.trigger.sequence

        first = part()
        log = fill(small_disk)
        lost = part()
        health = archive.health()
        assert health.dropped == {"disk full": 1}
        assert "MiB are free" in health.problem
        log.unlink()
        last = part()
        assert archive.health().problem == ""
        assert archive.stop(10)
        with RecordsReader.open(small_disk) as reader:
            images = {s: found.images for s in (first, lost, last) if (found := reader.inspection(s))}
        assert [len(images[s]) for s in (first, lost, last)] == [2, 0, 2]
        assert all((small_disk / path).is_file() for path in (*images[first], *images[last]))


@pytest.mark.parametrize("left", [0, 240 << 10], ids=["nothing fits", "the original fits, the overlay not"])
def test_a_write_that_fails_halfway_leaves_no_half_file(small_disk: Path, left: int) -> None:
    """Free space vanishes between the look and the write: no draft, no half part, bytes still exact."""
    policy = ArchivePolicy(budget_bytes=100 * MIB, min_free_bytes=-100 * MIB)
    with SqliteRecords.open(small_disk, ballast_bytes=0) as records:
        archive = ImageArchive(small_disk, records, policy)
        archive.start()
        inspection = make_inspection(records.reserve(1))
        records.commit(inspection)
        log = fill(small_disk)
        os.truncate(log, log.stat().st_size - left)
        archive.offer(inspection, [make_frame(inspection)])
        assert archive.drain(20)
        assert archive.stop(10)
        health = archive.health()
        assert health.dropped == {"disk full": 1}
        assert health.bytes == health.files == 0
        assert [p for p in (small_disk / "images").rglob("*") if p.is_file()] == []
