"""From a model to a detector on the pretend GPU, and frames for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from tests.gpu.pretend.gpu import PretendGpu

from partsight.detectors.detector import YoloDetector
from partsight.detectors.onnx import OnnxDetector
from partsight.detectors.signature import read_checked
from partsight.detectors.tensorrt.building import BuildOptions, build_plan
from partsight.detectors.tensorrt.cuda.port import CudaPort
from partsight.detectors.tensorrt.runner import Limits, TensorRtRunner
from partsight.domain.detections import Detections, ModelRef
from partsight.domain.frame import Frame, PixelFormat
from partsight.domain.model import ModelSpec
from partsight.testing.detector_contract import frame

MONO = (PixelFormat.MONO8, PixelFormat.MONO16)


class Rig:
    """One pretend TensorRT on the pretend GPU of this process."""

    def __init__(self, gpu: PretendGpu, trt: Any) -> None:
        self.gpu, self.trt = gpu, trt

    def plan(self, spec: ModelSpec) -> bytes:
        """Built here and now."""
        return build_plan(self.trt, read_checked(spec), BuildOptions(spec)).plan

    def open_port(self) -> CudaPort:
        """What the runner opens; a test may put another in its place."""
        return self.gpu.open_port()

    def runner(self, spec: ModelSpec, limits: Limits | None = None, plan: bytes | None = None) -> TensorRtRunner:
        return TensorRtRunner(spec, self.trt, plan or self.plan(spec), self.open_port, limits)

    def detector(self, spec: ModelSpec, limits: Limits | None = None) -> YoloDetector:
        return YoloDetector(
            spec, self.runner(spec, limits), ModelRef(spec.name, spec.sha256, "tensorrt", spec.precision)
        )

    @contextmanager
    def opened(self, spec: ModelSpec, limits: Limits | None = None) -> Iterator[YoloDetector]:
        detector = self.detector(spec, limits)
        try:
            yield detector
        finally:
            detector.close()


def noise(seed: int, width: int = 96, height: int = 72, form: PixelFormat = PixelFormat.BGR8) -> Frame:
    """Smooth noise, different in every place and for every seed."""
    rng = np.random.default_rng(seed)
    shape = (height, width, 3) if form is PixelFormat.BGR8 else (height, width)
    pixels = rng.integers(0, 256, shape, dtype=np.uint8)
    if form is PixelFormat.MONO16:
        return frame(pixels.astype(np.uint16) * 16, form, 12)
    return frame(pixels, form)


def reference(spec: ModelSpec, frames: Sequence[Frame]) -> list[Detections]:
    """What ONNX Runtime finds with the CPU's preprocessing."""
    detector = OnnxDetector(spec, OnnxDetector.Settings(threads=1))
    found = detector.detect(frames)
    detector.close()
    return found


def assert_same(ours: Sequence[Detections], theirs: Sequence[Detections], tolerance: float = 1e-4) -> None:
    """The same boxes in the same order; and there are some, or the test would say nothing."""
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert len(other) >= 5
        np.testing.assert_array_equal(one.class_ids, other.class_ids)
        np.testing.assert_allclose(one.scores, other.scores, atol=tolerance)
        np.testing.assert_allclose(one.boxes, other.boxes, atol=100 * tolerance)
