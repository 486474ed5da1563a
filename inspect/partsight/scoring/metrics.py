"""Precision, recall, F-score and average precision over many images.

Average precision is the area under the precision-recall curve by all-point interpolation: at each
recall, the highest precision at that recall or any higher one (as PASCAL VOC does since 2010).
Detections of equal score enter the curve together, so that their order cannot matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from partsight.scoring.matching import Matches

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """All detections and defects of a set of images as columns.

    scores, class_ids, hits: (n,) of the detections. truth_class_ids: (m,) of the defects.
    found_score: (m,) float64, the score of the detection that found the defect, -inf where none did.
    truth_image: (m,) which image (place in the input) the defect lies in.
    """

    scores: Floats
    class_ids: npt.NDArray[np.int64]
    hits: npt.NDArray[np.bool_]
    truth_class_ids: npt.NDArray[np.int64]
    found_score: Floats
    truth_image: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Rates:
    """Counts at a threshold, and what follows from them; None where there is nothing to divide by."""

    true_positives: int
    false_positives: int
    false_negatives: int

    @property
    def precision(self) -> float | None:
        return _ratio(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float | None:
        return _ratio(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def f_score(self) -> float | None:
        """2 P R / (P + R), written so that it is defined as soon as there is a detection or a defect."""
        total = 2 * self.true_positives + self.false_positives + self.false_negatives
        return _ratio(2 * self.true_positives, total)


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


ImageOutcome = tuple[npt.NDArray[np.floating], npt.NDArray[np.integer], npt.NDArray[np.integer], Matches]
"""One image's scores, class ids, truth class ids and its matching."""


def gather(images: Iterable[ImageOutcome]) -> Outcome:
    """Columns over all images."""
    columns: list[list[npt.NDArray[np.generic]]] = [[], [], [], [], [], []]
    for number, (scores, class_ids, truth_class_ids, matches) in enumerate(images):
        padded = np.append(scores.astype(np.float64), -np.inf)  # index -1 (not found) reads the last value
        row = (
            scores,
            class_ids,
            matches.hits,
            truth_class_ids,
            padded[matches.found_by],
            np.full(len(truth_class_ids), number),
        )
        for column, values in zip(columns, row, strict=True):
            column.append(values)
    kinds = (np.float64, np.int64, np.bool_, np.int64, np.float64, np.int64)
    empty: list[npt.NDArray[np.generic]] = [np.zeros(0)]
    return Outcome(*(np.concatenate(c or empty).astype(kind) for c, kind in zip(columns, kinds, strict=True)))


def rates_at(outcome: Outcome, thresholds: Sequence[float]) -> Rates:
    """Counts where a detection counts from its class's threshold on (`score >= threshold`)."""
    limits = np.asarray(thresholds, dtype=np.float64)
    counted = outcome.scores >= limits[outcome.class_ids]
    found = found_at(outcome, thresholds)
    hits = int((outcome.hits & counted).sum())
    return Rates(hits, int(counted.sum()) - hits, int((~found).sum()))


def found_at(outcome: Outcome, thresholds: Sequence[float]) -> npt.NDArray[np.bool_]:
    """(m,) True for each defect that a detection from its class's threshold on has found."""
    limits = np.asarray(thresholds, dtype=np.float64)
    return outcome.found_score >= limits[outcome.truth_class_ids]


def average_precision(scores: Floats, hits: npt.NDArray[np.bool_], truths: int) -> float | None:
    """Area under the precision-recall curve, all-point interpolation; None without a defect."""
    if truths == 0:
        return None
    if len(scores) == 0:
        return 0.0
    _, precision, recall = _curve(scores, hits, truths)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * envelope))


def ap_by_class(outcome: Outcome, names: Sequence[str]) -> dict[str, float]:
    """AP of each class that has a defect in the set, in the order of `names`."""
    found: dict[str, float] = {}
    for class_id, name in enumerate(names):
        mine = outcome.class_ids == class_id
        truths = int((outcome.truth_class_ids == class_id).sum())
        value = average_precision(outcome.scores[mine], outcome.hits[mine], truths)
        if value is not None:
            found[name] = value
    return found


def mean_ap(by_class: dict[str, float]) -> float | None:
    """The mean over classes that have a defect; None without any."""
    return sum(by_class.values()) / len(by_class) if by_class else None


def best_threshold(scores: Floats, hits: npt.NDArray[np.bool_], truths: int) -> tuple[float, float]:
    """The score threshold with the best F-score, and that F-score; the highest such threshold on a tie.

    (1.0, 0.0) where nothing right was detected.
    """
    if len(scores) == 0 or truths == 0 or not hits.any():
        return 1.0, 0.0
    thresholds, precision, recall = _curve(scores, hits, truths)
    f_score = np.divide(2 * precision * recall, precision + recall, out=np.zeros_like(precision), where=recall > 0)
    best = int(f_score.argmax())
    return float(thresholds[best]), float(f_score[best])


def _curve(scores: Floats, hits: npt.NDArray[np.bool_], truths: int) -> tuple[Floats, Floats, Floats]:
    """Thresholds (descending, each once) with precision and recall at each."""
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    right = np.cumsum(hits[order])
    last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    return ranked[last], right[last] / (last + 1.0), right[last] / float(truths)
