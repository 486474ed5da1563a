"""What the API costs the fast lane: trigger to verdict with nobody connected, and with screens, in one run.

    python benchmarks/api_lane.py [--model pcb] [--imgsz 320] [--rate 25] [--seconds 8] [--rounds 3] [--json FILE]

Three states in turn, in another order each round, each a whole line on the simulated camera with the real model and
real records:

- none: no `[api]` table, so no API process and no link.
- idle: the API runs, nobody is connected.
- watched: two screens (every event, pictures at 25 a second and 960 pixels), a wallboard (5 a second, 640 pixels) and a
  Prometheus scrape each second; they run in a process of their own, as they would on another machine, so that only
  what the daemon and its API do for them is measured beside what the clients themselves take of this machine's cores.

Prints one JSON object: percentiles of each state over all rounds, and the bar: p99 of `watched` within 10 % or 1 ms of
`none`. The first second of each line is left out.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np
from memory import small_bundle
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from partsight.daemon.line import open_line
from partsight.daemon.site import load_site
from partsight.domain.inspection import Inspection
from partsight.models.bundle import find
from partsight.testing.broker import free_port

SETTLE_S = 1.0
READY_S = 60.0
STATES = ("none", "idle", "watched")
SCREENS = ((25.0, 960), (25.0, 960), (5.0, 640))
SCRAPE_S = 1.0


class Verdicts:
    """An output that notes each part's time, and when it came."""

    def __init__(self) -> None:
        self.rows: list[tuple[float, float]] = []

    def publish(self, inspection: Inspection) -> None:
        """Append, and nothing else."""
        if inspection.timings.verdict_ms is not None:
            self.rows.append((time.monotonic(), inspection.timings.verdict_ms))


def configuration(folder: Path, bundle: Path, rate_hz: float, port: int | None) -> Path:
    """The demo's line; port: of the API, None without one."""
    api = f"\n[api]\nport = {port}\n" if port is not None else ""
    text = f"""schema = 1

[station]
name = "lane"
data = "data"
recipe = "demo-board"
deadline_ms = 2000

[model]
bundle = "{bundle}"

[[cameras]]
name = "top"
driver = "simulated"

[cameras.settings]
seed = 7
rate_hz = {rate_hz}
defect_rate = 0.2

[trigger]
kind = "free-run"

[line]
rejects_in_a_row = 0
invalid_in_a_row = 0
reject_share = 0.0

[images]
budget_mb = 50
keep_free_mb = 1
{api}"""
    folder.mkdir()
    file = folder / "station.toml"
    file.write_text(text, encoding="utf-8")
    return file


def measure(file: Path, state: str, port: int, seconds: float) -> tuple[list[float], dict[str, Any]]:
    """Milliseconds of each part in one state, and what the clients saw."""
    verdicts, seen = Verdicts(), {}
    with ExitStack() as stack:
        line = open_line(load_site(file), fatal=lambda code, why: sys.exit(f"{code}: {why}"), outputs=[verdicts])
        stack.callback(line.close)
        clients: subprocess.Popen[str] | None = None
        if state != "none":
            wait_until_served(port)
        if state == "watched":
            command = [sys.executable, __file__, "--client", str(port), "--seconds", str(seconds + SETTLE_S)]
            clients = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            assert clients.stdout is not None
            clients.stdout.readline()  # all are connected
        time.sleep(SETTLE_S)
        began = time.monotonic()
        time.sleep(seconds)
        ended = time.monotonic()
        if clients is not None:
            seen = json.loads(clients.communicate(timeout=30)[0])
    return [ms for at, ms in verdicts.rows if began <= at < ended], seen


def wait_until_served(port: int) -> None:
    """Until the API answers."""
    end = time.monotonic() + READY_S
    while True:
        with suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health/live", timeout=2).close()
            return
        if time.monotonic() > end:
            raise TimeoutError(f"no API on port {port} within {READY_S:.0f} s")
        time.sleep(0.05)


# --- the clients' process -------------------------------------------------------------------------------


def client(port: int, seconds: float) -> None:
    """All clients, a thread each; prints a line when they are connected, and what they got at the end."""
    counts = [{"events": 0, "pictures": 0, "bytes": 0} for _ in SCREENS]
    scrapes: list[int] = []
    connected = threading.Barrier(len(SCREENS) + 1)
    until = [float("inf")]

    def screen(n: int, rate: float, width: int) -> None:
        with connect(f"ws://127.0.0.1:{port}/api/v1/stream", max_size=None, proxy=None, compression=None) as socket:
            socket.send(json.dumps({"type": "hello"}))
            socket.send(json.dumps({"type": "previews", "cameras": ["*"], "rate": rate, "width": width}))
            connected.wait()
            with suppress(TimeoutError, WebSocketException):
                while time.monotonic() < until[0]:
                    message = socket.recv(timeout=1.0)
                    counts[n]["bytes"] += len(message)
                    if isinstance(message, bytes):
                        counts[n]["pictures"] += 1
                    elif json.loads(message)["type"] == "event":
                        counts[n]["events"] += 1

    threads = [threading.Thread(target=screen, args=(n, *wish), daemon=True) for n, wish in enumerate(SCREENS)]
    for thread in threads:
        thread.start()
    connected.wait(30)
    until[0] = time.monotonic() + seconds
    print("connected", flush=True)
    while time.monotonic() < until[0]:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            scrapes.append(len(answer.read()))
        time.sleep(SCRAPE_S)
    for thread in threads:
        thread.join(5)
    print(json.dumps({"screens": counts, "scrapes": len(scrapes)}))


# --- figures ----------------------------------------------------------------------------------------------


def percentiles(values_ms: list[float]) -> dict[str, float]:
    """Milliseconds."""
    found = np.percentile(np.array(values_ms), [50, 95, 99])
    return {
        "parts": len(values_ms),
        **{name: round(float(value), 2) for name, value in zip(("p50", "p95", "p99"), found, strict=True)},
        "max": round(max(values_ms), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="pcb", help="a bundle's name or folder")
    parser.add_argument("--imgsz", type=int, default=320, help="the model's input side; small, so that parts are many")
    parser.add_argument("--rate", type=float, default=25.0, help="frames a second")
    parser.add_argument("--seconds", type=float, default=8.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="also write it there")
    parser.add_argument("--client", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.client is not None:
        client(given.client, given.seconds)
        return
    times: dict[str, list[float]] = {state: [] for state in STATES}
    by_round: list[dict[str, Any]] = []
    seen: list[dict[str, Any]] = []
    draw = random.Random(1)
    with tempfile.TemporaryDirectory(prefix="partsight-lane-") as name:
        folder = Path(name)
        bundle = small_bundle(find(given.model).resolve(), folder / "bundle", given.imgsz)
        for number in range(given.rounds):
            order = draw.sample(STATES, len(STATES))
            for state in order:
                port = free_port()
                file = configuration(
                    folder / f"{number}-{state}", bundle, given.rate, None if state == "none" else port
                )
                found, clients = measure(file, state, port, given.seconds)
                times[state] += found
                by_round.append({"state": state, **percentiles(found)})
                if clients:
                    seen.append(clients)
    told: dict[str, Any] = {state: percentiles(times[state]) for state in STATES}
    none, watched = told["none"]["p99"], told["watched"]["p99"]
    told |= {
        "p99_more_ms": round(watched - none, 2),
        "bar": "p99 watched within 10 % or 1 ms of none",
        "bar_met": watched <= max(none * 1.1, none + 1.0),
        "rounds": by_round,
        "clients": seen,
    }
    text = json.dumps(told, indent=2)
    print(text)
    if given.json is not None:
        given.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
