"""Recipes: which there are, what one says, how the last parts would have been judged, and saving a new version."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import Response

from partsight.api.guard import Refused, client_of, needs
from partsight.api.reading import read
from partsight.api.recipes import Library, library_of_facts, trial_of
from partsight.config.reading import validate
from partsight.config.recipe import RecipeFile
from partsight.domain.errors import ConfigError
from partsight.domain.inspection import Inspection
from partsight.outputs.records import Query, RecordsReader
from partsight.recipes.editing import edited, values_of
from partsight.recipes.recipe import Recipe, compile_recipe
from partsight.recipes.trial import rejudge
from partsight.wire.screen.people import Me, Role
from partsight.wire.screen.recipes import (
    RecipeDetail,
    RecipeRestore,
    RecipeRow,
    RecipeSave,
    RecipeSaved,
    RecipeTry,
    Trial,
)

router = APIRouter(prefix="/recipes", tags=["recipes"])
SAVE_S = 40.0
"""The active one is proven in the lane before the answer comes."""
MAX_REFERENCE_BYTES = 64 << 20
Viewer = Annotated[Me, Depends(needs(Role.VIEWER))]
Engineer = Annotated[Me, Depends(needs(Role.ENGINEER))]
Name = Annotated[str, Path(min_length=1, max_length=128)]
_Found = TypeVar("_Found")


@router.get("")
async def recipes(request: Request, who: Viewer) -> list[RecipeRow]:
    """Those of this station and those that come with partsight; a broken one with its problem."""
    active = request.app.state.hub.status.recipe
    return await _of_files(request, lambda library: library.rows(active))


@router.get("/{name}")
async def recipe_detail(request: Request, who: Viewer, name: Name) -> RecipeDetail:
    """One with its thresholds, regions and versions."""
    active = request.app.state.hub.status.recipe
    return await _of_files(request, lambda library: _there(library, name).detail(name, active))


@router.put("/{name}")
async def save_recipe(request: Request, who: Engineer, name: Name, body: RecipeSave) -> RecipeSaved:
    """A new version; where the recipe is the active one, it judges from now on, or the answer says why not."""
    return await _ask(request, who, "recipe.save", {"name": name, "save": body.model_dump(mode="json")})


@router.post("/{name}/restore")
async def restore_recipe(request: Request, who: Engineer, name: Name, body: RecipeRestore) -> RecipeSaved:
    """An earlier version, brought back as a new one."""
    return await _ask(request, who, "recipe.restore", {"name": name, "restore": body.model_dump(mode="json")})


@router.post("/{name}/try")
async def try_recipe(request: Request, who: Viewer, name: Name, body: RecipeTry) -> Trial:
    """How the last parts of this recipe would have been judged with these settings. Nothing changes by it."""
    if not who.user and not client_of(request).loopback:
        raise Refused(401, "trying a recipe is for people who have logged in")
    tried = await _of_files(request, lambda library: _compiled(_there(library, name), name, body))

    def judge(reader: RecordsReader) -> Trial:
        found: list[Inspection] = reader.inspections(Query(recipe=tried.ref.name), limit=body.parts)
        return trial_of(*rejudge(found, tried))

    return await read(request, judge)


@router.get(
    "/{name}/reference/{camera}",
    response_class=Response,
    responses={200: {"content": {"image/png": {}, "image/jpeg": {}}}},
)
async def recipe_reference(
    request: Request, who: Viewer, name: Name, camera: Annotated[str, Path(max_length=64)]
) -> Response:
    """The picture of a good part, in whose pixels regions are drawn."""
    content = await _of_files(request, lambda library: _reference(_there(library, name), name, camera))
    kind = "image/png" if content.startswith(b"\x89PNG") else "image/jpeg" if content.startswith(b"\xff\xd8") else ""
    if not kind:
        raise Refused(404, f"the picture of recipe {name} is neither PNG nor JPEG, and cannot be shown")
    return Response(content, media_type=kind, headers={"cache-control": "no-store"})


def _there(library: Library, name: str) -> Library:
    """Raises Refused (404)."""
    if not any(one.name == name for one in library.shelf.all()):
        raise Refused(404, f"there is no recipe {name}")
    return library


def _compiled(library: Library, name: str, asked: RecipeTry) -> Recipe:
    """What a save would make of it. Raises ConfigError, OSError."""
    one = library.shelf.find(name)
    if one.file is None:
        raise Refused(422, "the recipe cannot be read", (one.problem,))
    text = one.path.read_bytes().decode("utf-8-sig")
    changed = edited(text, asked, library.model, one.file.revision, str(one.path))
    file = validate(RecipeFile, values_of(changed, str(one.path)), str(one.path))
    return compile_recipe(file, one.path, library.model.classes, library.model.thresholds)


def _reference(library: Library, name: str, camera: str) -> bytes:
    one = library.shelf.find(name)
    picture = library.references(one.file).get(camera) if one.file is not None else None
    if picture is None:
        raise Refused(404, f"recipe {name} has no picture of a whole part for camera {camera}")
    with (one.path.parent / picture).open("rb") as file:
        return file.read(MAX_REFERENCE_BYTES)


async def _of_files(request: Request, work: Callable[[Library], _Found]) -> _Found:
    """In a worker thread. Raises Refused."""
    library = library_of_facts(request.app.state.line.facts)
    try:
        return await asyncio.to_thread(work, library)
    except ConfigError as error:
        raise Refused(422, "this does not hold", tuple(map(str, error.mistakes))) from error
    except (OSError, ValueError) as error:
        raise Refused(503, f"the recipe's files cannot be read: {error}") from error


async def _ask(request: Request, who: Me, op: str, args: dict[str, Any]) -> RecipeSaved:
    told = await request.app.state.line.request(op, args, who.user, client_of(request).source, SAVE_S)
    return RecipeSaved.model_validate(told)
