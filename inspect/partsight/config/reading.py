"""From a TOML file to a validated, frozen model, with every mistake named by file and key."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import tomlkit
from pydantic import BaseModel, ConfigDict, ValidationError
from tomlkit.exceptions import TOMLKitError

from partsight.domain.errors import ConfigError, Mistake

Model = TypeVar("Model", bound=BaseModel)

MAX_FILE_BYTES = 1024 * 1024
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+\Z")
_VALIDATOR = re.compile(r"function-[a-z]+\[")
"""How pydantic names a step of its own in a mistake's place."""


class Table(BaseModel):
    """A table of a configuration file: frozen, and a key that it does not know is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True, allow_inf_nan=False)


def read_toml(path: Path) -> dict[str, Any]:
    """The file's plain values. Raises ConfigError with the line where the file does not parse."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise ConfigError([Mistake(str(path), "", "is larger than 1 MiB", "is this the right file?")])
        text = content.decode("utf-8-sig")  # Windows' editors put a mark before the first letter
    except FileNotFoundError:
        raise ConfigError([Mistake(str(path), "", "there is no such file")]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Mistake(str(path), "", f"cannot be read: {error}")]) from error
    try:
        return tomlkit.parse(text).unwrap()
    except (TOMLKitError, ValueError, RecursionError) as error:
        raise ConfigError([Mistake(str(path), "", f"is not TOML: {error}")]) from error


def with_home(path: str | Path) -> Path:
    """`path` with a leading `~` or `~user` replaced. Raises ValueError for what can be no path here."""
    if "\0" in str(path):
        raise ValueError("holds a NUL character, which no file's name can")
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise ValueError(f"{path}: there is no such user, or no home folder") from None


def validate(model: type[Model], values: Mapping[str, Any], file: str, prefix: str = "") -> Model:
    """`values` as a `model`. Raises ConfigError with one Mistake for each thing that is wrong."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise ConfigError(mistakes_of(error, file, prefix)) from error


def mistakes_of(error: ValidationError, file: str, prefix: str = "") -> list[Mistake]:
    """pydantic's complaints in a site's words: one Mistake for each."""
    return [
        Mistake(file, _key(prefix, detail["loc"]), _problem(detail["type"], detail["msg"]), _cure(detail["type"]))
        for detail in error.errors(include_url=False, include_input=False)
    ]


def collect(steps: Iterable[Any]) -> list[Mistake]:
    """The mistakes of all `steps` (callables without arguments) that raise ConfigError."""
    found: list[Mistake] = []
    for step in steps:
        try:
            step()
        except ConfigError as error:
            found.extend(error.mistakes)
    return found


def _key(prefix: str, loc: tuple[int | str, ...]) -> str:
    key = prefix
    for part in loc:
        if isinstance(part, int):
            key += f"[{part + 1}]"
        elif not _VALIDATOR.match(part):
            name = part if _BARE_KEY.match(part) else json.dumps(part, ensure_ascii=False)
            key += f".{name}" if key else name
    return key


def _problem(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "is not a key that partsight knows"
    if kind == "missing":
        return "is missing"
    return message.removeprefix("Value error, ").removeprefix("Assertion failed, ")


def _cure(kind: str) -> str:
    return {
        "extra_forbidden": "check the spelling, or remove it",
        "missing": "add it",
    }.get(kind, "")
