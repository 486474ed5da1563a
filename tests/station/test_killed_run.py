"""rule_1 and rule_4 on a whole process: killed, ended, stopped in its tracks, and with a full disk."""

from __future__ import annotations

import random
import signal
from pathlib import Path

import pytest

from partsight.domain.verdict import Result
from tests.station.kill_run import Books, station, write_station


def kill_and_look(folder: Path, kills: int, seed: int) -> None:
    """Kill a station so many times on one data folder, then let one run end by itself, and hold all against all."""
    config = write_station(folder)
    books = Books(folder / "data")
    chance = random.Random(seed)
    for number in range(kills):
        with station(config) as run:
            if number % 5 == 4:  # somewhere in its start
                run.lives_for(chance.uniform(0.2, 2.0))
            else:
                assert run.wait_for_verdicts(chance.randrange(1, 60)), run.told
                run.lives_for(chance.uniform(0, 0.05))
            run.process.kill()
            assert run.ends() == -signal.SIGKILL
        books.after(run)
    with station(config, "--parts", "10") as run:
        assert run.ends() == 0, run.told
    books.after(run)
    counts = books.close()
    assert counts[Result.OK] > 10, counts
    assert counts[Result.NG] > 0, counts


def test_rule_4_kill_9_five_times(tmp_path: Path) -> None:
    kill_and_look(tmp_path, 5, 20260512)


@pytest.mark.proof
@pytest.mark.timeout(900)
def test_rule_4_kill_9_fifty_times(tmp_path: Path) -> None:
    kill_and_look(tmp_path, 50, 20260513)
