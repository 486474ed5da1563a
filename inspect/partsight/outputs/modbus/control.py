"""The registers that the PLC writes: words first, then edges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from partsight.outputs.modbus.registers import FIRST_WRITTEN, LAST_WRITTEN, Control, Write, from_two_words


@dataclass(frozen=True, slots=True)
class Change:
    """What one write did. `confirmed`: rejects confirmed since the last write."""

    rising: Control
    falling: Control
    beat: bool
    confirmed: int


class ControlWords:
    """Ten words, kept whoever wrote them. One thread calls all of it."""

    def __init__(self) -> None:
        self._words = [0] * (LAST_WRITTEN - FIRST_WRITTEN + 1)

    def write(self, address: int, values: Sequence[int]) -> Change | None:
        """Take all words of a write at once, so that a trigger finds its own part number. None: not writable."""
        start = address - FIRST_WRITTEN
        if start < 0 or not values or start + len(values) > len(self._words):
            return None
        before = self._words
        self._words = [*before[:start], *(value & 0xFFFF for value in values), *before[start + len(values) :]]
        old, new = Control(before[1] & 0xFF), Control(self._words[1] & 0xFF)
        return Change(
            rising=new & ~old,
            falling=old & ~new,
            beat=self._words[0] != before[0],
            confirmed=self._confirmed(before),
        )

    def _confirmed(self, before: list[int]) -> int:
        index = Write.REJECTS_CONFIRMED - FIRST_WRITTEN
        more = (self._words[index] - before[index]) & 0xFFFF
        # A PLC that starts anew counts from 0 again: a step back confirms nothing.
        return more if more < 0x8000 else 0

    def word(self, register: Write) -> int:
        """One register."""
        return self._words[register - FIRST_WRITTEN]

    def number(self, register: Write) -> int:
        """The 32 bits that begin at a register."""
        return from_two_words(self.word(register), self._words[register - FIRST_WRITTEN + 1])

    def words(self, address: int, count: int) -> list[int] | None:
        """What was written, None outside the ten registers."""
        start = address - FIRST_WRITTEN
        if start < 0 or start + count > len(self._words):
            return None
        return self._words[start : start + count]
