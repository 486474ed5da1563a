"""The audit trail: who changed what, in a table that can only grow and whose rows are chained by their hashes.

`SqliteRecords.audit(who, source, what, before=None, after=None) -> AuditRow`, `SqliteRecords.audit_head()`;
`verify_audit(folder, digest=None) -> AuditReport`, `read_audit(folder, limit) -> list[AuditRow]`.

A row's hash covers the row and the hash before it; the newest number and hash also lie in `audit.json` beside the
database, and go out as events, so that a cut end is found too. Who can write to the folder can make a whole new
chain that fits: only digests that left the machine show that (`digest`).
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from partsight.domain.errors import RecordsUnavailable
from partsight.outputs.records import opening, schema
from partsight.outputs.records.folder import DATABASE, sync_folder
from partsight.outputs.records.latch import from_us, to_us
from partsight.wire.message import clean

AUDIT_HEAD = "audit.json"
GENESIS = "0" * 64
MAX_NAME = 128
MAX_VALUE = 4096
BROKEN = "audit.broken"
"""What a start writes into the chain where it does not fit the head beside the database."""
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class AuditHead:
    """The newest row's number and hash; 0 and zeros for none."""

    n: int = 0
    hash: str = GENESIS


@dataclass(frozen=True, slots=True)
class AuditRow:
    """Who did what, from where. before, after: canonical JSON, "" for nothing."""

    n: int
    at: datetime
    who: str
    source: str
    what: str
    before: str
    after: str
    previous_hash: str
    hash: str


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What `verify_audit` found. problems: one line each, empty where the trail is whole."""

    rows: int
    head: AuditHead
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """True where nothing was changed, removed, inserted, reordered or cut."""
        return not self.problems


def row_hash(n: int, at_us: int, texts: Sequence[str], previous: str) -> str:
    """SHA-256 over the row as canonical JSON: a list, in the order of the table, with the hash before it.

    texts: who, source, what, before, after.
    """
    text = json.dumps([n, at_us, *texts, previous], separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def append(
    db: sqlite3.Connection,
    who: str,
    source: str,
    what: str,
    *,
    before: object = None,
    after: object = None,
    at: datetime | None = None,
) -> AuditRow:
    """One row at the end of the chain, inside the caller's transaction; too long texts are cut.

    at: when it was, where that is not now. Raises sqlite3.Error.
    """
    head = head_of(db)
    n, at_us = head.n + 1, to_us(at or datetime.now(timezone.utc))
    texts = (
        _short(who, MAX_NAME),
        _short(source, MAX_NAME),
        _short(what, MAX_NAME),
        _value(before),
        _value(after),
    )
    digest = row_hash(n, at_us, texts, head.hash)
    db.execute("INSERT INTO audit VALUES (?,?,?,?,?,?,?,?,?)", (n, at_us, *texts, head.hash, digest))
    return AuditRow(n, from_us(at_us), *texts, head.hash, digest)


def head_of(db: sqlite3.Connection) -> AuditHead:
    """Raises sqlite3.Error."""
    row = db.execute("SELECT n, hash FROM audit ORDER BY n DESC LIMIT 1").fetchone()
    return AuditHead() if row is None else AuditHead(int(row[0]), str(row[1]))


def _short(text: str, limit: int) -> str:
    text = clean(text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _value(value: object) -> str:
    """Canonical JSON; of a longer one its beginning and the hash of the whole."""
    if value is None:
        return ""
    # What is no JSON is written as its text: an audit that fails over a value's type would be worse.
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    if len(text) <= MAX_VALUE:
        return text
    return text[: MAX_VALUE - 80] + "…sha256:" + hashlib.sha256(text.encode("ascii")).hexdigest()


# --- the head beside the database -------------------------------------------------------------------


def write_head(folder: Path, head: AuditHead) -> None:
    """Replace it, durably. Raises OSError."""
    draft = (folder / AUDIT_HEAD).with_suffix(".tmp")
    with draft.open("w", encoding="ascii") as file:
        json.dump({"n": head.n, "hash": head.hash}, file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(folder / AUDIT_HEAD)
    sync_folder(folder)


def read_head(folder: Path) -> AuditHead | None:
    """None where there is no readable one."""
    try:
        found = json.loads((folder / AUDIT_HEAD).read_text("ascii"))
        return AuditHead(int(found["n"]), str(found["hash"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def head_mismatch(db: sqlite3.Connection, kept: AuditHead | None) -> str:
    """Why the chain does not fit the head that lay beside it, "" where it does. Raises sqlite3.Error."""
    head = head_of(db)
    if kept is None:
        return f"{AUDIT_HEAD} is missing or cannot be read, and the trail has {head.n} rows" if head.n else ""
    if kept.n > head.n:
        return f"the end is cut: the trail has {head.n} rows, {AUDIT_HEAD} says {kept.n}"
    # A process that was killed between row and file leaves the file behind by a row, which is no fault.
    if _hash_at(db, kept.n) != kept.hash:
        return f"row {kept.n} is not the one that {AUDIT_HEAD} knows"
    return ""


def _hash_at(db: sqlite3.Connection, n: int) -> str:
    if n == 0:
        return GENESIS
    row = db.execute("SELECT hash FROM audit WHERE n = ?", (n,)).fetchone()
    return "" if row is None else str(row[0])


# --- for people -------------------------------------------------------------------------------------


def verify_audit(folder: Path, digest: AuditHead | None = None) -> AuditReport:
    """Go through the whole trail; the station may be running. digest: one that left the machine earlier.

    Raises RecordsUnavailable: there are no records, they are damaged, or of another version.
    """
    db = _open(folder)
    try:
        # Before the rows: one that is written meanwhile makes the file newer than what is read, never older.
        kept = read_head(folder)
        db.execute("BEGIN")
        problems = [*_missing_guards(db), *_faults(db)]
        mismatch = head_mismatch(db, kept)
        if mismatch:
            problems.append(mismatch)
        if digest is not None and _hash_at(db, digest.n) != digest.hash.lower():
            problems.append(f"row {digest.n} is not the one of the digest that was given")
        head = head_of(db)
        (rows,) = db.execute("SELECT count(*) FROM audit").fetchone()
    except sqlite3.Error as problem:
        raise RecordsUnavailable(opening.explain(problem, folder)) from problem
    finally:
        db.close()
    if len(problems) > _SHOWN:
        problems = [*problems[:_SHOWN], f"and {len(problems) - _SHOWN} more"]
    return AuditReport(int(rows), head, tuple(problems))


def read_audit(folder: Path, limit: int = 100, before: int | None = None) -> list[AuditRow]:
    """The newest rows (of those with a number below `before`), the newest first. Raises RecordsUnavailable."""
    db = _open(folder)
    try:
        found = db.execute(
            "SELECT * FROM audit WHERE n < ? ORDER BY n DESC LIMIT ?", (before or 2**63 - 1, limit)
        ).fetchall()
    except sqlite3.Error as problem:
        raise RecordsUnavailable(opening.explain(problem, folder)) from problem
    finally:
        db.close()
    return [AuditRow(row[0], from_us(row[1]), *row[2:]) for row in found]


def _open(folder: Path) -> sqlite3.Connection:
    db = opening.connect_reading(folder, 2.0)
    try:
        schema.refuse_other(db, str(folder / DATABASE))
    except sqlite3.Error as problem:
        db.close()
        raise RecordsUnavailable(opening.explain(problem, folder)) from problem
    except BaseException:
        db.close()
        raise
    return db


def _missing_guards(db: sqlite3.Connection) -> Iterator[str]:
    found = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")}
    for name in schema.AUDIT_GUARDS:
        if name not in found:
            yield f"the guard {name} of the table is gone: somebody made it possible to change rows"


def _faults(db: sqlite3.Connection) -> Iterator[str]:
    expected, previous = 1, GENESIS
    for n, at_us, *texts, chained, digest in db.execute("SELECT * FROM audit ORDER BY n"):
        if n > expected:
            yield f"row {expected} is missing" if n == expected + 1 else f"rows {expected} to {n - 1} are missing"
        if n == expected and chained != previous:
            yield f"row {n} does not follow row {n - 1}: one of them was changed, inserted or moved"
        if row_hash(n, at_us, texts, chained) != digest:
            yield f"row {n} was changed"
        if texts[2] == BROKEN:
            yield f"row {n}: at the start of {from_us(at_us):%Y-%m-%d %H:%M:%S} UTC the trail did not fit: {texts[4]}"
        expected, previous = n + 1, digest
