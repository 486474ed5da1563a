"""COCO's form: one JSON file of images, annotations and categories."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from partsight.domain.errors import ConfigError, Mistake
from partsight.scoring.samples import (
    AnnotatedSet,
    AnnotationMistake,
    Sample,
    find_images,
    groups_by_folder,
    make_sample,
    unannotated,
)

Row = tuple[int, tuple[float, float, float, float]]


def find_coco(root: Path, split: str | None = None) -> Path | None:
    """The COCO file in `root` or in its folder annotations; the one that names `split` where one is given.

    Raises ConfigError where several fit.
    """
    found = [
        path
        for folder in (root, root / "annotations")
        if folder.is_dir()
        for path in sorted(folder.glob("*.json"))
        if _looks_like_coco(path)
    ]
    fitting = [path for path in found if split is None or split in path.stem or split in path.parent.name]
    if found and len(fitting) != 1:
        names = ", ".join(path.name for path in fitting or found)
        problem = f"{'several' if fitting else 'no'} COCO file fits: {names}"
        raise ConfigError([Mistake(str(root), f"--split {split or ''}".strip(), problem, "name one by --split")])
    return fitting[0] if fitting else None


def _looks_like_coco(path: Path) -> bool:
    """Cheap, so that a large foreign JSON file beside the images costs nothing; a damaged one is reported later."""
    with path.open("rb") as file:
        head = file.read(65536)
    keys = sum(key in head for key in (b'"images"', b'"annotations"', b'"categories"'))
    return (keys >= 1 and b'"info"' in head) or keys >= 2 or b'"file_name"' in head


def read_coco(root: Path, path: Path) -> AnnotatedSet:
    """Every image of the COCO file, then images below `root` that it does not name (unannotated).

    A polygon or mask without a `bbox` and a crowd region leave their image unannotated.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        mistake = AnnotationMistake(path, getattr(problem, "lineno", 0), f"is no readable JSON: {problem}")
        return _nothing_known(root, mistake)
    if not (isinstance(content, dict) and all(isinstance(content.get(k), list) for k in ("images", "categories"))):
        return _nothing_known(root, AnnotationMistake(path, 0, "has no lists 'images' and 'categories'"))
    names, index = _categories(content["categories"])
    mistakes: list[AnnotationMistake] = []
    images = _images(root, path, content["images"], mistakes)
    rows, spoiled = _rows(path, content.get("annotations", []), index, images, mistakes)
    listed = [*images.values()]
    known = {image.resolve() for image in listed}
    others = [image for image in find_images(root) if image.resolve() not in known]
    groups = groups_by_folder([*listed, *others])
    samples: list[Sample] = []
    for key, image in images.items():
        if key in spoiled:
            samples.append(unannotated(image, groups[image], names))
        else:
            samples.append(make_sample(image, groups[image], names, rows.get(key, [])))
    samples += [unannotated(image, groups[image], names) for image in others]
    return AnnotatedSet("coco", names, tuple(samples), tuple(mistakes))


def _nothing_known(root: Path, mistake: AnnotationMistake) -> AnnotatedSet:
    images = find_images(root)
    groups = groups_by_folder(images)
    return AnnotatedSet("coco", (), tuple(unannotated(image, groups[image]) for image in images), (mistake,))


def _categories(entries: Sequence[object]) -> tuple[tuple[str, ...], dict[object, int]]:
    """Names by ascending category id, and category id to index into them."""
    found: dict[int, str] = {}
    for entry in entries:
        if isinstance(entry, Mapping) and isinstance(entry.get("id"), int) and isinstance(entry.get("name"), str):
            found[entry["id"]] = entry["name"]
    ordered = sorted(found)
    return tuple(found[key] for key in ordered), {key: place for place, key in enumerate(ordered)}


def _images(root: Path, path: Path, entries: Sequence[object], mistakes: list[AnnotationMistake]) -> dict[object, Path]:
    images: dict[object, Path] = {}
    for place, entry in enumerate(entries):
        name = entry.get("file_name") if isinstance(entry, Mapping) else None
        key = entry.get("id") if isinstance(entry, Mapping) else None
        if not isinstance(name, str) or not isinstance(key, int):
            mistakes.append(AnnotationMistake(path, 0, f"images[{place}] has no 'id' and 'file_name'; left out"))
        elif key in images:
            mistakes.append(AnnotationMistake(path, 0, f"images[{place}] repeats the id {key}; left out"))
        else:
            images[key] = _locate(root, path, name)
    return images


def _locate(root: Path, path: Path, name: str) -> Path:
    """Where the image lies; the first guess where it is nowhere, so that it is reported as unreadable."""
    guesses = [root / name, root / "images" / name, path.parent / name, root / path.stem / name]
    guesses += [root / word / name for word in path.stem.split("_")]
    return next((guess for guess in guesses if guess.is_file()), guesses[0])


def _rows(
    path: Path,
    entries: object,
    index: Mapping[object, int],
    images: Mapping[object, Path],
    mistakes: list[AnnotationMistake],
) -> tuple[dict[object, list[Row]], set[object]]:
    """Rows by image id, and the ids of images with an annotation that cannot be used."""
    if not isinstance(entries, list):
        mistakes.append(AnnotationMistake(path, 0, "'annotations' is no list"))
        return {}, set(images)
    rows: dict[object, list[Row]] = {}
    spoiled: set[object] = set()
    for place, entry in enumerate(entries):
        key = entry.get("image_id") if isinstance(entry, Mapping) else None
        if not isinstance(key, int) or key not in images:
            mistakes.append(AnnotationMistake(path, 0, f"annotations[{place}] names no known image: {key!r}"))
            continue
        row = _row(entry, index)
        if isinstance(row, str):
            mistakes.append(AnnotationMistake(path, 0, f"annotations[{place}] of {images[key].name}: {row}"))
            spoiled.add(key)
        else:
            rows.setdefault(key, []).append(row)
    return rows, spoiled


def _row(entry: Mapping[object, object], index: Mapping[object, int]) -> Row | str:
    """The row, or what is wrong with the annotation."""
    category, box = entry.get("category_id"), entry.get("bbox")
    if not isinstance(category, int) or category not in index:
        return f"unknown category_id {category!r}"
    if entry.get("iscrowd"):
        return "a crowd region has no single box"
    if not (isinstance(box, list) and len(box) == 4 and all(isinstance(v, int | float) for v in box)):
        return "'bbox' is not four numbers x y width height"
    x, y, width, height = (float(v) for v in box)
    if not all(map(math.isfinite, (x, y, width, height))) or width <= 0 or height <= 0:
        return f"'bbox' {box} has no area"
    return index[category], (x, y, x + width, y + height)
