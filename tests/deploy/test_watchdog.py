"""The real daemon under a pretend systemd: a line without parts is left alone, a stuck detector is not.

That the parts which a killed process leaves open become INVALID is proven in tests/station (rule_1).
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.deploy.machine import DEPLOY
from tests.station.kill_run import environment, write_station

from partsight.outputs.records.latch import read_latch

WATCHDOG_S = 2.0
LIMIT_S = 40.0
EXIT_STUCK = 70

PLUG_IN = """\
import ctypes, os, threading
from partsight.detectors.onnx import OnnxDetector

class Hanging(OnnxDetector):
    def detect(self, frames):
        if os.path.exists(os.environ["HANG"]):
            # A driver that never comes back, with or without Python's lock in its hand.
            ctypes.PyDLL(None).pause() if os.environ["HOW"] == "locked" else threading.Event().wait()
        return super().detect(frames)
"""


@dataclass
class Unit:
    """A daemon as systemd starts it: Type=notify, WatchdogSec=2."""

    process: subprocess.Popen[bytes]
    channel: socket.socket
    hang: Path

    def told(self, message: str, within_s: float = LIMIT_S) -> float | None:
        """When it said so (monotonic), None where it did not in time."""
        end = time.monotonic() + within_s
        while (left := end - time.monotonic()) > 0:
            self.channel.settimeout(left)
            try:
                if self.channel.recv(4096).decode().startswith(message):
                    return time.monotonic()
            except TimeoutError:
                break
        return None


@contextmanager
def unit(folder: Path, trigger: str, how: str = "locked") -> Iterator[Unit]:
    config = write_station(folder, trigger=trigger, deadline_ms=200)
    config.write_text(config.read_text().replace('backend = "onnx"', 'backend = "hanging"'))
    about = folder / "plug-in/hanging-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: hanging\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[partsight.detectors]\nhanging = hanging:Hanging\n")
    (folder / "plug-in/hanging.py").write_text(PLUG_IN)
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    address = str(folder / "notify")
    channel.bind(address)
    base = environment()
    more = {
        "PYTHONPATH": os.pathsep.join([base["PYTHONPATH"], str(folder / "plug-in")]),
        "NOTIFY_SOCKET": address,
        "WATCHDOG_USEC": str(int(WATCHDOG_S * 1e6)),
        "HANG": str(folder / "hang"),
        "HOW": how,
    }
    command = [sys.executable, "-m", "partsight", "run", str(config)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stderr=log, env=base | more)
    try:
        yield Unit(process, channel, folder / "hang")
    finally:
        process.kill()
        process.wait(20)
        channel.close()


def test_a_line_without_parts_feeds_the_watchdog(tmp_path: Path) -> None:
    with unit(tmp_path, 'kind = "call"') as it:
        assert it.told("READY=1") is not None, (tmp_path / "log").read_text()
        for _ in range(3):
            fed = it.told("WATCHDOG=1", WATCHDOG_S)
            assert fed is not None, "an idle line would have been killed"
        it.process.send_signal(signal.SIGTERM)
        assert it.told("STOPPING=1") is not None
        assert it.process.wait(LIMIT_S) == 0


def test_rule_2_a_detector_that_holds_the_whole_process_starves_the_watchdog(tmp_path: Path) -> None:
    """Nothing in the process can run any more, so only systemd can end it: it must not be told that all is well."""
    with unit(tmp_path, 'kind = "timer"\nperiod_ms = 50') as it:
        assert it.told("READY=1") is not None, (tmp_path / "log").read_text()
        assert it.told("WATCHDOG=1") is not None
        it.hang.touch()
        # One that was on its way; after that, silence.
        it.told("WATCHDOG=1", WATCHDOG_S / 2)
        assert it.told("WATCHDOG=1", 1.5 * WATCHDOG_S) is None
        assert it.process.poll() is None
        # What systemd does then. The part that it was judging is on the disk as open, and no pass has left for it.
        it.process.send_signal(signal.SIGABRT)
        it.process.wait(20)
        assert read_latch(tmp_path / "data")


def test_rule_5_a_detector_that_never_answers_ends_the_process(tmp_path: Path) -> None:
    """Sooner than the watchdog would, and systemd is told why."""
    with unit(tmp_path, 'kind = "timer"\nperiod_ms = 50', how="alone") as it:
        assert it.told("READY=1") is not None, (tmp_path / "log").read_text()
        it.hang.touch()
        assert it.told("STATUS=") is not None
        assert it.process.wait(LIMIT_S) == EXIT_STUCK


@pytest.mark.proof
@pytest.mark.timeout(180)
def test_a_detector_that_hangs_in_the_self_test_is_never_called_ready(tmp_path: Path) -> None:
    """No part is there whose deadline could pass, and no watchdog runs yet: systemd's limit for the start ends it."""
    with unit(tmp_path, 'kind = "call"', how="alone") as it:
        it.hang.touch()
        assert it.told("READY=1") is None
        assert it.process.poll() is None
    assert "TimeoutStartSec=120" in (DEPLOY / "systemd/partsight.service").read_text().splitlines()
