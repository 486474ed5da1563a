"""What only a real GPU can show of an engine: graph against plain launches, the time of each stage, and a soak."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import cycle
from typing import Any

import numpy as np

from partsight.detectors.golden import frame_of, golden_frame
from partsight.detectors.tensorrt.detector import TensorRtDetector, TensorRtSettings
from partsight.detectors.tensorrt.engines import Engine
from partsight.domain.detections import Detections
from partsight.domain.errors import BundleError
from partsight.domain.frame import Frame
from partsight.domain.model import ModelSpec

FRAMES = 100
SHIFT_PX = 7
"""Each frame is a golden one moved on by so many pixels: no two are alike."""
STAGES = ("preprocess", "infer", "decode", "all")
WARM_UP_RUNS = 20
TOLD_EVERY_S = 1.0

Tell = Callable[[Mapping[str, Any]], None]


def measure(spec: ModelSpec, engine: Engine, soak_s: float, tell: Tell) -> dict[str, Any]:
    """`graph`, `stages` and `soak`, plain values. tell: hears `second` about once a second of the soak.

    Raises DetectorError.
    """
    frames = list(different_frames(spec, FRAMES))
    with closing(_open(spec, engine, graph=True)) as detector:
        _warm_up(detector, frames[0])
        by_graph = [detector.detect([frame])[0] for frame in frames]
        stages = time_stages(detector, frames)
        bare = percentiles([detector.run_bare() for _ in range(FRAMES)])
        used = detector.uses_graphs
    with closing(_open(spec, engine, graph=False)) as detector:
        _warm_up(detector, frames[0])
        plain = [detector.detect([frame])[0] for frame in frames]
        without = time_stages(detector, frames)
    found = {"used": used, **difference(by_graph, plain), "plain": without["all"]}
    soaked = soak(spec, engine, frames, soak_s, tell) if soak_s > 0 else None
    return {"graph": found, "stages": stages | {"engine": bare}, "soak": soaked}


def different_frames(spec: ModelSpec, count: int) -> Iterator[Frame]:
    """Golden frames, each time moved on a little. Raises BundleError where there are none."""
    if not spec.golden:
        raise BundleError(f"model {spec.name!r} has no golden frames to measure with; make the bundle again with some")
    pixels = [golden_frame(golden).grab.pixels for golden in spec.golden]
    for number, picture in zip(range(count), cycle(pixels), strict=False):
        moved = np.roll(picture, number * SHIFT_PX, axis=1)
        yield frame_of(np.ascontiguousarray(moved, np.uint8), f"frame {number}")


def difference(ones: Sequence[Detections], others: Sequence[Detections]) -> dict[str, Any]:
    """How far two ways of running the same frames lie apart: the same engine should give the same bits."""
    identical, score, box, counts = 0, 0.0, 0.0, 0
    for one, other in zip(ones, others, strict=True):
        if len(one.scores) != len(other.scores):
            counts += 1
            continue
        same = np.array_equal(one.scores, other.scores) and np.array_equal(one.boxes, other.boxes)
        identical += bool(same and np.array_equal(one.class_ids, other.class_ids))
        score = max(score, float(np.abs(one.scores - other.scores).max(initial=0.0)))
        box = max(box, float(np.abs(one.boxes - other.boxes).max(initial=0.0)))
    return {
        "frames": len(ones),
        "identical": identical,
        "other_count": counts,
        "max_score": score,
        "max_box_px": box,
        "boxes": sum(len(one.scores) for one in ones),
    }


def time_stages(detector: TensorRtDetector, frames: Sequence[Frame]) -> dict[str, dict[str, float]]:
    """p50 and p99 of each stage in milliseconds, one frame at a time; `all`: from the frame to its detections."""
    times: dict[str, list[float]] = {name: [] for name in STAGES}
    for frame in frames:
        begun = time.perf_counter_ns()
        detector.detect([frame])
        times["all"].append((time.perf_counter_ns() - begun) * 1e-6)
        told = detector.times
        for name, ms in zip(STAGES, (told.preprocess_ms, told.infer_ms, told.decode_ms), strict=False):
            times[name].append(ms)
    return {name: percentiles(values) for name, values in times.items()}


def soak(spec: ModelSpec, engine: Engine, frames: Sequence[Frame], soak_s: float, tell: Tell) -> dict[str, Any]:
    """Frames without a pause; each must be answered as the first time. Raises DetectorError."""
    with closing(_open(spec, engine, graph=True)) as detector:
        _warm_up(detector, frames[0])
        first = [detector.detect([frame])[0] for frame in frames]
        begun = told = time.monotonic()
        count = changed = 0
        second: list[float] = []
        seconds: list[dict[str, float]] = []
        while (now := time.monotonic()) - begun < soak_s or not count:
            place = count % len(frames)
            started = time.perf_counter_ns()
            found = detector.detect([frames[place]])[0]
            second.append((time.perf_counter_ns() - started) * 1e-6)
            count += 1
            changed += difference([first[place]], [found])["identical"] != 1
            if now - told >= TOLD_EVERY_S:
                seconds.append(percentiles(second))
                tell({"event": "second", "at_s": round(now - begun, 1), **seconds[-1]})
                told, second = now, []
        if second:
            seconds.append(percentiles(second))
        took_s = time.monotonic() - begun
    tenth = max(len(seconds) // 10, 1)
    return {
        "seconds": round(took_s, 1),
        "frames": count,
        "changed": changed,
        "first_p50_ms": round(float(np.median([one["p50"] for one in seconds[:tenth]])), 3),
        "last_p50_ms": round(float(np.median([one["p50"] for one in seconds[-tenth:]])), 3),
        "worst_p99_ms": max(one["p99"] for one in seconds),
        "max_ms": max(one["max"] for one in seconds),
    }


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """p50, p99 and max, to the microsecond where the values are milliseconds."""
    p50, p99 = np.percentile(values, (50, 99))
    return {"p50": round(float(p50), 3), "p99": round(float(p99), 3), "max": round(float(max(values)), 3)}


def _open(spec: ModelSpec, engine: Engine, *, graph: bool) -> TensorRtDetector:
    settings = TensorRtSettings.model_validate({"precision": spec.precision, "use_graph": graph})
    return TensorRtDetector(spec, settings, engine=engine)


def _warm_up(detector: TensorRtDetector, frame: Frame) -> None:
    for _ in range(WARM_UP_RUNS):
        detector.detect([frame])
