"""Resident memory of a running station: how much the demo's model takes, and whether it stays flat.

    python benchmarks/memory.py [--model pcb] [--parts 20000] [--demo-parts 300]

Two real `partsight run` processes on simulated boards, each watched from outside:

- demo: the model at its own input size; its peak is what a station takes.
- flat: the same file at an input of 64 x 64 pixels, so that many thousand parts fit into minutes. Frames, recipe,
  records and images are those of the demo; a least-squares line through the samples after the first tenth says how
  much memory a thousand parts add. Caches still fill then; in the last half they are full, so a leak shows there.

Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import psutil
import tomlkit

from partsight import registry
from partsight.models.bundle import find
from partsight.models.card import CARD

Column = npt.NDArray[np.float64]

MIB = 1 << 20
FLAT_SIDE = 64
BOARDS = 24
SAMPLE_S = 0.25
QUIET_S = 120.0
"""A station that gives no verdict for so long is stuck."""


@dataclass(frozen=True, slots=True)
class Sample:
    """After `parts` verdicts, `rss` bytes were resident."""

    parts: int
    rss: int


def small_bundle(source: Path, folder: Path, side: int) -> Path:
    """The same model file behind a card that gives it a smaller input; the file must be free in its size."""
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("golden"))
    card = tomlkit.parse((folder / CARD).read_text("utf-8"))
    table: Any = card["input"]
    table["width"] = table["height"] = side
    card.pop("golden", None)
    (folder / CARD).write_text(tomlkit.dumps(card), encoding="utf-8")
    return folder


def boards(folder: Path) -> Path:
    """Images of simulated boards, as a folder camera reads them."""
    driver = registry.camera_driver("simulated")
    camera = driver(driver.Settings(seed=7, rate_hz=0))
    camera.open(30.0)
    folder.mkdir()
    for number in range(BOARDS):
        cv2.imwrite(str(folder / f"{number:03d}.bmp"), camera.grab(30.0).pixels)
    camera.close()
    return folder


def configuration(folder: Path, bundle: str, images: Path) -> Path:
    """A station that judges the boards over and over, as fast as it can."""
    text = f"""schema = 1

[station]
name = "memory"
data = "data"
recipe = "demo-board"
deadline_ms = 10000

[model]
bundle = "{bundle}"

[[cameras]]
name = "top"
driver = "folder"

[cameras.settings]
path = "{images}"
loop = true

[trigger]
kind = "folder"

[images]
budget_mb = 50
"""
    folder.mkdir()
    file = folder / "station.toml"
    file.write_text(text, encoding="utf-8")
    return file


def watch(file: Path, parts: int) -> tuple[list[Sample], float, int]:
    """Run the station for so many parts: samples, seconds, exit status."""
    counted = file.with_suffix(".jsonl")
    began = time.monotonic()
    with counted.open("wb") as out, (file.with_suffix(".log")).open("wb") as log:
        command = [sys.executable, "-m", "partsight", "run", str(file), "--parts", str(parts), "--json"]
        process = subprocess.Popen(command, stdout=out, stderr=log)
        try:
            samples = list(_samples(process, counted, parts))
        finally:
            process.terminate()
            status = process.wait(60)
    lines = counted.read_bytes().count(b"\n")
    if status or not samples or lines < parts:
        end = file.with_suffix(".log").read_text("utf-8")[-2000:]
        raise RuntimeError(f"the station ended with status {status} after {lines} of {parts} verdicts: {end}")
    return samples, time.monotonic() - began, status


def _samples(process: subprocess.Popen[bytes], counted: Path, parts: int) -> Iterator[Sample]:
    station = psutil.Process(process.pid)
    done, moved = 0, time.monotonic()
    with counted.open("rb") as lines:
        while process.poll() is None:
            fresh = lines.read().count(b"\n")
            if fresh:
                done, moved = done + fresh, time.monotonic()
            elif time.monotonic() - moved > QUIET_S:
                raise TimeoutError(f"no verdict for {QUIET_S:.0f} s; see {counted.with_suffix('.log')}")
            try:
                rss = station.memory_info().rss
            except psutil.NoSuchProcess:
                return
            if done >= parts:
                process.wait(60)  # it takes itself apart, which is no part of the line
                return
            if done and rss:
                yield Sample(done, rss)
            time.sleep(SAMPLE_S)


def figures(samples: list[Sample], seconds: float, status: int) -> dict[str, Any]:
    """What the samples say; the slope in KiB for a thousand parts."""
    parts = np.array([s.parts for s in samples], np.float64)
    rss = np.array([s.rss for s in samples], np.float64)
    later = parts >= parts[-1] * 0.1
    return {
        "parts": int(parts[-1]),
        "seconds": round(seconds, 1),
        "exit_status": status,
        "samples": len(samples),
        "rss_mib": {
            "first": round(rss[0] / MIB, 1),
            "after_a_tenth": round(rss[later][0] / MIB, 1),
            "last": round(rss[-1] / MIB, 1),
            "max": round(rss.max() / MIB, 1),
        },
        "slope_kib_per_1000_parts": _slope(parts, rss, 0.1),
        "slope_last_half_kib_per_1000_parts": _slope(parts, rss, 0.5),
    }


def _slope(parts: Column, rss: Column, after: float) -> float | None:
    """KiB for a thousand parts, from the samples behind this share of the run; None where they are too few."""
    later = parts >= parts[-1] * after
    if later.sum() < 3 or np.ptp(parts[later]) == 0:
        return None
    return round(float(np.polyfit(parts[later], rss[later], 1)[0]) / 1024 * 1000, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="pcb", help="a bundle's name or folder")
    parser.add_argument("--parts", type=int, default=20_000, help="parts of the flatness run")
    parser.add_argument("--demo-parts", type=int, default=300, help="parts at the model's own size")
    arguments = parser.parse_args()
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="partsight-memory-") as name:
        folder = Path(name)
        images = boards(folder / "boards")
        bundle = find(arguments.model).resolve()
        small = small_bundle(bundle, folder / "small", FLAT_SIDE)
        for run, where, parts in (("demo", bundle, arguments.demo_parts), ("flat", small, arguments.parts)):
            file = configuration(folder / run, str(where), images)
            found[run] = figures(*watch(file, parts))
    found["flat"]["imgsz"] = FLAT_SIDE
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
