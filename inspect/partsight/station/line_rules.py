"""When a run of verdicts must stop the line, and when a challenge test is due: pure counting."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from partsight.domain.inspection import Inspection
from partsight.domain.reasons import Reason
from partsight.domain.verdict import Result

SHARE_WINDOW = 100
NOT_SEEN = frozenset(
    {Reason.NOT_RUNNING, Reason.RESTART, Reason.SHUTDOWN, Reason.CAMERA_LOST, Reason.OVERLOAD, Reason.RECORD_FAILED}
)
"""Reasons of parts that nobody looked at: they say nothing about parts or camera."""


@dataclass(frozen=True, slots=True)
class LineRules:
    """What a site sets; 0 switches a rule off.

    rejects_in_a_row, invalid_in_a_row: parts. reject_share: of the last 100 parts, 0..1.
    challenge_after: parts without a reject after which a challenge test is due. shift_starts: local times from which on
    one is due; challenge_on_change: after each change of recipe, model or cameras. challenge_required: while one is due
    no part is served.
    acknowledge: the PLC acknowledges each verdict. slots: verdicts that may wait for that.
    plc_timeout_s: silence of the PLC that suspends the station.
    self_test_parts: parts sent through the whole lane before the station is ready.
    latency_share: of the deadline that these, and later the p99 of real parts, may take.
    """

    rejects_in_a_row: int = 5
    reject_share: float = 0.5
    invalid_in_a_row: int = 3
    challenge_after: int = 0
    shift_starts: tuple[time, ...] = ()
    challenge_on_change: bool = False
    challenge_required: bool = False
    acknowledge: bool = False
    slots: int = 8
    plc_timeout_s: float = 0.0
    self_test_parts: int = 5
    latency_share: float = 0.7


def shift_start(starts: Sequence[time], now: datetime) -> datetime | None:
    """The newest start of a shift that is not after `now`, by the machine's time zone; None without shifts.

    now: with a time zone. A start that the clock passes over in spring counts an hour earlier.
    """
    today = now.astimezone().date()
    days = (today, today - timedelta(days=1), today - timedelta(days=2))
    begun = [at for day in days for start in starts if (at := datetime.combine(day, start).astimezone()) <= now]
    return max(begun, default=None)


@dataclass(frozen=True, slots=True)
class Stop:
    """Why the line must stop."""

    reason: Reason
    text: str


class Watch:
    """Counts verdicts against the rules. One caller at a time."""

    def __init__(self, rules: LineRules) -> None:
        self._rules = rules
        self._rejects = self._invalid = self._since_reject = 0
        self._last: deque[bool] = deque(maxlen=SHARE_WINDOW)

    def restart(self) -> None:
        """Count anew: somebody has acknowledged a stop."""
        self._rejects = self._invalid = 0
        self._last.clear()

    def challenged(self) -> None:
        """A challenge test has passed."""
        self._since_reject = 0

    @property
    def challenge_due(self) -> bool:
        """True after too many parts without a reject: the camera may be blind."""
        return bool(self._rules.challenge_after) and self._since_reject >= self._rules.challenge_after

    def see(self, inspection: Inspection) -> Stop | None:
        """Count one verdict; the rule that it broke, if it did."""
        result = inspection.verdict.result
        if result is Result.INVALID and inspection.verdict.code in NOT_SEEN:
            return None
        rejected = result is not Result.OK
        self._invalid = self._invalid + 1 if result is Result.INVALID else 0
        self._rejects = self._rejects + 1 if rejected else 0
        self._since_reject = 0 if rejected else self._since_reject + 1
        self._last.append(rejected)
        rules = self._rules
        if rules.invalid_in_a_row and self._invalid >= rules.invalid_in_a_row:
            return Stop(Reason.INVALID_IN_A_ROW, f"{self._invalid} parts in a row could not be judged")
        if rules.rejects_in_a_row and self._rejects >= rules.rejects_in_a_row:
            return Stop(Reason.REJECTS_IN_A_ROW, f"{self._rejects} rejects in a row")
        share = sum(self._last) / SHARE_WINDOW
        if rules.reject_share and len(self._last) == SHARE_WINDOW and share > rules.reject_share:
            return Stop(Reason.REJECT_SHARE, f"{share:.0%} of the last {SHARE_WINDOW} parts were rejected")
        return None


class Acknowledgements:
    """The verdicts that the PLC has not taken yet, as a ring of ids. One caller at a time."""

    def __init__(self, rules: LineRules) -> None:
        self._required = rules.acknowledge
        self._slots = rules.slots
        self._waiting: deque[int] = deque()
        self._taken = 0
        self.overrun = False

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def free(self) -> bool:
        """True while another verdict has a slot."""
        return not self._required or len(self._waiting) < self._slots

    def sent(self, part_id: int) -> None:
        """A verdict has left."""
        if self._required:
            self._waiting.append(part_id)

    def taken(self, part_id: int) -> bool:
        """The PLC has every verdict up to this id; False for an id that is not waiting nor the last taken one."""
        if part_id not in self._waiting:
            return part_id == self._taken or not self._required
        while self._waiting.popleft() != part_id:
            pass
        self._taken = part_id
        return True
