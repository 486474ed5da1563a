"""A real station in a process of its own, with the simulated camera and a detector that sees what is there.

Arguments: data folder, `mqtt` or `modbus`, port. Ends by signal; prints a line when it runs.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from partsight.domain.detections import Detections
from partsight.domain.frame import Frame
from partsight.domain.trigger import TriggerKind
from partsight.outputs.modbus import ModbusOutput, ModbusSettings
from partsight.outputs.mqtt import MqttOutput, MqttSettings
from partsight.outputs.records import SqliteRecords
from partsight.station.clock import SystemClock
from partsight.station.judge import Judge
from partsight.station.line_rules import LineRules
from partsight.station.station import Station, StationPlan
from partsight.testing.line_in_a_box import ToldDetector, camera, presence_recipe, truthful

PREFIX = "plant/area/line1/station1/vi"
DETECT_S = 0.015
DEADLINE_MS = 240.0


def slowly(frame: Frame) -> Detections:
    """The truth, after the time that a small model takes."""
    time.sleep(DETECT_S)
    return truthful(frame)


def main(folder: Path, wire: str, port: int) -> None:
    records = SqliteRecords.open(folder, ballast_bytes=0)
    output: Any
    if wire == "mqtt":
        settings = MqttSettings(port=port, host="127.0.0.1", prefix=PREFIX, client_id="station1")
        output = MqttOutput(settings, "station1", records, SystemClock())
    else:
        output = ModbusOutput(ModbusSettings(enabled=True, port=port), acknowledge=True)
    looking = camera(width=160, height=160, defect_rate=0.1, empty_rate=0.02, seed=11)
    plan = StationPlan(
        name="station1",
        epoch=records.epoch,
        cameras={"top": looking},
        frame_timeouts_ms={"top": 200.0},
        trigger=TriggerKind.CALL,
        period_ms=100.0,
        queue=8,
        deadline_ms=DEADLINE_MS,
        stuck_after=1000,
        # The stop rules have tests of their own; here the line must not stop for a run of bad parts.
        rules=LineRules(rejects_in_a_row=0, reject_share=0.0, acknowledge=wire == "modbus"),
    )
    station = Station(
        plan,
        Judge(ToldDetector(slowly), presence_recipe()),
        records,
        SystemClock(),
        outputs=[output],
        tell=output.tell,
        fatal=lambda status, _why: os._exit(status),
    )
    output.attach(station)
    output.start()
    station.start()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    print("runs", flush=True)
    stop.wait()
    station.stop()
    output.stop(5.0)
    records.close()


main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
