"""Whether a model bundle loads here and answers its golden frames as its card's maker saw it."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import structlog

from partsight.cameras.folder import read_image
from partsight.detectors.auto import choose
from partsight.domain.detections import Detections
from partsight.domain.errors import BundleError
from partsight.domain.frame import Frame
from partsight.domain.trigger import Trigger, TriggerKind
from partsight.models import bundle as bundles

IOU_MIN = 0.98
SCORE_WITHIN = 0.01
"""For float32 on any backend; golden answers are rounded to 4 digits and 0.01 pixels."""


def answer_golden(folder: Path) -> str:
    """Load the bundle with the quickest backend and compare; what was compared, in words.

    A golden answer is `NAME.json` beside `NAME.png`: `boxes` (x1 y1 x2 y2), `scores`, `classes` (names).
    Every answer above its class's threshold needs a twin. Raises BundleError, BackendUnavailable, ImageError.
    """
    # structlog writes to stdout unless told otherwise, and stdout is the result's alone.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    bundle = bundles.load(folder)
    spec = bundle.spec()
    pairs = [(file.with_suffix(".png"), file) for file in bundle.golden() if file.suffix == ".json"]
    compared = 0
    with closing(choose(spec)) as detector:
        for picture, answer in pairs:  # no warming up: nothing is timed
            found = detector.detect([_frame(picture)])[0]
            expected = json.loads(answer.read_text("utf-8"))
            compared += _compare(answer.name, expected, found, [spec.thresholds[name] for name in spec.classes])
        backend = detector.model.backend
    if not pairs:
        return f"loads with {backend}; the bundle has no golden frames to answer"
    return f"loads with {backend}; {len(pairs)} golden frames with {compared} defects answered as recorded"


def _frame(picture: Path) -> Frame:
    grab = read_image(picture)
    if grab.error is not None:
        raise grab.error
    trigger = Trigger(1, 1, 1, TriggerKind.CALL, datetime.now(timezone.utc), 0, 0)
    return Frame(trigger, "golden", grab, 0)


def _compare(name: str, expected: dict[str, Any], found: Detections, thresholds: Sequence[float]) -> int:
    """How many boxes were compared. Raises BundleError for the first without a twin."""
    names = [found.names[int(class_id)] for class_id in found.class_ids]
    limits = dict(zip(found.names, thresholds, strict=True))
    count = 0
    for box, score, class_name in zip(expected["boxes"], expected["scores"], expected["classes"], strict=True):
        if score < limits[class_name]:
            continue
        count += 1
        overlaps = _ious(np.asarray(box, np.float32), found.boxes)
        twin = any(
            overlap >= IOU_MIN and abs(float(of) - score) <= SCORE_WITHIN and also == class_name
            for overlap, of, also in zip(overlaps, found.scores, names, strict=True)
        )
        if not twin:
            raise BundleError(
                f"{name}: {class_name} with score {score:.3f} is not found again here; "
                "the backend calculates differently: try another by --backend, or install the libraries again"
            )
    return count


def _ious(box: npt.NDArray[np.float32], boxes: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Overlap of `box` (4,) with each of `boxes` (n, 4): intersection over union, (n,)."""
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=1)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    ious: npt.NDArray[np.float32] = shared / (np.prod(box[2:] - box[:2]) + areas - shared)
    return ious
