"""What people say of parts, as the station writes it: beside the record, and told in the outgoing stream."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from typing import TypeVar

from partsight.domain.errors import UnknownRecord
from partsight.domain.inspection import Inspection
from partsight.outputs.records import outbox, reviews, rows
from partsight.outputs.records.database import Database
from partsight.outputs.records.latch import to_us
from partsight.wire.screen.parts import Disposition, ReviewRequest

T = TypeVar("T")


class Judgements:
    """Thread-safe. For slow threads: what is said waits for the disk.

    epoch: of this start, asked at each event. on_outbox: called after each new row of the outgoing stream.
    waiting: parts that wait for a person, as of the last `count_waiting`.
    """

    def __init__(
        self, database: Database, station: str, epoch: Callable[[], int], on_outbox: Callable[[], None]
    ) -> None:
        self.waiting = 0
        self._db = database
        self._station = station
        self._epoch = epoch
        self._on_outbox = on_outbox

    def review(
        self, sequence: int, said: ReviewRequest, who: str, source: str = "", classes: Iterable[str] = ()
    ) -> Disposition:
        """Keep what a person says of a part, durably, beside its record, and tell it in the outgoing stream.

        Verdict, counters and the outgoing record of the part stay as they are. classes: that a box may have besides
        those of the model that judged the part. For slow threads: it waits for the disk.
        Raises UnknownRecord, ReviewRefused (nothing is kept then), RecordsUnavailable.
        """
        known = tuple(classes)

        def put(db: sqlite3.Connection) -> Disposition:
            inspection = self._part(db, sequence)
            now = reviews.add(db, sequence, reviews.checked(inspection, said, known), who=who, source=source, at=_now())
            self._tell(db, inspection, now, who, undone=False)
            return now

        return self._counted(put)

    def undo(self, sequence: int, who: str, source: str = "") -> Disposition | None:
        """Take back the newest review of a part that counts, as a row of its own; what counts now.

        Its images stay the last to go. Raises UnknownRecord, RecordsUnavailable.
        """

        def take_back(db: sqlite3.Connection) -> Disposition | None:
            inspection = self._part(db, sequence)
            now = reviews.undo(db, sequence, who=who, source=source, at=_now())
            self._tell(db, inspection, now, who, undone=True)
            return now

        return self._counted(take_back)

    def mark(self, sequence: int, at: datetime) -> None:
        """A person has looked at this part: its images are the last to go. Raises RecordsError."""
        statement = "INSERT OR IGNORE INTO reviewed VALUES (?, ?)"
        with self._db.lock:
            self._db.transact(self._db.sure, lambda db: db.execute(statement, (sequence, to_us(at))))

    def marked(self) -> frozenset[int]:
        """Sequences that a person has looked at. Raises RecordsError."""
        with self._db.lock:
            found = self._db.transact(self._db.slow, lambda db: db.execute("SELECT sequence FROM reviewed").fetchall())
        return frozenset(int(s) for (s,) in found)

    def count_waiting(self) -> None:
        """Bring `waiting` up to date. Raises RecordsError."""
        with self._db.lock:
            self.waiting = self._db.transact(self._db.slow, reviews.count_waiting)

    def _counted(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def counted(db: sqlite3.Connection) -> T:
            outcome = work(db)
            self.waiting = reviews.count_waiting(db)
            return outcome

        with self._db.lock:
            outcome = self._db.transact(self._db.sure, counted)
            self._db.state.commits += 1
        self._on_outbox()
        return outcome

    def _part(self, db: sqlite3.Connection, sequence: int) -> Inspection:
        inspection = rows.read_one(db, sequence)
        if inspection is None:
            told = f"part {sequence} has no record in {self._db.folder}; numbers may skip, and old records go"
            raise UnknownRecord(told)
        return inspection

    def _tell(
        self, db: sqlite3.Connection, inspection: Inspection, now: Disposition | None, who: str, *, undone: bool
    ) -> None:
        data = reviews.event_data(inspection, now, who=who, undone=undone)
        outbox.put_event(db, "reviewed", data, at=_now(), station=self._station, epoch=self._epoch())


def _now() -> datetime:
    return datetime.now(timezone.utc)
