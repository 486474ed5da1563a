"""The shift register and the gate: pure, driven by encoder counts; nothing here knows a network or a clock."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum, unique

WORD = 1 << 32
PASS = 0


@unique
class Policy(str, Enum):
    """What opens the gate. Only the first is right; the others are here to see what they let out.

    PASS_ONLY: a pass for this part's epoch and id came before the gate, no reject did, and the station lives.
    REJECT_ON_FAIL: everything passes for which no reject came in time.
    LAST_VALUE: the newest action counts, whichever part it was for.
    """

    PASS_ONLY = "pass-only"  # noqa: S105 - no password
    REJECT_ON_FAIL = "reject-on-fail"
    LAST_VALUE = "last-value"


@dataclass(frozen=True, slots=True)
class Answered:
    """A verdict as a receiver reads it. action: 0 pass, 1 reject, 2 hold."""

    epoch: int
    id: int
    action: int
    result: int = 0
    code: int = 0


@unique
class Taken(str, Enum):
    """What became of a verdict at the receiver."""

    TAKEN = "taken"
    STALE = "older epoch"
    OTHER_EPOCH = "not the part's epoch"
    UNKNOWN = "id not in the shift register"
    LATE = "past its gate"
    REPEATED = "repeated"


@dataclass(slots=True)
class Cell:
    """One part between sensor and gate. id 0: it was not triggered. action None: no verdict so far."""

    number: int
    encoder: int
    epoch: int = 0
    id: int = 0
    action: int | None = None
    result: int = 0
    why_untriggered: str = ""
    latched: bool | None = None


@dataclass(frozen=True, slots=True)
class Passage:
    """A part at the gate: did it pass, and why (not). latched: the station said whether it took the trigger."""

    number: int
    epoch: int
    id: int
    passed: bool
    why: str
    encoder: int
    latched: bool | None
    action: int | None = None


def distance(now: int, then: int) -> int:
    """Counts from `then` to `now`, across the turn of a 32-bit encoder; negative where it ran backwards."""
    counts = (now - then) % WORD
    return counts - WORD if counts >= WORD // 2 else counts


class ShiftRegister:
    """Parts in belt order. gate_counts: from part sensor to gate. uncounted: epochs whose triggers are not all ours."""

    def __init__(self, gate_counts: int, policy: Policy = Policy.PASS_ONLY) -> None:
        self.policy = policy
        self.epoch = 0
        self.last_action: int | None = None
        self.uncounted: set[int] = set()
        self._gate_counts = gate_counts
        self._cells: deque[Cell] = deque()

    def __len__(self) -> int:
        return len(self._cells)

    def enter(self, number: int, encoder: int) -> Cell:
        """A part is at the sensor."""
        cell = Cell(number, encoder % WORD)
        self._cells.append(cell)
        return cell

    def see_epoch(self, epoch: int) -> bool:
        """The station's boot counter. True where it is another than before; it never goes back."""
        if epoch <= self.epoch:
            return False
        self.epoch = epoch
        return True

    def find(self, id_: int) -> Cell | None:
        """The newest part with this id that has not reached the gate."""
        return next((cell for cell in reversed(self._cells) if id_ and cell.id == id_), None)

    def latch(self, id_: int, *, accepted: bool) -> None:
        """The station said whether it took the trigger."""
        cell = self.find(id_)
        if cell is not None:
            cell.latched = accepted

    def take(self, verdict: Answered, encoder: int) -> Taken:
        """A verdict came. The first pass counts until the gate; any other action stands for good."""
        if verdict.epoch < self.epoch:
            return Taken.STALE
        self.see_epoch(verdict.epoch)
        self.last_action = verdict.action
        cell = self.find(verdict.id)
        if cell is None:
            return Taken.UNKNOWN
        if cell.epoch != verdict.epoch:
            return Taken.OTHER_EPOCH
        if distance(encoder, cell.encoder) >= self._gate_counts:
            return Taken.LATE
        if cell.action is not None and (cell.action != PASS or verdict.action == PASS):
            return Taken.REPEATED
        cell.action, cell.result = verdict.action, verdict.result
        return Taken.TAKEN

    def acknowledgeable(self) -> int:
        """The newest id up to which every part still here has its verdict; 0 for none."""
        newest = 0
        for cell in self._cells:
            if cell.id and cell.action is None:
                break
            newest = cell.id or newest
        return newest

    def at_gate(self, encoder: int, *, trusted: bool) -> list[Passage]:
        """The parts that reach the gate now, decided. trusted: the station's heartbeat is heard."""
        passages = []
        while self._cells and distance(encoder, self._cells[0].encoder) >= self._gate_counts:
            cell = self._cells.popleft()
            passed, why = self._decide(cell, trusted)
            latched = None if cell.epoch in self.uncounted else cell.latched
            passages.append(Passage(cell.number, cell.epoch, cell.id, passed, why, cell.encoder, latched, cell.action))
        return passages

    def _decide(self, cell: Cell, trusted: bool) -> tuple[bool, str]:
        if self.policy is Policy.LAST_VALUE:
            # As programs do that begin with 'good': nothing heard yet passes.
            return self.last_action in (None, PASS), "last value"
        if self.policy is Policy.REJECT_ON_FAIL:
            return cell.action in (None, PASS), "no reject" if cell.action is None else "verdict"
        if not trusted:
            return False, "station is not heard"
        if not cell.id:
            return False, cell.why_untriggered or "not triggered"
        if cell.action is None:
            return False, "no verdict in time"
        return cell.action == PASS, "verdict"
