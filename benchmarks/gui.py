"""The operator's screen against a real station: a simulated 1080p camera at 25 frames/s, every frame a part with boxes.

    python benchmarks/gui.py [--seconds 20] [--size 1920x1080] [--imgsz 64] [--platform offscreen] [--json FILE]

The real model runs on each part, at an input so small that 25 a second fit on two cores; at that size it finds nothing,
so the boxes are those that the simulation knows of.

Two processes: this one is the screen (the real window on its line view); the other one is a whole station (camera,
model, records, API), as `partsight run` is. `screen.py` measures the screen alone, without a station on the same cores.

- CPU: of the screen's process, user and system, as a share of one core.
- blocked: a timer each 5 ms in the window's thread; how late it comes. `own`: what the thread itself has computed
  between two ticks; the rest of the delay is other threads and processes that had the core.
- event to pixel: from the daemon's `Finished` event of a part to the end of the turn of Qt's loop that painted the
  part's picture (handed to the window system by then), both on the machine's monotonic clock; of pictures that were
  painted, since older ones are replaced and never shown.
- memory: resident, each second; its slope after the first third.

Prints one JSON object with the bars beside it. `--platform xcb` needs a display (`xvfb-run`, or Xvfb and DISPLAY).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from api_lane import wait_until_served
from memory import small_bundle

from partsight.cli.gui import stand_back
from partsight.cli.logs import set_up_logs
from partsight.daemon import line as line_module
from partsight.daemon.line import open_line
from partsight.daemon.site import load_site
from partsight.domain.detections import Detections
from partsight.domain.frame import Frame
from partsight.domain.messages import Event, Finished
from partsight.domain.ports import Detector
from partsight.models.bundle import find
from partsight.testing.broker import free_port
from partsight.testing.line_in_a_box import truthful

FPS = 25
TICK_MS = 5
SETTLE_S = 5.0
MIB = 1 << 20
BARS = {
    "cpu_percent_of_a_core": 35.0,
    "blocked_p99_ms": 16.0,
    "blocked_max_ms": 50.0,
    "event_to_pixel_p95_ms": 150.0,
    "rss_max_mib": 300.0,
}


def configuration(folder: Path, bundle: Path, port: int) -> Path:
    """The station."""
    text = f"""schema = 1

[station]
name = "bench"
data = "data"
recipe = "pcb-any"
deadline_ms = 2000

[model]
bundle = "{bundle}"
threads = 1

[[cameras]]
name = "top"
driver = "simulated"

[cameras.settings]
width = 1920
height = 1080
seed = 7
rate_hz = {FPS}
defect_rate = 1.0

[trigger]
kind = "free-run"

[line]
rejects_in_a_row = 0
invalid_in_a_row = 0
reject_share = 0.0

[images]
enabled = false

[api]
port = {port}
"""
    file = folder / "station.toml"
    file.write_text(text, encoding="utf-8")
    return file


def station(file: Path) -> None:
    """The station's process: runs until standard input ends, then prints when each part was finished (monotonic, s)."""
    set_up_logs(quiet=True)
    choose = line_module.choose
    line_module.choose = lambda *wanted: Truthful(choose(*wanted))  # type: ignore[assignment] # the benchmark's probe
    finished: dict[int, float] = {}

    def note(event: Event) -> None:
        if isinstance(event, Finished):
            finished[event.inspection.trigger.sequence] = time.monotonic()

    line = open_line(load_site(file), fatal=lambda code, why: sys.exit(f"{code}: {why}"), tell=note)
    print("open", flush=True)
    sys.stdin.read()
    line.close()
    print(json.dumps(finished))


class Truthful:
    """A detector that takes the time of the real one, and answers the truth."""

    def __init__(self, real: Detector) -> None:
        self._real = real
        self.warm_up, self.close = real.warm_up, real.close

    def __getattr__(self, name: str) -> Any:
        """`model`, `names` and `times` of the real one."""
        return getattr(self._real, name)

    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        """A box for each defect that was drawn."""
        self._real.detect(frames)
        return [truthful(frame) for frame in frames]


class Watch:
    """What is noted in the screen's process."""

    def __init__(self) -> None:
        self.painted: dict[int, float] = {}
        self.boxes: list[int] = []
        self.late_ms: list[float] = []
        self.own_ms: list[float] = []
        self.rss: list[tuple[float, float]] = []
        self._turn: list[int] = []

    def attach(self) -> None:
        """Note each picture when the turn of the loop in which it was painted has ended."""
        from PySide6.QtCore import QTimer

        from partsight.gui.line.cameras import LiveView

        paint_over = LiveView.paint_over

        def noted(view: Any, painter: Any) -> None:
            paint_over(view, painter)
            header = view.header()
            if header is not None and header.sequence is not None and header.sequence not in self.painted:
                self._turn.append(header.sequence)
                self.boxes.append(len(header.boxes))
                QTimer.singleShot(0, self._ended)

        LiveView.paint_over = noted  # type: ignore[method-assign] # the benchmark's probe

    def _ended(self) -> None:
        now = time.monotonic()
        for sequence in self._turn:
            self.painted.setdefault(sequence, now)
        self._turn.clear()

    def clear(self) -> None:
        """Begin."""
        for noted in (self.painted, self.boxes, self.late_ms, self.own_ms, self.rss):
            noted.clear()


def screen(url: str, seconds: float, size: tuple[int, int], watch: Watch) -> dict[str, float]:
    """The real window for so long."""
    from PySide6.QtCore import Qt, QTimer
    from PySide6.QtWidgets import QApplication

    from partsight.gui.client import Client
    from partsight.gui.garbage import Collector
    from partsight.gui.language import Languages
    from partsight.gui.theme import Look
    from partsight.gui.window import Window

    watch.attach()
    stand_back()
    app = QApplication([])
    Collector(app)
    app.setStyle("Fusion")
    Look(app).fit(*size)
    client = Client(url)
    window = Window(client, Languages(app))
    window.resize(*size)
    window.show()
    client.start()
    process, last, taken = psutil.Process(), [0.0, 0.0], {}
    tick = QTimer(interval=TICK_MS, timerType=Qt.TimerType.PreciseTimer)
    each_second = QTimer(interval=1000)

    def ticked() -> None:
        now, own = time.perf_counter(), time.thread_time()
        watch.late_ms.append(max(0.0, now - last[0] - TICK_MS / 1000) * 1000)
        watch.own_ms.append((own - last[1]) * 1000)
        last[:] = now, own

    def begin() -> None:
        watch.clear()
        last[:] = time.perf_counter(), time.thread_time()
        tick.start()
        each_second.start()
        taken["cpu"], taken["at"] = sum(process.cpu_times()[:2]), time.perf_counter()

    def end() -> None:
        taken["cpu"] = sum(process.cpu_times()[:2]) - taken["cpu"]
        taken["at"] = time.perf_counter() - taken["at"]
        app.quit()

    tick.timeout.connect(ticked)
    each_second.timeout.connect(lambda: watch.rss.append((time.monotonic(), process.memory_info().rss / MIB)))
    QTimer.singleShot(int(SETTLE_S * 1000), begin)
    QTimer.singleShot(int((SETTLE_S + seconds) * 1000), end)
    app.exec()
    client.close()
    return {
        "cpu_percent_of_a_core": round(100 * taken["cpu"] / taken["at"], 1),
        "pictures_a_second": round(len(watch.painted) / taken["at"], 1),
        "replaced_before_shown": client.dropped_pictures,
    }


def figures(watch: Watch, finished: dict[int, float]) -> dict[str, float]:
    """From what was noted on both sides."""
    to_pixel = [1000 * (at - finished[n]) for n, at in watch.painted.items() if n in finished]
    late = np.percentile(watch.late_ms, [50, 99])
    pixel = np.percentile(to_pixel, [50, 95, 99])
    settled = watch.rss[len(watch.rss) // 3 :]
    slope = np.polyfit(*zip(*settled, strict=True), 1)[0] * 60 if len(settled) > 2 else 0.0
    return {
        "blocked_p50_ms": round(float(late[0]), 2),
        "blocked_p99_ms": round(float(late[1]), 2),
        "blocked_max_ms": round(max(watch.late_ms), 2),
        "own_p99_ms": round(float(np.percentile(watch.own_ms, 99)), 2),
        "own_max_ms": round(max(watch.own_ms), 2),
        "event_to_pixel_p50_ms": round(float(pixel[0]), 1),
        "event_to_pixel_p95_ms": round(float(pixel[1]), 1),
        "event_to_pixel_p99_ms": round(float(pixel[2]), 1),
        "pictures": len(to_pixel),
        "boxes_a_picture": round(float(np.mean(watch.boxes)), 1),
        "rss_max_mib": round(max(mib for _, mib in watch.rss), 1),
        "rss_slope_mib_per_min": round(float(slope), 2),
    }


def main() -> None:
    """Both processes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--size", default="1920x1080", help="of the window")
    parser.add_argument("--imgsz", type=int, default=64, help="the model's input side; small, so that 25 a second fit")
    parser.add_argument("--model", default="pcb", help="a bundle's name or folder")
    parser.add_argument("--platform", default="offscreen", help="of Qt: offscreen or xcb")
    parser.add_argument("--json", type=Path, help="also write it there")
    parser.add_argument("--station", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.station is not None:
        station(asked.station)
        return
    os.environ["QT_QPA_PLATFORM"] = asked.platform
    width, _, height = asked.size.partition("x")
    with tempfile.TemporaryDirectory(prefix="partsight-gui-") as name:
        folder, port = Path(name), free_port()
        file = configuration(folder, small_bundle(find(asked.model).resolve(), folder / "bundle", asked.imgsz), port)
        command = [sys.executable, __file__, "--station", str(file)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
            assert other.stdout is not None
            assert other.stdin is not None
            other.stdout.readline()
            wait_until_served(port)
            watch = Watch()
            told: dict[str, Any] = dict(
                screen(f"http://127.0.0.1:{port}", asked.seconds, (int(width), int(height)), watch)
            )
            threading.Thread(target=other.stdin.close).start()
            finished = {int(n): at for n, at in json.loads(other.stdout.read()).items()}
    told |= figures(watch, finished)
    told["platform"], told["load_1min"] = asked.platform, round(os.getloadavg()[0], 1)
    told["bars"] = {key: {"measured": told[key], "at_most": bar, "met": told[key] <= bar} for key, bar in BARS.items()}
    text = json.dumps(told, indent=2)
    print(text)
    if asked.json is not None:
        asked.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
