"""CUDA by NVIDIA's cuda-bindings: the second implementation, where pycuda cannot be had (it needs a compiler)."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt
from cuda.bindings import driver

from partsight.detectors.tensorrt.cuda import libcuda
from partsight.detectors.tensorrt.cuda.port import CudaError, DeviceFacts, Pinned, check_array

NON_BLOCKING, DISABLE_TIMING, DEVICEMAP = 1, 2, 2
NOT_READY = 600
INVALID_HANDLE = 400
LARGEST_SPECIAL_STREAM = 2  # CU_STREAM_LEGACY is 1, CU_STREAM_PER_THREAD 2
# cuda.h: CU_LAUNCH_PARAM_END, _BUFFER_POINTER and _BUFFER_SIZE.
PARAM_END, PARAM_POINTER, PARAM_SIZE = 0, 1, 2


class BindingsPort:
    """`CudaPort` by cuda-bindings. Raises CudaError, BackendUnavailable for a GPU or driver that does not fit."""

    package = "cuda-bindings"

    def __init__(self, device: int = 0) -> None:
        self._library = libcuda.load()
        libcuda.check_driver(libcuda.driver_version(self._library))
        _call("cuInit", 0)
        self._facts = libcuda.device_facts(self._library, device)
        self._device = _call("cuDeviceGet", device)
        self._modules: dict[bytes, Any] = {}
        self._kernels: dict[int, tuple[Any, struct.Struct]] = {}
        # Retained last: nothing after it can fail and leave it behind.
        self._context: Any = _call("cuDevicePrimaryCtxRetain", self._device)

    @property
    def facts(self) -> DeviceFacts:
        """The GPU, read at opening."""
        return self._facts

    def push(self) -> None:
        """Make the context this thread's."""
        _call("cuCtxPushCurrent", self._context)

    def pop(self) -> None:
        """Take it away again."""
        _call("cuCtxPopCurrent")

    def alloc(self, nbytes: int) -> int:
        """Device memory; its address."""
        return int(_call("cuMemAlloc", nbytes))

    def free(self, address: int) -> None:
        """Give device memory back."""
        _call("cuMemFree", address)

    def pinned(self, shape: Sequence[int], dtype: np.dtype[Any], *, mapped: bool = False) -> Pinned:
        """Host memory for asynchronous copies; mapped: the GPU reads and writes it without a copy."""
        nbytes = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        host = int(_call("cuMemHostAlloc", nbytes, DEVICEMAP if mapped else 0))
        array = np.frombuffer(memoryview((ctypes.c_uint8 * nbytes).from_address(host)), dtype).reshape(shape)
        try:
            device = int(_call("cuMemHostGetDevicePointer", host, 0)) if mapped else None
        except CudaError:
            _call("cuMemFreeHost", host)
            raise
        return Pinned(array, device, host)

    def free_pinned(self, memory: Pinned) -> None:
        """Give host memory back; its array must not be touched again."""
        _call("cuMemFreeHost", memory.owner)

    def copy_in(self, address: int, source: npt.NDArray[Any], stream: int) -> None:
        """Pinned host array to device memory, in stream order."""
        check_array(source, "cuMemcpyHtoDAsync", written=False)
        _call("cuMemcpyHtoDAsync", address, source.ctypes.data, source.nbytes, _own(stream))

    def copy_out(self, target: npt.NDArray[Any], address: int, stream: int) -> None:
        """Device memory to a pinned host array, in stream order."""
        check_array(target, "cuMemcpyDtoHAsync", written=True)
        _call("cuMemcpyDtoHAsync", target.ctypes.data, address, target.nbytes, _own(stream))

    def stream(self) -> int:
        """A new non-blocking stream, never the null stream."""
        return int(_call("cuStreamCreate", NON_BLOCKING))

    def free_stream(self, stream: int) -> None:
        """End a stream that is idle."""
        _call("cuStreamDestroy", _own(stream))

    def synchronize(self, stream: int) -> None:
        """Wait until all that was put into the stream is done."""
        _call("cuStreamSynchronize", _own(stream))

    def event(self) -> int:
        """A new event without timing."""
        return int(_call("cuEventCreate", DISABLE_TIMING))

    def free_event(self, event: int) -> None:
        """End an event."""
        _call("cuEventDestroy", event)

    def record(self, event: int, stream: int) -> None:
        """The event happens when all put into the stream so far is done."""
        _call("cuEventRecord", event, _own(stream))

    def wait(self, event: int) -> None:
        """Block until the event happened. Raises what a kernel before it did wrong."""
        _call("cuEventSynchronize", event)

    def done(self, event: int) -> bool:
        """Whether the event happened."""
        try:
            _call("cuEventQuery", event)
        except CudaError as problem:
            if problem.code == NOT_READY:
                return False
            raise
        return True

    def kernel(self, module: bytes, name: str, signature: str) -> int:
        """A function of a module (PTX text). signature: a letter an argument, as `struct` has them: P, i, f."""
        if module not in self._modules:
            self._modules[module] = _call("cuModuleLoadData", module)
        function = _call("cuModuleGetFunction", self._modules[module], name.encode())
        # Native alignment, as the compiler lays a kernel's parameters out.
        self._kernels[len(self._kernels) + 1] = (function, struct.Struct("@" + signature))
        return len(self._kernels)

    def launch(
        self, kernel: int, grid: Sequence[int], block: Sequence[int], stream: int, arguments: Sequence[Any]
    ) -> None:
        """Put a kernel into the stream; arguments as its signature says."""
        if kernel not in self._kernels:
            raise CudaError("cuLaunchKernel", INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE")
        function, layout = self._kernels[kernel]
        try:
            packed = layout.pack(*arguments)
        except struct.error as problem:
            raise CudaError("cuLaunchKernel", 1, f"arguments are not the kernel's: {problem}") from problem
        # One buffer with its size, as pycuda does it, and no list of pointers: the driver can then see a missing one.
        buffer = ctypes.create_string_buffer(packed, len(packed))
        size = ctypes.c_size_t(len(packed))
        extra = (ctypes.c_void_p * 5)(
            PARAM_POINTER, ctypes.addressof(buffer), PARAM_SIZE, ctypes.addressof(size), PARAM_END
        )
        _call("cuLaunchKernel", function, *_three(grid), *_three(block), 0, _own(stream), 0, ctypes.addressof(extra))

    def capture(self, stream: int, work: Callable[[], None]) -> int:
        """What `work` puts into the stream as an executable graph."""
        return libcuda.capture(self._library, _own(stream), work)

    def launch_graph(self, graph: int, stream: int) -> None:
        """Put a graph into the stream."""
        _call("cuGraphLaunch", graph, _own(stream))

    def free_graph(self, graph: int) -> None:
        """End a graph."""
        _call("cuGraphExecDestroy", graph)

    def close(self) -> None:
        """Let go of the primary context. Never raises."""
        if self._context is None:
            return
        modules, self._modules = self._modules, {}
        # A lost device refuses all of this: nothing is left to save then.
        with suppress(CudaError):
            self.push()
            for module in modules.values():
                with suppress(CudaError):
                    _call("cuModuleUnload", module)
            self.pop()
        self._context = None
        with suppress(CudaError):
            _call("cuDevicePrimaryCtxRelease", self._device)


def _call(name: str, *arguments: Any) -> Any:
    """One driver call; its answer without the code. Raises CudaError."""
    code, *answer = getattr(driver, name)(*arguments)
    if int(code):
        raise CudaError(name, int(code), getattr(code, "name", ""))
    return answer[0] if answer else None


def _own(stream: int) -> int:
    # The package takes None for the null stream, which waits for all others and cannot be captured.
    if type(stream) is not int or stream <= LARGEST_SPECIAL_STREAM:
        raise CudaError("stream", INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE")
    return stream


def _three(size: Sequence[int]) -> tuple[int, int, int]:
    x, y, z = size
    return x, y, z
