"""Verdicts into the records: at once where possible, later in order where not, never forgotten (rule 4)."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import structlog

from partsight.domain.errors import RecordsError, RecordsUnavailable
from partsight.domain.inspection import Inspection
from partsight.domain.ports import Clock, Records
from partsight.domain.reasons import Reason
from partsight.station.faults import FaultBoard

log = structlog.get_logger(__name__)

WAITING_LIMIT = 1000
RETRY_S = 0.5
FAULT = "records"


class Recorder:
    """Only the inference thread commits; other threads `keep` what it shall record."""

    def __init__(self, records: Records, faults: FaultBoard, clock: Clock) -> None:
        self._records = records
        self._faults = faults
        self._clock = clock
        self._waiting: deque[Inspection] = deque()
        self._retry_ns = 0

    def __len__(self) -> int:
        """Verdicts that were given and wait to be recorded."""
        return len(self._waiting)

    def commit(self, inspection: Inspection) -> RecordsError | None:
        """Write one inspection now; the error where that failed, which is shown as a fault too."""
        try:
            if inspection.trigger.sequence < 0:  # no number was to be had when its trigger came
                sequence = self._records.reserve(1)
                inspection = replace(inspection, trigger=replace(inspection.trigger, sequence=sequence))
            self._records.commit(inspection)
        except RecordsError as error:
            self.fault(error)
            return error
        self._faults.clear(FAULT)
        return None

    def record(self, inspection: Inspection) -> None:
        """Write a verdict that has left already, in the order in which they left."""
        if self._waiting or self.commit(inspection) is not None:
            self.keep(inspection)

    def keep(self, inspection: Inspection) -> None:
        """Record it as soon as possible. Any thread; returns at once."""
        self._waiting.append(inspection)

    def write_waiting(self, *, now: bool = False) -> None:
        """Write what waits; after a failure not before a pause, unless `now`."""
        if not self._waiting or (not now and self._clock.monotonic_ns() < self._retry_ns):
            return
        while self._waiting:
            error = self.commit(self._waiting[0])
            if isinstance(error, RecordsUnavailable):
                break
            inspection = self._waiting.popleft()
            if error is not None:
                # No later try can succeed; waiting for it would keep every other record out.
                log.error("a record cannot be stored", sequence=inspection.trigger.sequence, error=str(error))
        while len(self._waiting) > WAITING_LIMIT:
            # Its verdict stays in the latch file and is recorded at the next start, without its details.
            lost = self._waiting.popleft()
            log.error("a record's details are lost", sequence=lost.trigger.sequence, waiting=WAITING_LIMIT)

    def fault(self, error: RecordsError) -> None:
        """Records cannot be written: people must know, and the next try must wait."""
        self._retry_ns = self._clock.monotonic_ns() + int(RETRY_S * 1e9)
        self._faults.raise_(
            FAULT, str(error), "free disk space, or end the program that locks the database", code=Reason.RECORD_FAILED
        )
