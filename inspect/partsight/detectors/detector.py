"""The way of a frame through any backend: letterbox, run, decode."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from partsight.detectors.letterbox import Geometry, Letterbox, to_frame
from partsight.detectors.signature import check_output
from partsight.detectors.yolo import decode
from partsight.domain.detections import Detections, ModelRef
from partsight.domain.errors import BundleError, DetectorError
from partsight.domain.frame import Frame, Grab, PixelFormat
from partsight.domain.model import ModelSpec
from partsight.domain.ports import DetectionTimes

WARM_UP_RUNS = 4


class Runner(Protocol):
    """What a backend must bring. One thread calls all of it; any exception may leave `run`."""

    @property
    def batch(self) -> int:
        """Images that the model takes at once."""

    def prepare(self, pixels: npt.NDArray[np.uint8]) -> None:
        """Take (batch, height, width, 3) BGR bytes into the model's own form. Always the same memory."""

    def run(self) -> npt.NDArray[np.float32]:
        """The model's output, (batch, ...). It may be the runtime's memory, valid until the next `run`."""


class YoloDetector:
    """The `Detector` port around a runner.

    Frames go through the model `runner.batch` at a time, the last group filled up with what lay there before:
    a frame's result never depends on its neighbours, so the same part judges the same alone or in company.
    The first image is run at once, so that a model with another output is refused here. Raises BundleError.
    """

    def __init__(self, spec: ModelSpec, runner: Runner, ref: ModelRef) -> None:
        self._spec = spec
        self._ref = ref
        self._runner: Runner | None = runner
        self._letterbox = Letterbox(spec.width, spec.height, spec.pad, runner.batch)
        self._times = DetectionTimes(0.0, 0.0, 0.0)
        try:
            runner.prepare(self._letterbox.pixels)
            output = runner.run()
        except Exception as problem:  # the runtimes raise what they like, RuntimeError and bare Exception among it
            raise BundleError(
                f"{spec.path}: does not run on {ref.backend} with {spec.width}x{spec.height} pixels: {problem}; "
                "correct [input] in the card or export the model again"
            ) from problem
        check_output(spec, output.shape, runner.batch)

    @property
    def model(self) -> ModelRef:
        """The model, with the backend and the precision that it really runs in."""
        return self._ref

    @property
    def names(self) -> tuple[str, ...]:
        """The model's classes, by class id."""
        return self._spec.classes

    @property
    def times(self) -> DetectionTimes:
        """Of the last `detect` call."""
        return self._times

    def warm_up(self) -> None:
        """Run the whole way a few times, so that the next frame is as fast as any. Raises DetectorError."""
        grey = np.full((self._spec.height, self._spec.width, 3), self._spec.pad, np.uint8)
        for _ in range(WARM_UP_RUNS):
            self._detect([Grab(grey, PixelFormat.BGR8, name="warm-up")])

    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        """One Detections for each frame, in order. Raises DetectorError."""
        return self._detect([frame.grab for frame in frames])

    def run_bare(self) -> float:
        """Milliseconds of one inference on the input that lies ready, without anything around it: for `bench`.

        Raises DetectorError.
        """
        runner = self._opened()
        begun = time.perf_counter_ns()
        self._run(runner)
        return (time.perf_counter_ns() - begun) * 1e-6

    def close(self) -> None:
        """Let go of the model. Never raises."""
        self._runner = None

    def _opened(self) -> Runner:
        if self._runner is None:
            raise DetectorError(f"detector {self._ref.backend} for {self._ref.name!r} was closed; open a new one")
        return self._runner

    def _run(self, runner: Runner) -> npt.NDArray[np.float32]:
        try:
            return runner.run()
        except Exception as problem:  # the runtimes raise what they like, bare Exception among it
            raise DetectorError(f"{self._ref.backend} failed on model {self._ref.name!r}: {problem}") from problem

    def _detect(self, grabs: Sequence[Grab]) -> list[Detections]:
        runner = self._opened()
        found: list[Detections] = []
        spent = np.zeros(3)
        for start in range(0, len(grabs), runner.batch):
            found += self._group(runner, grabs[start : start + runner.batch], spent)
        self._times = DetectionTimes(*(float(ms) for ms in spent * 1e-6))
        return found

    def _group(self, runner: Runner, grabs: Sequence[Grab], spent: npt.NDArray[np.float64]) -> list[Detections]:
        begun = time.perf_counter_ns()
        places = [self._letterbox.fill(slot, grab) for slot, grab in enumerate(grabs)]
        runner.prepare(self._letterbox.pixels)
        prepared = time.perf_counter_ns()
        output = self._run(runner)
        run = time.perf_counter_ns()
        found = [self._decoded(output[slot], place) for slot, place in enumerate(places)]
        spent += (prepared - begun, run - prepared, time.perf_counter_ns() - run)
        return found

    def _decoded(self, output: npt.NDArray[np.float32], place: Geometry) -> Detections:
        columns = decode(output, self._spec)
        boxes = to_frame(columns.boxes, place)
        return Detections(boxes, columns.scores, columns.class_ids, self._spec.classes, self._ref)
