"""The controller's scan: inputs, tracking, gate, outputs, as a PLC's cycle has them."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from partsight.testing.plc.link import Beat, Latch, Link, StationWord
from partsight.testing.plc.plan import LinePlan
from partsight.testing.plc.tracking import Answered, Cell, Passage, ShiftRegister, Taken, distance

OWN_BEAT_NS = 100_000_000
MAX_ID = 65535
TIMES_KEPT = 100_000
EXECUTE = 6


@dataclass(slots=True)
class LineView:
    """What a screen shows of the line; a copy of counts, and the newest passages."""

    entered: int = 0
    gone: int = 0
    triggered: int = 0
    trusted: bool = False
    ready: bool = False
    packml: int = 0
    epoch: int = 0
    infeed: bool = False
    line_stop: bool = False
    confirmations_lost: int = 0
    stops: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    newest: deque[Passage] = field(default_factory=lambda: deque(maxlen=12))


class LineController:
    """Call `scan` in a loop, or `run`. Everything is decided from the encoder at the scan's start."""

    def __init__(self, plan: LinePlan, link: Link, monotonic_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self.plan = plan
        self.view = LineView()
        self.passages: deque[Passage] = deque(maxlen=plan.keep or None)
        self.verdict_ms: deque[float] = deque(maxlen=TIMES_KEPT)
        self._link = link
        self._monotonic_ns = monotonic_ns
        self._register = ShiftRegister(plan.counts(plan.gate_ms), plan.policy)
        self._started_ns = monotonic_ns()
        self._beat: Beat | None = None
        self._heard_ns: int | None = None
        self._next_part_ns: int | None = None
        self._next_beat_ns = 0
        self._next_id = plan.first_id
        self._to_confirm: deque[Passage] = deque()
        self._rejects = 0
        self._acknowledged = 0
        self._too_late = 0
        self._triggered_ns: dict[int, int] = {}
        self._stopped_ns: int | None = None
        self._word = StationWord(error=False, line_stop=False)

    @property
    def finished(self) -> bool:
        """Every part has gone past the gate and the reject sensor."""
        return self.view.gone >= self.plan.parts and not self._to_confirm

    def encoder(self, now_ns: int) -> int:
        """The belt's count, 32 bits, round again."""
        moved = (now_ns - self._started_ns) * self.plan.speed // 1_000_000_000
        return (self.plan.first_encoder + moved) % (1 << 32)

    def run(self, each_scan: Callable[[], bool] = lambda: True) -> None:
        """Scan until the line is finished or `each_scan` says False."""
        period_ns = int(self.plan.scan_ms * 1e6)
        due = self._monotonic_ns()
        while not self.finished and each_scan():
            self.scan()
            due = max(due + period_ns, self._monotonic_ns())
            time.sleep(max(due - self._monotonic_ns(), 0) / 1e9)

    def scan(self) -> None:
        """One cycle."""
        now = self._monotonic_ns()
        encoder = self.encoder(now)
        self._hear(now, encoder)
        trusted = self._trusted(now)
        self._gate(encoder, trusted)
        self._feed(now, encoder, trusted)
        self._confirm(encoder)
        self._answer(now)
        self._stand_by(now, trusted)
        self._show(trusted)

    # --- inputs -----------------------------------------------------------------------------------

    def _hear(self, now: int, encoder: int) -> None:
        for heard in self._link.poll():
            if isinstance(heard, Answered):
                self._take(heard, now, encoder)
            elif isinstance(heard, Latch):
                self._register.latch(heard.id, accepted=heard.accepted)
            elif isinstance(heard, StationWord):
                self._word = heard
            else:
                self._take_beat(heard, now)

    def _take(self, verdict: Answered, now: int, encoder: int) -> None:
        taken = self._register.take(verdict, encoder)
        self.view.verdicts[taken.value] += 1
        if taken in (Taken.LATE, Taken.UNKNOWN):
            # Taken all the same: unacknowledged, eight of these would end Ready for good.
            self._too_late = verdict.id
        if taken is Taken.TAKEN and verdict.id in self._triggered_ns:
            self.verdict_ms.append((now - self._triggered_ns.pop(verdict.id)) / 1e6)

    def _take_beat(self, beat: Beat, now: int) -> None:
        """Only a count that moves is life; an older epoch is a message from the past."""
        if beat.epoch < self._register.epoch:
            return
        if self._register.see_epoch(beat.epoch):
            self._acknowledged = self._too_late = 0
            if beat.newest_id:
                # Others have triggered it before: which part of its life is under the camera is not known.
                self._register.uncounted.add(beat.epoch)
        before = self._beat
        if before is None or (before.epoch, before.count) != (beat.epoch, beat.count):
            self._heard_ns = now
        self._beat = beat

    def _trusted(self, now: int) -> bool:
        heard = self._heard_ns
        return heard is not None and now - heard <= self.plan.beat_timeout_ms * 1e6

    @property
    def _obeys(self) -> bool:
        """Only the right policy looks at the heartbeat; the others are as blind as they are in the field."""
        return self.plan.policy.value == "pass-only"

    # --- gate -------------------------------------------------------------------------------------

    def _gate(self, encoder: int, trusted: bool) -> None:
        for passage in self._register.at_gate(encoder, trusted=trusted):
            self.view.gone += 1
            self.passages.append(passage)
            self.view.newest.append(passage)
            self._triggered_ns.pop(passage.id, None)
            if not passage.passed:
                self._to_confirm.append(passage)

    def _confirm(self, encoder: int) -> None:
        """The reject sensor: a part that was rejected falls past it, or (once, if asked for) is not seen."""
        reach = self.plan.counts(self.plan.gate_ms + self.plan.confirm_ms)
        while self._to_confirm and distance(encoder, self._to_confirm[0].encoder) >= reach:
            passage = self._to_confirm.popleft()
            self._rejects += 1
            confirmed = self._rejects != self.plan.lose_confirmation
            self.view.confirmations_lost += not confirmed
            if passage.id:
                self._link.confirm_reject(passage.id, confirmed=confirmed)

    # --- infeed -----------------------------------------------------------------------------------

    def _feed(self, now: int, encoder: int, trusted: bool) -> None:
        """Parts come at their rate while the infeed runs; a stopped infeed makes the next one wait."""
        runs = not self._obeys or not self.plan.infeed_stops or (trusted and not self._word.line_stop)
        if self._next_part_ns is None:
            # The line is started once the station is ready for its first part.
            if not (trusted and self._beat is not None and self._beat.ready):
                return
            self._next_part_ns = now
        self.view.infeed = runs and self.view.entered < self.plan.parts
        if not runs:
            self._next_part_ns = max(self._next_part_ns, now)
            return
        if self.view.entered < self.plan.parts and now >= self._next_part_ns:
            self._next_part_ns += int(1e9 / self.plan.rate_hz)
            self._enter(now, encoder, trusted)

    def _enter(self, now: int, encoder: int, trusted: bool) -> None:
        number = self.plan.first_number + self.view.entered
        self.view.entered += 1
        cell = self._register.enter(number, encoder)
        beat = self._beat
        if self._obeys and not trusted:
            cell.why_untriggered = "station is not heard"
        elif self._obeys and not (beat is not None and beat.ready):
            cell.why_untriggered = "station is not ready"
        else:
            self._trigger(cell, now)

    def _trigger(self, cell: Cell, now: int) -> None:
        cell.epoch = self._register.epoch
        given = self._link.trigger(cell.number, self._next_id, cell.encoder)
        self._next_id = self._next_id % MAX_ID + 1
        if not given:
            cell.why_untriggered = "trigger could not be sent"
            return
        cell.id = given
        self.view.triggered += 1
        self._triggered_ns[given] = now

    # --- outputs ------------------------------------------------------------------------------------

    def _answer(self, now: int) -> None:
        if self.plan.beats and now >= self._next_beat_ns:
            self._next_beat_ns = now + OWN_BEAT_NS
            self._link.beat()
        if not self.plan.acknowledges:
            return
        newest = self._register.acknowledgeable() or self._too_late
        if newest and (not self._acknowledged or _is_ahead(newest, self._acknowledged)):
            self._acknowledged = newest
            self._link.acknowledge(newest)

    def _stand_by(self, now: int, trusted: bool) -> None:
        """A person sees a stopped line and comes."""
        beat = self._beat
        stopped = trusted and beat is not None and (self._word.error or self._word.line_stop or not _runs(beat))
        if not stopped or not self.plan.operator_s:
            self._stopped_ns = None
            return
        if self._stopped_ns is None:
            self._stopped_ns = now
        elif now - self._stopped_ns >= self.plan.operator_s * 1e9:
            self._stopped_ns = None
            self.view.stops += 1
            self._link.operator(error=self._word.error or self._word.line_stop)

    def _show(self, trusted: bool) -> None:
        view, beat = self.view, self._beat
        view.trusted, view.line_stop, view.epoch = trusted, self._word.line_stop, self._register.epoch
        if beat is not None:
            view.ready, view.packml = beat.ready, beat.packml


def _runs(beat: Beat) -> bool:
    """Suspended (5) heals by itself, resetting (15) goes on by itself: nobody need come for those."""
    return beat.packml in (EXECUTE, 5, 15)


def _is_ahead(id_: int, than: int) -> bool:
    """Ids go 1 to 65535 and round again; what lies in the half circle before us is newer."""
    return 0 < (id_ - than) % MAX_ID < MAX_ID // 2
