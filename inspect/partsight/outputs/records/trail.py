"""The audit trail as the station writes it: rows in the database, and the newest one's hash in a file beside it."""

from __future__ import annotations

import threading
from pathlib import Path

from partsight.outputs.records import audit, inbox, opening
from partsight.outputs.records.audit import AuditHead, AuditRow
from partsight.outputs.records.database import Database


class AuditTrail:
    """Thread-safe. For slow threads: each row waits for the disk."""

    def __init__(self, folder: Path, database: Database) -> None:
        self._folder = folder
        self._db = database
        self._lock = threading.Lock()

    def append(self, who: str, source: str, what: str, before: object = None, after: object = None) -> AuditRow:
        """One row at the end of the trail, durably. For slow threads. Too long texts are cut.

        before, after: what JSON can say; anything else as its text. Raises RecordsError.
        """
        # A lock of its own around row and file, so that the file's flush does not hold up the line's commits.
        with self._lock:
            with self._db.lock:
                row = self._db.transact(
                    self._db.sure, lambda db: audit.append(db, who, source, what, before=before, after=after)
                )
                self._db.state.commits += 1
            self._write_head(AuditHead(row.n, row.hash))
        return row

    def take_in(self) -> int:
        """Take in what the command line and the API have put into the inbox; how many rows. For a slow thread.

        Raises RecordsError, OSError.
        """
        with self._lock:
            with self._db.lock:
                done = self._db.transact(self._db.slow, inbox.taken)
            count = 0
            for number, path in inbox.claim(self._folder, done):
                notes = inbox.read(path)
                with self._db.lock:
                    made = self._db.transact(self._db.sure, lambda db: inbox.append_all(db, number, notes))  # noqa: B023 - run at once
                    self._db.state.commits += 1
                if made:
                    self._write_head(AuditHead(made[-1].n, made[-1].hash))
                    count += len(made)
                path.unlink(missing_ok=True)
        return count

    def head(self) -> AuditHead:
        """Number and hash of the newest row: the digest to send away. Raises RecordsUnavailable."""
        with self._db.lock:
            return self._db.transact(self._db.slow, audit.head_of)

    def check(self) -> None:
        """At the start. A trail that does not fit its head says so for ever, in its next row; a new head would hide it.

        Raises RecordsError.
        """
        db = self._db
        mismatch = audit.head_mismatch(db.sure, audit.read_head(self._folder))
        if mismatch:
            db.transact(db.sure, lambda db: audit.append(db, "partsight", "records", audit.BROKEN, after=mismatch))
        head = audit.head_of(db.sure)
        if head.n:
            self._write_head(head)

    def _write_head(self, head: AuditHead) -> None:
        try:
            audit.write_head(self._folder, head)
        except OSError as problem:
            self._db.state.last_error = opening.explain(problem, self._folder)
