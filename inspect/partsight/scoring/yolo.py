"""YOLO's form: a text file of relative boxes or polygons for each image, class names in data.yaml or classes.txt."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from partsight.domain.errors import ConfigError, Mistake
from partsight.scoring.data_yaml import DataYaml, read_data_yaml
from partsight.scoring.samples import (
    IMAGE_SUFFIXES,
    AnnotatedSet,
    AnnotationMistake,
    Sample,
    find_images,
    groups_by_folder,
    make_sample,
    unannotated,
)

EDGE = 0.01
"""How far a box may stand over the image's edge, in 0..1 of its size, before the line is called wrong."""


def label_path(image: Path) -> Path:
    """Where the label of `image` belongs: in `labels` for its last folder `images`, else beside it."""
    parts = image.parts
    for place in range(len(parts) - 2, -1, -1):
        if parts[place] == "images":
            return Path(*parts[:place], "labels", *parts[place + 1 :]).with_suffix(".txt")
    return image.with_suffix(".txt")


def is_yolo(root: Path) -> bool:
    """True where a data.yaml, a classes.txt or a label of one of the images is there."""
    if _yaml_of(root) or _classes_of(root):
        return True
    return any(_find_label(image).is_file() for image in find_images(root))


def read_yolo(root: Path, split: str | None = None, names: Sequence[str] = ()) -> AnnotatedSet:
    """Every image below `root`, or of one `split` (train, val, test) of its data.yaml.

    names: used where neither data.yaml nor classes.txt gives the classes. An empty label file says
    that nothing is wrong with the part; no label file says nothing at all. Raises ConfigError.
    """
    yaml_path = _yaml_of(root)
    yaml = read_data_yaml(yaml_path) if yaml_path else None
    images = _images_of(root, yaml, split)
    known = yaml.names if yaml and yaml.names else _read_classes(root) or tuple(names)
    groups = groups_by_folder(images)
    mistakes: list[AnnotationMistake] = []
    samples = [read_label(image, _find_label(image), groups[image], known, mistakes) for image in images]
    return AnnotatedSet("yolo", known, tuple(samples), tuple(mistakes))


def _yaml_of(root: Path) -> Path | None:
    for folder in (root, root.parent if root.name == "images" else root):
        for name in ("data.yaml", "data.yml", "dataset.yaml"):
            if (folder / name).is_file():
                return folder / name
    return None


def _classes_of(root: Path) -> Path | None:
    folders = (root, root / "labels", root.parent / "labels", root.parent)
    for folder in folders if root.name == "images" else folders[:2]:
        if (folder / "classes.txt").is_file():
            return folder / "classes.txt"
    return None


def _read_classes(root: Path) -> tuple[str, ...]:
    path = _classes_of(root)
    if path is None:
        return ()
    return tuple(
        line.strip() for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()
    )


def _find_label(image: Path) -> Path:
    path = label_path(image)
    beside = image.with_suffix(".txt")
    return beside if not path.is_file() and beside.is_file() else path


def _images_of(root: Path, yaml: DataYaml | None, split: str | None) -> list[Path]:
    if split is None:
        return find_images(root)
    if yaml is not None and split in yaml.splits:
        return _listed(yaml, split)
    for folder in (root / "images" / split, root / split / "images", root / split):
        if folder.is_dir():
            return find_images(folder)
    have = f"data.yaml has {', '.join(yaml.splits) or 'none'}" if yaml else "there is no data.yaml"
    raise ConfigError([Mistake(str(root), f"--split {split}", "there is no such split", have)])


def _listed(yaml: DataYaml, split: str) -> list[Path]:
    """Images of the folders, image files or list files that the split names."""
    images: list[Path] = []
    for entry in yaml.splits[split]:
        path = yaml.base / entry
        if not path.exists():
            # Exported sets often say ../test/images and are unpacked one folder higher.
            path = yaml.base / entry.replace("../", "", 1)
        if path.is_dir():
            images += find_images(path)
        elif path.suffix.lower() in IMAGE_SUFFIXES:
            images.append(path)
        elif path.is_file():
            lines = path.read_text(encoding="utf-8").splitlines()
            images += [path.parent / line.strip() for line in lines if line.strip()]
        else:
            raise ConfigError([Mistake(str(yaml.file), split, f"there is no {path}", "correct `path` or the split")])
    return sorted(set(images))


def read_one(image: Path, names: Sequence[str] = ()) -> AnnotatedSet:
    """One image file with its label, where it has one."""
    known = _read_classes(image.parent) or tuple(names)
    mistakes: list[AnnotationMistake] = []
    sample = read_label(image, _find_label(image), image.name, known, mistakes)
    return AnnotatedSet("yolo" if sample.annotated or mistakes else "none", known, (sample,), tuple(mistakes))


def read_label(
    image: Path, label: Path, group: str, names: tuple[str, ...], mistakes: list[AnnotationMistake]
) -> Sample:
    """One image with its label file; what cannot be parsed is added to `mistakes`."""
    if not label.is_file():
        return unannotated(image, group, names)
    try:
        lines = label.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        mistakes.append(AnnotationMistake(label, 0, f"cannot be read: {problem}"))
        return unannotated(image, group, names)
    rows = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            rows.append(_parse(line, len(names)))
        except ValueError as problem:
            mistakes.append(AnnotationMistake(label, number, str(problem)))
            return unannotated(image, group, names)
    return make_sample(image, group, names, rows, relative=True)


def _parse(line: str, classes: int) -> tuple[int, tuple[float, float, float, float]]:
    """Class and relative x1 y1 x2 y2 of a box line `c cx cy w h` or a polygon line `c x1 y1 x2 y2 x3 y3 ...`."""
    head, *fields = line.split()
    try:
        class_id, values = int(head), [float(field) for field in fields]
    except ValueError:
        raise ValueError(f"expected a class number and coordinates, found {line.strip()[:60]!r}") from None
    if not 0 <= class_id < classes:
        raise ValueError(f"class is {class_id}; {classes} classes are known")
    if len(values) == 4:
        x, y, width, height = values
        box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    elif len(values) >= 6 and len(values) % 2 == 0:
        box = (min(values[::2]), min(values[1::2]), max(values[::2]), max(values[1::2]))
    else:
        raise ValueError(f"{len(values)} coordinates; 4 of a box or an even number from 6 of a polygon expected")
    if not all(-EDGE <= v <= 1 + EDGE for v in box if math.isfinite(v)) or not all(map(math.isfinite, box)):
        raise ValueError("coordinates leave the image; they must be relative, 0 to 1")
    if box[2] <= box[0] or box[3] <= box[1]:
        raise ValueError("the box has no area")
    return class_id, box
