"""The board of faults: what people must know, each once, until it is over."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from datetime import datetime

from partsight.domain.messages import FaultCleared, FaultRaised
from partsight.domain.ports import Clock
from partsight.domain.status import Fault

KEPT_OVER = 500


class FaultBoard:
    """Raises and clears faults by key, and tells of each change once. Thread-safe.

    The newest 500 that are over are kept for people, until the process ends.
    """

    def __init__(self, clock: Clock, tell: Callable[[FaultRaised | FaultCleared], None]) -> None:
        self._clock = clock
        self._tell = tell
        self._lock = threading.Lock()
        self._faults: dict[str, Fault] = {}
        self._over: deque[tuple[Fault, datetime]] = deque(maxlen=KEPT_OVER)

    def raise_(self, key: str, text: str, cure: str, *, code: int = 0, latched: bool = False) -> None:
        """State a fault; stating it again changes its text only."""
        with self._lock:
            known = self._faults.get(key)
            since: datetime = known.since if known else self._clock.utc()
            fault = Fault(key, text, cure, since, latched or (known is not None and known.latched), int(code))
            self._faults[key] = fault
        if known is None:
            self._tell(FaultRaised(fault))

    def clear(self, key: str) -> None:
        """The cause is over. A latched fault stays until it is acknowledged."""
        with self._lock:
            fault = self._faults.get(key)
            if fault is None or fault.latched:
                return
            del self._faults[key]
            self._over.append((fault, at := self._clock.utc()))
        self._tell(FaultCleared(fault, at))

    def acknowledge(self) -> tuple[Fault, ...]:
        """Somebody has seen the latched faults; those whose cause lasts will be raised again."""
        with self._lock:
            at = self._clock.utc()
            latched = tuple(fault for fault in self._faults.values() if fault.latched)
            for fault in latched:
                del self._faults[fault.key]
                self._over.append((fault, at))
        for fault in latched:
            self._tell(FaultCleared(fault, at))
        return latched

    def all(self) -> tuple[Fault, ...]:
        """Every fault that stands, the oldest first."""
        with self._lock:
            return tuple(sorted(self._faults.values(), key=lambda fault: fault.since))

    def over(self) -> tuple[tuple[Fault, datetime], ...]:
        """Faults that are over or were acknowledged, with the moment of that, the oldest first."""
        with self._lock:
            return tuple(self._over)

    def has(self, key: str) -> bool:
        """True while this fault stands."""
        with self._lock:
            return key in self._faults

    @property
    def latched(self) -> bool:
        """True while a fault waits for acknowledgement."""
        with self._lock:
            return any(fault.latched for fault in self._faults.values())
