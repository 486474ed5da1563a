"""How long a PLC waits for a read of Modbus registers, and for a trigger's id; server and client in two processes.

    python benchmarks/modbus.py [--seconds S] [--json FILE]

The station behind the server is a stub that answers at once, so that the figures are the server's alone; its status
is asked anew every 5 ms, as always. Results are published beside the reads, 20 a second.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
from collections.abc import Callable
from datetime import datetime, timezone
from multiprocessing.connection import Connection
from pathlib import Path
from uuid import UUID

from pymodbus.client import ModbusTcpClient

from partsight.domain.inspection import Inspection, Timings
from partsight.domain.messages import Answer, Command, Reply
from partsight.domain.status import Counters, Mode, StationState, StationStatus
from partsight.domain.trigger import Trigger, TriggerKind
from partsight.domain.verdict import Action, RecipeRef, Result, Verdict
from partsight.outputs.modbus import ModbusOutput, ModbusSettings

BAR_MS = 0.5
PUBLISH_HZ = 20.0


class Stub:
    """A station that is always ready."""

    def __init__(self) -> None:
        now = datetime.now(timezone.utc)
        counters = Counters(1000, 900, 50, 20, 30)
        self._status = StationStatus(
            *("s", 1, StationState.RUNNING, True, Mode.PRODUCTION, now, 1, counters, (), (), "pcb@1", 1),
            *("pcb 0123456789ab", "onnx fp32", 300.0),
        )

    def command(self, command: Command) -> Reply:
        return Reply(Answer.DONE, data={"id": 1})

    def status(self) -> StationStatus:
        return self._status

    def alive(self) -> bool:
        return True


def inspection(number: int) -> Inspection:
    now = time.monotonic_ns()
    at = datetime.now(timezone.utc)
    trigger = Trigger(number, number % 65535 + 1, 1, TriggerKind.CALL, at, now, now + 10**9, str(number), number)
    verdict = Verdict(Result.OK, Action.PASS, (), RecipeRef("pcb", 1, "b" * 64))
    return Inspection(UUID(int=number), trigger, verdict, (), Timings(verdict_ms=40.0), None)


def serve(pipe: Connection) -> None:
    output = ModbusOutput(ModbusSettings(enabled=True, port=0))
    output.attach(Stub())
    output.start()
    pipe.send(output.port)
    number = 0
    while not pipe.poll(1 / PUBLISH_HZ):
        number += 1
        output.publish(inspection(number))
    output.stop()


def measure(work: Callable[[], object], seconds: float) -> dict[str, float]:
    """Milliseconds; one after the other, as a PLC's master asks."""
    for _ in range(50):
        work()
    took = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        begin = time.perf_counter()
        work()
        took.append((time.perf_counter() - begin) * 1e3)
    took.sort()
    return {
        "p50_ms": round(took[len(took) // 2], 3),
        "p99_ms": round(took[int(len(took) * 0.99)], 3),
        "per_s": round(len(took) / seconds),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0, help="for each figure")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there,))
    server.start()
    client = ModbusTcpClient("127.0.0.1", port=here.recv(), timeout=2, retries=0)
    client.connect()

    def trigger() -> None:
        client.write_registers(101, [3])
        client.read_holding_registers(2, count=3)
        client.write_registers(101, [1])

    report = {
        "read 32 registers (ring)": measure(lambda: client.read_holding_registers(64, count=32), arguments.seconds),
        "read 28 registers (status, result)": measure(
            lambda: client.read_holding_registers(0, count=28), arguments.seconds
        ),
        "trigger, its id, bit back": measure(trigger, arguments.seconds),
    }
    client.close()
    here.send("stop")
    server.join(10)
    for name, figures in report.items():
        print(f"{name:36} p50 {figures['p50_ms']:7.3f} ms   p99 {figures['p99_ms']:7.3f} ms   {figures['per_s']:6}/s")
    good = report["read 32 registers (ring)"]["p50_ms"] <= BAR_MS
    print(f"bar: 32 registers p50 at most {BAR_MS} ms: {'kept' if good else 'MISSED'}")
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=2) + "\n")
    raise SystemExit(0 if good else 1)


if __name__ == "__main__":
    main()
