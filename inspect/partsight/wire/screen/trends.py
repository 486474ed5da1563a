"""Figures over time."""

from __future__ import annotations

from partsight.domain.verdict import Result
from partsight.wire.screen.message import Answer, Time


class ReasonBar(Answer):
    """A bar of the Pareto chart."""

    code: int
    text: str
    count: int


class Summary(Answer):
    """Counts of the records that fit. yield_share: OK of all, None without any."""

    total: int
    counts: dict[Result, int]
    yield_share: float | None = None
    pareto: tuple[ReasonBar, ...] = ()
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    max_ms: float | None = None


class Bucket(Answer):
    """One interval. share: of parts that are not OK; lower, upper: the p-chart's 3-sigma limits for this
    interval's number of parts (Shewhart): p ± 3 √(p (1 - p) / n), cut at 0 and 1. outside: a signal.
    """

    start: Time
    seconds: float
    counts: dict[Result, int]
    total: int
    share: float | None = None
    lower: float | None = None
    upper: float | None = None
    outside: bool = False


class LatencyBin(Answer):
    """Parts whose trigger to verdict took from `from_ms` up to `to_ms`."""

    from_ms: float
    to_ms: float
    count: int


class Trends(Answer):
    """since, until: what was asked for. centre: the mean share of parts that are not OK."""

    since: Time
    until: Time
    recipe: str | None = None
    centre: float | None = None
    buckets: tuple[Bucket, ...] = ()
    pareto: tuple[ReasonBar, ...] = ()
    latency: tuple[LatencyBin, ...] = ()
    summary: Summary
