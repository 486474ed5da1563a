"""The audit trail: it grows, it refuses to change, and whatever was done to its file is found."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from partsight.domain.errors import RecordsUnavailable
from partsight.outputs.records import AuditHead, Durability, SqliteRecords, read_audit, schema, verify_audit
from partsight.outputs.records.audit import AUDIT_HEAD, GENESIS, MAX_NAME, MAX_VALUE, row_hash
from partsight.outputs.records.folder import DATABASE

COLUMNS = "n, at_us, who, source, what, before, after, previous_hash, hash"


def open_records(folder: Path) -> SqliteRecords:
    return SqliteRecords.open(folder, durability=Durability.PROCESS, ballast_bytes=0)


def fill(folder: Path, count: int = 8) -> AuditHead:
    with open_records(folder) as records:
        for n in range(1, count + 1):
            records.audit("anna", "screen", "threshold", before={"short": 0.5}, after={"short": n / 100})
        return records.audit_head()


def unguarded(folder: Path) -> tuple[sqlite3.Connection, Callable[[], None]]:
    """The database as an attacker has it, and how he hides that the guards were gone."""
    db = sqlite3.connect(folder / DATABASE, isolation_level=None)
    guards = [
        sql for (sql,) in db.execute("SELECT sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit'")
    ]
    assert len(guards) == len(schema.AUDIT_GUARDS)
    for name in schema.AUDIT_GUARDS:
        db.execute(f"DROP TRIGGER {name}")

    def restore() -> None:
        for sql in guards:
            db.execute(sql)
        db.close()

    return db, restore


def test_rows_are_chained_and_read_back(tmp_path: Path) -> None:
    head = fill(tmp_path)
    report = verify_audit(tmp_path, head)
    assert (report.ok, report.rows, report.head) == (True, 8, head)
    newest, *_, oldest = read_audit(tmp_path)
    assert (newest.n, newest.who, newest.source, newest.what) == (8, "anna", "screen", "threshold")
    assert (newest.before, newest.after) == ('{"short":0.5}', '{"short":0.08}')
    assert (oldest.n, oldest.previous_hash) == (1, GENESIS)
    assert [r.n for r in read_audit(tmp_path, 3)] == [8, 7, 6]
    assert json.loads((tmp_path / AUDIT_HEAD).read_text()) == {"n": 8, "hash": head.hash}


def test_an_empty_trail_is_whole(tmp_path: Path) -> None:
    open_records(tmp_path).close()
    assert verify_audit(tmp_path).ok
    assert verify_audit(tmp_path).head == AuditHead()


def test_the_trail_goes_on_after_a_restart(tmp_path: Path) -> None:
    fill(tmp_path, 2)
    fill(tmp_path, 2)
    report = verify_audit(tmp_path)
    assert (report.ok, report.rows) == (True, 4)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET who = 'bob' WHERE n = 3",
        "DELETE FROM audit WHERE n = 8",
        "DELETE FROM audit",
        "INSERT OR REPLACE INTO audit SELECT * FROM audit WHERE n = 3",
        "INSERT INTO audit SELECT 12, at_us, who, source, what, before, after, previous_hash, hash FROM audit LIMIT 1",
        "INSERT INTO audit SELECT -1, at_us, who, source, what, before, after, previous_hash, hash FROM audit LIMIT 1",
    ],
)
def test_the_table_itself_refuses(tmp_path: Path, statement: str) -> None:
    fill(tmp_path)
    db = sqlite3.connect(tmp_path / DATABASE, isolation_level=None)
    with pytest.raises(sqlite3.IntegrityError, match="can only grow"):
        db.execute(statement)
    db.close()
    assert verify_audit(tmp_path).ok


def rehash(db: sqlite3.Connection, n: int) -> None:
    """Make a changed row's own hash fit again."""
    at_us, *texts, previous, _ = db.execute(f"SELECT {COLUMNS[3:]} FROM audit WHERE n = ?", (n,)).fetchone()
    db.execute("UPDATE audit SET hash = ? WHERE n = ?", (row_hash(n, at_us, texts, previous), n))


def change(db: sqlite3.Connection) -> None:
    db.execute("UPDATE audit SET who = 'bob' WHERE n = 4")


def change_and_rehash(db: sqlite3.Connection) -> None:
    change(db)
    rehash(db, 4)


def change_the_newest_and_rehash(db: sqlite3.Connection) -> None:
    db.execute("UPDATE audit SET after = '' WHERE n = 8")
    rehash(db, 8)


def remove(db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM audit WHERE n BETWEEN 4 AND 5")


def remove_and_close_up(db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM audit WHERE n = 4")
    for n in range(5, 9):
        db.execute("UPDATE audit SET n = ? WHERE n = ?", (n - 1, n))
        rehash(db, n - 1)


def insert(db: sqlite3.Connection) -> None:
    for n in range(8, 3, -1):
        db.execute("UPDATE audit SET n = ? WHERE n = ?", (n + 1, n))
        rehash(db, n + 1)
    db.execute(
        f"INSERT INTO audit ({COLUMNS}) SELECT 4, at_us, 'bob', source, what, '', '', hash, '' FROM audit WHERE n=3"
    )
    rehash(db, 4)


def swap(db: sqlite3.Connection) -> None:
    for old, new in ((4, 100), (5, 4), (100, 5)):
        db.execute("UPDATE audit SET n = ? WHERE n = ?", (new, old))


def cut(db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM audit WHERE n > 6")


def cut_all(db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM audit")


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        (change, "row 4 was changed"),
        (change_and_rehash, "row 5 does not follow row 4"),
        (change_the_newest_and_rehash, f"row 8 is not the one that {AUDIT_HEAD} knows"),
        (remove, "rows 4 to 5 are missing"),
        (remove_and_close_up, "row 4 does not follow row 3"),
        (insert, "row 5 does not follow row 4"),
        (swap, "row 4 does not follow row 3"),
        (cut, f"the trail has 6 rows, {AUDIT_HEAD} says 8"),
        (cut_all, f"the trail has 0 rows, {AUDIT_HEAD} says 8"),
    ],
)
def test_tampering_is_found_and_stays_found(
    tmp_path: Path, tamper: Callable[[sqlite3.Connection], None], said: str
) -> None:
    """Also after the station has run again: a new end does not hide it."""
    fill(tmp_path)
    db, restore = unguarded(tmp_path)
    tamper(db)
    restore()
    report = verify_audit(tmp_path)
    assert not report.ok
    assert any(said in p for p in report.problems), report.problems
    fill(tmp_path, 3)
    assert not verify_audit(tmp_path).ok


def test_a_digest_that_left_the_machine_finds_a_whole_new_chain(tmp_path: Path) -> None:
    """Who writes to the folder can make chain and head anew; only what he cannot reach shows it."""
    known = fill(tmp_path)
    (tmp_path / AUDIT_HEAD).unlink()
    db, restore = unguarded(tmp_path)
    db.execute("DELETE FROM audit")
    restore()
    fill(tmp_path, 9)
    assert verify_audit(tmp_path).ok
    assert verify_audit(tmp_path, known).problems == ("row 8 is not the one of the digest that was given",)


def test_guards_that_are_gone_and_a_head_that_is_gone_are_told(tmp_path: Path) -> None:
    fill(tmp_path)
    db, _ = unguarded(tmp_path)
    db.close()
    (tmp_path / AUDIT_HEAD).write_text("{")
    problems = verify_audit(tmp_path).problems
    assert [p for p in problems if "audit_no_update of the table is gone" in p]
    assert [p for p in problems if f"{AUDIT_HEAD} is missing or cannot be read" in p]


def test_a_process_killed_between_row_and_head_is_no_fault(tmp_path: Path) -> None:
    before = fill(tmp_path, 4)
    fill(tmp_path, 1)
    (tmp_path / AUDIT_HEAD).write_text(json.dumps({"n": before.n, "hash": before.hash}))
    assert verify_audit(tmp_path).ok
    fill(tmp_path, 1)
    assert verify_audit(tmp_path).ok


@pytest.mark.parametrize(
    "value", [float("nan"), {"at": Path("x")}, "\ud800", ["ä"] * 10_000, {1: 2}, 10**400, b"\x00", "x" * 10**6]
)
def test_whatever_is_audited_fits_and_verifies(tmp_path: Path, value: Any) -> None:
    with open_records(tmp_path) as records:
        row = records.audit("who\ud800" * 100, "s" * 1000, "what", before=value, after=value)
    assert len(row.who) == len(row.source) == MAX_NAME
    assert 0 < len(row.before) <= MAX_VALUE
    assert verify_audit(tmp_path).ok
    assert read_audit(tmp_path) == [row]


def test_many_threads_make_one_chain(tmp_path: Path) -> None:
    with open_records(tmp_path) as records:
        with ThreadPoolExecutor(4) as pool:
            rows = list(pool.map(lambda n: records.audit("t", "test", str(n)), range(60)))
        assert sorted(r.n for r in rows) == list(range(1, 61))
        # Also while the station has it open.
        assert verify_audit(tmp_path).ok
        assert verify_audit(tmp_path).head == records.audit_head()


def test_no_records_no_trail(tmp_path: Path) -> None:
    with pytest.raises(RecordsUnavailable, match="no records"):
        verify_audit(tmp_path)
    with pytest.raises(RecordsUnavailable, match="no records"):
        read_audit(tmp_path)
