"""What the records say of themselves, for the station to poll."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from partsight.outputs.records.folder import DATABASE, Ballast, free_bytes

WARN_SHARE = 0.7
FULL_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class RecordsHealth:
    """A frozen snapshot.

    disk_free_bytes: on the data folder's file system. database_bytes: with its write-ahead log.
    ballast_present: False once the ballast was given up, or where there was never room for it.
    duplicates: commits of a sequence that had its record already; they changed nothing.
    recovered: parts that an earlier process left open and that were closed as INVALID at this start.
    quick_check: "ok", or "unfinished" where the database was too big for the time given.
    last_error: the last write that failed, "" since the last one that succeeded.
    used_bytes: of the database's bytes, those that hold something (rows that were deleted leave space to fill again).
    max_bytes: the bound that was set, None for none. full: 90 % of it are used: the station must not be Ready;
        records are written all the same.
    problem, cure: a fault that people must see; both "" where there is none.
    """

    disk_free_bytes: int
    database_bytes: int
    ballast_present: bool
    duplicates: int
    recovered: int
    quick_check: str
    last_error: str
    problem: str
    cure: str
    used_bytes: int = 0
    max_bytes: int | None = None
    full: bool = False


def health_of(
    folder: Path,
    ballast: Ballast,
    *,
    max_bytes: int | None,
    free_pages_bytes: int,
    disk_full: bool,
    duplicates: int,
    recovered: int,
    quick_check: str,
    last_error: str,
) -> RecordsHealth:
    """Looks at the disk and at nothing that could be waited for; never raises."""
    free = 0
    with suppress(OSError):
        free = free_bytes(folder)
    size = sum(_size(folder / (DATABASE + end)) for end in ("", "-wal"))
    used, present = max(0, size - free_pages_bytes), ballast.present
    problem, cure = "", ""
    if disk_full or (ballast.wanted and not present):
        kept = "the ballast was given up so that records can still be written, " if not present else ""
        problem = f"the disk of {folder} is full: {kept}{free >> 20} MiB are left"
        cure = "free space on this disk; images and logs of others are what can go, records.db is not"
    elif last_error:
        problem, cure = f"the last record could not be written: {last_error}", "see the message"
    elif max_bytes is not None and used >= WARN_SHARE * max_bytes:
        problem = f"{folder / DATABASE} has {used / max_bytes:.0%} of the {max_bytes >> 20} MiB that it may have"
        cure = "see that the consumers of records acknowledge; keep records for fewer days, or allow more"
    return RecordsHealth(
        disk_free_bytes=free,
        database_bytes=size,
        ballast_present=present,
        duplicates=duplicates,
        recovered=recovered,
        quick_check=quick_check,
        last_error=last_error,
        problem=problem,
        cure=cure,
        used_bytes=used,
        max_bytes=max_bytes,
        full=max_bytes is not None and used >= FULL_SHARE * max_bytes,
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
