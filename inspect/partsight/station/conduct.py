"""How the station behaves toward the line: its state, whether it is ready, and what it was told to do.

The state follows from causes, never the other way round; whoever changes a cause calls `settle`:

    not prepared ─► PREOPERATIONAL (before start), INITIALIZED (recipe and model there, lane not proven, or a challenge
    test must pass first)
    a latched fault ─► ERROR          told to stop ─► HALTED          told to hold ─► HELD
    something is missing that comes back by itself (camera, PLC, records) ─► SUSPENDED
    told to start ─► RUNNING, else READY
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum, auto, unique

import structlog

from partsight.domain.challenge import ChallengeBook, ChallengeTest, KnownPart, Outcome, Past
from partsight.domain.errors import RecordsError
from partsight.domain.inspection import Inspection
from partsight.domain.messages import ChallengeFinished, Event, StateChanged
from partsight.domain.ports import Clock
from partsight.domain.reasons import REASON_TEXT, Reason
from partsight.domain.status import Mode, StationState
from partsight.station.challenge import Challenges, ChallengeView, Course
from partsight.station.faults import FaultBoard
from partsight.station.line_rules import Acknowledgements, LineRules, Watch

log = structlog.get_logger(__name__)

_JUDGES = (StationState.RUNNING, StationState.SUSPENDED)
"""Parts get their verdict, in SUSPENDED mostly that a camera is lost."""
_TESTS = (StationState.RUNNING, StationState.READY, StationState.HELD)
"""The lane could judge: a guided challenge test may go on."""
_BLOCKED = (StationState.RUNNING, StationState.READY, StationState.HELD, StationState.SUSPENDED)


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
        self,
        rules: LineRules,
        faults: FaultBoard,
        clock: Clock,
        tell: Callable[[Event], None],
        *,
        simulated: bool,
        book: ChallengeBook | None = None,
        set_up: str = "",
        streams: bool = False,
    ) -> None:
        """book: where challenge tests are kept; without one a restart forgets them. set_up: hash of model and cameras.
        streams: parts come by themselves. Raises RecordsError.
        """
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
        self._book = book
        self._streams = streams
        self._tests = Challenges(rules, book.past() if book is not None else Past(), set_up)
        self._tests.watch(clock.utc())
        self._beginning = False
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

    def bypass(self, on: bool) -> bool:
        """Inspect, never reject. False while a challenge test is under way: its bad parts must be rejected."""
        with self._lock:
            if on and (self._beginning or self._tests.course is not None):
                return False
            self._bypass = on
        self.settle()
        return True

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

    def takes(self, sequence: int, at_ns: int) -> bool:
        """Whether the part of this trigger is one of a challenge test's: it is judged although Ready may be 0."""
        with self._lock:
            course = self._tests.course
            return course is not None and course.takes(sequence, at_ns, serves=self._of_line()[0] in _TESTS)

    def refusal(self, *, known: bool) -> str:
        """Why a part is not judged now, "" where it is. known: it is one of a challenge test's."""
        with self._lock:
            line, state, guided = self._of_line()[0], self._posture.state, self._tests.guided
        if known and (line in _JUDGES or (guided and line in _TESTS)):
            return ""
        if guided:
            return "trigger of a part that the challenge test under way has not called for"
        return "" if state in _JUDGES else f"trigger while the station was {state.value}"

    def mode(self, *, known: bool) -> Mode:
        """Of a part's verdict that is given now. known: it is one of a challenge test's."""
        with self._lock:
            return Mode.CHALLENGE if known else self._mode()

    def sending(self, part_id: int) -> None:
        """A verdict is about to leave; its acknowledgement may come at once."""
        with self._lock:
            self._acks.sent(part_id)

    def finished(self, inspection: Inspection) -> None:
        """A verdict has left: keep the rules that stop the line, and go on with the challenge test."""
        ended = None
        with self._lock:
            counted = inspection.mode in (Mode.PRODUCTION, Mode.SIMULATION)
            stop = self._watch.see(inspection) if counted and self._posture.state is StationState.RUNNING else None
            course = self._tests.course
            if course is not None and inspection.mode is Mode.CHALLENGE:
                course.see(inspection)
                ended = self._end(course) if course.over else None
        if stop is not None:
            self.stop_line(stop.reason, stop.text, "find the cause at the line, then acknowledge")
        self._tell_end(ended)
        self.settle()

    # --- the challenge test -----------------------------------------------------------------------

    def judges_by(self, recipe: str, sha256: str, model: str) -> None:
        """Which recipe and model judge from now on."""
        self._set(lambda: self._tests.judges_by(recipe, sha256, model))

    def watch_challenge(self) -> None:
        """Call it about once a second: a shift may have begun."""
        with self._lock:
            changed = self._tests.watch(self._clock.utc())
        if changed:
            self.settle()

    @property
    def challenge(self) -> ChallengeView:
        """A consistent snapshot of due, failed, and the test under way."""
        with self._lock:
            return self._tests.view(self._due())

    def begin_challenge(self, parts: tuple[KnownPart, ...], who: str, why: str, *, guided: bool) -> str:
        """Begin a test, kept durably first; why not, or "". Waits for the disk."""
        with self._lock:
            refusal = self._challenge_refusal(parts, guided=guided)
            if refusal:
                return refusal
            self._beginning = True
            test = self._tests.made(parts, who, why or self._due(), self._clock.utc(), guided=guided)
        try:
            number = self._book.began(test) if self._book is not None else 0
        except RecordsError as error:
            with self._lock:
                self._beginning = False
            return f"the test cannot be recorded: {error}"
        with self._lock:
            self._beginning = False
            now_ns = self._clock.monotonic_ns()
            self._tests.course = Course(replace(test, number=number), by_call=self._streams, now_ns=now_ns)
        self.settle()
        return ""

    def _challenge_refusal(self, parts: tuple[KnownPart, ...], *, guided: bool) -> str:
        if self._beginning or self._tests.course is not None:
            return "a challenge test is under way already"
        if not parts:
            return "a challenge test needs known parts"
        if self._bypass:
            return "rejects are off: end the bypass first"
        state, why = self._of_line()
        if guided and state not in _TESTS:
            return f"the station is {state.value}: {why}"
        return ""

    def call_part(self) -> bool:
        """The next part from now on is the one that the guided test asks for; False where it asks for none."""
        with self._lock:
            course = self._tests.course
            return course is not None and course.call(self._clock.monotonic_ns())

    def confirm_part(self, ok: bool, remark: str) -> bool:
        """What a person says of the known part that was just judged; False where none waits for that."""
        ended = None
        with self._lock:
            course = self._tests.course
            if course is None or not course.confirm(ok, remark, self._clock.monotonic_ns()):
                return False
            ended = self._end(course) if course.over else None
        self._tell_end(ended)
        self.settle()
        return True

    def abort_challenge(self, who: str) -> bool:
        """Break the test off, of whatever kind; False without one. It fails only where a wrong verdict was seen."""
        with self._lock:
            course = self._tests.course
            if course is None:
                return False
            ended = self._end(course, aborted_by=who)
        self._tell_end(ended)
        self.settle()
        return True

    @property
    def testing(self) -> bool:
        """True while a challenge test is under way."""
        with self._lock:
            return self._beginning or self._tests.course is not None

    def _end(self, course: Course, aborted_by: str | None = None) -> ChallengeTest:
        """Under the lock."""
        now = self._clock.utc()
        test = course.end(now, self._tests.passed_at, aborted_by=aborted_by)
        self._tests.ended(test, now)
        if test.outcome is Outcome.PASSED:
            self._watch.challenged()
        return test

    def _tell_end(self, test: ChallengeTest | None) -> None:
        if test is None:
            return
        if self._book is not None:
            self._book.ended(test)
        if test.outcome is Outcome.FAILED:
            text = f"{test.missed} of {len(test.steps)} known parts got the wrong verdict"
            if not test.missed:
                text = (
                    "a known part was not confirmed: the wrong part was in, or the line did not treat it as it should"
                )
            cure = "check camera, light, model and recipe; parts since the last passed test are in doubt"
            self.stop_line(Reason.CHALLENGE_FAILED, text, cure)
        if test.outcome is not Outcome.NONE:
            passed = test.outcome is Outcome.PASSED
            self._tell(ChallengeFinished(passed, len(test.steps), test.missed, self._clock.utc()))

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
        state, why = self._of_line()
        block = self._tests.block(self._due())
        # A lane that has not passed its test is not proven, whatever else is well with it.
        return (StationState.INITIALIZED, block) if block and state in _BLOCKED else (state, why)

    def _due(self) -> str:
        return self._tests.due(self._watch.challenge_due)

    def _of_line(self) -> tuple[StationState, str]:
        """Without regard to the challenge test."""
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
            ready=serves and self._acks.free and not self._tests.guided,
            mode=Mode.CHALLENGE if self._tests.course is not None else self._mode(),
            line_stop=self._line_stop or state is StationState.ERROR,
            overrun=self._acks.overrun,
            unacknowledged=len(self._acks),
            challenge_due=bool(self._due()) or self._tests.failed,
            since=since,
            why=why,
        )

    def _mode(self) -> Mode:
        if self._bypass:
            return Mode.BYPASS
        return Mode.SIMULATION if self._simulated else Mode.PRODUCTION
