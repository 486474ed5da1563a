"""Verdicts that wait for the connection: bounded, and none leaves after it could do harm."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from partsight.domain.inspection import Inspection
from partsight.domain.verdict import Action

REJECT_GRACE_NS = 250_000_000
"""The station itself rejects at the deadline, so a reject may leave for this long after it; a pass never may."""


def expired(inspection: Inspection, now_ns: int) -> bool:
    """True where this verdict must not be sent any more."""
    passes = inspection.verdict.action is not Action.REJECT or inspection.mode.value == "BYPASS"
    return now_ns > inspection.trigger.deadline_ns + (0 if passes else REJECT_GRACE_NS)


class VerdictQueue:
    """First in, first out. When it is full, expired verdicts make room; without one the new verdict is refused.

    A verdict that is refused or expires is counted: its part gets none, and the line rejects it.
    """

    def __init__(self, size: int, monotonic_ns: Callable[[], int]) -> None:
        self._size = size
        self._now = monotonic_ns
        self._lock = threading.Lock()
        self._waiting: deque[Inspection] = deque()
        self.expired = 0
        self.refused = 0

    def put(self, inspection: Inspection) -> bool:
        """False where there was no room. From any thread."""
        with self._lock:
            if len(self._waiting) >= self._size:
                self._purge()
            if len(self._waiting) >= self._size:
                self.refused += 1
                return False
            self._waiting.append(inspection)
            return True

    def get(self) -> Inspection | None:
        """The next verdict that may still be sent, None without one."""
        with self._lock:
            while self._waiting:
                inspection = self._waiting.popleft()
                if not expired(inspection, self._now()):
                    return inspection
                self.expired += 1
            return None

    def purge(self) -> None:
        """Forget what has expired: for the time without a connection, or behind a full socket."""
        if not self._waiting:
            return
        with self._lock:
            self._purge()

    def __len__(self) -> int:
        return len(self._waiting)

    def _purge(self) -> None:
        now = self._now()
        kept = deque(v for v in self._waiting if not expired(v, now))
        self.expired += len(self._waiting) - len(kept)
        self._waiting = kept
