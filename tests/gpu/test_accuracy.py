"""fp16 and int8 of the shipped model against fp32, in ONNX Runtime, on real boards.

The same place of the model's output is compared in both, so that no comparison hangs on a tie: where two neighbouring
places give a box of one defect with scores that are nearly equal, either may win, in any precision.

What this does not show: ONNX Runtime computes float16 in float32 on a CPU, and only stores it rounded. How TensorRT
rounds is seen on a device, by the golden frames after each build.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from partsight.cli.conversion import compare, planes
from partsight.detectors.golden import frame_of
from partsight.detectors.letterbox import Letterbox
from partsight.detectors.onnx import OnnxDetector, OnnxRunner
from partsight.domain.model import ModelSpec
from partsight.models.bundle import Bundle, find, hash_file, load
from partsight.models.precisions.conversion import IMAGES_LEAST
from partsight.models.precisions.graph import fixed
from partsight.models.precisions.half import half
from partsight.models.precisions.quantised import quantised
from partsight.scoring.annotations import read_annotations
from partsight.scoring.matching import iou_matrix

pytestmark = pytest.mark.deeppcb
HELD_OUT = ("group50600", "group44000")
"""Boards of `trainval` that no image of the calibration is of."""
BOARDS = 6
FP16_SCORE, FP16_IOU = 0.02, 0.98
INT8_SCORE, INT8_LOST = 0.25, 0.1


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load(find("pcb"))


@pytest.fixture(scope="module")
def boards(deeppcb: Path) -> list[Path]:
    """Boards with defects, evenly spread over the groups held out."""
    found = [s.image for s in read_annotations(deeppcb, "trainval").samples if s.group in HELD_OUT and s.scored]
    assert len(found) == 100
    return found[:: len(found) // BOARDS][:BOARDS]


def raw(spec: ModelSpec, images: list[Path]) -> npt.NDArray[np.float32]:
    """What the model gives, (images, 4 + classes, places)."""
    runner, letterbox = OnnxRunner(spec, 0), Letterbox(spec.width, spec.height, spec.pad)
    outputs = []
    for image in images:
        letterbox.fill(0, frame_of(np.asarray(cv2.imread(str(image), cv2.IMREAD_UNCHANGED), np.uint8)).grab)
        runner.prepare(letterbox.pixels)
        outputs.append(runner.run()[0].copy())
    return np.stack(outputs)


def corners(columns: Any) -> Any:
    """(n, 4) x1 y1 x2 y2 of (4, n) cx cy w h."""
    centre, size = columns[:2], columns[2:4]
    return np.concatenate([centre - size / 2, centre + size / 2]).T


def test_fp16_answers_as_fp32_at_every_place(bundle: Bundle, boards: list[Path]) -> None:
    """Every place whose score is above its class's threshold: a score within 0.02, a box with an IoU of 0.98."""
    spec = bundle.spec()
    limits = np.array([spec.thresholds[name] for name in spec.classes])[:, None]
    compared = 0
    for ours, theirs in zip(raw(spec, boards), raw(bundle.spec("fp16"), boards), strict=True):
        assert np.abs(ours[4:] - theirs[4:]).max() <= FP16_SCORE
        there = (ours[4:] >= limits).any(0)
        compared += int(there.sum())
        same = np.diagonal(iou_matrix(corners(ours[:4, there]), corners(theirs[:4, there])))
        assert same.min(initial=1.0) >= FP16_IOU
    assert compared > 5 * BOARDS


@pytest.fixture(scope="module")
def int8(bundle: Bundle, deeppcb: Path, tmp_path_factory: pytest.TempPathFactory) -> ModelSpec:
    """The shipped model in int8, calibrated on a few boards of other groups: it ships without, its README says why."""
    spec = bundle.spec()
    samples = [s.image for s in read_annotations(deeppcb, "trainval").samples if s.group not in HELD_OUT]
    images = samples[:: len(samples) // IMAGES_LEAST][:IMAGES_LEAST]
    made = half(quantised(fixed(spec.path.read_bytes(), spec), planes(spec, images), "pcb"), "pcb")
    path = tmp_path_factory.mktemp("int8") / "model-int8.onnx"
    path.write_bytes(made.SerializeToString())
    return replace(spec, path=path, sha256=hash_file(path), precision="int8")


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_the_defects_that_decide_are_found_in_each_precision(
    precision: str, bundle: Bundle, boards: list[Path], request: pytest.FixtureRequest
) -> None:
    """Every defect above its threshold is seen in its place, and no board that was rejected passes."""
    other: ModelSpec = bundle.spec("fp16") if precision == "fp16" else request.getfixturevalue("int8")
    frames = [frame_of(np.asarray(cv2.imread(str(board), cv2.IMREAD_UNCHANGED), np.uint8)) for board in boards]
    found = []
    for spec in (bundle.spec(), other):
        detector = OnnxDetector(spec)
        found.append(detector.detect(frames))
        detector.close()
    spec = bundle.spec()
    told = compare(*found, spec)
    assert told.defects > 2 * BOARDS
    assert told.lost <= (0 if precision == "fp16" else INT8_LOST * told.defects)
    assert told.worst_score <= (FP16_SCORE if precision == "fp16" else INT8_SCORE)
    limits = np.array([spec.thresholds[name] for name in spec.classes])
    for before, after in zip(*found, strict=True):
        rejected = (before.scores >= limits[before.class_ids]).any()
        assert not rejected or (after.scores >= limits[after.class_ids]).any(), "a bad board would now pass"


def test_calibration_sees_what_the_line_sees(bundle: Bundle, boards: list[Path]) -> None:
    """The images that int8 takes its ranges from are the detector's own input, to the bit."""
    spec = bundle.spec()
    runner, letterbox = OnnxRunner(spec, 1), Letterbox(spec.width, spec.height, spec.pad)
    letterbox.fill(0, frame_of(np.asarray(cv2.imread(str(boards[0]), cv2.IMREAD_UNCHANGED), np.uint8)).grab)
    runner.prepare(letterbox.pixels)
    np.testing.assert_array_equal(next(planes(spec, boards[:1])), runner._feed[spec.input_name])
