"""The record of one part, without its pixels."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from partsight.domain.detections import ModelRef
from partsight.domain.frame import Truth
from partsight.domain.status import Mode
from partsight.domain.trigger import Trigger
from partsight.domain.verdict import Result, Verdict
from partsight.domain.views import View


@dataclass(frozen=True, slots=True)
class Timings:
    """Milliseconds since the trigger unless the name says otherwise; None where a step never came.

    frame_ms: the last view's frame was complete.
    start_ms: the inference thread took the part.
    infer_ms: duration of the detector's inference alone.
    detect_ms: duration of preprocessing, inference and decoding.
    decide_ms: duration of measuring and deciding.
    verdict_ms: the verdict was claimed.
    """

    frame_ms: float | None = None
    start_ms: float | None = None
    infer_ms: float | None = None
    detect_ms: float | None = None
    decide_ms: float | None = None
    verdict_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Inspection:
    """One trigger's verdict with everything that led to it.

    late: what the model said after the deadline had already rejected the part; recorded, never sent.
    simulated: the pixels came from the simulated camera.
    mode: of the station when the verdict was given; in BYPASS the part passed whatever the verdict.
    """

    uid: UUID
    trigger: Trigger
    verdict: Verdict
    views: tuple[View, ...]
    timings: Timings
    model: ModelRef | None
    late: Result | None = None
    simulated: bool = False
    truth: Truth | None = None
    images: tuple[str, ...] = field(default=())
    mode: Mode = Mode.PRODUCTION
