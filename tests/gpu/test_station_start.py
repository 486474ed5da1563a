"""A real station where the GPU is there, is not there, or has no engine: it starts on what works, and says why."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from tests.gpu.build_rig import Bench
from tests.gpu.pretend.driver import PretendDriver

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def bench(tmp_path: Path, pretend_driver: PretendDriver, ready: Path) -> Bench:
    shutil.copytree(ready, tmp_path, dirs_exist_ok=True)
    return Bench(tmp_path, pretend_driver)


@dataclass(frozen=True, slots=True)
class Told:
    """What a station that ran to its end said. chosen: the log line of the detector; verdicts: one a picture."""

    chosen: dict[str, Any]
    log: list[dict[str, Any]]
    verdicts: list[str]

    def reasons(self) -> str:
        return " ".join(str(line.get("reason", "")) for line in self.log) + str(self.chosen.get("passed_over", ""))


def run(bench: Bench, *options: str, backend: str = "auto") -> Told:
    config = bench.station(backend)
    out, errors = bench.run("run", config.name, "--json", *options)
    log = [json.loads(line) for line in errors.splitlines() if line.startswith("{")]
    chosen = [line for line in log if line.get("event") == "detector chosen"]
    lines = [json.loads(line) for line in out.splitlines()]
    verdicts = [line["verdict"] for line in lines if "verdict" in line]
    return Told(chosen[0] if chosen else {}, log, verdicts)


def test_without_a_driver_a_station_starts_on_the_cpu_and_says_why(bench: Bench) -> None:
    """Rule 2 has nothing to reject here: parts are judged, by another backend, which the records name."""
    told = run(replace(bench, driver=None, modules=None))
    assert told.chosen["backend"] in ("openvino", "onnx")
    assert "no NVIDIA driver (libcuda.so.1) is installed" in told.reasons()
    assert not [line for line in told.log if line.get("key") == "detector.gpu"], "nothing is missing here"
    assert len(told.verdicts) == 3
    assert "INVALID" not in told.verdicts


def test_with_a_gpu_and_its_engine_a_station_runs_on_it(bench: Bench) -> None:
    told = run(bench)
    assert (told.chosen["backend"], told.chosen["precision"]) == ("tensorrt", "fp16")
    assert [line["frames"] for line in told.log if line["event"] == "golden frames answered"] == [2]
    assert len(told.verdicts) == 3
    assert "INVALID" not in told.verdicts


def test_without_an_engine_a_station_starts_on_the_cpu_and_builds_none(bench: Bench) -> None:
    """A line that stood still for minutes after each update would be worse than one on its CPU."""
    shutil.rmtree(bench.engines)
    told = run(bench)
    assert told.chosen["backend"] in ("openvino", "onnx")
    assert "there is no engine for model 'cells' in fp16 on this device" in told.reasons()
    assert "run `partsight build`" in told.reasons()
    faults = [line for line in told.log if line.get("key") == "detector.gpu"]
    assert len(faults) == 1, "screens and PLC are told as well"
    assert "the GPU is not used: there is no engine" in faults[0]["text"]
    assert not bench.engines.exists()
    assert len(told.verdicts) == 3


@pytest.mark.proof
def test_an_engine_that_was_tampered_with_is_not_loaded(bench: Bench) -> None:
    plan = next(bench.engines.glob("*/engine.plan"))
    plan.write_bytes(plan.read_bytes() + b"?")
    told = run(bench)
    assert told.chosen["backend"] in ("openvino", "onnx")
    assert "was changed since it was built here" in told.reasons()


def test_an_engine_that_answers_wrongly_today_judges_no_part(bench: Bench) -> None:
    """Rule 8: golden frames after each load. The station's frames go to the CPU."""
    told = run(replace(bench, faults={"idle_kernels": 1}))
    assert told.chosen["backend"] in ("openvino", "onnx")
    assert "does not answer its golden frames" in told.reasons()
    assert "INVALID" not in told.verdicts


@pytest.mark.proof
def test_a_station_may_be_told_to_build_first(bench: Bench) -> None:
    shutil.rmtree(bench.engines)
    told = run(bench, "--build")
    assert told.chosen["backend"] == "tensorrt"
    assert [line["new"] for line in told.log if line["event"] == "engine ready"] == [True]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param({"driver": None}, "libcuda.so.1", id="no-driver"),
        pytest.param({"version": "10.7.0"}, "tensorrt is 10.7.0, the engine's 10.3.0", id="no-engine"),
        pytest.param({"faults": {"version": 11040}}, "12.2", id="old-driver", marks=pytest.mark.proof),
    ],
)
def test_a_gpu_that_is_asked_for_by_name_is_that_or_an_error(bench: Bench, change: dict[str, Any], told: str) -> None:
    config = bench.station("tensorrt")
    _, errors = replace(bench, **change).run("run", config.name, status=3)
    assert told in " ".join(errors.split())
