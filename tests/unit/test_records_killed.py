"""Rules 1 and 4: what a process that is killed with -9 at a random moment leaves behind."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

from partsight.domain.reasons import Reason
from partsight.domain.verdict import Result
from partsight.outputs.records import RecordsReader, SqliteRecords

WRITER = """
import os, sys, threading, time
from datetime import datetime, timezone
from pathlib import Path
from partsight.domain.inspection import Inspection, Timings
from partsight.domain.trigger import Trigger, TriggerKind
from partsight.domain.uid import uuid7
from partsight.domain.verdict import Action, RecipeRef, Result, Verdict
from partsight.outputs.records import SqliteRecords

records = SqliteRecords.open(Path(sys.argv[1]), block=7, ballast_bytes=0)
def tell(what, sequence): os.write(1, f"{what} {sequence}\\n".encode())
def sweep():
    while True: records.maintain()
threading.Thread(target=sweep, daemon=True).start()
tell("recovered", len(records.recovered))
number = 0
while True:
    batch = []
    for _ in range(3):
        sequence = records.reserve(1)
        tell("reserved", sequence)
        trigger = Trigger(sequence, 1, records.epoch, TriggerKind.CALL, datetime.now(timezone.utc), 0, 0)
        records.latch(trigger)
        tell("latched", sequence)
        batch.append(trigger)
    for trigger in batch:
        number += 1
        if number % 5 == 0:
            records.latch_reject(trigger.sequence, 200)
            tell("rejected", trigger.sequence)
        verdict = Verdict(Result.OK, Action.PASS, (), RecipeRef("r", 1, "s"))
        records.commit(Inspection(uuid7(), trigger, verdict, (), Timings(), None))
        tell("committed", trigger.sequence)
"""


def run_and_kill(folder: Path, after_lines: int) -> list[tuple[str, int]]:
    """Start a writer, kill it after so many lines, and return everything it had said by then."""
    child = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )
    assert child.stdout is not None
    said: list[tuple[str, int]] = []
    watchdog = threading.Timer(60, child.kill)
    watchdog.start()
    with child:
        for line in child.stdout:
            what, _, number = line.decode().partition(" ")
            said.append((what, int(number)))
            if len(said) == after_lines:
                os.kill(child.pid, signal.SIGKILL)
    watchdog.cancel()
    assert len(said) >= after_lines, "the writer died by itself"
    assert child.returncode == -signal.SIGKILL
    return said


def test_rule_4_kill_9_five_times(tmp_path: Path) -> None:
    """Every committed row is there, each latched trigger is closed exactly once, no sequence comes twice."""
    chance = random.Random(20260501)
    reserved: Counter[int] = Counter()
    latched: set[int] = set()
    committed: set[int] = set()
    rejected: set[int] = set()
    for _ in range(5):
        said = run_and_kill(tmp_path, chance.randrange(10, 150))
        reserved.update(s for what, s in said if what == "reserved")
        latched.update(s for what, s in said if what == "latched")
        committed.update(s for what, s in said if what == "committed")
        rejected.update(s for what, s in said if what == "rejected")

    with SqliteRecords.open(tmp_path, ballast_bytes=0) as records:
        assert records.epoch == 6
        assert records.reserve(1) > max(reserved)
        with RecordsReader.open(tmp_path) as reader:
            assert reader.open_triggers() == []
            found = {i.trigger.sequence: i.verdict for i in reader.inspections(limit=10_000)}
            assert reader.summary().total == len(found)
    assert max(reserved.values()) == 1
    assert len(committed) > 10
    assert all(found[s].result is Result.OK for s in committed - rejected)
    # A reject had left before the pass was recorded: the restart made the record say what the line saw.
    assert all(found[s].code == Reason.DEADLINE for s in committed & rejected)
    assert committed & rejected
    # What was latched but not said to be committed: its record (the kill came between) or INVALID.
    for sequence in latched - committed:
        verdict = found[sequence]
        if verdict.result is not Result.OK:
            assert verdict.code == (Reason.DEADLINE if sequence in rejected else verdict.code)
            assert verdict.code in {Reason.RESTART, Reason.DEADLINE}
    # Nothing else is there but a trigger that was latched and killed before it was said.
    assert len(set(found) - latched) <= 5
