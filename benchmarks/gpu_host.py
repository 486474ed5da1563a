"""What the host spends on one frame through the GPU path, without what the GPU itself does.

    python benchmarks/gpu_host.py [--runs 2000] [--json] [--package pycuda]

Needs no GPU: real pycuda or cuda-bindings on the pretend driver of tests/gpu, with a kernel and an engine that do
nothing. So it measures staging the frame, poisoning the output, launching, waiting, and both hand-overs between the
threads; it also counts the copy of the output, which on a GPU is the copy engine's work. `copy` is the frame's bytes
from memory to memory and nothing else. A real driver's calls cost more than the pretend one's, some microseconds each.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from partsight.detectors.signature import read_checked
from partsight.detectors.tensorrt.building import BuildOptions, build_plan
from partsight.detectors.tensorrt.cuda.choose import Package, open_port
from partsight.detectors.tensorrt.runner import Limits, TensorRtRunner
from partsight.domain.frame import Grab, PixelFormat
from partsight.models.bundle import find, load

ROOT = Path(__file__).parents[1]
BAR_MS = 0.3
SIZES = ((640, 640), (1280, 720), (1920, 1080))
INSIDE = "PARTSIGHT_BENCH_INSIDE"


def measured(work: Callable[[], object], runs: int) -> dict[str, float]:
    """Percentiles in milliseconds after a tenth of the runs as warm-up."""
    times = np.empty(runs)
    for _ in range(runs // 10):
        work()
    for number in range(runs):
        begun = time.perf_counter_ns()
        work()
        times[number] = (time.perf_counter_ns() - begun) * 1e-6
    p50, p95, p99 = np.percentile(times, (50, 95, 99))
    return {"p50": round(p50, 4), "p95": round(p95, 4), "p99": round(p99, 4)}


def copied(grab: Grab, runs: int) -> dict[str, float]:
    """The frame's own copy into memory, which any way to a GPU has."""
    target = np.empty_like(grab.pixels)
    return measured(lambda: np.copyto(target, grab.pixels), runs)


def figures(package: Package, runs: int) -> dict[str, Any]:
    """For each size: the whole way, the same with plain launches, and the frame's copy alone."""
    from tests.gpu.pretend.tensorrt.module import load as load_trt

    spec, trt = load(find("pcb")).spec(), load_trt("10.3.0")
    plan = build_plan(trt, read_checked(spec), BuildOptions(spec)).plan
    trt.pretend.idle = True
    table: dict[str, Any] = {}
    for name, graph in (("graph", True), ("plain", False)):
        runner = TensorRtRunner(spec, trt, plan, lambda: open_port(prefer=package), Limits(graph=graph))
        for width, height in SIZES:
            pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
            grabs = [Grab(pixels, PixelFormat.BGR8)]
            row = table.setdefault(f"{width}x{height}", {"copy": copied(grabs[0], runs)})
            row[name] = measured(lambda grabs=grabs, runner=runner: runner.infer(grabs, lambda *_: None), runs)
        runner.close()
    return table


def child(arguments: argparse.Namespace) -> Any:
    """This program again with the pretend driver as its libcuda.so.1: it must be there when the process starts."""
    from tests.gpu.pretend import driver

    reason = driver.missing() or driver.missing_package(arguments.package)
    if reason:
        sys.exit(f"cannot measure: {reason}")
    environment = {**os.environ, **driver.build().environment(integrated=1, idle_kernels=1, protect=0), INSIDE: "1"}
    command = [sys.executable, __file__, "--runs", str(arguments.runs), "--package", arguments.package]
    return json.loads(subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True).stdout)


def main() -> None:
    """The bar is for a frame of the model's own size through the graph."""
    # The stand-ins for a GPU live with the tests.
    sys.path.insert(0, str(ROOT))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--package", choices=("pycuda", "cuda-bindings"), default="pycuda")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if os.environ.get(INSIDE):
        import structlog

        structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
        print(json.dumps(figures(arguments.package, arguments.runs)))
        return
    table = child(arguments)
    found = table["640x640"]["graph"]["p95"]
    if arguments.json:
        print(json.dumps({"package": arguments.package, "runs": arguments.runs, "host_ms": table, "bar_ms": BAR_MS}))
        return
    print(f"{arguments.package}, {arguments.runs} frames each, milliseconds")
    for size, rows in table.items():
        for name, row in rows.items():
            print(f"{size:12s} {name:6s}" + "".join(f"  {key} {value:7.3f}" for key, value in row.items()))
    print(f"bar at 640x640: p95 {found:.3f} of at most {BAR_MS} ms: {'reached' if found <= BAR_MS else 'MISSED'}")


if __name__ == "__main__":
    main()
