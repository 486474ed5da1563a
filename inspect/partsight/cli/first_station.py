"""A first configuration as text, and how it comes onto the disk: checked, whole, and never over another file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import tomlkit

from partsight.daemon.site import load_site
from partsight.domain.errors import ConfigError, Mistake
from partsight.domain.trigger import TriggerKind

API_PORT = 8787


@dataclass(frozen=True, slots=True)
class Plan:
    """The answers. Paths are as the configuration will have them."""

    name: str
    data: str
    recipe: str
    deadline_ms: float
    bundle: str
    backend: str
    camera: str
    driver: str
    trigger: TriggerKind
    period_ms: float
    mm_per_px: float | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


def as_written(given: str, folder: Path) -> str:
    """A path that a person gave, as a configuration in `folder` has it: relative to it where it lies below."""
    path = Path(given).expanduser().resolve()
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)


def station_text(plan: Plan) -> str:
    """The commented configuration."""
    document = tomlkit.document()
    document.add(tomlkit.comment("A station of partsight. Try it with `partsight check` and `partsight run`."))
    document.add(tomlkit.comment("Relative paths count from the folder of this file."))
    document.add("schema", tomlkit.item(1))
    for name, table in (("station", _station(plan)), ("model", _model(plan))):
        document.add(tomlkit.nl())
        document.add(name, table)
    document.add(tomlkit.nl())
    cameras = tomlkit.aot()
    cameras.append(_camera(plan))
    document.add("cameras", cameras)
    for name, table in (("trigger", _trigger(plan)), ("images", _images()), ("api", _api())):
        document.add(tomlkit.nl())
        document.add(name, table)
    return tomlkit.dumps(document)


def _station(plan: Plan) -> tomlkit.items.Table:
    table = tomlkit.table()
    table.add("name", plan.name)
    table.add("data", tomlkit.item(plan.data).comment("records and images; one station a folder, on a local disk"))
    table.add("recipe", tomlkit.item(plan.recipe).comment("a recipe's name (recipes/NAME.toml) or file"))
    deadline = tomlkit.item(_number(plan.deadline_ms))
    table.add("deadline_ms", deadline.comment("from the trigger to the last moment at which a pass may leave"))
    return table


def _model(plan: Plan) -> tomlkit.items.Table:
    table = tomlkit.table()
    table.add("bundle", tomlkit.item(plan.bundle).comment("a bundle's name, or its folder"))
    table.add("backend", tomlkit.item(plan.backend).comment("auto takes the quickest that works here"))
    return table


def _camera(plan: Plan) -> tomlkit.items.Table:
    table = tomlkit.table()
    table.add("name", plan.camera)
    table.add("driver", plan.driver)
    if plan.mm_per_px is not None:
        table.add("mm_per_px", plan.mm_per_px)
    else:
        table.add(tomlkit.comment("mm_per_px = 0.05    # the scale, where the recipe has sizes in mm"))
    settings = tomlkit.table()
    for key, value in plan.settings.items():
        settings.add(key, value)
    table.add("settings", settings)
    return table


def _trigger(plan: Plan) -> tomlkit.items.Table:
    table = tomlkit.table()
    kinds = "free-run: the newest frame; folder: each file or frame of a file; timer: each period_ms; call: when asked"
    table.add(tomlkit.comment(kinds))
    table.add("kind", plan.trigger.value)
    if plan.trigger is TriggerKind.TIMER:
        table.add("period_ms", _number(plan.period_ms))
    return table


def _images() -> tomlkit.items.Table:
    table = tomlkit.table()
    table.add(
        tomlkit.comment("NG, REVIEW and INVALID parts are always kept, OK parts by their share; the budget is hard.")
    )
    table.add("budget_mb", 2000)
    table.add("keep_free_mb", 500)
    table.add("ok_share", 0.01)
    return table


def _api() -> tomlkit.items.Table:
    table = tomlkit.table()
    table.add(
        tomlkit.comment("The screen (`partsight gui`) and the wallboard in a browser. Without this table: neither.")
    )
    table.add(
        tomlkit.comment("Without users one may look and acknowledge: partsight users add NAME --role administrator")
    )
    table.add("host", tomlkit.item("127.0.0.1").comment("this machine only; any other address needs TLS and users"))
    table.add("port", tomlkit.item(API_PORT).comment("two stations on one machine need two ports"))
    return table


def _number(value: float) -> int | float:
    return int(value) if value == int(value) else value


def write_station(path: Path, plan: Plan, recipe: Mapping[Path, bytes], *, force: bool) -> list[Path]:
    """Write the configuration, and the recipe's files below its folder; what was written, the configuration last.

    Everything is written under a temporary name beside its place, checked as `partsight check` does, then renamed.
    Raises ConfigError where a file is in the way (without `force`), cannot be written, or would not be accepted.
    """
    folder = path.parent
    files = {**recipe, Path(path.name): station_text(plan).encode()}
    refuse_existing([folder / name for name in files], force=force)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".init-") as made:
            draft = Path(made).resolve()
            for name, content in files.items():
                (draft / name).parent.mkdir(parents=True, exist_ok=True)
                (draft / name).write_bytes(content)
            _try(draft, path, plan, new_recipe=bool(recipe))
            return [_place(draft / name, folder / name, force=force) for name in files]
    except OSError as problem:
        cure = "choose another place, or change the rights of the folder"
        raise ConfigError([Mistake(str(path), "", f"cannot be written: {problem}", cure)]) from problem


def refuse_existing(targets: list[Path], *, force: bool) -> None:
    """Raises ConfigError with every file that is in the way."""
    there = [target for target in targets if target.exists() or target.is_symlink()]
    if there and not force:
        cure = "name another file, or overwrite it by --force"
        raise ConfigError([Mistake(str(target), "", "is there already and was not touched", cure) for target in there])
    if folders := [target for target in there if target.is_dir()]:
        raise ConfigError([Mistake(str(one), "", "is a folder", "name a file") for one in folders])


def _try(draft: Path, path: Path, plan: Plan, *, new_recipe: bool) -> None:
    """Load the draft. Raises ConfigError in the words of the real place."""
    beside = path.resolve().parent / plan.recipe
    recipe = str(draft / "recipes" / f"{plan.recipe}.toml") if new_recipe else plan.recipe
    if not new_recipe and beside.is_file():
        recipe = str(beside)
    trial = draft / f"trial-{path.name}"
    trial.write_text(station_text(replace(plan, recipe=str(recipe))), encoding="utf-8")
    try:
        load_site(trial)
    except ConfigError as error:
        names = [(str(trial), str(path)), (str(draft), str(path.parent))]
        mistakes = []
        for mistake in error.mistakes:
            file = mistake.file
            for mine, real in names:
                file = file.replace(mine, real)
            mistakes.append(replace(mistake, file=file))
        raise ConfigError(mistakes) from error


def _place(draft: Path, target: Path, *, force: bool) -> Path:
    """Give a whole file its name. A link, unlike a rename, fails where the name was taken meanwhile. Raises OSError."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if not force:
        try:
            os.link(draft, target)
        except FileExistsError:
            raise
        except OSError:
            pass  # a file system without links
        else:
            return target
    return draft.replace(target)
