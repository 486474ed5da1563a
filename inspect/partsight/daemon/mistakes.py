"""Every mistake of a configuration and of all that it names, also those that another mistake hides.

Reading in order stops at the station's file where that does not hold, and cannot read a recipe without its model. A
site that corrects one file after the other needs as many tries as it has files (rule 9), so what can be read is
looked at part by part here. Nothing is opened and no device is touched.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
from pydantic import ValidationError

from partsight import registry
from partsight.api.settings import ApiSettings
from partsight.config.reading import mistakes_of, read_toml
from partsight.config.recipe import read_recipe
from partsight.daemon.places import find_bundle, find_recipe
from partsight.domain.errors import BundleError, CameraUnavailable, ConfigError, Mistake
from partsight.models import bundle as bundles
from partsight.models.card import CARD, read_card


def mistakes_in(path: Path, refused: ConfigError) -> list[Mistake]:
    """All of them, each once, the station's file first. `refused`: what reading in order has found."""
    found = list(refused.mistakes)
    try:
        raw = read_toml(path)
    except ConfigError:
        return found
    classes, of_bundle = _bundle(raw, path)
    # What reading in order says of the bundle as one text is said here as one mistake a file.
    found = [mistake for mistake in found if mistake.key != "model.bundle" or not of_bundle]
    found += [*_cameras(raw, path), *_backend(raw, path), *of_bundle, *_recipe(raw, path, classes), *_api(raw, path)]
    return _without_echoes(list(dict.fromkeys(found)))


def _without_echoes(found: list[Mistake]) -> list[Mistake]:
    """pydantic does not count the items of an array that have mistakes, and then calls the array too short."""
    return [
        mistake
        for mistake in found
        if "after validation, not 0" not in mistake.problem
        or not any(other.file == mistake.file and other.key.startswith(f"{mistake.key}[") for other in found)
    ]


def _table(values: object, key: str) -> Mapping[str, Any]:
    """The table `key` of `values`; an empty one where it is something else."""
    table = values.get(key) if isinstance(values, Mapping) else None
    return table if isinstance(table, Mapping) else {}


def _tables(values: object, key: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The tables of the array `key`, counted from 1 as people do."""
    array = values.get(key) if isinstance(values, Mapping) else None
    for number, table in enumerate(array if isinstance(array, list) else [], 1):
        if isinstance(table, Mapping):
            yield number, table


# --- the station's file -----------------------------------------------------------------------------


def _cameras(raw: Mapping[str, Any], path: Path) -> Iterator[Mistake]:
    for number, table in _tables(raw, "cameras"):
        key, name = f"cameras[{number}]", table.get("driver")
        if not isinstance(name, str):
            continue
        try:
            driver = registry.camera_driver(name)
        except CameraUnavailable as error:
            yield Mistake(str(path), f"{key}.driver", str(error))
            continue
        try:
            driver.Settings.model_validate(_table(table, "settings"))
        except ValidationError as error:
            yield from mistakes_of(error, str(path), f"{key}.settings")


def _backend(raw: Mapping[str, Any], path: Path) -> Iterator[Mistake]:
    name = _table(raw, "model").get("backend", "auto")
    known = ("auto", *registry.detector_names())
    if isinstance(name, str) and name not in known:
        yield Mistake(str(path), "model.backend", f"{name!r} is unknown", f"one of {', '.join(known)}")


def _api(raw: Mapping[str, Any], path: Path) -> Iterator[Mistake]:
    """The table's own mistakes; whether strangers would be let in is known only once the data folder is."""
    table = raw.get("api")
    if not isinstance(table, Mapping):
        return
    try:
        ApiSettings.model_validate(table)
    except ValidationError as error:
        yield from mistakes_of(error, str(path), "api")


def _bundle(raw: Mapping[str, Any], path: Path) -> tuple[tuple[str, ...] | None, list[Mistake]]:
    """The model's classes, None where its card cannot be read; what is wrong with the bundle."""
    name = _table(raw, "model").get("bundle")
    if not isinstance(name, str):
        return None, []
    try:
        folder = find_bundle(name, path.resolve().parent)
        classes = read_card(folder / CARD).classes
    except BundleError as error:
        return None, _lines(error, path)
    try:
        bundles.load(folder)
    except BundleError as error:
        return classes, _lines(error, path)
    return classes, []


def _lines(error: BundleError, path: Path) -> list[Mistake]:
    return [Mistake(str(path), "model.bundle", line) for line in str(error).splitlines()]


# --- the recipe -------------------------------------------------------------------------------------


def _recipe(raw: Mapping[str, Any], path: Path, classes: tuple[str, ...] | None) -> Iterator[Mistake]:
    name = _table(raw, "station").get("recipe")
    if not isinstance(name, str):
        return
    try:
        file = find_recipe(name, path.resolve().parent)
        values = read_toml(file)
    except ConfigError as error:
        yield from error.mistakes
        return
    try:
        read_recipe(file)
    except ConfigError as error:
        yield from error.mistakes
    for key, picture in _pictures(values):
        if (problem := _unreadable(file.parent / picture)) is not None:
            yield Mistake(str(file), key, f"picture {picture!r} {problem}")
    if classes is None:
        return
    cure = f"the model knows {', '.join(classes)}"
    for key, wanted, problem in _class_names(values):
        if wanted not in classes:
            yield Mistake(str(file), key, problem, cure)


def _pictures(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(key, picture) of each picture that a recipe names, whatever else is wrong in it."""
    for v, view in _tables(values, "views"):
        named = [
            (f"alignment.fiducials[{i}].picture", mark.get("picture"))
            for i, mark in _tables(view.get("alignment"), "fiducials")
        ]
        named.append(("likeness.picture", _table(view, "likeness").get("picture")))
        named += [(f"features[{i}].picture", feature.get("picture")) for i, feature in _tables(view, "features")]
        yield from ((f"views[{v}].{key}", picture) for key, picture in named if isinstance(picture, str))


def _unreadable(picture: Path) -> str | None:
    """Why not, in the words of `load_recipe`, so that the same mistake is not told twice; None where it can."""
    try:
        picture.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the name
        return f"cannot be read: {error}"
    try:
        there = cv2.haveImageReader(str(picture))
    except cv2.error as error:
        return f"cannot be read: {error}"
    return None if there else "is not an image that OpenCV reads"


def _class_names(values: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """(key, class, what to say of it where the model has no such class)."""
    for name in _table(values, "classes"):
        yield f"classes.{name}", str(name), "is not a class of the model"
    for v, view in _tables(values, "views"):
        for r, region in _tables(view, "regions"):
            of_region = region.get("classes")
            for name in of_region if isinstance(of_region, list) else []:
                yield f"views[{v}].regions[{r}].classes", str(name), f"{name!r} is not a class of the model"
        for f, feature in _tables(view, "features"):
            if isinstance(counted := feature.get("class"), str):
                yield f"views[{v}].features[{f}].class", counted, f"{counted!r} is not a class of the model"
