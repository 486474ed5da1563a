"""The harness sees: each mistake that a runner could have is planted here, and each must be found.

A test that compares with the CPU is worth what it finds; this is the list. "found" means: a wrong box, an error, or a
mistake that the pretend driver counts.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.gpu.live_models import live_spec
from tests.gpu.pretend.gpu import MISTAKES, PretendGpu
from tests.gpu.pretend.tensorrt.module import load as load_trt
from tests.gpu.rig import Rig, assert_same, noise, reference

from partsight.detectors.tensorrt import lane
from partsight.detectors.tensorrt.cuda.port import CudaPort, Pinned
from partsight.detectors.tensorrt.lane import Lane
from partsight.detectors.tensorrt.runner import Limits
from partsight.domain.errors import DetectorError
from partsight.domain.model import ModelSpec

# What is not done early is seen in the deferred driver only: the real GPU is one.
pytestmark = pytest.mark.gpu_variants("pycuda+deferred", "cuda-bindings+deferred")

Patch = Callable[[pytest.MonkeyPatch], None]


class Altered:
    """A port with some of its calls replaced."""

    def __init__(self, port: CudaPort, **calls: Any) -> None:
        self._port, self._calls = port, calls

    def __getattr__(self, name: str) -> Any:
        if name in self._calls:
            return lambda *arguments, **named: self._calls[name](self._port, *arguments, **named)
        return getattr(self._port, name)


def nothing(*_: Any, **__: Any) -> None:
    """A call that was forgotten."""


def _pageable(port: CudaPort, shape: Sequence[int], dtype: Any, *, mapped: bool = False) -> Pinned:
    pinned = port.pinned(shape, dtype, mapped=mapped)
    return pinned if mapped else Pinned(np.empty(shape, dtype), None, pinned.owner)


def _freed(port: CudaPort, nbytes: int) -> int:
    address = port.alloc(nbytes)
    port.free(address)
    return address


PORT: dict[str, dict[str, Any]] = {
    "no-push": {"push": nothing},
    "no-wait-for-the-event": {"wait": nothing},
    "event-never-recorded": {"record": nothing},
    "output-not-copied": {"copy_out": nothing},
    "frame-and-poison-not-copied": {"copy_in": nothing},
    "kernel-not-launched": {"launch": nothing},
    "graph-not-launched": {"launch_graph": nothing},
    "graph-of-nothing": {"capture": lambda port, stream, work: port.capture(stream, nothing)},
    "pageable-output": {"pinned": _pageable},
    "grid-too-small": {"launch": lambda port, k, grid, *rest: port.launch(k, (1, *grid[1:]), *rest)},
    "half-of-the-output": {"copy_out": lambda port, target, *rest: port.copy_out(target[:, :3], *rest)},
    "null-stream": {"stream": lambda port: 0},
    "stream-of-its-own-each": {
        "copy_out": lambda port, target, address, _: port.copy_out(target, address, port.stream())
    },
    "memory-freed-at-once": {"alloc": _freed},
}


def argument(index: int, change: Callable[[Any], Any]) -> Patch:
    """The kernel gets another argument."""

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        right = lane.Feed.arguments

        def wrong(self: Any, *addresses: int) -> tuple[int | float, ...]:
            made = list(right(self, *addresses))
            made[index] = change(made[index])
            return tuple(made)

        monkeypatch.setattr(lane.Feed, "arguments", wrong)

    return patch


def method(name: str, wrong: Callable[..., Any]) -> Patch:
    """The lane does one step in another way; `wrong` gets the right one first."""

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        right = getattr(Lane, name)
        monkeypatch.setattr(Lane, name, lambda self, *arguments: wrong(right, self, *arguments))

    return patch


def _other_slot(right: Any, self: Any, form: Any, slot: Any) -> None:
    """The copy goes into the neighbour's output."""
    right(self, form, self._slots[(slot.index + 1) % len(self._slots)])


def _first_event(right: Any, self: Any, slot: Any, *rest: Any) -> None:
    """Every output is taken when the first slot's event has happened."""
    event, slot.event = slot.event, self._slots[0].event
    try:
        right(self, slot, *rest)
    finally:
        slot.event = event


def _overwrite(right: Any, self: Any, slot: Any, grab: Any, spent: Any) -> None:
    """The pinned frame is written while the GPU may still read it."""
    right(self, slot, grab, spent)
    self._form(grab, slot).frames[slot.index].array[...] = 0


def _one_frame_buffer(right: Any, self: Any, key: Any) -> Any:
    form = right(self, key)
    form.frames[:] = [form.frames[0]] * len(form.frames)
    form.arguments[:] = [form.arguments[0]] * len(form.arguments)
    return form


def _one_output(right: Any, self: Any, trt: Any, slots: int) -> None:
    right(self, trt, slots)
    for slot in self._slots:
        slot.output = self._slots[0].output


def _no_execute(right: Any, self: Any) -> None:
    """The engine is never started."""


LANE: dict[str, Patch] = {
    "source-of-the-other-slot": argument(0, lambda source: source + 4096),
    "stride-off-by-one": argument(1, lambda stride: stride + 1),
    "target-one-row-down": argument(2, lambda target: target + 256),
    "scale-1/256": argument(12, lambda scale: 1 / 256),
    "pad-black": argument(11, lambda pad: 0),
    "channels-swapped": argument(13, lambda rgb: 1 - rgb),
    "left-off-by-one": argument(7, lambda left: left + 1),
    "output-of-the-other-slot": method("_enqueue", _other_slot),
    "waits-for-the-other-slots-event": method("_finish", _first_event),
    "frame-overwritten-too-early": method("_start", _overwrite),
    "one-frame-buffer-for-all-slots": method("_make_form", _one_frame_buffer),
    "one-output-for-all-slots": method("_allocate", _one_output),
    "engine-not-started": method("_execute", _no_execute),
    "context-leaked": method("_let_go", nothing),
    "memory-leaked": method("_free_forms", nothing),
    "graphs-leaked": method("_free_graphs", nothing),
}


def found(rig: Rig, spec: ModelSpec, graph: bool) -> bool:
    """Whether the comparison, an error, a leak or the driver's counters show that something is wrong."""
    frames = [noise(seed, *size) for seed, size in enumerate([(96, 72)] * 3 + [(40, 90)] * 3)]
    expected = reference(spec, frames)
    living = rig.gpu.living()
    try:
        with rig.opened(spec, Limits(slots=2, timeout_s=10, graph=graph)) as detector:
            for _ in range(2):
                assert_same(detector.detect(frames), expected)
    except (DetectorError, AssertionError):
        return True
    counted = any(rig.gpu.stat(name) for name in MISTAKES)
    return counted or bool(rig.trt.pretend.mistakes) or rig.gpu.living() != living


@pytest.fixture(scope="module", autouse=True)
def frozen_heap() -> None:
    """The fixture `gpu` collects garbage after each of these tests; the libraries' objects need not be looked at."""
    gc.freeze()


@pytest.fixture
def rig(gpu: PretendGpu) -> Iterator[Rig]:
    gpu.set(integrated=0)
    made = Rig(gpu, load_trt("10.3.0"))
    gpu.allow("leaks", *MISTAKES)
    return made


@pytest.mark.parametrize("graph", [True, False], ids=["graph", "plain"])
def test_without_a_mutation_nothing_is_found(rig: Rig, graph: bool, tmp_path: Path) -> None:
    """Else all of the following would pass."""
    assert not found(rig, live_spec(tmp_path), graph)


@pytest.mark.parametrize("name", PORT)
def test_a_driver_call_that_is_missing_or_wrong(rig: Rig, name: str, tmp_path: Path) -> None:
    rig.open_port = lambda: Altered(rig.gpu.open_port(), **PORT[name])  # type: ignore[method-assign, assignment, return-value]  # the mutation
    assert found(rig, live_spec(tmp_path), graph="graph" in name)


@pytest.mark.parametrize("name", LANE)
def test_a_step_that_is_missing_or_wrong(rig: Rig, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    LANE[name](monkeypatch)
    assert found(rig, live_spec(tmp_path), graph="graph" in name)


def test_an_engine_that_gets_the_stream_as_an_object(rig: Rig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """pybind11 refuses it; ctypes and pycuda have such objects."""

    def wrong(self: Any) -> None:
        self._context.execute_async_v3(np.int64(self._stream))

    monkeypatch.setattr(Lane, "_execute", wrong)
    assert found(rig, live_spec(tmp_path), graph=False)
