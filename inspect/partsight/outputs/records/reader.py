"""The records as people and scripts read them, also while a station writes."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from partsight.domain.challenge import ChallengeTest
from partsight.domain.errors import RecordsTooSlow, RecordsUnavailable, UnknownRecord
from partsight.domain.inspection import Inspection
from partsight.domain.reasons import reason_text
from partsight.domain.verdict import Result
from partsight.outputs.records import challenges, opening, reviews, rows, schema, trends
from partsight.outputs.records.folder import DATABASE
from partsight.outputs.records.latch import LatchedTrigger, read_latch, to_us
from partsight.outputs.records.opening import explain
from partsight.outputs.records.trends import Span
from partsight.wire.screen.parts import Disposition
from partsight.wire.screen.trends import Trends

STEPS_BETWEEN_LOOKS = 20_000
"""Instructions of SQLite's machine between two looks at the clock: about a millisecond."""


@dataclass(frozen=True, slots=True)
class Query:
    """Which records. `None` asks for nothing; all that is given must hold.

    since, until: trigger time, UTC, from `since` up to but not including `until`.
    before: sequences under this one, for the next page (newest first). code: the heaviest reason.
    recipe: a name, or `name@revision`. reviewed: whether a person has said something of the part that still counts.
    """

    result: Result | None = None
    since: datetime | None = None
    until: datetime | None = None
    part_id: str | None = None
    recipe: str | None = None
    code: int | None = None
    before: int | None = None
    reviewed: bool | None = None

    def where(self) -> tuple[str, list[str | int]]:
        """The condition in SQL, with its values."""
        terms: list[tuple[str, str | int]] = []
        fixed: list[str] = []
        if self.result is not None:
            terms.append(("i.result = ?", self.result.value))
            # SQLite takes an index of some rows only where the statement says in so many words that no others count.
            fixed += ["i.result <> 'OK'"] if self.result is not Result.OK else []
        if self.since is not None:
            terms.append(("i.at_us >= ?", to_us(self.since)))
        if self.until is not None:
            terms.append(("i.at_us < ?", to_us(self.until)))
        if self.part_id is not None:
            # The second half lets SQLite use the index, which leaves out parts without an id.
            terms.append(("i.part_id = ?" + (" AND i.part_id <> ''" if self.part_id else ""), self.part_id))
        if self.recipe is not None:
            wanted = "name || '@' || revision" if "@" in self.recipe else "name"
            terms.append((f"i.recipe IN (SELECT id FROM recipe WHERE {wanted} = ?)", self.recipe))  # noqa: S608 - literals
        if self.code is not None:
            terms.append(("i.code = ?", self.code))
            fixed += ["i.result <> 'OK'"] if self.code else []
        if self.before is not None:
            terms.append(("i.sequence < ?", self.before))
        if self.reviewed is not None:
            few = "i.sequence IN (SELECT sequence FROM disposition)"
            fixed.append(f"{few} AND {reviews.REVIEWED}" if self.reviewed else f"NOT {reviews.REVIEWED}")
        return " AND ".join([*(t for t, _ in terms), *fixed]) or "1", [v for _, v in terms]


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


@dataclass(frozen=True, slots=True)
class Waiting:
    """The review queue. parts: the oldest first, as `RecordsReader.heads` gives them; waiting: all of them."""

    parts: tuple[Inspection, ...]
    waiting: int
    done: int


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

    def heads(self, query: Query | None = None, *, limit: int = 100) -> list[Inspection]:
        """As `inspections`, but of each view its camera only: for lists. Raises RecordsUnavailable, RecordsTooSlow."""
        where, values = (query or Query()).where()
        with self._moment():
            return self._heads(f"WHERE {where} ORDER BY i.sequence DESC LIMIT ?", [*values, limit])

    def dispositions(self, sequences: Sequence[int]) -> dict[int, Disposition]:
        """What people say of these parts, where they say something. Raises RecordsUnavailable."""
        return self._asked(lambda: reviews.standing(self._db, sequences))

    def waiting(self, limit: int, done_since: datetime) -> Waiting:
        """Parts that wait for a person. done: parts reviewed since `done_since`. Raises RecordsUnavailable."""
        with self._moment():
            sequences = self._asked(lambda: reviews.waiting(self._db, limit))
            places = ",".join("?" * len(sequences))
            return Waiting(
                tuple(self._heads(f"WHERE i.sequence IN ({places}) ORDER BY i.sequence", sequences)),
                self._asked(lambda: reviews.count_waiting(self._db)),
                self._asked(lambda: reviews.count_reviewed(self._db, done_since)),
            )

    def count_waiting(self) -> int:
        """How many parts wait for a person. Raises RecordsUnavailable."""
        return self._asked(lambda: reviews.count_waiting(self._db))

    def reviewed_after(self, after: int, limit: int) -> tuple[int | None, list[tuple[Inspection, Disposition]]]:
        """Whole records of the next parts above `after` with what people say of them, and where to go on from.

        limit: parts that are looked at; some may have no review that counts. Raises RecordsUnavailable.
        """
        with self._moment():
            last, said = self._asked(lambda: reviews.reviewed_after(self._db, after, limit))
            found = [(self._asked(lambda: rows.read_one(self._db, s)), now) for s, now in sorted(said.items())]  # noqa: B023 - asked at once
        return last, [(inspection, now) for inspection, now in found if inspection is not None]

    def trends(self, span: Span) -> Trends:
        """Counts by interval, Pareto and latencies of a time span. Raises RecordsUnavailable, RecordsTooSlow."""
        where, values = Query(since=span.since, until=span.until, recipe=span.recipe).where()
        with self._moment():
            names = self.class_names()
            return self._asked(lambda: trends.read(self._db, span, where, values, names))

    def challenges(self, limit: int = 50, before: int | None = None) -> list[ChallengeTest]:
        """Challenge tests that have ended, the newest first. Raises RecordsUnavailable."""
        return self._asked(lambda: challenges.reports(self._db, limit, before))

    def suspects(self, number: int | None, before: int, limit: int) -> list[tuple[int, str, datetime, Result]]:
        """Parts that left as good between the last passed challenge test and this one, the newest first.

        number: of the test, None for the newest that failed. Each: sequence, part id, trigger time, result.
        Raises UnknownRecord (there is no such test), RecordsUnavailable, RecordsTooSlow.
        """
        with self._moment():
            test = self._asked(lambda: challenges.report_of(self._db, number))
            if test is None:
                if number is None:
                    return []
                raise UnknownRecord(f"there is no challenge test {number} that has ended")
            return self._asked(lambda: challenges.suspects(self._db, test, before, limit))

    @contextmanager
    def limited(self, seconds: float) -> Iterator[None]:
        """Within, whatever takes longer than this altogether ends in RecordsTooSlow."""
        until = time.monotonic() + seconds
        self._db.set_progress_handler(lambda: int(time.monotonic() > until), STEPS_BETWEEN_LOOKS)
        try:
            yield
        finally:
            self._db.set_progress_handler(None, 0)

    def summary(self, query: Query | None = None, *, latency_of: int | None = None) -> Summary:
        """Counts, yield, Pareto and latency of the records that fit.

        latency_of: latencies of the newest so many only, None for all. Raises RecordsUnavailable, RecordsTooSlow.
        """
        where, values = (query or Query()).where()
        newest = "" if latency_of is None else f" ORDER BY i.sequence DESC LIMIT {int(latency_of)}"
        with self._moment():
            grouped = self._rows(
                f"SELECT i.result, i.code, count(*) FROM inspection i WHERE {where} GROUP BY i.result, i.code",  # noqa: S608 - literals and placeholders
                values,
            )
            latencies = self._rows(
                f"SELECT i.verdict_ms FROM inspection i WHERE {where} AND i.verdict_ms IS NOT NULL{newest}",  # noqa: S608 - literals and placeholders
                values,
            )
            names = self.class_names()
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
        with self._moment():
            found = self._rows(
                f"{rows.SELECT} WHERE {where} ORDER BY i.sequence DESC LIMIT ? OFFSET ?", [*values, limit, offset]
            )
            return self._asked(lambda: [rows.read(self._db, row) for row in found])

    def _heads(self, rest: str, values: Sequence[str | int]) -> list[Inspection]:
        found = self._rows(f"{rows.SELECT} {rest}", values)
        return self._asked(lambda: rows.read_heads(self._db, found))

    @contextmanager
    def _moment(self) -> Iterator[None]:
        """One transaction: whatever is read within is of one moment. It holds up no writer."""
        self._rows("BEGIN")
        try:
            yield
        finally:
            self._db.rollback()

    def class_names(self) -> tuple[str, ...]:
        """Classes of the model that judged last, to name defects by."""
        found = self._rows(
            "SELECT names FROM classes WHERE id = (SELECT classes FROM view WHERE classes IS NOT NULL "
            "ORDER BY sequence DESC LIMIT 1)"
        )
        return rows.class_names(found[0][0]) if found else ()

    def _rows(self, statement: str, values: Sequence[str | int] = ()) -> list[tuple[Any, ...]]:
        return self._asked(lambda: self._db.execute(statement, values).fetchall())

    def _asked(self, question: Callable[[], opening.T]) -> opening.T:
        try:
            return question()
        except sqlite3.Error as problem:
            if "interrupted" in str(problem):
                raise RecordsTooSlow(
                    f"the records in {self.folder} are too many for this question; ask for a shorter time"
                ) from problem
            raise RecordsUnavailable(explain(problem, self.folder)) from problem


def _latency(values: np.ndarray[Any, np.dtype[np.float64]]) -> Latency:
    if not values.size:
        return Latency()
    p50, p95, p99 = (float(v) for v in np.percentile(values, (50, 95, 99)))
    return Latency(p50, p95, p99, float(values.max()))
