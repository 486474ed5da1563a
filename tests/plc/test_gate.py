"""The gate: a real station, a real broker, and what the line lets out while both are killed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from partsight.testing.plc import LineController, LinePlan, Policy, Score, recorded_truth

GATE_MS = 300.0


def run(controller: LineController, at: dict[int, Callable[[], None]], limit_s: float = 100.0) -> None:
    """Scan to the end; do what is due when so many parts have come in. In a thread: a scan never waits for it."""
    end = time.monotonic() + limit_s
    helpers: list[threading.Thread] = []

    def each_scan() -> bool:
        for number in [n for n in at if controller.view.entered >= n]:
            helpers.append(threading.Thread(target=at.pop(number)))
            helpers[-1].start()
        return time.monotonic() < end

    controller.run(each_scan)
    for helper in helpers:
        helper.join(20)
    assert controller.finished, f"{len(controller.passages)} parts in {limit_s} s; {controller.view}"
    assert not at, "the line ended before everything was done to it"


def scored(controller: LineController, station: Any, capsys: pytest.CaptureFixture[str]) -> Score:
    score = Score.of(controller.passages, recorded_truth(station.data))
    with capsys.disabled():
        times = sorted(controller.verdict_ms)
        print(
            f"\n{score.parts} parts, {controller.plan.policy.value}: {len(score.escapes)} of {score.bad} bad let out, "
            f"{score.good_rejected} of {score.good} good rejected {dict(score.overkill)}, never judged and rejected "
            f"{dict(score.unknown_rejected)}, verdict p50 {times[len(times) // 2]:.1f} ms, "
            f"p99 {times[int(len(times) * 0.99)]:.1f} ms"
        )
    return score


def outage(thing: Any, seconds: float, *, kill: bool) -> Callable[[], None]:
    """It is gone for so long."""

    def act() -> None:
        thing.kill() if kill else thing.stop()
        time.sleep(seconds)
        thing.start()

    return act


def plan(parts: int, **more: Any) -> LinePlan:
    # The infeed does not stop here: parts come while nobody hears, which is the worst a line can do.
    return LinePlan(parts=parts, rate_hz=20, gate_ms=GATE_MS, infeed_stops=False, operator_s=0.5, **more)


@pytest.mark.parametrize("wire", ["mqtt", "modbus"])
def test_a_quiet_line_passes_the_good_and_rejects_the_bad(
    tmp_path: Path, line: Any, wire: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with line(tmp_path, wire) as (station, _, link):
        controller = LineController(plan(40), link)
        run(controller, {}, 60)
        score = scored(controller, station, capsys)
        assert not score.escapes
        assert score.bad > 0
        assert score.unknown_passed == 0
        # A loaded machine may be late for a few; a wire that does not work is late for all.
        assert score.passed_good >= 0.7 * score.good
        link.close()
        station.stop()


@pytest.mark.parametrize("wire", ["mqtt", "modbus"])
def test_the_gate_lets_no_bad_part_out_while_broker_and_station_are_killed(
    tmp_path: Path, line: Any, wire: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """rule_2 and rule_3 on the wire: 100 parts, the broker restarted once, the station killed once."""
    with line(tmp_path, wire) as (station, broker, link):
        controller = LineController(plan(100), link)
        events = {70: outage(station, 0.2, kill=True)}
        if broker is not None:
            events[25] = outage(broker, 0.7, kill=True)
        run(controller, events, 80)
        score = scored(controller, station, capsys)
    assert not score.escapes, score.escapes
    assert score.unknown_passed == 0
    assert score.passed_good >= 10
    assert sum(score.unknown_rejected.values()) > 0, "nothing was disturbed"


@pytest.mark.proof
@pytest.mark.timeout(300)
def test_the_gate_proof(tmp_path: Path, line: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """rule_2 and rule_3 on the wire: 1,200 parts, the broker restarted twice, the station killed once."""
    with line(tmp_path, "mqtt") as (station, broker, link):
        controller = LineController(plan(1200), link)
        events = {
            240: outage(broker, 1.0, kill=False),
            600: outage(station, 1.5, kill=True),
            900: outage(broker, 1.0, kill=True),
        }
        run(controller, events, 250)
        score = scored(controller, station, capsys)
    assert not score.escapes, score.escapes
    assert score.unknown_passed == 0
    assert score.bad >= 80
    assert score.passed_good >= 800


@pytest.mark.proof
@pytest.mark.timeout(300)
@pytest.mark.parametrize("policy", [Policy.REJECT_ON_FAIL, Policy.LAST_VALUE])
def test_the_wrong_policies_are_shown(
    tmp_path: Path, line: Any, policy: Policy, capsys: pytest.CaptureFixture[str]
) -> None:
    """What they let out is printed; parts that were never judged pass there, and nobody knows what they were."""
    with line(tmp_path, "mqtt") as (station, broker, link):
        controller = LineController(plan(300, policy=policy), link)
        run(controller, {100: outage(broker, 1.0, kill=False), 200: outage(station, 1.5, kill=True)}, 120)
        score = scored(controller, station, capsys)
    assert len(score.escapes) + score.unknown_passed > 0
