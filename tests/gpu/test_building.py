"""From an ONNX file to a plan, by the rules of six versions of TensorRT; no driver is needed for that."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.gpu.live_models import PRECISIONS, SIDE, live_spec
from tests.gpu.pretend.tensorrt.module import VERSIONS, load

from partsight.detectors.signature import read_checked
from partsight.detectors.tensorrt.api import logger
from partsight.detectors.tensorrt.building import BuildOptions, Step, build_plan
from partsight.domain.errors import BundleError, DetectorError
from partsight.domain.model import ModelSpec, OutputFormat
from partsight.testing.detector_contract import tiny_spec


def built(trt: Any, spec: ModelSpec, **how: Any) -> Any:
    return build_plan(trt, read_checked(spec), BuildOptions(spec), **how)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_builds_every_precision(version: str, precision: str, tmp_path: Path) -> None:
    """Below 10.12 by flags, above by strong typing: a flag there, or none here, is an error of the builder's."""
    made = built(load(version), live_spec(tmp_path, precision))
    assert made.plan
    assert made.timing_cache


def test_free_dimensions_become_the_cards(tmp_path: Path) -> None:
    """The file leaves batch and size open; the plan has none open."""
    spec = live_spec(tmp_path, free=True)
    header = built(load("10.3.0"), spec).plan.split(b"\n")[1]
    assert f"[1, 3, {SIDE}, {SIDE}]".encode() in header
    wide = dataclasses.replace(spec, width=2 * SIDE)
    assert f"[1, 3, {SIDE}, {2 * SIDE}]".encode() in built(load("10.3.0"), wide).plan.split(b"\n")[1]


def test_a_fixed_size_that_is_not_the_cards_is_refused(tmp_path: Path) -> None:
    spec = dataclasses.replace(live_spec(tmp_path, free=False), width=2 * SIDE)
    with pytest.raises(BundleError, match=r"correct \[input\] in the card"):
        built(load("10.3.0"), spec)


def test_a_file_for_several_images_at_once_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="takes 3 images at once"):
        built(load("10.3.0"), tiny_spec(tmp_path, OutputFormat.END2END, 3))


def test_an_output_that_is_not_the_cards_is_refused(tmp_path: Path) -> None:
    spec = dataclasses.replace(live_spec(tmp_path), classes=("a", "b"))
    with pytest.raises(BundleError, match="by the card"):
        built(load("10.3.0"), spec)


def test_a_type_that_is_no_float_is_refused(tmp_path: Path) -> None:
    trt = load("11.4.0.106")
    for dtype, name in (("INT8", "int8"), ("BF16", "BF16"), ("FP8", "FP8")):
        trt.pretend.dtype = dtype
        with pytest.raises(BundleError, match=f"{name}.*export the model again"):
            built(trt, live_spec(tmp_path))


def test_every_error_of_the_parser_is_told_with_its_node(tmp_path: Path) -> None:
    trt = load("10.16.1.11")
    trt.pretend.unsupported = ("Relu", "Sigmoid")
    with pytest.raises(BundleError) as caught:
        built(trt, live_spec(tmp_path))
    told = str(caught.value)
    assert "act (Relu): No importer registered for op: Relu" in told
    assert "sigmoid (Sigmoid)" in told
    assert "10.16.1.11" in told


def test_a_file_that_is_no_onnx_is_refused(tmp_path: Path) -> None:
    spec = live_spec(tmp_path)
    with pytest.raises(BundleError, match="refuses it"):
        build_plan(load("10.3.0"), b"garbage", BuildOptions(spec))


def test_a_build_that_fails_says_what_tensorrt_said(tmp_path: Path) -> None:
    """It returns None and raises nothing."""
    trt = load("10.3.0")
    trt.pretend.fail_build = "Error Code 2: OutOfMemory (no tactics)"
    with pytest.raises(DetectorError, match=r"OutOfMemory.*lower the workspace") as caught:
        built(trt, live_spec(tmp_path))
    assert not isinstance(caught.value, BundleError)
    trt.pretend.fail_build = ""
    assert built(trt, live_spec(tmp_path)).plan


def test_progress_is_told_step_by_step(tmp_path: Path) -> None:
    steps: list[Step] = []

    def take(step: Step) -> bool:
        steps.append(step)
        return True

    built(load("10.3.0"), live_spec(tmp_path), progress=take)
    outer = [step for step in steps if not step.parent]
    inner = [step for step in steps if step.parent]
    assert (outer[0].done, outer[-1].done, outer[0].of) == (0, 2, 2)
    assert [step.done for step in inner] == [0, 1, 2, 3, 3]
    assert {step.parent for step in inner} == {outer[0].phase}


def test_a_build_can_be_cancelled(tmp_path: Path) -> None:
    with pytest.raises(DetectorError, match="was cancelled"):
        built(load("10.3.0"), live_spec(tmp_path), progress=lambda step: step.done < 2)


def test_who_cannot_take_progress_cancels_the_build_and_nothing_worse(tmp_path: Path) -> None:
    """An exception in TensorRT's own thread would end the process."""

    def broken(_: Step) -> bool:
        raise BrokenPipeError("the reader is gone")

    with capture_logs() as logs, pytest.raises(DetectorError, match="was cancelled"):
        built(load("10.3.0"), live_spec(tmp_path), progress=broken)
    assert any("the reader is gone" in str(entry.get("reason")) for entry in logs)


def test_a_timing_cache_goes_on_and_a_foreign_one_is_left_out(tmp_path: Path) -> None:
    trt, spec = load("10.3.0"), live_spec(tmp_path)
    first = built(trt, spec)
    second = built(trt, spec, timing_cache=first.timing_cache)
    assert second.timing_cache.startswith(first.timing_cache)
    for foreign in (b"garbage", built(load("10.7.0"), spec).timing_cache):
        assert built(trt, spec, timing_cache=foreign).timing_cache == first.timing_cache


def test_tensorrt_has_one_logger_and_its_words_are_in_the_log() -> None:
    trt = load("10.3.0")
    assert logger(trt) is logger(trt)
    severity = trt.ILogger.Severity
    with capture_logs() as logs:
        logger(trt).log(severity.ERROR, "broken")
        logger(trt).log(severity.WARNING, "doubtful")
        logger(trt).log(severity.VERBOSE, "chatter")
    assert [(entry["log_level"], entry["message"]) for entry in logs] == [("error", "broken"), ("warning", "doubtful")]


def test_a_log_that_fails_does_not_reach_tensorrt(capsys: pytest.CaptureFixture[str]) -> None:
    """C++ calls it and lets no exception through."""

    class Broken:
        @property
        def name(self) -> str:
            raise ValueError("no such severity")

    logger(load("10.3.0")).log(Broken(), "text")
    assert capsys.readouterr().out == ""


REAL = """
import tensorrt_rtx_bindings as trt
from partsight.detectors.signature import read_checked
from partsight.detectors.tensorrt.building import BuildOptions, build_plan
from partsight.models.bundle import find, load
bundle, steps = load(find("pcb")), []
for precision in ("fp32", "fp16"):
    spec = bundle.spec(precision)
    made = build_plan(trt, read_checked(spec), BuildOptions(spec), progress=lambda step: steps.append(step) or True)
    print("BUILT", precision, len(made.plan), len(made.timing_cache), len(steps))
"""


@pytest.mark.skipif(
    importlib.util.find_spec("tensorrt_rtx_bindings") is None,
    reason="NVIDIA's tensorrt-rtx wheel is not installed: the builder is NOT tested on the real thing",
)
def test_nvidias_own_builder_takes_the_same_calls() -> None:
    """TensorRT-RTX needs no GPU to build: our logger, parser, fixed shapes, progress and timing cache, for real.

    In a child: it is native code, and may end its process.
    """
    import partsight

    environment = {**os.environ, "PYTHONPATH": str(Path(partsight.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", REAL], env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith("BUILT")]
    assert [row[1] for row in rows] == ["fp32", "fp16"], f"status {done.returncode}: {done.stderr[-2000:]}"
    single, half = (int(row[2]) for row in rows)
    assert 1_000_000 < half < single
    assert all(int(steps) > 10 for *_, steps in rows)
