"""Outside the versioned API: for Prometheus and for what watches the process."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from partsight.api.edge import ProblemResponse, problem
from partsight.api.guard import may_scrape
from partsight.api.upstream import FRESH_S, Upstream
from partsight.wire.screen.message import Answer

router = APIRouter(tags=["health"])
Scraper = Annotated[None, Depends(may_scrape)]


class Well(Answer):
    """All is well."""

    ok: bool = True


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Prometheus' text"}},
)
async def metrics(request: Request, who: Scraper) -> Response:
    """For Prometheus: a viewer, or the scrape token."""
    return Response(request.app.state.metrics.text(), media_type=CONTENT_TYPE_LATEST)


@router.get("/health/live", response_model=Well)
async def live(request: Request) -> Well | ProblemResponse:
    """200 where this process answers, the daemon has spoken within 3 s and all its loops tick; 503 else."""
    why = _not_alive(request.app.state.line)
    return ProblemResponse(problem(503, why[0], tuple(why))) if why else Well()


@router.get("/health/ready", response_model=Well)
async def ready(request: Request) -> Well | ProblemResponse:
    """200 where parts are judged and can pass; 503 with the reasons else."""
    line: Upstream = request.app.state.line
    why = _not_alive(line)
    status = line.status
    if not status.ready:
        why.append(f"the station is {status.state.value}" + (f": {status.why}" if status.why else ""))
        why += [f"{fault.key}: {fault.text}" for fault in status.faults]
    return ProblemResponse(problem(503, why[0], tuple(why))) if why else Well()


def _not_alive(line: Upstream) -> list[str]:
    why = []
    if line.status_age_s > FRESH_S:
        why.append(f"the daemon has said nothing for {line.status_age_s:.0f} s")
    if not line.status.alive:
        why.append("a loop of the daemon does not tick")
    return why
