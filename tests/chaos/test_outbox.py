"""Broker, station and consumer are killed, stopped and paused by a seeded schedule: no record is lost, none twice.

Real Mosquitto, real `partsight run`, a consumer that stores before it acknowledges. With `-s` each run prints its
figures as a line of JSON, and each case its worst: `python -m pytest tests/chaos -m proof -s -q`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from tests.chaos.books import Figures, balance
from tests.chaos.cell import Cell
from tests.chaos.schedule import CASES, Case, schedule

Told = dict[str, list[Figures]]


def name_of(value: Case | int) -> str:
    return value.name if isinstance(value, Case) else str(value)


@pytest.fixture(scope="module")
def told() -> Iterator[Told]:
    """The figures of every run that was good, by case; the worst of each is printed at the end."""
    runs: Told = {}
    yield runs
    for name, figures in runs.items():
        returns = sorted(time for one in figures for time in one.return_s)
        worst = {
            "case": name,
            "runs": len(figures),
            "recorded": sum(one.recorded for one in figures),
            "repeats": sum(one.repeats for one in figures),
            "early": sum(one.early for one in figures),
            "asked": sum(one.asked for one in figures),
            "longest_s": max(one.longest_s for one in figures),
            "return_median_s": returns[len(returns) // 2],
            "return_longest_s": returns[-1],
        }
        print("\n" + json.dumps(worst), end="")


def chaos(folder: Path, case: Case, seed: int, *, faults: int, longest_s: float, stall_s: float) -> Figures:
    """One run, from the first record to the last."""
    with Cell(folder, case, protocol="5" if seed % 2 else "3.1.1", stall_s=stall_s) as cell:
        for fault in schedule(seed, case, faults, longest_s):
            cell.suffer(fault)
        newest = cell.drain()
        figures = balance(cell, newest)
        cell.station.stop()
        cell.consumer.stop()
    print("\n" + json.dumps({"case": case.name, "seed": seed, **asdict(figures)}), end="")
    assert figures.recorded > 50, "next to nothing was recorded: the run has shown nothing"
    assert figures.return_s, "no undisturbed return of the broker was seen"
    if not case.broker_dies:
        assert figures.early == 0, "a broker that loses nothing keeps the order"
    return figures


@pytest.mark.parametrize(("case", "seed"), [(CASES[0], 1), (CASES[1], 2), (CASES[2], 3)], ids=name_of)
def test_every_record_arrives_once_and_in_order(tmp_path: Path, told: Told, case: Case, seed: int) -> None:
    figures = chaos(tmp_path, case, seed, faults=4, longest_s=1.0, stall_s=1.0)
    told.setdefault(case.name, []).append(figures)


@pytest.mark.proof
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(101, 106))
@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_every_record_arrives_twenty_runs(tmp_path: Path, told: Told, case: Case, seed: int) -> None:
    """With the time-outs of the default configuration, and outages that are longer than they are."""
    figures = chaos(tmp_path, case, seed, faults=7, longest_s=4.0, stall_s=3.0)
    told.setdefault(case.name, []).append(figures)
