"""From the API's numbers to what is drawn. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from partsight.domain.verdict import Result
from partsight.wire.screen.trends import Bucket, LatencyBin, ReasonBar

Numbers = npt.NDArray[np.float64]
MOST_BARS = 8
FIRST_MS = 0.8
"""Left end of the first latency bin, which begins at 0: a logarithmic axis has no 0."""
DAY_S = 86_400
STEPS_S = (60, 300, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, DAY_S, 2 * DAY_S)
LAST_GROWS = 1.25
"""The last bin has no end of its own: it is drawn as wide as the others."""


@dataclass(frozen=True, slots=True)
class Times:
    """One value an interval. middle: seconds since 1970; parts: how many; good, bad: shares of OK and not OK, NaN
    where there was no part.
    """

    middle: Numbers
    parts: Numbers
    good: Numbers
    bad: Numbers
    outside: npt.NDArray[np.bool_]


def times_of(buckets: Sequence[Bucket]) -> Times:
    """Of each interval."""
    bad = np.array([math.nan if b.share is None else b.share for b in buckets], np.float64)
    return Times(
        middle=np.array([b.start.timestamp() + b.seconds / 2 for b in buckets], np.float64),
        parts=np.array([b.total for b in buckets], np.float64),
        good=1 - bad,
        bad=bad,
        outside=np.array([b.outside for b in buckets], np.bool_),
    )


def stepped(buckets: Sequence[Bucket], values: Sequence[float | None]) -> tuple[Numbers, Numbers]:
    """x, y of a line that keeps each interval's value over its whole length, with a gap where there is none."""
    x = np.array([[b.start.timestamp(), b.start.timestamp() + b.seconds] for b in buckets], np.float64).reshape(-1)
    y = np.repeat(np.array([math.nan if v is None else v for v in values], np.float64), 2)
    return x, y


def time_ticks(since: datetime, until: datetime, most: int) -> list[tuple[float, str]]:
    """Whole hours or days of this place's time, at most `most` of them, with what is written there."""
    span = (until - since).total_seconds()
    step = next((step for step in STEPS_S if span / step <= most), DAY_S * math.ceil(span / DAY_S / most))
    begin = since.astimezone()
    midnight = begin.replace(hour=0, minute=0, second=0, microsecond=0)
    ticks = []
    first, last = ((at - midnight).total_seconds() / step for at in (begin, until))
    for n in range(math.ceil(first), math.floor(last) + 1):
        at = midnight + timedelta(seconds=n * step)
        is_day = step >= DAY_S or (at.hour, at.minute) == (0, 0)
        ticks.append((at.timestamp(), f"{at:%m-%d}" if is_day else f"{at:%H:%M}"))
    return ticks


@dataclass(frozen=True, slots=True)
class Cause:
    """A bar of the Pareto chart. cumulated: share of all, up to and with this one. code: None for 'all others'."""

    code: int | None
    text: str
    count: int
    cumulated: float


def causes_of(bars: Sequence[ReasonBar], most: int = MOST_BARS) -> tuple[Cause, ...]:
    """The heaviest first; what goes beyond `most` is one bar at the end."""
    ordered = sorted(bars, key=lambda bar: (-bar.count, bar.code))
    total = sum(bar.count for bar in ordered)
    if not total:
        return ()
    shown = ordered if len(ordered) <= most else ordered[: most - 1]
    rest = total - sum(bar.count for bar in shown)
    counted: list[tuple[int | None, str, int]] = [(bar.code, bar.text, bar.count) for bar in shown]
    if rest:
        counted.append((None, "", rest))
    causes, so_far = [], 0
    for code, text, count in counted:
        so_far += count
        causes.append(Cause(code, text, count, so_far / total))
    return tuple(causes)


def latency_bars(bins: Sequence[LatencyBin]) -> tuple[Numbers, Numbers, Numbers]:
    """Left edges, right edges (log10 of milliseconds) and counts."""
    begins = [max(b.from_ms, FIRST_MS) for b in bins]
    ends = [b.to_ms if b.to_ms < 2 * begin else begin * LAST_GROWS for b, begin in zip(bins, begins, strict=True)]
    left, right = np.log10(begins), np.log10(ends)
    return left, right, np.array([float(b.count) for b in bins])


def results_of(bucket: Bucket) -> str:
    """`OK 95 · NG 4 · REVIEW 1`, without those that did not occur."""
    return " · ".join(f"{r.value} {bucket.counts.get(r, 0)}" for r in Result if bucket.counts.get(r, 0))
