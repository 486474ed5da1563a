"""What MQTT costs: verdicts, round trips, records and a backlog, over a real broker on loopback.

    python benchmarks/mqtt.py [--broker mosquitto|iotcore] [--seconds S] [--backlog N] [--outage S] [--json]

Broker, receiver and station are processes of their own on one machine, so that their clocks can be compared. Where
`mosquitto_sub` is installed it receives what is measured, since a receiver in Python takes processor time of its own.
Records are durable (SQLite, synchronous FULL) wherever a verdict is measured; inference is taken out.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import queue
import resource
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection
from operator import gt
from pathlib import Path
from typing import Any

import numpy as np
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from partsight.domain.inspection import Inspection, Timings
from partsight.domain.messages import Answer, Command, Reply, TriggerPart
from partsight.domain.status import Counters, Mode, StationState, StationStatus
from partsight.domain.trigger import Trigger, TriggerKind
from partsight.domain.uid import uuid7
from partsight.domain.verdict import Action, RecipeRef, Result, Verdict
from partsight.outputs.mqtt import MqttOutput, MqttSettings
from partsight.outputs.records import Durability, SqliteRecords
from partsight.station.clock import SystemClock
from partsight.testing.broker import IotcoreBroker, MosquittoBroker

PREFIX = "acme/plant1/packing/line3/vi"
CLOCK = SystemClock()
OK = Verdict(Result.OK, Action.PASS, (), RecipeRef("bench", 1, "0" * 64))


def inspection(records: SqliteRecords, part_id: int) -> Inspection:
    now = time.monotonic_ns()
    trigger = Trigger(
        records.reserve(1), part_id, records.epoch, TriggerKind.CALL, CLOCK.utc(), now, now + 2_000_000_000, "SN1"
    )
    records.latch(trigger)
    return Inspection(uuid7(), trigger, OK, (), Timings(verdict_ms=1.0), None)


class Sink:
    """A station without cameras: a trigger's part is judged at once, by another thread, as the real one does."""

    def __init__(self) -> None:
        self.triggers: queue.SimpleQueue[int | None] = queue.SimpleQueue()

    def command(self, command: Command) -> Reply:
        if isinstance(command, TriggerPart):
            self.triggers.put(command.id)
        return Reply(Answer.DONE)

    def status(self) -> StationStatus:
        return StationStatus(
            "bench", 1, StationState.RUNNING, True, Mode.PRODUCTION, CLOCK.utc().replace(microsecond=0), 0, Counters(),
            (), (), "bench@1", 1, "none", "none", 500.0,
        )  # fmt: skip

    def alive(self) -> bool:
        return True


# --- the receiver's process -------------------------------------------------------------------------


def nodelay(_client: Any, _userdata: Any, sock: Any) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def receive(port: int, pipe: Connection) -> None:
    """Notes when each verdict came and how many records; answers `report` and `trips N`."""
    verdicts: dict[int, int] = {}
    records: list[int] = []
    came = threading.Event()

    def on_message(_c: Any, _u: Any, message: paho.MQTTMessage) -> None:
        now = time.monotonic_ns()
        if message.topic.endswith("verdict"):
            verdicts[json.loads(message.payload)["id"]] = now
            came.set()
        else:
            records.append(now)

    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.on_socket_open = nodelay
    client.on_message = on_message
    ready = threading.Event()
    client.on_subscribe = lambda *_: ready.set()
    client.on_connect = lambda c, *_: c.subscribe([(f"{PREFIX}/verdict", 1), (f"{PREFIX}/result", 1)])
    client.connect("127.0.0.1", port)
    client.loop_start()
    ready.wait(10)
    pipe.send("ready")
    while (order := pipe.recv()) is not None:
        if order[0] == "report":
            pipe.send((dict(verdicts), list(records)))
            verdicts.clear()
            records.clear()
        elif order[0] == "only verdicts":
            client.unsubscribe(f"{PREFIX}/result")
            pipe.send(None)
        else:
            times = []
            for n in range(order[1]):
                came.clear()
                began = time.perf_counter()
                client.publish(f"{PREFIX}/plc/trig", b'{"id":%d}' % (n + 1), order[2])
                if came.wait(2):
                    times.append((time.perf_counter() - began) * 1e3)
                time.sleep(0.01)
            pipe.send(times)
    client.disconnect()
    client.loop_stop()


class Ear:
    """Notes when each verdict came: `mosquitto_sub`, or the receiver in Python where that is not installed."""

    def __init__(self, port: int, pipe: Connection, folder: Path) -> None:
        self._pipe = pipe
        self._file = folder / f"heard-{time.monotonic_ns()}"
        program = shutil.which("mosquitto_sub")
        self._process: subprocess.Popen[bytes] | None = None
        if program is not None:
            with self._file.open("wb") as out:
                command = [program, "-p", str(port), "-t", f"{PREFIX}/verdict", "-F", "%U %p"]
                self._process = subprocess.Popen(command, stdout=out)
            time.sleep(0.3)
        self._pipe.send(("report",))
        self._pipe.recv()

    def stop(self) -> dict[int, int]:
        """Nanoseconds since 1970 by the verdict's id."""
        time.sleep(0.2)
        if self._process is None:
            offset = time.time_ns() - time.monotonic_ns()
            self._pipe.send(("report",))
            return {part: at + offset for part, at in self._pipe.recv()[0].items()}
        self._process.terminate()
        self._process.wait()
        lines = [line.split(b" ", 1) for line in self._file.read_bytes().splitlines()]
        return {json.loads(payload)["id"]: int(at.replace(b".", b"")) for at, payload in lines}


# --- the trials --------------------------------------------------------------------------------------


def percentiles(times_ms: list[float]) -> dict[str, float]:
    p50, p99 = np.percentile(times_ms, (50, 99))
    return {"n": len(times_ms), "p50_ms": round(float(p50), 3), "p99_ms": round(float(p99), 3)}


def verdicts(
    output: MqttOutput, records: SqliteRecords, ear: Ear, more: Callable[[int], bool], *, rate_hz: float = 50.0
) -> dict[str, float]:
    """From 'decided' (before the record's commit) to the receiver, as long as `more(parts so far)`."""
    decided: dict[int, int] = {}
    while more(len(decided)):
        part = inspection(records, len(decided) % 65535 + 1)
        decided[part.trigger.id] = time.time_ns()
        records.commit(part)
        output.publish(part)
        time.sleep(1 / rate_hz)
    seen = ear.stop()
    return {**percentiles([(seen[n] - decided[n]) / 1e6 for n in decided if n in seen]), "sent": len(decided)}


def settle(records: SqliteRecords) -> None:
    """As after a station's first minutes: the database's log has its length, and is written over from then on."""
    for n in range(1100):
        records.commit(inspection(records, n + 1))
    records.maintain()


def sustained(output: MqttOutput, records: SqliteRecords, pipe: Connection, seconds: float) -> dict[str, float]:
    """500 records a second; the longest queue and what arrived."""
    count, backlog, began = int(500 * seconds), 0, time.monotonic()
    for n in range(count):
        records.commit(inspection(records, n % 65535 + 1))
        if n % 50 == 0:
            backlog = max(backlog, records.outbox_bounds()[1] - output.health().acked)
        time.sleep(max(0.0, began + (n + 1) / 500 - time.monotonic()))
    took = time.monotonic() - began
    wait(lambda: output.health().acked == records.outbox_bounds()[1], 30)
    pipe.send(("report",))
    _, arrived = pipe.recv()
    return {"records": count, "arrived": len(arrived), "rate_hz": round(count / took, 1), "largest_backlog": backlog}


def wait(condition: Callable[[], bool], timeout_s: float) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            raise SystemExit("a trial did not end in its time")
        time.sleep(0.005)


def fill(folder: Path, count: int) -> None:
    """A backlog, without waiting for the disk at each record: how it came to be is not what is measured."""
    with SqliteRecords.open(folder, durability=Durability.PROCESS, ballast_bytes=0) as records:
        for n in range(count):
            records.commit(inspection(records, n % 65535 + 1))
            if n % 1000 == 0:
                records.maintain()


def drain(port: int, folder: Path, pipe: Connection, count: int) -> dict[str, Any]:
    """How fast the backlog leaves, and what live verdicts take meanwhile.

    The records go to `mosquitto_sub` where it is installed: a receiver in Python would take half of the processors.
    """
    light = shutil.which("mosquitto_sub")
    pipe.send(("only verdicts",) if light else ("report",))
    pipe.recv()
    counted = folder / "received"
    with counted.open("wb") as out:
        command = ["-p", str(port), "-t", f"{PREFIX}/result", "-q", "1", "-F", "."]
        listener = subprocess.Popen([light, *command], stdout=out) if light else None
        time.sleep(0.5)
        found = _drain(port, folder, pipe, count)
    if listener is not None:
        wait(lambda: counted.stat().st_size // 2 >= count, 10)
        listener.terminate()
        listener.wait()
    return found


def _drain(port: int, folder: Path, pipe: Connection, count: int) -> dict[str, Any]:
    with SqliteRecords.open(folder, ballast_bytes=0) as records:
        records.maintain()
        ears = [Ear(port, pipe, folder)]
        output = start(port, records)
        began = time.monotonic()
        try:
            live = verdicts(output, records, ears[0], lambda _: output.health().acked < count)
            rate = output.health().acked / (time.monotonic() - began)
            wait(lambda: output.health().acked == records.outbox_bounds()[1], 30)
            ears.append(Ear(port, pipe, folder))
            after = verdicts(output, records, ears[1], lambda n: n < max(300, live["sent"]))
        finally:
            output.stop()
    slower = round(live["p99_ms"] / after["p99_ms"] - 1, 3)
    return {
        "backlog": count,
        "records_per_s": round(rate),
        "live_verdicts": live,
        "without_backlog": after,
        "p99_slower": slower,
    }


def outage(broker: Any, folder: Path, seconds: float) -> dict[str, Any]:
    """Resident memory of this process while the broker is away and 200 parts a second go on."""
    if seconds <= 0:
        return {}
    with SqliteRecords.open(folder, ballast_bytes=0) as records:
        output = start(broker.port, records)
        try:
            feed(output, records, 5)
            before = resident_mib()
            broker.stop()
            seen = [feed(output, records, seconds / 10) for _ in range(10)]
            health = output.health()
            broker.start()
            wait(lambda: output.health().acked == records.outbox_bounds()[1], 120)
            return {
                "parts": int(200 * seconds),
                "resident_mib": {"before": before, "each_tenth": seen, "after_it_healed": resident_mib()},
                "verdicts_expired": health.verdicts_expired,
                "verdicts_refused": health.verdicts_refused,
            }
        finally:
            output.stop()


def feed(output: MqttOutput, records: SqliteRecords, seconds: float) -> float:
    """200 parts a second for so long; resident MiB at the end."""
    began = time.monotonic()
    for n in range(int(200 * seconds)):
        part = inspection(records, n % 65535 + 1)
        records.commit(part)
        output.publish(part)
        time.sleep(max(0.0, began + (n + 1) / 200 - time.monotonic()))
    records.maintain()
    return resident_mib()


def resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return round(pages * resource.getpagesize() / 2**20, 1)


def start(port: int, records: SqliteRecords) -> MqttOutput:
    settings = MqttSettings(host="127.0.0.1", port=port, prefix=PREFIX, client_id="bench")
    output = MqttOutput(settings, "bench", records, CLOCK)
    sink = Sink()
    output.attach(sink)
    output.start()
    wait(lambda: output.health().connected, 10)

    def judge() -> None:
        while (part_id := sink.triggers.get()) is not None:
            part = inspection(records, part_id)
            records.commit(part)
            output.publish(replace(part))

    threading.Thread(target=judge, daemon=True).start()
    return output


def run(kind: str, seconds: float, backlog: int, outage_s: float) -> dict[str, Any]:
    results: dict[str, Any] = {"broker": kind}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make = MosquittoBroker if kind == "mosquitto" else IotcoreBroker
        fill(folder / "backlog", backlog)
        with make(folder / "broker") as broker:
            spawn = multiprocessing.get_context("spawn")
            ours, theirs = spawn.Pipe()
            receiver = spawn.Process(target=receive, args=(broker.port, theirs))
            receiver.start()
            ours.recv()
            with SqliteRecords.open(folder / "data", ballast_bytes=0) as records:
                settle(records)
                output = start(broker.port, records)
                wait(lambda: output.health().acked == records.outbox_bounds()[1], 30)
                for rate_hz in (50, 200):
                    ear, enough = Ear(broker.port, ours, folder), rate_hz * seconds
                    found = verdicts(output, records, ear, partial(gt, enough), rate_hz=rate_hz)
                    results[f"verdict_to_subscriber at {rate_hz}/s"] = found
                for qos in (0, 1):
                    ours.send(("trips", int(40 * seconds), qos))
                    results[f"trigger_qos{qos}_to_verdict"] = percentiles(ours.recv())
                ours.send(("report",))
                ours.recv()
                results["sustained"] = sustained(output, records, ours, seconds)
                output.stop()
            results["drain"] = drain(broker.port, folder / "backlog", ours, backlog)
            ours.send(None)
            receiver.join(10)
            results["outage"] = outage(broker, folder / "outage", outage_s)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--broker", choices=("mosquitto", "iotcore"), default="mosquitto")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each trial")
    parser.add_argument("--backlog", type=int, default=100_000)
    parser.add_argument("--outage", type=float, default=0.0, help="seconds without a broker, 0 for no such trial")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = run(options.broker, options.seconds, options.backlog, options.outage)
    if options.json:
        print(json.dumps(results))
        return
    for what, found in results.items():
        print(f"{what:26} {found}")


if __name__ == "__main__":
    main()
