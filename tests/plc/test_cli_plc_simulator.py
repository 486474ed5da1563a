"""`partsight plc-simulator` as an integrator calls it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from partsight.cli.plc_simulator import plc_simulator
from partsight.domain.errors import ConfigError
from partsight.testing.broker import free_port
from partsight.testing.plc import LinkUnavailable

WORLD = """
schema = 1
[station]
name = "s"
data = "data"
recipe = "demo-board"
[model]
bundle = "pcb"
[[cameras]]
name = "top"
driver = "simulated"
settings = { defect_rate = 1.0, width = 96, height = 96 }
"""


def simulate(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(plc_simulator)
    return CliRunner().invoke(app, list(arguments))


def test_a_line_is_run_scored_and_a_bad_part_let_out_is_status_1(tmp_path: Path, line: Any) -> None:
    """One station, two truths: what its records say, and a world of nothing but bad parts."""
    world = tmp_path / "world.toml"
    world.write_text(WORLD)
    with line(tmp_path, "modbus") as (station, _, _link):
        common = ["--modbus", f"127.0.0.1:{station.port}", "--rate", "15", "--json"]
        told = simulate(*common, "--parts", "8", "--world", str(world))
        assert told.exit_code == 1, told.output
        report = json.loads(told.stdout)
        assert report["bad"] == 8
        assert len(report["escapes"]) > 3

        told = simulate(*common, "--parts", "20", "--truth", str(station.data))
        assert told.exit_code == 0, told.output
        report = json.loads(told.stdout)
        assert report["parts"] == 20
        assert report["escapes"] == []
        assert report["passed_good"] > 5
        assert report["unknown_passed"] == 0
        assert report["verdict_ms"]["p50"] > 10

        # Now the station has judged parts already: which of its world comes next is not known.
        told = simulate(*common, "--parts", "3", "--world", str(world))
        assert told.exit_code == 0, told.output
        assert json.loads(told.stdout)["unknown_passed"] > 0

        told = simulate(*common[:-1], "--parts", "5", "--no-ack", "--no-heartbeat")
        assert told.exit_code == 0, told.output
        assert "not known" in told.stdout


def test_a_station_that_is_not_there_is_said_so() -> None:
    port = free_port()
    for wire in ("--modbus", "--mqtt"):
        told = simulate(wire, f"127.0.0.1:{port}", "--wait-s", "0.2")
        assert isinstance(told.exception, LinkUnavailable)
        assert str(port) in str(told.exception)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--mqtt", "127.0.0.1", "--modbus", "127.0.0.1"],
        ["--modbus", "127.0.0.1:99999"],
        ["--mqtt", "127.0.0.1", "--truth", "a", "--world", "b"],
    ],
)
def test_calls_that_make_no_sense_are_mistakes(arguments: list[str]) -> None:
    assert isinstance(simulate(*arguments).exception, ConfigError)


def test_a_world_without_a_simulated_camera_is_a_mistake(tmp_path: Path) -> None:
    world = tmp_path / "world.toml"
    world.write_text(WORLD.replace("simulated", "folder"))
    assert isinstance(simulate("--mqtt", "127.0.0.1", "--world", str(world)).exception, ConfigError)
