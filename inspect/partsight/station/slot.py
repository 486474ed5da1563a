"""Free run's hand-over: only the latest frame waits, and each one that is passed over is counted (rule 6)."""

from __future__ import annotations

import threading

from partsight.domain.frame import Grab


class LatestSlot:
    """Room for one grab. A new one replaces it; `put` says how many were passed over."""

    def __init__(self) -> None:
        self._filled = threading.Condition()
        self._grab: tuple[Grab, int] | None = None

    def put(self, grab: Grab, arrived_ns: int) -> int:
        """1 where a grab was replaced that nobody took, else 0."""
        with self._filled:
            replaced = int(self._grab is not None)
            self._grab = (grab, arrived_ns)
            self._filled.notify()
            return replaced

    def take(self, timeout_s: float) -> tuple[Grab, int] | None:
        """The latest grab with its arrival time, or None where none came in time."""
        with self._filled:
            self._filled.wait_for(lambda: self._grab is not None, timeout_s)
            taken, self._grab = self._grab, None
            return taken

    def __len__(self) -> int:
        with self._filled:
            return int(self._grab is not None)


class WaitingSlot:
    """Room for one grab of a source that can wait (a folder): `put` blocks until there is room."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._grab: tuple[Grab, int] | None = None

    def put(self, grab: Grab, arrived_ns: int, timeout_s: float) -> bool:
        """False where the place was still taken after the timeout; ask again."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._grab is None, timeout_s):
                return False
            self._grab = (grab, arrived_ns)
            self._changed.notify_all()
            return True

    def take(self, timeout_s: float) -> tuple[Grab, int] | None:
        """The waiting grab with its arrival time, or None where none came in time."""
        with self._changed:
            self._changed.wait_for(lambda: self._grab is not None, timeout_s)
            taken, self._grab = self._grab, None
            self._changed.notify_all()
            return taken

    def __len__(self) -> int:
        with self._changed:
            return int(self._grab is not None)
