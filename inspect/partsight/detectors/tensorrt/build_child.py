"""The process that a build runs in: `python -m partsight.detectors.tensorrt.build_child PIPE PARENT`.

The first line of stdin is one `Order`; every line into the pipe is one JSON object: `ask`, `progress`, `answer` and so
on, then `done` or `error`. TensorRT writes to stdout and stderr as it likes, takes minutes, and can end its process:
none of that touches another.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import structlog

from partsight import __version__
from partsight.detectors.golden import check_golden, golden_frame, read_picture
from partsight.detectors.signature import read_checked
from partsight.detectors.tensorrt.api import load_tensorrt
from partsight.detectors.tensorrt.build_process import Order
from partsight.detectors.tensorrt.building import Step, build_plan
from partsight.detectors.tensorrt.cuda.port import DeviceFacts
from partsight.detectors.tensorrt.cuda.probe import probe
from partsight.detectors.tensorrt.detector import TensorRtDetector
from partsight.detectors.tensorrt.engines import EngineMeta, EngineStore, Identity, Latency, identify
from partsight.detectors.tensorrt.engines.record import identity_table
from partsight.detectors.tensorrt.measuring import measure
from partsight.domain.detections import Detections
from partsight.domain.errors import BackendUnavailable, BundleError, PartsightError
from partsight.domain.frame import Frame

NICE = 10
WARM_UP_RUNS = 20
TIMED_RUNS = 200
TIMED_S = 10.0
"""Timing ends after this long, with at least as many runs as the warm-up had."""
PROGRESS_EVERY_S = 0.2
_PR_SET_PDEATHSIG = 1

Tell = Callable[[Mapping[str, Any]], None]


class Fraction:
    """TensorRT's nested phases as one number from 0 to 1 that never falls."""

    def __init__(self) -> None:
        self._steps: dict[str, Step] = {}
        self._highest = 0.0

    def take(self, step: Step) -> float:
        """The whole build's share that is done. A phase's inner phases fill the step that it is in."""
        self._steps[step.phase] = step
        roots = [one for one in self._steps.values() if one.parent not in self._steps]
        share = sum(map(self._done, roots)) / len(roots)
        self._highest = min(max(self._highest, share), 1.0)
        return self._highest

    def _done(self, step: Step) -> float:
        if step.of <= 0 or step.done >= step.of:
            return 1.0 if step.done >= step.of else 0.0
        inner = [one for one in self._steps.values() if one.parent == step.phase and one.done < one.of]
        within = sum(map(self._done, inner)) / len(inner) if inner else 0.0
        return min((step.done + within) / step.of, 1.0)


# --- what it does -----------------------------------------------------------------------------------


def _look(order: Order, tell: Tell) -> dict[str, Any]:
    """Which engine belongs here, without building one."""
    _, facts, identity = _here(order)
    return {"identity": identity_table(identity), "facts": asdict(facts)}


def _build(order: Order, tell: Tell) -> dict[str, Any]:
    """Build, and write an unchecked draft. A model whose hash is not the card's is refused."""
    trt, facts, identity = _here(order)
    draft = order.draft
    if draft is None:
        tell({"event": "ask", "identity": identity_table(identity)})
        answer = sys.stdin.readline().rstrip("\n")
        if not answer:
            return {}
        draft = Path(answer)
    store = EngineStore(order.engines)
    content = read_checked(order.spec)
    fraction, told = Fraction(), [0.0]

    def progress(step: Step) -> bool:
        share = fraction.take(step)
        if time.monotonic() - told[0] > PROGRESS_EVERY_S or step.done >= step.of:
            told[0] = time.monotonic()
            tell({"event": "progress", "share": share, "phase": step.phase})
        return True

    timing = store.timing(identity)
    begun = time.monotonic()
    built = build_plan(trt, content, order.options, timing, progress)
    took_s = time.monotonic() - begun
    # First what makes another try quick, then the engine.
    if built.timing_cache:
        store.keep_timing(draft, built.timing_cache)
    meta = EngineMeta(
        key=identity.key,
        identity=identity_table(identity),
        card_uuid=facts.uuid,
        plan_sha256=EngineStore.hash(built.plan),
        plan_bytes=len(built.plan),
        built_at=datetime.now(timezone.utc),
        build_s=round(took_s, 3),
        built_by=f"partsight {__version__}",
    )
    store.write(draft, built.plan, meta)
    return {"build_s": took_s, "plan_bytes": len(built.plan), "resumed": bool(timing)}


def _check(order: Order, tell: Tell) -> dict[str, Any]:
    """Load the draft as a line would, hold it against the card and the golden frames, and time it."""
    _, _, identity = _here(order)
    if not order.spec.golden:
        raise BundleError(
            f"model {order.spec.name!r} has no golden frames: nothing can show that its engine is right; make the "
            "bundle again with some"
        )
    engine = EngineStore(order.engines).verified(_draft(order), identity, unchecked=True)
    with closing(TensorRtDetector(order.spec, engine=engine)) as detector:
        compared = check_golden(detector, order.spec)
        if not compared.boxes:
            raise BundleError(
                f"model {order.spec.name!r}: no golden frame holds a defect above its threshold, so any engine would "
                "pass; make the golden frames again"
            )
        latency = time_detector(detector, golden_frame(order.spec.golden[0]))
        for number, path in enumerate(order.images):
            tell({"event": "answer", "image": number, **_plain(detector.detect([read_picture(path)])[0])})
    return {"golden": compared.frames, "boxes": compared.boxes, "latency": latency.model_dump()}


def time_detector(detector: TensorRtDetector, frame: Frame, *, runs: int = TIMED_RUNS) -> Latency:
    """Frame in memory to detections, after the warm-up."""
    for _ in range(WARM_UP_RUNS):
        detector.detect([frame])
    times: list[float] = []
    until = time.monotonic() + TIMED_S
    while len(times) < runs and (len(times) < WARM_UP_RUNS or time.monotonic() < until):
        begun = time.perf_counter_ns()
        detector.detect([frame])
        times.append((time.perf_counter_ns() - begun) * 1e-6)
    p50, p99 = (round(float(ms), 3) for ms in np.percentile(times, (50, 99)))
    return Latency(runs=len(times), p50_ms=p50, p99_ms=p99)


def _here(order: Order) -> tuple[Any, DeviceFacts, Identity]:
    """The driver is probed before anything of TensorRT is touched: without one the library can end the process."""
    facts = probe()
    trt = load_tensorrt(facts)
    return trt, facts, identify(order.options, facts, trt.__version__)


def _draft(order: Order) -> Path:
    if order.draft is None:
        raise BundleError(f"{order.engines}: the order to {order.op} names no draft; start it by `partsight build`")
    return order.draft


def _plain(found: Detections) -> dict[str, Any]:
    return {
        "boxes": found.boxes.tolist(),
        "scores": found.scores.tolist(),
        "classes": [found.names[int(number)] for number in found.class_ids],
    }


def _measure(order: Order, tell: Tell) -> dict[str, Any]:
    """The check, and what `selftest` wants to know beside: see `measuring`."""
    checked = _check(order, tell)
    _, _, identity = _here(order)
    engine = EngineStore(order.engines).verified(_draft(order), identity, unchecked=True)
    tell({"event": "checked", **checked})
    return measure(order.spec, engine, order.soak_s, tell)


OPS: dict[str, Callable[[Order, Tell], dict[str, Any]]] = {
    "look": _look,
    "build": _build,
    "check": _check,
    "measure": _measure,
}


# --- the process ------------------------------------------------------------------------------------


def main(arguments: Sequence[str]) -> int:
    """0 where the last line into the pipe is `done` or `error`."""
    pipe, parent = int(arguments[0]), int(arguments[1])
    _die_with(parent)
    os.nice(NICE)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    with os.fdopen(pipe, "w", encoding="utf-8") as out:

        def tell(message: Mapping[str, Any]) -> None:
            out.write(json.dumps(message) + "\n")
            out.flush()

        try:
            order = Order.model_validate_json(sys.stdin.readline())
            done = OPS[order.op](order, tell)
        except PartsightError as problem:
            tell({"event": "error", "kind": _kind(problem), "text": str(problem)})
        except OSError as problem:
            place = f"{problem.filename}: " if problem.filename else ""
            told = f"{place}{problem.strerror or problem}; free space, or look at the disk (dmesg)"
            tell({"event": "error", "kind": "backend", "text": told})
        else:
            tell({"event": "done", **done})
    return 0


def _kind(problem: PartsightError) -> str:
    """The branch of the error tree, for the process that started this one."""
    if isinstance(problem, BundleError):
        return "bundle"
    return "backend" if isinstance(problem, BackendUnavailable) else "detector"


def _die_with(parent: int) -> None:
    """The kernel kills this process when its parent dies, however that dies (prctl(2))."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the call
        sys.exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
