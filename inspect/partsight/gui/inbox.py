"""What waits between the stream's thread and the window: bounded, latest only where an old one is worth nothing."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from PySide6.QtGui import QImage

from partsight.wire.screen.station import StationNote
from partsight.wire.screen.stream import EventNote, Gap, PreviewHeader

MAX_EVENTS = 2000
"""Events that a window which does nothing keeps; older ones become a gap."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded preview. arrived: monotonic seconds."""

    header: PreviewHeader
    image: QImage
    arrived: float


@dataclass(frozen=True, slots=True)
class Taken:
    """What had come since the last time. facts: of the connection, in order. dropped: pictures nobody saw."""

    facts: tuple[Callable[[], None], ...]
    status: tuple[StationNote, float] | None
    events: tuple[EventNote, ...]
    gap: Gap | None
    pictures: tuple[Picture, ...]
    more: bool


@dataclass(slots=True)
class Inbox:
    """Filled by one thread, emptied by another. `wake` is called once until the next `take`, from the filler."""

    wake: Callable[[], None]
    dropped_pictures: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _pending: bool = False
    _facts: deque[Callable[[], None]] = field(default_factory=deque)
    _events: deque[EventNote] = field(default_factory=deque)
    _status: tuple[StationNote, float] | None = None
    _gap: Gap | None = None
    _pictures: dict[str, Picture] = field(default_factory=dict)

    def put_fact(self, tell: Callable[[], None]) -> None:
        """Something about the connection: `tell` runs in the window's thread."""
        with self._lock:
            self._facts.append(tell)
        self._ring()

    def put_status(self, status: StationNote) -> None:
        """Latest only."""
        with self._lock:
            self._status = (status, time.monotonic())
        self._ring()

    def put_event(self, event: EventNote) -> None:
        """In order; the oldest gives way, and the window hears of a gap."""
        with self._lock:
            if len(self._events) >= MAX_EVENTS:
                lost = self._events.popleft().n
                self._gap = Gap(first=self._gap.first if self._gap else lost, last=lost)
            self._events.append(event)
        self._ring()

    def put_gap(self, gap: Gap) -> None:
        """Events that the server no longer has."""
        with self._lock:
            self._gap = gap
        self._ring()

    def put_picture(self, header: PreviewHeader, image: QImage) -> None:
        """Latest only for each camera."""
        with self._lock:
            if header.camera in self._pictures:
                self.dropped_pictures += 1
            self._pictures[header.camera] = Picture(header, image, time.monotonic())
        self._ring()

    def take(self, at_most: int) -> Taken:
        """Everything, but no more than so many events; `more` says that some are left."""
        with self._lock:
            self._pending = False
            events = tuple(self._events.popleft() for _ in range(min(at_most, len(self._events))))
            taken = Taken(
                tuple(self._facts), self._status, events, self._gap, tuple(self._pictures.values()), bool(self._events)
            )
            self._facts.clear()
            self._pictures.clear()
            self._status = self._gap = None
        return taken

    def _ring(self) -> None:
        with self._lock:
            if self._pending:
                return
            self._pending = True
        self.wake()
