"""The tables of the record database, and how an older database becomes a newer one.

`PRAGMA user_version` holds how many migrations a database has seen. A migration that was released is
never edited: a change is a new one at the end. Only the station that holds the folder's lock migrates.
"""

from __future__ import annotations

import sqlite3

from partsight.domain.errors import RecordsUnavailable

_RECORDS = (
    "CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    """CREATE TABLE recipe (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL, revision INTEGER NOT NULL, sha256 TEXT NOT NULL,
        UNIQUE (name, revision, sha256)) STRICT""",
    """CREATE TABLE model (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL, backend TEXT NOT NULL,
        precision TEXT NOT NULL, UNIQUE (name, sha256, backend, precision)) STRICT""",
    "CREATE TABLE classes (id INTEGER PRIMARY KEY, names TEXT NOT NULL UNIQUE) STRICT",
    """CREATE TABLE inspection (
        sequence INTEGER PRIMARY KEY,
        uid BLOB NOT NULL,
        trigger_id INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        kind TEXT NOT NULL,
        at_us INTEGER NOT NULL,
        at_ns INTEGER NOT NULL,
        deadline_ns INTEGER NOT NULL,
        part_id TEXT NOT NULL,
        encoder INTEGER,
        result TEXT NOT NULL CHECK (result IN ('OK', 'NG', 'REVIEW', 'INVALID')),
        action INTEGER NOT NULL,
        code INTEGER NOT NULL,
        findings TEXT NOT NULL,
        recipe INTEGER NOT NULL REFERENCES recipe,
        model INTEGER REFERENCES model,
        frame_ms REAL, start_ms REAL, infer_ms REAL, detect_ms REAL, decide_ms REAL, verdict_ms REAL,
        late TEXT,
        simulated INTEGER NOT NULL,
        truth TEXT) STRICT""",
    # Covers counts, yield and the Pareto of a time span without reading the rows themselves.
    "CREATE INDEX inspection_at ON inspection (at_us, result, code)",
    "CREATE INDEX inspection_part ON inspection (part_id) WHERE part_id <> ''",
    """CREATE TABLE view (
        sequence INTEGER NOT NULL REFERENCES inspection ON DELETE CASCADE,
        position INTEGER NOT NULL,
        camera TEXT NOT NULL,
        failure INTEGER,
        detail TEXT NOT NULL,
        facts TEXT,
        model INTEGER REFERENCES model,
        classes INTEGER REFERENCES classes,
        boxes BLOB, scores BLOB, class_ids BLOB,
        PRIMARY KEY (sequence, position)) STRICT, WITHOUT ROWID""",
)

_IMAGES = (
    """CREATE TABLE image (
        sequence INTEGER NOT NULL REFERENCES inspection ON DELETE CASCADE,
        position INTEGER NOT NULL,
        path TEXT NOT NULL,
        PRIMARY KEY (sequence, position)) STRICT, WITHOUT ROWID""",
    # A part that a person has looked at: its images outlive all others.
    """CREATE TABLE reviewed (
        sequence INTEGER PRIMARY KEY REFERENCES inspection ON DELETE CASCADE,
        at_us INTEGER NOT NULL) STRICT""",
)

AUDIT_GUARDS = ("audit_no_update", "audit_no_delete", "audit_in_order")

_LINE = (
    "ALTER TABLE inspection ADD COLUMN mode TEXT NOT NULL DEFAULT 'PRODUCTION'",
    # Its number is in the payload too, which leaves the machine; the counter is the authority on the next one.
    """CREATE TABLE outbox (
        seq INTEGER PRIMARY KEY, sequence INTEGER, kind TEXT NOT NULL, payload BLOB NOT NULL,
        at_us INTEGER NOT NULL) STRICT""",
    "INSERT OR IGNORE INTO counter VALUES ('outbox', 0)",
    """CREATE TABLE consumer (
        name TEXT PRIMARY KEY, acked INTEGER NOT NULL, at_us INTEGER NOT NULL) STRICT, WITHOUT ROWID""",
    """CREATE TABLE audit (
        n INTEGER PRIMARY KEY, at_us INTEGER NOT NULL, who TEXT NOT NULL, source TEXT NOT NULL, what TEXT NOT NULL,
        before TEXT NOT NULL, after TEXT NOT NULL, previous_hash TEXT NOT NULL, hash TEXT NOT NULL) STRICT""",
    """CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
        BEGIN SELECT raise(ABORT, 'the audit trail can only grow'); END""",
    """CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
        BEGIN SELECT raise(ABORT, 'the audit trail can only grow'); END""",
    # INSERT OR REPLACE would delete without asking the guard above.
    """CREATE TRIGGER audit_in_order BEFORE INSERT ON audit
        WHEN NEW.n IS NOT (SELECT coalesce(max(n), 0) + 1 FROM audit)
        BEGIN SELECT raise(ABORT, 'the audit trail can only grow at its end'); END""",
)

_REVIEWS = (
    # What people said of a part, and what they took back: a row each, never changed. It goes with its record only.
    """CREATE TABLE disposition (
        n INTEGER PRIMARY KEY,
        sequence INTEGER NOT NULL REFERENCES inspection ON DELETE CASCADE,
        at_us INTEGER NOT NULL,
        who TEXT NOT NULL,
        source TEXT NOT NULL,
        undoes INTEGER UNIQUE REFERENCES disposition ON DELETE CASCADE,
        judgement TEXT CHECK (judgement IN ('right', 'wrong')),
        is_ok INTEGER CHECK (is_ok IN (0, 1)),
        label TEXT NOT NULL DEFAULT '',
        boxes TEXT,
        remark TEXT NOT NULL DEFAULT '',
        CHECK ((undoes IS NULL) = (judgement IS NOT NULL))) STRICT""",
    "CREATE INDEX disposition_of ON disposition (sequence)",
    "CREATE INDEX disposition_at ON disposition (at_us)",
    """CREATE TRIGGER disposition_no_update BEFORE UPDATE ON disposition
        BEGIN SELECT raise(ABORT, 'what was said of a part can only be added to'); END""",
    """CREATE TRIGGER disposition_no_delete BEFORE DELETE ON disposition
        WHEN EXISTS (SELECT 1 FROM inspection WHERE sequence = OLD.sequence)
        BEGIN SELECT raise(ABORT, 'what was said of a part goes with its record only'); END""",
    # Parts that wait for a person, and those that did: an undo puts a part back.
    """CREATE TABLE review_queue (
        sequence INTEGER PRIMARY KEY REFERENCES inspection ON DELETE CASCADE,
        done INTEGER NOT NULL DEFAULT 0) STRICT""",
    "CREATE INDEX review_waiting ON review_queue (sequence) WHERE done = 0",
    "INSERT INTO review_queue SELECT sequence, 0 FROM inspection WHERE result = 'REVIEW' AND mode <> 'CHALLENGE'",
    # Costs the other verdicts nothing. The parts of a challenge test are known.
    """CREATE TRIGGER review_wanted AFTER INSERT ON inspection
        WHEN NEW.result = 'REVIEW' AND NEW.mode <> 'CHALLENGE'
        BEGIN INSERT INTO review_queue VALUES (NEW.sequence, 0); END""",
    # Trends of a time span are read from this index alone.
    "DROP INDEX inspection_at",
    "CREATE INDEX inspection_at ON inspection (at_us, result, code, recipe, verdict_ms)",
    # The few that did not pass, newest first, among very many that did.
    "CREATE INDEX inspection_result ON inspection (result) WHERE result <> 'OK'",
    "CREATE INDEX inspection_code ON inspection (code) WHERE result <> 'OK'",
)

_CHALLENGES = (
    # Challenge tests, kept for ever. One without an end was under way when its process ended.
    """CREATE TABLE challenge (
        n INTEGER PRIMARY KEY,
        began_us INTEGER NOT NULL,
        who TEXT NOT NULL,
        why TEXT NOT NULL,
        guided INTEGER NOT NULL CHECK (guided IN (0, 1)),
        recipe TEXT NOT NULL,
        model TEXT NOT NULL,
        set_up TEXT NOT NULL,
        steps TEXT NOT NULL,
        ended_us INTEGER,
        outcome TEXT CHECK (outcome IN ('PASSED', 'FAILED', 'NONE')),
        aborted INTEGER NOT NULL DEFAULT 0,
        note TEXT NOT NULL DEFAULT '',
        last_passed_us INTEGER,
        suspects INTEGER NOT NULL DEFAULT 0,
        CHECK ((ended_us IS NULL) = (outcome IS NULL))) STRICT""",
    """CREATE TRIGGER challenge_no_update BEFORE UPDATE ON challenge WHEN OLD.ended_us IS NOT NULL
        BEGIN SELECT raise(ABORT, 'a finished challenge test never changes'); END""",
    """CREATE TRIGGER challenge_no_delete BEFORE DELETE ON challenge
        BEGIN SELECT raise(ABORT, 'challenge tests are kept for ever'); END""",
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (_RECORDS, _IMAGES, _LINE, _REVIEWS, _CHALLENGES)


def version_of(db: sqlite3.Connection) -> int:
    """How many migrations this database has seen; 0 for a new one."""
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def migrate(db: sqlite3.Connection, place: str) -> int:
    """Bring the database up to date, each step in a transaction of its own; how many steps ran.

    Raises RecordsUnavailable where a newer partsight wrote it, and sqlite3.Error.
    """
    before = version_of(db)
    refuse_newer(before, place)
    for number, statements in enumerate(MIGRATIONS[before:], start=before + 1):
        db.execute("BEGIN IMMEDIATE")
        try:
            for statement in statements:
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {number}")
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
    return len(MIGRATIONS) - before


def refuse_other(db: sqlite3.Connection, place: str) -> None:
    """Raises RecordsUnavailable where the tables are not of this version: a reader cannot migrate them."""
    version = version_of(db)
    refuse_newer(version, place)
    if version < len(MIGRATIONS):
        raise RecordsUnavailable(
            f"{place} was written by an older partsight; start the station once, it brings it up to date"
        )


def refuse_newer(version: int, place: str) -> None:
    """Raises RecordsUnavailable where a newer partsight wrote the database."""
    if version > len(MIGRATIONS):
        raise RecordsUnavailable(
            f"{place} was written by a newer partsight (version {version} of the tables, this one knows "
            f"{len(MIGRATIONS)}); install the newer partsight again, or give this station another data folder"
        )
