"""The station now: its state, its faults, its cameras."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from partsight.api.guard import client_of, needs
from partsight.wire.screen.people import Me, Role
from partsight.wire.screen.station import CameraNote, FaultBoard, StationNote

router = APIRouter(tags=["status"])
Viewer = Annotated[Me, Depends(needs(Role.VIEWER))]


@router.get("/status")
async def status(request: Request, who: Viewer) -> StationNote:
    """Everything at one moment, as the stream sends it."""
    note: StationNote = request.app.state.hub.status
    return note


@router.get("/faults")
async def faults(
    request: Request,
    who: Viewer,
    history: Annotated[int, Query(ge=0, le=200, description="at most so many that are over")] = 100,
) -> FaultBoard:
    """What stands now, and what is over since the daemon has started; the newest first."""
    told = await request.app.state.line.request("faults", {"history": history}, who.user, client_of(request).source)
    return FaultBoard.model_validate(told)


@router.get("/cameras")
async def cameras(request: Request, who: Viewer) -> list[CameraNote]:
    """Each camera's state and counts."""
    note: StationNote = request.app.state.hub.status
    return list(note.cameras)
