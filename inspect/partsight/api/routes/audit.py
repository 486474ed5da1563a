"""The audit trail, newest first."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from partsight.api.guard import Gate, Refused, needs
from partsight.domain.errors import RecordsUnavailable
from partsight.outputs.records import AuditRow, read_audit
from partsight.wire.screen.message import MAX_SEQUENCE
from partsight.wire.screen.people import AuditNote, Me, Role

router = APIRouter(tags=["audit"])


@router.get("/audit")
async def audit(
    request: Request,
    who: Annotated[Me, Depends(needs(Role.ENGINEER))],
    before: Annotated[int | None, Query(ge=1, le=MAX_SEQUENCE, description="rows older than this number")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> list[AuditNote]:
    """Who did what, when, from where."""
    gate: Gate = request.app.state.gate
    try:
        rows = await asyncio.to_thread(read_audit, gate.people.folder, limit, before)
    except RecordsUnavailable as problem:
        raise Refused(503, str(problem)) from problem
    return [_note(row) for row in rows]


def _note(row: AuditRow) -> AuditNote:
    return AuditNote(
        n=row.n, at=row.at, who=row.who, source=row.source, what=row.what, before=row.before, after=row.after
    )
