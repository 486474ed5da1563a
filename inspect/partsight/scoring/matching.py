"""Which detection is which annotated defect: one to one, best score first.

As DeepPCB's authors state their measure: a detection is right only if its IoU with a defect of the same
class is larger than 0.33. Details that their page leaves open, and how it is done here:

- An IoU of exactly the threshold is no match.
- Boxes are continuous: width is x2 - x1, without the `+ 1` of some scripts.
- Detections are taken by descending score; each takes the free defect of its class with the highest IoU.
  A second detection of the same defect is a false one.
- Ties (equal scores, equal IoU) are broken by the boxes' coordinates, so that no order of the input matters.
- Because the best score chooses first, dropping all detections under some threshold changes nothing for
  those above it: one matching serves every threshold, also one for each class.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

DEEPPCB_IOU = 0.33


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """One image's matching.

    partner: (n,) int, for each detection the defect it found, -1 for none.
    found_by: (m,) int, for each defect the detection that found it, -1 for none.
    """

    partner: npt.NDArray[np.intp]
    found_by: npt.NDArray[np.intp]

    @property
    def hits(self) -> npt.NDArray[np.bool_]:
        """(n,) True for detections that found a defect."""
        return self.partner >= 0


def iou_matrix(a: npt.NDArray[np.floating], b: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """(n, m) intersection over union of boxes (n, 4) and (m, 4), x1 y1 x2 y2; 0 where both have no area."""
    left, right = a.astype(np.float64).reshape(-1, 1, 4), b.astype(np.float64).reshape(1, -1, 4)
    sides = np.minimum(left[..., 2:], right[..., 2:]) - np.maximum(left[..., :2], right[..., :2])
    common = np.clip(sides, 0, None).prod(axis=-1)
    areas = [np.clip(boxes[..., 2:] - boxes[..., :2], 0, None).prod(axis=-1) for boxes in (left, right)]
    union = areas[0] + areas[1] - common
    overlap: npt.NDArray[np.float64] = np.divide(common, union, out=np.zeros_like(union), where=union > 0)
    return overlap


def match(
    boxes: npt.NDArray[np.floating],
    scores: npt.NDArray[np.floating],
    class_ids: npt.NDArray[np.integer],
    truth_boxes: npt.NDArray[np.floating],
    truth_class_ids: npt.NDArray[np.integer],
    *,
    iou: float = DEEPPCB_IOU,
) -> Matches:
    """Match one image's detections with its defects; class ids of both are of the same list of names."""
    partner = np.full(len(scores), -1, dtype=np.intp)
    found_by = np.full(len(truth_class_ids), -1, dtype=np.intp)
    overlap = iou_matrix(boxes, truth_boxes)
    overlap[class_ids[:, None] != truth_class_ids[None, :]] = 0.0
    # Defects in the order of their coordinates, so that argmax breaks a tie the same way whatever the input's order.
    columns = np.lexsort(truth_boxes.reshape(-1, 4).T[::-1])
    candidates = np.flatnonzero((overlap > iou).any(axis=1))
    order = np.lexsort((*boxes[candidates].T[::-1], -scores[candidates]))
    for detection in candidates[order]:
        row = np.where(found_by[columns] < 0, overlap[detection, columns], 0.0)
        best = int(row.argmax())
        if row[best] > iou:
            partner[detection] = columns[best]
            found_by[columns[best]] = detection
    return Matches(partner, found_by)
