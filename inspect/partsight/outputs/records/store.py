"""The record database as the station writes it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import TracebackType

from partsight.domain.errors import RecordsError, RecordsUnavailable
from partsight.domain.inspection import Inspection
from partsight.domain.trigger import Trigger
from partsight.domain.verdict import Result
from partsight.outputs.records import opening, outbox, recovery, reviews, rows
from partsight.outputs.records.challenges import SqliteChallenges
from partsight.outputs.records.database import Database, Durability, counter, set_counter
from partsight.outputs.records.folder import Ballast, FolderLock, Numbers
from partsight.outputs.records.health import RecordsHealth, health_of
from partsight.outputs.records.judgements import Judgements
from partsight.outputs.records.latch import Latch, latch_files, read_latch, to_us
from partsight.outputs.records.outgoing import Outgoing
from partsight.outputs.records.recovery import Recorded
from partsight.outputs.records.trail import AuditTrail
from partsight.wire import LineContext

BALLAST_BYTES = 32 << 20
SEQUENCE_BLOCK = 1000
CHECKPOINT_COMMITS = 1000
LOST_BLOCKS = 10
"""So many blocks of numbers are passed over where a database is lost: more than were given out since the copy."""
PRUNE_ROWS = 100
PRUNE_ROUNDS = 10


class SqliteRecords:
    """The `Records` port on SQLite in WAL mode, the outgoing stream and the audit trail. Thread-safe.

    The latch has a lock of its own: a deadline thread never waits for the database.

    on_outbox: called after each new row of the outgoing stream, in the writer's thread: it must return at once and
        never raise.
    context: batch, order and clock that the next record names; called for each one, likewise.
    review_share: of good parts whose images are kept, 0..1, so many are put into the review queue.
    challenges: the challenge tests.
    audit, take_in_audit, audit_head: of the audit trail, see `AuditTrail`.
    review, undo_review, mark_reviewed, reviewed: what people say of parts, see `Judgements`.
    append_event, read_outbox, outbox_bounds, set_consumers, consumers, ack, acked: see `Outgoing`.
    """

    def __init__(
        self,
        folder: Path,
        lock: FolderLock,
        database: Database,
        *,
        block: int,
        ballast: Ballast,
        keep: timedelta | None,
        station: str,
        max_bytes: int | None,
    ) -> None:
        """Use `open`."""
        self.folder = folder
        self.epoch = 0
        self.recovered: tuple[Inspection, ...] = ()
        self.on_outbox: Callable[[], None] | None = None
        self.context: Callable[[], LineContext] = LineContext
        self.review_share = 0.0
        self._station = station
        self._folder_lock = lock
        self._block = block
        self._keep = keep
        self._max_bytes = max_bytes
        self._ballast = ballast
        self._numbers = Numbers(folder)
        self._db = database
        self.challenges = SqliteChallenges(database, station, self._tell)
        self._trail = AuditTrail(folder, database)
        self.audit, self.take_in_audit, self.audit_head = self._trail.append, self._trail.take_in, self._trail.head
        self._judgements = Judgements(database, station, lambda: self.epoch, self._tell)
        self.review, self.undo_review = self._judgements.review, self._judgements.undo
        self.mark_reviewed, self.reviewed = self._judgements.mark, self._judgements.marked
        outgoing = Outgoing(database, station, lambda: self.epoch, self._tell)
        self.append_event, self.read_outbox, self.outbox_bounds = outgoing.append_event, outgoing.read, outgoing.bounds
        self.set_consumers, self.consumers = outgoing.set_consumers, outgoing.consumers
        self.ack, self.acked = outgoing.ack, outgoing.acked
        self._next = self._limit = 0
        self._copied = (0, 0)
        self._closed = False
        self._latch: Latch

    @property
    def review_waiting(self) -> int:
        """Parts that wait for a person, as of the last second."""
        return self._judgements.waiting

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        durability: Durability = Durability.POWER,
        busy_timeout_s: float = 2.0,
        block: int = SEQUENCE_BLOCK,
        ballast_bytes: int = BALLAST_BYTES,
        quick_check_s: float = 5.0,
        set_aside_damaged: bool = False,
        keep: timedelta | None = None,
        station: str = "",
        max_bytes: int | None = None,
    ) -> SqliteRecords:
        """Take the data folder, migrate its database, close what a killed process left open.

        block: sequence numbers reserved at once. ballast_bytes: 0 for none. quick_check_s: the most time
        spent looking for damage. set_aside_damaged: move a damaged database to `*.damaged-TIME` and start a
        new one. keep: age at which `maintain` deletes records, and outgoing rows that every consumer has; None
        keeps them for ever. station: its name in outgoing records. max_bytes: the bound of the database, of which
        `health` warns; records are written beyond it too.
        Raises FolderInUse, and RecordsUnavailable (locked, damaged, full, not writable).
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise RecordsUnavailable(
                f"the data folder {folder} cannot be made: {problem.strerror}; choose another"
            ) from problem
        lock = FolderLock(folder)

        ballast = Ballast(folder, ballast_bytes)

        def attempt() -> SqliteRecords:
            checked = opening.prepare(folder, busy_timeout_s, quick_check_s, set_aside_damaged)
            database = Database(folder, ballast, checked, durability=durability, busy_timeout_s=busy_timeout_s)
            records = cls(
                folder, lock, database, block=block, ballast=ballast, keep=keep, station=station, max_bytes=max_bytes
            )
            try:
                records._start()
            except BaseException:
                database.close()
                raise
            return records

        try:
            try:
                return attempt()
            except (sqlite3.Error, OSError) as problem:
                # SQLite's shared memory alone does not fit on a full disk.
                if not opening.means_full(problem, folder) or not ballast.give_up():
                    raise
                return attempt()
        except BaseException as problem:
            lock.release()
            if isinstance(problem, (sqlite3.Error, OSError)):
                raise RecordsUnavailable(opening.explain(problem, folder)) from problem
            raise

    def _start(self) -> None:
        """Number this start, close the open triggers, begin a new latch. Raises RecordsError, OSError."""
        db = self._db
        sequence, epoch, seq = self._numbers.read()
        ours = counter(db.sure, "sequence")
        # Where the database was lost or set aside; its copy may be a moment older than it was.
        if sequence > ours:
            sequence += LOST_BLOCKS * self._block
        if seq > outbox.last_seq(db.sure):
            seq += LOST_BLOCKS * self._block
        self._limit = self._next = 1 + max(sequence, ours)
        self.epoch = 1 + max(epoch, counter(db.sure, "epoch"))
        old = latch_files(self.folder)
        latched = read_latch(self.folder)
        self._limit = self._next = max(self._limit, 1 + max(latched, default=0))

        def first(db: sqlite3.Connection) -> tuple[Inspection, ...]:
            set_counter(db, "epoch", self.epoch)
            outbox.skip_to(db, seq)
            unrecorded = [e for s, e in sorted(latched.items()) if recovery.recorded(db, s) is Recorded.NOTHING]
            closed = tuple(map(recovery.closed, unrecorded))
            overruled = [
                recovery.overruled(db, e)
                for s, e in latched.items()
                if e.code and recovery.recorded(db, s) is Recorded.PASS
            ]
            for inspection in closed:
                self._write(db, inspection)
            for inspection in overruled:
                self._write(db, inspection, instead=True)
            return closed

        self.recovered = db.transact(db.sure, first)
        self._extend(self._block)
        self._trail.check()
        self._copy_numbers()
        db.measure()
        try:
            self._latch = Latch(self.folder)
        except OSError:
            self._ballast.give_up()
            self._latch = Latch(self.folder)
        for path in old:
            path.unlink(missing_ok=True)
        self._ballast.restore()

    # The port

    def reserve(self, count: int) -> int:
        """The first of `count` numbers that were never given out. Raises RecordsUnavailable.

        Waits for the disk only where the block is used up; `maintain` extends it before that.
        """
        if count < 1:
            raise ValueError(f"count is {count}; it must be 1 or more")
        with self._db.lock:
            if self._next + count > self._limit:
                self._extend(max(count, self._block))
            first = self._next
            self._next += count
            return first

    def latch(self, trigger: Trigger) -> None:
        """Note an accepted trigger, a killed process cannot undo it. Raises RecordsUnavailable."""
        self._latching(lambda: self._latch.opened(trigger))

    def latch_reject(self, sequence: int, code: int) -> None:
        """Note that a reject for this trigger left before its record. Raises RecordsUnavailable."""
        self._latching(lambda: self._latch.rejected(sequence, code))

    def commit(self, inspection: Inspection) -> None:
        """Write one inspection in one transaction. Raises RecordsUnavailable, RecordsError.

        A sequence that has its record keeps it: a second commit changes nothing and is counted in
        `health().duplicates`, so that a caller may repeat a commit whose outcome it does not know. One thing is
        replaced: a pass that never left, because the deadline had rejected its part, by that INVALID verdict; of a
        part in BYPASS any verdict is a pass.
        """
        sequence, passed = inspection.trigger.sequence, recovery.may_leave(inspection)

        def record(db: sqlite3.Connection) -> bool:
            there = recovery.recorded(db, sequence)
            overrules = there is Recorded.PASS and inspection.verdict.result is Result.INVALID
            if there is not Recorded.NOTHING and not overrules:
                return False
            self._write(db, inspection, instead=overrules)
            return True

        with self._db.lock:
            fresh = self._db.transact(self._db.fast, record)
            self._db.state.commits += fresh
            self._db.state.duplicates += not fresh
        if self._db.state.disk_full:
            with suppress(sqlite3.Error):  # the record is there; the next one says what is wrong
                self._db.checkpoint(CHECKPOINT_COMMITS)
        # The record is there; should this fail, the next start asks the database.
        with suppress(RecordsUnavailable):
            self._latch.done(sequence, passed=passed)
        if fresh:
            self._tell()

    def rehearse(self) -> None:
        """One durable transaction that records nothing. Raises RecordsUnavailable."""
        with self._db.lock:
            self._db.transact(self._db.fast, lambda db: set_counter(db, "rehearsals", counter(db, "rehearsals") + 1))

    # Beside the port

    def attach_images(self, sequence: int, paths: tuple[str, ...]) -> None:
        """Say where a record's images lie, relative to the data folder. Slow lane. Raises RecordsError."""

        def attach(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM image WHERE sequence = ?", (sequence,))
            rows.write_images(db, sequence, paths)
            if paths:
                reviews.queue_sample(db, sequence, self.review_share)

        with self._db.lock:
            self._db.transact(self._db.slow, attach)

    def maintain(self) -> None:
        """Everything that the fast lane must not wait for: call it from a slow thread, about once a second.

        Extends the block of numbers, readies the next latch file, checkpoints, deletes records past their
        age, takes the ballast back. Raises RecordsUnavailable.
        """
        with self._db.lock:
            if self._limit - self._next < self._block / 2:
                self._extend(self._block)
        self._copy_numbers()
        self.challenges.write_waiting(self.epoch)
        try:
            self._latch.rotate()
            self._db.checkpoint(CHECKPOINT_COMMITS)
            if self._keep is not None:
                self._prune(_now() - self._keep)
            self._db.measure()
            self._judgements.count_waiting()
            if self._ballast.restore():
                self._db.state.disk_full = False
        except (sqlite3.Error, OSError) as problem:
            self._db.state.last_error = opening.explain(problem, self.folder)
            raise RecordsUnavailable(self._db.state.last_error) from problem

    def health(self) -> RecordsHealth:
        """A snapshot for the station to poll; never raises and never waits for the database."""
        state = self._db.state
        return health_of(
            self.folder,
            self._ballast,
            max_bytes=self._max_bytes,
            free_pages_bytes=state.free_pages_bytes,
            disk_full=state.disk_full,
            duplicates=state.duplicates,
            recovered=len(self.recovered),
            quick_check=state.quick_check,
            last_error=state.last_error,
        )

    def close(self) -> None:
        """Give the folder back. Triggers still open stay latched: the next start closes them. May be called again."""
        with self._db.lock:
            if self._closed:
                return
        with suppress(RecordsError):  # a test whose end is not written counts as failed at the next start
            self.challenges.write_waiting(self.epoch)
        with self._db.lock:
            self._closed = True
            self._latch.close()
            self._db.close()
        self._folder_lock.release()

    def __enter__(self) -> SqliteRecords:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    # Inside; what writes to the database is called with its lock held

    def _write(self, db: sqlite3.Connection, inspection: Inspection, *, instead: bool = False) -> None:
        """The record and its outgoing row: both or none. instead: of the pass that this one makes void."""
        supersedes = None
        if instead:
            supersedes = outbox.seq_of(db, inspection.trigger.sequence)
            recovery.forget(db, inspection.trigger.sequence)
        rows.write(db, inspection, self._db.interned)
        outbox.put_result(db, inspection, self._station, self.context(), supersedes)

    def _tell(self) -> None:
        told = self.on_outbox
        if told is not None:
            told()

    def _latching(self, note: Callable[[], None]) -> None:
        try:
            note()
        except RecordsUnavailable:
            if not self._ballast.give_up():
                raise
            self._db.state.disk_full = True
            note()

    def _extend(self, count: int) -> None:
        """Make `count` more numbers ours, durably, before the first of them is given out."""
        limit = self._limit + count
        self._db.transact(self._db.sure, lambda db: set_counter(db, "sequence", limit - 1))
        self._limit = limit

    def _copy_numbers(self) -> None:
        """Bring the copy beside the database up to date; waits for no lock, and the database has the numbers anyway."""
        limit, seq = self._limit, self._db.outbox.bounds()[1]
        copied_limit, copied_seq = self._copied
        if limit == copied_limit and seq - copied_seq < self._block:
            return
        try:
            self._numbers.write(limit - 1, self.epoch, seq)
            self._copied = (limit, seq)
        except OSError as problem:
            self._db.state.last_error = opening.explain(problem, self.folder)

    def _prune(self, before: datetime) -> None:
        """Delete a bounded number of records older than `before`, never one whose latch entry still lives."""
        oldest_open = self._latch.oldest()
        statement = """DELETE FROM inspection WHERE sequence IN (
            SELECT sequence FROM inspection WHERE at_us < ? AND sequence < ? ORDER BY at_us LIMIT ?)"""
        for _ in range(PRUNE_ROUNDS):  # the lock is free in between: a commit waits for one round at most
            with self._db.lock:
                bound = self._limit if oldest_open is None else oldest_open
                values = (to_us(before), bound, PRUNE_ROWS)
                gone = self._db.transact(self._db.slow, lambda db: db.execute(statement, values).rowcount)  # noqa: B023
            with self._db.lock:
                sent = self._db.transact(self._db.slow, lambda db: outbox.prune(db, before, PRUNE_ROWS))
            if max(gone, sent) < PRUNE_ROWS:
                return


def _now() -> datetime:
    return datetime.now(timezone.utc)
