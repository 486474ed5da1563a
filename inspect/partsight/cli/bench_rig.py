"""One part at a time through the way of the station, with a clock at each step: what `bench` measures with."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timezone
from typing import Protocol, runtime_checkable

import numpy as np

from partsight.domain.detections import Detections
from partsight.domain.errors import BackendUnavailable
from partsight.domain.frame import Frame, Grab
from partsight.domain.inspection import Inspection, Timings
from partsight.domain.ports import Detector, Records
from partsight.domain.trigger import Trigger, TriggerKind
from partsight.domain.uid import uuid7
from partsight.recipes import Recipe
from partsight.station.judge import Judge, Judged

CAMERA = "bench"
WARM_UP_PARTS = 5


@runtime_checkable
class BareRunner(Protocol):
    """A detector that can run its model alone."""

    def run_bare(self) -> float:
        """Milliseconds of one inference on an input that is ready: no preprocessing, no decoding."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part's milliseconds.

    verdict: from the frame to a verdict that is recorded on the disk; the steps below are its parts.
    accept: number, trigger and latch. preprocess, infer, decode: as the detector measured them in this very call.
    judge: measuring the image and deciding. record: the durable commit. rest: everything between these.
    detect: preprocess, infer and decode as the judge saw them from outside.
    """

    verdict: float
    accept: float
    preprocess: float
    infer: float
    decode: float
    judge: float
    record: float
    rest: float
    detect: float

    @property
    def overhead(self) -> float:
        """Everything that is not inference."""
        return self.verdict - self.infer


STAGES = tuple(f.name for f in fields(Part) if f.name not in ("verdict", "detect"))


class Rig:
    """The real judge and the real records around a detector. One thread.

    live: check for frozen frames, as the station does for a sensor.
    """

    def __init__(self, detector: Detector, recipe: Recipe, records: Records, *, camera: str, live: bool) -> None:
        if not isinstance(detector, BareRunner):
            raise BackendUnavailable(
                f"backend {detector.model.backend!r} cannot run its model alone, so there is nothing to compare with; "
                "give its detector a run_bare(), as partsight's own have"
            )
        self.detector = detector
        self._bare = detector
        self._records = records
        self._camera = camera
        self._judge = Judge(detector, recipe, live=frozenset({camera} if live else ()))

    def warm_up(self, grabs: Sequence[Grab]) -> None:
        """Run everything a few times, so that the next part is as fast as any."""
        self.detector.warm_up()
        for number in range(WARM_UP_PARTS):
            self.part(grabs[number % len(grabs)])
            self.bare()

    def bare(self) -> float:
        """Milliseconds of the model alone, on the input that lies ready from the part before."""
        return self._bare.run_bare()

    def part(self, grab: Grab) -> Part:
        """One part from its frame to its recorded verdict. Raises DetectorError, RecordsError."""
        arrived = time.perf_counter_ns()
        trigger = self._accept()
        frame = Frame(trigger, self._camera, grab, trigger.at_ns)
        accepted = time.perf_counter_ns()
        judged = self._judge.judge([frame])
        inspection = self._inspection(trigger, frame, judged)
        made = time.perf_counter_ns()
        self._records.commit(inspection)
        recorded = time.perf_counter_ns()
        if judged.error is not None:
            raise judged.error
        times = self.detector.times
        verdict, accept, record = (ns * 1e-6 for ns in (recorded - arrived, accepted - arrived, recorded - made))
        known = accept + times.preprocess_ms + times.infer_ms + times.decode_ms + judged.decide_ms + record
        return Part(
            verdict,
            accept,
            times.preprocess_ms,
            times.infer_ms,
            times.decode_ms,
            judged.decide_ms,
            record,
            verdict - known,
            judged.detect_ms,
        )

    def detections(self, grab: Grab) -> Detections:
        """What the detector finds, unrecorded. Raises DetectorError."""
        trigger = Trigger(0, 1, 1, TriggerKind.CALL, datetime.now(timezone.utc), 0, sys.maxsize)
        return self.detector.detect([Frame(trigger, self._camera, grab, 0)])[0]

    def _accept(self) -> Trigger:
        sequence = self._records.reserve(1)
        now = time.monotonic_ns()
        at = datetime.now(timezone.utc)
        trigger = Trigger(sequence, sequence % 65535 + 1, 1, TriggerKind.FREE_RUN, at, now, sys.maxsize)
        self._records.latch(trigger)
        return trigger

    def _inspection(self, trigger: Trigger, frame: Frame, judged: Judged) -> Inspection:
        timings = Timings(
            frame_ms=0.0,
            start_ms=0.0,
            infer_ms=judged.infer_ms,
            detect_ms=judged.detect_ms,
            decide_ms=judged.decide_ms,
            verdict_ms=(time.monotonic_ns() - trigger.at_ns) * 1e-6,
        )
        return Inspection(
            uid=uuid7(),
            trigger=trigger,
            verdict=judged.verdict,
            views=judged.views,
            timings=timings,
            model=self.detector.model,
            simulated=frame.grab.truth is not None,
            truth=frame.grab.truth,
        )


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """p50, p95, p99 and max, to the microsecond where the values are milliseconds."""
    p50, p95, p99 = np.percentile(values, (50, 95, 99))
    named = {"p50": p50, "p95": p95, "p99": p99, "max": max(values)}
    return {name: round(float(value), 3) for name, value in named.items()}
