"""What a record costs: commit, latch and number, beside the bare flush of the same disk.

    python benchmarks/commit.py [--folder DIR] [--parts N]

The commit waits for the disk's flush (durability "power"), so its time has that as its floor; "process"
shows what partsight and SQLite themselves take.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from partsight.domain.detections import Detections, ModelRef
from partsight.domain.inspection import Inspection, Timings
from partsight.domain.reasons import defect_code
from partsight.domain.trigger import Trigger, TriggerKind
from partsight.domain.uid import uuid7
from partsight.domain.verdict import Action, Finding, RecipeRef, Result, Verdict
from partsight.domain.views import Alignment, ImageFacts, View
from partsight.outputs.records import Durability, SqliteRecords

NAMES = ("open", "short", "mousebite", "spur", "copper", "pin-hole")
MODEL = ModelRef("pcb", "a" * 64, "onnx", "float32")
RECIPE = RecipeRef("pcb", 1, "b" * 64)


def trigger(sequence: int) -> Trigger:
    now = time.monotonic_ns()
    return Trigger(
        sequence=sequence,
        id=sequence % 65535 + 1,
        epoch=1,
        kind=TriggerKind.FREE_RUN,
        at=datetime.now(timezone.utc),
        at_ns=now,
        deadline_ns=now + 200_000_000,
        part_id=f"LOT-7/{sequence:08d}",
        encoder=sequence * 1000,
    )


def inspection(part: Trigger, rng: np.random.Generator) -> Inspection:
    """A part with six detections, three of them findings."""
    boxes = (rng.random((6, 4)) * 640).astype(np.float32)
    detections = Detections(boxes, rng.random(6).astype(np.float32), np.arange(6, dtype=np.int32), NAMES, MODEL)
    findings = tuple(
        Finding(defect_code(n), f"{NAMES[n]} 0.91", "top", 0.91, tuple(boxes[n].tolist()), "class", "major")
        for n in range(3)
    )
    facts = ImageFacts(640, 640, 101.5, 0.01, 812.0, alignment=Alignment((1.5, -0.5), 0.2, 0.97), counts={"holes": 4})
    return Inspection(
        uid=uuid7(),
        trigger=part,
        verdict=Verdict(Result.NG, Action.REJECT, findings, RECIPE),
        views=(View("top", detections, facts),),
        timings=Timings(10.0, 11.0, 20.0, 22.0, 1.0, 34.0),
        model=MODEL,
    )


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e3


def figures(times: list[float]) -> dict[str, float]:
    p50, p95, p99 = np.percentile(times, (50, 95, 99))
    return {"p50": round(p50, 4), "p95": round(p95, 4), "p99": round(p99, 4), "max": round(max(times), 4)}


def flush(folder: Path, count: int) -> dict[str, float]:
    """The disk alone: 8 KiB appended and flushed, about what one record adds to the log."""
    handle = os.open(folder / "flush.bin", os.O_CREAT | os.O_WRONLY | os.O_APPEND)

    def write() -> None:
        os.write(handle, bytes(8192))
        os.fdatasync(handle)

    times = [timed(write) for _ in range(count)]
    os.close(handle)
    return figures(times)


def commits(folder: Path, durability: Durability, count: int) -> dict[str, dict[str, float]]:
    """The way of a part through the records; `maintain` runs between parts, as its own thread would."""
    rng = np.random.default_rng(7)
    steps: dict[str, list[float]] = {"reserve": [], "latch": [], "commit": [], "maintain": []}
    with SqliteRecords.open(folder, durability=durability) as records:
        for _ in range(count):
            start = time.perf_counter()
            part = trigger(records.reserve(1))
            steps["reserve"].append((time.perf_counter() - start) * 1e3)
            steps["latch"].append(timed(lambda part=part: records.latch(part)))
            done = inspection(part, rng)
            steps["commit"].append(timed(lambda done=done: records.commit(done)))
            steps["maintain"].append(timed(records.maintain))
    return {name: figures(times) for name, times in steps.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=None, help="on the disk to measure; a temporary one without")
    parser.add_argument("--parts", type=int, default=2000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        found: dict[str, object] = {"parts": options.parts, "flush_ms": flush(folder, min(options.parts, 500))}
        for durability in Durability:
            found[f"{durability.value}_ms"] = commits(folder / durability.value, durability, options.parts)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
