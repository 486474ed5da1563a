"""Every version of a recipe that was ever saved or on the line, kept in the data folder.

    recipes/NAME/REVISION.toml   the file as it was    REVISION.json   who, when, remark, hash, pictures by name
    recipes/pictures/SHA256      each picture once

A revision whose file was changed by hand under the same number is kept beside it, as `REVISION-HASH.toml`.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from pydantic import Field, ValidationError

from partsight.config.recipe import RecipeFile
from partsight.recipes.recipe import picture_names
from partsight.wire.message import clean
from partsight.wire.screen.message import Answer, Time

PICTURES = "pictures"
_REVISION = re.compile(r"([0-9]{1,10})(-[0-9a-f]{12})?\Z")


class Note(Answer):
    """What is kept beside a version. text_sha256: of its file; sha256: of the compiled recipe, as in records.
    pictures: sha256 by the name in the file.
    """

    revision: int
    saved: Time
    who: str
    remark: str = ""
    sha256: str = ""
    text_sha256: str
    pictures: dict[str, str] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Version:
    """A version that is kept."""

    note: Note
    path: Path


@dataclass(frozen=True, slots=True)
class By:
    """Who saves, and why."""

    who: str
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Content:
    """A recipe's file and its pictures by the names in it."""

    text: bytes
    pictures: Mapping[str, bytes]


class Versions:
    """Of all recipes of one station. Several threads and processes may use it."""

    def __init__(self, data: Path) -> None:
        self._folder = data / "recipes"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One at a time saves. Raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / ".lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def of(self, name: str) -> tuple[Version, ...]:
        """Newest first. What cannot be read is left out."""
        found: list[Version] = []
        for path in (self._folder / name).glob("*.json"):
            if not _REVISION.match(path.stem):
                continue
            try:
                found.append(Version(Note.model_validate_json(path.read_bytes()), path.with_suffix(".toml")))
            except (OSError, ValidationError):
                continue  # a kept version that is damaged must not hide the others
        return tuple(sorted(found, key=lambda v: (v.note.revision, v.note.saved), reverse=True))

    def keep(self, file: RecipeFile, path: Path, sha256: str, by: By) -> None:
        """Keep the recipe in `path` with its pictures, where it is not kept already. sha256: of the compiled recipe.

        Raises OSError.
        """
        pictures = {name: (path.parent / name).read_bytes() for _, name in picture_names(file)}
        self.keep_content(file, Content(path.read_bytes(), pictures), sha256, by)

    def keep_content(self, file: RecipeFile, content: Content, sha256: str, by: By) -> None:
        """As `keep`, for a file that is not written yet. Raises OSError."""
        folder, text_sha256 = self._folder / file.name, hashlib.sha256(content.text).hexdigest()
        if any(v.note.text_sha256 == text_sha256 and v.note.sha256 == sha256 for v in self.of(file.name)):
            return
        kept = {name: self._keep_picture(one) for name, one in content.pictures.items()}
        note = Note(
            revision=file.revision,
            saved=datetime.now(timezone.utc),
            who=clean(by.who),
            remark=clean(by.remark),
            sha256=sha256,
            text_sha256=text_sha256,
            pictures=kept,
        )
        stem = str(file.revision)
        if (folder / f"{stem}.json").exists():
            stem = f"{stem}-{hashlib.sha256((text_sha256 + sha256).encode()).hexdigest()[:12]}"
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / f"{stem}.toml", content.text)
        write_whole(folder / f"{stem}.json", note.model_dump_json(indent=1).encode())

    def picture(self, sha256: str) -> bytes:
        """Raises OSError, and ValueError where its bytes are others by now."""
        content = (self._folder / PICTURES / sha256).read_bytes()
        if hashlib.sha256(content).hexdigest() != sha256:
            raise ValueError(f"the kept picture {sha256[:12]} is damaged")
        return content

    def _keep_picture(self, content: bytes) -> str:
        sha256 = hashlib.sha256(content).hexdigest()
        place = self._folder / PICTURES / sha256
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            write_whole(place, content)
        return sha256


def write_whole(path: Path, content: bytes) -> None:
    """Durably, whole or not at all; an existing file's rights stay. Raises OSError."""
    draft = path.with_name(f".{path.name}.{os.urandom(6).hex()}.tmp")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o644)
        draft.replace(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        draft.unlink(missing_ok=True)
