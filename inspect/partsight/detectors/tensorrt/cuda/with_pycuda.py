"""CUDA by pycuda: the named package of this backend.

Never `pycuda.autoinit` (it makes a second context; TensorRT uses the primary one) and never `SourceModule` (it needs a
compiler on the device). pycuda has no graphs: those calls go to the driver directly, on pycuda's own stream handles.
Importing this module loads libcuda.so.1: `choose` does, after the driver was probed.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
import pycuda.driver as cuda
from pycuda import _pvt_struct  # its own copy of `struct`: the only name of the error that its packing raises

from partsight.detectors.tensorrt.cuda import libcuda
from partsight.detectors.tensorrt.cuda.port import CudaError, DeviceFacts, Pinned, check_array

NON_BLOCKING = 1

Call = TypeVar("Call", bound=Callable[..., Any])


def _translated(method: Call) -> Call:
    """pycuda's errors become CudaError, here and nowhere else."""

    @functools.wraps(method)
    def translated(self: PycudaPort, *arguments: Any, **named: Any) -> Any:
        try:
            return method(self, *arguments, **named)
        except cuda.Error as problem:
            raise self._error(str(problem)) from problem

    return cast(Call, translated)


class PycudaPort:
    """`CudaPort` by pycuda. Raises CudaError, BackendUnavailable for a GPU or driver that does not fit."""

    package = "pycuda"

    def __init__(self, device: int = 0) -> None:
        self._library = libcuda.load()
        libcuda.check_driver(libcuda.driver_version(self._library))
        self._texts = libcuda.error_texts(self._library)
        libcuda.call(self._library, "cuInit", 0)
        self._facts = libcuda.device_facts(self._library, device)
        self._memory: dict[int, Any] = {}
        self._streams: dict[int, Any] = {}
        self._events: dict[int, Any] = {}
        self._next_event = 1
        self._modules: dict[bytes, Any] = {}
        self._kernels: dict[int, Any] = {}
        self._context: Any = self._retain(device)

    @_translated
    def _retain(self, device: int) -> Any:
        cuda.init()
        return cuda.Device(device).retain_primary_context()

    def _error(self, message: str) -> CudaError:
        # "cuMemAlloc failed: out of memory": the call, and the driver's text for the code.
        name, _, text = message.partition(" failed: ")
        code, title = self._texts.get(text.split(" - ")[0].strip(), (0, text))
        return CudaError(name, code, title)

    @property
    def facts(self) -> DeviceFacts:
        """The GPU, read at opening."""
        return self._facts

    @_translated
    def push(self) -> None:
        """Make the context this thread's."""
        self._context.push()

    @_translated
    def pop(self) -> None:
        """Take it away again."""
        cuda.Context.pop()

    @_translated
    def alloc(self, nbytes: int) -> int:
        """Device memory; its address."""
        memory = cuda.mem_alloc(nbytes)
        self._memory[int(memory)] = memory
        return int(memory)

    @_translated
    def free(self, address: int) -> None:
        """Give device memory back."""
        _known(self._memory, address, "cuMemFree").free()
        del self._memory[address]

    @_translated
    def pinned(self, shape: Sequence[int], dtype: np.dtype[Any], *, mapped: bool = False) -> Pinned:
        """Host memory for asynchronous copies; mapped: the GPU reads and writes it without a copy."""
        flags = cuda.host_alloc_flags.DEVICEMAP if mapped else 0
        array = cuda.pagelocked_empty(tuple(shape), dtype, mem_flags=flags)
        owner = array.base
        return Pinned(array, int(owner.get_device_pointer()) if mapped else None, owner)

    @_translated
    def free_pinned(self, memory: Pinned) -> None:
        """Give host memory back; its array must not be touched again."""
        memory.owner.free()

    @_translated
    def copy_in(self, address: int, source: npt.NDArray[Any], stream: int) -> None:
        """Pinned host array to device memory, in stream order."""
        check_array(source, "cuMemcpyHtoDAsync", written=False)
        cuda.memcpy_htod_async(address, source, self._stream(stream))

    @_translated
    def copy_out(self, target: npt.NDArray[Any], address: int, stream: int) -> None:
        """Device memory to a pinned host array, in stream order."""
        check_array(target, "cuMemcpyDtoHAsync", written=True)
        cuda.memcpy_dtoh_async(target, address, self._stream(stream))

    @_translated
    def stream(self) -> int:
        """A new non-blocking stream, never the null stream."""
        stream = cuda.Stream(NON_BLOCKING)
        self._streams[int(stream.handle)] = stream
        return int(stream.handle)

    def _stream(self, handle: int) -> Any:
        return _known(self._streams, handle, "stream")

    def free_stream(self, stream: int) -> None:
        """End a stream that is idle."""
        self._stream(stream)
        # pycuda ends it with the object.
        del self._streams[stream]

    @_translated
    def synchronize(self, stream: int) -> None:
        """Wait until all that was put into the stream is done."""
        self._stream(stream).synchronize()

    @_translated
    def event(self) -> int:
        """A new event without timing."""
        # pycuda tells no handle of an event's, so it has a number of ours.
        number, self._next_event = self._next_event, self._next_event + 1
        self._events[number] = cuda.Event(cuda.event_flags.DISABLE_TIMING)
        return number

    def free_event(self, event: int) -> None:
        """End an event."""
        _known(self._events, event, "event")
        del self._events[event]

    @_translated
    def record(self, event: int, stream: int) -> None:
        """The event happens when all put into the stream so far is done."""
        _known(self._events, event, "event").record(self._stream(stream))

    @_translated
    def wait(self, event: int) -> None:
        """Block until the event happened. Raises what a kernel before it did wrong."""
        _known(self._events, event, "event").synchronize()

    @_translated
    def done(self, event: int) -> bool:
        """Whether the event happened."""
        return bool(_known(self._events, event, "event").query())

    @_translated
    def kernel(self, module: bytes, name: str, signature: str) -> int:
        """A function of a module (PTX text). signature: a letter an argument, as `struct` has them: P, i, f."""
        if module not in self._modules:
            self._modules[module] = cuda.module_from_buffer(module)
        function = self._modules[module].get_function(name)
        function.prepare(signature)
        self._kernels[len(self._kernels) + 1] = function
        return len(self._kernels)

    @_translated
    def launch(
        self, kernel: int, grid: Sequence[int], block: Sequence[int], stream: int, arguments: Sequence[Any]
    ) -> None:
        """Put a kernel into the stream; arguments as its signature says."""
        function = _known(self._kernels, kernel, "cuLaunchKernel")
        try:
            function.prepared_async_call(tuple(grid), tuple(block), self._stream(stream), *arguments)
        except _pvt_struct.error as problem:
            raise CudaError("cuLaunchKernel", 1, f"arguments are not the kernel's: {problem}") from problem

    def capture(self, stream: int, work: Callable[[], None]) -> int:
        """What `work` puts into the stream as an executable graph."""
        self._stream(stream)
        return libcuda.capture(self._library, stream, work)

    def launch_graph(self, graph: int, stream: int) -> None:
        """Put a graph into the stream."""
        libcuda.launch_graph(self._library, graph, stream)

    def free_graph(self, graph: int) -> None:
        """End a graph."""
        libcuda.free_graph(self._library, graph)

    def close(self) -> None:
        """Let go of the primary context. Never raises."""
        if self._context is None:
            return
        context, self._context = self._context, None
        # A lost device refuses some of this: nothing is left to save then.
        with contextlib.suppress(cuda.Error):
            context.push()
            for kept in (self._kernels, self._modules, self._events, self._streams, self._memory):
                kept.clear()
        # pycuda lets go of a context in any thread only while it is current. It then takes it off its own stack, but
        # not off the driver's.
        with contextlib.suppress(cuda.Error):
            context.detach()
            self._library.cuCtxPopCurrent_v2(None)


def _known(table: dict[int, Any], key: int, call: str) -> Any:
    try:
        return table[key]
    except KeyError:
        raise CudaError(call, 400, "CUDA_ERROR_INVALID_HANDLE") from None
