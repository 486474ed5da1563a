"""Where models, recipes and ready configurations are looked for."""

from __future__ import annotations

from pathlib import Path

from partsight.config.reading import with_home
from partsight.config.station import StationConfig
from partsight.domain.errors import BundleError, ConfigError, Mistake
from partsight.models import bundle as bundles
from partsight.recipes.shelf import Shelf


def find_bundle(name: str, beside: Path) -> Path:
    """A bundle by name or path; a relative path counts from the folder `beside`. Raises BundleError."""
    try:
        is_beside = "/" in name and (beside / name).is_dir()
    except OSError as error:
        raise BundleError(
            f"there is no model bundle {name!r}: {error.strerror}; give a bundle's name or folder"
        ) from error
    return bundles.find(beside / name if is_beside else name)


def find_recipe(name: str, beside: Path) -> Path:
    """A recipe by path (relative to the folder `beside`) or by the name of one that comes with partsight.

    Raises ConfigError that says where it looked.
    """
    try:
        candidates = [beside / with_home(name), beside / "recipes" / f"{name}.toml"]
        candidates += [place / "recipes" / f"{name}.toml" for place in configuration_places()]
        for candidate in candidates:
            if candidate.is_file():
                return candidate
    except (OSError, ValueError) as error:
        # A name that is too long, a folder that may not be entered, a user that is not here.
        raise ConfigError([Mistake(name, "", f"there is no such recipe: {error}", "name it by its path")]) from error
    looked = ", ".join(str(c) for c in candidates)
    raise ConfigError([Mistake(name, "", "there is no such recipe", f"looked at {looked}")])


def recipe_shelf(configuration: Path, config: StationConfig) -> Shelf:
    """Every recipe that this station may select."""
    file = configuration.resolve()
    return Shelf(file, config.station.recipe, recipe_folders(file.parent))


def recipe_folders(beside: Path) -> tuple[Path, ...]:
    """Where recipes are looked for by name, in order; the first is the site's own."""
    return (beside / "recipes", *(place / "recipes" for place in configuration_places()))


def configuration_places() -> tuple[Path, ...]:
    """Where the configurations lie that come with partsight: beside the model bundles."""
    return tuple(place.parent / "configs" for place in bundles.places())
