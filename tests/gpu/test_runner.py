"""Raw frames to detections through the whole GPU path, on both CUDA packages and six versions of TensorRT.

What it must equal is the CPU's way on the same file: OpenCV's preprocessing and ONNX Runtime.
"""

from __future__ import annotations

import dataclasses
import gc
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.gpu.live_models import PRECISIONS, live_spec
from tests.gpu.pretend.gpu import PretendGpu
from tests.gpu.pretend.tensorrt.module import VERSIONS
from tests.gpu.pretend.tensorrt.module import load as load_trt
from tests.gpu.rig import Rig, assert_same, noise, reference

from partsight.detectors.detector import YoloDetector
from partsight.detectors.tensorrt import lane
from partsight.detectors.tensorrt.runner import Limits
from partsight.domain.frame import Frame, PixelFormat
from partsight.domain.model import ModelSpec, OutputFormat
from partsight.domain.ports import Detector
from partsight.models.bundle import find, load
from partsight.testing.detector_contract import DetectorContract, frame, tiny_spec

# Each package once, eager and deferred; what is compared with the CPU runs in all four.
pytestmark = pytest.mark.gpu_variants("pycuda+deferred", "cuda-bindings+eager")

PAIRS = [(version, PRECISIONS[number % 3]) for number, version in enumerate(VERSIONS)]
REST = [(version, precision) for version in VERSIONS for precision in PRECISIONS if (version, precision) not in PAIRS]
MATRIX = [*PAIRS, *(pytest.param(*pair, marks=pytest.mark.proof) for pair in REST)]
ALLOWED_BYTES = 4096


@pytest.fixture
def rig(gpu: PretendGpu) -> Iterator[Rig]:
    """The newest TensorRT of JetPack 6, unless a test takes another."""
    made = Rig(gpu, load_trt("10.3.0"))
    yield made
    assert made.trt.pretend.mistakes == []


@pytest.mark.gpu_variants("pycuda+eager", "pycuda+deferred", "cuda-bindings+eager", "cuda-bindings+deferred")
@pytest.mark.parametrize(("version", "precision"), MATRIX)
def test_raw_frames_give_what_the_cpu_finds(gpu: PretendGpu, version: str, precision: str, tmp_path: Path) -> None:
    rig = Rig(gpu, load_trt(version))
    spec = live_spec(tmp_path, precision)
    frames = [noise(seed, *size) for seed, size in enumerate([(96, 72), (96, 72), (64, 64), (33, 130), (640, 480)])]
    with rig.opened(spec, Limits(slots=3)) as detector:
        assert (detector.model.backend, detector.model.precision) == ("tensorrt", precision)
        assert_same(detector.detect(frames), reference(spec, frames))
        again = [detector.detect([one])[0] for one in reversed(frames)]
        assert_same(again, reference(spec, frames[::-1]))
    assert rig.trt.pretend.mistakes == []
    assert gpu.stat("graph_launches") > 0


@pytest.mark.parametrize("integrated", [0, 1], ids=["card", "jetson"])
def test_every_pixel_format(rig: Rig, integrated: int, tmp_path: Path) -> None:
    """On a Jetson the GPU reads the pinned frame itself; on a card it is copied there."""
    rig.gpu.set(integrated=integrated)
    spec = live_spec(tmp_path)
    frames = [noise(seed, 70, 50, form) for seed, form in enumerate(PixelFormat)]
    with rig.opened(spec) as detector:
        assert_same(detector.detect(frames), reference(spec, frames))


def test_the_shipped_model_finds_the_same_defects(rig: Rig, tmp_path: Path) -> None:
    """The demo's own weights and pictures, small so that it is quick."""
    bundle = load(find("pcb"))
    spec = dataclasses.replace(bundle.spec(), width=160, height=160, floor=0.01)
    import cv2

    frames = [frame(cv2.imread(str(path))) for path in bundle.golden() if path.suffix == ".png"]
    assert frames
    with rig.opened(spec) as detector:
        assert_same(detector.detect(frames), reference(spec, frames))


@pytest.mark.parametrize("slots", [1, 2, 3])
@pytest.mark.parametrize("graph", [True, False])
def test_frames_on_their_way_at_once_stay_apart(rig: Rig, slots: int, graph: bool, tmp_path: Path) -> None:
    """rule_3: an output belongs to its frame, however many are on their way."""
    spec = live_spec(tmp_path)
    frames = [noise(seed) for seed in range(7)]
    with rig.opened(spec, Limits(slots=slots, graph=graph)) as detector:
        alone = [detector.detect([one])[0] for one in frames]
        assert_same(alone, reference(spec, frames), 1e-4)
        for one, single in zip(detector.detect(frames), alone, strict=True):
            np.testing.assert_array_equal(one.boxes, single.boxes)
            np.testing.assert_array_equal(one.scores, single.scores)
    assert (rig.gpu.stat("graph_launches") > 0) == graph


def test_graph_and_plain_give_the_same_bits(rig: Rig, tmp_path: Path) -> None:
    """rule_7."""
    spec, frames = live_spec(tmp_path), [noise(seed) for seed in range(20)]
    with rig.opened(spec, Limits(graph=True)) as one, rig.opened(spec, Limits(graph=False)) as other:
        for ours, theirs in zip(one.detect(frames), other.detect(frames), strict=True):
            np.testing.assert_array_equal(ours.boxes, theirs.boxes)
            np.testing.assert_array_equal(ours.scores, theirs.scores)


def test_cameras_of_many_sizes_take_turns(rig: Rig, tmp_path: Path) -> None:
    """More sizes than are kept ready: the oldest goes and comes again, and nothing is lost or left behind."""
    spec = live_spec(tmp_path)
    frames = [noise(seed, 40 + seed, 50) for seed in range(lane.FORMS + 2)] * 2
    with rig.opened(spec) as detector:
        assert_same(detector.detect(frames), reference(spec, frames))


def test_a_line_allocates_nothing(rig: Rig, tmp_path: Path) -> None:
    """No device memory, no pinned memory, and no more than 4 KiB of Python's, for a frame after the warm-up."""
    spec = live_spec(tmp_path)
    grabs = [noise(1, 320, 240).grab, noise(2, 200, 100, PixelFormat.BAYER_RG8).grab]
    runner = rig.runner(spec)
    runner.infer(grabs, lambda *_: None)
    rig.trt.pretend.idle = True  # the pretend engine allocates, a real one does not
    before = (rig.gpu.stat("device_allocations"), rig.gpu.stat("host_allocations"))
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        # Twice: tracemalloc's own tables and the interpreter's caches are filled by the first.
        for _ in range(2):
            tracemalloc.reset_peak()
            start = tracemalloc.get_traced_memory()[0]
            runner.infer(grabs, lambda *_: None)
            peak = tracemalloc.get_traced_memory()[1] - start
    finally:
        tracemalloc.stop()
        gc.enable()
        runner.close()
    assert (rig.gpu.stat("device_allocations"), rig.gpu.stat("host_allocations")) == before
    assert peak <= ALLOWED_BYTES * len(grabs)


def test_only_one_thread_ever_speaks_to_the_gpu(rig: Rig, tmp_path: Path) -> None:
    """Opened by one thread, used by others, closed by another; the driver counts calls without a context."""
    spec, frames = live_spec(tmp_path), [noise(1)]
    detector = rig.detector(spec)
    found: list[Any] = []
    for work in (lambda: found.extend(detector.detect(frames)), lambda: found.extend(detector.detect(frames))):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join(20)
    assert_same(found, reference(spec, frames * 2))
    closing = threading.Thread(target=detector.close)
    closing.start()
    closing.join(20)
    assert not [one for one in threading.enumerate() if one.name == "gpu"]


def test_the_engine_alone_can_be_timed(rig: Rig, tmp_path: Path) -> None:
    with rig.opened(live_spec(tmp_path)) as detector:
        detector.detect([noise(1)])
        runs = rig.trt.pretend.runs
        assert detector.run_bare() > 0
        assert rig.trt.pretend.runs == runs + 1


class TestTensorRtDetector(DetectorContract):
    """The suite that every backend passes."""

    @pytest.fixture(autouse=True)
    def on_gpu(self, rig: Rig) -> None:
        self._rig = rig

    def open(self, spec: ModelSpec) -> Detector:
        return self._rig.detector(spec)

    # An engine takes one image at a time; the bundle's file must too, or leave it free.
    @pytest.mark.parametrize(
        ("form", "batch"), [(OutputFormat.ANCHORS, None), (OutputFormat.END2END, None), (OutputFormat.END2END, 1)]
    )
    def test_finds_each_colour_in_its_place(self, form: OutputFormat, batch: int | None, tmp_path: Path) -> None:
        super().test_finds_each_colour_in_its_place(form, batch, tmp_path)


def test_times_of_all_steps(rig: Rig, tmp_path: Path) -> None:
    spec = tiny_spec(tmp_path, OutputFormat.END2END)
    with rig.opened(spec) as detector:
        assert isinstance(detector, YoloDetector)
        frames: list[Frame] = [noise(seed, 64, 64) for seed in range(3)]
        detector.detect(frames)
        times = detector.times
    assert min(times.preprocess_ms, times.infer_ms, times.decode_ms) > 0
