"""What the rest of the GPU path needs of CUDA's driver: about a dozen calls.

All of it belongs to one thread, the one that called `push`: contexts are a thread's own. Addresses and handles are
plain integers, as TensorRT takes them. Nothing here synchronises but what says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from partsight.domain.errors import DetectorError


class CudaError(DetectorError):
    """A driver call failed. `code` is the CUresult, `name` its name in CUDA's headers, "" where unknown."""

    def __init__(self, call: str, code: int, name: str = "") -> None:
        super().__init__(f"CUDA {call} failed: {name or 'error'} ({code})")
        self.call, self.code, self.name = call, code, name


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """The GPU.

    uuid: "" where the driver has none. integrated: it shares the CPU's memory (Jetson).
    driver_version: the newest CUDA that the driver speaks, 12060 for 12.6.
    """

    name: str
    compute_capability: tuple[int, int]
    sm_count: int
    total_bytes: int
    uuid: str
    integrated: bool
    driver_version: int


@dataclass(frozen=True, slots=True)
class Pinned:
    """Page-locked host memory. array: any shape, C-contiguous. device: its address on the GPU, None if not mapped.

    owner: keeps the memory alive; nothing for others.
    """

    array: npt.NDArray[Any]
    device: int | None
    owner: Any


def check_array(array: npt.NDArray[Any], call: str, *, written: bool) -> None:
    """Raises CudaError for a host array that a copy of its bytes would get wrong."""
    if not array.flags.c_contiguous or (written and not array.flags.writeable):
        raise CudaError(call, 1, "an array that is not contiguous or must not be written")


class CudaPort(Protocol):
    """One GPU's primary context. Every method but `facts` needs `push` before; all raise CudaError.

    package: the Python package that does it, "pycuda" or "cuda-bindings".
    """

    package: str

    @property
    def facts(self) -> DeviceFacts:
        """The GPU, read at opening."""

    def push(self) -> None:
        """Make the context this thread's."""

    def pop(self) -> None:
        """Take it away again."""

    def alloc(self, nbytes: int) -> int:
        """Device memory; its address. CudaError names CUDA_ERROR_OUT_OF_MEMORY where there is none."""

    def free(self, address: int) -> None:
        """Give device memory back."""

    def pinned(self, shape: Sequence[int], dtype: np.dtype[Any], *, mapped: bool = False) -> Pinned:
        """Host memory for asynchronous copies; mapped: the GPU reads and writes it without a copy."""

    def free_pinned(self, memory: Pinned) -> None:
        """Give host memory back; its array must not be touched again."""

    def copy_in(self, address: int, source: npt.NDArray[Any], stream: int) -> None:
        """Pinned host array to device memory, in stream order."""

    def copy_out(self, target: npt.NDArray[Any], address: int, stream: int) -> None:
        """Device memory to a pinned host array, in stream order."""

    def stream(self) -> int:
        """A new non-blocking stream, never the null stream."""

    def free_stream(self, stream: int) -> None:
        """End a stream that is idle."""

    def synchronize(self, stream: int) -> None:
        """Wait until all that was put into the stream is done."""

    def event(self) -> int:
        """A new event without timing."""

    def free_event(self, event: int) -> None:
        """End an event."""

    def record(self, event: int, stream: int) -> None:
        """The event happens when all put into the stream so far is done."""

    def wait(self, event: int) -> None:
        """Block until the event happened. Raises what a kernel before it did wrong."""

    def done(self, event: int) -> bool:
        """Whether the event happened."""

    def kernel(self, module: bytes, name: str, signature: str) -> int:
        """A function of a module (PTX text). signature: a letter an argument, as `struct` has them: P, i, f."""

    def launch(
        self, kernel: int, grid: Sequence[int], block: Sequence[int], stream: int, arguments: Sequence[Any]
    ) -> None:
        """Put a kernel into the stream; arguments as its signature says."""

    def capture(self, stream: int, work: Callable[[], None]) -> int:
        """What `work` puts into the stream as an executable graph. CudaError where something cannot be captured."""

    def launch_graph(self, graph: int, stream: int) -> None:
        """Put a graph into the stream."""

    def free_graph(self, graph: int) -> None:
        """End a graph."""

    def close(self) -> None:
        """Let go of the primary context. Nothing of this port is used after. Never raises."""
