"""The thread between the records' database and the connection: a slow disk delays records, never a verdict."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from partsight.domain.errors import RecordsError, RecordsUnavailable
from partsight.outputs.mqtt.port import OutboxRecords, Row

READ_AHEAD = 200
CHUNK = 50
ACK_PERIOD_S = 0.5
POLL_S = 0.5
RETRY_S = 1.0
DIGEST_S = 3600.0
MAX_EVENTS = 1000
NOTE_EVERY_S = 10.0
MAX_NOTES = 100


@dataclass(frozen=True, slots=True)
class Note:
    """A line for the audit table."""

    who: str
    what: str
    after: Any = None


class Feeder:
    """Reads records ahead, stores acknowledgements, events and notes. The connection's thread only takes and puts.

    Queues: rows read ahead (bounded, read again after a rewind); acknowledgements (the newest of each consumer);
    events (bounded, the newest is dropped and counted); notes for the audit (bounded, one a subject in ten seconds,
    the others are counted).
    """

    def __init__(
        self,
        records: OutboxRecords,
        after: int,
        *,
        wake: Callable[[], None],
        trouble: Callable[[str, str, str], None],
        clear: Callable[[str], None],
    ) -> None:
        """`after`: rows behind this number are read first. `wake`: there is something for the connection."""
        self._records = records
        self._wake = wake
        self._trouble = trouble
        self._clear = clear
        self._changed = threading.Condition()
        self._rows: deque[Row] = deque()
        self._after = after
        self._generation = 0
        self._more = True
        self._poked = False
        self._replay: deque[Row] = deque()
        self._replay_next = self._replay_to = 0
        self._acks: dict[str, int] = {}
        self._acks_due = 0.0
        self._stored: list[tuple[str, int]] = []
        self._events: deque[tuple[str, Mapping[str, Any], datetime]] = deque()
        self._notes: deque[Note] = deque()
        self._noted: dict[str, float] = {}
        self._stopping = False
        self._troubled = False
        self._digest_at = 0.0
        self._digest = 0
        self.events_dropped = 0
        self.notes_dropped = 0
        self.skipped = 0
        self.replayed = 0
        self.future_acks = 0
        self.last = 0

    # for the connection's thread and for whoever tells: none of these waits for the database

    @property
    def ready(self) -> int:
        """How many `take` and `take_replay` have."""
        return len(self._rows) + len(self._replay)

    def take(self) -> Row | None:
        """The next record in order, None where none is here yet."""
        with self._changed:
            row = self._rows.popleft() if self._rows else None
            if len(self._rows) < READ_AHEAD - CHUNK:
                self._changed.notify()
            return row

    def take_replay(self) -> Row | None:
        """The next record that somebody asked for again."""
        with self._changed:
            if not self._replay:
                return None
            self.replayed += 1
            row = self._replay.popleft()
            if not self._replay:
                self._changed.notify()
            return row

    def rewind(self, after: int) -> None:
        """Read again from the record behind `after`."""
        with self._changed:
            self._rows.clear()
            self._after = after
            self._generation += 1
            self._more = True
            self._changed.notify()

    def put_back(self, row: Row) -> None:
        """It could not be sent: it is the next again."""
        with self._changed:
            self._rows.appendleft(row)

    def replay(self, first: int, to: int) -> bool:
        """Send these again, in the background; False while another replay runs."""
        with self._changed:
            if self._replay_next or self._replay:
                return False
            self._replay_next, self._replay_to = first, to
            self._changed.notify()
            return True

    def acknowledge(self, consumer: str, seq: int) -> None:
        """Store a cumulative number; the newest counts."""
        with self._changed:
            self._acks[consumer] = seq if consumer != "broker" else max(seq, self._acks.get(consumer, 0))
            if consumer != "broker":
                self._changed.notify()

    def stored_acks(self) -> list[tuple[str, int]]:
        """What consumers acknowledged and is stored since the last call."""
        if not self._stored:
            return []
        with self._changed:
            stored, self._stored = self._stored, []
            return stored

    def event(self, kind: str, data: Mapping[str, Any], at: datetime) -> None:
        """Append an event to the record stream."""
        with self._changed:
            if len(self._events) >= MAX_EVENTS:
                self.events_dropped += 1
                return
            self._events.append((kind, data, at))
            self._changed.notify()

    def note(self, subject: str, note: Note) -> None:
        """Audit it, one line for each subject in ten seconds: a client gone mad must not fill the disk."""
        now = time.monotonic()
        with self._changed:
            self._noted = {s: t for s, t in self._noted.items() if now - t < NOTE_EVERY_S}
            if subject in self._noted or len(self._notes) >= MAX_NOTES or len(self._noted) >= MAX_NOTES:
                self.notes_dropped += 1
                return
            self._noted[subject] = now
            self._notes.append(note)
            self._changed.notify()

    def poke(self) -> None:
        """There are new rows: `on_outbox`, in the thread that has just committed.

        Wakes nobody: the verdict of this very record comes next, and must not wait for a reader of records.
        """
        self._poked = True

    def kick(self) -> None:
        """Read what `poke` announced: the connection's thread calls it once the verdict is on its way."""
        if self._poked:
            self._poked = False
            with self._changed:
                self._more = True
                self._changed.notify()

    def stop(self) -> None:
        """Store what waits, then end."""
        with self._changed:
            self._stopping = True
            self._changed.notify()

    # the thread

    def run(self) -> None:
        """Until `stop`; what the database refuses is tried again and told as a trouble."""
        while not self._stopping:
            with self._changed:
                if not self._has_work():
                    self._changed.wait(POLL_S if not self._acks else ACK_PERIOD_S)
                    self._more = True
            self._round()
        self._acks_due = 0.0
        self._round()

    def _has_work(self) -> bool:
        reading = self._more and len(self._rows) < READ_AHEAD - CHUNK
        replaying = bool(self._replay_next) and not self._replay
        urgent = any(name != "broker" for name in self._acks)
        due = bool(self._acks) and time.monotonic() >= self._acks_due
        return self._stopping or reading or replaying or urgent or due or bool(self._events) or bool(self._notes)

    def _round(self) -> None:
        try:
            self._write_digest()
            self._write_events()
            self._write_acks()
            self._write_notes()
            self._read_rows()
            self._read_replay()
        except RecordsUnavailable as problem:
            self._trouble("mqtt.records", f"the outgoing records cannot be read or marked: {problem}", "see the disk")
            with self._changed:
                self._changed.wait_for(lambda: self._stopping, RETRY_S)
            self._troubled = True
        else:
            if self._troubled:
                self._troubled = False
                self._clear("mqtt.records")

    def _write_events(self) -> None:
        while self._events:
            kind, data, at = self._events[0]
            try:
                self._records.append_event(kind, data, at)
            except RecordsUnavailable:
                raise
            except RecordsError as problem:  # its data cannot be written at all: trying again would not help
                self._notes.append(Note("partsight", f"an event {kind!r} could not be written: {problem}"))
            self._events.popleft()

    def _write_digest(self) -> None:
        """The audit trail's newest hash leaves the machine once an hour, so that nobody can write a new trail."""
        now = time.monotonic()
        if now < self._digest_at:
            return
        self._digest_at = now + DIGEST_S
        head = self._records.audit_head()
        if head.n != self._digest:
            self._digest = head.n
            self._records.append_event("audit", {"n": head.n, "hash": head.hash}, datetime.now(timezone.utc))

    def _write_notes(self) -> None:
        while self._notes:
            note = self._notes[0]
            self._records.audit(note.who, "mqtt", note.what, None, note.after)
            self._notes.popleft()

    def _write_acks(self) -> None:
        now = time.monotonic()
        with self._changed:
            due = now >= self._acks_due
            acks = {name: seq for name, seq in self._acks.items() if due or name != "broker"}
        for name, seq in acks.items():
            try:
                self._records.ack(name, seq)
            except ValueError as problem:
                self.future_acks += 1
                self.note(f"ack/{name}", Note(name, f"an acknowledgement was ignored: {problem}"))
            else:
                if name != "broker":
                    self._stored.append((name, seq))
            with self._changed:
                if self._acks.get(name) == seq:
                    del self._acks[name]
        if acks:
            self._acks_due = now + ACK_PERIOD_S
            if self._stored:
                self._wake()

    def _read_rows(self) -> None:
        with self._changed:
            if not self._more or len(self._rows) >= READ_AHEAD - CHUNK:
                return
            after, generation = self._after, self._generation
            self._more = False
        rows = self._records.read_outbox(after, CHUNK)
        if not rows:
            return
        with self._changed:
            if generation != self._generation:
                self._more = True
                return
            self.skipped += rows[0].seq - after - 1
            self._rows.extend(rows)
            self._after = self.last = rows[-1].seq
            self._more = True
        self._wake()

    def _read_replay(self) -> None:
        with self._changed:
            first, to = self._replay_next, self._replay_to
            if not first or self._replay:
                return
        rows = [r for r in self._records.read_outbox(first - 1, CHUNK) if r.seq <= to]
        with self._changed:
            self._replay.extend(rows)
            self._replay_next = rows[-1].seq + 1 if rows and rows[-1].seq < to else 0
        if rows:
            self._wake()
