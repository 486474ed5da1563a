"""Challenge tests in the records: each begins as a row, gets its end once, and stays for ever.

`SqliteRecords.challenges` is the station's `ChallengeBook`. What the inference thread hands over is written by the
next `write_waiting`; until then the row has no end, and a test without an end counts as failed at the next start: a
process that is killed in between can make a passed test fail, never a failed one pass.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from partsight.domain.challenge import ChallengeTest, KnownPart, Outcome, Past, Step
from partsight.domain.verdict import Result
from partsight.outputs.records import outbox
from partsight.outputs.records.database import Database
from partsight.outputs.records.kit import KitFile
from partsight.outputs.records.latch import from_us, to_us
from partsight.wire.message import clean

COUNTED = 100_000
"""Suspects are counted up to here: counting holds up the records, and nobody looks at more one by one."""
RESTARTED = "the station was restarted while this test was under way"
_COLUMNS = (
    "n, began_us, who, why, guided, recipe, model, set_up, steps, ended_us, outcome, aborted, note, last_passed_us, "
    "suspects"
)
_SUSPECT = "at_us >= ? AND at_us < ? AND mode <> 'CHALLENGE' AND (result = 'OK' OR mode = 'BYPASS')"


class SqliteChallenges:
    """A `ChallengeBook`. Thread-safe. last: the newest test that has ended, also one that waits to be written."""

    def __init__(self, database: Database, station: str, on_outbox: Callable[[], None]) -> None:
        self.last: ChallengeTest | None = None
        self._db = database
        self._station = station
        self._on_outbox = on_outbox
        self._waiting: deque[ChallengeTest] = deque()
        self._writing = threading.Lock()
        self._kit = KitFile(database.folder)

    @property
    def kit(self) -> KitFile:
        """The known parts, in a file beside the database."""
        return self._kit

    def past(self) -> Past:
        """Closes what a killed process has left without an end, as failed. Raises RecordsError."""
        with self._db.lock:
            past, self.last = self._db.transact(self._db.sure, _past)
        return past

    def began(self, test: ChallengeTest) -> int:
        """Its number, durably. Raises RecordsError."""
        values = (
            to_us(test.began),
            clean(test.who),
            clean(test.why),
            test.guided,
            test.recipe,
            test.model,
            test.set_up,
        )

        def put(db: sqlite3.Connection) -> int:
            row = db.execute(
                "INSERT INTO challenge (began_us, who, why, guided, recipe, model, set_up, steps) "
                "VALUES (?,?,?,?,?,?,?,?)",
                (*values, _steps_text(test.steps)),
            )
            return int(row.lastrowid or 0)

        with self._db.lock:
            return self._db.transact(self._db.sure, put)

    def ended(self, test: ChallengeTest) -> None:
        """Returns at once; see `write_waiting`."""
        self.last = test
        self._waiting.append(test)

    def write_waiting(self, epoch: int) -> None:
        """Write the ends that wait, each with its row of the outgoing stream. For slow threads. Raises RecordsError."""
        with self._writing:
            while self._waiting:
                test = self._waiting[0]
                with self._db.lock:
                    kept = self._db.transact(self._db.sure, lambda db: self._end(db, test, epoch))  # noqa: B023 - run at once
                self._waiting.popleft()
                if self.last is test:
                    self.last = kept
                self._on_outbox()

    def _end(self, db: sqlite3.Connection, test: ChallengeTest, epoch: int) -> ChallengeTest:
        if test.outcome is Outcome.FAILED:
            test = replace(test, suspects=_count_suspects(db, test))
        _close(db, test)
        assert test.ended is not None
        outbox.put_event(db, "challenge-report", report(test), at=test.ended, station=self._station, epoch=epoch)
        return test


def report(test: ChallengeTest) -> dict[str, Any]:
    """A finished test as JSON can say it, for the outgoing stream."""
    return {
        "number": test.number,
        "began": test.began.isoformat(),
        "ended": test.ended.isoformat() if test.ended is not None else None,
        "who": clean(test.who),
        "why": clean(test.why),
        "outcome": test.outcome.value if test.outcome is not None else None,
        "aborted": test.aborted,
        "note": clean(test.note),
        "recipe": test.recipe,
        "model": test.model,
        "steps": [_step_row(step) for step in test.steps],
        "last_passed": test.last_passed.isoformat() if test.last_passed is not None else None,
        "suspects": test.suspects,
    }


# --- reading, on any connection ---------------------------------------------------------------------


def reports(db: sqlite3.Connection, limit: int, before: int | None) -> list[ChallengeTest]:
    """Tests that have ended, the newest first. Raises sqlite3.Error."""
    found = db.execute(
        f"SELECT {_COLUMNS} FROM challenge WHERE ended_us IS NOT NULL AND n < ? ORDER BY n DESC LIMIT ?",  # noqa: S608 - literals
        (before or 2**63 - 1, limit),
    )
    return [_test(row) for row in found]


def report_of(db: sqlite3.Connection, number: int | None) -> ChallengeTest | None:
    """The test of this number, the newest that failed for None; None where there is no such one."""
    which, values = ("n = ?", (number,)) if number is not None else ("outcome = 'FAILED'", ())
    row = db.execute(
        f"SELECT {_COLUMNS} FROM challenge WHERE ended_us IS NOT NULL AND {which} ORDER BY n DESC LIMIT 1",  # noqa: S608 - literals
        values,
    ).fetchone()
    return None if row is None else _test(row)


def suspects(
    db: sqlite3.Connection, test: ChallengeTest, before: int, limit: int
) -> list[tuple[int, str, datetime, Result]]:
    """Parts that left as good between the last passed test and this one, the newest first: sequence, part id, trigger
    time and result.
    """
    found = db.execute(
        f"SELECT sequence, part_id, at_us, result FROM inspection WHERE {_SUSPECT} AND sequence < ? "  # noqa: S608 - literals
        "ORDER BY at_us DESC, sequence DESC LIMIT ?",
        (*_span(test), before, limit),
    )
    return [(int(n), str(part), from_us(at_us), Result(result)) for n, part, at_us, result in found]


def _count_suspects(db: sqlite3.Connection, test: ChallengeTest) -> int:
    (count,) = db.execute(
        f"SELECT count(*) FROM (SELECT 1 FROM inspection WHERE {_SUSPECT} LIMIT {COUNTED})",  # noqa: S608 - literals
        _span(test),
    ).fetchone()
    return int(count)


def _span(test: ChallengeTest) -> tuple[int, int]:
    return (to_us(test.last_passed) if test.last_passed is not None else 0, to_us(test.began))


# --- inside -------------------------------------------------------------------------------------------


def _past(db: sqlite3.Connection) -> tuple[Past, ChallengeTest | None]:
    passed = db.execute(
        f"SELECT {_COLUMNS} FROM challenge WHERE outcome = 'PASSED' ORDER BY n DESC LIMIT 1"  # noqa: S608 - literals
    ).fetchone()
    last_passed = _test(passed) if passed is not None else None
    passed_at = last_passed.ended if last_passed is not None else None
    for row in db.execute(f"SELECT {_COLUMNS} FROM challenge WHERE ended_us IS NULL ORDER BY n").fetchall():  # noqa: S608 - literals
        now = max(datetime.now(timezone.utc), from_us(row[1]))
        test = replace(
            _test(row), ended=now, outcome=Outcome.FAILED, aborted=True, note=RESTARTED, last_passed=passed_at
        )
        _close(db, replace(test, suspects=_count_suspects(db, test)))
    newest = db.execute("SELECT outcome FROM challenge WHERE outcome <> 'NONE' ORDER BY n DESC LIMIT 1").fetchone()
    failed = newest is not None and newest[0] == Outcome.FAILED.value
    last = reports(db, 1, None)
    past = Past(failed, passed_at, last_passed.set_up if last_passed is not None else "")
    return past, last[0] if last else None


def _close(db: sqlite3.Connection, test: ChallengeTest) -> None:
    assert test.ended is not None
    assert test.outcome is not None
    last_passed = to_us(test.last_passed) if test.last_passed is not None else None
    db.execute(
        "UPDATE challenge SET steps = ?, ended_us = ?, outcome = ?, aborted = ?, note = ?, last_passed_us = ?, "
        "suspects = ? WHERE n = ?",
        (
            _steps_text(test.steps),
            to_us(test.ended),
            test.outcome.value,
            test.aborted,
            clean(test.note),
            last_passed,
            test.suspects,
            test.number,
        ),
    )


def _test(row: tuple[Any, ...]) -> ChallengeTest:
    n, began_us, who, why, guided, recipe, model, set_up, steps = row[:9]
    ended_us, outcome, aborted, note, last_passed_us, count = row[9:]
    return ChallengeTest(
        number=n,
        began=from_us(began_us),
        who=who,
        why=why,
        guided=bool(guided),
        recipe=recipe,
        model=model,
        set_up=set_up,
        steps=tuple(_step(step) for step in json.loads(steps)),
        ended=from_us(ended_us) if ended_us is not None else None,
        outcome=Outcome(outcome) if outcome is not None else None,
        aborted=bool(aborted),
        note=note,
        last_passed=from_us(last_passed_us) if last_passed_us is not None else None,
        suspects=count,
    )


def _steps_text(steps: tuple[Step, ...]) -> str:
    return json.dumps([_step_row(step) for step in steps], separators=(",", ":"))


def _step_row(step: Step) -> dict[str, Any]:
    return {
        "name": clean(step.part.name),
        "bad": step.part.bad,
        "defect": clean(step.part.defect),
        "sequence": step.sequence,
        "result": step.result.value if step.result is not None else None,
        "reason": clean(step.reason),
        "right": step.right,
        "confirmed": step.confirmed,
        "remark": clean(step.remark),
    }


def _step(row: dict[str, Any]) -> Step:
    return Step(
        part=KnownPart(row["name"], row["bad"], row["defect"]),
        sequence=row["sequence"],
        result=Result(row["result"]) if row["result"] is not None else None,
        reason=row["reason"],
        right=row["right"],
        confirmed=row["confirmed"],
        remark=row["remark"],
    )
