"""Choice by held-out boards: which checkpoint, which head, and the score from which a box counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from ultralytics import YOLO
from ultralytics.utils.nms import non_max_suppression

from partsight.domain.model import OutputFormat
from partsight.scoring.deeppcb import CLASSES
from partsight.scoring.matching import match
from partsight.scoring.metrics import ImageOutcome, Outcome, Rates, ap_by_class, gather, rates_at
from partsight.training.boards import Board, Pixels

FLOOR = 0.05
NMS_IOU = 0.45

Found = NDArray[np.float32]
"""Detections of one image: (n, 6) x1 y1 x2 y2 score class."""
Predict = Callable[[Pixels], dict[OutputFormat, Found]]
"""Detections of one image by each head of a model."""


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """What one head found on boards held out.

    good, bad: (parts, classes) the highest score on each defect-free part and on each with defects, 0 for none.
    """

    outcome: Outcome
    good: NDArray[np.float64]
    bad: NDArray[np.float64]

    @property
    def ap(self) -> dict[str, float]:
        """Average precision by class."""
        return ap_by_class(self.outcome, CLASSES)

    def rates(self, thresholds: Sequence[float]) -> Rates:
        """Boxes, at a threshold for each class."""
        return rates_at(self.outcome, thresholds)

    def overkill(self, thresholds: Sequence[float]) -> float:
        """Share of the good parts that would be rejected."""
        return float((self.good >= np.asarray(thresholds)).any(axis=1).mean())

    def escape(self, thresholds: Sequence[float]) -> float:
        """Share of the parts with defects on which nothing at all would be found."""
        return float(1 - (self.bad >= np.asarray(thresholds)).any(axis=1).mean())


def torch_predictor(checkpoint: Path | str, threads: int = 2, nms_iou: float = NMS_IOU) -> Predict:
    """Both heads of a YOLO26 checkpoint from one pass, in float32; images whose sides are multiples of 32."""
    torch.set_num_threads(threads)
    model: Any = YOLO(str(checkpoint)).model.float().eval()
    head = model.model[-1]

    def predict(image: Pixels) -> dict[OutputFormat, Found]:
        pixels = image if image.ndim == 3 else np.repeat(image[..., None], 3, 2)
        tensor = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))[None].float() / 255
        with torch.inference_mode():
            model.end2end = True
            one, raw = model(tensor)
            model.end2end = False  # the next line wants centres and sizes
            many = non_max_suppression(head._inference(raw["one2many"]), FLOOR, nms_iou, nc=len(CLASSES))
        return {
            OutputFormat.END2END: one[0][one[0, :, 4] > FLOOR].numpy().astype(np.float32),
            OutputFormat.ANCHORS: many[0].numpy().astype(np.float32),
        }

    return predict


def judge_held_out(predict: Predict, boards: Sequence[Board]) -> dict[OutputFormat, HeldOut]:
    """Find the defects of each board, and those that its defect-free template does not have."""
    found = [(predict(board.image), predict(board.template)) for board in boards]
    heads = found[0][0] if found else {}
    return {
        head: HeldOut(
            gather([_matched(image[head], board) for (image, _), board in zip(found, boards, strict=True)]),
            good=np.stack([_highest(template[head]) for _, template in found]),
            bad=np.stack([_highest(image[head]) for image, _ in found]),
        )
        for head in heads
    }


def _matched(found: Found, board: Board) -> ImageOutcome:
    boxes, scores, class_ids = found[:, :4], found[:, 4], found[:, 5].astype(np.int32)
    return scores, class_ids, board.class_ids, match(boxes, scores, class_ids, board.boxes, board.class_ids)


def _highest(found: Found) -> NDArray[np.float64]:
    highest = np.zeros(len(CLASSES))
    np.maximum.at(highest, found[:, 5].astype(int), found[:, 4])
    return highest


def choose_thresholds(held_out: HeldOut, near: float = 0.004, overkill: float = 0.01) -> tuple[float, ...]:
    """A threshold for each class: the middle of the range whose F-score is as good as the best.

    While `overkill` or more of the good parts would be rejected, one class's threshold is raised over one more
    of its false boxes: that one which spares a good part for the fewest found defects.
    """
    grid = np.round(np.arange(0.10, 0.91, 0.01), 2)
    chosen = [_middle(held_out.outcome, class_id, grid, near) for class_id in range(len(CLASSES))]
    while held_out.overkill(chosen) >= overkill:
        chosen = min(_raised(held_out, chosen), key=lambda one: _price(held_out, chosen, one))
    return tuple(chosen)


def _raised(held_out: HeldOut, chosen: list[float]) -> Iterator[list[float]]:
    """For each class the threshold just over the next of its false boxes on good parts."""
    for class_id, threshold in enumerate(chosen):
        highest = held_out.good[:, class_id]
        above = np.sort(highest[highest >= threshold])
        for box in above[:3]:
            yield [*chosen[:class_id], float(np.ceil(100 * box + 0.5) / 100), *chosen[class_id + 1 :]]


def _price(held_out: HeldOut, chosen: Sequence[float], raised: Sequence[float]) -> float:
    """Defects no longer found for each good part spared."""
    lost = held_out.rates(chosen).true_positives - held_out.rates(raised).true_positives
    spared = held_out.overkill(chosen) - held_out.overkill(raised)
    return (lost + 0.5) / max(spared * len(held_out.good), 0.1)


def _middle(outcome: Outcome, class_id: int, grid: NDArray[np.float64], near: float) -> float:
    never = [np.inf] * len(CLASSES)
    f_scores = []
    for threshold in grid:
        one_class = [*never[:class_id], float(threshold), *never[class_id + 1 :]]
        rates = rates_at(outcome, one_class)
        truths = int((outcome.truth_class_ids == class_id).sum())
        counted = rates.true_positives + rates.false_positives
        f_scores.append(2 * rates.true_positives / max(counted + truths, 1))
    within = grid[np.array(f_scores) >= max(f_scores) - near]
    return float(np.round(np.median(within), 2))
