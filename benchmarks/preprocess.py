"""Everything around the inference, measured: the letterbox, the ways to float planes, decoding, and the whole.

    python benchmarks/preprocess.py [--model pcb] [--runs 200] [--imgsz 640]

The steps are timed alone, alternating in rounds so that what else the machine does falls on all of them; the last
table is a detector at work: what `detect` takes beside the runtime's own call.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import cv2
import numpy as np

from partsight import registry
from partsight.detectors.letterbox import Letterbox
from partsight.detectors.yolo import decode
from partsight.domain.errors import BackendUnavailable
from partsight.domain.frame import Frame, Grab, PixelFormat
from partsight.domain.model import ModelSpec, OutputFormat
from partsight.domain.trigger import Trigger, TriggerKind
from partsight.models.bundle import find, load

Step = Callable[[], object]


def timed(steps: dict[str, Step], runs: int) -> None:
    """Print milliseconds for each step."""
    spent: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        step()
    for _ in range(runs):
        for name, step in steps.items():
            begun = time.perf_counter_ns()
            step()
            spent[name].append((time.perf_counter_ns() - begun) * 1e-6)
    for name, values in spent.items():
        print(row(name, values))


def row(name: str, values: list[float]) -> str:
    """One line of a table: p50, p95, p99 and maximum."""
    p50, p95, p99 = np.percentile(values, (50, 95, 99))
    return f"{name:44s} {p50:8.3f} {p95:8.3f} {p99:8.3f} {max(values):8.3f}"


def title(text: str) -> None:
    print(f"\n{text:44s} {'p50':>8s} {'p95':>8s} {'p99':>8s} {'max':>8s}   ms")


def noise(*shape: int) -> Any:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def letterboxes(side: int) -> dict[str, Step]:
    """Frames of usual sizes and formats into a square model."""
    grabs = {
        f"BGR8 {side}x{side} (no resize, no border)": Grab(noise(side, side, 3), PixelFormat.BGR8),
        f"Mono8 {side}x{side} (no resize, no border)": Grab(noise(side, side), PixelFormat.MONO8),
        "BGR8 1920x1080": Grab(noise(1080, 1920, 3), PixelFormat.BGR8),
        "Mono8 1920x1080": Grab(noise(1080, 1920), PixelFormat.MONO8),
        "Mono16 (12 bits) 1920x1080": Grab(noise(1080, 1920).astype(np.uint16) * 16, PixelFormat.MONO16, 12),
        "BayerRG8 1920x1080": Grab(noise(1080, 1920), PixelFormat.BAYER_RG8),
    }

    def step(grab: Grab) -> Step:
        box = Letterbox(side, side)
        return lambda: box.fill(0, grab)

    return {name: step(grab) for name, grab in grabs.items()}


def planes(side: int) -> dict[str, Step]:
    """Ways from BGR bytes to float RGB planes; the first is what the ONNX backend does."""
    image = noise(side, side, 3)
    small = np.empty((3, side, side), np.uint8)
    views = [small[2], small[1], small[0]]
    blob = np.empty((3, side, side), np.float32)
    flat, wide = small.reshape(3 * side, side), blob.reshape(3 * side, side)
    table = (np.arange(256) / 255).astype(np.float32)
    scale = np.float32(1 / 255)
    return {
        "split, np.multiply into kept memory": lambda: (cv2.split(image, views), np.multiply(small, scale, out=blob)),
        "split, cv2.LUT into kept memory": lambda: (cv2.split(image, views), cv2.LUT(flat, table, wide)),
        "np.multiply of the transposed image": lambda: np.multiply(image.transpose(2, 0, 1)[::-1], scale, out=blob),
        "cv2.dnn.blobFromImage": lambda: cv2.dnn.blobFromImage(image, 1 / 255, swapRB=True),
        "transpose, astype, divide (ultralytics' way)": lambda: (
            np.ascontiguousarray(image[..., ::-1].transpose(2, 0, 1)).astype(np.float32) / np.float32(255)
        ),
    }


def decoders(spec: ModelSpec) -> dict[str, Step]:
    """Outputs with few and with many boxes."""
    rng = np.random.default_rng(0)
    names = len(spec.classes)
    one = dataclasses.replace(spec, output=OutputFormat.END2END)
    many = dataclasses.replace(spec, output=OutputFormat.ANCHORS)

    def end2end(found: int) -> Any:
        rows = np.zeros((300, 6), np.float32)
        rows[:found, :4] = rng.uniform(0, 640, (found, 4))
        rows[:found, 4] = np.sort(rng.uniform(0.1, 1, found))[::-1]
        return rows

    def anchors(found: int) -> Any:
        columns = np.zeros((4 + names, 8400), np.float32)
        columns[:4] = rng.uniform(0, 60, (4, 8400)) + np.repeat(rng.uniform(0, 580, (2, 8400)), (2, 0), axis=0).sum(0)
        columns[4, rng.choice(8400, found, replace=False)] = rng.uniform(0.1, 1, found)
        return columns

    cases = {f"end2end, {n} boxes": (end2end(n), one) for n in (0, 10, 300)}
    cases |= {f"anchors, {n} candidates": (anchors(n), many) for n in (0, 100, 1000)}
    return {name: lambda made=made, how=how: decode(made, how) for name, (made, how) in cases.items()}


def at_work(spec: ModelSpec, runs: int) -> None:
    """What a detector adds to its runtime's own call, on a frame of the model's size."""
    trigger = Trigger(1, 1, 1, TriggerKind.CALL, datetime.now(timezone.utc), 0, 0)
    frame = Frame(trigger, "bench", Grab(noise(spec.height, spec.width, 3), PixelFormat.BGR8), 0)
    for name in registry.detector_names():
        try:
            driver = registry.detector_driver(name)
            detector = driver(spec, driver.Settings())
        except BackendUnavailable as problem:
            print(f"{name}: {problem}")
            continue
        detector.warm_up()
        whole: list[float] = []
        infer: list[float] = []
        for _ in range(runs):
            begun = time.perf_counter_ns()
            detector.detect([frame])
            whole.append((time.perf_counter_ns() - begun) * 1e-6)
            infer.append(detector.times.infer_ms)
        detector.close()
        print(row(f"{name}: inference", infer))
        print(row(f"{name}: everything else", [a - b for a, b in zip(whole, infer, strict=True)]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="pcb", help="a bundle's name or folder")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--imgsz", type=int, default=640)
    arguments = parser.parse_args()
    side = arguments.imgsz
    spec = dataclasses.replace(load(find(arguments.model)).spec(), width=side, height=side)
    print(f"OpenCV {cv2.__version__}, {cv2.getNumThreads()} threads; numpy {np.__version__}")
    title(f"letterbox into {side}x{side}")
    timed(letterboxes(side), arguments.runs)
    title(f"bytes to float planes, {side}x{side}")
    timed(planes(side), arguments.runs)
    title("decode")
    timed(decoders(spec), arguments.runs)
    title(f"detect() at {side}x{side}, {arguments.runs} frames")
    at_work(spec, arguments.runs)


if __name__ == "__main__":
    main()
