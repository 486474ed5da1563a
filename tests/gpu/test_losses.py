"""A GPU that is lost again and again: three new processes try, then it rests. No loop of restarts, and never OK."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gpu.build_rig import Bench
from tests.gpu.pretend.driver import PretendDriver

from partsight.detectors.tensorrt.losses import LIMIT, REST, GpuLeftAlone, Losses

NOW = datetime(2026, 5, 1, 12, tzinfo=timezone.utc)


@pytest.mark.parametrize(("ages_min", "rests"), [((1, 2), False), ((1, 2, 3), True), ((1, 2, 11), False), ((), False)])
def test_three_losses_in_ten_minutes_are_too_many(tmp_path: Path, ages_min: tuple[int, ...], rests: bool) -> None:
    losses = Losses(tmp_path / "losses.json")
    for age in sorted(ages_min, reverse=True):
        losses.note(f"hang {age}", NOW - timedelta(minutes=age))
    if rests:
        with pytest.raises(GpuLeftAlone, match=r"left alone until 12:09:00 UTC; the last time: hang 1"):
            losses.check(NOW)
    else:
        losses.check(NOW)


def test_only_the_last_ones_are_kept_and_time_ends_the_rest(tmp_path: Path) -> None:
    losses = Losses(tmp_path / "losses.json")
    for _ in range(100):
        losses.note("x" * 10_000, NOW)
    assert losses.file.stat().st_size < 4096
    with pytest.raises(GpuLeftAlone) as caught:
        losses.check(NOW)
    losses.check(caught.value.until)


def test_a_clock_that_was_set_back_keeps_the_gpu_away_no_longer(tmp_path: Path) -> None:
    losses = Losses(tmp_path / "losses.json")
    for _ in range(LIMIT):
        losses.note("hang", NOW + REST / 2)
    with pytest.raises(GpuLeftAlone) as caught:
        losses.check(NOW)
    assert caught.value.until <= NOW + REST
    losses.check(NOW - timedelta(days=1))


@given(st.binary(max_size=200) | st.sampled_from([b"[[]]", b'[["2026"]]', b'[["2026-05-01T12:00:00", "no zone"]]']))
def test_a_damaged_note_keeps_no_gpu_away(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    losses = Losses(tmp_path_factory.mktemp("losses") / "losses.json")
    losses.file.write_bytes(content)
    losses.check(NOW)
    losses.note("hang", NOW)
    losses.check(NOW)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("backend", ["auto", "tensorrt"])
def test_after_three_lost_gpus_a_station_rests_it_and_still_gives_a_verdict_for_each_part(
    tmp_path: Path, pretend_driver: PretendDriver, ready: Path, backend: str
) -> None:
    """rule_2: by name nothing else may judge, so each part is INVALID; `auto` judges on the processor."""
    shutil.copytree(ready, tmp_path, dirs_exist_ok=True)
    bench = Bench(tmp_path, pretend_driver)
    losses = Losses(bench.engines / "losses.json")
    for _ in range(LIMIT):
        losses.note("the GPU does not answer (waited 2 s)")
    config = bench.station(backend)
    out, errors = bench.run("run", config.name, "--json")
    verdicts = [line["verdict"] for line in map(json.loads, out.splitlines()) if "verdict" in line]
    assert len(verdicts) == 3
    assert "the GPU was lost 3 times within 10 minutes" in errors
    assert set(verdicts) == ({"INVALID"} if backend == "tensorrt" else {"NG"}), "the pictures are of bad parts"


@pytest.mark.timeout(300)
def test_a_gpu_that_is_lost_on_the_line_is_noted_for_the_next_process(
    tmp_path: Path, pretend_driver: PretendDriver, ready: Path
) -> None:
    shutil.copytree(ready, tmp_path, dirs_exist_ok=True)
    # Late enough that the engine was loaded and has answered its golden frames.
    bench = replace(Bench(tmp_path, pretend_driver), faults={"lose_after": 400})
    config = bench.station("tensorrt", pictures=200)
    with config.open("a") as file:
        file.write("[line]\nrejects_in_a_row = 0\nreject_share = 0\n")  # the pictures are of bad parts
    process = bench.start("run", config.name, "--json")
    out, errors = process.communicate(timeout=200)
    assert process.returncode == 70, errors[-2000:]
    noted: list[list[Any]] = json.loads((bench.engines / "losses.json").read_text())
    assert len(noted) == 1
    last = [line["verdict"] for line in map(json.loads, out.splitlines()) if "verdict" in line][-1]
    assert last == "INVALID"
