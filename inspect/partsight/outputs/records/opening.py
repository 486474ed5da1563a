"""Opening the record database: connections, the look for damage, and what SQLite's errors mean to people."""

from __future__ import annotations

import errno
import sqlite3
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import TypeVar

from partsight.domain.errors import RecordsUnavailable
from partsight.outputs.records import schema
from partsight.outputs.records.folder import DATABASE, free_bytes, sync_folder

T = TypeVar("T")

# A safety net only: `maintain` checkpoints long before the log has this many pages of 4 KiB.
_AUTOCHECKPOINT_PAGES = 25_000
# The log's file is cut to this where it starts anew: another program that read for long had made it grow.
_LOG_BYTES = 64 << 20
_CHECK_STEPS = 20_000
_NEARLY_FULL_BYTES = 1 << 20


def connect(folder: Path, busy_timeout_s: float, *, full: bool) -> sqlite3.Connection:
    """A writing connection that any thread may use under the caller's lock. Raises sqlite3.Error."""
    db = sqlite3.connect(
        folder / DATABASE, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False, cached_statements=64
    )
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute(f"PRAGMA synchronous = {'FULL' if full else 'NORMAL'}")
        db.execute("PRAGMA foreign_keys = ON")
        db.execute(f"PRAGMA wal_autocheckpoint = {_AUTOCHECKPOINT_PAGES}")
        db.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}").fetchall()
    except sqlite3.Error:
        db.close()
        raise
    return db


def connect_reading(folder: Path, busy_timeout_s: float) -> sqlite3.Connection:
    """A read-only connection, also while a station writes. Raises RecordsUnavailable."""
    path = folder / DATABASE
    if not path.is_file():
        raise RecordsUnavailable(f"there are no records in {folder}; name the data folder of a station that ran")
    name = path.resolve().as_uri()
    # In a folder that cannot be written SQLite can read a WAL database only as one that nobody changes,
    # which holds where no log lies beside it.
    for mode in ("mode=ro", "mode=ro&immutable=1"):
        db = sqlite3.connect(f"{name}?{mode}", uri=True, timeout=busy_timeout_s, isolation_level=None)
        try:
            db.execute("PRAGMA schema_version")
        except sqlite3.OperationalError as problem:
            db.close()
            if "immutable" in mode or path.with_name(DATABASE + "-wal").exists():
                raise RecordsUnavailable(explain(problem, folder)) from problem
        except sqlite3.DatabaseError as problem:
            db.close()
            raise RecordsUnavailable(explain(problem, folder)) from problem
        else:
            return db
    raise AssertionError("the last mode returns or raises")


def prepare(folder: Path, busy_timeout_s: float, quick_check_s: float, set_aside_damaged: bool) -> str:
    """Make the database exist, undamaged and up to date; what the look for damage said.

    Raises RecordsUnavailable, sqlite3.Error, OSError.
    """
    path = folder / DATABASE
    damage, checked = _damage(folder, busy_timeout_s, quick_check_s) if path.exists() else ("", "ok")
    if damage:
        if not set_aside_damaged:
            raise RecordsUnavailable(
                f"{path} is damaged ({damage}); it was not touched. Restore it from a copy, or start with "
                "set-aside: it is then kept as records.db.damaged-TIME and a new one begins"
            )
        set_aside(folder)
        checked = "ok"
    db = connect(folder, busy_timeout_s, full=True)
    try:
        schema.migrate(db, str(path))
    finally:
        db.close()
    return checked


def _damage(folder: Path, busy_timeout_s: float, limit_s: float) -> tuple[str, str]:
    """(what is wrong, "" for nothing; "ok" or "unfinished"). Raises sqlite3.Error where it is only locked."""
    until = time.monotonic() + limit_s
    db = None
    try:
        db = connect(folder, busy_timeout_s, full=True)
        schema.refuse_newer(schema.version_of(db), str(folder / DATABASE))
        db.set_progress_handler(lambda: int(time.monotonic() > until), _CHECK_STEPS)
        said = "; ".join(str(row[0]) for row in db.execute("PRAGMA quick_check(3)"))
        return ("", "ok") if said == "ok" else (" ".join(said.split()), "")
    except sqlite3.OperationalError as problem:
        if "interrupted" in str(problem):
            return "", "unfinished"
        if not _is_damage(problem):
            raise
        return str(problem), ""
    except sqlite3.DatabaseError as problem:
        if not _is_damage(problem):
            raise
        return str(problem), ""
    finally:
        if db is not None:
            db.close()


def _is_damage(problem: sqlite3.Error) -> bool:
    return any(words in str(problem) for words in ("malformed", "not a database", "corrupt"))


def set_aside(folder: Path) -> list[Path]:
    """Keep a damaged database and its log under names that say so; the new names."""
    time_text = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S%fZ")
    kept = []
    for end in ("", "-wal", "-shm"):
        path = folder / (DATABASE + end)
        if path.exists():
            kept.append(path.rename(folder / f"{DATABASE}{end}.damaged-{time_text}"))
    sync_folder(folder)
    return kept


def means_full(problem: Exception, folder: Path) -> bool:
    """SQLite says SQLITE_FULL for a failed write, but an I/O error where growing its shared memory failed."""
    if isinstance(problem, OSError):
        return problem.errno in {errno.ENOSPC, errno.EDQUOT}
    text = str(problem)
    if "full" in text:
        return True
    try:
        return "disk I/O error" in text and free_bytes(folder) < _NEARLY_FULL_BYTES
    except OSError:
        return False


def explain(problem: Exception, folder: Path) -> str:
    """What happened, where, and what to do."""
    path = folder / DATABASE
    if means_full(problem, folder):
        return f"{path}: the disk is full; free space on it (records.db itself is never in the way)"
    if isinstance(problem, sqlite3.Error):
        if "locked" in str(problem) or "busy" in str(problem):
            return f"{path} is locked by another program; close what has it open for writing"
        if _is_damage(problem):
            return f"{path} is damaged ({problem}); stop the station, copy the folder, and start with set-aside"
        if "readonly" in str(problem) or "unable to open" in str(problem):
            return f"{path} cannot be written ({problem}); make the data folder writable for this user"
    return f"{path}: {problem}; look at the disk and the rights of this folder"
