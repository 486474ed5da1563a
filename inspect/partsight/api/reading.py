"""What routes ask of the records: filters as clients write them, and answers within a time or not at all."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, TypeVar

from fastapi import Request
from pydantic import Field

from partsight.api.guard import Refused
from partsight.api.upstream import Upstream
from partsight.domain.errors import RecordsError, UnknownRecord
from partsight.domain.verdict import Result
from partsight.outputs.records import Query, RecordsReader
from partsight.wire.screen import message
from partsight.wire.screen.message import MAX_SEQUENCE, Time

READ_S = 3.0
"""No question to the records may take longer: whoever asks waits, and only four can be asked at once."""
MAX_PAGE = 500
Words = Annotated[str, Field(max_length=160)]
_Found = TypeVar("_Found")


class PartFilter(message.Request):
    """Which parts. What is not given asks for nothing; all that is given must hold.

    since, until: trigger time, from `since` up to but not including `until`. recipe: `name` or `name@revision`.
    code: the heaviest reason, 1000 + class for a defect. reviewed: whether a person has said something of the part.
    """

    result: Result | None = None
    since: Time | None = None
    until: Time | None = None
    part_id: Words | None = None
    recipe: Words | None = None
    code: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    reviewed: bool | None = None

    def query(self, before: int | None = None) -> Query:
        """For the records. before: sequences under this one."""
        return Query(**{name: getattr(self, name) for name in PartFilter.model_fields}, before=before)


class PartWindow(PartFilter):
    """A page of them, newest first. before: parts with a smaller sequence than this."""

    before: Annotated[int, Field(ge=0, le=MAX_SEQUENCE)] | None = None
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = 100


async def read(request: Request, question: Callable[[RecordsReader], _Found], seconds: float = READ_S) -> _Found:
    """What the records answer.

    Raises Refused: 404 for what is not there, 503 where it takes longer than `seconds`, or they cannot be read.
    """
    line: Upstream = request.app.state.line

    def within(reader: RecordsReader) -> _Found:
        with reader.limited(seconds):
            return question(reader)

    try:
        return await line.run_reading(within)
    except UnknownRecord as problem:
        raise Refused(404, str(problem)) from problem
    except RecordsError as problem:
        raise Refused(503, str(problem)) from problem


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """Lines of a CSV file. A cell that a spreadsheet would take for a formula gets an apostrophe before it."""
    text = io.StringIO()
    csv.writer(text).writerows([[_cell(value) for value in row] for row in rows])
    return text.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, str) and value.lstrip()[:1] in {"=", "+", "-", "@"}:
        return "'" + value
    if isinstance(value, str) and value[:1] in {"\t", "\r", "\n"}:
        return "'" + value
    return "" if value is None else value
