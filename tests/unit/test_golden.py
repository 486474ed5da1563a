"""Golden frames: what passes for the same answer in each precision, and what does not, in both directions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np
import pytest

from partsight.detectors.golden import TOLERANCES, Compared, WrongAnswer, check_golden
from partsight.domain.detections import Detections, ModelRef
from partsight.domain.errors import BundleError
from partsight.domain.frame import Frame
from partsight.domain.model import GoldenFrame, ModelSpec, OutputFormat
from partsight.domain.ports import DetectionTimes

NAMES = ("open", "short")
RECORDED: dict[str, Any] = {
    "boxes": [[0, 0, 100, 100], [200, 0, 300, 100], [0, 200, 100, 300]],
    "scores": [0.9, 0.7, 0.3],
    "classes": ["open", "short", "open"],
}


class Answering:
    """A detector that always answers the same."""

    def __init__(self, answer: dict[str, Any], precision: str) -> None:
        self.model = ModelRef("m", "0" * 64, "any", precision)
        self.names = NAMES
        self.times = DetectionTimes(0, 0, 0)
        self._answer = answer

    def warm_up(self) -> None: ...

    def close(self) -> None: ...

    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        boxes = np.array(self._answer["boxes"], np.float32).reshape(-1, 4)
        ids = np.array([NAMES.index(name) for name in self._answer["classes"]], np.int32)
        return [Detections(boxes, np.array(self._answer["scores"], np.float32), ids, NAMES, self.model)] * len(frames)


@pytest.fixture
def spec(tmp_path: Path) -> ModelSpec:
    picture, answer = tmp_path / "0.png", tmp_path / "0.json"
    cv2.imwrite(str(picture), np.zeros((8, 8, 3), np.uint8))
    answer.write_text(json.dumps(RECORDED))
    hashes = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (picture, answer)]
    return ModelSpec(
        name="m",
        version="1",
        path=tmp_path / "m.onnx",
        sha256="0" * 64,
        precision="fp32",
        classes=NAMES,
        width=32,
        height=32,
        output=OutputFormat.END2END,
        thresholds=MappingProxyType(dict.fromkeys(NAMES, 0.5)),
        golden=(GoldenFrame(picture, hashes[0], answer, hashes[1]),),
    )


def changed(number: int, key: str, value: Any) -> dict[str, Any]:
    return RECORDED | {key: [value if place == number else one for place, one in enumerate(RECORDED[key])]}


@pytest.mark.parametrize("precision", TOLERANCES)
def test_the_recorded_answer_is_right_in_every_precision(spec: ModelSpec, precision: str) -> None:
    assert check_golden(Answering(RECORDED, precision), spec) == Compared(1, 2)


@pytest.mark.parametrize(("precision", "score", "box"), [("fp32", 0.01, 2), ("fp16", 0.02, 2), ("int8", 0.10, 10)])
def test_the_tolerance_of_each_precision(spec: ModelSpec, precision: str, score: float, box: float) -> None:
    """`box`: of 100 pixels so many may be cut off, an overlap of 0.98, or 0.90 for int8."""
    right = [
        changed(0, "scores", 0.9 - score * 0.95),
        changed(0, "boxes", [0, 0, 100, 100 - box * 0.95]),
        # Under its threshold nobody asks.
        changed(2, "scores", 0.4),
        changed(2, "boxes", [0, 0, 1, 1]),
    ]
    wrong = [
        changed(0, "scores", 0.9 - score * 1.05),
        changed(0, "scores", 0.9 + score * 1.05),
        changed(0, "boxes", [0, 0, 100, 100 - box * 1.2]),
        changed(0, "classes", "short"),
        # What was not recorded, or recorded far lower, is as wrong as what is missing.
        changed(2, "scores", 0.5 + score * 1.05),
        {"boxes": [], "scores": [], "classes": []},
    ]
    for answer in right:
        assert check_golden(Answering(answer, precision), spec).boxes == 2
    for answer in wrong:
        with pytest.raises(WrongAnswer, match=r"0\.json.* by any here"):
            check_golden(Answering(answer, precision), spec)


def test_a_file_that_the_card_does_not_know_is_refused(spec: ModelSpec) -> None:
    golden = spec.golden[0]
    for path in (golden.picture, golden.answer):
        before = path.read_bytes()
        path.write_bytes(before + b" ")
        with pytest.raises(BundleError, match="is not the file that the card names"):
            check_golden(Answering(RECORDED, "fp32"), spec)
        path.unlink()
        with pytest.raises(BundleError, match="cannot be read"):
            check_golden(Answering(RECORDED, "fp32"), spec)
        path.write_bytes(before)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"boxes": [], "scores": [1], "classes": []}'])
def test_an_answer_that_is_none_is_refused(spec: ModelSpec, text: str) -> None:
    spec.golden[0].answer.write_text(text)
    digest = hashlib.sha256(text.encode()).hexdigest()
    with pytest.raises(BundleError, match="is no golden answer"):
        check_golden(
            Answering(RECORDED, "fp32"), replace(spec, golden=(replace(spec.golden[0], answer_sha256=digest),))
        )
