"""The outgoing record stream as rows: written in the transaction of what they tell, read without disturbing it.

`SqliteRecords` has it all: `commit` and `append_event` write, `read_outbox(after_seq, limit)`, `outbox_bounds()`,
`ack(consumer, seq)`, `acked(consumer)`, `set_consumers(names)`; `on_outbox` is called after each write.
The number `seq` comes from a counter in the same transaction, so that neither a rollback nor a deleted row can make
it skip or come twice.
"""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from partsight.domain.errors import RecordsUnavailable
from partsight.domain.inspection import Inspection
from partsight.outputs.records import opening
from partsight.outputs.records.latch import from_us, to_us
from partsight.wire import LineContext, event_record, result_record

MAX_SEQ = 2**63 - 1
RESULT, EVENT = "result", "event"
_CONSUMER = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NEXT = "UPDATE counter SET value = value + 1 WHERE name = 'outbox' RETURNING value"
_INSERT = "INSERT INTO outbox VALUES (?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One outgoing record. kind: "result" or "event", the topic's leaf. sequence: of the part, None for an event.

    payload: JSON, as it goes out. at: of the part's trigger or of the event.
    """

    seq: int
    sequence: int | None
    kind: str
    payload: bytes
    at: datetime


def put_result(
    db: sqlite3.Connection, inspection: Inspection, station: str, context: LineContext, supersedes: int | None = None
) -> int:
    """The outgoing row of an inspection, inside the caller's transaction; its seq. Raises sqlite3.Error, ValueError."""
    seq = _next(db)
    record = result_record(inspection, station=station, seq=seq, supersedes=supersedes, context=context)
    trigger = inspection.trigger
    db.execute(_INSERT, (seq, trigger.sequence, RESULT, record.to_bytes(), to_us(trigger.at)))
    return seq


def put_event(
    db: sqlite3.Connection, kind: str, data: Mapping[str, Any], *, at: datetime, station: str, epoch: int
) -> int:
    """The outgoing row of an event, inside the caller's transaction; its seq. Raises sqlite3.Error, ValueError."""
    seq = _next(db)
    record = event_record(kind, data, station=station, epoch=epoch, seq=seq, at=at)
    db.execute(_INSERT, (seq, None, EVENT, record.to_bytes(), to_us(at)))
    return seq


def seq_of(db: sqlite3.Connection, sequence: int) -> int | None:
    """The newest row of this part; None where it has none (it is older than the outbox, or was deleted)."""
    # From the newest on: what is superseded was written a moment ago, so that this needs no index of its own.
    row = db.execute("SELECT seq FROM outbox WHERE sequence = ? ORDER BY seq DESC LIMIT 1", (sequence,)).fetchone()
    return None if row is None else int(row[0])


def last_seq(db: sqlite3.Connection) -> int:
    """The newest seq that was given out, 0 for none."""
    return int(db.execute("SELECT value FROM counter WHERE name = 'outbox'").fetchone()[0])


def skip_to(db: sqlite3.Connection, seq: int) -> None:
    """The next row gets `seq + 1`: for a database that was lost, whose numbers others know already."""
    db.execute("UPDATE counter SET value = max(value, ?) WHERE name = 'outbox'", (seq,))


def note_ack(db: sqlite3.Connection, consumer: str, seq: int, at: datetime) -> int:
    """Keep the highest; an acknowledgement from the future is not kept. The newest seq that was given out."""
    last = last_seq(db)
    if seq <= last:
        db.execute(
            "INSERT INTO consumer VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE "
            "SET acked = excluded.acked, at_us = excluded.at_us WHERE excluded.acked > acked",
            (consumer, seq, to_us(at)),
        )
    return last


def set_consumers(db: sqlite3.Connection, names: Iterable[str], at: datetime) -> None:
    """These and no others: rows are kept until each of them has acknowledged."""
    wanted = sorted(set(names))
    db.executemany("INSERT OR IGNORE INTO consumer VALUES (?, 0, ?)", [(name, to_us(at)) for name in wanted])
    known = [name for (name,) in db.execute("SELECT name FROM consumer")]
    db.executemany("DELETE FROM consumer WHERE name = ?", [(name,) for name in known if name not in wanted])


def check_consumer(name: str) -> None:
    """Raises ValueError."""
    if not _CONSUMER.fullmatch(name):
        raise ValueError(f"{name[:80]!r} is no consumer: letters, digits, _ and - only, 1 to 64 of them")


def prune(db: sqlite3.Connection, before: datetime, limit: int) -> int:
    """Delete from the oldest on, at most `limit` rows, each older than `before` and acknowledged by every consumer.

    What is left has no gap in it. How many went.
    """
    (acked,) = db.execute("SELECT min(acked) FROM consumer").fetchone()
    last = None
    for seq, at_us in db.execute("SELECT seq, at_us FROM outbox ORDER BY seq LIMIT ?", (limit,)):
        if at_us >= to_us(before) or (acked is not None and seq > acked):
            break
        last = seq
    return 0 if last is None else db.execute("DELETE FROM outbox WHERE seq <= ?", (last,)).rowcount


def _next(db: sqlite3.Connection) -> int:
    ((seq,),) = db.execute(_NEXT).fetchall()  # to its end: a statement that still runs would hold up the COMMIT
    return int(seq)


class OutboxReader:
    """Reads the outbox on a connection of its own: in WAL mode it neither waits for a writer nor makes one wait."""

    def __init__(self, folder: Path, busy_timeout_s: float) -> None:
        """Raises sqlite3.Error."""
        self._folder = folder
        self._lock = threading.Lock()
        self._db = opening.connect(folder, busy_timeout_s, full=False)
        self._db.execute("PRAGMA query_only = ON")

    def rows(self, after_seq: int, limit: int) -> list[OutboxRow]:
        """Rows above `after_seq`, in order, at most `limit`. Raises RecordsUnavailable."""
        found = self._all("SELECT * FROM outbox WHERE seq > ? ORDER BY seq LIMIT ?", (after_seq, limit))
        return [OutboxRow(seq, sequence, kind, payload, from_us(at)) for seq, sequence, kind, payload, at in found]

    def bounds(self) -> tuple[int, int]:
        """(first, last) that are there; (n + 1, n) where none is, n the newest that was given out."""
        ((first, last),) = self._all(
            "SELECT (SELECT min(seq) FROM outbox), (SELECT value FROM counter WHERE name = 'outbox')"
        )
        return last + 1 if first is None else first, last

    def acked(self, consumer: str) -> int:
        """What this consumer has acknowledged, 0 for nothing. Raises RecordsUnavailable."""
        found = self._all("SELECT acked FROM consumer WHERE name = ?", (consumer,))
        return int(found[0][0]) if found else 0

    def consumers(self) -> dict[str, int]:
        """Every consumer that rows are kept for, with what it has acknowledged. Raises RecordsUnavailable."""
        return dict(self._all("SELECT name, acked FROM consumer ORDER BY name"))

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def _all(self, statement: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        # All rows at once: a statement left half-read would hold the log back from being moved.
        try:
            with self._lock:
                return self._db.execute(statement, values).fetchall()
        except sqlite3.Error as problem:
            raise RecordsUnavailable(opening.explain(problem, self._folder)) from problem
