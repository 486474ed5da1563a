"""Boards to train on: copper masks with their defects, in groups of like boards."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

CLASSES = ("open", "short", "mousebite", "spur", "copper", "pin-hole")
OPEN, SHORT, MOUSEBITE, SPUR, COPPER, PIN_HOLE = range(6)
MARGIN_PX = 10
"""DeepPCB's boxes stand this far off the defect on each side, whatever its size."""

Mask = NDArray[np.uint8]
"""A binary image (h, w): 1 is copper, 0 is none."""


@dataclass(frozen=True, slots=True)
class Board:
    """One board: its image, the same without defects, and what is wrong with it.

    Pixels are uint8 (h, w), copper dark. Boxes are float32 (n, 4), x1 y1 x2 y2 in pixels.
    """

    name: str
    group: str
    image: NDArray[np.uint8]
    template: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    class_ids: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class BoardSet:
    """Boards to learn from and, of other groups, boards to choose by."""

    train: tuple[Board, ...]
    held_out: tuple[Board, ...] = field(default=())


def read_deeppcb(root: Path, split: str) -> list[Board]:
    """Read the pairs of `split` ("trainval" or "test") of the DeepPCB folder `root`."""
    base = root / "PCBData" if (root / "PCBData").is_dir() else root
    lines = (base / f"{split}.txt").read_text(encoding="utf-8").split("\n")
    return [_read_pair(base, *line.split()) for line in lines if line.strip()]


def _read_pair(base: Path, image: str, annotation: str) -> Board:
    stem = base / image.removesuffix(".jpg")
    rows = [[int(n) for n in line.split()] for line in (base / annotation).read_text().splitlines() if line.strip()]
    table = np.array([row for row in rows if row[4] > 0], dtype=np.int64).reshape(-1, 5)
    return Board(
        name=Path(image).stem,
        group=Path(image).parts[0],
        image=_read_mono(Path(f"{stem}_test.jpg")),
        template=_read_mono(Path(f"{stem}_temp.jpg")),
        boxes=table[:, :4].astype(np.float32),
        class_ids=table[:, 4] - 1,
    )


def _read_mono(path: Path) -> NDArray[np.uint8]:
    pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if pixels is None:
        raise FileNotFoundError(f"{path}: not a readable image; is the DeepPCB folder complete?")
    return np.asarray(pixels, dtype=np.uint8)


def split_groups(boards: list[Board], held_out: tuple[str, ...]) -> BoardSet:
    """Keep whole groups apart: like boards on both sides would flatter every score."""
    return BoardSet(
        train=tuple(board for board in boards if board.group not in held_out),
        held_out=tuple(board for board in boards if board.group in held_out),
    )


def copper_of(pixels: NDArray[np.uint8]) -> Mask:
    """The copper mask of a board image (copper is dark)."""
    return (pixels < 128).astype(np.uint8)
