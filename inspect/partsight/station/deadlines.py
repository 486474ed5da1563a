"""The parts that owe a verdict, by the time at which they owe it."""

from __future__ import annotations

import heapq
import threading

from partsight.domain.ports import Clock
from partsight.station.ledger import Part, Stage


class Deadlines:
    """A queue in the order of deadlines. Thread-safe; its wait is short, so that its loop can tick."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._heap: list[tuple[int, int, Part]] = []

    def add(self, part: Part) -> None:
        """This part's deadline counts from now on."""
        with self._changed:
            heapq.heappush(self._heap, (part.trigger.deadline_ns, part.trigger.sequence, part))
            self._changed.notify()

    def wake(self) -> None:
        """End the wait that is under way."""
        with self._changed:
            self._changed.notify()

    def expired(self, wait_s: float) -> list[Part]:
        """The parts whose deadline is over and that have no verdict, after waiting for the next (`wait_s` at most)."""
        with self._changed:
            while self._heap and self._heap[0][2].stage is Stage.DONE:
                heapq.heappop(self._heap)
            if self._heap:
                wait_s = min(wait_s, (self._heap[0][0] - self._clock.monotonic_ns()) / 1e9)
            if wait_s > 0:
                self._changed.wait(wait_s)
            now = self._clock.monotonic_ns()
            expired = []
            while self._heap and self._heap[0][0] <= now:
                expired.append(heapq.heappop(self._heap)[2])
        return [part for part in expired if part.stage is not Stage.DONE]
