"""Which frame belongs to which trigger: pure book-keeping for one camera, without threads.

A verdict must never be about another part's frame (rule 3). So a frame is paired only where that is certain;
where it is not, the part is failed, which costs one reject.

Cameras that answer a software trigger number their frames, and a frame that was lost on the way counts on. The
n-th trigger therefore expects one certain number. A frame with a lower number came too late for its part and is
dropped; a higher one proves that the frames between were lost. When a camera ignores a trigger its numbers fall
behind; this shows as a too low number long after the last time-out, and the numbering is taken anew.

Cameras that stream by themselves give a part the first frame whose exposure began after its trigger.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from partsight.domain.frame import Grab
from partsight.station.ledger import Part


@dataclass(slots=True)
class _Waiting:
    part: Part
    since_ns: int
    expected_id: int | None


class Pairing:
    """Triggers that wait for a frame of one camera, first in first out.

    triggered: the camera gives one frame for each trigger; else it streams.
    period_ns: time between the frames of a streaming camera (0: not known).
    timeout_ns: after which a trigger's frame is taken as lost.
    depth: how many triggers may wait.
    """

    def __init__(self, *, triggered: bool, period_ns: int, timeout_ns: int, depth: int) -> None:
        self._triggered = triggered
        self._period_ns = period_ns
        self._timeout_ns = timeout_ns
        self._depth = depth
        self._waiting: deque[_Waiting] = deque()
        self._last_id: int | None = None
        self._unanswered = 0
        self._last_timeout_ns = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def fail_all(self) -> list[Part]:
        """Gives back every waiting part."""
        parts = [w.part for w in self._waiting]
        self._unanswered += len(parts)
        self._waiting.clear()
        return parts

    def request(self, part: Part, now_ns: int) -> bool:
        """The part waits for its frame from now on; False where too many wait already."""
        if len(self._waiting) >= self._depth:
            return False
        if not self._waiting and now_ns - self._last_timeout_ns > self._timeout_ns:
            self._unanswered = 0  # what has not come by now never will
        expected = None
        if self._triggered and self._last_id is not None:
            expected = self._last_id + 1 + self._unanswered + len(self._waiting)
        self._waiting.append(_Waiting(part, now_ns, expected))
        return True

    def frame(self, grab: Grab, arrived_ns: int) -> tuple[Part | None, list[Part]]:
        """Whose frame this is (None: nobody's), and the parts whose frames are now known to be lost."""
        if not self._triggered:
            return self._from_stream(arrived_ns), []
        before, self._last_id = self._last_id, grab.device_id
        if not self._waiting:
            came = grab.device_id - before if grab.device_id is not None and before is not None else 1
            self._unanswered = max(0, self._unanswered - max(1, came))
            return None, []
        expected = self._waiting[0].expected_id
        if grab.device_id is None or expected is None:
            return self._unnumbered(grab, arrived_ns)
        if before is not None and grab.device_id <= before:
            return None, self._renumber(grab)  # the camera started anew by itself
        if grab.device_id < expected:
            if arrived_ns - self._last_timeout_ns > 2 * self._timeout_ns:
                return None, self._renumber(grab)
            self._unanswered = expected - grab.device_id - 1
            return None, []
        self._unanswered = 0  # whoever waited before this number has been given up or is lost now
        lost = []
        while self._waiting and (self._waiting[0].expected_id or 0) < grab.device_id:
            lost.append(self._waiting.popleft().part)
        if not self._waiting:
            return None, lost
        return self._waiting.popleft().part, lost

    def overdue(self, now_ns: int) -> list[Part]:
        """The parts that have waited too long; each is given up."""
        parts = []
        while self._waiting and now_ns - self._waiting[0].since_ns > self._timeout_ns:
            parts.append(self._waiting.popleft().part)
            self._unanswered += 1
            self._last_timeout_ns = now_ns
        return parts

    def _from_stream(self, arrived_ns: int) -> Part | None:
        if self._waiting and arrived_ns - self._period_ns >= self._waiting[0].since_ns:
            return self._waiting.popleft().part
        return None

    def _unnumbered(self, grab: Grab, arrived_ns: int) -> tuple[Part | None, list[Part]]:
        """The first frame after opening, or a camera that does not number its frames."""
        if self._unanswered and arrived_ns - self._last_timeout_ns <= 2 * self._timeout_ns:
            self._unanswered -= 1  # may be the late frame of a part that was given up
            return None, [self._waiting.popleft().part]
        self._unanswered = 0
        part = self._waiting.popleft().part
        if grab.device_id is not None:
            for i, waiting in enumerate(self._waiting, 1):
                waiting.expected_id = grab.device_id + i
        return part, []

    def _renumber(self, grab: Grab) -> list[Part]:
        """Give up all that wait and count from this frame on."""
        parts = [w.part for w in self._waiting]
        self._waiting.clear()
        self._unanswered = len(parts)
        self._last_timeout_ns = 0
        self._last_id = grab.device_id
        return parts
