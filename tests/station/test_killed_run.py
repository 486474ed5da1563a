"""rule_1 and rule_4 on a whole process: killed, ended, stopped in its tracks, its disk full, its reader gone."""

from __future__ import annotations

import fcntl
import os
import random
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from tests.station.kill_run import NO_STOPS, SIMULATED, Books, records_of, station, write_station

from partsight.domain.errors import RecordsUnavailable
from partsight.domain.reasons import Reason
from partsight.domain.verdict import Action, Result
from partsight.outputs.records import RecordsReader

PIPE_BYTES = 4096
REST_BYTES = 256 << 10

# Large pictures come slower than they are asked for, so that some part is always on its way.
BUSY = SIMULATED.replace("128", "2048")
DEADLINE_MS = 1000.0
STOPPED_S = 3.0
IN_PRINT = 2
"""Verdicts that may lie between the decision and the pipe at one moment."""


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


def test_rule_1_sigterm_leaves_nothing_open(tmp_path: Path) -> None:
    config = write_station(tmp_path, camera=BUSY)
    books = Books(tmp_path / "data")
    with station(config) as run:
        assert run.wait_for_verdicts(5), run.told
        assert run.terminate() == 0, run.told
    assert [line["signal"] for line in run.logs if "signal" in line] == ["SIGTERM"]
    summary = run.summary
    assert summary["in_flight"] == 0
    assert summary["triggers"] == sum(summary["verdicts"].values()) == len(run.verdicts)
    books.after(run)
    assert books.open_ones == {}
    books.close()
    assert set(records_of(tmp_path / "data")) == {line["sequence"] for line in run.verdicts}
    assert list((tmp_path / "data").glob("latch-*.bin")) == []


def test_sigterm_while_it_starts_ends_it(tmp_path: Path, wait_until: Callable[..., Any]) -> None:
    config = write_station(tmp_path)
    with station(config) as run:
        wait_until((tmp_path / "data/station.lock").exists, 20)
        assert run.terminate(15) == 0, run.told
    assert run.summary["in_flight"] == 0


def stop_and_go_on(folder: Path, stops: int, seed: int) -> None:
    """SIGSTOP for longer than every deadline: what was under way then must not pass when the process goes on."""
    config = write_station(
        folder,
        camera=BUSY,
        deadline_ms=DEADLINE_MS,
        trigger='kind = "timer"\nperiod_ms = 15\nqueue = 3',
        line=NO_STOPS + "self_test_parts = 0\n",  # stops are not the lane's own slowness
    )
    chance = random.Random(seed)
    resumed: list[tuple[int, datetime]] = []
    with station(config) as run:
        for _ in range(stops):
            assert run.wait_for_verdicts(len(run.verdicts) + chance.randrange(20, 40)), run.told
            run.lives_for(chance.uniform(0, 0.05))
            run.process.send_signal(signal.SIGSTOP)
            assert run.lives_for(STOPPED_S)
            resumed.append((len(run.verdicts), datetime.now(timezone.utc)))
            run.process.send_signal(signal.SIGCONT)
        last = resumed[-1][0]
        assert run.wait_for_verdicts(last + 20), run.told
        assert run.terminate() == 0, run.told
    records = records_of(folder / "data")
    overdue = 0
    for printed, at in resumed:
        aged = [
            line
            for line in run.verdicts[printed:]
            if at - records[line["sequence"]].trigger.at > timedelta(milliseconds=DEADLINE_MS)
        ]
        # Verdicts that were given before the stop may only have to be printed; nothing is decided for them any more.
        given_before = [line for line in aged if line["verdict"] != "INVALID"]
        assert all(line["verdict_ms"] <= DEADLINE_MS for line in given_before), given_before
        assert len(given_before) <= IN_PRINT, given_before
        overdue += len(aged) - len(given_before)
    assert overdue > 0, "nothing was on its way when it was stopped: the test has shown nothing"
    late = [record for record in records.values() if record.verdict.code == Reason.DEADLINE]
    assert late
    for record in records.values():
        if record.verdict.action is Action.PASS:
            assert record.timings.verdict_ms is not None
            assert record.timings.verdict_ms <= DEADLINE_MS


def test_rule_3_what_a_stopped_process_owed_does_not_pass_when_it_goes_on(tmp_path: Path) -> None:
    stop_and_go_on(tmp_path, 1, 20260514)


@pytest.mark.proof
@pytest.mark.timeout(400)
def test_rule_3_twenty_stops(tmp_path: Path) -> None:
    stop_and_go_on(tmp_path, 20, 20260515)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 112 MiB of its own: the ballast of 32 MiB is kept where three times as much is free."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=112m", "none", str(place)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"NOT TESTED: a full disk needs the right to mount a tmpfs here: {mounted.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(disk: Path) -> Path:
    """Take what is free now, as another program's log would, but not the ballast that the station then gives up."""
    path = disk / "other.log"
    with path.open("wb") as file:
        # The rest is for what the station writes meanwhile; it is used up in a moment.
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(disk).free - REST_BYTES)
    return path


def test_rule_5_a_full_disk_stops_images_never_verdicts_is_told_and_heals(
    small_disk: Path, tmp_path: Path, wait_until: Callable[..., Any]
) -> None:
    data = small_disk / "data"
    config = write_station(
        tmp_path,
        data=data,
        trigger='kind = "timer"\nperiod_ms = 60',
        images="budget_mb = 100\nkeep_free_mb = 2\nok_share = 1.0",
    )

    def told(event: str, key: str) -> list[dict[str, Any]]:
        return [line for line in run.logs if line["event"] == event and line.get("key") == key]

    def images() -> int:
        return len(list(data.rglob("*.png"))) + len(list(data.rglob("*.jpg")))

    with station(config) as run:
        assert run.wait_for_verdicts(5), run.told
        wait_until(images, 10)
        log = fill(small_disk)
        before = len(run.verdicts)
        wait_until(lambda: told("fault", "images"), 20, "the fault of the images is told")
        assert run.wait_for_verdicts(before + 30), run.told
        meanwhile = run.verdicts[before : before + 30]
        log.unlink()
        kept = images()
        wait_until(lambda: told("fault is over", "images"), 20, "the fault is over")
        wait_until(lambda: images() > kept, 20, "images are kept again")
        assert run.terminate() == 0, run.told
    assert "free" in told("fault", "images")[0]["cure"]
    books = Books(data)
    books.after(run)
    books.close()
    assert Reason.RECORD_FAILED not in {line["code"] for line in meanwhile}
    assert sum(line["action"] == "pass" for line in meanwhile) > 5, meanwhile
    assert set(records_of(data)) == {line["sequence"] for line in run.verdicts}


def count_of(data: Path) -> int:
    """How many parts have their record; 0 while there is no database yet."""
    try:
        with RecordsReader.open(data) as reader:
            return reader.summary().total
    except RecordsUnavailable:
        return 0


def test_rule_5_a_reader_of_stdout_that_hangs_delays_no_verdict(tmp_path: Path, wait_until: Callable[..., Any]) -> None:
    """`partsight run --json | less`: nobody reads on, and the line goes on all the same."""
    config = write_station(tmp_path)
    read_end, write_end = os.pipe()
    fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    with station(config, stdout=write_end) as run:
        os.close(write_end)
        wait_until(lambda: count_of(tmp_path / "data") > 150, 20, "parts are judged and recorded")
        run.process.send_signal(signal.SIGTERM)
        assert run.process.wait(20) == 0, run.told
    with os.fdopen(read_end, "rb") as pipe:
        assert pipe.read().count(b"\n") < 150
    assert run.logs


def test_a_reader_of_stdout_that_goes_away_stops_nothing(tmp_path: Path, wait_until: Callable[..., Any]) -> None:
    """`partsight run --json | head -1`"""
    config = write_station(tmp_path)
    with station(config, collect=False) as run:
        assert run.process.stdout is not None
        run.process.stdout.readline()
        run.process.stdout.close()
        before = count_of(tmp_path / "data")
        wait_until(lambda: count_of(tmp_path / "data") > before + 30, 20, "parts are judged and recorded")
        run.process.send_signal(signal.SIGTERM)
        assert run.process.wait(20) == 0, run.told
    assert run.logs, "nothing but log lines on stderr"
