"""The rules that always hold (design, 'What always holds'), on a whole station with real records."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from partsight.cameras.simulated import SimulatedCamera
from partsight.domain.detections import Detections
from partsight.domain.errors import DetectorError
from partsight.domain.frame import Frame
from partsight.domain.inspection import Inspection
from partsight.domain.reasons import Reason
from partsight.domain.status import StationState
from partsight.domain.trigger import TriggerKind
from partsight.domain.verdict import Action, Result
from partsight.outputs.images import ArchivePolicy, ImageArchive, read_original
from partsight.outputs.records import RecordsReader, SqliteRecords
from partsight.station.judge import Judge
from partsight.testing.line_in_a_box import (
    ToldDetector,
    boxes,
    camera,
    demo_recipe,
    line,
    nothing,
    presence_recipe,
    truthful,
)

# Every verdict must come by its deadline here, which a neighbour that takes the processor would spoil.
pytestmark = pytest.mark.timed

ALL = 1_000_000


def recorded(folder: Path) -> list[Inspection]:
    with RecordsReader.open(folder) as reader:
        return reader.inspections(limit=ALL)


# --- rule 1 ------------------------------------------------------------------------------------------


def test_rule_1_every_trigger_gets_exactly_one_verdict_whatever_the_detector_does(
    tmp_path: Path, wait_until: Any
) -> None:
    """rule_1: slow, failing and broken answers, triggers from three threads: the books always balance."""
    turns = iter(range(ALL))

    def whim(frame: Frame) -> Detections:
        turn = next(turns)
        if turn % 5 == 1:
            raise DetectorError("the device did not answer")
        if turn % 5 == 2:
            raise RuntimeError("a defect of ours")
        if turn % 5 == 3:
            threading.Event().wait(0.6)  # over the deadline
        return truthful(frame)

    kinds = {Reason.DETECTOR_FAILED, Reason.INTERNAL, Reason.DEADLINE, Reason.OVERLOAD, Reason.NONE}
    with line(tmp_path, detector=ToldDetector(whim), deadline_ms=400.0, queue=3) as it:
        sequences: list[int] = []

        def press() -> None:
            for turn in range(200):
                sequences.append(it.station.trigger().sequence)
                if turn >= 15 and kinds <= {v.verdict.code for v in list(it.seen.verdicts)}:
                    return
                threading.Event().wait(0.05)

        threads = [threading.Thread(target=press) for _ in range(3)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            assert it.station.ledger.snapshot().balanced
            threading.Event().wait(0.001)  # a loop without a pause would keep the station from its work
        wait_until(lambda: it.station.ledger.snapshot().in_flight == 0)
    published = Counter(v.trigger.sequence for v in it.seen.verdicts)
    assert published == Counter(sequences), "each trigger exactly one verdict, no verdict without a trigger"
    in_records = {i.trigger.sequence: i.verdict.result for i in recorded(tmp_path)}
    assert in_records == {v.trigger.sequence: v.verdict.result for v in it.seen.verdicts}
    counters = it.station.ledger.snapshot()
    assert counters.triggers == len(sequences)
    assert {r: counters.of(r) for r in Result} == {r: list(in_records.values()).count(r) for r in Result}
    assert kinds <= {v.verdict.code for v in it.seen.verdicts}, "the test saw every kind of end"


def test_rule_1_numbers_are_never_used_again_after_a_restart(tmp_path: Path, wait_until: Any) -> None:
    """rule_1: a restart begins a new epoch and numbers that were never given out."""
    seen: list[int] = []
    for epoch in (1, 2, 3):
        with line(tmp_path) as it:
            assert it.station.plan.epoch == epoch
            seen += [it.station.trigger().sequence for _ in range(3)]
            wait_until(lambda it=it: len(it.seen.verdicts) == 3)
    assert len(set(seen)) == 9
    assert seen == sorted(seen)


# --- rule 2 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "reasons"),
    [
        ({"empty_rate": 1.0}, {Reason.PART_ABSENT}),
        ({"shifted_rate": 1.0}, {Reason.PART_SHIFTED}),
        ({"rotated_rate": 1.0}, {Reason.PART_ROTATED, Reason.PART_SHIFTED}),
        ({"wrong_rate": 1.0}, {Reason.WRONG_PART}),
    ],
)
def test_rule_2_no_defect_found_is_not_enough(
    tmp_path: Path, wait_until: Any, settings: dict[str, float], reasons: set[Reason]
) -> None:
    """rule_2: a blind detector finds nothing, and yet no empty belt, shifted, turned or wrong part passes."""
    blind = ToldDetector(lambda _: nothing())
    with line(tmp_path, cameras={"top": camera(**settings)}, detector=blind) as it:
        for _ in range(8):
            it.station.trigger()
        wait_until(lambda: len(it.seen.verdicts) == 8)
    assert {v.verdict.result for v in it.seen.verdicts} == {Result.INVALID}
    assert {v.verdict.code for v in it.seen.verdicts} <= reasons


@pytest.mark.parametrize(
    ("kind", "reasons"),
    [
        ("freeze", {Reason.FROZEN}),
        ("black", {Reason.BLACK}),
        ("overexposed", {Reason.OVEREXPOSED, Reason.SATURATION}),
        ("stall", {Reason.NO_FRAME}),
        ("drop", {Reason.NO_FRAME}),
        ("disconnect", {Reason.CAMERA_LOST, Reason.NO_FRAME}),
    ],
)
def test_rule_2_a_camera_that_misbehaves_never_gives_ok(
    tmp_path: Path, wait_until: Any, kind: str, reasons: set[Reason]
) -> None:
    """rule_2: each fault has its own reason, and the line heals by itself when it is over."""
    top = camera()
    blind = ToldDetector(lambda _: nothing())
    with line(tmp_path, cameras={"top": top}, detector=blind, frame_timeout_ms=300.0) as it:
        first = it.station.trigger().sequence
        wait_until(lambda: it.seen.of(first))
        assert it.seen.of(first)[0].verdict.result is Result.OK, "the line is good before the fault"
        top.misbehave(kind, parts=2)
        bad = []
        for _ in range(2):
            bad.append(it.station.trigger().sequence)
            wait_until(lambda: it.seen.of(bad[-1]))
        assert {it.seen.of(s)[0].verdict.result for s in bad} == {Result.INVALID}
        assert {it.seen.of(s)[0].verdict.code for s in bad} <= reasons

        def heals() -> bool:
            after = it.station.trigger().sequence
            wait_until(lambda: it.seen.of(after))
            return it.seen.of(after)[0].verdict.result is Result.OK

        wait_until(heals, 20.0)
        wait_until(lambda: it.station.state is StationState.RUNNING)


def test_rule_2_a_wrong_sized_frame_is_invalid(tmp_path: Path, wait_until: Any) -> None:
    """rule_2: the recipe expects 640 x 640."""
    with line(tmp_path, cameras={"top": camera(width=320, height=320)}) as it:
        it.station.trigger()
        wait_until(lambda: it.seen.verdicts)
    assert it.seen.verdicts[0].verdict.result is Result.INVALID
    assert Reason.WRONG_SIZE in {f.code for f in it.seen.verdicts[0].verdict.findings}


def test_rule_2_a_flood_of_triggers_is_rejected_not_queued(tmp_path: Path, wait_until: Any) -> None:
    """rule_2: what is over the queue is INVALID (overload) at once; the rest is judged."""
    go = threading.Event()

    def held(frame: Frame) -> Detections:
        go.wait(5.0)
        return truthful(frame)

    with line(tmp_path, detector=ToldDetector(held), queue=4, deadline_ms=10_000.0) as it:
        for _ in range(20):
            it.station.trigger()
        overload = [v for v in it.seen.verdicts if v.verdict.code == Reason.OVERLOAD]
        assert len(overload) == 16, "those over the queue have their reject before the detector has answered once"
        go.set()
        wait_until(lambda: len(it.seen.verdicts) == 20)
    assert sum(v.verdict.result is Result.OK for v in it.seen.verdicts) == 4


def test_rule_2_a_camera_that_is_not_there_suspends_and_rejects(tmp_path: Path, wait_until: Any) -> None:
    """rule_2: a lost camera is a reject with its reason, and a fault that people see."""
    top = camera()
    top.misbehave("disconnect", seconds=30.0)
    with line(tmp_path, cameras={"top": top}, wait_for_cameras_s=0.2) as it:
        assert it.station.state is StationState.SUSPENDED
        it.station.trigger()
        wait_until(lambda: it.seen.verdicts)
        assert it.seen.verdicts[0].verdict.code == Reason.CAMERA_LOST
        assert [f.key for f in it.station.status().faults] == ["camera/top"]


def test_rule_2_a_trigger_while_stopped_is_a_missed_trigger(tmp_path: Path) -> None:
    """rule_2: not running is INVALID and reject, never silence."""
    with line(tmp_path) as it:
        it.station.stop()
        it.station.trigger()
        assert it.seen.verdicts[-1].verdict.code == Reason.NOT_RUNNING
        assert it.station.ledger.snapshot().missed == 1
    assert [i.verdict.code for i in recorded(tmp_path)] in ([], [Reason.NOT_RUNNING])


def test_rule_2_two_cameras_one_lost_is_invalid(tmp_path: Path, wait_until: Any) -> None:
    """rule_2: one verdict from all views; a missing view is INVALID though the other is good."""
    top, side = camera(), camera(seed=5)
    side.misbehave("stall", parts=1)
    with line(tmp_path, cameras={"top": top, "side": side}, frame_timeout_ms=300.0) as it:
        it.station.trigger()
        wait_until(lambda: it.seen.verdicts)
        verdict = it.seen.verdicts[0].verdict
        assert (verdict.result, verdict.code, verdict.findings[0].camera) == (Result.INVALID, Reason.NO_FRAME, "side")

        def both() -> bool:
            after = it.station.trigger().sequence
            wait_until(lambda: it.seen.of(after))
            return it.seen.of(after)[0].verdict.result is Result.OK

        wait_until(both, 20.0)


# --- rule 3 ------------------------------------------------------------------------------------------


def test_rule_3_a_late_verdict_is_recorded_and_never_sent(tmp_path: Path, wait_until: Any) -> None:
    """rule_3: at the deadline the reject leaves; the model's later OK is in the record only."""
    slow = iter([0.6, 0.0])

    def answer(frame: Frame) -> Detections:
        threading.Event().wait(next(slow))
        return truthful(frame)

    with line(tmp_path, detector=ToldDetector(answer), deadline_ms=200.0) as it:
        late = it.station.trigger()
        wait_until(lambda: it.seen.of(late.sequence))
        after_ms = (it.seen.at_ns[0] - late.at_ns) / 1e6
        assert 200.0 <= after_ms < 550.0, "rejected at the deadline, before the detector had answered"
        wait_until(lambda: it.station.ledger.snapshot().late == 1)
        good = it.station.trigger()
        wait_until(lambda: it.seen.of(good.sequence))
    assert [(v.trigger.sequence, v.verdict.result) for v in it.seen.verdicts] == [
        (late.sequence, Result.INVALID),
        (good.sequence, Result.OK),
    ]
    first = {i.trigger.sequence: i for i in recorded(tmp_path)}[late.sequence]
    assert (first.verdict.result, first.verdict.code, first.late) == (Result.INVALID, Reason.DEADLINE, Result.OK)
    assert first.views, "what the model said is in the record"


def test_rule_3_a_lost_frame_does_not_shift_verdicts_to_the_next_part(tmp_path: Path, wait_until: Any) -> None:
    """rule_3: every verdict is about its own part's frame, also while frames are lost."""
    top = camera(defect_rate=0.5, seed=3)
    expected: dict[int, Any] = {}
    with line(tmp_path, cameras={"top": top}, frame_timeout_ms=250.0, queue=8) as it:
        order: list[int] = []
        for burst in range(6):
            if burst % 2:
                top.misbehave("drop", parts=1)
            order += [it.station.trigger().sequence for _ in range(3)]
            wait_until(lambda order=order: len(it.seen.verdicts) == len(order))
    world = SimulatedCamera(top._settings)
    world.open(1.0, triggered=True)
    for sequence in order:
        world.trigger()
        grab = world.grab(5.0)
        assert grab is not None
        expected[sequence] = grab.truth
    world.close()
    judged = [v for v in it.seen.verdicts if v.verdict.result is not Result.INVALID]
    assert len(judged) >= 6
    for verdict in judged:
        assert verdict.truth == expected[verdict.trigger.sequence], "the frame of another part was judged"
        assert (verdict.verdict.result is Result.OK) == expected[verdict.trigger.sequence].good


# --- rule 4 ------------------------------------------------------------------------------------------


def test_rule_4_no_pass_leaves_before_its_record(tmp_path: Path, wait_until: Any) -> None:
    """rule_4: at the very moment an OK is published, another connection finds it in the database."""
    missing: list[int] = []

    def look(inspection: Inspection) -> None:
        if inspection.verdict.action is Action.PASS:
            with RecordsReader.open(tmp_path) as reader:
                if reader.inspection(inspection.trigger.sequence) is None:
                    missing.append(inspection.trigger.sequence)

    with line(tmp_path, cameras={"top": camera(defect_rate=0.5)}) as it:
        it.seen.on_publish = look
        for _ in range(20):
            it.station.trigger()
            wait_until(lambda: it.station.ledger.snapshot().in_flight == 0)
    assert {v.verdict.result for v in it.seen.verdicts} == {Result.OK, Result.NG}
    assert missing == []


def test_rule_4_a_part_id_that_cannot_be_recorded_keeps_nobody_else_out(tmp_path: Path, wait_until: Any) -> None:
    """rule_4: JSON allows half a surrogate pair; such a name is recorded as far as it can be."""
    with line(tmp_path, cameras={"top": camera(defect_rate=1.0)}) as it:
        names = ["\ud800", "a\0b", "x" * 1000, "good"]
        parts = [it.station.trigger(part_id=name).sequence for name in names]
        wait_until(lambda: len(it.seen.verdicts) == 4)
    assert {i.trigger.sequence: i.trigger.part_id for i in recorded(tmp_path)} == dict(
        zip(parts, ["?", "a?b", "x" * 256, "good"], strict=True)
    )


@contextmanager
def locked_database(folder: Path) -> Iterator[None]:
    """Another program holds the database's write lock, as a backup or a person's tool might."""
    code = (
        "import sqlite3, sys; db = sqlite3.connect(sys.argv[1], isolation_level=None); "
        "db.execute('BEGIN IMMEDIATE'); print('locked', flush=True); sys.stdin.read(); db.execute('ROLLBACK')"
    )
    command = [sys.executable, "-c", code, str(next(folder.glob("*.db")))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "locked\n"
        yield
        other.communicate(timeout=10)


def test_rule_4_and_5_a_locked_database_rejects_in_time_and_records_later(tmp_path: Path, wait_until: Any) -> None:
    """rule_4, rule_5: while records cannot be written nothing passes, nothing is late, and nothing is lost."""
    with line(tmp_path, deadline_ms=400.0, queue=16) as it:
        blocked = []
        with locked_database(tmp_path):
            for _ in range(4):
                blocked.append(it.station.trigger())
                wait_until(lambda: it.seen.of(blocked[-1].sequence))
        for trigger in blocked:
            (verdict,) = it.seen.of(trigger.sequence)
            assert verdict.verdict.result is Result.INVALID
            assert verdict.verdict.code in (Reason.RECORD_FAILED, Reason.DEADLINE)
            after = it.seen.at_ns[it.seen.verdicts.index(verdict)] - trigger.at_ns
            assert after / 1e6 < 400.0 + 250.0, "the reject did not wait for the database"
        wait_until(lambda: it.station.unrecorded() == 0, 20.0)

        def passes() -> bool:
            good = it.station.trigger().sequence
            wait_until(lambda: it.seen.of(good))
            return it.seen.of(good)[0].verdict.result is Result.OK

        wait_until(passes)
        assert not it.station.status().faults
    in_records = {i.trigger.sequence: i.verdict.result for i in recorded(tmp_path)}
    assert {i.verdict.recipe.name for i in recorded(tmp_path)} == {"demo-board"}, "the recipe's own row is there too"
    files = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert in_records == {v.trigger.sequence: v.verdict.result for v in it.seen.verdicts}, files


class SlowRecords(SqliteRecords):
    """The disk takes longer than the deadline, once, in the middle of a commit."""

    hold_s = 0.0

    def commit(self, inspection: Inspection) -> None:
        super().commit(inspection)
        wait, self.hold_s = self.hold_s, 0.0
        threading.Event().wait(wait)


def test_rule_5_a_commit_over_the_deadline_is_overruled_in_the_record_too(tmp_path: Path, wait_until: Any) -> None:
    """rule_5: the deadline thread rejects while the OK is being written; the record then says what the PLC saw."""
    records = SlowRecords.open(tmp_path, busy_timeout_s=0.2, ballast_bytes=0)
    assert isinstance(records, SlowRecords)
    with line(tmp_path, records=records, deadline_ms=300.0) as it:
        records.hold_s = 0.8
        part = it.station.trigger()
        wait_until(lambda: it.seen.of(part.sequence))
        wait_until(lambda: it.station.ledger.snapshot().late == 1)
    (verdict,) = it.seen.of(part.sequence)
    assert verdict.verdict.code == Reason.DEADLINE
    (record,) = recorded(tmp_path)
    assert (record.verdict.result, record.verdict.code, record.late) == (Result.INVALID, Reason.DEADLINE, Result.OK)


def test_rule_3_a_commit_that_ends_after_the_deadline_never_lets_a_pass_out(tmp_path: Path, wait_until: Any) -> None:
    """rule_3: also where the deadline thread did not wake in time, the inference thread looks at the clock itself."""
    records = SlowRecords.open(tmp_path, busy_timeout_s=0.2, ballast_bytes=0)
    assert isinstance(records, SlowRecords)
    with line(tmp_path, records=records, deadline_ms=200.0) as it:
        it.station._deadlines.expired = lambda _: []  # type: ignore[method-assign]  # the deadline thread is late
        records.hold_s = 0.4
        part = it.station.trigger()
        wait_until(lambda: it.seen.of(part.sequence))
    (verdict,) = it.seen.of(part.sequence)
    assert (verdict.verdict.result, verdict.verdict.code) == (Result.INVALID, Reason.DEADLINE)
    assert [(i.verdict.code, i.late) for i in recorded(tmp_path)] == [(Reason.DEADLINE, Result.OK)]


def test_rule_5_a_hanging_archive_delays_no_verdict(tmp_path: Path, wait_until: Any) -> None:
    """rule_5, rule_6: images that cannot be written are dropped and counted; verdicts come as ever."""
    archive = ImageArchive(
        tmp_path, SqliteRecords.open(tmp_path / "unused"), ArchivePolicy(ok_share=1.0, queue_parts=2)
    )
    with line(tmp_path, archive=archive, cameras={"top": camera(defect_rate=1.0)}) as it:  # archive is never started
        for _ in range(10):
            part = it.station.trigger().sequence
            wait_until(lambda part=part: it.seen.of(part))
        wait_until(lambda: it.station.ledger.snapshot().images_dropped == 8)
    assert {v.verdict.result for v in it.seen.verdicts} == {Result.NG}


def test_rule_5_a_stuck_detector_ends_the_process(tmp_path: Path, wait_until: Any) -> None:
    """rule_5: the parts are rejected at their deadlines, and after n deadlines the process is to be replaced."""
    go = threading.Event()

    def stuck(frame: Frame) -> Detections:
        go.wait(20.0)
        return truthful(frame)

    with line(tmp_path, detector=ToldDetector(stuck), deadline_ms=60.0, stuck_after=3) as it:
        parts = [it.station.trigger().sequence for _ in range(2)]
        wait_until(lambda: it.fatal)
        assert all(it.seen.of(s)[0].verdict.code == Reason.DEADLINE for s in parts)
        assert "3 deadlines" in it.fatal[0]
        go.set()


# --- rule 6 ------------------------------------------------------------------------------------------


def test_rule_6_free_run_counts_the_frames_it_passes_over(tmp_path: Path, wait_until: Any) -> None:
    """rule_6: frames that nobody judged are dropped frames, not parts; every frame is accounted for."""

    def slow(frame: Frame) -> Detections:
        threading.Event().wait(0.05)
        return truthful(frame)

    with line(
        tmp_path, cameras={"top": camera(rate_hz=100.0)}, detector=ToldDetector(slow), trigger=TriggerKind.FREE_RUN
    ) as it:
        wait_until(lambda: len(it.seen.verdicts) >= 10)
        status = it.station.status().cameras[0]
        assert status.received == status.delivered + status.dropped + status.incomplete + status.queued
    counters, status = it.station.ledger.snapshot(), it.station.status().cameras[0]
    assert counters.frames_dropped > 0
    assert counters.frames_dropped == status.dropped
    assert status.received == counters.triggers + counters.frames_dropped + status.queued


# --- rule 7 ------------------------------------------------------------------------------------------


def test_rule_7_an_archived_image_gives_the_same_verdict_again(tmp_path: Path, wait_until: Any) -> None:
    """rule_7: the original on disk, judged with the same recipe, gives verdict and findings of the record."""

    def by_pixels(frame: Frame) -> Detections:
        """Depends on the pixels alone, so that a changed image would show."""
        score = (int(frame.pixels.astype("uint32").sum()) % 97) / 96
        return boxes((10.0, 10.0, 40.0, 40.0, score, 1))

    with SqliteRecords.open(tmp_path, ballast_bytes=0) as records:
        archive = ImageArchive(tmp_path, records, ArchivePolicy(ok_share=1.0, min_free_bytes=0))
        archive.start()
        top = camera(defect_rate=0.5, wrong_rate=0.2, empty_rate=0.2)
        with line(
            tmp_path, records=records, archive=archive, cameras={"top": top}, detector=ToldDetector(by_pixels)
        ) as it:
            for _ in range(10):
                part = it.station.trigger().sequence
                wait_until(lambda part=part: it.seen.of(part))
            assert archive.drain(20.0)
            assert archive.stop(10.0)
    kept = [i for i in recorded(tmp_path) if i.images]
    assert len(kept) == 10
    assert len({i.verdict.result for i in kept}) >= 2
    judge = Judge(ToldDetector(by_pixels), demo_recipe())
    for inspection in kept:
        path = next(tmp_path / name for name in inspection.images if name.endswith(".png"))
        again = judge.judge([Frame(inspection.trigger, "top", read_original(path), 0)])
        assert again.verdict.result is inspection.verdict.result
        assert [f.code for f in again.verdict.findings] == [f.code for f in inspection.verdict.findings]


# --- states -------------------------------------------------------------------------------------------


def test_a_timer_judges_and_a_stop_leaves_nothing_in_flight(tmp_path: Path, wait_until: Any) -> None:
    with line(tmp_path, trigger=TriggerKind.TIMER, period_ms=30.0) as it:
        wait_until(lambda: len(it.seen.verdicts) >= 10)
        assert it.station.stop() == ()
        assert it.station.state is StationState.HALTED
        assert it.station.ledger.snapshot().in_flight == 0
    assert len(recorded(tmp_path)) == it.station.ledger.snapshot().triggers


def test_review_is_neither_ok_nor_ng(tmp_path: Path, wait_until: Any) -> None:
    recipe = presence_recipe()
    recipe = replace(recipe, rules=tuple(replace(r, threshold=0.8, review=0.4) for r in recipe.rules))
    detector = ToldDetector(lambda _: boxes((10.0, 10.0, 40.0, 40.0, 0.6, 0)))
    with line(tmp_path, recipe=recipe, detector=detector) as it:
        it.station.trigger()
        wait_until(lambda: it.seen.verdicts)
    verdict = it.seen.verdicts[0].verdict
    assert (verdict.result, verdict.action, verdict.code) == (Result.REVIEW, Action.REJECT, Reason.DOUBT)
