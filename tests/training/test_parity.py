"""Both backends find what ultralytics' own predictor finds, with the same weights in float32.

Every box above the threshold has a twin on the other side, both ways: IoU over 0.98, the same class, a score within
0.01. The reference computes in PyTorch; for the shipped file, in ONNX Runtime too. All see frames as they are.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
import torch
from ultralytics import YOLO

from partsight.detectors.golden import frame_of
from partsight.detectors.onnx import OnnxDetector
from partsight.detectors.openvino import OpenVinoDetector
from partsight.domain.detections import Detections
from partsight.domain.errors import BackendUnavailable
from partsight.domain.model import ModelSpec, OutputFormat
from partsight.domain.ports import Detector
from partsight.models.bundle import find, load
from partsight.training.bundle import export_onnx
from partsight.training.fit import save

THRESHOLD = 0.25
LEAST_IOU, SCORE = 0.98, 0.01
BF16_SCORE = 0.05
Reference = Callable[[Any], Any]
"""Boxes (n, 6) x1 y1 x2 y2 score class of a BGR image."""


@pytest.fixture(scope="module")
def shipped() -> ModelSpec:
    return load(find("pcb")).spec()


@pytest.fixture(scope="module")
def twins(shipped: ModelSpec, yaml_of: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[OutputFormat, Path]:
    """The shipped weights as PyTorch checkpoints: once in the head that was shipped, once in the other head."""
    folder = tmp_path_factory.mktemp("twins")
    made = {}
    for head in OutputFormat:
        holder = YOLO(str(yaml_of("yolo26n")))
        holder.model.end2end = head is OutputFormat.END2END
        holder.model.eval().fuse(verbose=False)
        _take_weights(holder.model, shipped.path, head)
        holder.model.names = dict(enumerate(shipped.classes))
        made[head] = folder / f"{head.value}.pt"
        save(holder, holder.model, made[head])
    return made


def _take_weights(model: Any, file: Path, head: OutputFormat) -> None:
    """The heads are alike, so that weights of one serve in the other as well."""
    weights = {entry.name: onnx.numpy_helper.to_array(entry) for entry in onnx.load(file).graph.initializer}
    state = {}
    for name, value in model.state_dict().items():
        kept = weights.get(name)
        if kept is None:
            kept = weights[name.replace("one2one_", "") if "one2one_" in name else name.replace(".cv", ".one2one_cv")]
        state[name] = torch.from_numpy(np.array(kept)).reshape(value.shape)
    model.load_state_dict(state)


@pytest.fixture(scope="module", params=["end2end", "anchors", "yolo11"])
def case(
    request: pytest.FixtureRequest,
    shipped: ModelSpec,
    twins: dict[OutputFormat, Path],
    small_yolo11: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Reference, ModelSpec]:
    """A PyTorch model as ultralytics runs it, and its export as partsight reads it."""
    head = OutputFormat.END2END if request.param == "end2end" else OutputFormat.ANCHORS
    checkpoint = small_yolo11 if request.param == "yolo11" else twins[head]
    path = tmp_path_factory.mktemp("export") / "model.onnx"
    export_onnx(checkpoint, head, path, "parity")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    spec = dataclasses.replace(shipped, name=request.param, path=path, sha256=digest, output=head)
    holder = YOLO(str(checkpoint))
    end2end = False if head is OutputFormat.END2END else None  # ultralytics: nms=False keeps the NMS-free head
    return predictor(holder, spec, nms=end2end), spec


@pytest.fixture(scope="module", params=[OnnxDetector, OpenVinoDetector], ids=["onnx", "openvino"])
def backend(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def detector(backend: Any, case: tuple[Reference, ModelSpec]) -> Iterator[Detector]:
    opened = backend(case[1])
    yield opened
    opened.close()


def predictor(holder: Any, spec: ModelSpec, **options: Any) -> Reference:
    """ultralytics' predictor; `rect=False`: the same square input for every frame."""

    def predict(image: Any) -> Any:
        result = holder.predict(
            image,
            imgsz=(spec.height, spec.width),
            conf=spec.floor,
            iou=spec.nms_iou,
            max_det=spec.max_detections,
            rect=False,
            device="cpu",
            verbose=False,
            **options,
        )[0]
        return result.boxes.data.numpy()

    return predict


def of_all_shapes(images: list[Any]) -> list[Any]:
    """Wide, high, odd, larger and smaller frames: all need scaling, most a border."""
    shapes = [(640, 400), (333, 640), (437, 611), (1280, 960), (960, 1281), (200, 310), (1000, 1000), (640, 97)]
    return [
        cv2.resize(image, None, fx=scale, fy=scale)[:height, :width]
        for image, (width, height) in zip(images, shapes * len(images), strict=False)
        for scale in [max(width, height) / 640]
    ]


def count_twins(ours: Detections, theirs: Any, score: float = SCORE) -> int:
    """Fail unless each box above the threshold has a twin on the other side; how many pairs there are."""
    rows = np.concatenate([ours.boxes, ours.scores[:, None], ours.class_ids[:, None]], axis=1)
    for some, others in ((rows, theirs), (theirs, rows)):
        for row in some[some[:, 4] > THRESHOLD]:
            close = (others[:, 5] == row[5]) & (np.abs(others[:, 4] - row[4]) <= score)
            assert (iou(row, others)[close] > LEAST_IOU).any(), f"no twin of {row} among\n{others}"
    return int((rows[:, 4] > THRESHOLD).sum())


def iou(row: Any, others: Any) -> Any:
    sides = np.minimum(row[2:4], others[:, 2:4]) - np.maximum(row[:2], others[:, :2])
    both = np.clip(sides, 0, None).prod(axis=1)
    areas = (others[:, 2:4] - others[:, :2]).prod(axis=1) + (row[2:4] - row[:2]).prod()
    return both / (areas - both)


def test_backends_agree_with_ultralytics_in_pytorch_on_100_real_images(
    case: tuple[Reference, ModelSpec], detector: Detector, real_images: list[Any]
) -> None:
    found = detector.detect([frame_of(image) for image in real_images])
    twins = [count_twins(one, case[0](image)) for one, image in zip(found, real_images, strict=True)]
    assert sum(twins) >= 100, f"only {sum(twins)} boxes were compared"


def test_backends_agree_with_ultralytics_on_frames_that_need_scaling(
    case: tuple[Reference, ModelSpec], detector: Detector, real_images: list[Any]
) -> None:
    frames = of_all_shapes(real_images[:24])
    found = detector.detect([frame_of(frame) for frame in frames])
    twins = [count_twins(one, case[0](frame)) for one, frame in zip(found, frames, strict=True)]
    assert sum(twins) >= 10, f"only {sum(twins)} boxes were compared"


def test_the_shipped_file_agrees_with_ultralytics_running_the_same_file(
    backend: Any, shipped: ModelSpec, real_images: list[Any]
) -> None:
    reference = predictor(YOLO(str(shipped.path), task="detect"), shipped)
    detector = backend(shipped)
    frames = [*real_images, *of_all_shapes(real_images[:8])]
    found = detector.detect([frame_of(frame) for frame in frames])
    twins = [count_twins(one, reference(frame)) for one, frame in zip(found, frames, strict=True)]
    detector.close()
    assert sum(twins) >= 500, f"only {sum(twins)} boxes were compared"


def test_bfloat16_keeps_its_own_tolerance_and_verdict_changes_are_counted(
    shipped: ModelSpec, real_images: list[Any], record_property: Callable[[str, object], None]
) -> None:
    try:
        quick = OpenVinoDetector(shipped, OpenVinoDetector.Settings(precision="bf16"))
    except BackendUnavailable as problem:
        pytest.skip(str(problem))
    exact = OpenVinoDetector(shipped)
    frames = [frame_of(image) for image in real_images]
    limits = np.array([shipped.thresholds[name] for name in shipped.classes], np.float32)
    pairs = list(zip(quick.detect(frames), exact.detect(frames), strict=True))
    changes = sum(bad(one, limits) != bad(other, limits) for one, other in pairs)
    record_property("verdict_changes", changes)
    assert changes == 0
    strongest = [(one.scores.max(initial=0), other.scores.max(initial=0)) for one, other in pairs]
    assert max(abs(a - b) for a, b in strongest) <= BF16_SCORE


def bad(found: Detections, limits: Any) -> bool:
    return bool((found.scores >= limits[found.class_ids]).any())
