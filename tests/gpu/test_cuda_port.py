"""Both CUDA packages keep the port's promises on the pretend driver: eager, and deferred, where nothing is early."""

from __future__ import annotations

import struct
import threading
from typing import Any

import numpy as np
import pytest
from tests.gpu.pretend.gpu import PretendGpu

from partsight.detectors.tensorrt.cuda.port import CudaError, CudaPort

# A kernel that only the pretend driver has: target[i] = source[i] + value for i < count.
ADD = b".version 8.2\n.target sm_75\n.entry add_bytes(\n\0"
ADD_SIGNATURE = "PPii"
BYTE = np.dtype(np.uint8)


def add(port: CudaPort) -> int:
    return port.kernel(ADD, "add_bytes", ADD_SIGNATURE)


def test_facts_are_the_drivers(gpu: PretendGpu) -> None:
    with gpu.opened() as port:
        facts = port.facts
    assert port.package == gpu.package
    assert (facts.name, facts.compute_capability, facts.sm_count) == ("Orin (pretend)", (8, 7), 8)
    assert (facts.integrated, facts.driver_version, facts.total_bytes) == (True, 12060, 8 << 30)
    assert facts.uuid == "GPU-07070707-0707-0707-0707-070707070707"
    gpu.set(integrated=0)
    with gpu.opened() as port:
        assert not port.facts.integrated


def test_bytes_go_through_the_gpu(gpu: PretendGpu) -> None:
    """Pinned memory, copy, kernel, copy back, in one stream; read after the event."""
    rng = np.random.default_rng(0)
    with gpu.opened() as port:
        source, result = (port.pinned((3, 5), BYTE) for _ in range(2))
        assert source.device is None
        there, here = port.alloc(15), port.alloc(15)
        stream, event, kernel = port.stream(), port.event(), add(port)
        for _ in range(3):
            source.array[...] = rng.integers(0, 200, (3, 5))
            port.copy_in(there, source.array, stream)
            port.launch(kernel, (1, 1, 1), (32, 1, 1), stream, (here, there, 15, 7))
            port.copy_out(result.array, here, stream)
            port.record(event, stream)
            port.wait(event)
            assert port.done(event)
            assert (result.array == source.array + 7).all()
        free(port, stream=[stream], event=[event], pinned=[source, result], memory=[there, here])


def free(
    port: CudaPort, *, stream: Any = (), event: Any = (), pinned: Any = (), memory: Any = (), graph: Any = ()
) -> None:
    for one in stream:
        port.synchronize(one)
    for one in graph:
        port.free_graph(one)
    for one in event:
        port.free_event(one)
    for one in pinned:
        port.free_pinned(one)
    for one in memory:
        port.free(one)
    for one in stream:
        port.free_stream(one)


@pytest.mark.gpu_variants("pycuda+deferred", "cuda-bindings+deferred")
def test_nothing_is_done_before_somebody_waits(gpu: PretendGpu) -> None:
    """That the deferred driver is one: without it, no test could see a missing wait."""
    with gpu.opened() as port:
        source, result = port.pinned((4,), BYTE), port.pinned((4,), BYTE)
        memory, stream = port.alloc(4), port.stream()
        source.array[...], result.array[...] = 9, 0
        port.copy_in(memory, source.array, stream)
        port.copy_out(result.array, memory, stream)
        assert (result.array == 0).all()
        assert gpu.stat("queued") == 2
        port.synchronize(stream)
        assert (result.array == 9).all()
        free(port, stream=[stream], pinned=[source, result], memory=[memory])


def test_mapped_memory_needs_no_copy(gpu: PretendGpu) -> None:
    with gpu.opened() as port:
        source, result = port.pinned((8,), BYTE, mapped=True), port.pinned((8,), BYTE, mapped=True)
        assert source.device is not None
        stream = port.stream()
        source.array[...] = range(8)
        port.launch(add(port), (1, 1, 1), (8, 1, 1), stream, (result.device, source.device, 8, 1))
        port.synchronize(stream)
        assert list(result.array) == list(range(1, 9))
        free(port, stream=[stream], pinned=[source, result])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.uint8])
def test_pinned_memory_has_shape_and_type(gpu: PretendGpu, dtype: Any) -> None:
    with gpu.opened() as port:
        memory = port.pinned((2, 3, 4), np.dtype(dtype))
        assert (memory.array.shape, memory.array.dtype) == ((2, 3, 4), np.dtype(dtype))
        assert memory.array.flags.c_contiguous
        assert memory.array.flags.writeable
        port.free_pinned(memory)


def test_done_asks_and_does_not_wait(gpu: PretendGpu) -> None:
    with gpu.opened() as port:
        memory, stream, event = port.pinned((4,), BYTE), port.stream(), port.event()
        device = port.alloc(4)
        assert port.done(event)
        gpu.set(hang=1)
        port.copy_in(device, memory.array, stream)
        port.record(event, stream)
        assert not port.done(event)
        assert not port.done(event)
        gpu.set(hang=0)
        asked = 0
        while not port.done(event):
            asked += 1
            assert asked < 10
        free(port, stream=[stream], event=[event], pinned=[memory], memory=[device])


def test_a_graph_does_again_what_was_captured(gpu: PretendGpu) -> None:
    with gpu.opened() as port:
        source, result = port.pinned((4,), BYTE, mapped=True), port.pinned((4,), BYTE)
        device, stream, kernel, event = port.alloc(4), port.stream(), add(port), port.event()

        def work() -> None:
            port.launch(kernel, (1, 1, 1), (4, 1, 1), stream, (device, source.device, 4, 1))
            port.copy_out(result.array, device, stream)

        result.array[...] = 0
        graph = port.capture(stream, work)
        port.synchronize(stream)
        assert (result.array == 0).all(), "capturing does nothing yet"
        for value in (3, 50):
            source.array[...] = value
            port.launch_graph(graph, stream)
            port.record(event, stream)
            port.wait(event)
            assert (result.array == value + 1).all()
        assert gpu.stat("graph_launches") == 2
        free(port, stream=[stream], event=[event], pinned=[source, result], memory=[device], graph=[graph])


def test_a_wait_inside_a_capture_is_an_error_and_the_stream_works_on(gpu: PretendGpu) -> None:
    gpu.allow("unsafe_in_capture")
    with gpu.opened() as port:
        memory, stream = port.pinned((4,), BYTE), port.stream()
        device = port.alloc(4)
        with pytest.raises(CudaError, match="CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED") as raised:
            port.capture(stream, lambda: port.synchronize(stream))
        assert raised.value.code == 900
        port.copy_in(device, memory.array, stream)
        port.synchronize(stream)
        free(port, stream=[stream], pinned=[memory], memory=[device])


def test_what_the_captured_work_raises_comes_out(gpu: PretendGpu) -> None:
    def broken() -> None:
        raise ValueError("not the GPU's fault")

    with gpu.opened() as port:
        stream = port.stream()
        with pytest.raises(ValueError, match="not the GPU's fault"):
            port.capture(stream, broken)
        port.synchronize(stream)
        free(port, stream=[stream])


@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_refused_capture_is_a_cuda_error(gpu: PretendGpu, step: int) -> None:
    """At the begin, at the end, or when the graph is made executable; plain launches still work."""
    with gpu.opened() as port:
        memory, stream = port.pinned((4,), BYTE), port.stream()
        device = port.alloc(4)
        gpu.set(refuse_capture=step)
        with pytest.raises(CudaError):
            port.capture(stream, lambda: port.copy_in(device, memory.array, stream))
        port.copy_in(device, memory.array, stream)
        port.synchronize(stream)
        free(port, stream=[stream], pinned=[memory], memory=[device])


@pytest.mark.parametrize("at", [1, 2, 3])
def test_out_of_memory_has_its_name(gpu: PretendGpu, at: int) -> None:
    with gpu.opened() as port:
        gpu.set(oom_at=at)
        got = [port.alloc(100) for _ in range(at - 1)]
        with pytest.raises(CudaError) as raised:
            port.alloc(100)
        assert (raised.value.code, raised.value.name) == (2, "CUDA_ERROR_OUT_OF_MEMORY")
        assert raised.value.call.startswith("cuMemAlloc")
        with pytest.raises(CudaError) as raised:
            port.pinned((10,), BYTE)
        assert raised.value.name == "CUDA_ERROR_OUT_OF_MEMORY"
        free(port, memory=got)


def test_a_lost_device_answers_every_call_with_an_error_and_closes(gpu: PretendGpu) -> None:
    gpu.allow("leaks")
    port = gpu.open_port()
    port.push()
    memory, stream, event = port.pinned((4,), BYTE), port.stream(), port.event()
    device, kernel = port.alloc(4), add(port)
    gpu.set(lost=999)
    calls = [
        lambda: port.alloc(4),
        lambda: port.pinned((4,), BYTE),
        lambda: port.copy_in(device, memory.array, stream),
        lambda: port.copy_out(memory.array, device, stream),
        lambda: port.launch(kernel, (1, 1, 1), (4, 1, 1), stream, (device, device, 4, 1)),
        lambda: port.record(event, stream),
        lambda: port.wait(event),
        lambda: port.done(event),
        lambda: port.synchronize(stream),
        lambda: port.capture(stream, lambda: None),
        port.stream,
        port.event,
    ]
    for call in calls:
        with pytest.raises(CudaError) as raised:
            call()
        assert (raised.value.code, raised.value.name) == (999, "CUDA_ERROR_UNKNOWN")
    port.pop()
    port.close()
    port.close()


def test_a_hung_gpu_blocks_only_who_waits(gpu: PretendGpu, wait_until: Any) -> None:
    """Another thread goes on, and the one that waits comes back when the GPU does."""
    finished = threading.Event()

    def work() -> None:
        with gpu.opened() as port:
            memory, stream, event = port.pinned((4,), BYTE), port.stream(), port.event()
            device = port.alloc(4)
            gpu.set(hang=1)
            port.copy_in(device, memory.array, stream)
            port.record(event, stream)
            started.set()
            port.wait(event)
            finished.set()
            free(port, stream=[stream], event=[event], pinned=[memory], memory=[device])

    started = threading.Event()
    thread = threading.Thread(target=work)
    thread.start()
    assert started.wait(10)
    assert not finished.wait(0.05)
    gpu.set(hang=0)
    assert finished.wait(10)
    thread.join(10)
    assert not thread.is_alive()


def test_a_thread_without_the_context_is_refused(gpu: PretendGpu) -> None:
    gpu.allow("no_context")
    errors: list[CudaError] = []
    with gpu.opened() as port:

        def work() -> None:
            try:
                port.alloc(16)
            except CudaError as problem:
                errors.append(problem)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join(10)
    assert [error.name for error in errors] == ["CUDA_ERROR_INVALID_CONTEXT"]


def test_the_context_moves_between_threads_by_pop_and_push(gpu: PretendGpu) -> None:
    port = gpu.open_port()
    port.push()
    address = port.alloc(16)
    port.pop()
    done = threading.Event()

    def work() -> None:
        port.push()
        port.free(address)
        port.pop()
        port.close()
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(10)
    assert done.is_set()


def test_two_ports_share_the_primary_context(gpu: PretendGpu) -> None:
    """TensorRT uses the primary one: memory of one port is good in the other's stream."""
    with gpu.opened() as first, gpu.opened() as second:
        memory, result = first.pinned((4,), BYTE), first.pinned((4,), BYTE)
        device, stream = first.alloc(4), second.stream()
        memory.array[...] = 5
        second.copy_in(device, memory.array, stream)
        second.copy_out(result.array, device, stream)
        second.synchronize(stream)
        assert (result.array == 5).all()
        free(second, stream=[stream])
        free(first, pinned=[memory, result], memory=[device])


def test_handles_are_plain_integers(gpu: PretendGpu) -> None:
    """As TensorRT takes them; a stream is never the null stream."""
    with gpu.opened() as port:
        stream, address = port.stream(), port.alloc(64)
        assert type(stream) is int
        assert stream > 2
        assert type(address) is int
        assert address % 256 == 0
        free(port, stream=[stream], memory=[address])


def test_an_array_that_is_not_contiguous_is_refused(gpu: PretendGpu) -> None:
    with gpu.opened() as port:
        memory, stream, device = port.pinned((4, 4), BYTE), port.stream(), port.alloc(16)
        for broken in (memory.array[:, ::2], memory.array.T):
            with pytest.raises((CudaError, ValueError)):
                port.copy_in(device, broken, stream)
            with pytest.raises((CudaError, ValueError)):
                port.copy_out(broken, device, stream)
        free(port, stream=[stream], pinned=[memory], memory=[device])


def test_a_kernel_that_is_not_there_has_an_error(gpu: PretendGpu) -> None:
    with gpu.opened() as port:
        with pytest.raises(CudaError, match="CUDA_ERROR_NOT_FOUND"):
            port.kernel(ADD, "subtract_bytes", ADD_SIGNATURE)
        with pytest.raises(CudaError, match="CUDA_ERROR_INVALID_PTX"):
            port.kernel(b"not PTX\0", "add_bytes", ADD_SIGNATURE)


def test_ptx_that_the_driver_or_the_gpu_cannot_take_is_refused(gpu: PretendGpu) -> None:
    with gpu.opened() as port:
        for text, name in ((b".version 8.5", "UNSUPPORTED_PTX_VERSION"), (b".target sm_90", "NO_BINARY_FOR_GPU")):
            what, _, _ = text.partition(b" ")
            old = ADD[ADD.index(what) : ADD.index(b"\n", ADD.index(what))]
            gpu.set(version=12020, capability=87)
            with pytest.raises(CudaError, match=name):
                port.kernel(ADD.replace(old, text), "add_bytes", ADD_SIGNATURE)


def test_wrong_arguments_are_refused_before_they_reach_the_gpu(gpu: PretendGpu) -> None:
    with gpu.opened() as port:
        stream, kernel = port.stream(), add(port)
        for arguments in ((1, 2, 3), (1, 2, 3, 4, 5), (1, 2, 3, "4"), (1, 2, 3, 1 << 40)):
            with pytest.raises(CudaError):
                port.launch(kernel, (1, 1, 1), (1, 1, 1), stream, arguments)
        free(port, stream=[stream])


def test_a_kernels_fault_comes_out_at_the_wait_and_stays(gpu: PretendGpu) -> None:
    """An illegal address ends the context: each later call says so."""
    gpu.allow("leaks", "illegal_address")
    port = gpu.open_port()
    port.push()
    stream, kernel, small = port.stream(), add(port), port.alloc(16)
    port.launch(kernel, (1, 1, 1), (64, 1, 1), stream, (small, small, 64, 1))
    with pytest.raises(CudaError, match="CUDA_ERROR_ILLEGAL_ADDRESS"):
        port.synchronize(stream)
    with pytest.raises(CudaError, match="CUDA_ERROR_ILLEGAL_ADDRESS"):
        port.alloc(16)
    port.pop()
    port.close()


def test_the_buffer_is_laid_out_as_the_kernel_wants_it(gpu: PretendGpu) -> None:
    """Two pointers, two ints: no padding; an int before a pointer: padding. Both as g++ and nvcc lay them out."""
    assert struct.calcsize("@iP") == 16
    gpu.allow("bad_argsize")
    with gpu.opened() as port:
        stream = port.stream()
        wrong = port.kernel(ADD, "add_bytes", "PPi")
        with pytest.raises(CudaError, match="CUDA_ERROR_INVALID_VALUE"):
            port.launch(wrong, (1, 1, 1), (1, 1, 1), stream, (1, 2, 3))
        assert gpu.stat("bad_argsize") == 1
        free(port, stream=[stream])
