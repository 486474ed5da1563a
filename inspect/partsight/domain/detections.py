"""What a detector found in one frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class ModelRef:
    """Which model spoke: enough to run it again on the same pixels."""

    name: str
    sha256: str
    backend: str
    precision: str


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """Boxes of one frame as columns, validated once and read-only.

    boxes: (n, 4) float32, x1 y1 x2 y2 in frame pixels.
    scores: (n,) float32 in 0..1.
    class_ids: (n,) int32, indices into `names`.
    Kept down to the model's floor, below the recipe's thresholds, so that a threshold can be tried on the past.
    """

    boxes: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    class_ids: npt.NDArray[np.int32]
    names: tuple[str, ...]
    model: ModelRef

    def __post_init__(self) -> None:
        n = len(self.scores)
        if self.boxes.shape != (n, 4) or self.boxes.dtype != np.float32:
            raise ValueError(f"boxes are {self.boxes.dtype} {self.boxes.shape}; float32 ({n}, 4) expected")
        if self.scores.shape != (n,) or self.scores.dtype != np.float32:
            raise ValueError(f"scores are {self.scores.dtype} {self.scores.shape}; float32 ({n},) expected")
        if self.class_ids.shape != (n,) or self.class_ids.dtype != np.int32:
            raise ValueError(f"class_ids are {self.class_ids.dtype} {self.class_ids.shape}; int32 ({n},) expected")
        if n and not (np.isfinite(self.boxes).all() and np.isfinite(self.scores).all()):
            raise ValueError("boxes or scores hold a NaN or an infinity: the model's output cannot be trusted")
        if n and not (int(self.class_ids.min()) >= 0 and int(self.class_ids.max()) < len(self.names)):
            raise ValueError(f"class ids reach {int(self.class_ids.max())}; the model names {len(self.names)} classes")
        for column in (self.boxes, self.scores, self.class_ids):
            column.flags.writeable = False

    def __len__(self) -> int:
        return len(self.scores)

    @classmethod
    def none(cls, names: tuple[str, ...], model: ModelRef) -> Detections:
        """No box at all."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int32), names, model)
