"""Saving a recipe: the version kept first, its pictures beside it, the file itself replaced last.

Whatever ends the process in between leaves the old file or the new one, whole, with all pictures that it names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from partsight.config.reading import MAX_FILE_BYTES, validate
from partsight.config.recipe import RecipeFile
from partsight.domain.errors import ConfigError, Mistake, PartsightError
from partsight.recipes import editing
from partsight.recipes.editing import ModelSide
from partsight.recipes.recipe import Recipe, compile_recipe, picture_names
from partsight.recipes.shelf import Shelf
from partsight.recipes.versions import By, Content, Versions, write_whole
from partsight.wire.screen.recipes import RecipeSettings


class Stale(PartsightError):
    """Somebody has saved since. newest: the revision that is there now."""

    def __init__(self, newest: int) -> None:
        super().__init__(f"somebody has saved revision {newest} meanwhile: look at it first, then change that one")
        self.newest = newest


@dataclass(frozen=True, slots=True)
class Saved:
    """What was written, and where. before: the recipe's text until then."""

    recipe: Recipe
    file: RecipeFile
    path: Path
    before: RecipeFile


@dataclass(frozen=True, slots=True)
class _Job:
    """A recipe that is about to be saved: where it lies, what it says, where it will lie."""

    path: Path
    file: RecipeFile
    target: Path


class Saver:
    """For one station. Slow: it waits for the disk."""

    def __init__(self, shelf: Shelf, versions: Versions, model: ModelSide) -> None:
        self._shelf = shelf
        self._versions = versions
        self._model = model

    def save(self, name: str, asked: RecipeSettings, base: int, by: By) -> Saved:
        """A new version with what was asked. Raises ConfigError, OSError, Stale (`base` is not the newest)."""
        with self._versions.locked():
            job = self._start(name)
            if job.file.revision != base:
                raise Stale(job.file.revision)
            place = str(job.target)
            text = editing.edited(_text(job.path), asked, self._model, self._next(job.file), place)
            pictures = {n: (job.path.parent / n).read_bytes() for _, n in picture_names(job.file)}
            return self._write(job, text, pictures, by)

    def restore(self, name: str, revision: int, by: By, sha256: str = "") -> Saved:
        """An earlier version as a new one, with its pictures. Raises ConfigError, OSError.

        sha256: which, where a file was changed by hand under the same revision; else the one that was kept first.
        """
        with self._versions.locked():
            job = self._start(name)
            found = [v for v in self._versions.of(name) if v.note.revision == revision]
            kept = next((v for v in reversed(found) if sha256 in ("", v.note.sha256)), None)
            if kept is None:
                raise ConfigError([Mistake(name, "revision", f"revision {revision} is not kept", "choose another")])
            try:
                pictures = {p: self._versions.picture(sha) for p, sha in kept.note.pictures.items()}
            except ValueError as error:
                raise ConfigError([Mistake(str(kept.path), "", str(error), "restore the data folder")]) from error
            text = editing.with_revision(_text(kept.path), self._next(job.file), str(job.target))
            return self._write(job, text, pictures, By(by.who, by.remark or f"revision {revision} again"))

    def _start(self, name: str) -> _Job:
        one = self._shelf.find(name)
        if one.file is None:
            raise ConfigError([Mistake(str(one.path), "", one.problem, "mend the file with an editor first")])
        target = self._shelf.target(one)
        if target.exists() and target.resolve() != one.path.resolve():
            raise ConfigError([Mistake(str(target), "", f"is there already, and is not {name}", "rename that file")])
        # What is about to be replaced may have been put there by hand, and never been on the line.
        recipe = compile_recipe(one.file, one.path, self._model.classes, self._model.thresholds)
        self._versions.keep(one.file, one.path, recipe.ref.sha256, By("", "as it was found"))
        return _Job(one.path, one.file, target)

    def _next(self, file: RecipeFile) -> int:
        return 1 + max(file.revision, *(v.note.revision for v in self._versions.of(file.name)))

    def _write(self, job: _Job, text: str, pictures: Mapping[str, bytes], by: By) -> Saved:
        target, place = job.target, str(job.target)
        names = {name: _free_name(target.parent, name, content) for name, content in pictures.items()}
        text = editing.with_pictures(text, names, place)
        pictures = {names[name]: content for name, content in pictures.items()}
        missing = {name: content for name, content in pictures.items() if not (target.parent / name).exists()}
        file = validate(RecipeFile, editing.values_of(text, place), place)
        mistakes = editing.picture_mistakes(list(missing), place)
        if file.name != job.file.name:
            mistakes.append(Mistake(place, "name", f"is {file.name}, not {job.file.name}"))
        if len(text.encode()) > MAX_FILE_BYTES:
            mistakes.append(Mistake(place, "", "would be larger than 1 MiB", "draw fewer regions"))
        if mistakes:
            raise ConfigError(mistakes)
        for name, picture in missing.items():
            (target.parent / name).parent.mkdir(parents=True, exist_ok=True)
            write_whole(target.parent / name, picture)
        recipe = compile_recipe(file, target, self._model.classes, self._model.thresholds)
        self._versions.keep_content(file, Content(text.encode(), pictures), recipe.ref.sha256, by)
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, text.encode())
        return Saved(recipe, file, target, job.file)


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8-sig")


def _free_name(folder: Path, name: str, content: bytes) -> str:
    """`name`, or one beside it where another picture lies there by now: a second recipe may use that one."""
    place = folder / name
    try:
        if not place.exists() or place.read_bytes() == content:
            return name
    except OSError:
        pass  # unreadable: not ours to replace
    path = PurePosixPath(name)
    return str(path.with_name(f"{path.stem}-{hashlib.sha256(content).hexdigest()[:12]}{path.suffix}"))
