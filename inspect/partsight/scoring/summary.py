"""From judged parts and their truth to the figures of `judge`: verdicts, detection scores, escapes, overkills."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from partsight.domain.detections import Detections
from partsight.domain.verdict import Result
from partsight.scoring.bounds import Rate, rate_of
from partsight.scoring.matching import DEEPPCB_IOU, match
from partsight.scoring.metrics import (
    ImageOutcome,
    Outcome,
    Rates,
    ap_by_class,
    found_at,
    gather,
    mean_ap,
    rates_at,
)
from partsight.scoring.samples import Sample


@dataclass(frozen=True, slots=True)
class ScoredPart:
    """One judged part beside its truth.

    detections: down to the model's floor; None where the image could not be read, so that all its defects
    count as missed. size: (width, height) in pixels, None with it. latency_ms: frame to verdict, None
    where no frame came.
    """

    sample: Sample
    result: Result
    code: int
    detections: Detections | None
    size: tuple[int, int] | None
    latency_ms: float | None


@dataclass(frozen=True, slots=True)
class DetectionScore:
    """Boxes against annotated defects, over the parts that are annotated and `scored`.

    rates: at the thresholds given. ap: by class name, from all boxes down to the model's floor.
    missed: annotated defects that no box from its threshold on has found.
    """

    parts: int
    rates: Rates
    ap: Mapping[str, float]
    map: float | None
    missed: Rate | None


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from the frame to its verdict."""

    p50: float
    p95: float
    p99: float
    max: float


@dataclass(frozen=True, slots=True)
class Summary:
    """Everything that `judge` says of a set of parts.

    detection: None without an annotated part. escapes: bad parts that would pass. overkills: good parts
    that would not. overkills_by: the latter by verdict. Either is None without a part of its kind.
    """

    parts: int
    unannotated: int
    verdicts: Mapping[str, int]
    codes: Mapping[int, int]
    detection: DetectionScore | None
    escapes: Rate | None
    overkills: Rate | None
    overkills_by: Mapping[str, int] | None
    latency_ms: Latency | None


def summarise(
    parts: Sequence[ScoredPart], classes: Sequence[str], thresholds: Sequence[float], iou: float = DEEPPCB_IOU
) -> Summary:
    """All figures of `parts`, judged by one model with these `classes`.

    thresholds: by class id, the score from which a box counts as a defect; infinity for a class that the
    recipe does not use.
    """
    good = [part for part in parts if part.sample.good is True]
    bad = [part for part in parts if part.sample.good is False]
    rejected = Counter(part.result.value for part in good if part.result is not Result.OK)
    return Summary(
        parts=len(parts),
        unannotated=sum(not part.sample.annotated for part in parts),
        verdicts={result.value: sum(part.result is result for part in parts) for result in Result},
        codes=dict(Counter(part.code for part in parts if part.result is not Result.OK).most_common()),
        detection=_detection(parts, classes, thresholds, iou),
        escapes=rate_of([part.result is Result.OK for part in bad], [part.sample.group for part in bad]),
        overkills=rate_of([part.result is not Result.OK for part in good], [part.sample.group for part in good]),
        overkills_by={r.value: rejected[r.value] for r in Result if r is not Result.OK} if good else None,
        latency_ms=_latency([part.latency_ms for part in parts if part.latency_ms is not None]),
    )


def _detection(
    parts: Sequence[ScoredPart], classes: Sequence[str], thresholds: Sequence[float], iou: float
) -> DetectionScore | None:
    scored = [part for part in parts if part.sample.annotated and part.sample.scored]
    if not scored:
        return None
    # A defect of a class that the model does not know can only be missed.
    names = [*classes, *sorted({name for p in scored for name in p.sample.names} - set(classes))]
    limits = [*thresholds, *[math.inf] * (len(names) - len(classes))]
    outcome = gather(_matched(scored, names, iou))
    by_class = ap_by_class(outcome, names)
    return DetectionScore(
        parts=len(scored),
        rates=rates_at(outcome, limits),
        ap=by_class,
        map=mean_ap(by_class),
        missed=_missed(outcome, limits, scored),
    )


def _missed(outcome: Outcome, limits: Sequence[float], scored: Sequence[ScoredPart]) -> Rate | None:
    groups = [scored[image].sample.group for image in outcome.truth_image]
    return rate_of(~found_at(outcome, limits), groups)


def _matched(scored: Sequence[ScoredPart], names: Sequence[str], iou: float) -> Iterator[ImageOutcome]:
    places = {name: place for place, name in enumerate(names)}
    nothing = (np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int32))
    for part in scored:
        found, sample = part.detections, part.sample
        boxes, scores, class_ids = (found.boxes, found.scores, found.class_ids) if found is not None else nothing
        truth_ids = np.array([places[sample.names[c]] for c in sample.class_ids], dtype=np.int32)
        # Without a size there is no detection either: any size gives the same answer.
        truths: npt.NDArray[np.float64] = sample.boxes_px(*(part.size or (1, 1)))
        yield scores, class_ids, truth_ids, match(boxes, scores, class_ids, truths, truth_ids, iou=iou)


def _latency(values: Sequence[float]) -> Latency | None:
    if not values:
        return None
    p50, p95, p99 = (float(v) for v in np.percentile(np.asarray(values), [50, 95, 99]))
    return Latency(p50, p95, p99, max(values))
