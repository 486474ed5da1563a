"""Reviews of judged parts: kept beside the record, with who and from where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue

from partsight.api.ops import Entry, OpContext, OpRefused, arguments
from partsight.domain.errors import ReviewRefused, UnknownRecord
from partsight.wire.screen.message import Request, Sequence
from partsight.wire.screen.parts import Disposition, ReviewRequest


class _Review(Request):
    sequence: Sequence
    review: ReviewRequest


class _Undo(Request):
    sequence: Sequence


def review(context: OpContext, args: dict[str, Any]) -> JsonValue:
    """`{"sequence": n, "review": ReviewRequest}`; the `Disposition` that counts now."""
    asked = arguments(_Review, args)
    try:
        now = context.records.review(
            asked.sequence, asked.review, context.who, context.source, context.site.bundle.card.classes
        )
    except UnknownRecord as problem:
        raise OpRefused(404, str(problem)) from problem
    except ReviewRefused as problem:
        raise OpRefused(422, str(problem), problem.mistakes) from problem
    if context.archive is not None:
        context.archive.mark_reviewed(asked.sequence)
    return _told(context, asked.sequence, now)


def undo(context: OpContext, args: dict[str, Any]) -> JsonValue:
    """`{"sequence": n}`; the `Disposition` that counts now, None where there is none any more."""
    asked = arguments(_Undo, args)
    try:
        now = context.records.undo_review(asked.sequence, context.who, context.source)
    except UnknownRecord as problem:
        raise OpRefused(404, str(problem)) from problem
    return _told(context, asked.sequence, now)


def _told(context: OpContext, sequence: int, now: Disposition | None) -> JsonValue:
    """Screens hear of it without the boxes, which may be hundreds: whoever wants them asks for the part."""
    said: JsonValue = None if now is None else now.model_dump(mode="json")
    short: JsonValue = None if now is None else now.model_dump(mode="json", exclude={"boxes"})
    context.tell("reviewed", {"sequence": sequence, "who": context.who, "disposition": short})
    return said


OPS: Mapping[str, Entry] = {"review": Entry(review), "review.undo": Entry(undo)}
