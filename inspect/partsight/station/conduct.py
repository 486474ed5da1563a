"""How the station behaves toward the line: its state, whether it is ready, and what it was told to do.

The state follows from causes, never the other way round; whoever changes a cause calls `settle`:

    not prepared ─► PREOPERATIONAL (before start), INITIALIZED (recipe and model there, lane not proven)
    a latched fault ─► ERROR          told to stop ─► HALTED          told to hold ─► HELD
    something is missing that comes back by itself (camera, PLC, records) ─► SUSPENDED
    told to start ─► RUNNING, else READY
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto, unique

import structlog

from partsight.domain.inspection import Inspection
from partsight.domain.messages import ChallengeFinished, Event, StateChanged
from partsight.domain.ports import Clock
from partsight.domain.reasons import REASON_TEXT, Reason
from partsight.domain.status import Mode, StationState
from partsight.domain.verdict import Result
from partsight.station.faults import FaultBoard
from partsight.station.line_rules import Acknowledgements, LineRules, Watch

log = structlog.get_logger(__name__)


@unique
class Wanted(Enum):
    """What the station was last told."""

    READY = auto()
    RUN = auto()
    HOLD = auto()
    HALT = auto()


@dataclass(frozen=True, slots=True)
class Posture:
    """What the line sees of the station, in one instant."""

    state: StationState
    ready: bool
    mode: Mode
    line_stop: bool
    overrun: bool
    unacknowledged: int
    challenge_due: bool
    since: datetime
    why: str


class Conduct:
    """Thread-safe. `settle` derives the state anew and tells every change once."""

    def __init__(
        self, rules: LineRules, faults: FaultBoard, clock: Clock, tell: Callable[[Event], None], *, simulated: bool
    ) -> None:
        self.rules = rules
        self._faults = faults
        self._clock = clock
        self._tell = tell
        self._lock = threading.RLock()
        self._told = threading.Lock()
        self._initialized = self._proven = False
        self._wanted = Wanted.READY
        self._missing: dict[str, str] = {}
        self._watch = Watch(rules)
        self._acks = Acknowledgements(rules)
        self._bypass = False
        self._simulated = simulated
        self._challenge: list[bool] | None = None
        self._challenge_missed = self._challenge_parts = 0
        self._line_stop = False
        self._plc_ns = clock.monotonic_ns()
        self._posture = self._derive(StationState.PREOPERATIONAL, clock.utc(), "starting")

    @property
    def posture(self) -> Posture:
        """A consistent snapshot."""
        with self._lock:
            return self._posture

    # --- causes -----------------------------------------------------------------------------------

    def initialized(self) -> None:
        """Recipe and model are loaded."""
        self._set(lambda: setattr(self, "_initialized", True))

    def proven(self, proven: bool) -> None:
        """Whether the whole lane has shown that it is quick enough; a change of recipe or model takes it back."""
        self._set(lambda: setattr(self, "_proven", proven))

    def want(self, wanted: Wanted) -> None:
        """What a person or the PLC asks for."""
        self._set(lambda: setattr(self, "_wanted", wanted))

    def missing(self, what: str, why: str) -> None:
        """Something that comes back by itself is away; `why` "" means that it is back."""

        def change() -> None:
            self._missing.pop(what, None)
            if why:
                self._missing[what] = why

        self._set(change)

    @property
    def is_simulated(self) -> bool:
        """True where a camera's parts are not real, whatever the mode."""
        return self._simulated

    def simulated(self) -> None:
        """A camera's parts are not real."""
        self._set(lambda: setattr(self, "_simulated", True))

    def bypass(self, on: bool) -> None:
        """Inspect, never reject."""
        self._set(lambda: setattr(self, "_bypass", on))

    def stop_line(self, reason: Reason, text: str, cure: str) -> None:
        """Latch a fault that makes the station ERROR, and ask the line to stop."""
        with self._lock:
            self._line_stop = True
        self._faults.raise_(f"line/{reason.name.lower()}", text, cure, code=reason, latched=True)
        self.settle()

    def reset(self) -> None:
        """People have seen what stands: count anew."""
        self._faults.acknowledge()

        def change() -> None:
            self._line_stop = self._acks.overrun = False
            self._watch.restart()

        self._set(change)

    # --- the PLC ----------------------------------------------------------------------------------

    def plc_is_alive(self) -> None:
        """A heartbeat of the PLC came."""
        self._plc_ns = self._clock.monotonic_ns()

    def watch_plc(self) -> None:
        """Suspend while the PLC is silent, where one is expected."""
        timeout_s = self.rules.plc_timeout_s
        if not timeout_s:
            return
        silent_s = (self._clock.monotonic_ns() - self._plc_ns) / 1e9
        if silent_s > timeout_s:
            self._faults.raise_(
                "plc", REASON_TEXT[Reason.PLC_SILENT], "check the PLC and its link", code=Reason.PLC_SILENT
            )
            if "plc" not in self._missing:
                self.missing("plc", f"no heartbeat of the PLC for {timeout_s:g} s")
        elif "plc" in self._missing:
            self._faults.clear("plc")
            self.missing("plc", "")

    def acknowledged(self, part_id: int) -> bool:
        """The PLC has every verdict up to this id; False for one that it cannot have."""
        with self._lock:
            good = self._acks.taken(part_id)
        self.settle()
        return good

    def take_slot(self) -> bool:
        """A trigger was accepted: False where no slot is free for its verdict, which sets Overrun."""
        with self._lock:
            free = self._acks.free
            if not free:
                self._acks.overrun = True
        if not free:
            self.settle()
        return free

    # --- verdicts ---------------------------------------------------------------------------------

    @property
    def mode(self) -> Mode:
        """Of a verdict that is given now."""
        return self.posture.mode

    def sending(self, part_id: int) -> None:
        """A verdict is about to leave; its acknowledgement may come at once."""
        with self._lock:
            self._acks.sent(part_id)

    def finished(self, inspection: Inspection) -> None:
        """A verdict has left: keep the rules that stop the line."""
        with self._lock:
            counted = inspection.mode in (Mode.PRODUCTION, Mode.SIMULATION)
            stop = self._watch.see(inspection) if counted and self._posture.state is StationState.RUNNING else None
            ended = self._challenged(inspection) if inspection.mode is Mode.CHALLENGE else None
        if stop is not None:
            self.stop_line(stop.reason, stop.text, "find the cause at the line, then acknowledge")
        if ended is not None:
            self._end_challenge(ended)
        self.settle()

    def challenge(self, bad: tuple[bool, ...]) -> bool:
        """The next parts are known: `bad` says which; False while a test is under way."""
        with self._lock:
            if self._challenge is not None or not bad:
                return False
            self._challenge, self._challenge_missed, self._challenge_parts = list(bad), 0, len(bad)
        self.settle()
        return True

    def _challenged(self, inspection: Inspection) -> ChallengeFinished | None:
        if self._challenge is None:
            return None  # a part that was in flight when the test ended
        bad = self._challenge.pop(0)
        self._challenge_missed += bad == (inspection.verdict.result is Result.OK)
        if self._challenge:
            return None
        self._challenge = None
        passed = self._challenge_missed == 0
        if passed:
            self._watch.challenged()
        return ChallengeFinished(passed, self._challenge_parts, self._challenge_missed, self._clock.utc())

    def _end_challenge(self, ended: ChallengeFinished) -> None:
        if not ended.passed:
            text = f"{ended.missed} of {ended.parts} known parts got the wrong verdict"
            cure = "check camera, light, model and recipe; parts since the last passed test are in doubt"
            self.stop_line(Reason.CHALLENGE_FAILED, text, cure)
        self._tell(ended)

    # --- derivation -------------------------------------------------------------------------------

    def _set(self, change: Callable[[], None]) -> None:
        with self._lock:
            change()
        self.settle()

    def settle(self) -> None:
        """Derive the posture from its causes; tell where it is another."""
        with self._told:  # changes are told in the order in which they came to be
            with self._lock:
                before = self._posture
                state, why = self._state()
                since = before.since if state is before.state else self._clock.utc()
                self._posture = after = self._derive(state, since, why)
            if state is not before.state:
                log.info("station", state=state.value, why=why)
            if (after.state, after.ready, after.mode, after.line_stop, after.overrun) != (
                before.state,
                before.ready,
                before.mode,
                before.line_stop,
                before.overrun,
            ):
                self._tell(StateChanged(before.state, after.state, why, self._clock.utc()))

    def _state(self) -> tuple[StationState, str]:
        if not self._initialized:
            return StationState.PREOPERATIONAL, "starting"
        if self._faults.latched:
            return StationState.ERROR, "a fault waits for acknowledgement"
        if self._wanted is Wanted.HALT:
            return StationState.HALTED, "told to stop"
        if not self._proven:
            return StationState.INITIALIZED, "the lane has not shown yet that it meets the deadline"
        if self._wanted is Wanted.HOLD:
            return StationState.HELD, "told to hold"
        if self._missing:
            return StationState.SUSPENDED, "; ".join(self._missing.values())
        if self._wanted is Wanted.RUN:
            return StationState.RUNNING, "all is there"
        return StationState.READY, "waits for start"

    def _derive(self, state: StationState, since: datetime, why: str) -> Posture:
        serves = state in (StationState.RUNNING, StationState.READY)
        return Posture(
            state=state,
            ready=serves and self._acks.free,
            mode=self._mode(),
            line_stop=self._line_stop or state is StationState.ERROR,
            overrun=self._acks.overrun,
            unacknowledged=len(self._acks),
            challenge_due=self._watch.challenge_due,
            since=since,
            why=why,
        )

    def _mode(self) -> Mode:
        if self._bypass:
            return Mode.BYPASS
        if self._challenge is not None:
            return Mode.CHALLENGE
        return Mode.SIMULATION if self._simulated else Mode.PRODUCTION
