"""The records as people and scripts read them, also while a station writes."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from partsight.domain.errors import RecordsUnavailable
from partsight.domain.inspection import Inspection
from partsight.domain.reasons import reason_text
from partsight.domain.verdict import Result
from partsight.outputs.records import opening, rows, schema
from partsight.outputs.records.folder import DATABASE
from partsight.outputs.records.latch import LatchedTrigger, read_latch, to_us
from partsight.outputs.records.opening import explain


@dataclass(frozen=True, slots=True)
class Query:
    """Which records. `None` asks for nothing; all that is given must hold.

    since, until: trigger time, UTC, from `since` up to but not including `until`.
    before: sequences under this one, for the next page (newest first). code: the heaviest reason.
    """

    result: Result | None = None
    since: datetime | None = None
    until: datetime | None = None
    part_id: str | None = None
    recipe: str | None = None
    code: int | None = None
    before: int | None = None

    def where(self) -> tuple[str, list[str | int]]:
        """The condition in SQL, with its values."""
        terms: list[tuple[str, str | int]] = []
        if self.result is not None:
            terms.append(("i.result = ?", self.result.value))
        if self.since is not None:
            terms.append(("i.at_us >= ?", to_us(self.since)))
        if self.until is not None:
            terms.append(("i.at_us < ?", to_us(self.until)))
        if self.part_id is not None:
            # The second half lets SQLite use the index, which leaves out parts without an id.
            terms.append(("i.part_id = ?" + (" AND i.part_id <> ''" if self.part_id else ""), self.part_id))
        if self.recipe is not None:
            terms.append(("i.recipe IN (SELECT id FROM recipe WHERE name = ?)", self.recipe))
        if self.code is not None:
            terms.append(("i.code = ?", self.code))
        if self.before is not None:
            terms.append(("i.sequence < ?", self.before))
        return " AND ".join(t for t, _ in terms) or "1", [v for _, v in terms]


@dataclass(frozen=True, slots=True)
class ReasonCount:
    """How many parts had this code as their heaviest reason."""

    code: int
    text: str
    result: Result
    count: int


@dataclass(frozen=True, slots=True)
class Latency:
    """Trigger to verdict, milliseconds, of the parts that have a time; all None where none has."""

    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    max: float | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts of a query. `pareto`: reasons of the parts that did not pass, the most frequent first."""

    counts: Mapping[Result, int]
    pareto: tuple[ReasonCount, ...]
    latency_ms: Latency

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def passed(self) -> float | None:
        """The yield: OK parts of all parts, 0..1; None without parts."""
        return self.counts[Result.OK] / self.total if self.total else None


class RecordsReader:
    """A read-only view of a data folder; each call sees one consistent state. For one thread."""

    def __init__(self, folder: Path, db: sqlite3.Connection) -> None:
        """Use `open`."""
        self.folder = folder
        self._db = db

    @classmethod
    def open(cls, folder: Path, *, busy_timeout_s: float = 2.0) -> RecordsReader:
        """Raises RecordsUnavailable: there are no records, they are damaged, or of another version."""
        reader = cls(folder, opening.connect_reading(folder, busy_timeout_s))
        try:
            schema.refuse_other(reader._db, str(folder / DATABASE))
        except sqlite3.Error as problem:
            reader.close()
            raise RecordsUnavailable(explain(problem, folder)) from problem
        except BaseException:
            reader.close()
            raise
        return reader

    def inspection(self, sequence: int) -> Inspection | None:
        """One part's record, None where there is none. Raises RecordsUnavailable."""
        found = self._inspections("i.sequence = ?", [sequence], 1, 0)
        return found[0] if found else None

    def inspections(self, query: Query | None = None, *, limit: int = 100, offset: int = 0) -> list[Inspection]:
        """Records that fit, the newest first. Raises RecordsUnavailable."""
        where, values = (query or Query()).where()
        return self._inspections(where, values, limit, offset)

    def summary(self, query: Query | None = None) -> Summary:
        """Counts, yield, Pareto and latency of the records that fit. Raises RecordsUnavailable."""
        where, values = (query or Query()).where()
        self._rows("BEGIN")
        try:
            grouped = self._rows(
                f"SELECT i.result, i.code, count(*) FROM inspection i WHERE {where} GROUP BY i.result, i.code",  # noqa: S608 - literals and placeholders
                values,
            )
            latencies = self._rows(
                f"SELECT i.verdict_ms FROM inspection i WHERE {where} AND i.verdict_ms IS NOT NULL",  # noqa: S608 - literals and placeholders
                values,
            )
            names = self._class_names()
        finally:
            self._rows("COMMIT")
        counts = dict.fromkeys(Result, 0)
        for result, _, count in grouped:
            counts[Result(result)] += count
        pareto = (
            ReasonCount(code, reason_text(code, names), Result(result), count)
            for result, code, count in grouped
            if result != Result.OK.value
        )
        ordered = tuple(sorted(pareto, key=lambda r: (-r.count, r.code, r.result)))
        return Summary(counts, ordered, _latency(np.array(latencies, np.float64).ravel()))

    def open_triggers(self) -> list[LatchedTrigger]:
        """Accepted triggers that have no record yet: in flight, or left by a killed process."""
        latched = read_latch(self.folder)
        return [
            entry
            for sequence, entry in sorted(latched.items())
            if not self._rows("SELECT 1 FROM inspection WHERE sequence = ?", [sequence])
        ]

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> RecordsReader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _inspections(self, where: str, values: list[str | int], limit: int, offset: int) -> list[Inspection]:
        # One transaction, so that a record and its views are of one moment.
        self._rows("BEGIN")
        try:
            found = self._rows(
                f"{rows.SELECT} WHERE {where} ORDER BY i.sequence DESC LIMIT ? OFFSET ?", [*values, limit, offset]
            )
            return [rows.read(self._db, row) for row in found]
        except sqlite3.Error as problem:
            raise RecordsUnavailable(explain(problem, self.folder)) from problem
        finally:
            self._rows("COMMIT")

    def _class_names(self) -> tuple[str, ...]:
        """Classes of the model that judged last, to name defects by."""
        found = self._rows(
            "SELECT names FROM classes WHERE id = (SELECT classes FROM view WHERE classes IS NOT NULL "
            "ORDER BY sequence DESC LIMIT 1)"
        )
        return rows.class_names(found[0][0]) if found else ()

    def _rows(self, statement: str, values: list[str | int] | None = None) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(statement, values or []).fetchall()
        except sqlite3.Error as problem:
            raise RecordsUnavailable(explain(problem, self.folder)) from problem


def _latency(values: np.ndarray[Any, np.dtype[np.float64]]) -> Latency:
    if not values.size:
        return Latency()
    p50, p95, p99 = (float(v) for v in np.percentile(values, (50, 95, 99)))
    return Latency(p50, p95, p99, float(values.max()))
