"""What people ask of the station. Carried out by the daemon, which also writes who asked into the audit trail."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import JsonValue

from partsight.api.guard import Refused, client_of, needs
from partsight.wire.screen.commands import BypassRequest, CommandAnswer, SelectRecipeRequest, TriggerRequest
from partsight.wire.screen.people import Me, Role

router = APIRouter(prefix="/commands", tags=["commands"])
RECIPE_S = 30.0
"""A change of recipe waits for the parts under way, and for the self-test."""
Operator = Annotated[Me, Depends(needs(Role.OPERATOR))]
Engineer = Annotated[Me, Depends(needs(Role.ENGINEER))]
Acknowledger = Annotated[Me, Depends(needs(Role.OPERATOR, acknowledge=True))]


@router.post("/start")
async def start(request: Request, who: Operator) -> CommandAnswer:
    """Judge parts."""
    return await _ask(request, who, "start")


@router.post("/stop")
async def stop(request: Request, who: Operator) -> CommandAnswer:
    """Judge none: each part is rejected until `start`."""
    return await _ask(request, who, "stop")


@router.post("/hold")
async def hold(request: Request, who: Operator) -> CommandAnswer:
    """A pause: each part is rejected until `start`."""
    return await _ask(request, who, "hold")


@router.post("/reset")
async def reset(request: Request, who: Acknowledger) -> CommandAnswer:
    """Acknowledge latched faults and take back a request to stop the line."""
    return await _ask(request, who, "reset")


@router.post("/trigger")
async def trigger(request: Request, who: Operator, body: TriggerRequest) -> CommandAnswer:
    """Judge the part under the cameras."""
    return await _ask(request, who, "trigger", body.model_dump(mode="json"))


@router.post("/recipe")
async def recipe(request: Request, who: Operator, body: SelectRecipeRequest) -> CommandAnswer:
    """Select a recipe."""
    return await _ask(request, who, "recipe", body.model_dump(mode="json"), RECIPE_S)


@router.post("/bypass")
async def bypass(request: Request, who: Engineer, body: BypassRequest) -> CommandAnswer:
    """Inspect, never reject."""
    return await _ask(request, who, "bypass", body.model_dump(mode="json"))


async def _ask(
    request: Request, who: Me, name: str, args: dict[str, JsonValue] | None = None, timeout_s: float = 5.0
) -> CommandAnswer:
    """Raises Refused: 409 where the station does not do it, with its reason."""
    told = await request.app.state.line.request(
        "command", {**(args or {}), "command": name}, who.user, client_of(request).source, timeout_s
    )
    answer = CommandAnswer.model_validate(told)
    if not answer.ok:
        raise Refused(409, answer.text or f"the station does not {name} now")
    return answer
