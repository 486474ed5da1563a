"""What the line let out, held against what was on the belt. The truth never travels with a verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from partsight.domain.frame import Truth as TruthOfFrame
from partsight.domain.frame import TruthBox
from partsight.outputs.records.reader import Query, RecordsReader
from partsight.testing.plc.tracking import Passage

if TYPE_CHECKING:
    from partsight.cameras.simulated.camera import SimulatedSettings

Truth = Callable[[Sequence[Passage]], list[bool | None]]
"""For each part: True where it was good, False where it must not pass, None where nobody knows."""


@dataclass(frozen=True, slots=True)
class Score:
    """escapes: bad parts that passed. overkill: good parts that were rejected, with the reason of each.

    unknown_passed, unknown_rejected: parts of which nobody knows what they were.
    """

    parts: int
    good: int
    bad: int
    escapes: tuple[Passage, ...]
    passed_good: int
    overkill: Counter[str]
    rejected_bad: int
    unknown_passed: int
    unknown_rejected: Counter[str]

    @property
    def good_rejected(self) -> int:
        """Good parts that did not pass."""
        return sum(self.overkill.values())

    @classmethod
    def of(cls, passages: Sequence[Passage], truth: Truth | None = None) -> Score:
        """Count. Without a truth every part is unknown."""
        known = truth(passages) if truth is not None else [None] * len(passages)
        pairs = list(zip(passages, known, strict=True))
        return cls(
            parts=len(pairs),
            good=sum(good is True for _, good in pairs),
            bad=sum(good is False for _, good in pairs),
            escapes=tuple(p for p, good in pairs if good is False and p.passed),
            passed_good=sum(good is True and p.passed for p, good in pairs),
            overkill=Counter(p.why for p, good in pairs if good is True and not p.passed),
            rejected_bad=sum(good is False and not p.passed for p, good in pairs),
            unknown_passed=sum(good is None and p.passed for p, good in pairs),
            unknown_rejected=Counter(p.why for p, good in pairs if good is None and not p.passed),
        )


def planned_truth(settings: SimulatedSettings) -> Truth:
    """From the simulated camera's settings alone: its world is decided by seed and number.

    The camera puts the next part under its lens at each trigger that the station latched, and begins anew where the
    station does. Where the station did not say whether it latched one, the numbers behind it are not known.
    """
    from partsight.cameras.simulated.world import World  # brings OpenCV

    world = World(settings)

    def truth(passages: Sequence[Passage]) -> list[bool | None]:
        numbers: dict[int, int | None] = {}
        known: list[bool | None] = []
        for passage in passages:
            number = numbers.get(passage.epoch, 0)
            if not passage.id or passage.latched is False or number is None:
                known.append(None)
                continue
            if passage.latched is None:
                numbers[passage.epoch] = None
                known.append(None)
                continue
            plan = world.plan(number)
            numbers[passage.epoch] = number + 1
            boxes = tuple(TruthBox(kind, (0.0, 0.0, 0.0, 0.0)) for kind in plan.kinds)
            known.append(TruthOfFrame(plan.place, boxes).good)
        return known

    return truth


def recorded_truth(data: Path) -> Truth:
    """From the records of a station with a simulated camera: what the camera knew of the picture that was judged.

    Right whatever was lost on the wire, since no pass leaves before its record. Parts that were never judged have no
    picture, and so no truth.
    """

    def truth(passages: Sequence[Passage]) -> list[bool | None]:
        with RecordsReader.open(data) as records:
            return [_recorded(records, passage) for passage in passages]

    return truth


def _recorded(records: RecordsReader, passage: Passage) -> bool | None:
    if not passage.id:
        return None
    for record in records.inspections(Query(part_id=str(passage.number))):
        trigger = record.trigger
        # Modbus shows an epoch's low 16 bits only.
        if trigger.id == passage.id and trigger.epoch & 0xFFFF == passage.epoch & 0xFFFF:
            return None if record.truth is None else record.truth.good
    return None
