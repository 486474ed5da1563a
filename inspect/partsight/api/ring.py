"""The API's own count of events: a ring of the newest, each encoded once for everybody."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from partsight.wire.screen.stream import EventNote, Gap

MAX_EVENTS = 5000
MAX_BYTES = 32 << 20


@dataclass(frozen=True, slots=True)
class Numbered:
    """One event, or a run of numbers whose events are gone. text: as it goes to the client."""

    first: int
    last: int
    text: str


class EventRing:
    """Events 1, 2, 3 …, the newest 5,000 (or 32 MiB) of them. For one thread."""

    def __init__(self, max_events: int = MAX_EVENTS, max_bytes: int = MAX_BYTES) -> None:
        self._kept: deque[Numbered] = deque()
        self._bytes = 0
        self._max_events = max_events
        self._max_bytes = max_bytes
        self.last = 0
        """Number of the newest event, 0 before the first."""

    @property
    def first(self) -> int:
        """Number of the oldest that is kept; `last + 1` where none is."""
        return self._kept[0].first if self._kept else self.last + 1

    def add(self, note: EventNote) -> EventNote:
        """The note with its number."""
        numbered = note.model_copy(update={"n": self.last + 1})
        self._keep(Numbered(numbered.n, numbered.n, numbered.model_dump_json()))
        return numbered

    def skip(self, count: int) -> None:
        """The daemon could not send so many events: their numbers are gone, and everybody hears so."""
        if count > 0:
            self._keep(_gap(self.last + 1, self.last + count))

    def after(self, n: int, limit: int) -> list[Numbered]:
        """What comes after event n, oldest first, at most `limit`; what is no longer kept is one gap before it."""
        found: list[Numbered] = []
        for item in reversed(self._kept):
            if item.last <= n:
                break
            found.append(item)
        found.reverse()
        if found and found[0].first <= n:  # in the midst of numbers that are gone
            found[0] = _gap(n + 1, found[0].last)
        if n < self.first - 1:
            found.insert(0, _gap(n + 1, self.first - 1))
        return found[:limit]

    def _keep(self, item: Numbered) -> None:
        self._kept.append(item)
        self._bytes += len(item.text)
        self.last = item.last
        while len(self._kept) > self._max_events or (self._bytes > self._max_bytes and len(self._kept) > 1):
            self._bytes -= len(self._kept.popleft().text)


def _gap(first: int, last: int) -> Numbered:
    return Numbered(first, last, Gap(first=first, last=last).model_dump_json())
