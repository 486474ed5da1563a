"""Changing a recipe's text as a screen asks, and nothing else of it: comments, order and all other keys stay.

`edited` checks its own work: what comes out means what was asked, or nothing comes out.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT, InlineTable

from partsight.config.reading import validate
from partsight.config.recipe import RecipeFile, Region
from partsight.domain.errors import ConfigError, Mistake
from partsight.recipes.recipe import DefectRule, rule_for
from partsight.wire.screen.recipes import ClassSetting, RecipeSettings, RegionSetting


@dataclass(frozen=True, slots=True)
class ModelSide:
    """What a recipe is read against. thresholds: the card's. floor: scores under it are never seen."""

    classes: tuple[str, ...]
    thresholds: Mapping[str, float] = field(default_factory=dict)
    floor: float = 0.0


def class_settings(file: RecipeFile, model: ModelSide) -> dict[str, ClassSetting]:
    """What holds for each class of the model, wherever the file says it."""
    return {name: _setting(rule_for(name, file, model.thresholds)) for name in model.classes}


def region_settings(file: RecipeFile) -> dict[str, tuple[RegionSetting, ...]]:
    """The regions of each view."""
    return {view.camera: tuple(map(_region_setting, view.regions)) for view in file.views}


def edited(text: str, asked: RecipeSettings, model: ModelSide, revision: int, place: str) -> str:
    """The recipe's text with what was asked, under a new revision. place: the file's name, for mistakes.

    Raises ConfigError with every mistake.
    """
    document = _document(text, place)
    file = validate(RecipeFile, document.unwrap(), place)
    mistakes = [*_class_mistakes(asked, file, model, place), *_region_mistakes(asked, file, model, place)]
    if mistakes:
        raise ConfigError(mistakes)
    try:
        document["revision"] = revision
        _edit_classes(document, file, asked, model, all_keys=False)
        _edit_regions(document, file, asked)
        changed = validate(RecipeFile, document.unwrap(), place)
        if not _as_asked(changed, asked, model):
            # Where a default of the file fills in what was left out: say every key of the class.
            _edit_classes(document, file, asked, model, all_keys=True)
        # What the file says is what counts, not what the document in memory does.
        written = tomlkit.dumps(document)
        changed = validate(RecipeFile, _document(written, place).unwrap(), place)
    except (TOMLKitError, KeyError, TypeError, ValueError) as error:
        raise ConfigError([_by_hand(place, str(error))]) from error
    if not _as_asked(changed, asked, model) or changed.revision != revision or not _else_alike(file, changed, asked):
        raise ConfigError([_by_hand(place, "its layout is one that cannot be edited safely")])
    return written


def with_revision(text: str, revision: int, place: str) -> str:
    """The text under another revision. Raises ConfigError."""
    document = _document(text, place)
    document["revision"] = revision
    return tomlkit.dumps(document)


def with_pictures(text: str, names: Mapping[str, str], place: str) -> str:
    """The text with its pictures under other names. Raises ConfigError."""
    if all(old == new for old, new in names.items()):
        return text
    document = _document(text, place)
    _rename_pictures(document, names)
    return tomlkit.dumps(document)


def values_of(text: str, place: str) -> dict[str, Any]:
    """The plain values of a TOML text. Raises ConfigError."""
    return _document(text, place).unwrap()


def picture_mistakes(names: Sequence[str], place: str) -> list[Mistake]:
    """Pictures that lie outside the recipe's folder cannot be kept with it."""
    cure = "put it beside the recipe, and name it by a path below that folder"
    return [
        Mistake(place, "", f"picture {name!r} lies outside the recipe's folder", cure)
        for name in names
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts
    ]


# --- classes ----------------------------------------------------------------------------------------


def _setting(rule: DefectRule) -> ClassSetting:
    # A band of doubt that ends where it begins is none.
    review = None if rule.review is None or rule.review >= rule.threshold else rule.review
    return ClassSetting(
        threshold=rule.threshold, review=review, min_size=rule.min_size, in_mm=rule.in_mm, enabled=rule.enabled
    )


def _class_mistakes(asked: RecipeSettings, file: RecipeFile, model: ModelSide, place: str) -> list[Mistake]:
    found: list[Mistake] = []
    for name, wanted in asked.classes.items():
        key = f"classes.{name}"
        if name not in model.classes:
            found.append(Mistake(place, key, "is not a class of the model", f"it knows {', '.join(model.classes)}"))
            continue
        if wanted.review is not None and wanted.review > wanted.threshold:
            text = f"{wanted.review:g} is above the threshold {wanted.threshold:g}: the band would be empty"
            found.append(Mistake(place, f"{key}.review", text))
        now = _setting(rule_for(name, file, model.thresholds))
        for what, value, before in (
            ("threshold", wanted.threshold, now.threshold),
            ("review", wanted.review, now.review),
        ):
            if value is not None and value < model.floor and value != before:
                text = f"{value:g} lies under the model's floor {model.floor:g}: no box has so low a score"
                found.append(Mistake(place, f"{key}.{what}", text, f"{model.floor:g} or more"))
    return found


def _normal(wanted: ClassSetting) -> ClassSetting:
    empty = wanted.review is not None and wanted.review >= wanted.threshold
    return wanted.model_copy(update={"review": None if empty else wanted.review})


def _edit_classes(
    document: tomlkit.TOMLDocument, file: RecipeFile, asked: RecipeSettings, model: ModelSide, *, all_keys: bool
) -> None:
    for name, wanted in asked.classes.items():
        now = _setting(rule_for(name, file, model.thresholds))
        goal = _normal(wanted)
        if goal == now:
            continue
        if "classes" not in document:
            document["classes"] = tomlkit.table(is_super_table=True)
        classes: Any = document["classes"]
        if name not in classes:
            classes[name] = tomlkit.inline_table() if isinstance(classes, InlineTable) else tomlkit.table()
        table = classes[name]
        if all_keys or goal.threshold != now.threshold:
            table["threshold"] = goal.threshold
        if all_keys or goal.review != now.review:
            table["review"] = goal.review if goal.review is not None else goal.threshold
        if all_keys or (goal.min_size, goal.in_mm) != (now.min_size, now.in_mm):
            key, other = ("min_size_mm", "min_size_px") if goal.in_mm else ("min_size_px", "min_size_mm")
            table.pop(other, None)
            table[key] = goal.min_size
        if all_keys or goal.enabled != now.enabled:
            table["enabled"] = goal.enabled


# --- regions ----------------------------------------------------------------------------------------


def _region_setting(region: Region) -> RegionSetting:
    # As the file has it, also where it says more than a screen may.
    return RegionSetting.model_construct(
        name=region.name, kind=region.kind, corners=region.corners, classes=region.classes
    )


def _region_mistakes(asked: RecipeSettings, file: RecipeFile, model: ModelSide, place: str) -> list[Mistake]:
    found: list[Mistake] = []
    views = [view.camera for view in file.views]
    for camera, regions in asked.regions.items():
        if camera not in views:
            cure = f"it has views for {', '.join(views)}"
            found.append(Mistake(place, f"regions.{camera}", "the recipe has no view for this camera", cure))
        names = [region.name for region in regions]
        for number, region in enumerate(regions, 1):
            key = f"regions.{camera}[{number}]"
            if names.count(region.name) > 1:
                found.append(Mistake(place, f"{key}.name", f"{region.name!r} is the name of two regions"))
            if _area(region.corners) < 1.0:
                found.append(Mistake(place, f"{key}.corners", f"{region.name!r} covers no pixel"))
            found += [
                Mistake(place, f"{key}.classes", f"{name!r} is not a class of the model")
                for name in region.classes
                if name not in model.classes
            ]
    return found


def _area(corners: Sequence[tuple[float, float]]) -> float:
    """Of the polygon, in square pixels (shoelace formula)."""
    pairs = zip(corners, (*corners[1:], corners[0]), strict=True)
    return abs(sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairs)) / 2


def _edit_regions(document: tomlkit.TOMLDocument, file: RecipeFile, asked: RecipeSettings) -> None:
    tables: Any = document["views"]
    for place, view in enumerate(file.views):
        wanted = asked.regions.get(view.camera)
        if wanted is None or wanted == tuple(map(_region_setting, view.regions)):
            continue
        table = tables[place]
        table.pop("regions", None)
        if not wanted:
            continue
        array = tomlkit.aot() if isinstance(tables, AoT) else tomlkit.array().multiline(True)
        for region in wanted:
            one = tomlkit.table() if isinstance(tables, AoT) else tomlkit.inline_table()
            one["name"], one["kind"] = region.name, region.kind
            one["corners"] = [list(corner) for corner in region.corners]
            if region.classes:
                one["classes"] = list(region.classes)
            array.append(one)
        table["regions"] = array


# --- the whole --------------------------------------------------------------------------------------


def _document(text: str, place: str) -> tomlkit.TOMLDocument:
    try:
        return tomlkit.parse(text)
    except (TOMLKitError, ValueError, RecursionError) as error:
        raise ConfigError([Mistake(place, "", f"is not TOML: {error}")]) from error


def _by_hand(place: str, why: str) -> Mistake:
    return Mistake(place, "", f"cannot be changed from the screen: {why}", "change the file with an editor")


def _as_asked(file: RecipeFile, asked: RecipeSettings, model: ModelSide) -> bool:
    classes, regions = class_settings(file, model), region_settings(file)
    return all(classes[name] == _normal(wanted) for name, wanted in asked.classes.items()) and all(
        regions[camera] == wanted for camera, wanted in asked.regions.items()
    )


def _else_alike(before: RecipeFile, after: RecipeFile, asked: RecipeSettings) -> bool:
    """Nothing changed that was not asked for."""

    def rest(file: RecipeFile) -> RecipeFile:
        views = tuple(v.model_copy(update={"regions": ()}) if v.camera in asked.regions else v for v in file.views)
        classes = {name: rule for name, rule in file.classes.items() if name not in asked.classes}
        return file.model_copy(update={"revision": 1, "views": views, "classes": classes})

    return rest(before) == rest(after)


def _rename_pictures(item: Any, names: Mapping[str, str]) -> None:
    if isinstance(item, MutableMapping):
        for key, value in list(item.items()):
            if key == "picture" and str(value) in names:
                item[key] = names[str(value)]
            else:
                _rename_pictures(value, names)
    elif isinstance(item, list):
        for value in item:
            _rename_pictures(value, names)
