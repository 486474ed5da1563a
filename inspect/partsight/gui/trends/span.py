"""Which stretch of time a chart is of."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from enum import Enum, unique

USUAL_STARTS = ("06:00", "14:00", "22:00")
"""Of shifts, where the station's configuration names none."""


@unique
class Range(Enum):
    """What a person can choose."""

    SHIFT = "shift"
    HOURS = "hours"
    DAY = "day"
    WEEK = "week"
    OWN = "own"


LENGTH = {Range.HOURS: timedelta(hours=8), Range.DAY: timedelta(days=1), Range.WEEK: timedelta(days=7)}


def shift_start(now: datetime, starts: Sequence[str]) -> datetime:
    """The newest start of a shift at or before `now`. starts: HH:MM of this place's time; now: with a time zone."""
    times = [time.fromisoformat(start) for start in starts or USUAL_STARTS]
    today = now.astimezone().date()
    days = [today - timedelta(days=n) for n in range(3)]
    begun = [at for day in days for start in times if (at := datetime.combine(day, start).astimezone()) <= now]
    return max(begun)


def span_of(chosen: Range, now: datetime, starts: Sequence[str]) -> tuple[datetime, datetime]:
    """since, until. Not for `Range.OWN`, which a person gives."""
    if chosen is Range.SHIFT:
        return shift_start(now, starts), now
    return now - LENGTH[chosen], now
