"""Figures over time, counted by SQLite itself from one index: no record is read for them.

The rule of the p-chart: Shewhart's 3-sigma limits of a share p of n parts, p ± 3 √(p (1 - p) / n), as in Montgomery,
Introduction to Statistical Quality Control, 7.2.2 (a limit for each interval's own n).
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from partsight.domain.reasons import reason_text
from partsight.domain.verdict import Result
from partsight.outputs.records.latch import from_us, to_us
from partsight.wire.screen.trends import Bucket, LatencyBin, ReasonBar, Summary, Trends

MAX_BUCKETS = 2000
SIGMAS = 3.0
SECOND_US = 1_000_000
NICE_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400, 604_800)
AIM_BUCKETS = 120
"""Where nobody says how long an interval is, the shortest nice one that gives no more than so many."""

_R10 = (1.0, 1.25, 1.6, 2.0, 2.5, 3.15, 4.0, 5.0, 6.3, 8.0)
EDGES_MS = (0.0, *(round(v * 10.0**decade, 6) for decade in range(4) for v in _R10), 10_000.0)
"""Edges of the latency histogram: the preferred numbers R10 of ISO 3, ten to a decade; the last bin has no end of its
own and takes all that is longer."""

# Latencies are counted in steps of 1 % or finer, whole in each bin above: 1,000 numbers a decade instead of one a part.
_STEPS = ((10.0, 0.01), (100.0, 0.1), (1000.0, 1.0), (10_000.0, 10.0))
_STEP_SQL = (
    "CASE WHEN i.verdict_ms < 10 THEN CAST(i.verdict_ms * 100 + 1e-6 AS INTEGER) * 0.01 "
    "WHEN i.verdict_ms < 100 THEN CAST(i.verdict_ms * 10 + 1e-6 AS INTEGER) * 0.1 "
    "WHEN i.verdict_ms < 1000 THEN CAST(i.verdict_ms + 1e-6 AS INTEGER) * 1.0 "
    "WHEN i.verdict_ms < 10000 THEN CAST(i.verdict_ms / 10 + 1e-6 AS INTEGER) * 10.0 ELSE 10000.0 END"
)


@dataclass(frozen=True, slots=True)
class Span:
    """What is asked for. seconds: of one interval; the last one may be shorter."""

    since: datetime
    until: datetime
    seconds: float
    recipe: str | None = None


def nice_seconds(since: datetime, until: datetime) -> float:
    """An interval's length that gives a readable chart."""
    span = (until - since).total_seconds()
    fitting = (float(s) for s in NICE_S if span / s <= AIM_BUCKETS)
    return next(fitting, math.ceil(span / AIM_BUCKETS / 86_400) * 86_400.0)


def read(db: sqlite3.Connection, span: Span, where: str, values: Sequence[str | int], names: tuple[str, ...]) -> Trends:
    """In the caller's transaction. where, values: the records of the span, as `Query.where` says it.

    Raises sqlite3.Error.
    """
    start_us, step_us = to_us(span.since), round(span.seconds * SECOND_US)
    counted = db.execute(
        f"SELECT (i.at_us - ?) / ?, i.result, i.code, count(*) FROM inspection i WHERE {where} GROUP BY 1, 2, 3",  # noqa: S608 - literals and placeholders
        [start_us, step_us, *values],
    ).fetchall()
    stepped = db.execute(
        f"SELECT {_STEP_SQL}, count(*), max(i.verdict_ms) FROM inspection i "  # noqa: S608 - literals and placeholders
        f"WHERE {where} AND i.verdict_ms IS NOT NULL GROUP BY 1 ORDER BY 1",
        values,
    ).fetchall()
    per_bucket: dict[int, dict[Result, int]] = {}
    totals = dict.fromkeys(Result, 0)
    for number, result, _, count in counted:
        per_bucket.setdefault(number, dict.fromkeys(Result, 0))[Result(result)] += count
        totals[Result(result)] += count
    centre = share_of(totals)
    return Trends(
        since=span.since,
        until=span.until,
        recipe=span.recipe,
        centre=centre,
        buckets=tuple(_buckets(span, per_bucket, centre)),
        pareto=bars(((code, result, count) for _, result, code, count in counted), names),
        latency=histogram([(ms, count) for ms, count, _ in stepped]),
        summary=_summary(totals, stepped, bars(((c, r, n) for _, r, c, n in counted), names)),
    )


def share_of(counts: Mapping[Result, int]) -> float | None:
    """Parts that are not OK, of all; None without any."""
    total = sum(counts.values())
    return 1 - counts[Result.OK] / total if total else None


def limits(centre: float, total: int) -> tuple[float, float]:
    """The p-chart's (lower, upper) limits for an interval of `total` parts, cut at 0 and 1."""
    reach = SIGMAS * math.sqrt(centre * (1 - centre) / total)
    return max(0.0, centre - reach), min(1.0, centre + reach)


def _buckets(span: Span, counted: Mapping[int, Mapping[Result, int]], centre: float | None) -> Iterable[Bucket]:
    start_us, end_us, step_us = to_us(span.since), to_us(span.until), round(span.seconds * SECOND_US)
    for number in range(-(-(end_us - start_us) // step_us)):
        at_us = start_us + number * step_us
        counts = dict(counted.get(number, dict.fromkeys(Result, 0)))
        total, share = sum(counts.values()), share_of(counts)
        lower = upper = None
        if total and centre is not None:
            lower, upper = limits(centre, total)
        yield Bucket(
            start=from_us(at_us),
            seconds=min(step_us, end_us - at_us) / SECOND_US,
            counts=counts,
            total=total,
            share=share,
            lower=lower,
            upper=upper,
            outside=_outside(share, lower, upper),
        )


def _outside(share: float | None, lower: float | None, upper: float | None) -> bool:
    if share is None or lower is None or upper is None:
        return False
    tiny = 1e-12  # equal shares differ in their last digit when they come from different sums
    return share < lower - tiny or share > upper + tiny


def bars(counted: Iterable[tuple[int, str, int]], names: tuple[str, ...]) -> tuple[ReasonBar, ...]:
    """Pareto of (code, result, count), the most frequent first; what passed has no bar."""
    sums: dict[int, int] = {}
    for code, result, count in counted:
        if result != Result.OK.value:
            sums[code] = sums.get(code, 0) + count
    ordered = sorted(sums.items(), key=lambda item: (-item[1], item[0]))
    return tuple(ReasonBar(code=code, text=reason_text(code, names), count=count) for code, count in ordered)


def histogram(stepped: Sequence[tuple[float, int]]) -> tuple[LatencyBin, ...]:
    """Bins from (milliseconds, count), from the first that holds a part to the last; empty ones between are kept."""
    if not stepped:
        return ()
    at = np.array([ms for ms, _ in stepped])
    place = np.clip(np.searchsorted(EDGES_MS, at + 1e-6, side="right") - 1, 0, len(EDGES_MS) - 1)
    sums = np.bincount(place, weights=[count for _, count in stepped], minlength=len(EDGES_MS)).astype(int)
    used = np.flatnonzero(sums)
    ends = (*EDGES_MS[1:], 3_600_000.0)
    return tuple(
        LatencyBin(from_ms=EDGES_MS[n], to_ms=ends[n], count=int(sums[n])) for n in range(used[0], used[-1] + 1)
    )


def _summary(counts: dict[Result, int], stepped: Sequence[tuple[Any, ...]], pareto: tuple[ReasonBar, ...]) -> Summary:
    total = sum(counts.values())
    p50, p95, p99 = percentiles([(ms, count) for ms, count, _ in stepped], (50, 95, 99))
    return Summary(
        total=total,
        counts=counts,
        yield_share=counts[Result.OK] / total if total else None,
        pareto=pareto,
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        max_ms=max((longest for _, _, longest in stepped), default=None),
    )


def percentiles(stepped: Sequence[tuple[float, int]], wanted: Sequence[float]) -> tuple[float | None, ...]:
    """Of counted latencies: the middle of the step in which the percentile lies (within 1 %); None without any."""
    if not stepped:
        return (None,) * len(wanted)
    sums = np.cumsum([count for _, count in stepped])
    places = np.searchsorted(sums, [sums[-1] * share / 100 for share in wanted])
    return tuple(_middle(stepped[min(place, len(stepped) - 1)][0]) for place in places)


def _middle(ms: float) -> float:
    step = next((step for below, step in _STEPS if ms < below), 0.0)
    return round(ms + step / 2, 6)
