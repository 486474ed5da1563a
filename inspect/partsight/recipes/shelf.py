"""Which recipes there are, and which file each name means.

The configured one comes first, then those beside the configuration, then those that come with partsight: what a name
means is the same after a restart.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from partsight.config.reading import with_home
from partsight.config.recipe import RecipeFile, read_recipe
from partsight.domain.errors import ConfigError, Mistake


@dataclass(frozen=True, slots=True)
class Shelved:
    """A recipe file. name: by which it is selected. file: None where it cannot be read; problem says why.

    shipped: it comes with partsight and is never changed there.
    """

    name: str
    path: Path
    file: RecipeFile | None
    shipped: bool
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Shelf:
    """configuration: its file. configured: what it names as its recipe. folders: searched in order, the first is the
    station's own; the others come with partsight.
    """

    configuration: Path
    configured: str
    folders: tuple[Path, ...]

    @property
    def own(self) -> Path:
        """Where this station's own recipes lie."""
        return self.folders[0]

    def all(self) -> tuple[Shelved, ...]:
        """Every recipe by name; of two with one name the first that is found, which is the one that is selected."""
        found: dict[str, Shelved] = {}
        for path in self._paths():
            one = self._read(path)
            found.setdefault(one.name, one)
        return tuple(sorted(found.values(), key=lambda one: one.name))

    def find(self, name: str) -> Shelved:
        """The recipe of this name. Raises ConfigError."""
        for one in self.all():
            if one.name == name:
                return one
        raise ConfigError([Mistake(name, "", "there is no such recipe", f"looked in {self._looked()}")])

    def find_id(self, recipe_id: int) -> Shelved:
        """The recipe with this integer id, as a PLC selects it; the configured one and own ones first.

        Raises ConfigError.
        """
        names = {one.name: one for one in self.all() if one.file is not None and one.file.id == recipe_id}
        for path in self._paths():
            for one in names.values():
                if one.path == path:
                    return one
        text = "there is no recipe with this id"
        raise ConfigError([Mistake(f"id {recipe_id}", "", text, f"looked in {self._looked()}")])

    def target(self, one: Shelved) -> Path:
        """The file to write where this recipe is saved. Raises ConfigError where it cannot be saved here."""
        path = self.own / one.path.name if one.shipped else one.path
        if self._is_shipped(path):
            text = "this station runs a configuration that comes with partsight, whose recipes stay as they are"
            raise ConfigError([Mistake(str(path), "", text, "make a station of your own: partsight init")])
        there = next((p for p in (path.parent, *path.parent.parents) if p.exists()), path.parent)
        if not os.access(there, os.W_OK):
            raise ConfigError(
                [Mistake(str(path), "", "this folder may not be written to", "give the station the right")]
            )
        return path

    def _paths(self) -> list[Path]:
        paths: list[Path] = []
        try:
            # As a start looks for it: by its path, else by its file's name.
            named = [self.configuration.parent / with_home(self.configured)]
            named += [folder / f"{self.configured}.toml" for folder in self.folders]
            paths += [path.resolve() for path in named if path.is_file()][:1]
        except (OSError, ValueError):
            pass  # no path at all
        paths += [path for folder in self.folders for path in sorted(folder.resolve().glob("*.toml"))]
        return list(dict.fromkeys(paths))

    def _read(self, path: Path) -> Shelved:
        shipped = self._is_shipped(path)
        try:
            file = read_recipe(path)
        except ConfigError as error:
            return Shelved(path.stem, path, None, shipped, "; ".join(map(str, error.mistakes))[:2000])
        return Shelved(file.name, path, file, shipped)

    def _is_shipped(self, path: Path) -> bool:
        return any(path.resolve().is_relative_to(folder.resolve()) for folder in self.folders[1:])

    def _looked(self) -> str:
        return ", ".join(map(str, self.folders))
