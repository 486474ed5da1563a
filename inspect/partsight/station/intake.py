"""Accepting triggers: a number that was never used, and a latch that survives a killed process (rule 1)."""

from __future__ import annotations

import threading

from partsight.domain.errors import RecordsError
from partsight.domain.ports import Clock, Records
from partsight.domain.trigger import Trigger, TriggerKind
from partsight.station.ledger import Ledger, Part

SEQUENCE_BLOCK = 1024
SEQUENCE_RESERVE = 256
PART_ID_LENGTH = 256


class Intake:
    """Turns a call into a part in flight. Thread-safe."""

    def __init__(self, records: Records, ledger: Ledger, clock: Clock, epoch: int, deadline_ms: float) -> None:
        self._records = records
        self._ledger = ledger
        self._clock = clock
        self._epoch = epoch
        self._deadline_ns = int(deadline_ms * 1e6)
        self._lock = threading.Lock()
        self._blocks: list[range] = []
        self._unreserved = 0

    def accept(
        self,
        kind: TriggerKind,
        at_ns: int,
        part_id: str = "",
        id_: int | None = None,
        encoder: int | None = None,
    ) -> tuple[Part, RecordsError | None]:
        """A new part, and the error where its trigger could not be latched: then it must be rejected."""
        sequence, error = self._take_sequence()
        trigger = Trigger(
            sequence=sequence,
            id=id_ or (sequence - 1) % 65535 + 1,
            epoch=self._epoch,
            kind=kind,
            at=self._clock.utc(),
            at_ns=at_ns,
            deadline_ns=at_ns + self._deadline_ns,
            part_id=_storable(part_id),
            encoder=encoder,
        )
        part = self._ledger.open(trigger)
        if error is not None:
            return part, error
        try:
            self._records.latch(trigger)
        except RecordsError as problem:
            return part, problem
        return part, None

    def reserve_ahead(self) -> None:
        """Reserve the next block before the last is used up, off the trigger's path. Raises RecordsError."""
        with self._lock:
            left = sum(len(block) for block in self._blocks)
        if left < SEQUENCE_RESERVE:
            first = self._records.reserve(SEQUENCE_BLOCK)
            with self._lock:
                self._blocks.append(range(first, first + SEQUENCE_BLOCK))

    def _take_sequence(self) -> tuple[int, RecordsError | None]:
        with self._lock:
            while self._blocks and not self._blocks[0]:
                self._blocks.pop(0)
            if not self._blocks:
                try:
                    first = self._records.reserve(SEQUENCE_BLOCK)
                except RecordsError as error:
                    # Neither latched nor recorded can be what has no number: below zero none is another's.
                    self._unreserved -= 1
                    return self._unreserved, error
                self._blocks.append(range(first, first + SEQUENCE_BLOCK))
            sequence = self._blocks[0][0]
            self._blocks[0] = self._blocks[0][1:]
            return sequence, None


def _storable(part_id: str) -> str:
    """What every record, file name and message can hold: valid text without a NUL, at most PART_ID_LENGTH long."""
    return part_id.encode("utf-8", "replace").decode().replace("\0", "?")[:PART_ID_LENGTH]
