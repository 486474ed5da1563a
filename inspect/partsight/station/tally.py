"""A running account of the last parts, for people: verdicts, reasons, latency, and truth beside verdict."""

from __future__ import annotations

import threading
from collections import Counter, deque
from dataclasses import dataclass

import numpy as np

from partsight.domain.inspection import Inspection
from partsight.domain.reasons import reason_text
from partsight.domain.verdict import Result

RECENT_PARTS = 12
LATENCY_WINDOW = 10_000


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Milliseconds."""

    p50: float
    p95: float
    p99: float
    max: float


@dataclass(frozen=True, slots=True)
class Account:
    """One instant of a tally. `yield_` is the share of OK among all parts, None before the first.

    with_truth: parts whose truth is known; escapes: bad ones that passed; overkills: good ones that did not.
    latency, inference: of the last 10,000 parts, trigger to verdict and inference alone.
    """

    parts: int
    results: dict[Result, int]
    reasons: tuple[tuple[str, int], ...]
    latency: Percentiles | None
    inference: Percentiles | None
    with_truth: int
    bad_parts: int
    escapes: int
    overkills: int
    recent: tuple[Inspection, ...]

    @property
    def yield_(self) -> float | None:
        """Share of OK among all parts."""
        return self.results.get(Result.OK, 0) / self.parts if self.parts else None


class Tally:
    """An output that only counts. Bounded: memory does not grow with the parts."""

    def __init__(self, class_names: tuple[str, ...]) -> None:
        self._names = class_names
        self._lock = threading.Lock()
        self._results: Counter[Result] = Counter()
        self._codes: Counter[int] = Counter()
        self._latency_ms: deque[float] = deque(maxlen=LATENCY_WINDOW)
        self._infer_ms: deque[float] = deque(maxlen=LATENCY_WINDOW)
        self._recent: deque[Inspection] = deque(maxlen=RECENT_PARTS)
        self._with_truth = self._bad = self._escapes = self._overkills = 0

    def publish(self, inspection: Inspection) -> None:
        """Count one verdict."""
        passed = inspection.verdict.result is Result.OK
        with self._lock:
            self._results[inspection.verdict.result] += 1
            for code in {finding.code for finding in inspection.verdict.findings}:
                self._codes[code] += 1
            if inspection.timings.verdict_ms is not None:
                self._latency_ms.append(inspection.timings.verdict_ms)
            if inspection.timings.infer_ms is not None:
                self._infer_ms.append(inspection.timings.infer_ms)
            if inspection.truth is not None:
                self._with_truth += 1
                self._bad += not inspection.truth.good
                self._escapes += passed and not inspection.truth.good
                self._overkills += not passed and inspection.truth.good
            self._recent.append(inspection)

    def account(self) -> Account:
        """A consistent copy."""
        with self._lock:
            parts = sum(self._results.values())
            reasons = tuple((reason_text(code, self._names), n) for code, n in self._codes.most_common())
            latency, infer = list(self._latency_ms), list(self._infer_ms)
            return Account(
                parts=parts,
                results=dict(self._results),
                reasons=reasons,
                latency=percentiles(latency),
                inference=percentiles(infer),
                with_truth=self._with_truth,
                bad_parts=self._bad,
                escapes=self._escapes,
                overkills=self._overkills,
                recent=tuple(self._recent),
            )


def percentiles(values_ms: list[float]) -> Percentiles | None:
    """p50, p95, p99 and the maximum, or None without values."""
    if not values_ms:
        return None
    p50, p95, p99 = np.percentile(values_ms, [50, 95, 99])
    return Percentiles(float(p50), float(p95), float(p99), max(values_ms))
