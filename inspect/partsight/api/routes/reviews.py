"""What people say of judged parts: the queue, a review and its undo, and training data made of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timezone
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response, StreamingResponse

from partsight.api.dataset import Dataset
from partsight.api.guard import client_of, needs
from partsight.api.parts import image_files, part_row
from partsight.api.reading import read
from partsight.outputs.records import RecordsReader
from partsight.wire.screen.message import MAX_SEQUENCE, now
from partsight.wire.screen.parts import Disposition, QueuePage, ReviewRequest
from partsight.wire.screen.people import Me, Role

router = APIRouter(tags=["reviews"])
Viewer = Annotated[Me, Depends(needs(Role.VIEWER))]
Operator = Annotated[Me, Depends(needs(Role.OPERATOR))]
Engineer = Annotated[Me, Depends(needs(Role.ENGINEER))]
Number = Annotated[int, Path(ge=0, le=MAX_SEQUENCE)]
EXPORT_PARTS = 20
"""Records that an export reads at once; images one by one."""


@router.get("/reviews/queue")
async def queue(request: Request, who: Viewer, limit: Annotated[int, Query(ge=1, le=200)] = 50) -> QueuePage:
    """Parts that wait for a person, the oldest first: each REVIEW part, and a sample of the good ones."""
    names = request.app.state.line.facts.model.classes
    midnight = now().astimezone(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
    found = await read(request, lambda reader: reader.waiting(limit, midnight))
    rows = tuple(part_row(inspection, names) for inspection in found.parts)
    return QueuePage(parts=rows, waiting=found.waiting, done_today=found.done)


@router.put("/records/{sequence}/review")
async def review(request: Request, who: Operator, sequence: Number, body: ReviewRequest) -> Disposition:
    """Say whether the verdict is right, and what is really there. The verdict and its counters never change."""
    told = await request.app.state.line.request(
        "review", {"sequence": sequence, "review": body.model_dump(mode="json")}, who.user, client_of(request).source
    )
    return Disposition.model_validate(told)


@router.delete("/records/{sequence}/review")
async def undo_review(request: Request, who: Operator, sequence: Number) -> Disposition | None:
    """Take back the newest review of a part; what counts now, null where it waits again."""
    told = await request.app.state.line.request(
        "review.undo", {"sequence": sequence}, who.user, client_of(request).source
    )
    return None if told is None else Disposition.model_validate(told)


@router.get("/reviews/export", response_class=Response, responses={200: {"content": {"application/zip": {}}}})
async def export(request: Request, who: Engineer) -> Response:
    """Reviewed parts whose boxes were looked at, as a zip archive in YOLO's form."""
    dataset = Dataset(await read(request, lambda reader: reader.folder), request.app.state.line.facts.model.classes)
    headers = {"content-disposition": 'attachment; filename="reviews.zip"', "cache-control": "no-store"}
    return StreamingResponse(_pieces(request, dataset), media_type="application/zip", headers=headers)


async def _pieces(request: Request, dataset: Dataset) -> AsyncIterator[bytes]:
    """Each image in a question of its own, so that others get their turn between two of them."""
    after: int | None = -1
    while after is not None:
        start = after
        after, found = await read(request, lambda reader: reader.reviewed_after(start, EXPORT_PARTS))  # noqa: B023 - awaited at once
        for inspection, said in found:
            if said.boxes is None:
                continue
            for camera, kind in image_files(inspection):
                if kind == "original":

                    def add(_: RecordsReader, camera: str = camera) -> bytes:
                        return dataset.add(inspection, said, camera)  # noqa: B023 - awaited at once

                    if piece := await read(request, add):
                        yield piece
    yield dataset.finish()
