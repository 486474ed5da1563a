"""Whether a candidate (a quantised model) finds what the model finds that it would replace, on annotated images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from partsight.scoring.matching import DEEPPCB_IOU, match
from partsight.scoring.samples import Sample

MAX_RECALL_DROP = 0.005
"""Half a point, for each class."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What a model found in one image. boxes: (n, 4) x1 y1 x2 y2 in its pixels; classes: a name for each.

    size: (width, height) of the image in pixels.
    """

    boxes: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    classes: tuple[str, ...]
    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class ClassRecall:
    """One class: its annotated defects, and how many of them each of the two found."""

    name: str
    defects: int
    reference: int
    candidate: int

    @property
    def drop(self) -> float:
        """Recall lost, 0 to 1; negative where the candidate finds more."""
        return (self.reference - self.candidate) / self.defects if self.defects else 0.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both on the same images. new_misses: images with defects in which the reference finds one and the candidate none:
    parts that would now be let out.
    """

    images: int
    classes: tuple[ClassRecall, ...]
    new_misses: tuple[str, ...]

    def objections(self) -> tuple[str, ...]:
        """Why the candidate may not replace the reference; empty where it may."""
        told = [f"class {one.name!r} has no annotated defect, so nothing is known of it" for one in self._unknown()]
        told += [
            f"class {one.name!r}: recall falls by {one.drop * 100:.2f} points ({one.reference} to {one.candidate} of "
            f"{one.defects} defects), {MAX_RECALL_DROP * 100:g} are allowed"
            for one in self.classes
            if one.drop > MAX_RECALL_DROP
        ]
        if self.new_misses:
            told.append(
                f"{len(self.new_misses)} bad parts would now pass that are rejected today: "
                f"{', '.join(self.new_misses[:5])}"
            )
        return tuple(told)

    def _unknown(self) -> list[ClassRecall]:
        return [one for one in self.classes if not one.defects]


def compare(
    samples: Sequence[Sample],
    reference: Sequence[Found],
    candidate: Sequence[Found],
    thresholds: Sequence[tuple[str, float]],
    *,
    iou: float = DEEPPCB_IOU,
) -> Comparison:
    """Hold a candidate against the reference at the same thresholds, (class name, score) for each class.

    Samples that are not annotated are passed over; a defect of a class that the model does not know too.
    """
    rules = _Rules(tuple(name for name, _ in thresholds), dict(thresholds), iou)
    names = rules.names
    counts = np.zeros((3, len(names)), int)
    missed = []
    images = 0
    for sample, before, after in zip(samples, reference, candidate, strict=True):
        if not sample.annotated:
            continue
        images += 1
        of = [sample.names[number] for number in sample.class_ids]
        known = np.array([name in names for name in of], bool)
        truths = np.array([names.index(name) for name in of if name in names], np.int32)
        boxes = sample.boxes_px(*before.size)[known]
        counts[0] += np.bincount(truths, minlength=len(names))
        for row, found in enumerate((before, after), 1):
            counts[row] += np.bincount(truths[rules.hits(found, boxes, truths)], minlength=len(names))
        if len(truths) and rules.counted(before).any() and not rules.counted(after).any():
            missed.append(sample.image.name)
    classes = tuple(ClassRecall(name, *(int(n) for n in counts[:, place])) for place, name in enumerate(names))
    return Comparison(images, classes, tuple(missed))


@dataclass(frozen=True, slots=True)
class _Rules:
    """What counts: from its class's threshold on, with more overlap than `iou`."""

    names: tuple[str, ...]
    limits: dict[str, float]
    iou: float

    def counted(self, found: Found) -> npt.NDArray[np.bool_]:
        """(n,) True for each detection from its threshold on."""
        pairs = zip(found.scores, found.classes, strict=True)
        return np.array([score >= self.limits[name] for score, name in pairs], bool)

    def hits(
        self, found: Found, boxes: npt.NDArray[np.float64], truths: npt.NDArray[np.int32]
    ) -> npt.NDArray[np.bool_]:
        """(m,) True for each defect that a counted detection found."""
        counted = self.counted(found)
        numbers = np.array([self.names.index(name) for name in found.classes], np.int32)[counted]
        return match(found.boxes[counted], found.scores[counted], numbers, boxes, truths, iou=self.iou).found_by >= 0
