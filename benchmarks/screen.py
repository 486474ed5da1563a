"""What the operator's screen costs: a 1080p stream at 25 frames/s with boxes, shown by a real window.

    python benchmarks/screen.py [--seconds 20] [--size 1920x1080]

The API is the real process; the benchmark plays the daemon (a new frame each 40 ms) from a process of its own, and
measures the screen's process: CPU of one core, how long the window's thread is held up (a timer each 5 ms: how late it
comes), pictures shown a second, memory. Prints JSON.
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
from pathlib import Path

import numpy as np
import psutil

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
ROOT = Path(__file__).parent.parent
# The tests' end of the link plays the daemon.
sys.path[:0] = [str(ROOT), str(ROOT / "inspect")]
FPS = 25
BOX = (600.0, 400.0, 760.0, 520.0)


def source() -> None:
    """The daemon's part: frames and parts until standard input ends."""
    from tests.gui.conftest import camera_notes, open_line

    rng = np.random.default_rng(7)
    small = rng.integers(30, 220, (68, 120, 3), np.uint8)
    base = np.kron(small, np.ones((16, 16, 1), np.uint8))[:1080, :1920]
    frames = [np.ascontiguousarray(np.roll(base, i * 24, axis=1)) for i in range(8)]
    found = {"label": "spur", "class_id": 1, "score": 0.91, "box": BOX}
    finding = {"code": 1001, "text": "spur", "camera": "top", "score": 0.91, "box": BOX}
    over = threading.Event()
    with tempfile.TemporaryDirectory() as folder, open_line(Path(folder)) as line:
        line.say(cameras=camera_notes("top"))
        print(line.url, flush=True)
        threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
        due, n = time.monotonic(), 0
        while not over.is_set():
            n += 1
            line.show("top", frames[n % 8], sequence=n, result="NG", boxes=(found,), findings=(finding,))
            line.finish("NG", code=1001, reason="spur")
            due += 1 / FPS
            over.wait(max(0.0, due - time.monotonic()))


def measure(url: str, seconds: float, size: tuple[int, int]) -> dict[str, float]:
    """The screen's part."""
    from PySide6.QtCore import Qt, QTimer
    from PySide6.QtWidgets import QApplication

    from partsight.gui.client import Client
    from partsight.gui.garbage import Collector
    from partsight.gui.language import Languages
    from partsight.gui.theme import Look
    from partsight.gui.window import Window

    app = QApplication([])
    Collector(app)
    app.setStyle("Fusion")
    Look(app).fit(*size)
    client = Client(url)
    window = Window(client, Languages(app))
    window.resize(*size)
    window.show()
    shown, late = [0], []
    client.preview.connect(lambda *_: shown.__setitem__(0, shown[0] + 1))
    client.start()
    process = psutil.Process()
    tick = QTimer(interval=5, timerType=Qt.TimerType.PreciseTimer)
    last = [0.0]

    def ticked() -> None:
        now = time.perf_counter()
        late.append(max(0.0, now - last[0] - 0.005) * 1000)
        last[0] = now

    tick.timeout.connect(ticked)
    taken: dict[str, float] = {}

    def begin() -> None:
        last[0] = time.perf_counter()
        shown[0] = 0
        tick.start()
        taken["cpu"], taken["at"] = sum(process.cpu_times()[:2]), time.perf_counter()

    def end() -> None:
        taken["cpu"] = sum(process.cpu_times()[:2]) - taken["cpu"]
        taken["at"] = time.perf_counter() - taken["at"]
        app.quit()

    QTimer.singleShot(3000, begin)
    QTimer.singleShot(3000 + int(seconds * 1000), end)
    app.exec()
    client.close()
    p50, p99 = np.percentile(late, [50, 99])
    return {
        "cpu_percent_of_a_core": round(100 * taken["cpu"] / taken["at"], 1),
        "pictures_a_second": round(shown[0] / taken["at"], 1),
        "main_thread_late_p50_ms": round(float(p50), 2),
        "main_thread_late_p99_ms": round(float(p99), 2),
        "main_thread_late_max_ms": round(max(late), 2),
        "rss_mib": round(process.memory_info().rss / 2**20, 1),
        "dropped": client.dropped_pictures,
    }


def main() -> None:
    """Both parts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--size", default="1920x1080")
    parser.add_argument("--source", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.source:
        source()
        return
    width, _, height = asked.size.partition("x")
    with subprocess.Popen(
        [sys.executable, __file__, "--source"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        url = next(line for line in child.stdout if line.startswith("http")).strip()
        print(json.dumps(measure(url, asked.seconds, (int(width), int(height)))))
        assert child.stdin is not None
        child.stdin.close()


if __name__ == "__main__":
    main()
