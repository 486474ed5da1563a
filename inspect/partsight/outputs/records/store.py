"""The record database as the station writes it."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from enum import Enum, unique
from pathlib import Path
from types import TracebackType

from partsight.domain.errors import RecordsError, RecordsUnavailable
from partsight.domain.inspection import Inspection, Timings
from partsight.domain.reasons import Reason, reason_text
from partsight.domain.trigger import Trigger
from partsight.domain.uid import uuid7
from partsight.domain.verdict import Action, RecipeRef, Result, invalid
from partsight.outputs.records import opening, rows
from partsight.outputs.records.folder import DATABASE, Ballast, FolderLock, Numbers, free_bytes
from partsight.outputs.records.health import RecordsHealth
from partsight.outputs.records.latch import Latch, LatchedTrigger, latch_files, read_latch, to_us

BALLAST_BYTES = 32 << 20
SEQUENCE_BLOCK = 1000
CHECKPOINT_COMMITS = 1000
CHECKPOINT_S = 60.0
UNKNOWN_RECIPE = RecipeRef("", 0, "")
"""Of a part that a killed process left open: which recipe would have judged it is not known any more."""


@unique
class Durability(str, Enum):
    """What a committed record survives.

    POWER: a power loss; every commit waits until the disk has it (SQLite's synchronous FULL).
    PROCESS: a killed process or a crash of partsight; a power loss may take the last records, never their
        order nor the database (synchronous NORMAL). For disks whose flush takes longer than the line allows.
    """

    POWER = "power"
    PROCESS = "process"


@dataclass(slots=True)
class _State:
    """What `health` reports; the database lock guards it."""

    quick_check: str
    duplicates: int = 0
    last_error: str = ""
    disk_full: bool = False
    commits: int = 0
    checkpoint_at: float = field(default_factory=time.monotonic)


class SqliteRecords:
    """The `Records` port on SQLite in WAL mode. Thread-safe.

    Four connections: `_fast` commits inspections; `_sure` (always synchronous FULL) reserves numbers; `_slow`
    attaches images and prunes; `_log` checkpoints and does nothing else, since whoever shares its connection
    waits until it is done. One lock in this process orders the writes of the other three, so that none waits
    in SQLite's own busy handler, which sleeps for milliseconds; another process is waited for by the busy
    timeout. The latch has a lock of its own: a deadline thread never waits for the database.
    """

    def __init__(
        self,
        folder: Path,
        lock: FolderLock,
        *,
        durability: Durability,
        busy_timeout_s: float,
        block: int,
        ballast_bytes: int,
        quick_check: str,
        keep: timedelta | None,
    ) -> None:
        """Use `open`."""
        self.folder = folder
        self.epoch = 0
        self.recovered: tuple[Inspection, ...] = ()
        self._folder_lock = lock
        self._block = block
        self._keep = keep
        self._ballast = Ballast(folder, ballast_bytes)
        self._numbers = Numbers(folder)
        self._state = _State(quick_check)
        self._write = threading.Lock()
        self._interned = rows.Interned()
        self._fast = opening.connect(folder, busy_timeout_s, full=durability is Durability.POWER)
        self._sure = opening.connect(folder, busy_timeout_s, full=True)
        self._slow = opening.connect(folder, busy_timeout_s, full=False)
        self._log = opening.connect(folder, busy_timeout_s, full=True)
        self._next = self._limit = self._copied = 0
        self._closed = False
        self._latch: Latch

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
    ) -> SqliteRecords:
        """Take the data folder, migrate its database, close what a killed process left open.

        block: sequence numbers reserved at once. ballast_bytes: 0 for none. quick_check_s: the most time
        spent looking for damage. set_aside_damaged: move a damaged database to `*.damaged-TIME` and start a
        new one. keep: age at which `maintain` deletes records; None keeps them for ever.
        Raises FolderInUse, and RecordsUnavailable (locked, damaged, full, not writable).
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise RecordsUnavailable(
                f"the data folder {folder} cannot be made: {problem.strerror}; choose another"
            ) from problem
        lock = FolderLock(folder)

        def attempt() -> SqliteRecords:
            checked = opening.prepare(folder, busy_timeout_s, quick_check_s, set_aside_damaged)
            records = cls(
                folder,
                lock,
                durability=durability,
                busy_timeout_s=busy_timeout_s,
                block=block,
                ballast_bytes=ballast_bytes,
                quick_check=checked,
                keep=keep,
            )
            try:
                records._start()
            except BaseException:
                records._close_database()
                raise
            return records

        try:
            try:
                return attempt()
            except (sqlite3.Error, OSError) as problem:
                # SQLite's shared memory alone does not fit on a full disk.
                if not opening.means_full(problem, folder) or not Ballast(folder, ballast_bytes).give_up():
                    raise
                return attempt()
        except BaseException as problem:
            lock.release()
            if isinstance(problem, (sqlite3.Error, OSError)):
                raise RecordsUnavailable(opening.explain(problem, folder)) from problem
            raise

    def _start(self) -> None:
        """Number this start, close the open triggers, begin a new latch. Raises RecordsError, OSError."""
        sequence, epoch = self._numbers.read()
        ours = self._counter("sequence")
        if sequence > ours:  # the database was lost or set aside; its copy may be a moment older than it was
            sequence += 10 * self._block
        self._limit = self._next = 1 + max(sequence, ours)
        self.epoch = 1 + max(epoch, self._counter("epoch"))
        old = latch_files(self.folder)
        latched = read_latch(self.folder)
        self._limit = self._next = max(self._limit, 1 + max(latched, default=0))

        def first(db: sqlite3.Connection) -> tuple[Inspection, ...]:
            self._set_counter(db, "epoch", self.epoch)
            closed = tuple(_closed(e) for s, e in sorted(latched.items()) if _recorded_action(db, s) is None)
            overruled = [
                _overruled(db, e) for s, e in latched.items() if e.code and _recorded_action(db, s) is Action.PASS
            ]
            for inspection in overruled:
                _forget(db, inspection.trigger.sequence)
            for inspection in (*closed, *overruled):
                rows.write(db, inspection, self._interned)
            return closed

        self.recovered = self._transact(self._sure, first)
        self._extend(self._block)
        self._copy_numbers()
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
        with self._write:
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
        replaced: a pass that never left, because the deadline had rejected its part, by that INVALID verdict.
        """
        sequence, passed = inspection.trigger.sequence, inspection.verdict.action is Action.PASS

        def record(db: sqlite3.Connection) -> bool:
            before = _recorded_action(db, sequence)
            if before is Action.PASS and inspection.verdict.result is Result.INVALID:
                _forget(db, sequence)
            elif before is not None:
                return False
            rows.write(db, inspection, self._interned)
            return True

        with self._write:
            fresh = self._transact(self._fast, record)
            self._state.commits += fresh
            self._state.duplicates += not fresh
        # The record is there; should this fail, the next start asks the database.
        with suppress(RecordsUnavailable):
            self._latch.done(sequence, passed=passed)

    def rehearse(self) -> None:
        """One durable transaction that records nothing. Raises RecordsUnavailable."""
        with self._write:
            self._transact(self._fast, lambda db: self._set_counter(db, "rehearsals", self._counter("rehearsals") + 1))

    # Beside the port

    def attach_images(self, sequence: int, paths: tuple[str, ...]) -> None:
        """Say where a record's images lie, relative to the data folder. Slow lane. Raises RecordsError."""

        def attach(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM image WHERE sequence = ?", (sequence,))
            rows.write_images(db, sequence, paths)

        with self._write:
            self._transact(self._slow, attach)

    def mark_reviewed(self, sequence: int, at: datetime) -> None:
        """A person has looked at this part: its images are the last to go. Raises RecordsError."""
        statement = "INSERT OR IGNORE INTO reviewed VALUES (?, ?)"
        with self._write:
            self._transact(self._sure, lambda db: db.execute(statement, (sequence, to_us(at))))

    def reviewed(self) -> frozenset[int]:
        """Sequences that a person has looked at. Raises RecordsError."""
        with self._write:
            found = self._transact(self._slow, lambda db: db.execute("SELECT sequence FROM reviewed").fetchall())
        return frozenset(int(s) for (s,) in found)

    def maintain(self) -> None:
        """Everything that the fast lane must not wait for: call it from a slow thread, about once a second.

        Extends the block of numbers, readies the next latch file, checkpoints, deletes records past their
        age, takes the ballast back. Raises RecordsUnavailable.
        """
        with self._write:
            if self._limit - self._next < self._block / 2:
                self._extend(self._block)
        self._copy_numbers()
        try:
            self._latch.rotate()
            self._checkpoint()
            if self._keep is not None:
                self._prune(datetime.now(timezone.utc) - self._keep)
            if self._ballast.restore():
                self._state.disk_full = False
        except (sqlite3.Error, OSError) as problem:
            self._state.last_error = opening.explain(problem, self.folder)
            raise RecordsUnavailable(self._state.last_error) from problem

    def health(self) -> RecordsHealth:
        """A snapshot for the station to poll; never raises and never waits for the database."""
        state, free = self._state, 0
        with suppress(OSError):
            free = free_bytes(self.folder)
        problem, cure = "", ""
        present = self._ballast.present
        if state.disk_full or (self._ballast.wanted and not present):
            kept = "the ballast was given up so that records can still be written, " if not present else ""
            problem = f"the disk of {self.folder} is full: {kept}{free >> 20} MiB are left"
            cure = "free space on this disk; images and logs of others are what can go, records.db is not"
        elif state.last_error:
            problem, cure = f"the last record could not be written: {state.last_error}", "see the message"
        return RecordsHealth(
            disk_free_bytes=free,
            database_bytes=sum(_size(self.folder / (DATABASE + end)) for end in ("", "-wal")),
            ballast_present=present,
            duplicates=state.duplicates,
            recovered=len(self.recovered),
            quick_check=state.quick_check,
            last_error=state.last_error,
            problem=problem,
            cure=cure,
        )

    def close(self) -> None:
        """Give the folder back. Triggers still open stay latched: the next start closes them. May be called again."""
        with self._write:
            if self._closed:
                return
            self._closed = True
            self._latch.close()
            self._close_database()
        self._folder_lock.release()

    def __enter__(self) -> SqliteRecords:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _close_database(self) -> None:
        for db in (self._fast, self._sure, self._slow, self._log):
            db.close()

    # Inside; what writes to the database is called with `_write` held

    def _latching(self, note: Callable[[], None]) -> None:
        try:
            note()
        except RecordsUnavailable:
            if not self._ballast.give_up():
                raise
            self._state.disk_full = True
            note()

    def _transact(self, db: sqlite3.Connection, work: Callable[[sqlite3.Connection], opening.T]) -> opening.T:
        """Run `work` in one transaction; once more after the ballast is given up, if the disk is full.

        Whatever must be durable together with an inspection belongs into `work`.
        """
        try:
            try:
                outcome = self._once(db, work)
            except sqlite3.OperationalError as problem:
                if not opening.means_full(problem, self.folder) or not self._ballast.give_up():
                    raise
                self._state.disk_full = True
                outcome = self._once(db, work)
        except sqlite3.Error as problem:
            self._state.last_error = opening.explain(problem, self.folder)
            raise RecordsUnavailable(self._state.last_error) from problem
        except (ValueError, TypeError, OverflowError) as problem:
            # A value that no column can hold (a lone surrogate, an integer over 64 bits): the caller's mistake.
            self._state.last_error = f"{self.folder / DATABASE}: a record cannot be written: {problem}"
            raise RecordsError(self._state.last_error) from problem
        self._state.last_error = ""
        return outcome

    def _once(self, db: sqlite3.Connection, work: Callable[[sqlite3.Connection], opening.T]) -> opening.T:
        db.execute("BEGIN IMMEDIATE")
        try:
            outcome = work(db)
            db.execute("COMMIT")
        except BaseException:
            self._interned.forget()
            if db.in_transaction:
                with suppress(sqlite3.Error):  # SQLite has rolled back by itself where this fails
                    db.execute("ROLLBACK")
            raise
        return outcome

    def _counter(self, name: str) -> int:
        row = self._sure.execute("SELECT value FROM counter WHERE name = ?", (name,)).fetchone()
        return int(row[0]) if row else 0

    def _set_counter(self, db: sqlite3.Connection, name: str, value: int) -> None:
        db.execute(
            "INSERT INTO counter VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", (name, value)
        )

    def _extend(self, count: int) -> None:
        """Make `count` more numbers ours, durably, before the first of them is given out."""
        limit = self._limit + count
        self._transact(self._sure, lambda db: self._set_counter(db, "sequence", limit - 1))
        self._limit = limit

    def _copy_numbers(self) -> None:
        """Bring the copy beside the database up to date; needs no lock, and the database has the numbers anyway."""
        limit = self._limit
        if limit == self._copied:
            return
        try:
            self._numbers.write(limit - 1, self.epoch)
            self._copied = limit
        except OSError as problem:
            self._state.last_error = opening.explain(problem, self.folder)

    def _checkpoint(self) -> None:
        """Move the log into the database. PASSIVE: neither waits for writers nor makes them wait."""
        state, now = self._state, time.monotonic()
        due = state.commits >= CHECKPOINT_COMMITS or (state.commits and now - state.checkpoint_at >= CHECKPOINT_S)
        if not due:
            return
        state.commits, state.checkpoint_at = 0, now
        for _ in range(3):  # what was committed meanwhile is left for the next round; without rest the log starts anew
            _, in_log, moved = self._log.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if in_log == moved:
                return

    def _prune(self, before: datetime) -> None:
        """Delete a bounded number of records older than `before`, never one whose latch entry still lives."""
        oldest_open = self._latch.oldest()
        statement = """DELETE FROM inspection WHERE sequence IN (
            SELECT sequence FROM inspection WHERE at_us < ? AND sequence < ? ORDER BY at_us LIMIT 100)"""
        with self._write:
            bound = self._limit if oldest_open is None else oldest_open
            self._transact(self._slow, lambda db: db.execute(statement, (to_us(before), bound)))


def _recorded_action(db: sqlite3.Connection, sequence: int) -> Action | None:
    row = db.execute("SELECT action FROM inspection WHERE sequence = ?", (sequence,)).fetchone()
    return None if row is None else Action(row[0])


def _forget(db: sqlite3.Connection, sequence: int) -> None:
    db.execute("DELETE FROM inspection WHERE sequence = ?", (sequence,))


def _overruled(db: sqlite3.Connection, entry: LatchedTrigger) -> Inspection:
    """A recorded pass whose reject had left when the process was killed, as what the line has seen."""
    recorded = rows.read_one(db, entry.trigger.sequence)
    assert recorded is not None
    assert entry.code is not None
    code = _reason(entry.code)
    verdict = invalid(code, reason_text(code), recorded.verdict.recipe)
    return replace(recorded, verdict=verdict, late=recorded.verdict.result)


def _closed(entry: LatchedTrigger) -> Inspection:
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


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
