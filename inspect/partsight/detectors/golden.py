"""Whether a detector answers a bundle's golden frames as the card's maker saw it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from partsight.domain.detections import Detections
from partsight.domain.errors import BackendUnavailable, BundleError
from partsight.domain.frame import Frame, Grab, PixelFormat
from partsight.domain.model import GoldenFrame, ModelSpec
from partsight.domain.ports import Detector
from partsight.domain.trigger import Trigger, TriggerKind

MAX_ANSWER_BYTES = 1 << 20


class WrongAnswer(BackendUnavailable):
    """The backend calculates something else here. No part may be judged with it."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far an answer may lie from the recorded one: of a score, and the overlap (IoU) that boxes must have."""

    score: float
    iou: float


TOLERANCES: Mapping[str, Tolerance] = MappingProxyType(
    {
        # Golden answers are rounded to 4 digits and 0.01 pixels.
        "fp32": Tolerance(0.01, 0.98),
        "fp16": Tolerance(0.02, 0.98),
        "bf16": Tolerance(0.05, 0.95),
        # Catches a broken engine; whether quantisation costs defects is the accuracy gate's question.
        "int8": Tolerance(0.10, 0.90),
    }
)


@dataclass(frozen=True, slots=True)
class Compared:
    """What was held against the recorded answers: so many frames, so many boxes above their thresholds."""

    frames: int
    boxes: int


def check_golden(detector: Detector, spec: ModelSpec) -> Compared:
    """Answer every golden frame of the card, in the tolerance of the precision that the detector runs in.

    A recorded box above its class's threshold needs a twin, and so does a found one that is above it by more than the
    tolerance. Raises WrongAnswer for the first without, BundleError where a file is not what the card says,
    DetectorError.
    """
    allowed = TOLERANCES[detector.model.precision]
    boxes = 0
    for golden in spec.golden:
        found = detector.detect([golden_frame(golden)])[0]
        boxes += _compare(golden.answer.name, _answer(golden), found, spec.thresholds, allowed)
    return Compared(len(spec.golden), boxes)


def golden_frame(golden: GoldenFrame) -> Frame:
    """The picture as a frame, its bytes what the card says. Raises BundleError."""
    return _decoded(golden.picture, _checked(golden.picture, golden.picture_sha256))


def read_picture(path: Path) -> Frame:
    """Any 8-bit picture as a frame that belongs to no part. Raises BundleError."""
    try:
        return _decoded(path, path.read_bytes())
    except OSError as problem:
        raise BundleError(f"{path}: cannot be read: {problem.strerror}; check its rights") from problem


def _decoded(path: Path, content: bytes) -> Frame:
    # As it lies in the file, as the folder camera reads it: an orientation noted beside the pixels is not applied.
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED) if content else None
    if pixels is None or pixels.dtype != np.uint8 or not (pixels.ndim == 2 or pixels.shape[2:] == (3,)):
        raise BundleError(f"{path}: is no 8-bit picture in grey or colour; convert it, or take it out of the folder")
    return frame_of(np.asarray(pixels, np.uint8), path.name)


def frame_of(pixels: npt.NDArray[np.uint8], name: str = "") -> Frame:
    """A frame that belongs to no part: (h, w) grey or (h, w, 3) BGR."""
    form = PixelFormat.MONO8 if pixels.ndim == 2 else PixelFormat.BGR8
    trigger = Trigger(1, 1, 1, TriggerKind.CALL, datetime.now(timezone.utc), 0, 0)
    return Frame(trigger, "golden", Grab(np.ascontiguousarray(pixels), form, name=name), 0)


def _checked(path: Path, sha256: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as problem:
        raise BundleError(f"{path}: cannot be read: {problem.strerror}; install the bundle again") from problem
    if hashlib.sha256(content).hexdigest() != sha256:
        raise BundleError(f"{path}: is not the file that the card names; install the bundle again")
    return content


def _answer(golden: GoldenFrame) -> dict[str, Any]:
    try:
        answer = json.loads(_checked(golden.answer, golden.answer_sha256)[:MAX_ANSWER_BYTES])
        if len({len(answer[key]) for key in ("boxes", "scores", "classes")}) != 1:
            raise ValueError("boxes, scores and classes are not of one length")
    except (ValueError, KeyError, TypeError, RecursionError) as problem:
        raise BundleError(f"{golden.answer}: is no golden answer: {problem}; make the golden frames again") from problem
    return dict(answer)


def _compare(
    name: str, expected: Mapping[str, Any], found: Detections, thresholds: Mapping[str, float], allowed: Tolerance
) -> int:
    """How many recorded boxes were compared. Raises WrongAnswer."""
    recorded = list(_rows(expected["boxes"], expected["scores"], expected["classes"]))
    given = list(_rows(found.boxes, found.scores, [found.names[int(number)] for number in found.class_ids]))
    due = [row for row in recorded if row.score >= thresholds[row.name]]
    surplus = [row for row in given if row.score > thresholds[row.name] + allowed.score]
    for rows, others, told in (
        (due, given, "is not found again"),
        (surplus, recorded, "is found, which was not recorded,"),
    ):
        for row in rows:
            if not _has_twin(row, others, allowed):
                raise WrongAnswer(
                    f"{name}: {row.name} with score {row.score:.3f} {told} by {found.model.backend} here; "
                    "the backend calculates differently: use another backend, or install its libraries "
                    "(on a GPU: the driver) again"
                )
    return len(due)


@dataclass(frozen=True, slots=True)
class _Row:
    box: npt.NDArray[np.float32]
    score: float
    name: str


def _rows(boxes: Any, scores: Any, names: Sequence[str]) -> Iterator[_Row]:
    for box, score, name in zip(boxes, scores, names, strict=True):
        yield _Row(np.asarray(box, np.float32), float(score), name)


def _has_twin(row: _Row, others: Sequence[_Row], allowed: Tolerance) -> bool:
    return any(
        other.name == row.name
        and abs(other.score - row.score) <= allowed.score
        and iou(row.box, other.box) >= allowed.iou
        for other in others
    )


def iou(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> float:
    """Overlap of two boxes x1 y1 x2 y2: intersection over union."""
    low, high = np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])
    shared = float(np.prod(np.clip(high - low, 0, None)))
    areas = float(np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2]))
    return shared / max(areas - shared, 1e-9)
