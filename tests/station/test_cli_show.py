"""`partsight show` as a user runs it, on real records, also while a station writes them."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from partsight.cli.app import main
from partsight.cli.times import time_of
from partsight.domain.detections import Detections, ModelRef
from partsight.domain.inspection import Inspection, Timings
from partsight.domain.reasons import Reason, defect_code
from partsight.domain.trigger import Trigger, TriggerKind
from partsight.domain.uid import uuid7
from partsight.domain.verdict import Action, Finding, RecipeRef, Result, Verdict
from partsight.domain.views import ImageFacts, View
from partsight.outputs.records import Durability, SqliteRecords

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("open", "short")
MODEL = ModelRef("pcb", "a" * 64, "onnx", "fp32")
NOW = datetime.now(timezone.utc)
OLD = NOW - timedelta(days=3)


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def told(self) -> dict[str, Any]:
        """The one object on stdout: anything beside it fails here."""
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found


Call = Callable[..., Ended]


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    """The command in this process: its arguments in, its exit code and output out."""
    monkeypatch.setenv("COLUMNS", "120")

    def run(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["partsight", "show", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        return Ended(int(ended.value.code or 0), out, err)

    return run


def trigger(sequence: int, at: datetime, part_id: str = "") -> Trigger:
    return Trigger(sequence, sequence, 1, TriggerKind.CALL, at, 1000 * sequence, 1000 * sequence + 500, part_id)


def inspection(sequence: int, result: Result, code: int, recipe: str, at: datetime) -> Inspection:
    findings = () if result is Result.OK else (Finding(code, f"finding {code}", "top", 0.75, (1.0, 2.0, 30.0, 40.0)),)
    found = Detections(
        np.array([[1, 2, 30, 40]], np.float32), np.array([0.75], np.float32), np.array([1], np.int32), NAMES, MODEL
    )
    facts = ImageFacts(640, 480, 120.0, 0.01, 500.0, coverage={"board": 0.6})
    return Inspection(
        uid=uuid7(),
        trigger=trigger(sequence, at, f"SN-{sequence}"),
        verdict=Verdict(
            result, Action.PASS if result is Result.OK else Action.REJECT, findings, RecipeRef(recipe, 2, "b")
        ),
        views=(View("top", found, facts),),
        timings=Timings(infer_ms=5.0, verdict_ms=float(sequence)),
        model=MODEL,
    )


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Path]:
    """A data folder that a station has open: ten parts, of them two old, one late, and one trigger in flight."""
    short, deadline = defect_code(1), int(Reason.DEADLINE)
    parts = [
        *[(Result.OK, 0, "board", OLD)] * 2,
        *[(Result.OK, 0, "board", NOW)] * 3,
        *[(Result.NG, short, "board", NOW)] * 3,
        (Result.INVALID, deadline, "panel", NOW),
        (Result.INVALID, int(Reason.PART_ABSENT), "panel", NOW),
    ]
    records = SqliteRecords.open(tmp_path / "data", durability=Durability.PROCESS, ballast_bytes=0)
    first = records.reserve(len(parts) + 1)
    assert first == 1
    for sequence, (result, code, recipe, at) in enumerate(parts, 1):
        one = inspection(sequence, result, code, recipe, at)
        records.latch(one.trigger)
        records.commit(replace(one, late=Result.OK) if code == deadline else one)
    records.latch(trigger(len(parts) + 1, NOW, "SN-open"))
    yield tmp_path / "data"
    records.close()


def test_counts_yield_reasons_and_latency(show: Call, station: Path) -> None:
    told = show(station, "--json").told
    assert told["parts"] == 10
    assert told["verdicts"] == {"OK": 5, "NG": 3, "REVIEW": 0, "INVALID": 2}
    assert told["yield"] == 0.5
    assert [(r["code"], r["text"], r["count"]) for r in told["reasons"]] == [
        (1001, "short", 3),
        (200, "no verdict before the deadline", 1),
        (500, "no part in view", 1),
    ]
    assert told["latency_ms"]["p50"] == pytest.approx(5.5)
    assert told["latency_ms"]["max"] == 10
    assert told["late"] == 1
    assert [one["part"] for one in told["open"]] == ["SN-open"]
    assert [one["sequence"] for one in told["inspections"]] == list(range(10, 0, -1))
    assert told["inspections"][0]["part"] == "SN-10"


@pytest.mark.parametrize(
    ("arguments", "sequences"),
    [
        (["--verdict", "ng"], [8, 7, 6]),
        (["--since", "2h"], [10, 9, 8, 7, 6, 5, 4, 3]),
        (["--until", "1d"], [2, 1]),
        (["--since", "7d", "--until", "yesterday"], [2, 1]),
        (["--part", "SN-4"], [4]),
        (["--recipe", "panel"], [10, 9]),
        (["--code", "1001"], [8, 7, 6]),
        (["--reason", "short"], [8, 7, 6]),
        (["--reason", "part-absent"], [10]),
        (["--reason", "open"], []),
        (["--limit", "3"], [10, 9, 8]),
        (["--limit", "3", "--page", "4"], [1]),
        (["--verdict", "OK", "--since", "today", "--limit", "2", "--page", "2"], [3]),
    ],
)
def test_filters_and_pages(show: Call, station: Path, arguments: list[str], sequences: list[int]) -> None:
    told = show(station, "--json", *arguments).told
    assert [one["sequence"] for one in told["inspections"]] == sequences


def test_people_see_tables_with_bars(show: Call, station: Path) -> None:
    ended = show(station)
    assert ended.code == 0
    short = next(line for line in ended.out.splitlines() if "short" in line and "█" in line)
    absent = next(line for line in ended.out.splitlines() if "no part in view" in line and "█" in line)
    assert short.count("█") == 3 * absent.count("█")
    assert "60%" in short, "three of the five parts that did not pass"
    for text in ("50.0%", "SN-10", "1 open: 11", "parts 1 to 10 of 10", "late: OK"):
        assert text in ended.out, text


def test_one_part_whole(show: Call, station: Path) -> None:
    told = show(station, "--sequence", 6, "--json").told
    assert told["verdict"] == "NG"
    assert told["findings"][0]["box"] == [1, 2, 30, 40]
    assert told["views"][0]["detections"] == [{"class": "short", "score": 0.75, "box": [1, 2, 30, 40]}]
    assert told["views"][0]["facts"]["coverage"] == {"board": 0.6}
    assert (told["infer_ms"], told["model"], told["recipe_revision"]) == (5, "pcb", 2)
    text = show(station, "--part-number", 6).out
    for word in ("✖ NG", "finding 1001", "short", "0.750", "coverage", "timings", "onnx", "SN-6"):
        assert word in text, word

    ended = show(station, "--sequence", 11)
    assert (ended.code, "in flight" in ended.err) == (2, True)
    ended = show(station, "--sequence", 10**30)
    assert (ended.code, "no record" in ended.err) == (2, True)


def test_csv_holds_every_part_that_fits_not_only_the_page(show: Call, station: Path, tmp_path: Path) -> None:
    file = tmp_path / "parts.csv"
    assert show(station, "--limit", 1, "--since", "2h", "--csv", file).code == 0
    with file.open(newline="") as text:
        rows = list(csv.DictReader(text))
    assert [int(row["sequence"]) for row in rows] == list(range(10, 2, -1))
    assert (rows[2]["verdict"], rows[2]["code"], rows[2]["part"]) == ("NG", "1001", "SN-8")
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.startswith(".")] == []
    ended = show(station, "--csv", tmp_path / "nowhere/parts.csv")
    assert (ended.code, "nowhere" in ended.err) == (2, True)


def test_a_configuration_names_the_data_folder(show: Call, station: Path, tmp_path: Path) -> None:
    config = tmp_path / "station.toml"
    config.write_text((ROOT / "configs/demo.toml").read_text().replace("../demo-data", "data"))
    assert show(config, "--json").told["parts"] == 10


def test_all_bad_filters_are_told_at_once(show: Call, station: Path) -> None:
    ended = show(station, "--verdict", "good", "--since", "later", "--until", "31.1.", "--reason", "crumbs")
    assert ended.code == 2
    for word in ("--verdict", "'later'", "'31.1.'", "'crumbs'", "open, short"):
        assert word in ended.err, word


def process(*arguments: object) -> Ended:
    environment = os.environ | {
        "PYTHONPATH": f"{ROOT / 'inspect'}:{os.environ.get('PYTHONPATH', '')}",
        "COLUMNS": "120",
    }
    command = [sys.executable, "-m", "partsight", "show", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False)
    return Ended(done.returncode, done.stdout, done.stderr)


def test_another_process_reads_while_the_station_writes(station: Path) -> None:
    ended = process(station, "--json")
    assert (ended.code, ended.err, ended.told["parts"]) == (0, "", 10)


def test_no_records_and_damaged_records_are_clear_errors(show: Call, station: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for place in ("empty", "nowhere"):
        ended = show(tmp_path / place)
        assert (ended.code, place in ended.err) == (3, True)
    copy = tmp_path / "copy"
    shutil.copytree(station, copy)
    for log in copy.glob("records.db-*"):
        log.unlink()
    for content in (b"not a database at all" * 500, b"SQLite format 3\0" + bytes(range(256)) * 64):
        (copy / "records.db").write_bytes(content)
        ended = show(copy)
        assert ended.code == 3
        assert "records.db" in ended.err
        assert "Traceback" not in ended.err


def test_times_as_people_write_them() -> None:
    now = datetime(2026, 3, 10, 15, 0, tzinfo=timezone.utc)
    assert time_of("90s", now) == now - timedelta(seconds=90)
    assert time_of("1.5h", now) == now - timedelta(minutes=90)
    assert time_of("2026-01-31T08:00Z") == datetime(2026, 1, 31, 8, tzinfo=timezone.utc)
    assert time_of("2026-01-31T08:00+02:00") == datetime(2026, 1, 31, 6, tzinfo=timezone.utc)
    today = time_of("today", now).astimezone()
    assert (today.hour, today.minute, today.date()) == (0, 0, now.astimezone().date())
    for text in ("", "tomorrow-ish", "5 parsecs", "99999999999999d"):
        with pytest.raises(ValueError, match=r"time|longer ago"):
            time_of(text)
