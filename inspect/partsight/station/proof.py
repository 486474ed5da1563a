"""Proof that the lane meets its deadline: self-test parts before it is ready, the p99 of real parts after that."""

from __future__ import annotations

import time
from collections import deque

import numpy as np
import structlog

from partsight.domain.errors import DetectorError, DetectorLost, RecordsError
from partsight.domain.frame import Frame, Grab, PixelFormat
from partsight.domain.ports import Clock, Records
from partsight.domain.trigger import Trigger, TriggerKind
from partsight.station.judge import Judge
from partsight.station.line_rules import LineRules

log = structlog.get_logger(__name__)

SELF_TEST = "self-test"
"""The camera of made-up frames."""
WINDOW = 200
EVERY = 50
BREACHES = 3
AGAIN_S = 2.0
NEVER_MS = float("inf")


class Proof:
    """Measures the lane; one thread runs it, any thread may report a part's time."""

    def __init__(self, rules: LineRules, deadline_ms: float) -> None:
        self._parts = rules.self_test_parts
        self._limit_ms = deadline_ms * rules.latency_share
        self._off = rules.self_test_parts == 0
        self._again_ns = 0
        self._last_ms: deque[float] = deque(maxlen=WINDOW)
        self._seen = self._breaches = 0

    def run(self, judge: Judge, records: Records, size: tuple[int, int], clock: Clock) -> float:
        """The slowest of the self-test parts in milliseconds: judged and durably written, but not recorded.

        Raises DetectorLost: to try again here would be in vain.
        """
        self._last_ms.clear()
        self._breaches = 0
        worst = 0.0
        for number in range(self._parts):
            began = time.perf_counter()
            try:
                judge.rehearse(_test_frame(number, size, clock))
                records.rehearse()
            except DetectorLost:
                raise
            except (DetectorError, RecordsError) as error:
                log.warning("self-test failed", error=str(error))
                worst = NEVER_MS
                break
            worst = max(worst, (time.perf_counter() - began) * 1e3)
        good = self.passes(worst)
        self._again_ns = 0 if good else clock.monotonic_ns() + int(AGAIN_S * 1e9)
        return worst

    def passes(self, worst_ms: float) -> bool:
        """Whether this leaves enough room before the deadline."""
        return self._off or worst_ms <= self._limit_ms

    def due(self, now_ns: int) -> bool:
        """Whether a lane that was too slow should be tried again."""
        return bool(self._again_ns) and now_ns >= self._again_ns

    def too_slow(self, verdict_ms: float) -> bool:
        """Count a real part: True where its p99 has been over the limit several times in a row."""
        self._last_ms.append(verdict_ms)
        self._seen += 1
        if self._off or len(self._last_ms) < WINDOW or self._seen % EVERY:
            return False
        breach = float(np.percentile(list(self._last_ms), 99)) > self._limit_ms
        self._breaches = self._breaches + 1 if breach else 0
        if self._breaches < BREACHES:
            return False
        self._again_ns = 1  # at once
        return True


def _test_frame(number: int, size: tuple[int, int], clock: Clock) -> Frame:
    """Noise of the camera's size: as much work as a real part."""
    width, height = size
    pixels = np.random.default_rng(number).integers(0, 256, (max(height, 64), max(width, 64), 3), np.uint8)
    now = clock.monotonic_ns()
    trigger = Trigger(0, 1, 0, TriggerKind.CALL, clock.utc(), now, now)
    return Frame(trigger, SELF_TEST, Grab(pixels, PixelFormat.BGR8), now)
