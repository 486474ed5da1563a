"""Who owns which part, and the counters: both under one lock, so that the books always balance (rule 1)."""

from __future__ import annotations

import threading
from collections import Counter
from enum import Enum, auto, unique

from partsight.domain.frame import Frame
from partsight.domain.reasons import Reason
from partsight.domain.status import Counters
from partsight.domain.trigger import Trigger
from partsight.domain.verdict import Result, Verdict
from partsight.domain.views import View


@unique
class Stage(Enum):
    """Where a part is on its way.

        WAITING ──► QUEUED ──► JUDGING ──► DONE
           └───────────┴──────────┴─ claim ─┘
    WAITING: for its frames. QUEUED: has them. JUDGING: the inference thread works on it.
    DONE: has its one verdict.
    """

    WAITING = auto()
    QUEUED = auto()
    JUDGING = auto()
    DONE = auto()


class Part:
    """A part in flight. Its fields are guarded by the ledger's lock; `frames` and `failed` by `stage`.

    known: it belongs to a challenge test; set once, before any other thread sees the part.
    """

    __slots__ = ("failed", "frame_ns", "frames", "known", "stage", "trigger", "verdict", "verdict_ns")

    def __init__(self, trigger: Trigger) -> None:
        self.trigger = trigger
        self.stage = Stage.WAITING
        self.frames: list[Frame] = []
        self.failed: list[View] = []
        self.frame_ns: int | None = None
        self.known = False
        self.verdict: Verdict | None = None
        self.verdict_ns = 0


class Ledger:
    """Opens parts, hands them on, and lets each be claimed exactly once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self._open: dict[int, Part] = {}
        self._triggers = 0
        self._results: Counter[Result] = Counter()
        self._reasons: Counter[int] = Counter()
        self._late = 0
        self._missed = 0
        self._frames_dropped = 0
        self._images_dropped = 0

    def open(self, trigger: Trigger) -> Part:
        """Count an accepted trigger; from here on it owes a verdict."""
        part = Part(trigger)
        with self._lock:
            self._triggers += 1
            self._open[trigger.sequence] = part
        return part

    def add_view(self, part: Part, view: Frame | View, views_needed: int, at_ns: int) -> bool:
        """Give a waiting part one camera's frame or failure; True when that was the last: it is QUEUED now."""
        with self._lock:
            if part.stage is not Stage.WAITING:
                return False
            if isinstance(view, Frame):
                part.frames.append(view)
            else:
                part.failed.append(view)
            if len(part.frames) + len(part.failed) < views_needed:
                return False
            part.stage = Stage.QUEUED
            part.frame_ns = at_ns
            return True

    def take(self, part: Part) -> bool:
        """The inference thread begins; False where the part has its verdict already."""
        with self._lock:
            if part.stage is not Stage.QUEUED:
                return False
            part.stage = Stage.JUDGING
            return True

    def claim(self, part: Part, verdict: Verdict, at_ns: int) -> Stage | None:
        """Give the part its one verdict. The stage it was in, or None where another was first."""
        with self._lock:
            if part.stage is Stage.DONE:
                return None
            before, part.stage = part.stage, Stage.DONE
            part.verdict, part.verdict_ns = verdict, at_ns
            del self._open[part.trigger.sequence]
            self._results[verdict.result] += 1
            if verdict.code:
                self._reasons[verdict.code] += 1
            if verdict.code == Reason.NOT_RUNNING:
                self._missed += 1
            if not self._open:
                self._idle.notify_all()
            return before

    def count_late(self) -> None:
        """A model answered after the deadline had rejected its part."""
        with self._lock:
            self._late += 1

    def count_dropped_frame(self, count: int = 1) -> None:
        """Free run passed over frames; they were never parts."""
        with self._lock:
            self._frames_dropped += count

    def count_dropped_image(self) -> None:
        """The archive had no room in its queue."""
        with self._lock:
            self._images_dropped += 1

    def set_images_lost(self, total: int) -> None:
        """All that the archive has lost so far, for whatever reason; the queue's losses are among them."""
        with self._lock:
            self._images_dropped = max(self._images_dropped, total)

    def open_parts(self) -> list[Part]:
        """The parts that still owe a verdict, in the order of their triggers."""
        with self._lock:
            return sorted(self._open.values(), key=lambda part: part.trigger.sequence)

    def wait_until_none_open(self, timeout_s: float) -> bool:
        """True once no part is in flight."""
        with self._lock:
            return self._idle.wait_for(lambda: not self._open, timeout_s)

    def snapshot(self) -> Counters:
        """All counters of one instant."""
        with self._lock:
            return Counters(
                triggers=self._triggers,
                ok=self._results[Result.OK],
                ng=self._results[Result.NG],
                review=self._results[Result.REVIEW],
                invalid=self._results[Result.INVALID],
                in_flight=len(self._open),
                late=self._late,
                missed=self._missed,
                frames_dropped=self._frames_dropped,
                images_dropped=self._images_dropped,
                by_reason=dict(self._reasons),
            )
