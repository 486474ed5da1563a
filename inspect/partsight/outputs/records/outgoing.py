"""The outgoing stream as the station uses it: events in, rows out, and who has acknowledged what."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timezone
from typing import Any

from partsight.outputs.records import outbox
from partsight.outputs.records.database import Database
from partsight.outputs.records.outbox import OutboxRow


class Outgoing:
    """Thread-safe. epoch: of this start, asked at each event. on_outbox: called after each new row."""

    def __init__(
        self, database: Database, station: str, epoch: Callable[[], int], on_outbox: Callable[[], None]
    ) -> None:
        self._db = database
        self._station = station
        self._epoch = epoch
        self._on_outbox = on_outbox

    def append_event(self, kind: str, data: Mapping[str, Any], at: datetime) -> int:
        """One event in the outgoing stream, durably; its seq. For slow threads: it waits for the disk.

        Raises RecordsUnavailable, and RecordsError where `data` is not plain JSON.
        """

        def put(db: sqlite3.Connection) -> int:
            return outbox.put_event(db, kind, data, at=at, station=self._station, epoch=self._epoch())

        with self._db.lock:
            seq = self._db.transact(self._db.sure, put)
            self._db.state.commits += 1
        self._on_outbox()
        return seq

    def read(self, after_seq: int, limit: int) -> list[OutboxRow]:
        """Rows above `after_seq`, in order, at most `limit`; waits for no writer. Raises RecordsUnavailable."""
        return self._db.outbox.rows(after_seq, limit)

    def bounds(self) -> tuple[int, int]:
        """(first, last) seq that are there, (n + 1, n) where none is. Raises RecordsUnavailable."""
        return self._db.outbox.bounds()

    def set_consumers(self, names: Iterable[str]) -> None:
        """Whom rows are kept for until they have acknowledged; who is not named is forgotten. Raises ValueError."""
        wanted = tuple(names)
        for name in wanted:
            outbox.check_consumer(name)
        with self._db.lock:
            self._db.transact(self._db.sure, lambda db: outbox.set_consumers(db, wanted, _now()))

    def consumers(self) -> dict[str, int]:
        """Whom rows are kept for, with what each has acknowledged. Raises RecordsUnavailable."""
        return self._db.outbox.consumers()

    def ack(self, consumer: str, seq: int) -> None:
        """This consumer has stored every row up to `seq`; a lower one than before changes nothing.

        Raises ValueError where that row was never written or the name is none, and RecordsUnavailable.
        """
        outbox.check_consumer(consumer)
        if not 0 <= seq <= outbox.MAX_SEQ:
            raise ValueError(f"consumer {consumer} acknowledged {seq}, which is no number of a record")
        with self._db.lock:
            # Not flushed: an acknowledgement that a power loss takes is only a repeat.
            last = self._db.transact(self._db.slow, lambda db: outbox.note_ack(db, consumer, seq, _now()))
        if seq > last:
            raise ValueError(
                f"consumer {consumer} acknowledged {seq}, but the newest record is {last}: it has the records of "
                "another station, or this station lost its database"
            )

    def acked(self, consumer: str) -> int:
        """What this consumer has acknowledged, 0 for nothing. Raises RecordsUnavailable."""
        return self._db.outbox.acked(consumer)


def _now() -> datetime:
    return datetime.now(timezone.utc)
