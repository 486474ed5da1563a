"""What the controller makes of bytes, and of a simulated world."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partsight.cameras.simulated.camera import SimulatedSettings
from partsight.cameras.simulated.world import World
from partsight.domain.frame import Truth
from partsight.domain.inspection import Inspection, Timings
from partsight.domain.trigger import Trigger, TriggerKind
from partsight.domain.verdict import Action, RecipeRef, Result, Verdict
from partsight.outputs.records import SqliteRecords
from partsight.testing.plc import Answered, Beat, Passage, Score, StationWord, planned_truth, recorded_truth
from partsight.testing.plc.link import Latch
from partsight.testing.plc.mqtt import read_message
from partsight.wire.live import VerdictMessage

VERDICT = (
    b'{"v":1,"e":173,"id":48213,"p":"SN123","r":2,"a":1,"c":12,"enc":1203344,"t":1795488000123,"dl":1795488000423}'
)


def test_messages_of_the_contract_are_read() -> None:
    assert read_message("verdict", VERDICT) == Answered(173, 48213, 1, 2, 12)
    assert VerdictMessage.parse(VERDICT).a == 1  # the same bytes as the station's own type has them
    beat = b'{"e":173,"n":88123,"rdy":1,"packml":6,"id":48213,"t":1}'
    assert read_message("hb", beat) == Beat(173, 88123, True, 6, 48213)
    assert read_message("trigack", b'{"e":173,"id":4,"st":"latched"}') == Latch(4, True)
    assert read_message("trigack", b'{"e":173,"id":4,"st":"missed"}') == Latch(4, False)
    assert read_message("trigack", b'{"e":173,"id":4,"st":"exposed"}') is None
    state = b'{"v":1,"e":173,"st":"ERROR","packml":9,"ready":0,"err":3,"err_txt":"x","line_stop_req":1}'
    assert read_message("state", state) == StationWord(True, True, "x")


@pytest.mark.parametrize("action", [b"false", b"0.0", b'"0"', b"null", b"-0.0", b"[]", b"-1", b"1e400", b"NaN"])
def test_only_the_whole_number_zero_is_a_pass(action: bytes) -> None:
    payload = VERDICT.replace(b'"a":1', b'"a":' + action)
    assert read_message("verdict", payload) is None


@given(
    st.sampled_from(["verdict", "hb", "trigack", "state", "other"]), st.binary(max_size=200) | st.just(b"[" * 100_000)
)
def test_garbage_is_dropped(leaf: str, payload: bytes) -> None:
    heard = read_message(leaf, payload)
    assert heard is None or leaf != "other"


def passage(number: int, *, epoch: int = 1, latched: bool | None = True, passed: bool = True, id_: int = 1) -> Passage:
    return Passage(number, epoch, id_, passed, "verdict", 0, latched)


def test_the_planned_truth_is_the_cameras_own() -> None:
    """Number by number, and from the start again where the station has restarted."""
    settings = SimulatedSettings(seed=3, width=96, height=96, defect_rate=0.4, wrong_rate=0.1)
    world = World(settings)
    expected = [world.render(n, colour=False)[1].good for n in range(30)]
    assert {True, False} == set(expected)
    parts = [passage(n) for n in range(30)] + [passage(n, epoch=2) for n in range(30)]
    assert planned_truth(settings)(parts) == expected * 2


def test_the_planned_truth_knows_what_it_does_not_know() -> None:
    settings = SimulatedSettings(seed=3, width=96, height=96, defect_rate=0.4)
    truth = planned_truth(settings)
    whole = truth([passage(n) for n in range(4)])
    missed = truth([passage(0), passage(1, latched=False), passage(2, id_=0), passage(3)])
    assert missed == [whole[0], None, None, whole[1]]
    lost = truth([passage(0), passage(1, latched=None), passage(2), passage(3, epoch=2)])
    assert lost == [whole[0], None, None, whole[0]]


def test_the_recorded_truth_is_found_by_part_epoch_and_id(tmp_path: Path) -> None:
    records = SqliteRecords.open(tmp_path, ballast_bytes=0)
    verdict = Verdict(Result.OK, Action.PASS, (), RecipeRef("pcb", 1, "b" * 64))
    for n, (part, id_, truth) in enumerate((("70", 3, Truth("present")), ("71", 4, Truth("absent")), ("72", 5, None))):
        sequence = records.reserve(1)
        at = datetime.now(timezone.utc)
        trigger = Trigger(sequence, id_, 65_537, TriggerKind.CALL, at, 0, 10, part_id=part)
        records.latch(trigger)
        records.commit(Inspection(UUID(int=n + 1), trigger, verdict, (), Timings(), None, truth=truth))
    records.close()
    parts = [passage(70, epoch=65_537, id_=3), passage(71, epoch=1, id_=4), passage(72, epoch=1, id_=5)]
    parts += [passage(70, epoch=1, id_=9), passage(70, epoch=2, id_=3), passage(99, id_=3), passage(70, id_=0)]
    assert recorded_truth(tmp_path)(parts) == [True, False, None, None, None, None, None]
    result = Score.of(parts, recorded_truth(tmp_path))
    assert [p.number for p in result.escapes] == [71]
    assert (result.passed_good, result.unknown_passed) == (1, 5)
