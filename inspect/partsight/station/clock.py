"""The real clock."""

from __future__ import annotations

import time
from datetime import datetime, timezone


class SystemClock:
    """Monotonic time for durations, UTC for records."""

    def monotonic_ns(self) -> int:
        """Nanoseconds; never jumps back, says nothing about the date."""
        return time.monotonic_ns()

    def utc(self) -> datetime:
        """Now, with its time zone."""
        return datetime.now(timezone.utc)
