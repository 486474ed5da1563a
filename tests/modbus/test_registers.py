"""The register map as a PLC sees it, over a real connection."""

from __future__ import annotations

import binascii
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from partsight.domain.messages import Exposed, Latched, Missed
from partsight.domain.status import Mode, StationState
from partsight.domain.verdict import Action, Result

Make = Callable[..., Any]


def test_the_first_registers_say_what_the_station_is(rig: Make) -> None:
    line = rig()
    words = line.read(0, 28)
    assert words[0] == 1
    assert words[3] == 6  # EXECUTE in PackTags
    assert words[5] == 0  # no result: id 0 is none
    assert words[16] == 14
    assert words[17] == binascii.crc_hqx(b"pcb 0123456789ab", 0xFFFF)
    assert words[18] == binascii.crc_hqx(b"c" * 64, 0xFFFF)
    assert words[19] == 5  # low word of epoch 0x10005
    assert words[20:22] == [1, 70_000 - 65_536]  # high word first
    assert words[22:24] == [1, 66_000 - 65_536]
    assert words[24:26] == [0, 3_000]
    assert words[26:28] == [0, 1_000]  # REVIEW and INVALID together


@pytest.mark.parametrize(
    ("changes", "bit"),
    [
        ({}, 0),
        ({}, 1),
        ({"overrun": True}, 7),
        ({"state": StationState.ERROR}, 8),
        ({}, 9),
        ({"line_stop": True}, 10),
        ({"challenge_due": True}, 11),
        ({"mode": Mode.BYPASS}, 12),
        ({"mode": Mode.SIMULATION}, 13),
        ({}, 14),
    ],
)
def test_each_status_bit_is_in_its_place(
    rig: Make, make_station: Make, make_status: Make, changes: dict[str, Any], bit: int
) -> None:
    line = rig(make_station(**changes))
    assert line.bit(bit)
    if changes:
        line.station.state = make_status()
        # The map is never older than a scan of a quick PLC.
        for _ in range(1000):
            if not line.bit(bit):
                return
        pytest.fail(f"bit {bit} stays set")


def test_a_station_that_is_not_running_is_not_ready(rig: Make, make_station: Make) -> None:
    line = rig(make_station(state=StationState.HELD, ready=False))
    assert not line.bit(1)
    assert line.read(3) == [11]


def test_a_dead_station_is_neither_online_nor_ready_and_its_heartbeat_stands(rig: Make, wait_until: Make) -> None:
    line = rig()
    first = line.read(1)[0]
    wait_until(lambda: line.read(1)[0] >= first + 3, what="the heartbeat counts")
    line.station.lives = False
    wait_until(lambda: not line.bit(0) and not line.bit(1))
    stood = line.read(1)[0]
    requests = line.output.health().requests
    wait_until(lambda: line.read(0) and line.output.health().requests > requests + 200)
    assert line.read(1)[0] <= stood + 1  # one beat may have been on its way
    line.station.lives = True
    wait_until(lambda: line.read(1)[0] > stood + 2, what="the heartbeat goes on")


@pytest.mark.parametrize(
    ("decided", "expected"),
    [
        ((Result.OK, Action.PASS), [1, 0, 0, 0]),
        ((Result.NG, Action.REJECT), [2, 1, 1003, 2]),
        ((Result.REVIEW, Action.HOLD), [3, 2, 1003, 2]),
        ((Result.INVALID, Action.REJECT), [3, 1, 1003, 2]),
    ],
)
def test_a_result_is_shown_word_for_word(
    rig: Make, make_inspection: Make, make_verdict: Make, decided: tuple[Result, Action], expected: list[int]
) -> None:
    line = rig()
    before = line.bit(6)
    line.output.publish(make_inspection(77, make_verdict(*decided), part="70001", encoder=0x1_0002_0003))
    words = line.read(0, 16)
    assert words[5] == 77
    assert words[6:10] == expected
    assert words[10:12] == [1, 70_001 - 65_536]
    assert words[12:14] == [2, 3]  # the encoder's low 32 bits, high word first
    assert words[14] == 412
    assert bool(words[2] >> 5 & 1)
    assert bool(words[2] >> 6 & 1) is not before
    ring = line.read(64, 8)
    assert ring[:6] == [77, *expected[:3], 2, 3]
    assert ring[6] < 5000


def test_bypass_passes_and_tells_the_true_result(rig: Make, make_inspection: Make, make_verdict: Make) -> None:
    line = rig()
    line.output.publish(make_inspection(5, make_verdict(Result.NG), mode=Mode.BYPASS))
    assert line.read(5, 4) == [5, 2, 0, 1003]
    assert line.read(64, 8)[7] & 8


def test_a_part_without_a_number_or_encoder_shows_zero(rig: Make, make_inspection: Make) -> None:
    line = rig()
    for part in ("SN-12", "", "99999999999", "٣"):
        line.output.publish(make_inspection(9, part=part))
        assert line.read(10, 4) == [0, 0, 0, 0]


def test_no_pass_is_shown_after_its_deadline(rig: Make, make_inspection: Make, make_verdict: Make) -> None:
    """rule_3 of the line's contract: a late pass becomes a reject, whoever was slow."""
    line = rig()
    line.output.publish(make_inspection(4, deadline_in_s=-0.001))
    assert line.read(5, 4) == [4, 3, 1, 200]
    assert line.read(64, 8)[3] == 200
    assert line.output.health().late == 1
    line.output.publish(make_inspection(5, make_verdict(Result.NG), deadline_in_s=-0.001))
    assert line.read(5, 4) == [5, 2, 1, 1003]


def test_the_ring_keeps_the_last_eight_in_their_slots(rig: Make, make_inspection: Make) -> None:
    line = rig()
    for id_ in range(1, 12):
        line.output.publish(make_inspection(id_))
    ring = line.read(64, 64)
    assert [ring[slot * 8] for slot in range(8)] == [9, 10, 11, 4, 5, 6, 7, 8]
    assert line.read(5) == [11]
    assert not line.bit(7)


def test_the_parts_steps_are_shown(rig: Make, make_inspection: Make) -> None:
    line = rig()
    trigger = make_inspection(31).trigger
    line.output.tell(Latched(trigger))
    assert line.read(4) == [31]
    assert not line.bit(3)
    line.output.tell(Exposed(make_inspection(30).trigger))
    assert not line.bit(3)  # an older part's news
    line.output.tell(Exposed(trigger))
    assert line.bit(3)
    line.output.tell(Missed(make_inspection(32).trigger, "held"))
    assert line.read(4) == [32]
    assert not line.bit(2)
    assert not line.bit(3)


def test_registers_that_are_not_in_the_map_are_an_illegal_address(rig: Make) -> None:
    line = rig()
    for address, count in ((28, 1), (27, 2), (40, 4), (63, 1), (63, 2), (128, 1), (120, 10), (1000, 1), (65535, 1)):
        assert line.client.read_holding_registers(address, count=count).exception_code == 2, address
    for address, count in ((0, 1), (99, 1), (110, 1), (99, 3), (109, 2), (64, 1)):
        assert line.client.write_registers(address, [1] * count).exception_code == 2, address
    assert line.client.write_register(2, 0).exception_code == 2
    assert line.client.read_input_registers(0, count=1).exception_code == 2
    assert line.client.read_coils(0, count=1).exception_code == 1
    assert line.client.write_coil(101, True).exception_code == 1
    assert line.station.without_beats == []


def test_what_the_plc_wrote_can_be_read_back(rig: Make) -> None:
    """By function 4: by function 3 the ring lies at the same addresses."""
    line = rig()
    line.write(103, 7, 1, 2, 3, 4, 5, 600)
    assert line.client.read_input_registers(100, count=10).registers == [0, 0, 0, 7, 1, 2, 3, 4, 5, 600]
    assert line.output.line_speed_mm_s == 600
    assert line.client.mask_write_register(address=103, and_mask=0xFFF7, or_mask=8).registers == []
    assert line.client.read_input_registers(103, count=1).registers == [15]
    both = line.client.readwrite_registers(read_address=0, read_count=1, write_address=109, values=[450])
    assert both.registers == [1]
    assert line.output.line_speed_mm_s == 450


def request(number: int, *body: int) -> bytes:
    """A Modbus TCP request of unit 1."""
    return struct.pack(">HHHB", number, 0, len(body) + 1, 1) + bytes(body)


def answers(connection: socket.socket, count: int) -> list[bytes]:
    data = bytearray()
    found: list[bytes] = []
    while len(found) < count:
        data += connection.recv(4096)
        while len(data) >= 6 and len(data) >= 6 + int.from_bytes(data[4:6], "big"):
            size = 6 + int.from_bytes(data[4:6], "big")
            found.append(bytes(data[:size]))
            del data[:size]
    return found


def test_requests_in_one_packet_are_all_answered_in_order(rig: Make) -> None:
    line = rig()
    with socket.create_connection(("127.0.0.1", line.output.port), timeout=5) as plc:
        one = request(7, 16, 0, 104, 0, 2, 4, 0, 0, 0, 9)
        two = request(8, 6, 0, 101, 0, 3)
        three = request(9, 3, 0, 4, 0, 1)
        plc.sendall(one + two + three[:5])
        plc.sendall(three[5:])
        got = answers(plc, 3)
    assert [int.from_bytes(a[:2], "big") for a in got] == [7, 8, 9]
    assert got[2][-2:] == b"\x00\x01"  # the trigger's id
    assert line.station.commands[-1].part_id == "9"


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\nHost: plc\r\n\r\n",
        b"\x00" * 64,
        struct.pack(">HHHB", 1, 0, 60_000, 1) + b"\x03",
        b"\xff" * 4096,
    ],
)
def test_what_is_not_modbus_is_hung_up_on(rig: Make, wait_until: Make, garbage: bytes) -> None:
    line = rig()
    with socket.create_connection(("127.0.0.1", line.output.port), timeout=5) as stranger:
        stranger.sendall(garbage)
        with suppress(ConnectionResetError):  # hung up with bytes of ours unread
            assert stranger.recv(100) == b""
    wait_until(lambda: line.output.health().garbage == 1)
    assert line.read(0) == [1]  # the PLC beside it noticed nothing
    assert line.station.without_beats == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ((3, 0, 0, 0, 0), 3),  # no register at all
        ((3, 0, 0, 0, 126), 3),
        ((3, 0), 3),
        ((16, 0, 100, 0, 2, 4, 0, 1), 3),  # says four bytes, brings two
        ((43, 14, 1, 0), 1),
        ((8, 0, 0, 1, 1), 1),
        ((131, 2), 1),
    ],
)
def test_requests_that_make_no_sense_are_answered_so(rig: Make, body: tuple[int, ...], code: int) -> None:
    line = rig()
    with socket.create_connection(("127.0.0.1", line.output.port), timeout=5) as plc:
        plc.sendall(request(3, *body))
        answer = answers(plc, 1)[0]
    assert answer[7] & 0x80
    assert answer[8] == code
    assert line.station.without_beats == []
    assert not line.faults
