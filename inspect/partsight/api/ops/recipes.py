"""Saving a recipe and bringing an earlier version back. The active one judges at once, where the station lets it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import JsonValue

from partsight.api.ops import Entry, OpContext, OpRefused, always, arguments
from partsight.api.recipes import library_of_site
from partsight.config.recipe import RecipeFile
from partsight.domain.messages import SelectRecipe
from partsight.recipes.editing import ModelSide, class_settings, region_settings
from partsight.recipes.saving import Saved, Saver, Stale
from partsight.recipes.versions import By
from partsight.wire.screen.message import Request
from partsight.wire.screen.recipes import RecipeRestore, RecipeSave, RecipeSaved


class _Save(Request):
    name: str
    save: RecipeSave


class _Restore(Request):
    name: str
    restore: RecipeRestore


def save(context: OpContext, args: dict[str, Any]) -> JsonValue:
    """`{"name": …, "save": RecipeSave}`; a `RecipeSaved`. Raises ConfigError (422), OpRefused."""
    asked = arguments(_Save, args)
    wanted = asked.save
    by = By(context.who, wanted.remark)
    return _saved(context, asked.name, "save", by, lambda saver: saver.save(asked.name, wanted, wanted.base, by))


def restore(context: OpContext, args: dict[str, Any]) -> JsonValue:
    """`{"name": …, "restore": RecipeRestore}`; a `RecipeSaved`. Raises ConfigError (422), OpRefused."""
    asked = arguments(_Restore, args)
    wanted = asked.restore
    by = By(context.who, wanted.remark)

    def work(saver: Saver) -> Saved:
        return saver.restore(asked.name, wanted.revision, by, wanted.sha256)

    return _saved(context, asked.name, "restore", by, work)


def _saved(context: OpContext, name: str, what: str, by: By, work: Callable[[Saver], Saved]) -> JsonValue:
    library = library_of_site(context.site)
    if not any(one.name == name for one in library.shelf.all()):
        raise OpRefused(404, f"there is no recipe {name}")
    try:
        saved = work(Saver(library.shelf, library.versions, library.model))
    except Stale as stale:
        raise OpRefused(409, str(stale)) from stale
    except OSError as error:
        raise OpRefused(503, f"the recipe cannot be written: {error}") from error
    now = saved.file
    before, after = _difference(_told(saved.before, library.model), _told(now, library.model))
    told: dict[str, JsonValue] = {"remark": by.remark, "sha256": saved.recipe.ref.sha256}
    context.audit(
        f"recipe {what}", {"recipe": f"{name}@{saved.before.revision}", **before}, {**_ref(now), **told, **after}
    )
    selected, text = _select(context, saved)
    context.tell("recipe", {**_ref(now), "who": context.who, "selected": selected})
    detail = library.detail(name, context.station.status().recipe)
    answer = RecipeSaved(**detail.model_dump(), selected=selected, text=text)
    dumped: JsonValue = answer.model_dump(mode="json")
    return dumped


def _select(context: OpContext, saved: Saved) -> tuple[bool, str]:
    """The recipe that judges is replaced by its new version; nothing else is."""
    status = context.station.status()
    if status.recipe.partition("@")[0] != saved.file.name:
        return False, ""
    before = status.recipe
    reply = context.station.command(SelectRecipe(f"{context.source} {context.who}".strip(), saved.file.name))
    context.audit(
        "command recipe", {"recipe": before}, {**_ref(saved.file), "code": int(reply.code), "text": reply.text}
    )
    if reply.ok:
        return True, ""
    return False, f"saved, but {before} still judges: {reply.text}; select {saved.file.name} when the station can"


def _ref(file: RecipeFile) -> dict[str, JsonValue]:
    return {"recipe": f"{file.name}@{file.revision}"}


def _told(file: RecipeFile, model: ModelSide) -> dict[str, Any]:
    classes = {f"classes.{name}": one.model_dump() for name, one in class_settings(file, model).items()}
    regions = {
        f"regions.{camera}": [one.model_dump() for one in several] for camera, several in region_settings(file).items()
    }
    return {**classes, **regions}


def _difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What of both is not alike, for the audit trail."""
    keys = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    return {key: before.get(key) for key in keys}, {key: after.get(key) for key in keys}


OPS: Mapping[str, Entry] = {"recipe.save": Entry(save, always), "recipe.restore": Entry(restore, always)}
