"""Proof of life: each loop ticks, parts or not; whoever feeds a watchdog asks whether all did in time."""

from __future__ import annotations

import threading

from partsight.domain.ports import Clock


class Pulse:
    """Last tick of each loop, with the time that it may take until the next."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._ticks: dict[str, tuple[int, int]] = {}

    def tick(self, loop: str, within_s: float) -> None:
        """`loop` is alive and will tick again within so many seconds."""
        with self._lock:
            self._ticks[loop] = (self._clock.monotonic_ns(), int(within_s * 1e9))

    def end(self, loop: str) -> None:
        """`loop` has ended as it should; nothing more is expected of it."""
        with self._lock:
            self._ticks.pop(loop, None)

    def late(self) -> tuple[str, ...]:
        """The loops that missed their time."""
        now = self._clock.monotonic_ns()
        with self._lock:
            return tuple(name for name, (at, within) in self._ticks.items() if now - at > within)
