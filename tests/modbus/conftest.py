"""A Modbus server with a station that remembers what it was told, and a client that speaks pymodbus."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any
from uuid import UUID

import pytest
from pymodbus.client import ModbusTcpClient

from partsight.domain.inspection import Inspection, Timings
from partsight.domain.messages import Answer, Command, PlcHeartbeat, Reply, TriggerPart
from partsight.domain.status import Counters, Mode, StationState, StationStatus
from partsight.domain.trigger import Trigger, TriggerKind
from partsight.domain.verdict import Action, Finding, RecipeRef, Result, Verdict
from partsight.outputs.modbus import ModbusOutput, ModbusSettings

RECIPE = RecipeRef("pcb", 3, "b" * 64)
START = datetime(2026, 1, 1, tzinfo=timezone.utc)


@dataclass
class RecordingStation:
    """A CommandSink that answers as a test says."""

    state: StationStatus
    commands: list[Command] = field(default_factory=list)
    lives: bool = True
    reply: Reply = field(default_factory=lambda: Reply(Answer.DONE))
    next_id: int = 1

    def command(self, command: Command) -> Reply:
        self.commands.append(command)
        if isinstance(command, TriggerPart) and self.reply.ok:
            given = self.next_id
            self.next_id += 1
            return Reply(Answer.DONE, data={"id": given, "sequence": given})
        return self.reply

    def status(self) -> StationStatus:
        return self.state

    def alive(self) -> bool:
        return self.lives

    def asked(self, kind: type[Command]) -> list[Any]:
        return [c for c in list(self.commands) if isinstance(c, kind)]

    @property
    def without_beats(self) -> list[Command]:
        return [c for c in list(self.commands) if not isinstance(c, PlcHeartbeat)]


def status(**changes: Any) -> StationStatus:
    running = StationStatus(
        name="s",
        epoch=0x1_0005,
        state=StationState.RUNNING,
        ready=True,
        mode=Mode.PRODUCTION,
        since=START,
        last_id=0,
        counters=Counters(triggers=70_000, ok=66_000, ng=3_000, review=400, invalid=600),
        faults=(),
        cameras=(),
        recipe="pcb@3",
        recipe_id=14,
        model="pcb 0123456789ab",
        backend="onnx fp32",
        deadline_ms=300.0,
    )
    return replace(running, **changes)


def verdict(result: Result = Result.OK, action: Action | None = None, code: int = 1003) -> Verdict:
    findings = () if result is Result.OK else (Finding(code, "why"), Finding(1001, "more"), Finding(4, "frozen"))
    action = action if action is not None else (Action.PASS if result is Result.OK else Action.REJECT)
    return Verdict(result, action, findings, RECIPE)


def inspection(
    id_: int,
    decided: Verdict | None = None,
    *,
    part: str = "",
    encoder: int | None = None,
    deadline_in_s: float = 60.0,
    **more: Any,
) -> Inspection:
    now = time.monotonic_ns()
    trigger = Trigger(
        sequence=id_,
        id=id_,
        epoch=5,
        kind=TriggerKind.CALL,
        at=START,
        at_ns=now,
        deadline_ns=now + int(deadline_in_s * 1e9),
        part_id=part,
        encoder=encoder,
    )
    timings = Timings(verdict_ms=41.26)
    return Inspection(UUID(int=id_), trigger, decided or verdict(), (), timings, None, **more)


@dataclass
class Rig:
    """A server, its station, and one client."""

    output: ModbusOutput
    station: RecordingStation
    client: ModbusTcpClient
    audited: list[tuple[str, str]]
    faults: list[tuple[str, str, str]]

    def read(self, address: int, count: int = 1) -> list[int]:
        answer = self.client.read_holding_registers(address, count=count)
        assert not answer.isError(), answer
        return list(answer.registers)

    def write(self, address: int, *values: int) -> None:
        answer = self.client.write_registers(address, list(values))
        assert not answer.isError(), answer
        self.settle()

    def settle(self) -> None:
        """Until nothing waits to be carried out or written."""
        end = time.monotonic() + 5
        while self.output.health().commands_waiting:
            assert time.monotonic() < end, "a command does not end"
            time.sleep(0.001)

    def pulse(self, bits: int) -> None:
        """A rising and a falling edge."""
        self.write(101, bits)
        self.write(101, 0)

    def bit(self, number: int) -> bool:
        return bool(self.read(2)[0] >> number & 1)


@pytest.fixture
def rig() -> Iterator[Callable[..., Rig]]:
    """`rig(**settings)`: a running server on a free loopback port."""
    running: list[Rig] = []

    def make(
        sink: RecordingStation | None = None,
        *,
        acknowledge: bool = False,
        audit: Callable[[str, str], None] | None = None,
        **settings: Any,
    ) -> Rig:
        audited: list[tuple[str, str]] = []
        faults: list[tuple[str, str, str]] = []
        output = ModbusOutput(
            ModbusSettings(enabled=True, port=0, **settings),
            acknowledge=acknowledge,
            configuration="c" * 64,
            audit=audit or (lambda source, what: audited.append((source, what))),
            on_fault=lambda key, text, cure: faults.append((key, text, cure)),
        )
        station = sink or RecordingStation(status())
        output.attach(station)
        output.start()
        client = ModbusTcpClient("127.0.0.1", port=output.port, timeout=5, retries=0)
        assert client.connect()
        running.append(Rig(output, station, client, audited, faults))
        return running[-1]

    yield make
    for one in running:
        one.client.close()
        assert one.output.stop(5.0), "the modbus thread did not end"


@pytest.fixture
def make_inspection() -> Callable[..., Inspection]:
    return inspection


@pytest.fixture
def make_verdict() -> Callable[..., Verdict]:
    return verdict


@pytest.fixture
def make_status() -> Callable[..., StationStatus]:
    return status


@pytest.fixture
def make_station() -> Callable[..., RecordingStation]:
    return lambda **changes: RecordingStation(status(**changes))
