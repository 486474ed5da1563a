"""A real station in its own process, on a real wire."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from partsight.testing.broker import MosquittoBroker, free_port
from partsight.testing.plc import Link
from partsight.testing.plc.modbus import ModbusLink
from partsight.testing.plc.mqtt import MqttLink

PREFIX = "plant/area/line1/station1/vi"
SOURCE = Path(__file__).parents[2] / "inspect"


class StationProcess:
    """A real station; `kill` is a power cut."""

    def __init__(self, folder: Path, wire: str, port: int) -> None:
        self.data = folder / "data"
        self.port = port
        self._arguments = [str(self.data), wire, str(port)]
        self._log = folder / "station.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = str(Path(__file__).parent / "station_process.py")
        environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, program, *self._arguments], stdout=log, stderr=log, env=environment
            )

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            assert self._process.wait(15) == 0, self._log.read_text()[-3000:]
            self._process = None

    @property
    def said(self) -> str:
        return self._log.read_text()


@contextmanager
def open_line(folder: Path, wire: str) -> Iterator[tuple[StationProcess, MosquittoBroker | None, Link]]:
    """A station over a wire, and the controller's link to it."""
    port = free_port()
    broker = MosquittoBroker(folder / "broker", port=port) if wire == "mqtt" else None
    station = StationProcess(folder, wire, port)
    link: Link = MqttLink("127.0.0.1", port, PREFIX) if broker else ModbusLink("127.0.0.1", port)
    if broker is not None:
        broker.start()
    try:
        station.start()
        link.open(30)
        yield station, broker, link
    finally:
        link.close()
        station.kill()
        if broker is not None:
            broker.stop()


Open = Callable[[Path, str], AbstractContextManager[tuple[StationProcess, MosquittoBroker | None, Link]]]


@pytest.fixture
def line() -> Open:
    """`with line(folder, "mqtt" or "modbus") as (station, broker, link)`."""
    return open_line
