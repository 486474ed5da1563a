"""One thread that owns a GPU. Others hand it work and wait for the answer, but never longer than a limit.

CUDA's contexts belong to a thread, and a driver that hangs takes its thread with it: what waits here can always leave.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Silent(Exception):
    """No answer within the limit. The thread may never come back."""


@dataclass(frozen=True, slots=True)
class _Job(Generic[T]):
    work: Callable[[], T]
    answer: queue.SimpleQueue[tuple[T | None, Exception | None]]


class GpuThread:
    """Work is done in the order in which it was handed in, one after the other.

    The thread is a daemon: one that hangs in the driver must not keep the process from ending.
    """

    def __init__(self, name: str) -> None:
        # Never more than a call, one `post` and the end: callers wait, or have given the thread up.
        self._jobs: queue.SimpleQueue[_Job[Any] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def call(self, work: Callable[[], T], limit_s: float) -> T:
        """What `work` returns or raises, from the GPU's thread. Raises Silent where that takes longer than the limit.

        An answer that comes after the limit is dropped: it has no reader any more.
        """
        job: _Job[T] = _Job(work, queue.SimpleQueue())
        self._jobs.put(job)
        try:
            result, problem = job.answer.get(timeout=limit_s)
        except queue.Empty:
            raise Silent from None
        if problem is not None:
            raise problem
        return result  # type: ignore[return-value]  # without a problem there is a result

    def post(self, work: Callable[[], None]) -> None:
        """Have it done some time; nobody waits, so `work` must not raise."""
        self._jobs.put(_Job(work, queue.SimpleQueue()))

    def end(self, limit_s: float) -> bool:
        """End the thread after the work in hand; whether it ended within the limit."""
        self._jobs.put(None)
        self._thread.join(limit_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job.answer.put((job.work(), None))
            except Exception as problem:  # noqa: BLE001 - the thread's top: whoever waits is told
                job.answer.put((None, problem))
            # Otherwise the last frames would be kept until the next come.
            del job
