"""What the pretend driver is for: each mistake that a GPU program can make is found, or these tests have gone blind.

Each test is a small program with one mistake, which some GPUs would let pass most of the time. Mistakes in order show
in deferred mode only, which is why these run in it.
"""

from __future__ import annotations

import ctypes
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from tests.gpu.pretend.gpu import PretendGpu
from tests.gpu.test_kernel import BYTE, F32, grab, model, on_cpu

from partsight.detectors.tensorrt import preprocess
from partsight.detectors.tensorrt.cuda.port import CudaError, CudaPort, Pinned
from partsight.domain.frame import PixelFormat

pytestmark = pytest.mark.gpu_variants("pycuda+deferred", "cuda-bindings+deferred")
SPEC = model(32, 24)
FRAME = grab((40, 30), PixelFormat.BGR8)


@dataclass(slots=True)
class Bench:
    """All that one frame needs on the GPU, as the runner has it: copied in, or mapped."""

    port: CudaPort
    stream: int
    frame: Pinned
    result: Pinned
    device_frame: int
    target: int
    tables: tuple[int, int]
    kernel: int
    feed: preprocess.Feed
    pinned: list[Pinned]

    def arguments(self) -> tuple[int | float, ...]:
        return self.feed.arguments(self.device_frame, self.frame.array.strides[0], self.target, *self.tables)

    def launch(self, arguments: Any = None, block: Any = preprocess.BLOCK) -> None:
        self.port.launch(self.kernel, self.feed.grid, block, self.stream, arguments or self.arguments())

    def run(self, arguments: Any) -> None:
        """Kernel, copy out and wait: an illegal address comes out at any of them."""
        self.launch(arguments)
        self.copy_out()
        self.port.synchronize(self.stream)

    def copy_in(self) -> None:
        self.port.copy_in(self.device_frame, self.frame.array, self.stream)

    def copy_out(self) -> None:
        self.port.copy_out(self.result.array, self.target, self.stream)

    def right(self) -> bool:
        return np.array_equal(self.result.array, on_cpu(FRAME, SPEC, F32))


def built(port: CudaPort) -> Bench:
    feed = preprocess.feed(FRAME.size, FRAME.format, SPEC, F32)
    stream = port.stream()
    frame, result = port.pinned(feed.frame_shape, BYTE), port.pinned((3, SPEC.height, SPEC.width), F32)
    columns, rows = (port.pinned(table.shape, table.dtype) for table in (feed.columns, feed.rows))
    device = [port.alloc(memory.array.nbytes) for memory in (frame, result, columns, rows)]
    columns.array[...], rows.array[...] = feed.columns, feed.rows
    for address, memory in zip(device[2:], (columns, rows), strict=True):
        port.copy_in(address, memory.array, stream)
    port.synchronize(stream)
    preprocess.stage(FRAME, frame.array)
    result.array[...] = -1
    kernel = port.kernel(preprocess.kernel_module(), feed.kernel, preprocess.SIGNATURE)
    pinned = [frame, result, columns, rows]
    return Bench(port, stream, frame, result, device[0], device[1], (device[2], device[3]), kernel, feed, pinned)


@pytest.fixture
def bench(gpu: PretendGpu) -> Iterator[Bench]:
    """Made right; taken down in the right order, unless the device is lost by then."""
    port = gpu.open_port()
    port.push()
    made = built(port)
    yield made
    if not gpu.allows_leaks:
        port.synchronize(made.stream)
        for memory in made.pinned:
            port.free_pinned(memory)
        for address in (made.device_frame, made.target, *made.tables):
            port.free(address)
        port.free_stream(made.stream)
    port.pop()
    port.close()


def test_without_a_mistake_the_picture_is_right(bench: Bench) -> None:
    """Or none of the tests below would mean anything."""
    for _ in range(2):
        bench.result.array[...] = -1
        bench.copy_in()
        bench.launch()
        bench.copy_out()
        bench.port.synchronize(bench.stream)
        assert bench.right()


def test_a_missing_wait(bench: Bench) -> None:
    bench.copy_in()
    bench.launch()
    bench.copy_out()
    assert not bench.right()
    assert (bench.result.array == -1).all()


def test_an_event_recorded_too_early(bench: Bench) -> None:
    event = bench.port.event()
    bench.copy_in()
    bench.launch()
    bench.port.record(event, bench.stream)
    bench.copy_out()
    bench.port.wait(event)
    assert not bench.right()
    bench.port.synchronize(bench.stream)
    assert bench.right()
    bench.port.free_event(event)


def test_an_event_that_was_never_recorded(bench: Bench) -> None:
    event = bench.port.event()
    bench.copy_in()
    bench.launch()
    bench.copy_out()
    bench.port.wait(event)
    assert not bench.right()
    bench.port.free_event(event)


def test_a_wait_for_another_stream(bench: Bench) -> None:
    other = bench.port.stream()
    bench.copy_in()
    bench.launch()
    bench.copy_out()
    bench.port.synchronize(other)
    assert not bench.right()
    bench.port.free_stream(other)


def test_a_pinned_frame_that_is_overwritten_too_early(bench: Bench) -> None:
    bench.copy_in()
    bench.launch()
    bench.copy_out()
    bench.frame.array[...] = 0
    bench.port.synchronize(bench.stream)
    assert not bench.right()


def test_work_of_one_frame_in_two_streams(bench: Bench) -> None:
    """Nothing orders the copy behind the kernel."""
    other = bench.port.stream()
    bench.copy_in()
    bench.launch()
    bench.port.copy_out(bench.result.array, bench.target, other)
    bench.port.synchronize(other)
    bench.port.synchronize(bench.stream)
    assert not bench.right()
    bench.port.free_stream(other)


def test_a_missing_copy_in(bench: Bench) -> None:
    bench.launch()
    bench.copy_out()
    bench.port.synchronize(bench.stream)
    assert not bench.right()


def test_a_missing_copy_out(bench: Bench) -> None:
    bench.copy_in()
    bench.launch()
    bench.port.synchronize(bench.stream)
    assert (bench.result.array == -1).all()


def changed(bench: Bench, **changes: Any) -> list[Any]:
    names = (
        "source stride target width height scaled_w scaled_h left top columns rows pad scale rgb frame_w frame_h red"
    )
    arguments = list(bench.arguments())
    for name, change in changes.items():
        at = names.split().index(name)
        arguments[at] = change(arguments[at])
    return arguments


WRONG: dict[str, Callable[[Bench], list[Any]]] = {
    "scale of 1/256": lambda bench: changed(bench, scale=lambda _: 1 / 256),
    "the wrong colour order": lambda bench: changed(bench, rgb=lambda value: 1 - value),
    "one row too low": lambda bench: changed(bench, top=lambda value: value + 1),
    "another pad": lambda bench: changed(bench, top=lambda _: 3, pad=lambda value: value + 1, scaled_h=lambda _: 18),
    "a stride without its last pixel": lambda bench: changed(bench, stride=lambda value: value - 3),
    "a frame that begins 4 bytes later": lambda bench: changed(bench, source=lambda value: value + 4),
    "columns and rows exchanged": lambda bench: changed(
        bench, columns=lambda _: bench.tables[1], rows=lambda _: bench.tables[0]
    ),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_a_wrong_argument(bench: Bench, gpu: PretendGpu, mistake: str) -> None:
    """Another picture, or an illegal address; never the right one."""
    gpu.allow("illegal_address", "leaks")
    bench.copy_in()
    illegal = ""
    try:
        bench.run(WRONG[mistake](bench))
    except CudaError as problem:
        illegal = problem.name
    assert illegal == "CUDA_ERROR_ILLEGAL_ADDRESS" or not bench.right()


def test_a_target_that_begins_4_bytes_later_runs_over_its_end(bench: Bench, gpu: PretendGpu) -> None:
    gpu.allow("illegal_address", "leaks")
    with pytest.raises(CudaError, match="CUDA_ERROR_ILLEGAL_ADDRESS"):
        bench.run(changed(bench, target=lambda value: value + 4))


def test_a_host_pointer_in_place_of_a_devices(bench: Bench, gpu: PretendGpu) -> None:
    """Memory that was given back: nobody's any more."""
    gpu.allow("illegal_address", "leaks")
    gone = bench.port.alloc(1 << 16)
    bench.port.free(gone)
    with pytest.raises(CudaError, match="CUDA_ERROR_ILLEGAL_ADDRESS"):
        bench.run(changed(bench, target=lambda _: gone))


def test_a_missing_argument(bench: Bench, gpu: PretendGpu) -> None:
    gpu.allow("bad_argsize")
    kernel = bench.port.kernel(preprocess.kernel_module(), bench.feed.kernel, preprocess.SIGNATURE[:-1])
    with pytest.raises(CudaError, match="CUDA_ERROR_INVALID_VALUE"):
        bench.port.launch(kernel, (1, 1, 1), (1, 1, 1), bench.stream, bench.arguments()[:-1])
    assert gpu.mistakes() == {}
    assert gpu.stat("bad_argsize") == 1


def test_a_block_that_is_too_big(bench: Bench) -> None:
    with pytest.raises(CudaError, match="CUDA_ERROR_INVALID_VALUE"):
        bench.launch(block=(64, 32, 1))


def test_a_copy_that_is_larger_than_its_memory(bench: Bench, gpu: PretendGpu) -> None:
    gpu.allow("bad_range")
    small = bench.port.alloc(bench.frame.array.nbytes - 1)
    with pytest.raises(CudaError, match="CUDA_ERROR_INVALID_VALUE"):
        bench.port.copy_in(small, bench.frame.array, bench.stream)
    assert gpu.stat("bad_range") == 1
    bench.port.free(small)


def test_an_asynchronous_copy_of_pageable_memory(bench: Bench, gpu: PretendGpu) -> None:
    pageable = np.zeros_like(bench.frame.array)
    bench.port.copy_in(bench.device_frame, pageable, bench.stream)
    assert gpu.mistakes() == {"async_pageable": 1}
    gpu.allow("async_pageable")


def test_a_missing_push(gpu: PretendGpu) -> None:
    port = gpu.open_port()
    with pytest.raises(CudaError, match="CUDA_ERROR_INVALID_CONTEXT"):
        port.alloc(16)
    assert gpu.mistakes() == {"no_context": 1}
    gpu.allow("no_context")
    port.close()


def test_another_thread_without_a_push(bench: Bench, gpu: PretendGpu) -> None:
    problems: list[CudaError] = []

    def work() -> None:
        try:
            bench.copy_in()
        except CudaError as problem:
            problems.append(problem)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(10)
    assert [problem.code for problem in problems] == [201]
    gpu.allow("no_context")


def test_a_stream_object_in_place_of_its_number(bench: Bench) -> None:
    for wrong in (object(), "1", None):
        with pytest.raises((TypeError, ValueError, CudaError)):
            bench.port.copy_in(bench.device_frame, bench.frame.array, wrong)  # type: ignore[arg-type]


def test_work_in_the_null_stream(bench: Bench, gpu: PretendGpu) -> None:
    """It waits for all other streams. Neither package's port lets it through; past them the driver counts it."""
    for null in (0, 1, 2):
        with pytest.raises(CudaError, match="CUDA_ERROR_INVALID_HANDLE"):
            bench.port.copy_in(bench.device_frame, bench.frame.array, null)
    assert gpu.mistakes() == {}
    library, nothing = ctypes.CDLL("libcuda.so.1"), ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda _: None)
    assert library.cuLaunchHostFunc(None, nothing, None) == 0
    assert library.cuCtxSynchronize() == 0
    assert gpu.mistakes() == {"null_stream": 1}
    gpu.allow("null_stream")


@pytest.mark.parametrize("forbidden", ["synchronize", "wait", "alloc", "pinned", "free"])
def test_a_wait_or_an_allocation_inside_a_capture(bench: Bench, gpu: PretendGpu, forbidden: str) -> None:
    gpu.allow("unsafe_in_capture")
    port, event = bench.port, bench.port.event()
    spare = port.alloc(16)
    calls: dict[str, Callable[[], object]] = {
        "synchronize": lambda: port.synchronize(bench.stream),
        "wait": lambda: port.wait(event),
        "alloc": lambda: port.alloc(16),
        "pinned": lambda: port.pinned((4,), BYTE),
        "free": lambda: port.free(spare),
    }
    with pytest.raises(CudaError, match="CUDA_ERROR_STREAM_CAPTURE"):
        port.capture(bench.stream, lambda: calls[forbidden]() and None)
    port.free_event(event)
    if forbidden != "free" or gpu.package == "cuda-bindings":
        port.free(spare)
    else:
        gpu.allow("leaks")  # pycuda forgets memory that it could not give back


@pytest.mark.gpu_variants("cuda-bindings+deferred")
def test_a_graph_event_or_stream_that_is_gone(bench: Bench, gpu: PretendGpu) -> None:
    port = bench.port
    graph, event, stream = port.capture(bench.stream, bench.launch), port.event(), port.stream()
    port.free_graph(graph)
    port.free_event(event)
    port.free_stream(stream)
    for call in (
        lambda: port.launch_graph(graph, bench.stream),
        lambda: port.record(event, bench.stream),
        lambda: port.synchronize(stream),
        lambda: port.free_graph(graph),
    ):
        with pytest.raises(CudaError, match="CUDA_ERROR_INVALID_HANDLE"):
            call()
    assert gpu.mistakes() == {"dead_handle": 4}
    gpu.allow("dead_handle")


def test_memory_given_back_under_way(bench: Bench, gpu: PretendGpu) -> None:
    spare = bench.port.alloc(bench.frame.array.nbytes)
    bench.port.copy_in(spare, bench.frame.array, bench.stream)
    bench.port.free(spare)
    assert gpu.mistakes() == {"free_while_busy": 1}
    gpu.allow("free_while_busy")


def test_a_leak(gpu: PretendGpu) -> None:
    before = gpu.living()
    port = gpu.open_port()
    port.push()
    memory = port.alloc(16)
    assert gpu.living() == {**before, "live_device": before["live_device"] + 1, "primary": before["primary"] + 1}
    port.free(memory)
    port.pop()
    port.close()
    assert gpu.living() == before


@pytest.mark.gpu_variants("cuda-bindings+deferred")
def test_a_context_let_go_too_early(gpu: PretendGpu) -> None:
    port = gpu.open_port()
    port.push()
    port.alloc(16)
    port.pop()
    port.close()
    assert gpu.mistakes() == {"released_too_early": 1}
    gpu.allow("released_too_early")


def test_device_memory_that_the_host_reads_ends_the_process(
    on_pretend_gpu: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    """On a card it would be the same; on a Jetson it could go well by chance."""
    program = (
        "import ctypes; from partsight.detectors.tensorrt.cuda.choose import open_port\n"
        "port = open_port(); port.push(); address = port.alloc(16); print('before', flush=True)\n"
        "print(ctypes.string_at(address, 16))"
    )
    done = on_pretend_gpu("-c", program)
    assert "before" in done.stdout
    assert done.returncode == -11, done
