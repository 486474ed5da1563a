"""The whole controller on a wire that loses, delays, repeats and reorders, in simulated time."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partsight.testing.plc import Answered, Beat, LineController, LinePlan, Policy, Score, StationWord
from partsight.testing.plc.link import Heard, Latch

MS = 1_000_000


@dataclass(frozen=True)
class Wire:
    """Shares of 0..1, and milliseconds."""

    lost: float = 0.0
    repeated: float = 0.0
    delay_ms: tuple[int, int] = (1, 20)
    late: float = 0.0
    triggers_lost: float = 0.0


@dataclass
class SimulatedStation:
    """A station on a bad wire, as a Link. A part is bad where its number divides by five."""

    wire: Wire
    rng: random.Random
    now: Callable[[], int]
    restarts_ms: tuple[int, ...] = ()
    epoch: int = 7
    ready: bool = True
    dead_until: int = 0
    queue: list[tuple[int, int, Heard]] = field(default_factory=list)
    acknowledged: list[int] = field(default_factory=list)
    beats: int = 0
    rejects: list[tuple[int, bool]] = field(default_factory=list)
    operators: list[bool] = field(default_factory=list)
    old: list[Answered] = field(default_factory=list)
    sent: int = 0
    next_beat: int = 0
    packml: int = 6

    def open(self, timeout_s: float) -> None: ...

    def close(self) -> None: ...

    def _put(self, heard: Heard) -> None:
        if self.rng.random() < self.wire.lost:
            return
        for _ in range(2 if self.rng.random() < self.wire.repeated else 1):
            delay = self.rng.randint(*self.wire.delay_ms)
            if self.rng.random() < self.wire.late:
                delay += self.rng.randint(100, 2000)
            self.sent += 1
            self.queue.append((self.now() + delay * MS, self.sent, heard))

    def poll(self) -> list[Heard]:
        now = self.now()
        if self.restarts_ms and now >= self.restarts_ms[0] * MS:
            self.restarts_ms = self.restarts_ms[1:]
            self.dead_until = now + 700 * MS
            self.epoch += 1
            # A broker may hold back what was sent before, and give it out after the restart.
            for verdict in self.old[-20:]:
                self.queue.append((now + self.rng.randint(0, 1500) * MS, self.rng.random(), verdict))  # type: ignore[arg-type]
        if now >= self.next_beat and now >= self.dead_until:
            self.next_beat = now + 100 * MS
            self._put(Beat(self.epoch, now // MS, self.ready, self.packml))
        due = sorted(entry for entry in self.queue if entry[0] <= now) if self.queue else []
        self.queue = [entry for entry in self.queue if entry[0] > now]
        return [heard for _, _, heard in due]

    def trigger(self, number: int, id_: int, encoder: int) -> int:
        if self.now() < self.dead_until or self.rng.random() < self.wire.triggers_lost:
            return id_  # sent, and nobody there
        verdict = Answered(self.epoch, id_, 1 if number % 5 == 0 else 0)
        self.old.append(verdict)
        self._put(Latch(id_, True))
        self._put(verdict)
        return id_

    def acknowledge(self, id_: int) -> None:
        self.acknowledged.append(id_)

    def beat(self) -> None:
        self.beats += 1

    def confirm_reject(self, id_: int, *, confirmed: bool) -> None:
        self.rejects.append((id_, confirmed))

    def operator(self, *, error: bool) -> None:
        self.operators.append(error)


def run(
    plan: LinePlan, wire: Wire, *, seed: int = 1, restarts_ms: tuple[int, ...] = ()
) -> tuple[LineController, SimulatedStation]:
    clock = [0]
    station = SimulatedStation(wire, random.Random(seed), lambda: clock[0], restarts_ms)
    controller = LineController(plan, station, lambda: clock[0])
    while not controller.finished:
        clock[0] += 5 * MS
        controller.scan()
        assert clock[0] < 200_000 * MS, "the line never ends"
    return controller, station


def score(controller: LineController) -> Score:
    return Score.of(controller.passages, lambda passages: [p.number % 5 != 0 for p in passages])


PLAN = LinePlan(parts=60, rate_hz=20, gate_ms=300)


def test_on_a_good_wire_each_part_goes_where_it_belongs() -> None:
    controller, station = run(PLAN, Wire())
    result = score(controller)
    assert (result.good, result.bad, len(result.escapes), result.good_rejected) == (48, 12, 0, 0)
    assert station.acknowledged[-1] == 60
    assert station.acknowledged == sorted(set(station.acknowledged))
    assert station.rejects == [(n, True) for n in range(5, 61, 5)]
    assert 30 < station.beats < 45
    assert len(controller.verdict_ms) == 60


@given(
    st.builds(
        Wire,
        lost=st.sampled_from([0.0, 0.1, 0.5]),
        repeated=st.sampled_from([0.0, 0.5]),
        delay_ms=st.sampled_from([(0, 5), (1, 290), (200, 800)]),
        late=st.sampled_from([0.0, 0.3]),
        triggers_lost=st.sampled_from([0.0, 0.2]),
    ),
    st.integers(0, 1000),
    st.sampled_from([(), (900,), (900, 2500)]),
    st.sampled_from([1, 65_500]),
)
def test_no_bad_part_passes_whatever_the_wire_does(
    wire: Wire, seed: int, restarts_ms: tuple[int, ...], first_id: int
) -> None:
    """Rule_3 with a whole controller: lost, late, repeated and reordered verdicts, and those of a former life."""
    plan = replace(PLAN, infeed_stops=False, first_id=first_id, first_encoder=(1 << 32) - 10_000)
    controller, _ = run(plan, wire, seed=seed, restarts_ms=restarts_ms)
    result = score(controller)
    assert result.parts == 60
    assert not result.escapes


def test_the_wrong_policies_let_bad_parts_out_on_the_same_wire() -> None:
    """Else the test above could not fail."""
    wire = Wire(lost=0.3)
    escapes = {policy: len(score(run(replace(PLAN, policy=policy), wire, seed=4)[0]).escapes) for policy in Policy}
    assert escapes[Policy.PASS_ONLY] == 0
    assert escapes[Policy.REJECT_ON_FAIL] > 0
    assert escapes[Policy.LAST_VALUE] > 0


@pytest.mark.parametrize("stops", [True, False])
def test_a_dead_station_stops_the_infeed_and_everything_is_rejected(stops: bool) -> None:
    controller, _ = run(replace(PLAN, infeed_stops=stops), Wire(), restarts_ms=(1000,))
    why = score(controller).overkill
    assert not score(controller).escapes
    assert why["station is not heard"] > 0
    # Stopped: only what was in the tunnel, and what came in before the silence was noticed, is lost.
    assert (sum(p.why == "station is not heard" and not p.id for p in controller.passages) == 0) is stops


def test_a_heartbeat_that_stands_is_no_heartbeat() -> None:
    clock = [0]
    station = SimulatedStation(Wire(), random.Random(1), lambda: clock[0])
    controller = LineController(PLAN, station, lambda: clock[0])
    beat = Beat(7, 5, True, 6)
    station.poll = lambda: [beat]  # type: ignore[method-assign]
    for _ in range(400):
        clock[0] += 5 * MS
        controller.scan()
    assert not controller.view.trusted
    assert 0 < controller.view.entered < 15
    assert not any(p.passed for p in controller.passages)


def test_nothing_is_triggered_unless_the_station_is_ready() -> None:
    clock = [0]
    station = SimulatedStation(Wire(), random.Random(1), lambda: clock[0])
    controller = LineController(PLAN, station, lambda: clock[0])
    while controller.view.entered < 5:
        clock[0] += 5 * MS
        controller.scan()
    station.ready, station.packml = False, 11
    while controller.view.entered < 20:
        clock[0] += 5 * MS
        controller.scan()
    assert controller.view.triggered <= 8  # what came in before the next heartbeat said it
    assert controller.view.infeed
    assert any(p.why == "station is not ready" for p in controller.passages)


def test_a_line_stop_stands_until_somebody_comes() -> None:
    clock = [0]
    station = SimulatedStation(Wire(), random.Random(1), lambda: clock[0])
    controller = LineController(replace(PLAN, operator_s=1.0), station, lambda: clock[0])
    while controller.view.entered < 5:
        clock[0] += 5 * MS
        controller.scan()
    station.queue.append((0, 0, StationWord(error=True, line_stop=True)))
    at = clock[0]
    while not station.operators:
        clock[0] += 5 * MS
        controller.scan()
    assert clock[0] - at > 990 * MS
    assert controller.view.entered == 5
    assert not controller.view.infeed
    assert station.operators == [True]


def test_what_the_controller_leaves_out() -> None:
    controller, station = run(replace(PLAN, acknowledges=False, beats=False, lose_confirmation=3), Wire())
    assert station.acknowledged == []
    assert station.beats == 0
    assert [id_ for id_, seen in station.rejects if not seen] == [15]
    assert controller.view.confirmations_lost == 1


def test_verdicts_that_come_behind_the_gate_are_acknowledged_too() -> None:
    """Else eight of them would end Ready for good."""
    _, station = run(PLAN, Wire(delay_ms=(400, 410)))
    assert station.acknowledged
    assert station.acknowledged == sorted(set(station.acknowledged))


def test_acknowledgements_go_on_across_the_turn_of_the_ids() -> None:
    _, station = run(replace(PLAN, first_id=65_530), Wire())
    assert station.acknowledged[-1] == 54
    assert 65_535 in station.acknowledged
