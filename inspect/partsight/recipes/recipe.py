"""A recipe file made ready for the line: rules by class id, pictures in memory, one hash over all of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from partsight.config.recipe import ClassRule, RecipeFile, ViewRules, read_recipe
from partsight.domain.errors import ConfigError, Mistake
from partsight.domain.verdict import Action, RecipeRef

Grey = npt.NDArray[np.uint8]

ANY_CAMERA = "*"
DEFAULT_THRESHOLD = 0.5
MAX_PICTURE_PIXELS = 64_000_000


@dataclass(frozen=True, slots=True)
class DefectRule:
    """When boxes of one class count. Sizes: the box's longer side; `min_size` is in mm where `in_mm`."""

    name: str
    threshold: float
    review: float | None
    min_size: float
    in_mm: bool
    ng_count: int | None
    severity: str
    enabled: bool


@dataclass(frozen=True, slots=True)
class Recipe:
    """What `decide` reads.

    rules: one for each class id of the model.
    views: by camera name; `"*"` for every camera that has none of its own.
    pictures: grey uint8 (h, w), by the name that the recipe file gives them.
    """

    ref: RecipeRef
    id: int
    rules: tuple[DefectRule, ...]
    severity_counts: Mapping[str, int]
    review_action: Action
    views: Mapping[str, ViewRules]
    pictures: Mapping[str, Grey]

    def view(self, camera: str) -> ViewRules | None:
        """The rules for this camera, or None where the recipe has none."""
        return self.views.get(camera) or self.views.get(ANY_CAMERA)


def load_recipe(path: Path, classes: Sequence[str], thresholds: Mapping[str, float] | None = None) -> Recipe:
    """Read and compile a recipe for a model with these classes. Raises ConfigError with all mistakes."""
    return compile_recipe(read_recipe(path), path, classes, thresholds)


def compile_recipe(
    file: RecipeFile, path: Path, classes: Sequence[str], thresholds: Mapping[str, float] | None = None
) -> Recipe:
    """Check the recipe against the model's classes and read its pictures, beside the recipe file.

    thresholds: the model card's, used where neither the class nor the defaults give one.
    Raises ConfigError with all mistakes.
    """
    mistakes = [*_unknown_classes(file, path, classes)]
    pictures, contents, unreadable = _read_pictures(file, path)
    mistakes += unreadable
    if mistakes:
        raise ConfigError(mistakes)
    hashed = hashlib.sha256(file.model_dump_json(by_alias=True).encode())
    for name in sorted(contents):
        hashed.update(name.encode() + b"\0" + hashlib.sha256(contents[name]).digest())
    rules = tuple(rule_for(name, file, thresholds or {}) for name in classes)
    for rule in rules:  # what a rule resolved to is part of what was decided
        hashed.update(repr(rule).encode())
    return Recipe(
        ref=RecipeRef(file.name, file.revision, hashed.hexdigest()),
        id=file.id,
        rules=rules,
        severity_counts=file.severity.model_dump(),
        review_action=Action.HOLD if file.review_action == "hold" else Action.REJECT,
        views={view.camera: view for view in file.views},
        pictures=pictures,
    )


def rule_for(name: str, file: RecipeFile, thresholds: Mapping[str, float]) -> DefectRule:
    """What holds for one class: its own table, then the defaults, then the model card's threshold."""
    own, default = file.classes.get(name, ClassRule()), file.defaults
    threshold = _first(own.threshold, default.threshold, thresholds.get(name), DEFAULT_THRESHOLD)
    review = own.review if own.review is not None else default.review
    if own.min_size_px is None and own.min_size_mm is None:
        px, mm = default.min_size_px, default.min_size_mm
    else:
        px, mm = own.min_size_px, own.min_size_mm
    return DefectRule(
        name=name,
        threshold=threshold,
        review=None if review is None else min(review, threshold),
        min_size=mm if mm is not None else (px or 0.0),
        in_mm=mm is not None,
        ng_count=own.ng_count or default.ng_count,
        severity=own.severity or default.severity or "major",
        enabled=_enabled(own, default),
    )


def _enabled(own: ClassRule, default: ClassRule) -> bool:
    if own.enabled is not None:
        return own.enabled
    return default.enabled if default.enabled is not None else True


def _first(*values: float | None) -> float:
    return next(value for value in values if value is not None)


def _unknown_classes(file: RecipeFile, path: Path, classes: Sequence[str]) -> list[Mistake]:
    cure = f"the model knows {', '.join(classes)}"
    found = [
        Mistake(str(path), f"classes.{name}", "is not a class of the model", cure)
        for name in file.classes
        if name not in classes
    ]
    for v, view in enumerate(file.views, 1):
        for r, region in enumerate(view.regions, 1):
            found += [
                Mistake(str(path), f"views[{v}].regions[{r}].classes", f"{name!r} is not a class of the model", cure)
                for name in region.classes
                if name not in classes
            ]
        for f, feature in enumerate(view.features, 1):
            if feature.class_name is not None and feature.class_name not in classes:
                place = f"views[{v}].features[{f}].class"
                found.append(Mistake(str(path), place, f"{feature.class_name!r} is not a class of the model", cure))
    return found


def _read_pictures(file: RecipeFile, path: Path) -> tuple[dict[str, Grey], dict[str, bytes], list[Mistake]]:
    pictures: dict[str, Grey] = {}
    contents: dict[str, bytes] = {}
    mistakes: list[Mistake] = []
    for key, name in picture_names(file):
        if name in pictures:
            continue
        try:
            contents[name] = (path.parent / name).read_bytes()
            picture = cv2.imdecode(np.frombuffer(contents[name], np.uint8), cv2.IMREAD_GRAYSCALE)
        except (OSError, ValueError, cv2.error) as error:  # ValueError: a NUL character in the name
            mistakes.append(Mistake(str(path), key, f"picture {name!r} cannot be read: {error}"))
            continue
        if picture is None or picture.size > MAX_PICTURE_PIXELS:
            mistakes.append(Mistake(str(path), key, f"picture {name!r} is not an image that OpenCV reads"))
            continue
        if min(picture.shape) < 8:
            mistakes.append(Mistake(str(path), key, f"picture {name!r} is under 8 pixels wide or high"))
            continue
        pictures[name] = np.ascontiguousarray(picture, np.uint8)
    return pictures, contents, mistakes


def picture_names(file: RecipeFile) -> list[tuple[str, str]]:
    """(key, name) of every picture that the recipe names, relative to its file's folder."""
    names: list[tuple[str, str]] = []
    for v, view in enumerate(file.views, 1):
        if view.alignment is not None:
            fiducials = enumerate(view.alignment.fiducials, 1)
            names += [(f"views[{v}].alignment.fiducials[{i}].picture", f.picture) for i, f in fiducials]
        if view.likeness is not None:
            names.append((f"views[{v}].likeness.picture", view.likeness.picture))
        features = enumerate(view.features, 1)
        names += [(f"views[{v}].features[{i}].picture", f.picture) for i, f in features if f.picture is not None]
    return names
