"""Which frame belongs to which trigger: pure book-keeping for one camera, without threads.

A verdict must never be about another part's frame (rule 3). So a frame is paired only where that is certain; where
it is not, the part is failed, which costs a reject.

Cameras that count their triggers (`CameraInfo.first_id`) say with each frame which trigger it answers: a higher number
proves that the frames between were lost, a lower one that the frame came too late for its part.

Other triggered cameras may lose a frame, ignore a trigger or be late, and nothing tells which. They get one trigger
at a time, and after one that was not answered none until no late frame can come any more (twice the time-out).

Cameras that stream by themselves give a part the first frame whose exposure began after its trigger.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum, auto, unique

from partsight.domain.frame import Grab
from partsight.station.ledger import Part


@unique
class Request(Enum):
    """What became of a request for a frame. Only with WAITS may the camera be triggered."""

    WAITS = auto()
    FULL = auto()
    UNSURE = auto()


@dataclass(frozen=True, slots=True)
class _Waiting:
    part: Part
    since_ns: int
    device_id: int | None


class Pairing:
    """Triggers that wait for a frame of one camera, first in first out.

    triggered: the camera gives one frame for each trigger; else it streams.
    first_id: see `CameraInfo`.
    period_ns: time between the frames of a streaming camera (0: not known).
    timeout_ns: after which a trigger's frame is taken as lost.
    depth: how many triggers may wait.
    """

    def __init__(self, *, triggered: bool, first_id: int | None, period_ns: int, timeout_ns: int, depth: int) -> None:
        self._triggered = triggered
        self._next_id = first_id if triggered else None
        self._alone = triggered and first_id is None
        self._period_ns = period_ns
        self._timeout_ns = timeout_ns
        self._depth = depth
        self._waiting: deque[_Waiting] = deque()
        self._quiet_until_ns = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def request(self, part: Part, now_ns: int) -> Request:
        """The part waits for its frame from now on, unless too many do or its frame could not be told from others."""
        if self._alone and (self._waiting or now_ns < self._quiet_until_ns):
            return Request.UNSURE
        if len(self._waiting) >= self._depth:
            return Request.FULL
        self._waiting.append(_Waiting(part, now_ns, self._next_id))
        if self._next_id is not None:
            self._next_id += 1
        return Request.WAITS

    def refused(self, part: Part) -> bool:
        """The camera refused the trigger of the newest request. True where the part still waited."""
        if not self._waiting or self._waiting[-1].part is not part:
            return False
        self._waiting.pop()
        if self._next_id is not None:
            self._next_id -= 1
        return True

    def frame(self, grab: Grab, arrived_ns: int) -> tuple[Part | None, list[Part]]:
        """Whose frame this is (None: nobody's), and the parts whose frames are now known to be lost."""
        if not self._waiting:
            return None, []
        if self._next_id is not None:
            return self._numbered(grab)
        if self._triggered or arrived_ns - self._period_ns >= self._waiting[0].since_ns:
            return self._waiting.popleft().part, []
        return None, []

    def overdue(self, now_ns: int) -> list[Part]:
        """The parts that have waited too long; each is given up."""
        parts = []
        while self._waiting and now_ns - self._waiting[0].since_ns > self._timeout_ns:
            parts.append(self._give_up_first())
        return parts

    def fail_all(self) -> list[Part]:
        """Give up every waiting part."""
        return [self._give_up_first() for _ in range(len(self._waiting))]

    def _give_up_first(self) -> Part:
        waiting = self._waiting.popleft()
        self._quiet_until_ns = waiting.since_ns + 2 * self._timeout_ns
        return waiting.part

    def _numbered(self, grab: Grab) -> tuple[Part | None, list[Part]]:
        number = grab.device_id
        if number is None:
            return None, []  # a frame without a number from a camera that numbers them: it may be anybody's
        lost = []
        while self._waiting and (self._waiting[0].device_id or 0) < number:
            lost.append(self._waiting.popleft().part)
        if self._waiting and self._waiting[0].device_id == number:
            return self._waiting.popleft().part, lost
        return None, lost
