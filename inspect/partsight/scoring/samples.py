"""Annotated images: what each reader of annotations gives."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".pgm", ".ppm"})
"""Files that are taken for images; all others in a folder are passed over."""

Boxes = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class AnnotationMistake:
    """An annotation that cannot be used; its image counts as unannotated, never as good.

    line: 1 and up, 0 where the whole file is meant.
    """

    file: Path
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}" if self.line else f"{self.file}: {self.reason}"


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One image and what is really in it.

    group: images of one group are alike (one board type, one lot) and do not count as independent.
    boxes: (n, 4) float64, x1 y1 x2 y2 in pixels, or in 0..1 of width and height where `relative`.
    class_ids: (n,) int32, indices into `names`.
    annotated: False where nothing usable says what is in the image; boxes are then empty and mean nothing.
    scored: counts for precision, recall, F-score and AP. False for DeepPCB's templates, which count for
        overkill only.
    """

    image: Path
    group: str
    boxes: Boxes
    class_ids: npt.NDArray[np.int32]
    names: tuple[str, ...]
    annotated: bool = True
    scored: bool = True
    relative: bool = False

    def __post_init__(self) -> None:
        if self.boxes.shape != (len(self.class_ids), 4):
            raise ValueError(f"{self.image}: boxes {self.boxes.shape} for {len(self.class_ids)} class ids")

    @property
    def good(self) -> bool | None:
        """True without a defect, False with one, None where it is not annotated."""
        return len(self.class_ids) == 0 if self.annotated else None

    def boxes_px(self, width: int, height: int) -> Boxes:
        """(n, 4) in pixels of an image of this size."""
        return self.boxes * np.array([width, height, width, height]) if self.relative else self.boxes


@dataclass(frozen=True, slots=True)
class AnnotatedSet:
    """All images of a source in a fixed order, and every annotation that could not be used.

    form: "deeppcb", "yolo", "coco" or "none".
    """

    form: str
    names: tuple[str, ...]
    samples: tuple[Sample, ...]
    mistakes: tuple[AnnotationMistake, ...] = ()

    @property
    def annotated(self) -> int:
        """How many images have a usable annotation."""
        return sum(sample.annotated for sample in self.samples)


def make_sample(
    image: Path,
    group: str,
    names: tuple[str, ...],
    rows: Sequence[tuple[int, tuple[float, float, float, float]]],
    *,
    scored: bool = True,
    relative: bool = False,
) -> Sample:
    """A Sample of rows (class id, box)."""
    boxes = np.array([box for _, box in rows], dtype=np.float64).reshape(-1, 4)
    class_ids = np.array([class_id for class_id, _ in rows], dtype=np.int32)
    return Sample(image, group, boxes, class_ids, names, scored=scored, relative=relative)


def unannotated(image: Path, group: str, names: tuple[str, ...] = ()) -> Sample:
    """An image of which nothing is known."""
    return Sample(image, group, np.zeros((0, 4)), np.zeros(0, np.int32), names, annotated=False)


def find_images(folder: Path) -> list[Path]:
    """Every image file below `folder`, sorted by path; hidden files and folders are passed over."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in IMAGE_SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    )


def groups_by_folder(images: Iterable[Path]) -> dict[Path, str]:
    """A group for each image: its folder, or, where all lie in one folder, the image itself.

    One folder for all says nothing about which parts are alike; then each counts by itself.
    """
    listed = list(images)
    if len({image.parent for image in listed}) > 1:
        return {image: str(image.parent) for image in listed}
    return {image: image.name for image in listed}
