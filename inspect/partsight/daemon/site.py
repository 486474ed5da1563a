"""A station's configuration with all that it names: read, checked against each other, nothing opened yet (rule 9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from partsight import registry
from partsight.api.settings import ApiSettings
from partsight.config.reading import mistakes_of, with_home
from partsight.config.station import CameraTable, StationConfig, read_station
from partsight.daemon.mistakes import mistakes_in
from partsight.daemon.places import find_bundle, find_recipe, recipe_shelf
from partsight.domain.errors import BundleError, CameraUnavailable, ConfigError, Mistake, PartsightError
from partsight.models import bundle as bundles
from partsight.models.bundle import Bundle
from partsight.recipes import Recipe, load_recipe
from partsight.recipes.choice import CURE, Choice, choice_file, read_choice


@dataclass(frozen=True, slots=True)
class Site:
    """Everything that `open_line` needs. camera_settings, output_settings: the validated `Settings` of each
    driver and output, by name. api: None where the site has no API.

    recipe: judges from the start on; recipe_file: where it stands. choice: who has chosen it, where it is not the
    configured one. dropped: a choice that no longer counts, since the configuration names another recipe by now.
    """

    config: StationConfig
    file: Path
    bundle: Bundle
    recipe: Recipe
    camera_settings: Mapping[str, Any]
    output_settings: Mapping[str, Any] = field(default_factory=dict)
    api: ApiSettings | None = None
    recipe_file: Path | None = None
    choice: Choice | None = None
    dropped: Choice | None = None


def load_site(path: Path) -> Site:
    """Read a configuration and all it names. Raises ConfigError with every mistake in all of the files."""
    try:
        return _load(path)
    except ConfigError as error:
        raise ConfigError(mistakes_in(path, error)) from error


def _load(path: Path) -> Site:
    config = read_station(path)
    mistakes: list[Mistake] = []
    settings: dict[str, Any] = {}
    for index, table in enumerate(config.cameras, 1):
        try:
            settings[table.name] = _camera_settings(table, path, f"cameras[{index}]")
        except ConfigError as error:
            mistakes += error.mistakes
    outputs: dict[str, Any] = {}
    for name, raw in config.outputs.items():
        try:
            outputs[name] = registry.output_settings(name).model_validate(raw)
        except ValidationError as error:
            mistakes += mistakes_of(error, str(path), name)
        except PartsightError as error:
            mistakes.append(Mistake(str(path), name, str(error)))
    api = None
    try:
        api = api_settings(config.api, path, config.station.data)
    except ConfigError as error:
        mistakes += error.mistakes
    if config.model.backend not in ("auto", *registry.detector_names()):
        known = ", ".join(("auto", *registry.detector_names()))
        mistakes.append(Mistake(str(path), "model.backend", f"{config.model.backend!r} is unknown", f"one of {known}"))
    bundle = recipe = recipe_path = choice = None
    try:
        bundle = bundles.load(find_bundle(config.model.bundle, path.resolve().parent))
    except BundleError as error:
        mistakes.append(Mistake(str(path), "model.bundle", str(error)))
    try:
        recipe_path = find_recipe(config.station.recipe, path.resolve().parent)
        if bundle is not None:
            recipe = load_recipe(recipe_path, bundle.card.classes, bundle.card.thresholds)
            mistakes += cross_check(config, recipe, path)
        choice = read_choice(config.station.data)
        if choice is not None and choice.configured == config.station.recipe and bundle is not None:
            recipe, recipe_path = _chosen(choice, config, path, bundle)
    except ConfigError as error:
        mistakes += error.mistakes
    if mistakes:
        raise ConfigError(mistakes)
    assert bundle is not None
    assert recipe is not None
    counts = choice is not None and choice.configured == config.station.recipe
    kept, dropped = (choice, None) if counts else (None, choice)
    return Site(config, path, bundle, recipe, settings, outputs, api, recipe_path, kept, dropped)


def _chosen(choice: Choice, config: StationConfig, path: Path, bundle: Bundle) -> tuple[Recipe, Path]:
    """The recipe that was chosen last. Raises ConfigError: the configured one instead would judge another product."""
    try:
        file = recipe_shelf(path, config).find(choice.recipe).path
        recipe = load_recipe(file, bundle.card.classes, bundle.card.thresholds)
        mistakes = cross_check(config, recipe, path)
    except ConfigError as error:
        mistakes = list(error.mistakes)
    if mistakes:
        text = f"{choice.source} chose {choice.recipe} at {choice.at:%Y-%m-%d %H:%M} UTC, and it cannot be used now"
        raise ConfigError([Mistake(str(choice_file(config.station.data)), "recipe", text, CURE), *mistakes])
    return recipe, file


def api_settings(raw: Mapping[str, Any] | None, path: Path, data: Path) -> ApiSettings | None:
    """The `[api]` table, its files' paths resolved; None without one. data: the folder with the users.

    Raises ConfigError: what does not hold, and what would let strangers in.
    """
    if raw is None:
        return None
    try:
        settings = ApiSettings.model_validate(raw).resolved(path.resolve().parent)
    except ValidationError as error:
        raise ConfigError(mistakes_of(error, str(path), "api")) from error
    except ValueError as error:
        raise ConfigError([Mistake(str(path), "api.tls_certificate", str(error), "name it by its path")]) from error
    problems = settings.problems(data, str(path))
    if problems:
        raise ConfigError(problems)
    return settings


def _camera_settings(table: CameraTable, path: Path, key: str) -> Any:
    try:
        driver = registry.camera_driver(table.driver)
    except CameraUnavailable as error:
        raise ConfigError([Mistake(str(path), f"{key}.driver", str(error))]) from error
    try:
        values = {k: _resolved(k, v, path) for k, v in table.settings.items()}
    except ValueError as error:
        raise ConfigError([Mistake(str(path), f"{key}.settings.path", str(error))]) from error
    try:
        return driver.Settings.model_validate(values)
    except ValidationError as error:
        raise ConfigError(mistakes_of(error, str(path), f"{key}.settings")) from error


def _resolved(key: str, value: Any, path: Path) -> Any:
    """A camera's relative `path` counts from the configuration's folder."""
    if key == "path" and isinstance(value, str):
        return str(path.resolve().parent / with_home(value))
    return value


def cross_check(config: StationConfig, recipe: Recipe, path: Path) -> list[Mistake]:
    """What a recipe asks of the cameras and the configuration does not give."""
    mistakes = [
        Mistake(
            str(path),
            f"cameras[{i}].name",
            f"recipe {recipe.ref.name} has no view for camera {camera.name!r}",
            'name it in the recipe\'s [[views]], or use camera = "*" there',
        )
        for i, camera in enumerate(config.cameras, 1)
        if recipe.view(camera.name) is None
    ]
    in_mm = [rule.name for rule in recipe.rules if rule.enabled and rule.in_mm]
    mistakes += [
        Mistake(
            str(path),
            f"cameras[{i}].mm_per_px",
            f"is missing, but recipe {recipe.ref.name} has sizes in mm ({', '.join(in_mm)})",
            "measure a known length in the picture",
        )
        for i, camera in enumerate(config.cameras, 1)
        if in_mm and camera.mm_per_px is None
    ]
    return mistakes
