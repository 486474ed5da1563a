"""Results as the registers hold them: the one that is shown, and the ring of the last eight."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

from partsight.domain.inspection import Inspection
from partsight.domain.reasons import DEFECT_BASE, Reason
from partsight.domain.status import Mode
from partsight.domain.verdict import Action, Result
from partsight.outputs.modbus.registers import RESULTS, Flag, one_word, two_words

NUMBERS = {Result.OK: 1, Result.NG: 2, Result.REVIEW: 3, Result.INVALID: 3}
"""Results as OPC 40001-101 numbers them; 3: not decidable."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One result in integers. `published_ns`, `deadline_ns`: the station's monotonic clock."""

    id: int
    result: int
    action: int
    code: int
    defects: int
    part: int
    encoder: int
    verdict_tenths: int
    published_ns: int
    deadline_ns: int
    flags: Flag

    def as_of(self, now_ns: int) -> Shown:
        """The same, or a reject where its pass would be given only now, after the deadline: none leaves after it."""
        in_time = now_ns <= self.deadline_ns
        if self.action != Action.PASS or in_time or Flag.BYPASS in self.flags:
            return self
        return replace(
            self,
            result=NUMBERS[Result.INVALID],
            action=int(Action.REJECT),
            code=int(Reason.DEADLINE),
            flags=self.flags | Flag.LATE,
        )


def shown(inspection: Inspection, now_ns: int) -> Shown:
    """A part's verdict in integers; BYPASS passes whatever the verdict."""
    trigger, verdict = inspection.trigger, inspection.verdict
    bypass = inspection.mode is Mode.BYPASS
    flags = (Flag.SIMULATED if inspection.simulated else Flag(0)) | (Flag.BYPASS if bypass else Flag(0))
    result = Shown(
        id=trigger.id,
        result=NUMBERS[verdict.result],
        action=int(Action.PASS if bypass else verdict.action),
        code=one_word(verdict.code),
        defects=one_word(sum(finding.code >= DEFECT_BASE for finding in verdict.findings)),
        part=part_number(trigger.part_id),
        encoder=(trigger.encoder or 0) & 0xFFFFFFFF,
        verdict_tenths=one_word((inspection.timings.verdict_ms or 0.0) * 10),
        published_ns=now_ns,
        deadline_ns=trigger.deadline_ns,
        flags=flags,
    )
    return result.as_of(now_ns)


def part_number(part_id: str) -> int:
    """The part's number where its id is one that fits into 32 bits, 0 else."""
    if not (part_id.isascii() and part_id.isdigit() and len(part_id) <= 10):
        return 0
    number = int(part_id)
    return number if number < 1 << 32 else 0


class Results:
    """The last eight results, each in a slot that it keeps. Not thread-safe: its owner holds the lock.

    With acknowledgement the shown result is the oldest that the PLC has not taken, and stays until it is;
    a ninth finds no slot, is counted, and overwrites nothing. Without, the newest is shown.
    """

    def __init__(self, *, acknowledge: bool) -> None:
        self._acknowledge = acknowledge
        self._slots: list[Shown | None] = [None] * RESULTS
        self._next = 0
        self._open: deque[int] = deque()
        self._shown: Shown | None = None
        self.toggle = False
        self.overrun = False
        self.overruns = 0
        self.newest_id = 0

    @property
    def unacknowledged(self) -> int:
        """Results that wait for the PLC; 0 where it need not acknowledge."""
        return len(self._open)

    @property
    def full(self) -> bool:
        """No slot for another result."""
        return len(self._open) >= RESULTS

    @property
    def current(self) -> Shown | None:
        """The result in registers 5 to 14."""
        return self._shown

    def add(self, result: Shown) -> bool:
        """Take a result. False where every slot holds one that the PLC has not taken: Overrun."""
        self.newest_id = result.id
        if self.full:
            self.overrun = True
            self.overruns += 1
            return False
        slot = self._next
        self._next = (slot + 1) % RESULTS
        self._slots[slot] = result
        if not self._acknowledge:
            self._show(result)
            return True
        self._open.append(slot)
        if len(self._open) == 1:
            self._show(result)
        return True

    def acknowledge(self, id_: int, now_ns: int) -> int:
        """The PLC has taken every result up to this one; how many that were, 0 for an id that does not wait."""
        waiting = [slot for slot in self._open if self._id(slot) == id_]
        if not waiting:
            return 0
        taken = 0
        while True:
            slot = self._open.popleft()
            self._mark(slot)
            taken += 1
            if slot == waiting[0]:
                break
        self._shown = None
        if self._open:
            following = self._slots[self._open[0]]
            assert following is not None
            self._show(following.as_of(now_ns))
        return taken

    def clear(self) -> None:
        """Everything counts as taken, and Overrun is over: the PLC begins anew."""
        for slot in self._open:
            self._mark(slot)
        if self._open:
            self._shown = None
        self._open.clear()
        self.overrun = False

    def words(self, now_ns: int) -> list[int]:
        """The ring's 64 words."""
        words: list[int] = []
        for result in self._slots:
            if result is None:
                words += [0] * 8
                continue
            age_ms = one_word((now_ns - result.published_ns) / 1e6)
            encoder = two_words(result.encoder)
            words += [result.id, result.result, result.action, result.code, *encoder, age_ms, int(result.flags)]
        return words

    def _show(self, result: Shown) -> None:
        self._shown = result
        self.toggle = not self.toggle

    def _id(self, slot: int) -> int:
        result = self._slots[slot]
        return 0 if result is None else result.id

    def _mark(self, slot: int) -> None:
        result = self._slots[slot]
        if result is not None:
            self._slots[slot] = replace(result, flags=result.flags | Flag.ACKNOWLEDGED)
