"""Rows for the audit trail from programs that may not write the database: the command line and the API.

`put(folder, who, source, what, before, after)` adds a line to `audit-inbox.jsonl` (mode 0600), durably. The station
takes the lines in at its start and each second (`SqliteRecords.take_in_audit`), each exactly once: the file gets a
number as its name when it is taken, and the trail's transaction notes that number. `take_in_offline(folder)` does it
where no station runs.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from partsight.domain.errors import FolderInUse, RecordsUnavailable
from partsight.outputs.records import audit, opening, schema
from partsight.outputs.records.audit import AuditHead, AuditRow
from partsight.outputs.records.database import counter, set_counter
from partsight.outputs.records.folder import DATABASE, FolderLock, sync_folder

INBOX = "audit-inbox.jsonl"
INBOX_LOCK = "audit-inbox.lock"
MAX_BYTES = 4 << 20
"""More than that waits only where no station has run for long: then nothing more is taken, and nothing changes."""
BROKEN_LINE = "audit.inbox"
LOCK_S = 5.0
_TAKEN = re.compile(r"audit-inbox\.(\d{1,18})\.jsonl")
_COUNTER = "audit_inbox"


@dataclass(frozen=True, slots=True)
class Note:
    """A row on its way. at: when it was put there."""

    at: datetime
    who: str
    source: str
    what: str
    before: object = None
    after: object = None


def put(folder: Path, who: str, source: str, what: str, *, before: object = None, after: object = None) -> None:
    """One row, durably: what it tells may be done after this. Raises OSError."""
    at = datetime.now(timezone.utc).isoformat()
    note = {"at": at, "who": who, "source": source, "what": what, "before": before, "after": after}
    line = json.dumps(note, separators=(",", ":"), default=str).encode("ascii") + b"\n"
    with _locked(folder, LOCK_S):
        fresh = not (folder / INBOX).exists()
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        handle = os.open(folder / INBOX, flags, 0o600)
        try:
            _give_to_owner(handle, folder)
            _refuse_full(folder, handle, len(line))
            os.write(handle, _repair(handle) + line)
            os.fsync(handle)
        finally:
            os.close(handle)
        if fresh:
            sync_folder(folder)


def _refuse_full(folder: Path, handle: int, more: int) -> None:
    about = os.fstat(handle)
    if not stat.S_ISREG(about.st_mode):
        raise OSError(f"{folder / INBOX} is no plain file: remove it")
    if about.st_size + more > MAX_BYTES:
        raise OSError(f"{folder / INBOX} is full: start the station once, it takes the audit rows in")


def _repair(handle: int) -> bytes:
    """A new line where the last writer was killed within its own."""
    size = os.fstat(handle).st_size
    return b"\n" if size and os.pread(handle, 1, size - 1) != b"\n" else b""


def _give_to_owner(handle: int, folder: Path) -> None:
    if os.geteuid() == 0:
        owner = folder.stat()
        os.fchown(handle, owner.st_uid, owner.st_gid)


@contextmanager
def _locked(folder: Path, timeout_s: float) -> Iterator[None]:
    """Only one process writes or renames the inbox. Raises OSError, TimeoutError (one) where another does not end."""
    handle = os.open(folder / INBOX_LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        _give_to_owner(handle, folder)
        end = time.monotonic() + timeout_s
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= end:
                    raise TimeoutError(f"{folder / INBOX} is held by another program") from None
                time.sleep(0.01)
        yield
    finally:
        os.close(handle)


# --- the station's end ------------------------------------------------------------------------------


def claim(folder: Path, done: int) -> list[tuple[int, Path]]:
    """Number what is there; the files to be taken in, in order. done: the highest number that the trail has.

    Waits for nobody: a writer at work is left for the next round. Raises OSError.
    """
    waiting = dict(_claimed(folder))
    for number, path in list(waiting.items()):
        if number <= done:  # killed after the commit, before the file went
            path.unlink(missing_ok=True)
            del waiting[number]
    if (folder / INBOX).exists():
        try:
            with _locked(folder, 0.0):
                number = 1 + max(done, *waiting, 0)
                waiting[number] = (folder / INBOX).rename(folder / f"audit-inbox.{number}.jsonl")
                sync_folder(folder)
        except TimeoutError:
            pass
    return sorted(waiting.items())


def _claimed(folder: Path) -> Iterator[tuple[int, Path]]:
    for path in folder.glob("audit-inbox.*.jsonl"):
        found = _TAKEN.fullmatch(path.name)
        if found is not None:
            yield int(found[1]), path


def waiting(folder: Path) -> bool:
    """Whether rows are there that the trail does not have yet."""
    return (folder / INBOX).exists() or any(True for _ in _claimed(folder))


def append_all(db: sqlite3.Connection, number: int, notes: list[Note]) -> list[AuditRow]:
    """The rows, and that they are there, inside the caller's transaction. Raises sqlite3.Error."""
    if counter(db, _COUNTER) >= number:
        return []
    set_counter(db, _COUNTER, number)
    return [audit.append(db, n.who, n.source, n.what, before=n.before, after=n.after, at=n.at) for n in notes]


def taken(db: sqlite3.Connection) -> int:
    """The highest number that the trail has. Raises sqlite3.Error."""
    return counter(db, _COUNTER)


def read(path: Path) -> list[Note]:
    """What a claimed file holds; a line that is none becomes a row that says so. Raises OSError."""
    with path.open("rb") as file:
        lines = file.read(MAX_BYTES + 1).splitlines()
    return [_note(line) for line in lines if line.strip()]


def _note(line: bytes) -> Note:
    try:
        found = json.loads(line)
        at = datetime.fromisoformat(found["at"]).astimezone(timezone.utc)
        who, source, what = (str(found[key]) for key in ("who", "source", "what"))
        return Note(at, who, source, what, found.get("before"), found.get("after"))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        told = f"a line of the inbox cannot be read: {line[:200].decode('ascii', 'backslashreplace')}"
        return Note(datetime.now(timezone.utc), "partsight", "records", BROKEN_LINE, after=told)


def take_in_offline(folder: Path) -> bool:
    """Take the inbox in where no station runs; False where one does, or where there is no database to take it yet.

    Nothing is lost then: the station takes it in when it starts. Raises RecordsUnavailable, OSError.
    """
    if not (folder / DATABASE).is_file():
        return False
    try:
        lock = FolderLock(folder)
    except FolderInUse:
        return False
    try:
        db = opening.connect(folder, 2.0, full=True)
        try:
            if schema.version_of(db) != len(schema.MIGRATIONS):
                return False
            _take_in(folder, db)
        finally:
            db.close()
    except sqlite3.Error as problem:
        raise RecordsUnavailable(opening.explain(problem, folder)) from problem
    finally:
        lock.release()
    return True


def _take_in(folder: Path, db: sqlite3.Connection) -> None:
    for number, path in claim(folder, taken(db)):
        notes = read(path)
        db.execute("BEGIN IMMEDIATE")
        try:
            # A trail that was cut while the station was down must be told before the head is written anew.
            mismatch = audit.head_mismatch(db, audit.read_head(folder))
            if mismatch:
                audit.append(db, "partsight", "records", audit.BROKEN, after=mismatch)
            append_all(db, number, notes)
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        head = audit.head_of(db)
        audit.write_head(folder, AuditHead(head.n, head.hash))
        path.unlink(missing_ok=True)
