"""What the daemon does for people who log in and for those who manage them: it takes their audit rows in at once."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import JsonValue

from partsight.api.ops import Entry, OpContext, OpRefused
from partsight.api.people import TAKE_AUDIT


def take_audit(context: OpContext, _args: dict[str, JsonValue]) -> JsonValue:
    """How many rows were taken in. Raises RecordsError, OpRefused."""
    try:
        return context.line.records.take_in_audit()
    except OSError as problem:
        raise OpRefused(503, f"the audit inbox cannot be read: {problem}") from problem


OPS: Mapping[str, Entry] = {TAKE_AUDIT: Entry(take_audit)}
