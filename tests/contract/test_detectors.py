"""Both backends keep the contract, agree with each other, and are chosen with a reason."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from structlog.testing import capture_logs

from partsight import registry
from partsight.cameras.simulated import SimulatedCamera
from partsight.detectors.auto import choose, preferred
from partsight.detectors.onnx import OnnxDetector
from partsight.detectors.openvino import OpenVinoDetector
from partsight.domain.detections import Detections
from partsight.domain.errors import BackendUnavailable, BundleError, ConfigError
from partsight.domain.frame import Frame
from partsight.domain.model import ModelSpec, OutputFormat
from partsight.domain.ports import Detector
from partsight.models.bundle import find, load
from partsight.testing.detector_contract import DetectorContract, frame, tiny_spec


class TestOnnxDetector(DetectorContract):
    def open(self, spec: ModelSpec) -> Detector:
        return OnnxDetector(spec, OnnxDetector.Settings(threads=1))


class TestOpenVinoDetector(DetectorContract):
    def open(self, spec: ModelSpec) -> Detector:
        return OpenVinoDetector(spec, OpenVinoDetector.Settings(threads=1))


@pytest.fixture(scope="module")
def boards() -> list[Frame]:
    """Parts as the simulated line shows them."""
    camera = SimulatedCamera(SimulatedCamera.Settings(seed=5))
    camera.open(10.0, triggered=True)
    frames = []
    for _ in range(4):
        camera.trigger()
        grab = camera.grab(10.0)
        assert grab is not None
        frames.append(dataclasses.replace(frame(np.zeros((1, 1, 3), np.uint8)), grab=grab))
    camera.close()
    return frames


@pytest.fixture(params=[320, 640])
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[Detector, Detector]]:
    """The demo's model on both backends, with a low floor so that many boxes are compared."""
    side = request.param
    spec = dataclasses.replace(load(find("pcb")).spec(), width=side, height=side, floor=0.01)
    detectors = OnnxDetector(spec), OpenVinoDetector(spec)
    yield detectors
    for detector in detectors:
        detector.close()


def iou(one: Any, other: Any) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(width, 0.0) * max(height, 0.0)
    area = (one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1])
    return float(shared / (area - shared))


def assert_twins(ours: Detections, theirs: Detections, above: float) -> int:
    """Every box well above the floor has a twin on the other side; returns how many there were."""
    strong = [i for i in range(len(ours)) if ours.scores[i] > above]
    for i in strong:
        fits = [
            j
            for j in range(len(theirs))
            if theirs.class_ids[j] == ours.class_ids[i]
            and abs(float(theirs.scores[j] - ours.scores[i])) < 1e-3
            and iou(ours.boxes[i], theirs.boxes[j]) > 0.99
        ]
        assert fits, f"box {ours.boxes[i]} with score {ours.scores[i]} has no twin"
    return len(strong)


def test_backends_agree_on_simulated_boards(pair: tuple[Detector, Detector], boards: list[Frame]) -> None:
    first, second = (detector.detect(boards) for detector in pair)
    compared = 0
    for one, other in zip(first, second, strict=True):
        compared += assert_twins(one, other, 0.011) + assert_twins(other, one, 0.011)
    assert compared > 10


@pytest.mark.deeppcb
def test_backends_agree_on_real_boards(pair: tuple[Detector, Detector], deeppcb: Path) -> None:
    import cv2

    images = sorted(deeppcb.rglob("*_test.jpg"))[::300][:4]
    frames = [frame(cv2.imread(str(path))) for path in images]
    first, second = (detector.detect(frames) for detector in pair)
    for one, other in zip(first, second, strict=True):
        assert len(one) > 0
        assert_twins(one, other, 0.011)
        assert_twins(other, one, 0.011)


def test_auto_takes_the_quickest_backend_of_the_machine(tmp_path: Path) -> None:
    detector = choose(tiny_spec(tmp_path, OutputFormat.END2END))
    assert detector.model.backend == preferred()[0]
    detector.close()
    assert preferred("aarch64") == ("onnx",)
    assert preferred("x86_64") == ("openvino", "onnx")


def test_auto_falls_back_and_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.DETECTORS, preferred()[0], "partsight.detectors.no_such_module:Detector")
    with capture_logs() as logs:
        if preferred() == ("onnx",):
            with pytest.raises(BackendUnavailable, match="no_such_module"):
                choose(tiny_spec(tmp_path, OutputFormat.END2END))
            return
        detector = choose(tiny_spec(tmp_path, OutputFormat.END2END))
    assert detector.model.backend == "onnx"
    detector.close()
    assert any(entry["log_level"] == "warning" and "no_such_module" in entry["reason"] for entry in logs)


def test_auto_never_falls_back_from_a_bad_bundle(tmp_path: Path) -> None:
    spec = dataclasses.replace(tiny_spec(tmp_path, OutputFormat.END2END), sha256="0" * 64)
    with capture_logs() as logs, pytest.raises(BundleError, match="sha256"):
        choose(spec)
    assert logs == []


def test_a_named_backend_is_that_or_nothing(tmp_path: Path) -> None:
    spec = tiny_spec(tmp_path, OutputFormat.END2END)
    detector = choose(spec, "onnx", {"threads": 1})
    assert detector.model.backend == "onnx"
    detector.close()
    with pytest.raises(BackendUnavailable, match="no driver 'abacus'"):
        choose(spec, "abacus")
    with pytest.raises(BackendUnavailable, match="bf16"):
        choose(spec, "onnx", {"precision": "bf16"})


def test_every_mistake_in_a_backends_settings_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        choose(tiny_spec(tmp_path, OutputFormat.END2END), "onnx", {"threads": -1, "precison": "fp32"})
    assert {mistake.key for mistake in caught.value.mistakes} == {"threads", "precison"}


def test_openvino_reports_its_use_to_nobody() -> None:
    """Its package brings a reporter that starts a thread at import; a station must not have it."""
    code = (
        "import sys, threading; import partsight.detectors.openvino; "
        "print([m for m in sys.modules if m.startswith('openvino_telemetry.')], threading.active_count())"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert said.stdout.strip() == "[] 1"
