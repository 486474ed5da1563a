"""Figures over time, as JSON for charts and as CSV for spreadsheets."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field
from starlette.responses import Response

from partsight.api.guard import Refused, needs
from partsight.api.reading import Words, csv_text, read
from partsight.domain.verdict import Result
from partsight.outputs.records.trends import MAX_BUCKETS, Span, nice_seconds
from partsight.wire.screen import message
from partsight.wire.screen.message import Time, now
from partsight.wire.screen.people import Me, Role
from partsight.wire.screen.trends import Trends

router = APIRouter(tags=["trends"])
Viewer = Annotated[Me, Depends(needs(Role.VIEWER))]
DEFAULT_SPAN = timedelta(hours=24)
FIRST = datetime.min.replace(tzinfo=timezone.utc)
MAX_BUCKET_S = 366 * 86_400
CSV_COLUMNS = (
    *("start", "seconds", *(result.value for result in Result), "total", "share_not_ok", "lower", "upper", "outside"),
)


class TrendWindow(message.Request):
    """until: now where it is not given; since: 24 hours before it. bucket_s: of one interval; chosen where not given.

    recipe: `name` or `name@revision`.
    """

    since: Time | None = None
    until: Time | None = None
    recipe: Words | None = None
    bucket_s: Annotated[float, Field(ge=1, le=MAX_BUCKET_S)] | None = None

    def span(self) -> Span:
        """Raises Refused (422)."""
        until = self.until or now()
        since = self.since
        if since is None:
            since = max(until, FIRST + DEFAULT_SPAN) - DEFAULT_SPAN
        if since >= until:
            raise Refused(422, f"since ({since.isoformat()}) must be before until ({until.isoformat()})")
        seconds = self.bucket_s or nice_seconds(since, until)
        if (until - since).total_seconds() / seconds > MAX_BUCKETS:
            least = (until - since).total_seconds() / MAX_BUCKETS
            raise Refused(
                422,
                f"that would be more than {MAX_BUCKETS} intervals; use bucket_s = {least:.0f} or more, or less time",
            )
        return Span(since, until, seconds, self.recipe)


@router.get("/trends")
async def trends(request: Request, who: Viewer, window: Annotated[TrendWindow, Query()]) -> Trends:
    """Counts by interval with the p-chart's limits, Pareto of the reasons, and how long verdicts took."""
    return await _trends(request, window)


@router.get("/trends.csv", response_class=Response, responses={200: {"content": {"text/csv": {}}}})
async def trends_csv(request: Request, who: Viewer, window: Annotated[TrendWindow, Query()]) -> Response:
    """The intervals, one a line."""
    found = await _trends(request, window)
    lines = [
        [
            *(b.start.isoformat(), b.seconds, *(b.counts[result] for result in Result)),
            *(b.total, b.share, b.lower, b.upper, int(b.outside)),
        ]
        for b in found.buckets
    ]
    headers = {"content-disposition": 'attachment; filename="trends.csv"', "cache-control": "no-store"}
    return Response(csv_text([CSV_COLUMNS, *lines]), media_type="text/csv; charset=utf-8", headers=headers)


async def _trends(request: Request, window: TrendWindow) -> Trends:
    span = window.span()
    return await read(request, lambda reader: reader.trends(span))
