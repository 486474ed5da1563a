"""Times as people write them on a command line."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

_AGO = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|m|h|d|w)\Z")
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}


def time_of(text: str, now: datetime | None = None) -> datetime:
    """UTC time of `2h` (ago; s, m, h, d, w), `now`, `today`, `yesterday` (their midnight), or an ISO date or time.

    Without an offset the time is this machine's. Raises ValueError that says what is understood.
    """
    now = now or datetime.now(timezone.utc)
    word = text.strip().lower()
    if match := _AGO.match(word):
        try:
            return now - timedelta(seconds=float(match[1]) * _SECONDS[match[2]])
        except OverflowError as problem:
            raise ValueError(f"{text!r} is longer ago than dates go") from problem
    if word == "now":
        return now
    if word in {"today", "yesterday"}:
        day = now.astimezone().date() - timedelta(days=word == "yesterday")
        # astimezone() of a local midnight knows whether it was summer time then.
        return datetime(day.year, day.month, day.day).astimezone().astimezone(timezone.utc)
    try:
        # Python 3.10 does not read the Z itself.
        return datetime.fromisoformat(re.sub(r"[zZ]\Z", "+00:00", text.strip())).astimezone(timezone.utc)
    except (ValueError, OverflowError) as problem:
        known = "30m, 2h, 7d, now, today, yesterday, 2026-01-31 or 2026-01-31T08:00"
        raise ValueError(f"{text!r} is not a time: write {known}") from problem
