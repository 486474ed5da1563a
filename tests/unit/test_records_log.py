"""The write-ahead log: what was committed is in the database, however a checkpoint and a commit meet."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from itertools import count
from pathlib import Path

import pytest

from partsight.domain.inspection import Inspection, Timings
from partsight.domain.trigger import Trigger, TriggerKind
from partsight.domain.uid import uuid7
from partsight.domain.verdict import Action, RecipeRef, Result, Verdict
from partsight.outputs.records import Durability, RecordsReader, SqliteRecords
from partsight.outputs.records.folder import DATABASE

AT = datetime(2026, 5, 1, 6, 0, tzinfo=timezone.utc)
MOVED = (
    "import sqlite3, sys; db = sqlite3.connect(sys.argv[1], uri=True); "
    "print(*db.execute('SELECT count(*) FROM inspection').fetchone())"
)
VISIT = (
    "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); "
    "db.execute('SELECT count(*) FROM recipe').fetchall(); db.close()"
)
CHECK = (
    "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); print(db.execute('PRAGMA foreign_key_check').fetchall(), "
    "*db.execute('PRAGMA integrity_check').fetchone())"
)


def part(sequence: int, recipe: str = "board") -> Inspection:
    verdict = Verdict(Result.OK, Action.PASS, (), RecipeRef(recipe, 1, "b" * 64))
    trigger = Trigger(
        sequence=sequence,
        id=sequence % 65535 + 1,
        epoch=1,
        kind=TriggerKind.CALL,
        at=AT + timedelta(milliseconds=sequence),
        at_ns=sequence,
        deadline_ns=sequence + 500,
    )
    return Inspection(uuid7(), trigger, verdict, (), Timings(), None)


def open_records(folder: Path) -> SqliteRecords:
    # Without the disk's flush, which proves nothing in a test that pulls no plug.
    return SqliteRecords.open(folder, durability=Durability.PROCESS, ballast_bytes=0)


def elsewhere(code: str, place: object) -> str:
    """What another program says. This one may not even open the database beside SQLite: that would drop its locks."""
    return subprocess.run(
        [sys.executable, "-c", code, str(place)], check=True, capture_output=True, text=True, timeout=60
    ).stdout.strip()


def moved(folder: Path) -> int:
    """Parts in the database itself, without the log."""
    return int(elsewhere(MOVED, f"{(folder / DATABASE).as_uri()}?immutable=1"))


def generation(folder: Path) -> bytes:
    """Changes whenever the log starts anew (its salt)."""
    with (folder / (DATABASE + "-wal")).open("rb") as log:
        return log.read(24)[16:]


def at_each_checkpoint(records: SqliteRecords, do: Callable[[], None]) -> None:
    records._db.log.set_trace_callback(lambda statement: do() if "wal_checkpoint" in statement else None)


def test_rule_5_a_log_that_starts_anew_under_a_checkpoint_is_not_taken_for_moved(tmp_path: Path) -> None:
    """rule_5: SQLite before 3.51.3 loses rows where both meet (its WAL-reset bug).

    The moment in which it does cannot be held from outside; what closes it can be seen: a checkpoint during which a
    commit started the log anew moves nothing, and the next one moves it all.
    """
    in_database: list[int] = []
    with open_records(tmp_path) as records:
        for sequence in range(1, 7):
            records.commit(part(sequence))
        records._db.checkpoint(0)
        before = generation(tmp_path)

        def commit_at_the_first() -> None:
            in_database.append(moved(tmp_path))
            if len(in_database) == 1:
                records.commit(part(7))
                assert generation(tmp_path) != before

        at_each_checkpoint(records, commit_at_the_first)
        records._db.checkpoint(0)
        assert in_database == [6, 6]
        assert moved(tmp_path) == 7


def test_rule_5_a_log_that_never_ends_is_finished_while_commits_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """rule_5: a line that commits during each checkpoint does not make the log grow without end."""
    waiting: list[bool] = []
    sequences = count(1)
    with open_records(tmp_path) as records:
        records.commit(part(next(sequences)))

        def commit() -> None:
            waiting.append(records._db.lock.locked())
            if not waiting[-1]:
                records.commit(part(next(sequences)))

        at_each_checkpoint(records, commit)
        before = generation(tmp_path)
        records._db.checkpoint(0)
        records.commit(part(next(sequences)))
        assert waiting == [False] * 3, "as long as the log is short, no commit waits for it"
        assert generation(tmp_path) == before
        monkeypatch.setattr("partsight.outputs.records.database.LOG_PAGES", 10)
        waiting.clear()
        records._db.checkpoint(0)
        assert waiting == [False] * 3 + [True]
        assert generation(tmp_path) == before
        records.commit(part(next(sequences)))
        assert generation(tmp_path) != before, "the log starts anew"


def test_rule_4_another_program_that_looks_into_the_records_takes_nothing_away(tmp_path: Path) -> None:
    """rule_4: whatever the station has done to its folder, others still see that the database is in use.

    A file that this process opens and closes beside SQLite drops its locks; the last visitor then removes the log.
    """
    with open_records(tmp_path) as records:
        for sequence in range(1, 4):
            records.commit(part(sequence))
        records.audit("somebody", "test", "did something")
        records.maintain()
        records._db.checkpoint(0)
        records.health()
        records.read_outbox(0, 10)
        with RecordsReader.open(tmp_path) as reader:
            assert reader.summary().total == 3
        records.commit(part(4, "second"))
        elsewhere(VISIT, tmp_path / DATABASE)
        assert (tmp_path / (DATABASE + "-wal")).stat().st_size, "the log is still there"
        records.commit(part(5, "third"))
    with RecordsReader.open(tmp_path) as reader:
        assert [i.verdict.recipe.name for i in reader.inspections()] == ["third", "second"] + ["board"] * 3


@pytest.mark.proof
def test_rule_4_no_row_is_lost_where_commits_and_checkpoints_never_rest(tmp_path: Path) -> None:
    """rule_4: 20 s of checkpoints without a pause under commits, readers and visitors; every row is there."""
    ended, turn, sequences = threading.Event(), threading.Lock(), count(1)
    committed: list[int] = []

    def commit() -> None:
        while not ended.is_set():
            with turn:
                number = next(sequences)
            records.commit(part(number, f"recipe {number}"))
            committed.append(number)

    def read() -> None:
        while not ended.is_set():
            records.read_outbox(max(0, len(committed) - 50), 50)

    def checkpoint() -> None:
        while not ended.is_set():
            records._db.checkpoint(0)

    with open_records(tmp_path) as records:
        threads = [threading.Thread(target=work) for work in (commit, commit, read, checkpoint)]
        for thread in threads:
            thread.start()
        end = time.monotonic() + 20.0
        while time.monotonic() < end:
            elsewhere(VISIT, tmp_path / DATABASE)
        ended.set()
        for thread in threads:
            thread.join(10.0)
    assert elsewhere(CHECK, tmp_path / DATABASE) == "[] ok"
    with RecordsReader.open(tmp_path) as reader:
        found = {i.trigger.sequence: i.verdict.recipe.name for i in reader.inspections(limit=10_000_000)}
    assert found == {n: f"recipe {n}" for n in committed}
