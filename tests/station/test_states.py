"""What the line sees of the station: states, ready, stop rules, acknowledgements, challenge, bypass, recipe change."""

from __future__ import annotations

import threading
import time as clock
from dataclasses import replace
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from partsight.cameras.simulated.world import World
from partsight.domain.challenge import KnownPart, Past
from partsight.domain.detections import Detections
from partsight.domain.errors import ConfigError, DetectorError, Mistake
from partsight.domain.frame import Frame
from partsight.domain.messages import (
    Acknowledge,
    Answer,
    Bypass,
    Challenge,
    ChallengeFinished,
    Exposed,
    Hold,
    Latched,
    Missed,
    PlcHeartbeat,
    RejectReport,
    Reset,
    SelectRecipe,
    Start,
    StateChanged,
    Stop,
    TriggerPart,
)
from partsight.domain.reasons import Reason
from partsight.domain.status import Mode, StationState
from partsight.domain.verdict import Action, Result
from partsight.outputs.records import RecordsReader, SqliteRecords
from partsight.recipes import Recipe
from partsight.station.challenge import Challenges
from partsight.station.line_rules import LineRules, shift_start
from partsight.testing.line_in_a_box import NO_RULES, Box, ToldDetector, boxes, camera, demo_recipe, line, truthful

ME = "test"


def judged(it: Box, wait_until: Any, count: int = 1) -> list[Result]:
    """Trigger so many parts one after the other; their results."""
    results = []
    for _ in range(count):
        part = it.station.trigger().sequence
        wait_until(lambda part=part: it.seen.of(part))
        results.append(it.seen.of(part)[0].verdict.result)
    return results


def test_a_station_starts_proves_itself_and_is_ready(tmp_path: Path) -> None:
    with line(tmp_path, rules=replace(NO_RULES, self_test_parts=3)) as it:
        status = it.station.status()
        assert (status.state, status.ready, status.mode) == (StationState.RUNNING, True, Mode.SIMULATION)
        assert (status.state.packml, status.state.packml_name) == (6, "EXECUTE")
        assert it.detector.calls == 3, "self-test parts went through the detector"
        assert status.counters.triggers == 0, "and are no parts"
        states = [e.after for e in it.seen.events if isinstance(e, StateChanged)]
        order = [s for i, s in enumerate(states) if s not in states[:i]]
        assert order[-2:] == [StationState.INITIALIZED, StationState.RUNNING]


def test_a_lane_too_slow_for_its_deadline_is_not_ready_until_it_is_quick_enough(
    tmp_path: Path, wait_until: Any
) -> None:
    delay = [0.3]

    def slow(frame: Frame) -> Detections:
        threading.Event().wait(delay[0])
        return boxes() if frame.camera == "self-test" else truthful(frame)

    rules = replace(NO_RULES, self_test_parts=2)
    with line(tmp_path, rules=rules, detector=ToldDetector(slow), deadline_ms=400.0) as it:
        status = it.station.status()
        assert (status.state, status.ready, status.error) == (StationState.INITIALIZED, False, Reason.TOO_SLOW)
        assert judged(it, wait_until) == [Result.INVALID]
        assert it.seen.verdicts[-1].verdict.code == Reason.NOT_RUNNING
        delay[0] = 0.0
        wait_until(lambda: it.station.status().ready)
        assert judged(it, wait_until) == [Result.OK]


def test_hold_stop_and_start(tmp_path: Path, wait_until: Any) -> None:
    with line(tmp_path) as it:
        for command, state in ((Hold(ME), StationState.HELD), (Stop(ME), StationState.HALTED)):
            assert it.station.command(command).ok
            assert (it.station.state, it.station.status().ready) == (state, False)
            assert judged(it, wait_until) == [Result.INVALID]
            assert it.station.command(Start(ME)).ok
            assert (it.station.state, it.station.status().ready) == (StationState.RUNNING, True)
            assert judged(it, wait_until) == [Result.OK]
        it.station.command(Stop(ME))
        assert it.station.command(Hold(ME)).code is Answer.NOT_NOW


@pytest.mark.parametrize(
    ("rules", "settings", "reason"),
    [
        (LineRules(rejects_in_a_row=3, self_test_parts=0), {"defect_rate": 1.0}, Reason.REJECTS_IN_A_ROW),
        (
            LineRules(invalid_in_a_row=3, rejects_in_a_row=0, self_test_parts=0),
            {"empty_rate": 1.0},
            Reason.INVALID_IN_A_ROW,
        ),
    ],
)
def test_rejects_or_invalid_in_a_row_stop_the_line_until_somebody_acknowledges(
    tmp_path: Path, wait_until: Any, rules: LineRules, settings: dict[str, float], reason: Reason
) -> None:
    with line(tmp_path, rules=rules, cameras={"top": camera(**settings)}) as it:
        judged(it, wait_until, 3)
        wait_until(lambda: it.station.state is StationState.ERROR)
        status = it.station.status()
        assert (status.ready, status.line_stop, status.error) == (False, True, reason)
        judged(it, wait_until)
        assert it.seen.verdicts[-1].verdict.code == Reason.NOT_RUNNING
        assert it.station.command(Start(ME)).code is Answer.NOT_NOW
        assert it.station.command(Reset(ME)).ok
        status = it.station.status()
        assert (status.state, status.ready, status.line_stop) == (StationState.RUNNING, True, False)


def test_the_share_of_the_last_hundred_stops_the_line(tmp_path: Path, wait_until: Any) -> None:
    rules = replace(NO_RULES, reject_share=0.2)
    turns = iter(range(10_000))
    every_third = ToldDetector(lambda _: boxes((1, 1, 9, 9, 0.9, 0)) if next(turns) % 3 == 0 else boxes())
    with line(tmp_path, rules=rules, detector=every_third) as it:
        judged(it, wait_until, 99)
        assert it.station.state is StationState.RUNNING
        judged(it, wait_until)
        wait_until(lambda: it.station.state is StationState.ERROR)
        assert it.station.status().error == Reason.REJECT_SHARE


def test_a_lost_camera_suspends_and_heals_and_does_not_count_for_the_stop_rules(
    tmp_path: Path, wait_until: Any
) -> None:
    top = camera()
    rules = LineRules(invalid_in_a_row=2, self_test_parts=0)
    with line(tmp_path, rules=rules, cameras={"top": top}) as it:
        top.misbehave("disconnect", seconds=1.0)
        wait_until(lambda: it.station.state is StationState.SUSPENDED)
        assert judged(it, wait_until, 4) == [Result.INVALID] * 4
        wait_until(lambda: it.station.state is StationState.RUNNING, 20.0)
        assert judged(it, wait_until) == [Result.OK]


def test_a_silent_plc_suspends_where_it_is_expected(tmp_path: Path, wait_until: Any) -> None:
    with line(tmp_path, rules=replace(NO_RULES, plc_timeout_s=0.3)) as it:
        wait_until(lambda: it.station.state is StationState.SUSPENDED)
        assert it.station.status().error == Reason.PLC_SILENT
        it.station.command(PlcHeartbeat(ME))
        wait_until(lambda: it.station.state is StationState.RUNNING)
        wait_until(lambda: it.station.state is StationState.SUSPENDED)


def test_eight_verdicts_without_acknowledgement_clear_ready_and_the_next_part_is_rejected(
    tmp_path: Path, wait_until: Any
) -> None:
    with line(tmp_path, rules=replace(NO_RULES, acknowledge=True)) as it:
        assert judged(it, wait_until, 8) == [Result.OK] * 8
        wait_until(lambda: not it.station.status().ready)
        status = it.station.status()
        assert (status.state, status.unacknowledged, status.overrun) == (StationState.RUNNING, 8, False)
        assert judged(it, wait_until) == [Result.INVALID]
        assert it.seen.verdicts[-1].verdict.code == Reason.OVERLOAD
        assert it.station.status().overrun
        ids = [v.trigger.id for v in it.seen.verdicts]
        assert it.station.command(Acknowledge(ME, 60_000)).code is Answer.INVALID, "from the future"
        assert it.station.command(Acknowledge(ME, ids[4])).ok, "cumulative"
        assert it.station.status().unacknowledged == 4
        assert it.station.command(Acknowledge(ME, ids[4])).ok, "a repeat is harmless"
        assert it.station.status().ready
        assert judged(it, wait_until) == [Result.OK]
        it.station.command(Reset(ME))
        assert not it.station.status().overrun


def test_an_unconfirmed_reject_stops_the_line(tmp_path: Path) -> None:
    with line(tmp_path) as it:
        it.station.command(RejectReport(ME, 7, commanded=True, confirmed=True))
        it.station.command(RejectReport(ME, 8, commanded=False, confirmed=False))
        assert it.station.state is StationState.RUNNING
        it.station.command(RejectReport(ME, 9, commanded=True, confirmed=False))
        status = it.station.status()
        assert (status.state, status.line_stop, status.error) == (StationState.ERROR, True, Reason.REJECT_UNCONFIRMED)


@pytest.mark.parametrize("blind", [False, True])
def test_a_challenge_test_tells_a_blind_station(tmp_path: Path, wait_until: Any, blind: bool) -> None:
    top = camera(defect_rate=0.5, seed=2)
    detector = ToldDetector((lambda _: boxes()) if blind else truthful)
    with line(tmp_path, rules=replace(NO_RULES, challenge_after=2), cameras={"top": top}, detector=detector) as it:
        world = World(top._settings)
        bad = tuple(bool(world.plan(n).kinds) for n in range(6))
        assert any(bad)
        assert not all(bad)
        assert it.station.command(Challenge(ME, bad)).ok
        assert it.station.command(Challenge(ME, bad)).code is Answer.NOT_NOW
        assert it.station.status().mode is Mode.CHALLENGE
        judged(it, wait_until, 6)
        ended = wait_until(lambda: [e for e in it.seen.events if isinstance(e, ChallengeFinished)])
        assert {v.mode for v in it.seen.verdicts} == {Mode.CHALLENGE}
        assert ended[0].passed is not blind
        status = it.station.status()
        assert status.state is (StationState.ERROR if blind else StationState.RUNNING)
        assert status.ready is not blind


def test_no_reject_for_long_makes_a_challenge_due(tmp_path: Path, wait_until: Any) -> None:
    with line(tmp_path, rules=replace(NO_RULES, challenge_after=3)) as it:
        judged(it, wait_until, 2)
        assert not it.station.status().challenge_due
        judged(it, wait_until, 1)
        wait_until(lambda: it.station.status().challenge_due)


def test_bypass_is_seen_in_every_verdict_that_it_lasts_for(tmp_path: Path, wait_until: Any) -> None:
    with line(tmp_path, cameras={"top": camera(defect_rate=1.0)}) as it:
        it.station.command(Bypass(ME, on=True))
        assert it.station.status().mode is Mode.BYPASS
        assert judged(it, wait_until) == [Result.NG], "the verdict stays true"
        it.station.command(Bypass(ME, on=False))
        judged(it, wait_until)
        assert [v.mode for v in it.seen.verdicts] == [Mode.BYPASS, Mode.SIMULATION]
        assert {v.verdict.action for v in it.seen.verdicts} == {Action.REJECT}


def test_a_recipe_is_swapped_between_two_parts_and_the_old_one_stays_where_the_new_is_bad(
    tmp_path: Path, wait_until: Any
) -> None:
    def find(command: SelectRecipe) -> Recipe:
        if command.name != "other":
            raise ConfigError([Mistake(command.name, "", "there is no such recipe")])
        recipe = demo_recipe()
        return replace(recipe, ref=replace(recipe.ref, name="other"), id=9)

    with line(tmp_path, find_recipe=find) as it:
        judged(it, wait_until)
        assert it.station.command(SelectRecipe(ME, "unknown")).code is Answer.INVALID
        assert it.station.status().recipe == "demo-board@2"
        assert it.station.command(SelectRecipe(ME, "other")).ok
        status = it.station.status()
        assert (status.recipe, status.recipe_id, status.ready) == ("other@2", 9, True)
        judged(it, wait_until)
    assert [v.verdict.recipe.name for v in it.seen.verdicts] == ["demo-board", "other"]
    states = [e.after for e in it.seen.events if isinstance(e, StateChanged)]
    assert StationState.INITIALIZED in states[1:], "ready was 0 while the new recipe had not proven itself"


def test_a_trigger_is_latched_exposed_or_missed(tmp_path: Path, wait_until: Any) -> None:
    with line(tmp_path) as it:
        reply = it.station.command(TriggerPart(ME, part_id="SN1", id=4711, encoder=12))
        wait_until(lambda: it.seen.verdicts)
        trigger = it.seen.verdicts[0].trigger
        assert (reply.data["id"], reply.data["sequence"]) == (4711, trigger.sequence)
        assert (trigger.id, trigger.part_id, trigger.encoder) == (4711, "SN1", 12)
        kinds = [type(e) for e in it.seen.events if isinstance(e, (Latched, Exposed, Missed))]
        assert kinds == [Latched, Exposed]
        assert it.station.command(TriggerPart(ME, id=70_000)).code is Answer.INVALID
        it.station.command(Stop(ME))
        it.station.command(TriggerPart(ME))
        assert isinstance([e for e in it.seen.events if isinstance(e, (Latched, Missed))][-1], Missed)


def test_an_output_that_raises_brings_the_station_to_error_and_the_others_get_the_verdict(
    tmp_path: Path, wait_until: Any
) -> None:
    with line(tmp_path) as it:

        def broken(_: Any) -> None:
            raise RuntimeError("a defect of an output")

        it.seen.on_publish = broken
        it.station.trigger()
        wait_until(lambda: it.station.state is StationState.ERROR)
        assert it.station.status().error == Reason.OUTPUT_FAILED
        assert len(it.seen.verdicts) == 1


KIT = (KnownPart("good", bad=False), KnownPart("bad", bad=True, defect="no hole"))


def guided(it: Box, wait_until: Any, answers: list[bool]) -> None:
    """Go through a guided test; `answers` is what the detector finds in each part."""
    assert it.station.conduct.begin_challenge(KIT, "eve", "", guided=True) == ""
    for number, defect in enumerate(answers):
        it.detector.answer = lambda _, defect=defect: boxes((1, 1, 9, 9, 0.9, 0)) if defect else boxes()
        judged(it, wait_until)
        assert it.station.conduct.challenge.current == number
        wait_until(lambda: it.station.conduct.challenge.waiting_for == "confirmation")
        assert it.station.conduct.confirm_part(True, "")


def test_a_blind_station_fails_a_guided_test_and_serves_no_part_until_one_has_passed(
    tmp_path: Path, wait_until: Any
) -> None:
    with line(tmp_path) as it:
        guided(it, wait_until, [False, False])
        status = it.station.status()
        assert (status.state, status.error) == (StationState.ERROR, Reason.CHALLENGE_FAILED)
        it.station.command(Reset(ME))
        it.station.command(Start(ME))
        status = it.station.status()
        assert (status.state, status.ready, status.challenge_due) == (StationState.INITIALIZED, False, True)
        assert judged(it, wait_until) == [Result.INVALID]
        guided(it, wait_until, [False, True])
        status = it.station.status()
        assert (status.state, status.ready, status.challenge_due) == (StationState.RUNNING, True, False)
        assert [e.passed for e in it.seen.events if isinstance(e, ChallengeFinished)] == [False, True]


@pytest.mark.parametrize("passed", [False, True])
def test_what_the_last_test_has_shown_outlives_a_restart(tmp_path: Path, wait_until: Any, passed: bool) -> None:
    rules = replace(NO_RULES, challenge_on_change=True, challenge_required=True)
    with line(tmp_path, rules=rules, set_up="a") as it:
        assert it.station.state is StationState.INITIALIZED, "never tested"
        guided(it, wait_until, [False, passed])
    with line(tmp_path, rules=rules, set_up="a") as it:
        assert it.station.status().ready is passed
        assert it.station.conduct.challenge.failed is not passed
    with line(tmp_path, rules=rules, set_up="another camera") as it:
        assert not it.station.status().ready
        assert it.station.conduct.challenge.due == "change"


def test_a_bad_part_that_could_not_be_judged_proves_nothing(tmp_path: Path, wait_until: Any) -> None:
    def broken(_: Frame) -> Detections:
        raise DetectorError("gone")

    with line(tmp_path) as it:
        assert it.station.command(Challenge(ME, (False, True))).ok
        judged(it, wait_until)
        it.detector.answer = broken
        judged(it, wait_until)
        ended = wait_until(lambda: [e for e in it.seen.events if isinstance(e, ChallengeFinished)])
        assert (ended[0].passed, ended[0].missed) == (False, 1)


def test_a_part_that_was_in_flight_before_a_test_is_no_part_of_it(tmp_path: Path, wait_until: Any) -> None:
    hold, entered = threading.Event(), threading.Event()

    def slow(frame: Frame) -> Detections:
        entered.set()
        hold.wait(5.0)
        return truthful(frame)

    with line(tmp_path, detector=ToldDetector(slow)) as it:
        first = it.station.trigger().sequence
        assert entered.wait(5.0)
        assert it.station.command(Challenge(ME, (False,))).ok
        hold.set()
        wait_until(lambda: it.seen.of(first))
        assert it.seen.of(first)[0].mode is Mode.SIMULATION
        assert not [e for e in it.seen.events if isinstance(e, ChallengeFinished)]
        judged(it, wait_until)
        wait_until(lambda: [e for e in it.seen.events if isinstance(e, ChallengeFinished)])
        assert it.seen.verdicts[-1].mode is Mode.CHALLENGE


def test_rule_1_an_ng_part_that_bypass_let_pass_and_the_deadline_overruled_is_invalid_in_the_record_too(
    tmp_path: Path, wait_until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = SqliteRecords.open(tmp_path, busy_timeout_s=0.2, ballast_bytes=0)
    commit = records.commit
    waited: list[bool] = []

    def late(inspection: Any) -> None:
        commit(inspection)
        if not waited:  # the deadline comes between the record and the verdict
            waited.append(wait_until(lambda: bool(it.seen.of(inspection.trigger.sequence))))

    monkeypatch.setattr(records, "commit", late)  # a disk that is slow at exactly this moment
    defect = ToldDetector(lambda _: boxes((1, 1, 9, 9, 0.9, 0)))
    with line(tmp_path, records=records, detector=defect, deadline_ms=300.0) as it:
        it.station.command(Bypass(ME, on=True))
        assert judged(it, wait_until) == [Result.INVALID]
        sequence = it.seen.verdicts[0].trigger.sequence
        with RecordsReader.open(tmp_path) as reader:
            recorded = wait_until(lambda: (r := reader.inspection(sequence)) and r.late and r)
        assert (recorded.verdict.result, recorded.verdict.code) == (Result.INVALID, Reason.DEADLINE)
        assert recorded.late is Result.NG
        assert it.station.status().counters.invalid == 1


@pytest.mark.parametrize(
    ("starts", "now", "begun"),
    [
        ((6, 0), "2026-03-10T05:59", "2026-03-09T06:00"),
        ((6, 0), "2026-03-10T06:00", "2026-03-10T06:00"),
        ((22, 0), "2026-03-10T01:00", "2026-03-09T22:00"),
        # The night on which the clocks go forward has no 02:30.
        ((2, 30), "2026-03-29T03:10", "2026-03-29T01:30"),
    ],
)
def test_the_newest_shift_is_found_by_local_time(
    starts: tuple[int, int], now: str, begun: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    clock.tzset()
    try:
        found = shift_start((time(*starts),), datetime.fromisoformat(now).astimezone())
        assert found is not None
        assert found.astimezone().strftime("%Y-%m-%dT%H:%M") == begun
    finally:
        monkeypatch.undo()
        clock.tzset()


def test_a_shift_that_begins_makes_a_test_due() -> None:
    rules = replace(NO_RULES, shift_starts=(time(6),))
    start = datetime(2026, 3, 10, 6).astimezone()
    past = Past(passed_at=start - timedelta(minutes=1))
    tests = Challenges(rules, past, "")
    tests.watch(start - timedelta(seconds=30))
    assert tests.due(False) == ""
    assert tests.watch(start)
    assert tests.due(False) == "shift"
    tests = Challenges(rules, Past(passed_at=start + timedelta(days=400)), "")
    tests.watch(start)
    assert tests.due(False) == "shift", "a passed test from the future was written by a wrong clock"
