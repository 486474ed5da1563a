"""What goes wrong on a GPU makes a DetectorError in time, never an answer; and nothing stays allocated.

rule_2: what could not be judged is never OK. The station makes INVALID of each DetectorError.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from structlog.testing import capture_logs
from tests.gpu.live_models import live_spec
from tests.gpu.pretend.gpu import PretendGpu
from tests.gpu.pretend.tensorrt.module import load as load_trt
from tests.gpu.rig import Rig, assert_same, noise, reference

from partsight.detectors.tensorrt import lane
from partsight.detectors.tensorrt.runner import Limits
from partsight.domain.errors import BackendUnavailable, BundleError, DetectorError, DetectorLost
from partsight.domain.frame import PixelFormat
from partsight.testing.detector_contract import frame

# Each fault on each package once, eager and deferred by turns.
pytestmark = pytest.mark.gpu_variants("pycuda+eager", "cuda-bindings+deferred")

HUNG_S = 0.3
SOON_S = 5.0


@pytest.fixture(scope="module", autouse=True)
def frozen_heap() -> None:
    """The fixture `gpu` collects garbage after each of these tests; the libraries' objects need not be looked at."""
    gc.freeze()


@pytest.fixture
def rig(gpu: PretendGpu) -> Iterator[Rig]:
    made = Rig(gpu, load_trt("10.16.1.11"))
    yield made
    assert made.trt.pretend.mistakes == []


def allocations_to_open(rig: Rig, folder: Path) -> int:
    rig.gpu.set(oom_at=0)
    rig.runner(live_spec(folder)).close()
    return rig.gpu.stat("allocations")


def test_out_of_memory_at_every_allocation_of_the_opening(rig: Rig, tmp_path: Path) -> None:
    spec = live_spec(tmp_path)
    plan = rig.plan(spec)
    number = allocations_to_open(rig, tmp_path)
    assert number >= 10
    before = rig.gpu.living()
    for nth in range(1, number + 1):
        rig.gpu.set(oom_at=nth)
        with pytest.raises(DetectorError) as caught:
            rig.runner(spec, plan=plan)
        # 1 is the engine's own memory: TensorRT gives no reason but in its log.
        assert "memory" in str(caught.value).lower().replace("_of_", " "), f"allocation {nth}: {caught.value}"
        del caught
        assert rig.gpu.living() == before, f"after allocation {nth} had failed"
    rig.gpu.set(oom_at=0)
    with rig.opened(spec) as detector:
        assert_same(detector.detect([noise(1)]), reference(spec, [noise(1)]))


def test_a_frame_too_large_for_the_memory_leaves_the_others(rig: Rig, tmp_path: Path) -> None:
    """At each allocation of a new frame size: that part is INVALID, the next of the old size is judged."""
    rig.gpu.set(integrated=0)
    spec, good, large = live_spec(tmp_path), noise(1), noise(2, 300, 200)
    expected = reference(spec, [good])
    with rig.opened(spec) as detector:
        assert_same(detector.detect([good]), expected)
        rig.gpu.set(oom_at=1000)
        living = rig.gpu.living()
        for nth in range(1, 7):
            rig.gpu.set(oom_at=nth)
            with pytest.raises(DetectorError, match="no memory left for frames of 300x200") as caught:
                detector.detect([good, large])
            assert not isinstance(caught.value, DetectorLost)
            assert rig.gpu.living() == living
            assert_same(detector.detect([good]), expected)
        rig.gpu.set(oom_at=0)
        assert_same(detector.detect([large]), reference(spec, [large]))


@pytest.mark.parametrize("graph", [True, False])
def test_a_hung_gpu_is_told_within_its_limit(rig: Rig, graph: bool, tmp_path: Path) -> None:
    spec = live_spec(tmp_path)
    detector = rig.detector(spec, Limits(timeout_s=HUNG_S, graph=graph))
    detector.detect([noise(1)])
    rig.gpu.set(hang=1)
    begun = time.monotonic()
    with pytest.raises(DetectorLost, match="does not answer"):
        detector.detect([noise(2)] * 3)
    took = time.monotonic() - begun
    assert HUNG_S <= took < HUNG_S + 1.0
    begun = time.monotonic()
    with pytest.raises(DetectorLost, match="does not answer"):
        detector.detect([noise(3)])
    assert time.monotonic() - begun < HUNG_S, "the second part must not wait for a GPU that is known to hang"
    rig.gpu.set(hang=0)
    # It comes back: nobody takes its late answers, and everything is given back.
    with pytest.raises(DetectorLost, match="does not answer"):
        detector.detect([noise(4)])
    detector.close()


def test_a_gpu_that_hangs_for_ever_does_not_hold_up_the_end(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, wait_until: Callable[..., Any]
) -> None:
    monkeypatch.setattr("partsight.detectors.tensorrt.runner.CLOSE_S", HUNG_S)
    detector = rig.detector(live_spec(tmp_path), Limits(timeout_s=HUNG_S))
    rig.gpu.set(hang=1)
    with pytest.raises(DetectorLost):
        detector.detect([noise(1)])
    begun = time.monotonic()
    with capture_logs() as logs:
        detector.close()
    assert time.monotonic() - begun < SOON_S
    assert [entry for entry in logs if "does not end" in entry["event"]]
    rig.gpu.set(hang=0)
    wait_until(lambda: not [one for one in threading.enumerate() if one.name == "gpu"])


@pytest.mark.parametrize("graph", [True, False])
def test_a_lost_device_at_every_call(rig: Rig, graph: bool, tmp_path: Path) -> None:
    """After n driver calls more each fails, for every n that a `detect` of three frames has."""
    rig.gpu.allow("leaks")
    spec, frames = live_spec(tmp_path), [noise(seed) for seed in range(3)]
    plan, expected = rig.plan(spec), reference(spec, frames)
    lost = answered = 0
    for nth in range(1, 60):
        detector = rig.detector(spec, Limits(graph=graph)) if plan else None
        assert detector is not None
        assert_same(detector.detect(frames), expected)
        rig.gpu.set(lose_after=nth)
        try:
            assert_same(detector.detect(frames), expected)
            answered += 1
        except DetectorLost:
            lost += 1
            begun = time.monotonic()
            with pytest.raises(DetectorLost, match="a new process is needed"):
                detector.detect(frames)
            assert time.monotonic() - begun < 0.1
        detector.close()
        rig.gpu.reset()
        if answered:
            break
    assert lost > 5
    assert answered == 1, "the device was never lost after the last call: the test has not seen them all"


def test_a_kernel_that_reads_where_it_must_not(rig: Rig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A sticky error, as a bug of ours or of TensorRT would make it."""
    rig.gpu.allow("leaks", "illegal_address")
    spec = live_spec(tmp_path)
    detector = rig.detector(spec, Limits(graph=False))
    right = lane.Feed.arguments
    monkeypatch.setattr(lane.Feed, "arguments", lambda self, source, *rest: right(self, 4096, *rest))
    with pytest.raises(DetectorLost, match="ILLEGAL_ADDRESS"):
        detector.detect([noise(1, 50, 50)])
    monkeypatch.undo()
    with pytest.raises(DetectorLost, match="ILLEGAL_ADDRESS"):
        detector.detect([noise(1)])
    detector.close()


@pytest.mark.parametrize("how", [1, 2, 3])
def test_a_driver_without_graphs_runs_step_by_step(rig: Rig, how: int, tmp_path: Path) -> None:
    rig.gpu.set(refuse_capture=how)
    spec, frames = live_spec(tmp_path), [noise(1), noise(2, 50, 60), noise(3)]
    with capture_logs() as logs, rig.opened(spec) as detector:
        assert_same(detector.detect(frames), reference(spec, frames))
        assert_same(detector.detect(frames), reference(spec, frames))
    assert rig.gpu.stat("graph_launches") == 0
    assert len([entry for entry in logs if "no CUDA graph" in entry["event"]]) == 1


def test_an_engine_that_cannot_be_captured_runs_step_by_step(rig: Rig, tmp_path: Path) -> None:
    spec = live_spec(tmp_path)
    plan = rig.plan(spec)
    rig.trt.pretend.refuse_at = 2  # the first is the plain run, the second is captured
    runner = rig.runner(spec, plan=plan)
    assert not runner.uses_graphs
    runner.close()


def test_an_engine_that_refuses_to_run(rig: Rig, tmp_path: Path) -> None:
    detector = rig.detector(live_spec(tmp_path), Limits(graph=False))
    rig.trt.pretend.refuse_at = 2
    detector.detect([noise(1)])
    with pytest.raises(DetectorLost, match="refused to run"):
        detector.detect([noise(1)])
    detector.close()


@pytest.mark.parametrize("graph", [True, False])
def test_an_output_that_was_not_written_is_never_an_answer(rig: Rig, graph: bool, tmp_path: Path) -> None:
    """The frame before was full of defects; without an output of its own this one must not have them, nor none."""
    spec = live_spec(tmp_path)
    with rig.opened(spec, Limits(graph=graph)) as detector:
        frames = [noise(1), noise(2)]
        assert_same(detector.detect(frames), reference(spec, frames))
        rig.trt.pretend.skip_output = True
        with pytest.raises(DetectorError, match="NaN"):
            detector.detect(frames)
        rig.trt.pretend.skip_output = False
        assert_same(detector.detect(frames), reference(spec, frames))


def test_a_frame_that_is_not_what_it_says_leaves_the_others(rig: Rig, tmp_path: Path) -> None:
    """In the middle of others, with some on their way."""
    spec, good = live_spec(tmp_path), [noise(1), noise(2)]
    for broken in (
        frame(np.zeros((20, 20), np.uint8)),
        frame(np.zeros((20, 20, 3), np.uint8), PixelFormat.MONO8),
        frame(np.zeros((2, 2), np.uint8), PixelFormat.BAYER_RG8),
        frame(np.zeros((5, 5), np.uint16), PixelFormat.MONO16, 17),
        frame(np.zeros((0, 5, 3), np.uint8)),
    ):
        with rig.opened(spec) as detector:
            with pytest.raises(DetectorError) as caught:
                detector.detect([*good, broken, *good])
            assert not isinstance(caught.value, DetectorLost)
            assert_same(detector.detect(good), reference(spec, good))


def test_an_engine_of_another_version(rig: Rig, tmp_path: Path) -> None:
    spec = live_spec(tmp_path)
    other = Rig(rig.gpu, load_trt("10.3.0")).plan(spec)
    with pytest.raises(BackendUnavailable, match=r"not compatible with this version.*partsight build"):
        rig.runner(spec, plan=other)
    with pytest.raises(BackendUnavailable, match="magic tag"):
        rig.runner(spec, plan=b"not a plan")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"input_name": "pixels"}, "the card says 'pixels'"),
        ({"width": 96}, "the card says 'images'"),
        ({"classes": ("a", "b")}, "classes"),
    ],
)
def test_an_engine_of_another_model(rig: Rig, change: dict[str, Any], says: str, tmp_path: Path) -> None:
    import dataclasses

    spec = live_spec(tmp_path)
    plan = rig.plan(spec)
    with pytest.raises(BundleError, match=says):
        rig.runner(dataclasses.replace(spec, **change), plan=plan)


def test_a_closed_detector_says_so(rig: Rig, tmp_path: Path) -> None:
    detector = rig.detector(live_spec(tmp_path))
    detector.close()
    detector.close()
    with pytest.raises(DetectorError, match="closed"):
        detector.detect([noise(1)])
