"""Boards to train on: an image, the same board without defects, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from partsight.scoring.deeppcb import CLASSES, read_deeppcb
from partsight.scoring.samples import Sample

OPEN, SHORT, MOUSEBITE, SPUR, COPPER, PIN_HOLE = range(len(CLASSES))
MARGIN_PX = 10
"""DeepPCB's boxes stand this far off the defect on each side, whatever its size."""

Pixels = NDArray[np.uint8]
Mask = NDArray[np.uint8]
"""A binary image (h, w): 1 is copper, 0 is none."""


@dataclass(frozen=True, slots=True, eq=False)
class Board:
    """One board and its defect-free template, copper dark, grey (h, w) or RGB (h, w, 3).

    group: boards of one group are alike. boxes: float32 (n, 4), x1 y1 x2 y2 in pixels.
    """

    name: str
    group: str
    image: Pixels
    template: Pixels
    boxes: NDArray[np.float32]
    class_ids: NDArray[np.int64]


def read_boards(root: Path, split: str) -> list[Board]:
    """The pairs of `split` ("trainval" or "test") of a DeepPCB folder.

    Raises ConfigError where the split is not there, ValueError for an annotation that cannot be used.
    """
    found = read_deeppcb(root, split)
    if found.mistakes:
        raise ValueError("\n".join(map(str, found.mistakes)))
    return [_board(tested, good) for tested, good in zip(found.samples[::2], found.samples[1::2], strict=True)]


def _board(tested: Sample, good: Sample) -> Board:
    return Board(
        name=tested.image.stem,
        group=tested.group,
        image=_read_grey(tested.image),
        template=_read_grey(good.image),
        boxes=tested.boxes.astype(np.float32),
        class_ids=tested.class_ids.astype(np.int64),
    )


def _read_grey(path: Path) -> Pixels:
    pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if pixels is None:
        raise FileNotFoundError(f"{path}: not a readable image; is the DeepPCB folder complete?")
    return np.asarray(pixels, dtype=np.uint8)


def split_groups(boards: Sequence[Board], held_out: Sequence[str]) -> tuple[list[Board], list[Board]]:
    """Boards to learn from, and those of the groups held out.

    Whole groups are kept apart: like boards on both sides would flatter every score.
    """
    learn = [board for board in boards if board.group not in held_out]
    return learn, [board for board in boards if board.group in held_out]


def copper_of(pixels: Pixels) -> Mask:
    """The copper mask of a board image (copper is dark)."""
    return (pixels < 128).astype(np.uint8)
