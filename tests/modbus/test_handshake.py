"""Triggers, acknowledgements and commands by control bits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from partsight.domain.messages import (
    Acknowledge,
    Answer,
    Challenge,
    Missed,
    PlcHeartbeat,
    RejectReport,
    Reply,
    Reset,
    SelectRecipe,
    Start,
    Stop,
    TriggerPart,
)
from partsight.domain.verdict import Result

Make = Callable[..., Any]

ENABLE, TRIGGER, ACK, CLEAR, RESET, RECIPE, RUN, CHALLENGE = (1 << bit for bit in range(8))
SOURCE = "modbus/127.0.0.1"


def test_a_trigger_takes_the_words_of_its_own_write_and_echoes_its_id(rig: Make) -> None:
    line = rig()
    line.write(100, 1, ENABLE | TRIGGER, 0, 0, 1, 5, 2, 7)
    assert line.station.asked(TriggerPart) == [TriggerPart(SOURCE, part_id="65541", encoder=131_079)]
    assert line.read(4) == [1]
    assert line.bit(2)
    line.write(101, ENABLE)
    assert not line.bit(2)
    assert line.read(4) == [1]


def test_a_held_trigger_bit_triggers_once(rig: Make) -> None:
    line = rig()
    for _ in range(5):
        line.write(101, ENABLE | TRIGGER)
    line.write(101, ENABLE)
    line.write(101, ENABLE | TRIGGER)
    assert len(line.station.asked(TriggerPart)) == 2


def test_without_a_part_number_the_part_has_no_name(rig: Make) -> None:
    line = rig()
    line.write(101, ENABLE | TRIGGER)
    assert line.station.asked(TriggerPart) == [TriggerPart(SOURCE, part_id="", encoder=0)]


def test_a_trigger_without_enable_is_refused_and_has_no_id(rig: Make) -> None:
    line = rig()
    line.write(101, TRIGGER)
    assert line.station.asked(TriggerPart) == []
    assert line.read(4) == [0]
    assert not line.bit(2)
    assert line.output.health().commands_refused == 1


def test_a_missed_trigger_has_its_id_and_no_acknowledgement(rig: Make) -> None:
    line = rig()
    line.station.reply = Reply(Answer.NOT_NOW, "HELD", {"id": 44})
    line.write(101, ENABLE | TRIGGER)
    assert line.read(4) == [44]
    assert not line.bit(2)


def test_a_station_that_counts_a_missed_trigger_as_done_acknowledges_it_no_more(
    rig: Make, make_inspection: Make
) -> None:
    """The station gives a missed part an id and a reject; the PLC must see that nobody took its picture."""
    line = rig()
    station, trigger = line.station, make_inspection(44).trigger

    def command(asked: Any) -> Reply:
        line.output.tell(Missed(trigger, "station is HELD"))
        return Reply(Answer.DONE, data={"id": 44, "sequence": 1})

    station.command = command
    line.write(101, ENABLE | TRIGGER)
    assert line.read(4) == [44]
    assert not line.bit(2)


def test_a_slow_command_stops_neither_heartbeat_nor_triggers(rig: Make, wait_until: Make) -> None:
    """A change of recipe may wait for the part in the lane; the PLC must not think that the station is dead."""
    line = rig()
    go_on = threading.Event()
    quick = line.station.command

    def command(asked: Any) -> Reply:
        if isinstance(asked, SelectRecipe):
            assert go_on.wait(10)
        return Reply(quick(asked).code, data={"id": 9})

    line.station.command = command
    line.client.write_registers(101, [ENABLE | RECIPE, 0, 14])
    first = line.read(1)[0]
    wait_until(lambda: line.read(1)[0] >= first + 3, what="the heartbeat counts on")
    line.client.write_registers(101, [ENABLE | TRIGGER])
    assert line.read(4) == [9]
    assert line.output.health().commands_waiting == 1
    go_on.set()
    wait_until(lambda: line.audited == [(SOURCE, "recipe 14: done")])


def test_a_command_that_raises_is_a_fault_and_the_next_is_carried_out(rig: Make) -> None:
    line = rig()
    quick = line.station.command

    def broken(_: Any) -> Reply:
        raise ZeroDivisionError("command")

    line.station.command = broken
    line.pulse(CLEAR)
    assert "ZeroDivisionError" in line.faults[0][1]
    line.station.command = quick
    line.pulse(CLEAR)
    assert line.station.without_beats == [Reset(SOURCE)]


def test_an_audit_that_cannot_be_written_is_a_fault_and_hangs_up_on_nobody(rig: Make) -> None:
    def full(source: str, what: str) -> None:
        raise OSError("no space left")

    line = rig(audit=full)
    line.pulse(CHALLENGE)
    line.pulse(CLEAR)
    assert line.station.without_beats == [Reset(SOURCE)]
    assert [key for key, _, _ in line.faults] == ["modbus/failed"] * 2
    assert "no space left" in line.faults[0][1]
    assert line.read(0) == [1]


def test_every_change_of_the_plcs_heartbeat_is_a_sign_of_life(rig: Make) -> None:
    line = rig()
    for beat in (1, 2, 2, 2, 3):
        line.write(100, beat)
    assert len(line.station.asked(PlcHeartbeat)) == 3


@pytest.mark.parametrize(
    ("bits", "command"),
    [
        (CLEAR, Reset(SOURCE)),
        (RESET, Reset(SOURCE)),
        (RUN, Start(SOURCE)),
        (CHALLENGE, Challenge(SOURCE, (True, False))),
    ],
)
def test_each_control_bit_asks_for_its_command_once_an_edge(rig: Make, bits: int, command: object) -> None:
    line = rig(challenge=[True, False])
    line.write(101, bits)
    line.write(101, bits)
    assert line.station.without_beats == [command]
    assert [source for source, _ in line.audited] == [SOURCE]


def test_run_stops_on_its_falling_edge(rig: Make) -> None:
    line = rig()
    line.pulse(RUN)
    assert line.station.without_beats == [Start(SOURCE), Stop(SOURCE)]


def test_recipe_strobe_asks_for_the_recipe_by_its_number(rig: Make, make_status: Make, wait_until: Make) -> None:
    line = rig()
    line.write(101, RECIPE, 0, 15)
    assert line.station.asked(SelectRecipe) == [SelectRecipe(SOURCE, id=15)]
    assert not line.bit(9)  # 14 is still loaded
    line.station.state = make_status(recipe_id=15)
    wait_until(lambda: line.bit(9))
    assert line.read(16) == [15]


def test_recipe_none_is_refused(rig: Make) -> None:
    line = rig()
    line.pulse(RECIPE)
    assert line.station.without_beats == []
    assert "none" in line.audited[0][1]


def test_a_challenge_without_a_kit_is_refused(rig: Make) -> None:
    line = rig()
    line.pulse(CHALLENGE)
    assert line.station.without_beats == []
    assert "modbus.challenge" in line.audited[0][1]


def test_commands_that_the_configuration_leaves_out_are_refused(rig: Make) -> None:
    line = rig(commands=["acknowledge"], challenge=[True])
    line.pulse(ENABLE | TRIGGER | CLEAR | RUN | CHALLENGE)
    line.write(103, 9)
    line.pulse(RECIPE | RESET)
    line.write(108, 1)
    assert line.station.without_beats == []
    assert all("not in modbus.commands" in what for _, what in line.audited)
    assert line.output.health().commands_refused == 8


def test_what_a_station_refuses_is_in_the_audit_with_its_reason(rig: Make) -> None:
    line = rig()
    line.station.reply = Reply(Answer.NOT_NOW, "camera top is lost")
    line.pulse(RESET)
    assert line.audited == [(SOURCE, "reset: not now: camera top is lost")]


def test_a_flood_of_refusals_fills_no_audit(rig: Make) -> None:
    line = rig()
    for _ in range(50):
        line.pulse(TRIGGER)
    assert len(line.audited) == 1
    assert line.output.health().commands_refused == 50


def test_with_acknowledgement_the_shown_result_stays_until_it_is_taken(rig: Make, make_inspection: Make) -> None:
    line = rig(acknowledge=True)
    for id_ in (10, 11, 12):
        line.output.publish(make_inspection(id_))
    assert line.read(5) == [10]
    toggle = line.bit(6)
    line.write(101, ACK, 10)
    assert line.read(5) == [11]
    assert line.bit(6) is not toggle
    line.write(101, 0)
    line.write(101, ACK, 12)  # the highest contiguous one
    assert not line.bit(5)
    assert line.read(5) == [0]
    assert [c.id for c in line.station.asked(Acknowledge)] == [10, 12]


def test_zero_unknown_and_repeated_acknowledgements_take_nothing(rig: Make, make_inspection: Make) -> None:
    line = rig(acknowledge=True)
    line.output.publish(make_inspection(10))
    for id_ in (0, 9, 11, 60_000):
        line.write(102, id_)
        line.pulse(ACK)
    assert line.read(5) == [10]
    assert line.station.asked(Acknowledge) == []
    line.write(102, 10)
    line.pulse(ACK)
    line.pulse(ACK)
    assert [c.id for c in line.station.asked(Acknowledge)] == [10]


def test_the_ninth_unacknowledged_result_overruns_and_overwrites_nothing(rig: Make, make_inspection: Make) -> None:
    line = rig(acknowledge=True)
    for id_ in range(1, 8):
        line.output.publish(make_inspection(id_))
    assert line.bit(1)
    line.output.publish(make_inspection(8))
    assert not line.bit(1), "eight wait: Ready must be 0"
    assert not line.bit(7)
    before = line.read(64, 64)
    line.output.publish(make_inspection(9))
    after = line.read(64, 64)
    assert [word for n, word in enumerate(after) if n % 8 != 6] == [w for n, w in enumerate(before) if n % 8 != 6]
    assert line.bit(7)
    assert line.output.health().overruns == 1
    line.write(101, ACK, 8)
    assert line.bit(1)
    assert line.bit(7), "Overrun stays until it is cleared"
    line.write(101, CLEAR)
    assert not line.bit(7)


def test_a_plc_that_starts_anew_takes_everything_with_reset(rig: Make, make_inspection: Make) -> None:
    line = rig(acknowledge=True)
    for id_ in range(1, 10):
        line.output.publish(make_inspection(id_))
    line.pulse(RESET)
    assert line.station.without_beats == [Reset(SOURCE), Acknowledge(SOURCE, 9)]
    assert line.bit(1)
    assert not line.bit(5)
    assert not line.bit(7)


def test_a_pass_that_waited_past_its_deadline_is_shown_as_a_reject(
    rig: Make, make_inspection: Make, wait_until: Make
) -> None:
    line = rig(acknowledge=True)
    line.output.publish(make_inspection(1))
    line.output.publish(make_inspection(2, deadline_in_s=0.05))
    wait_until(lambda: line.read(64 + 8, 7)[6] > 60)
    line.write(101, ACK, 1)
    assert line.read(5, 4) == [2, 3, 1, 200]


def test_results_are_acknowledged_across_the_turn_of_the_ids(rig: Make, make_inspection: Make) -> None:
    line = rig(acknowledge=True)
    for id_ in (65_534, 65_535, 1, 2):
        line.output.publish(make_inspection(id_))
    line.write(101, ACK, 1)
    assert line.read(5) == [2]


def test_confirmed_rejects_belong_to_the_oldest_rejected_parts(
    rig: Make, make_inspection: Make, make_verdict: Make
) -> None:
    line = rig()
    for id_, result in ((1, Result.NG), (2, Result.OK), (3, Result.INVALID), (4, Result.NG)):
        line.output.publish(make_inspection(id_, make_verdict(result)))
    line.write(108, 2)
    line.write(108, 2)
    assert line.station.asked(RejectReport) == [RejectReport(SOURCE, id_, True, True) for id_ in (1, 3)]
    line.write(108, 0)  # a PLC that starts anew
    assert len(line.station.asked(RejectReport)) == 2
    line.write(108, 5)
    assert [c.id for c in line.station.asked(RejectReport)] == [1, 3, 4]


def test_several_edges_in_one_write_free_the_slot_before_the_trigger(rig: Make, make_inspection: Make) -> None:
    line = rig(acknowledge=True)
    line.output.publish(make_inspection(1))
    line.write(101, ENABLE | TRIGGER | ACK, 1)
    assert [type(c) for c in line.station.without_beats] == [Acknowledge, TriggerPart]
