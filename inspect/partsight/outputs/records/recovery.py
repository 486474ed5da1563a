"""What a killed process left open, as the inspections that close it."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from enum import Enum, auto, unique

from partsight.domain.inspection import Inspection, Timings
from partsight.domain.reasons import Reason, reason_text
from partsight.domain.status import Mode
from partsight.domain.uid import uuid7
from partsight.domain.verdict import Action, RecipeRef, Result, invalid
from partsight.outputs.records import rows
from partsight.outputs.records.latch import LatchedTrigger

UNKNOWN_RECIPE = RecipeRef("", 0, "")
"""Of a part that a killed process left open: which recipe would have judged it is not known any more."""


@unique
class Recorded(Enum):
    """What the records say of a part. PASS: it may leave as good, also an NG part in BYPASS."""

    NOTHING = auto()
    PASS = auto()
    REJECT = auto()


def may_leave(inspection: Inspection) -> bool:
    """Whether the line lets this part pass: then its record was written before its verdict left (rule 4)."""
    bypassed = inspection.mode is Mode.BYPASS and inspection.verdict.result is not Result.INVALID
    return bypassed or inspection.verdict.action is Action.PASS


def recorded(db: sqlite3.Connection, sequence: int) -> Recorded:
    """Of this part. What is INVALID already cannot be overruled once more."""
    row = db.execute("SELECT action, mode, result FROM inspection WHERE sequence = ?", (sequence,)).fetchone()
    if row is None:
        return Recorded.NOTHING
    bypassed = row[1] == Mode.BYPASS.value and row[2] != Result.INVALID.value
    return Recorded.PASS if bypassed or Action(row[0]) is Action.PASS else Recorded.REJECT


def forget(db: sqlite3.Connection, sequence: int) -> None:
    """Delete a record that another replaces in the same transaction."""
    db.execute("DELETE FROM inspection WHERE sequence = ?", (sequence,))


def overruled(db: sqlite3.Connection, entry: LatchedTrigger) -> Inspection:
    """A recorded pass whose reject had left when the process was killed, as what the line has seen."""
    recorded = rows.read_one(db, entry.trigger.sequence)
    assert recorded is not None
    assert entry.code is not None
    code = _reason(entry.code)
    verdict = invalid(code, reason_text(code), recorded.verdict.recipe)
    return replace(recorded, verdict=verdict, late=recorded.verdict.result)


def closed(entry: LatchedTrigger) -> Inspection:
    """What a killed process left open, as INVALID: by restart, or by the reject that had left already."""
    if entry.code is None:
        code, text = Reason.RESTART, reason_text(Reason.RESTART)
    else:
        code, text = _reason(entry.code), f"{reason_text(entry.code)}; the reject left, then the station was restarted"
    verdict = invalid(code, text, UNKNOWN_RECIPE)
    return Inspection(uuid7(), entry.trigger, verdict, (), Timings(), None)


def _reason(code: int) -> Reason:
    try:
        return Reason(code)
    except ValueError:
        return Reason.RESTART
