"""What the records say of themselves, for the station to poll."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RecordsHealth:
    """A frozen snapshot.

    disk_free_bytes: on the data folder's file system. database_bytes: with its write-ahead log.
    ballast_present: False once the ballast was given up, or where there was never room for it.
    duplicates: commits of a sequence that had its record already; they changed nothing.
    recovered: parts that an earlier process left open and that were closed as INVALID at this start.
    quick_check: "ok", or "unfinished" where the database was too big for the time given.
    last_error: the last write that failed, "" since the last one that succeeded.
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
