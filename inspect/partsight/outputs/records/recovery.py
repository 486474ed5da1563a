"""What a killed process left open, as the inspections that close it."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

from partsight.domain.inspection import Inspection, Timings
from partsight.domain.reasons import Reason, reason_text
from partsight.domain.uid import uuid7
from partsight.domain.verdict import Action, RecipeRef, invalid
from partsight.outputs.records import rows
from partsight.outputs.records.latch import LatchedTrigger

UNKNOWN_RECIPE = RecipeRef("", 0, "")
"""Of a part that a killed process left open: which recipe would have judged it is not known any more."""


def recorded_action(db: sqlite3.Connection, sequence: int) -> Action | None:
    """What the record of this part says, None where there is none."""
    row = db.execute("SELECT action FROM inspection WHERE sequence = ?", (sequence,)).fetchone()
    return None if row is None else Action(row[0])


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
