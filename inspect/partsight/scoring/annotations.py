"""Annotations that stand beside images, in DeepPCB's, YOLO's or COCO's form; which one is found out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from partsight.domain.errors import ConfigError, Mistake
from partsight.scoring.coco import find_coco, read_coco
from partsight.scoring.deeppcb import is_deeppcb, read_deeppcb
from partsight.scoring.samples import (
    AnnotatedSet,
    AnnotationMistake,
    Sample,
    find_images,
    groups_by_folder,
    unannotated,
)
from partsight.scoring.yolo import is_yolo, read_one, read_yolo

__all__ = ["AnnotatedSet", "AnnotationMistake", "Sample", "read_annotations"]


def read_annotations(source: Path, split: str | None = None, names: Sequence[str] = ()) -> AnnotatedSet:
    """Every image of `source`, a folder or one image file, with what its annotation says.

    Tried in this order: DeepPCB (split files), COCO (a JSON file), YOLO (label files), none.
    split: which part of the set; DeepPCB's is "test" where none is given, the others then give all.
    names: the model's classes, used where YOLO labels come without any names.
    Raises ConfigError where `source` or the split is not there.
    """
    if source.is_file():
        return read_one(source, names)
    if not source.is_dir():
        raise ConfigError([Mistake(str(source), "", "there is no such file or folder", "name a folder of images")])
    if is_deeppcb(source):
        return read_deeppcb(source, split or "test")
    coco = find_coco(source, split)
    if coco is not None:
        return read_coco(source, coco)
    if is_yolo(source) or split is not None:
        return read_yolo(source, split, names)
    images = find_images(source)
    groups = groups_by_folder(images)
    return AnnotatedSet("none", (), tuple(unannotated(image, groups[image]) for image in images))
