"""Judged parts: lists, one with everything, its images, and counts of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response, StreamingResponse

from partsight.api.guard import needs
from partsight.api.images import FOR_EVER, FileAnswer, KeptImage, ScaledCache, open_image, scaled
from partsight.api.parts import part, part_row
from partsight.api.reading import MAX_PAGE, PartFilter, PartWindow, csv_text, read
from partsight.domain.errors import ImageError, UnknownRecord
from partsight.domain.inspection import Inspection
from partsight.outputs.records import RecordsReader
from partsight.outputs.records.trends import bars
from partsight.wire.screen.message import MAX_SEQUENCE
from partsight.wire.screen.parts import ImageKind, Part, PartPage, PartRow
from partsight.wire.screen.people import Me, Role
from partsight.wire.screen.trends import Summary

router = APIRouter(tags=["records"])
Viewer = Annotated[Me, Depends(needs(Role.VIEWER))]
Number = Annotated[int, Path(ge=0, le=MAX_SEQUENCE)]
LATENCY_OF = 20_000
"""The percentiles of a summary are of the newest so many parts that fit."""
CSV_COLUMNS = (
    *("sequence", "id", "epoch", "uid", "part_id", "at", "result", "action", "code", "reason", "recipe", "model"),
    *("mode", "simulated", "verdict_ms", "images", "judgement", "is_ok", "label", "remark", "reviewed_by"),
    "reviewed_at",
)


@router.get("/records")
async def records(request: Request, who: Viewer, window: Annotated[PartWindow, Query()]) -> PartPage:
    """Parts that fit, the newest first. Parts that come meanwhile do not move a page: go on with `before`."""
    names = _names(request)
    rows = await read(request, lambda reader: _rows(reader, window, window.before, window.limit + 1, names))
    page = rows[: window.limit]
    return PartPage(parts=tuple(page), next_before=page[-1].sequence if len(rows) > len(page) else None)


@router.get("/records.csv", response_class=Response, responses={200: {"content": {"text/csv": {}}}})
async def records_csv(request: Request, who: Viewer, wanted: Annotated[PartFilter, Query()]) -> Response:
    """Every part that fits, the newest first."""
    names = _names(request)

    async def page(before: int | None) -> list[PartRow]:
        return await read(request, lambda reader: _rows(reader, wanted, before, MAX_PAGE, names))

    async def pages(rows: list[PartRow]) -> AsyncIterator[str]:
        yield csv_text([CSV_COLUMNS])
        while rows:
            yield csv_text(map(_cells, rows))
            rows = await page(rows[-1].sequence) if len(rows) == MAX_PAGE else []

    # The first page before the answer begins: what is wrong can still be said.
    first = await page(None)
    headers = {"content-disposition": 'attachment; filename="parts.csv"', "cache-control": "no-store"}
    return StreamingResponse(pages(first), media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/records/{sequence}")
async def record(request: Request, who: Viewer, sequence: Number) -> Part:
    """One part with all that led to its verdict."""
    names = _names(request)

    def find(reader: RecordsReader) -> Part:
        said = reader.dispositions([sequence])
        return part(_recorded(reader, sequence), names, said.get(sequence))

    return await read(request, find)


@router.get("/summary")
async def summary(request: Request, who: Viewer, wanted: Annotated[PartFilter, Query()]) -> Summary:
    """Counts of the parts that fit. The percentiles are of the newest 20,000 of them."""
    found = await read(request, lambda reader: reader.summary(wanted.query(), latency_of=LATENCY_OF))
    reasons = ((one.code, one.result.value, one.count) for one in found.pareto)
    return Summary(
        total=found.total,
        counts=dict(found.counts),
        yield_share=found.passed,
        pareto=bars(reasons, _names(request)),
        p50_ms=found.latency_ms.p50,
        p95_ms=found.latency_ms.p95,
        p99_ms=found.latency_ms.p99,
        max_ms=found.latency_ms.max,
    )


@router.get(
    "/records/{sequence}/images/{camera}/{kind}",
    response_class=Response,
    responses={200: {"content": {"image/png": {}, "image/jpeg": {}}}, 304: {"description": "The client has it"}},
)
async def image(
    request: Request,
    who: Viewer,
    *,
    sequence: Number,
    camera: Annotated[str, Path(max_length=64)],
    kind: ImageKind,
    width: Annotated[int | None, Query(ge=16, le=4096, description="a JPEG at most so wide")] = None,
) -> Response:
    """A kept image: the file itself (an original is a PNG, of a raw camera with its raw pixels), or a smaller JPEG."""
    cache: ScaledCache = request.app.state.scaled
    known = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}

    def find(reader: RecordsReader) -> tuple[str, KeptImage | bytes | None]:
        inspection = _recorded(reader, sequence)
        kept = open_image(reader.folder, inspection, camera, kind)
        etag = kept.etag(width)
        if etag not in known and width is None:
            return etag, kept
        with kept.file:
            return etag, None if etag in known or width is None else _smaller(cache, kept, inspection, camera, width)

    etag, found = await read(request, find)
    headers = {**FOR_EVER, "etag": etag}
    if found is None:
        return Response(status_code=304, headers=headers)
    if isinstance(found, bytes):
        return Response(found, media_type="image/jpeg", headers=headers)
    return FileAnswer(found, headers)


def _smaller(cache: ScaledCache, kept: KeptImage, inspection: Inspection, camera: str, width: int) -> bytes:
    """Raises UnknownRecord where the file is no image."""
    etag = kept.etag(width)
    jpeg = cache.get(kept.name, etag)
    if jpeg is None:
        try:
            jpeg = scaled(kept, inspection, camera, width)
        except ImageError as problem:
            raise UnknownRecord(f"{kept.name} cannot be shown: it is no whole image") from problem
        cache.put(kept.name, etag, jpeg)
    return jpeg


def _recorded(reader: RecordsReader, sequence: int) -> Inspection:
    found = reader.inspection(sequence)
    if found is None:
        raise UnknownRecord(f"part {sequence} has no record: numbers may skip, and old records go")
    return found


def _rows(
    reader: RecordsReader, wanted: PartFilter, before: int | None, limit: int, names: tuple[str, ...]
) -> list[PartRow]:
    found = reader.heads(wanted.query(before), limit=limit)
    said = reader.dispositions([one.trigger.sequence for one in found])
    return [part_row(one, names, said.get(one.trigger.sequence)) for one in found]


def _names(request: Request) -> tuple[str, ...]:
    names: tuple[str, ...] = request.app.state.line.facts.model.classes
    return names


def _cells(row: PartRow) -> list[object]:
    said = row.disposition
    return [
        *(row.sequence, row.id, row.epoch, row.uid, row.part_id, row.at.isoformat(), row.result.value, row.action),
        *(row.code, row.reason, row.recipe, row.model, row.mode.value, int(row.simulated), row.verdict_ms),
        len(row.images),
        *(
            (said.judgement, _flag(said.is_ok), said.label, said.remark, said.who, said.at.isoformat())
            if said
            else [""] * 6
        ),
    ]


def _flag(value: bool | None) -> int | str:
    return "" if value is None else int(value)
