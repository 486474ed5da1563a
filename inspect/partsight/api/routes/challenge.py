"""The challenge test: its state, the guided run through the kit, its reports, and the parts in doubt."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from partsight.api.guard import client_of, needs
from partsight.api.reading import MAX_PAGE, read
from partsight.api.snapshot import challenge_report
from partsight.wire.message import clean
from partsight.wire.screen.challenge import (
    ChallengeConfirm,
    ChallengeReport,
    ChallengeStart,
    ChallengeState,
    Kit,
    Suspect,
)
from partsight.wire.screen.message import MAX_SEQUENCE
from partsight.wire.screen.people import Me, Role

router = APIRouter(prefix="/challenge", tags=["challenge"])
Viewer = Annotated[Me, Depends(needs(Role.VIEWER))]
Operator = Annotated[Me, Depends(needs(Role.OPERATOR))]
Engineer = Annotated[Me, Depends(needs(Role.ENGINEER))]


@router.get("")
async def challenge(request: Request, who: Viewer) -> ChallengeState:
    """Whether a test is due or has failed, the kit, and the test under way, now. The status has it a moment later."""
    return await _ask(request, who, "state", {})


@router.put("/kit")
async def challenge_kit(request: Request, who: Engineer, body: Kit) -> ChallengeState:
    """Which known parts there are, in the order in which they are shown."""
    return await _ask(request, who, "kit", body.model_dump(mode="json"))


@router.post("/start")
async def challenge_start(request: Request, who: Operator, body: ChallengeStart) -> ChallengeState:
    """Begin a guided test. Until it ends, Ready is 0 and only the parts that it calls for are judged."""
    return await _ask(request, who, "start", body.model_dump(mode="json"))


@router.post("/trigger")
async def challenge_trigger(request: Request, who: Operator) -> ChallengeState:
    """The known part lies under the cameras: judge it; where parts come by themselves, the next one is it."""
    return await _ask(request, who, "trigger", {})


@router.post("/confirm")
async def challenge_confirm(request: Request, who: Operator, body: ChallengeConfirm) -> ChallengeState:
    """Of the part that was just judged: was it the one of the kit, and did the line treat it as it should?"""
    return await _ask(request, who, "confirm", body.model_dump(mode="json"))


@router.post("/abort")
async def challenge_abort(request: Request, who: Operator) -> ChallengeState:
    """Break the test off. It counts as not passed, and as failed where a wrong verdict was seen."""
    return await _ask(request, who, "abort", {})


@router.get("/reports")
async def challenge_reports(
    request: Request,
    who: Viewer,
    before: Annotated[int | None, Query(ge=1, le=MAX_SEQUENCE, description="tests older than this number")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> list[ChallengeReport]:
    """Tests that have ended, the newest first. They are kept for ever."""
    found = await read(request, lambda reader: reader.challenges(limit, before))
    return [challenge_report(test) for test in found]


@router.get("/suspects")
async def challenge_suspects(
    request: Request,
    who: Viewer,
    report: Annotated[int | None, Query(ge=1, le=MAX_SEQUENCE, description="a test's number")] = None,
    before: Annotated[int, Query(ge=0, le=MAX_SEQUENCE, description="parts with a smaller sequence")] = MAX_SEQUENCE,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = MAX_PAGE,
) -> list[Suspect]:
    """Parts that left as good between the last passed test and `report` (else the newest that failed), newest first."""
    found = await read(request, lambda reader: reader.suspects(report, before, limit))
    return [Suspect(sequence=n, part_id=clean(part_id), at=at, result=result) for n, part_id, at, result in found]


async def _ask(request: Request, who: Me, op: str, args: dict[str, Any]) -> ChallengeState:
    told = await request.app.state.line.request(f"challenge.{op}", args, who.user, client_of(request).source)
    return ChallengeState.model_validate(told)
