"""The station at one moment, as screens see it. Made in the link's thread, never in the fast lane."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import asdict, fields, is_dataclass
from datetime import datetime
from typing import Any

import numpy as np

from partsight import __version__
from partsight.api.line import ApiLine, Link
from partsight.domain.challenge import ChallengeTest, Outcome, Step
from partsight.domain.status import CameraStatus, Counters, Fault, Mode, StationStatus
from partsight.wire.message import clean
from partsight.wire.screen.challenge import ChallengeReport, ChallengeState, ChallengeStep, KitPart
from partsight.wire.screen.station import (
    CameraNote,
    CounterNumbers,
    DiskNote,
    FaultNote,
    LatencyNumbers,
    OutputNote,
    StationNote,
)

WINDOW = 2000
"""Parts that the percentiles are of."""
KEPT = 20_000
"""Parts that the rate is counted from: 333 a second over a minute."""
MINUTE_S = 60.0
LATENCY_EVERY_S = 1.0
DISK_EVERY_S = 2.0


class Pace:
    """How many parts a minute, and how quick. `see` is called by the fast lane; all else by one other thread."""

    def __init__(self) -> None:
        self._fresh: deque[tuple[float, float | None]] = deque(maxlen=KEPT)
        self._times: deque[float] = deque(maxlen=KEPT)
        self._verdicts_ms: deque[float] = deque(maxlen=WINDOW)
        self._latency = LatencyNumbers()
        self._changed = False
        self._due = 0.0

    def see(self, verdict_ms: float | None) -> None:
        """A part has its verdict. Appends, and nothing else."""
        self._fresh.append((time.monotonic(), verdict_ms))

    def take(self) -> None:
        """Take in what was seen."""
        while self._fresh:
            at, verdict_ms = self._fresh.popleft()
            self._times.append(at)
            if verdict_ms is not None:
                self._verdicts_ms.append(verdict_ms)
                self._changed = True

    def rate_per_min(self, now: float) -> float:
        """Parts over the last minute; where more were seen than are kept, from those that are."""
        while self._times and now - self._times[0] > MINUTE_S:
            self._times.popleft()
        if len(self._times) < KEPT:
            return float(len(self._times))
        return len(self._times) / max(now - self._times[0], 1e-3) * MINUTE_S

    def latency(self, now: float) -> LatencyNumbers:
        """Computed at most once a second, and only where parts came."""
        if self._changed and now >= self._due:
            values = np.fromiter(self._verdicts_ms, np.float64, len(self._verdicts_ms))
            p50, p95, p99 = np.percentile(values, (50, 95, 99))
            self._latency = LatencyNumbers(
                count=len(values), p50=float(p50), p95=float(p95), p99=float(p99), max=float(values.max())
            )
            self._changed, self._due = False, now + LATENCY_EVERY_S
        return self._latency


class Snapshots:
    """Makes `StationNote`s. For one thread, but for `pace.see`."""

    def __init__(self, line: ApiLine, pace: Pace) -> None:
        self._line = line
        self._pace = pace
        self._scales = {camera.name: camera.mm_per_px for camera in line.site.config.cameras}
        self._disk: DiskNote | None = None
        self._disk_due = 0.0
        self._bypass_since: datetime | None = None

    def now(self, run: str, previews_dropped: int = 0) -> StationNote:
        """One consistent set of counters; all else as near to it as a few locks allow."""
        line, now = self._line, time.monotonic()
        status, posture = line.station.status(), line.station.conduct.posture
        self._pace.take()
        self._note_bypass(status)
        counters = status.counters
        judged = counters.triggers - counters.in_flight
        return StationNote(
            api_run=run,
            software=f"partsight {__version__}",
            time=line.clock.utc(),
            name=status.name,
            epoch=status.epoch,
            state=status.state,
            packml_name=status.state.packml_name,
            ready=status.ready,
            alive=line.station.alive(),
            mode=status.mode,
            since=status.since,
            why=clean(posture.why),
            error=status.error,
            error_text=clean(status.error_text),
            line_stop=status.line_stop,
            overrun=status.overrun,
            unacknowledged=status.unacknowledged,
            recipe=status.recipe,
            recipe_id=status.recipe_id,
            model=status.model,
            backend=status.backend,
            classes=line.site.bundle.card.classes,
            trigger=line.site.config.trigger.kind.value,
            deadline_ms=status.deadline_ms,
            simulated=line.station.conduct.is_simulated,
            counters=_counters(counters, previews_dropped),
            yield_share=counters.ok / judged if judged else None,
            rate_per_min=self._pace.rate_per_min(now),
            latency_ms=self._pace.latency(now),
            cameras=tuple(camera_note(camera, self._scales.get(camera.name)) for camera in status.cameras),
            outputs=tuple(output_note(name, output) for name, output in line.outputs),
            disk=self._disk_note(now),
            faults=tuple(fault_note(fault) for fault in status.faults),
            challenge=challenge_state(line),
            bypass_since=self._bypass_since,
            review_waiting=line.records.review_waiting,
            shift_starts=line.site.config.line.shift_starts,
        )

    def _note_bypass(self, status: StationStatus) -> None:
        if status.mode is not Mode.BYPASS:
            self._bypass_since = None
        elif self._bypass_since is None:
            self._bypass_since = self._line.clock.utc()

    def _disk_note(self, now: float) -> DiskNote:
        if self._disk is None or now >= self._disk_due:
            records = self._line.records.health()
            images = self._line.archive.health() if self._line.archive is not None else None
            self._disk = DiskNote(
                free_bytes=records.disk_free_bytes,
                records_bytes=records.database_bytes,
                images_bytes=images.bytes if images is not None else 0,
                images_budget_bytes=images.budget_bytes if images is not None else 0,
                problem=records.problem or (images.problem if images is not None else ""),
            )
            self._disk_due = now + DISK_EVERY_S
        return self._disk


def _counters(counters: Counters, previews_dropped: int) -> CounterNumbers:
    values = asdict(counters)
    del values["by_reason"]
    return CounterNumbers(**values, previews_dropped=previews_dropped)


def challenge_state(line: ApiLine) -> ChallengeState:
    """Whether a test is due or has failed, the kit, the test under way, and the newest that has ended."""
    view, book = line.station.conduct.challenge, line.records.challenges
    return ChallengeState(
        due=view.due,
        failed=view.failed,
        required=line.site.config.line.challenge_required,
        call=line.station.parts_come_by_themselves,
        kit=book.kit.parts(),
        running=tuple(map(challenge_step, view.steps)),
        current=view.current,
        waiting_for=view.waiting_for,
        last=challenge_report(book.last) if book.last is not None else None,
    )


def challenge_step(step: Step) -> ChallengeStep:
    """One part of a test."""
    part = step.part
    # Not validated again: it was when it came in, and what a PLC calls its parts need not fit a kit's rules.
    kit_part = KitPart.model_construct(name=clean(part.name), bad=part.bad, defect=clean(part.defect))
    return ChallengeStep(
        part=kit_part,
        sequence=step.sequence,
        result=step.result,
        reason=clean(step.reason),
        right=step.right,
        confirmed=step.confirmed,
        remark=clean(step.remark),
    )


def challenge_report(test: ChallengeTest) -> ChallengeReport:
    """A test that has ended."""
    assert test.ended is not None
    return ChallengeReport(
        number=test.number,
        began=test.began,
        ended=test.ended,
        who=test.who,
        why=test.why,
        passed=test.outcome is Outcome.PASSED,
        failed=test.outcome is Outcome.FAILED,
        aborted=test.aborted,
        guided=test.guided,
        note=test.note,
        recipe=test.recipe,
        model=test.model,
        steps=tuple(map(challenge_step, test.steps)),
        last_passed=test.last_passed,
        suspects=test.suspects,
    )


def camera_note(camera: CameraStatus, mm_per_px: float | None = None) -> CameraNote:
    """A camera's state and counts."""
    return CameraNote(**{**asdict(camera), "error": clean(camera.error)}, mm_per_px=mm_per_px)


def fault_note(fault: Fault, until: datetime | None = None) -> FaultNote:
    """until: when it was over or acknowledged, None while it stands."""
    return FaultNote(**{**asdict(fault), "text": clean(fault.text), "cure": clean(fault.cure)}, until=until)


def output_note(name: str, output: Link) -> OutputNote:
    """What an output's own snapshot says: each has its words for it.

    A broker is connected or not; a Modbus server is where a PLC is connected to it; an OPC UA server where it listens.
    """
    health = output.health()
    told: dict[str, Any] = {}
    if is_dataclass(health):
        told = {field.name: getattr(health, field.name) for field in fields(health)}
    if "connected" in told:
        connected = bool(told["connected"])
    else:
        connected = bool(told.get("listening")) and told.get("connections", 1) > 0
    problem = str(told.get("problem") or told.get("last_error") or "")
    return OutputNote(name=name, connected=connected, problem=clean(problem))
