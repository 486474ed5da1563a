"""The way of a frame through any backend: letterbox, run, decode."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

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

Take = Callable[[npt.NDArray[np.float32], Geometry], None]
"""Given one frame's output and where that frame lies in the model's input."""


class Runner(Protocol):
    """What a backend must bring. One thread calls all of it; any exception may leave `run`."""

    @property
    def batch(self) -> int:
        """Images that the model takes at once."""

    def prepare(self, pixels: npt.NDArray[np.uint8]) -> None:
        """Take (batch, height, width, 3) BGR bytes into the model's own form. Always the same memory."""

    def run(self) -> npt.NDArray[np.float32]:
        """The model's output, (batch, ...). It may be the runtime's memory, valid until the next `run`."""


@runtime_checkable
class FrameRunner(Protocol):
    """What a backend brings that takes frames as they are. One thread calls all of it."""

    def infer(self, grabs: Sequence[Grab], take: Take) -> tuple[int, int]:
        """`take` each frame's output, as `decode` takes it, with its place in the input, in the frames' order.

        The output is valid inside that call only, which may come from another thread. Returns nanoseconds of preparing
        and of `take`; what the call took besides is inference. Raises DetectorError.
        """

    def run_bare(self) -> int:
        """Nanoseconds of one inference on the input that lies ready. Raises DetectorError."""

    def close(self) -> None:
        """Give the device back. Never raises."""


class Letterboxed:
    """A runner of bytes as one of frames: each is letterboxed on the CPU.

    Frames go through the model `runner.batch` at a time, the last group filled up with what lay there before:
    a frame's result never depends on its neighbours, so the same part judges the same alone or in company.
    The first image is run at once, so that a model with another output is refused here. Raises BundleError.
    """

    def __init__(self, spec: ModelSpec, runner: Runner, ref: ModelRef) -> None:
        self._runner = runner
        self._ref = ref
        self._letterbox = Letterbox(spec.width, spec.height, spec.pad, runner.batch)
        try:
            runner.prepare(self._letterbox.pixels)
            output = runner.run()
        except Exception as problem:  # the runtimes raise what they like, RuntimeError and bare Exception among it
            raise BundleError(
                f"{spec.path}: does not run on {ref.backend} with {spec.width}x{spec.height} pixels: {problem}; "
                "correct [input] in the card or export the model again"
            ) from problem
        check_output(spec, output.shape, runner.batch)

    def infer(self, grabs: Sequence[Grab], take: Take) -> tuple[int, int]:
        """A group of `runner.batch` frames after the other. Raises DetectorError."""
        preparing = taking = 0
        for start in range(0, len(grabs), self._runner.batch):
            begun = time.perf_counter_ns()
            group = grabs[start : start + self._runner.batch]
            places = [self._letterbox.fill(slot, grab) for slot, grab in enumerate(group)]
            self._runner.prepare(self._letterbox.pixels)
            preparing += time.perf_counter_ns() - begun
            output = self._run()
            begun = time.perf_counter_ns()
            for slot, place in enumerate(places):
                take(output[slot], place)
            taking += time.perf_counter_ns() - begun
        return preparing, taking

    def run_bare(self) -> int:
        """The runner alone. Raises DetectorError."""
        begun = time.perf_counter_ns()
        self._run()
        return time.perf_counter_ns() - begun

    def close(self) -> None:
        """Nothing: the runner goes with its last reference."""

    def _run(self) -> npt.NDArray[np.float32]:
        try:
            return self._runner.run()
        except Exception as problem:  # the runtimes raise what they like, bare Exception among it
            raise DetectorError(f"{self._ref.backend} failed on model {self._ref.name!r}: {problem}") from problem


class YoloDetector:
    """The `Detector` port around a runner: one of frames as it is, one of bytes behind `Letterboxed`.

    Raises BundleError where the runner does not fit the model.
    """

    def __init__(self, spec: ModelSpec, runner: Runner | FrameRunner, ref: ModelRef) -> None:
        self._spec = spec
        self._ref = ref
        self._times = DetectionTimes(0.0, 0.0, 0.0)
        self._runner: FrameRunner | None = runner if isinstance(runner, FrameRunner) else Letterboxed(spec, runner, ref)

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
        return self._opened().run_bare() * 1e-6

    def close(self) -> None:
        """Let go of the model. Never raises."""
        runner, self._runner = self._runner, None
        if runner is not None:
            runner.close()

    def _opened(self) -> FrameRunner:
        if self._runner is None:
            raise DetectorError(f"detector {self._ref.backend} for {self._ref.name!r} was closed; open a new one")
        return self._runner

    def _detect(self, grabs: Sequence[Grab]) -> list[Detections]:
        runner = self._opened()
        found: list[Detections] = []
        begun = time.perf_counter_ns()
        preparing, taking = runner.infer(grabs, lambda output, place: found.append(self._decoded(output, place)))
        running = time.perf_counter_ns() - begun - preparing - taking
        self._times = DetectionTimes(*(ns * 1e-6 for ns in (preparing, running, taking)))
        if len(found) != len(grabs):
            # The same number for all: a detector that lost a frame must not shift the others onto its neighbours.
            raise DetectorError(f"{self._ref.backend} answered {len(found)} of {len(grabs)} frames; please report it")
        return found

    def _decoded(self, output: npt.NDArray[np.float32], place: Geometry) -> Detections:
        columns = decode(output, self._spec)
        boxes = to_frame(columns.boxes, place)
        return Detections(boxes, columns.scores, columns.class_ids, self._spec.classes, self._ref)
