"""What a test inside a process on the pretend driver can ask of it and do to it."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from partsight.detectors.tensorrt.cuda.choose import Package, open_port
from partsight.detectors.tensorrt.cuda.port import CudaPort

# What no correct program makes a driver count.
MISTAKES = (
    "async_pageable",  # an asynchronous copy from or to memory that is not pinned
    "no_context",  # a call from a thread that has pushed no context
    "own_contexts",  # a context made instead of the primary one
    "bad_range",  # a copy that does not lie inside one block of device memory
    "bad_argsize",  # a kernel with too few or too many arguments
    "dead_handle",  # a stream, event, graph or module that is gone or never was
    "free_while_busy",  # memory given back while work was under way
    "released_too_early",  # the context let go while memory, streams, events or graphs lived
    "unsafe_in_capture",  # a wait or an allocation while a graph was captured
    "null_stream",  # work in the null stream
    "illegal_address",  # a kernel or copy that touched memory it must not
)
LIVING = ("live_device", "live_host", "live_streams", "live_events", "live_graphs", "live_modules", "primary")


@dataclass(slots=True)
class PretendGpu:
    """The driver of this process. package, mode: the variant that this process tests."""

    package: Package
    mode: str
    _library: ctypes.CDLL
    _allowed: set[str] = field(default_factory=set)

    @classmethod
    def of_this_process(cls, package: Package, mode: str) -> PretendGpu:
        library = ctypes.CDLL("libcuda.so.1")
        library.fakecuda_stat.restype = ctypes.c_long
        library.fakecuda_set.argtypes = [ctypes.c_char_p, ctypes.c_long]
        return cls(package, mode, library)

    def open_port(self) -> CudaPort:
        """By this variant's package, nothing pushed."""
        return open_port(prefer=self.package)

    @contextmanager
    def opened(self) -> Iterator[CudaPort]:
        """A port whose context is pushed; popped and closed at the end."""
        port = self.open_port()
        port.push()
        try:
            yield port
        finally:
            port.pop()
            port.close()

    def stat(self, name: str) -> int:
        """A counter: one of MISTAKES or LIVING, or calls, kernels, graph_launches, launches, device_allocations,
        host_allocations, allocations (since oom_at was set), live_bytes, queued (work not done yet)."""
        return int(self._library.fakecuda_stat(name.encode()))

    def set(self, **knobs: int) -> None:
        """Ask for faults: the names in `fakecuda.cpp`, such as oom_at, hang, hang_at, lost, lose_after."""
        for name, value in knobs.items():
            assert self._library.fakecuda_set(name.encode(), value) == 0, f"the pretend driver has no knob {name}"

    def allow(self, *mistakes: str) -> None:
        """This test makes these mistakes on purpose, or leaves something alive ("leaks")."""
        assert set(mistakes) <= {*MISTAKES, "leaks"}
        self._allowed |= set(mistakes)

    def reset(self) -> None:
        """No faults, counters at 0; what lives stays."""
        self._library.fakecuda_reset()

    def living(self) -> dict[str, int]:
        """How many of each kind of thing there are."""
        return {name: self.stat(name) for name in LIVING}

    def mistakes(self) -> dict[str, int]:
        """What was counted and not allowed."""
        allowed = {*self._allowed, *({"released_too_early"} if self.allows_leaks else ())}
        counted = {name: self.stat(name) for name in MISTAKES if name not in allowed}
        return {name: times for name, times in counted.items() if times}

    @property
    def allows_leaks(self) -> bool:
        return "leaks" in self._allowed
