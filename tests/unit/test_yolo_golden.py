"""Decoding and letterbox give what ultralytics gives, on arrays that `tests/golden/make_golden.py` kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from partsight.detectors.letterbox import Letterbox, geometry, to_frame
from partsight.detectors.yolo import decode
from partsight.domain.frame import Grab, PixelFormat
from partsight.domain.model import ModelSpec, OutputFormat

GOLDEN = Path(__file__).parents[1] / "golden"
SIDE = 320
FLOOR, IOU, LIMIT = 0.05, 0.45, 300


def golden(file: str) -> dict[str, Any]:
    with np.load(GOLDEN / file) as arrays:
        return dict(arrays)


OUTPUTS = golden("outputs.npz")
PICTURES = golden("letterbox.npz")
CASES = sorted(name.removesuffix("_output") for name in OUTPUTS if name.endswith("_output"))


def spec(case: str) -> ModelSpec:
    return ModelSpec(
        name="golden",
        version="1",
        path=Path("golden.onnx"),
        sha256="",
        precision="fp32",
        classes=tuple(OUTPUTS["classes"].tolist()),
        width=SIDE,
        height=SIDE,
        output=OutputFormat.END2END if case.startswith("end2end") else OutputFormat.ANCHORS,
        thresholds={},
        floor=FLOOR,
        nms_iou=IOU,
        max_detections=LIMIT,
    )


def iou(one: Any, other: Any) -> Any:
    """(n,) overlaps of (n, 4) and (n, 4)."""
    sides = np.minimum(one[:, 2:], other[:, 2:]) - np.maximum(one[:, :2], other[:, :2])
    both = np.clip(sides, 0, None).prod(axis=1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (one, other)]
    return both / (areas[0] + areas[1] - both)


def test_every_kind_of_output_is_kept_with_boxes() -> None:
    kinds = {case[:-1].rstrip("_") for case in CASES}
    assert kinds == {"end2end", "anchors", "yolo11"}
    assert len(CASES) == 9, "three frames each: square, wide and high"
    assert all(len(OUTPUTS[f"{case}_boxes"]) for case in CASES), "a case without boxes shows nothing"


@pytest.mark.parametrize("case", CASES)
def test_the_same_boxes_as_ultralytics(case: str) -> None:
    expected, (height, width) = OUTPUTS[f"{case}_boxes"], OUTPUTS[f"{case}_frame"].tolist()
    found = decode(OUTPUTS[f"{case}_output"], spec(case))
    boxes = to_frame(found.boxes, geometry((width, height), (SIDE, SIDE)))
    assert len(boxes) == len(expected)
    ours, theirs = order(boxes, found.class_ids), order(expected[:, :4], expected[:, 5])
    np.testing.assert_array_equal(found.class_ids[ours], expected[theirs, 5])
    np.testing.assert_allclose(found.scores[ours], expected[theirs, 4], atol=1e-6)
    assert iou(boxes[ours], expected[theirs, :4]).min() > 0.999


def order(boxes: Any, class_ids: Any) -> Any:
    """By class and place: equal scores leave the order open."""
    return np.lexsort((*np.round(boxes, 1).T, class_ids))


@pytest.mark.parametrize("number", range(len(PICTURES) // 2))
def test_the_same_letterbox_as_ultralytics(number: int) -> None:
    picture, expected = PICTURES[f"picture{number}"], PICTURES[f"result{number}"]
    letterbox = Letterbox(expected.shape[1], expected.shape[0])
    letterbox.fill(0, Grab(picture, PixelFormat.BGR8))
    np.testing.assert_array_equal(letterbox.pixels[0], expected)
