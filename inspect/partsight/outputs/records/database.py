"""The connections of the writing station and the one way that anything is written through them."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, unique
from pathlib import Path

from partsight.domain.errors import RecordsError, RecordsUnavailable
from partsight.outputs.records import opening, rows
from partsight.outputs.records.folder import DATABASE, Ballast
from partsight.outputs.records.outbox import OutboxReader

CHECKPOINT_S = 60.0
FULL_COMMITS = 25
"""On a full disk the log is moved into the database so often: there a record takes a fifth of what it takes in the log,
so that the ballast lasts for longer."""
ROUNDS = 3
LOG_PAGES = 8192
"""A log of so many pages (32 MiB) is moved to its end even if a commit must wait for that, so that it starts anew."""


@unique
class Durability(str, Enum):
    """What a committed record survives.

    POWER: a power loss; every commit waits until the disk has it (SQLite's synchronous FULL).
    PROCESS: a killed process or a crash of partsight; a power loss may take the last records, never their
        order nor the database (synchronous NORMAL). For disks whose flush takes longer than the line allows.
        A number of the outgoing stream may then come twice: POWER is the one to use with consumers.
    """

    POWER = "power"
    PROCESS = "process"


@dataclass(slots=True)
class State:
    """What `health` reports; the database lock guards it. free_pages_bytes: of rows that were deleted."""

    quick_check: str
    duplicates: int = 0
    last_error: str = ""
    disk_full: bool = False
    commits: int = 0
    free_pages_bytes: int = 0
    checkpoint_at: float = field(default_factory=time.monotonic)


class Database:
    """Six connections to one file. Thread-safe under `lock`, which whoever writes holds.

    `fast` commits inspections; `sure` (always synchronous FULL) reserves numbers, audits and takes events; `slow`
    attaches images and prunes; `log` checkpoints and does nothing else, since whoever shares its connection waits
    until it is done; `guard` reads while it does (see `_move`); `outbox` reads. One lock in this process orders the
    writes, so that none waits in SQLite's own busy handler, which sleeps for milliseconds; another process is waited
    for by the busy timeout.

    Nothing in this process may open the database or its `-shm` but through SQLite: closing any file number of them
    drops the process's locks, and another program would take the database for one that nobody uses.
    """

    def __init__(
        self, folder: Path, ballast: Ballast, quick_check: str, *, durability: Durability, busy_timeout_s: float
    ) -> None:
        """Raises sqlite3.Error."""
        self.folder = folder
        self.lock = threading.Lock()
        self.state = State(quick_check)
        self.interned = rows.Interned()
        self._ballast = ballast
        self._open: list[sqlite3.Connection | OutboxReader] = []
        self._checkpointing = threading.Lock()
        try:
            self.fast = self._connect(busy_timeout_s, full=durability is Durability.POWER)
            self.sure = self._connect(busy_timeout_s, full=True)
            self.slow = self._connect(busy_timeout_s, full=False)
            self.log = self._connect(busy_timeout_s, full=True)
            self.guard = self._connect(busy_timeout_s, full=False)
            self.outbox = OutboxReader(folder, busy_timeout_s)
            self._open.append(self.outbox)
        except BaseException:
            self.close()
            raise

    def _connect(self, busy_timeout_s: float, *, full: bool) -> sqlite3.Connection:
        db = opening.connect(self.folder, busy_timeout_s, full=full)
        self._open.append(db)
        return db

    def close(self) -> None:
        """Close all; the connection that has written the records goes last and leaves no log behind."""
        fast = getattr(self, "fast", None)
        for db in reversed(self._open):
            if db is not fast:
                db.close()
        if fast is not None:
            with suppress(
                sqlite3.Error
            ):  # another program reads or writes: the log stays, and is read at the next start
                fast.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            fast.close()

    def transact(self, db: sqlite3.Connection, work: Callable[[sqlite3.Connection], opening.T]) -> opening.T:
        """Run `work` in one transaction; once more after the ballast is given up, if the disk is full.

        Whatever must be durable together belongs into `work`. The caller holds `lock`.
        Raises RecordsUnavailable, RecordsError.
        """
        try:
            try:
                outcome = self._once(db, work)
            except sqlite3.OperationalError as problem:
                if not opening.means_full(problem, self.folder) or not self._ballast.give_up():
                    raise
                self.state.disk_full = True
                outcome = self._once(db, work)
        except sqlite3.Error as problem:
            self.state.last_error = opening.explain(problem, self.folder)
            raise RecordsUnavailable(self.state.last_error) from problem
        except (ValueError, TypeError, OverflowError) as problem:
            # A value that no column can hold (a lone surrogate, an integer over 64 bits): the caller's mistake.
            self.state.last_error = f"{self.folder / DATABASE}: a record cannot be written: {problem}"
            raise RecordsError(self.state.last_error) from problem
        self.state.last_error = ""
        return outcome

    def _once(self, db: sqlite3.Connection, work: Callable[[sqlite3.Connection], opening.T]) -> opening.T:
        db.execute("BEGIN IMMEDIATE")
        try:
            outcome = work(db)
            db.execute("COMMIT")
        except BaseException:
            self.interned.forget()
            if db.in_transaction:
                with suppress(sqlite3.Error):  # SQLite has rolled back by itself where this fails
                    db.execute("ROLLBACK")
            raise
        return outcome

    def checkpoint(self, after_commits: int) -> None:
        """Move the log into the database, where it is due and not under way. The caller does not hold `lock`.

        Commits go on meanwhile and are moved in the next round; one that finds nothing new makes the log start anew.
        Only a log that has grown long is finished under the lock, after rounds that left little to move.
        Raises sqlite3.Error.
        """
        if not self._checkpointing.acquire(blocking=False):
            return
        try:
            state, now = self.state, time.monotonic()
            if state.disk_full:
                after_commits = min(after_commits, FULL_COMMITS)
            if not (state.commits >= after_commits or (state.commits and now - state.checkpoint_at >= CHECKPOINT_S)):
                return
            state.commits, state.checkpoint_at = 0, now
            for _ in range(ROUNDS):
                in_log, moved = self._move()
                if in_log == moved:
                    return
            if in_log >= LOG_PAGES:
                with self.lock:
                    self._move()
        finally:
            self._checkpointing.release()

    def _move(self) -> tuple[int, int]:
        """One PASSIVE checkpoint: pages in the log, and how many of them are in the database now.

        SQLite before 3.51.3 loses pages where a commit starts the log anew while a checkpoint begins: it then takes
        the new pages for moved (sqlite.org/wal.html, 'The WAL-reset bug'). A reader of the log keeps it from starting
        anew; and a reader of a log that is moved already, which does not, keeps the checkpoint from moving anything.
        So `guard` reads from before the checkpoint until after it.
        """
        self.guard.execute("BEGIN")
        try:
            self.guard.execute("SELECT value FROM counter LIMIT 1").fetchall()
            _, in_log, moved = self.log.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        finally:
            self.guard.execute("COMMIT")
        return int(in_log), int(moved)

    def measure(self) -> None:
        """Note how much of the file is free to be filled again. Raises sqlite3.Error."""
        (free,) = self.log.execute("PRAGMA freelist_count").fetchone()
        (page,) = self.log.execute("PRAGMA page_size").fetchone()
        self.state.free_pages_bytes = int(free) * int(page)


def counter(db: sqlite3.Connection, name: str) -> int:
    """A number of the table `counter`, 0 where there is none. Raises sqlite3.Error."""
    row = db.execute("SELECT value FROM counter WHERE name = ?", (name,)).fetchone()
    return int(row[0]) if row else 0


def set_counter(db: sqlite3.Connection, name: str, value: int) -> None:
    """Inside the caller's transaction. Raises sqlite3.Error."""
    db.execute(
        "INSERT INTO counter VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", (name, value)
    )
