"""The server beside other processes: a hammering reader, taken ports, strangers."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from pymodbus.client import ModbusTcpClient

from partsight.domain.verdict import Result
from partsight.outputs.modbus import ModbusOutput, ModbusSettings
from partsight.outputs.modbus.settings import address_of

Make = Callable[..., Any]
LAST = 3000


def test_a_reader_that_hammers_never_sees_a_torn_result(
    rig: Make, make_inspection: Make, make_verdict: Make, wait_until: Make
) -> None:
    """In another process; with 3,000 results published as fast as it reads."""
    line = rig()
    command = [sys.executable, str(Path(__file__).parent / "reader.py"), str(line.output.port), str(LAST)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as reader:
        wait_until(lambda: line.output.health().connections == 2, what="the reader is connected")
        for id_ in range(1, LAST + 1):
            decided = make_verdict(Result.NG, code=1000 + id_ % 6) if id_ % 3 == 0 else make_verdict()
            if id_ % 3 == 0:
                decided = type(decided)(decided.result, decided.action, decided.findings[:1], decided.recipe)
            asked = line.output.health().requests
            line.output.publish(make_inspection(id_, decided, part=str(id_), encoder=id_ * 65_537))
            if id_ % 3 == 0:  # let the reader come between, and fall behind
                wait_until(lambda asked=asked: line.output.health().requests > asked)
        out, _ = reader.communicate(timeout=25)
    report = json.loads(out)
    assert report["torn"] == []
    assert report["reads"] >= LAST / 16
    assert report["toggles"] > 100
    assert report["seen"] >= LAST / 2


def test_publishing_never_waits_for_a_reader(rig: Make, make_inspection: Make) -> None:
    """Rule_5: a PLC that asked and does not read its answers holds up nothing."""
    line = rig()
    with socket.create_connection(("127.0.0.1", line.output.port), timeout=5) as lazy:
        lazy.sendall(b"\x00\x01\x00\x00\x00\x06\x01\x03\x00\x00\x00\x1c" * 150)
        done = threading.Event()

        def publish() -> None:
            for id_ in range(1, 2001):
                line.output.publish(make_inspection(id_))
            done.set()

        thread = threading.Thread(target=publish)
        thread.start()
        thread.join(10)
        assert done.is_set()
    assert line.read(5) == [2000]


def test_strangers_are_hung_up_on_counted_and_audited_once(rig: Make, wait_until: Make) -> None:
    line = rig(peers=["127.0.0.1"])
    for _ in range(3):
        with socket.socket() as stranger:
            stranger.bind(("127.0.0.2", 0))
            stranger.settimeout(5)
            stranger.connect(("127.0.0.1", line.output.port))
            stranger.sendall(b"\x00\x01\x00\x00\x00\x06\x01\x06\x00\x65\x00\x03")
            with suppress(ConnectionResetError):
                assert stranger.recv(100) == b""
    wait_until(lambda: line.output.health().refused == 3)
    line.settle()
    assert line.audited == [("modbus/127.0.0.2", "connection refused: its address is not in modbus.peers")]
    assert line.station.without_beats == []
    assert line.read(0) == [1]


def test_more_connections_than_allowed_are_refused(rig: Make, wait_until: Make) -> None:
    line = rig(connections=2)
    with socket.create_connection(("127.0.0.1", line.output.port), timeout=5):
        wait_until(lambda: line.output.health().connections == 2)
        third = socket.create_connection(("127.0.0.1", line.output.port), timeout=5)
        with third, suppress(ConnectionResetError):
            assert third.recv(1) == b""
    wait_until(lambda: line.output.health().connections == 1, what="a place is free again")
    line.settle()
    assert "modbus.connections" in line.audited[0][1]


def test_a_taken_port_is_a_fault_that_heals(wait_until: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("partsight.outputs.modbus.output.RETRY_S", 0.05)
    faults: list[str] = []
    cleared: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as other:
        output = ModbusOutput(
            ModbusSettings(enabled=True, port=other.getsockname()[1]),
            on_fault=lambda key, text, cure: faults.append(f"{key}: {text}; {cure}"),
            on_clear=cleared.append,
        )
        output.start()
        assert "cannot listen at 127.0.0.1" in faults[0]
        assert output.health().problem
        assert output.port == 0
    wait_until(lambda: output.port, what="it listens once the port is free")
    assert cleared == ["modbus"]
    assert not output.health().problem
    assert len(faults) == 1
    assert output.stop(5)


def test_stop_hangs_up_and_can_be_asked_before_start(rig: Make) -> None:
    line = rig()
    assert line.read(0) == [1]
    assert line.output.stop(5)
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", line.client.comm_params.port), timeout=5)
    assert ModbusOutput(ModbusSettings()).stop(1)


def test_without_a_station_nothing_is_online(wait_until: Make) -> None:
    output = ModbusOutput(ModbusSettings(enabled=True, port=0))
    output.start()
    client = ModbusTcpClient("127.0.0.1", port=output.port, timeout=5, retries=0)
    assert client.connect()
    assert client.read_holding_registers(0, count=4).registers[:2] == [1, 0]
    assert client.read_holding_registers(2, count=1).registers[0] & 0b11 == 0
    assert not client.write_registers(100, [1, 3, 0]).isError()  # nobody carries it out, and no id is given
    assert client.read_holding_registers(4, count=1).registers == [0]
    client.close()
    assert output.stop(5)


def test_a_station_that_raises_is_a_fault_and_not_a_silent_server(
    rig: Make, make_station: Make, wait_until: Make
) -> None:
    station = make_station()
    line = rig(station)

    def broken() -> Any:
        raise ZeroDivisionError("status")

    station.status = broken
    with socket.create_connection(("127.0.0.1", line.output.port), timeout=5) as plc:
        plc.sendall(b"\x00\x01\x00\x00\x00\x06\x01\x03\x00\x00\x00\x02")
        with suppress(ConnectionResetError):
            assert plc.recv(100) == b""
    wait_until(lambda: line.faults)
    assert "ZeroDivisionError" in line.faults[0][1]


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"interface": "0.0.0.0", "peers": ["10.0.0.1"]}, "every network"),
        ({"interface": "::", "peers": ["10.0.0.1"]}, "every network"),
        ({"interface": "10.0.0.7"}, "peers is empty"),
        ({"interface": "eth1"}, "peers is empty"),
        ({"peers": ["plc.local"]}, "neither an address nor a network"),
        ({"peers": ["10.0.0.1/24"]}, "neither an address nor a network"),
        ({"commands": ["bypass"]}, "commands"),
        ({"prot": 502}, "prot"),
    ],
)
def test_settings_that_open_too_much_or_make_no_sense_are_refused(settings: dict[str, Any], word: str) -> None:
    with pytest.raises(ValidationError, match=word):
        ModbusSettings.model_validate(settings)


def test_it_is_off_by_default_and_allows_this_machine_only() -> None:
    settings = ModbusSettings()
    assert not settings.enabled
    assert settings.allows("127.0.0.1")
    assert settings.allows("::ffff:127.0.0.1")
    assert not settings.allows("10.0.3.1")
    assert not settings.allows("unknown")


def test_peers_are_addresses_or_networks() -> None:
    settings = ModbusSettings(interface="10.0.3.2", peers=("10.0.3.16/28", "fe80::1"))
    assert settings.allows("10.0.3.17")
    assert settings.allows("::ffff:10.0.3.17")
    assert settings.allows("fe80::1%eth0")
    assert not settings.allows("10.0.3.32")
    assert not settings.allows("127.0.0.1")


def test_an_interface_is_found_by_its_name() -> None:
    assert address_of("lo") == "127.0.0.1"
    with pytest.raises(OSError, match="No such device"):
        address_of("no-such-one")
