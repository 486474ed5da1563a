"""A GPU that is lost again and again is left alone for a while, so that restarts do not become the line's only work.

A loss ends the process and a new one tries again, which cures most. Where three did not, the next tries only after ten
minutes: `auto` judges on the processor meanwhile, a station that asks for the GPU by name gives INVALID.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

import structlog

from partsight.domain.errors import BackendUnavailable

log = structlog.get_logger(__name__)

LIMIT = 3
REST = timedelta(minutes=10)
MAX_BYTES = 1 << 16
MAX_REASON = 500


class GpuLeftAlone(BackendUnavailable):
    """The GPU was lost too often just now. until: when it may be tried again."""

    def __init__(self, reason: str, until: datetime) -> None:
        super().__init__(
            f"the GPU was lost {LIMIT} times within {REST.seconds // 60} minutes and is left alone until "
            f"{until:%H:%M:%S} UTC; the last time: {reason}"
        )
        self.until = until


@dataclass(frozen=True, slots=True)
class Losses:
    """What happened lately, in `file`. Writing never raises: a full disk may not hide the loss itself."""

    file: Path

    def note(self, reason: str, at: datetime | None = None) -> None:
        """The GPU was lost just now."""
        at = at or datetime.now(timezone.utc)
        kept = [*self._read(), (at, reason[:MAX_REASON])][-LIMIT:]
        draft = self.file.with_suffix(".new")
        try:
            draft.write_text(json.dumps([[when.isoformat(), why] for when, why in kept]), "utf-8")
            draft.replace(self.file)
        except OSError as problem:
            log.warning("a lost GPU cannot be noted", file=str(self.file), error=str(problem))

    def check(self, now: datetime | None = None) -> None:
        """Raises GpuLeftAlone."""
        now = now or datetime.now(timezone.utc)
        # A clock that was set back must not keep the GPU away for longer than the rest lasts.
        recent = [(when, why) for when, why in self._read() if now - REST < when <= now + REST]
        if len(recent) >= LIMIT:
            raise GpuLeftAlone(recent[-1][1], min(recent[-1][0], now) + REST)

    def _read(self) -> list[tuple[datetime, str]]:
        # Whatever cannot be read is no reason to keep a GPU from the line.
        with suppress(OSError, ValueError, TypeError, RecursionError), self.file.open("rb") as stream:
            told = json.loads(stream.read(MAX_BYTES))
            return [(_utc(when), str(why)) for when, why in told]
        return []


def _utc(text: str) -> datetime:
    when = datetime.fromisoformat(text)
    if when.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return when
