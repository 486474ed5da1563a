"""The line: takes triggers, gives each exactly one verdict in time, and never delays one for anything else.

Threads: one a camera (`capture.py`), one for inference, one for the deadline, one for the timer trigger. Slow
lanes (images, screens) are fed by calls that return at once.

What the line sees of it (states, ready, line stop) is `conduct.py`'s.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import structlog

from partsight.domain.challenge import ChallengeBook
from partsight.domain.detections import ModelRef
from partsight.domain.errors import ConfigError, DetectorLost, RecordsError
from partsight.domain.frame import Frame, Grab
from partsight.domain.inspection import Inspection, Timings
from partsight.domain.messages import (
    Answer,
    CameraChanged,
    Command,
    Event,
    Exposed,
    Finished,
    Latched,
    Missed,
    Reply,
    SelectRecipe,
    TriggerPart,
)
from partsight.domain.ports import Camera, CameraInfo, Clock, FrameSink, Output, Records
from partsight.domain.reasons import REASON_TEXT, Reason
from partsight.domain.status import CameraStatus, Mode, StationState, StationStatus
from partsight.domain.trigger import Trigger, TriggerKind
from partsight.domain.uid import uuid7
from partsight.domain.verdict import Action, Verdict, invalid
from partsight.domain.views import View
from partsight.recipes import Recipe
from partsight.station.capture import Capture
from partsight.station.commands import obey
from partsight.station.conduct import Conduct, Wanted
from partsight.station.deadlines import Deadlines
from partsight.station.faults import FaultBoard
from partsight.station.intake import Intake
from partsight.station.judge import Judge, Judged
from partsight.station.ledger import Ledger, Part, Stage
from partsight.station.line_rules import LineRules
from partsight.station.proof import NEVER_MS, Proof
from partsight.station.pulse import Pulse
from partsight.station.recorder import Recorder
from partsight.station.slot import LatestSlot, WaitingSlot

log = structlog.get_logger(__name__)

IDLE_S = 0.05
SWAP_S = 10.0
SHIFT_EVERY_NS = 1_000_000_000
CAMERAS_OPEN_TIMEOUT_S = 30.0
EXIT_STUCK = 70
"""Exit status when a loop hangs (EX_SOFTWARE): the service manager starts the station again."""


@dataclass(frozen=True, slots=True)
class StationPlan:
    """What a station is told before it starts.

    cameras: driver by camera name. frame_timeouts_ms: by camera name.
    queue: triggers that may wait for frames or judging; one more is INVALID (overload).
    stuck_after: deadlines that a detector may take before the process ends.
    autostart: run as soon as the lane is proven, else wait for `Start`.
    set_up: a hash of model and cameras: after a change of it a challenge test may be due.
    """

    name: str
    epoch: int
    cameras: Mapping[str, Camera]
    frame_timeouts_ms: Mapping[str, float]
    trigger: TriggerKind
    period_ms: float
    queue: int
    deadline_ms: float
    stuck_after: int
    rules: LineRules = field(default_factory=LineRules)
    autostart: bool = True
    set_up: str = ""


class Station:
    """Judges parts. `fatal` is called when only a new process can help; it must not return.

    find_recipe: the recipe that a `SelectRecipe` names, compiled for this model. Raises ConfigError.
    """

    def __init__(
        self,
        plan: StationPlan,
        judge: Judge,
        records: Records,
        clock: Clock,
        *,
        outputs: Sequence[Output] = (),
        archive: FrameSink | None = None,
        tell: Callable[[Event], None] = lambda _: None,
        find_recipe: Callable[[SelectRecipe], Recipe] | None = None,
        challenges: ChallengeBook | None = None,
        fatal: Callable[[int, str], None],
    ) -> None:
        self.plan = plan
        self.pulse = Pulse(clock)
        self.ledger = Ledger()
        self.faults = FaultBoard(clock, tell)
        self._judge = judge
        self._records = records
        self._clock = clock
        self._outputs = tuple(outputs)
        self._archive = archive
        self._tell = tell
        self._fatal = fatal
        self._find_recipe = find_recipe
        self._streams = plan.trigger in (TriggerKind.FREE_RUN, TriggerKind.FOLDER)
        self.conduct = Conduct(
            plan.rules,
            self.faults,
            clock,
            tell,
            simulated=False,
            book=challenges,
            set_up=plan.set_up,
            streams=self.parts_come_by_themselves,
        )
        self._state_judge()
        self._last_id = 0
        self._stop_triggers = threading.Event()
        self._stop_judging = threading.Event()
        self._queued = threading.Condition()
        self._queue: deque[Part] = deque()
        self._intake = Intake(records, self.ledger, clock, plan.epoch, plan.deadline_ms)
        self._recorder = Recorder(records, self.faults, clock)
        self._deadlines = Deadlines(clock)
        self._judging: tuple[Part, int] | None = None
        self._shift_ns = 0
        self._prepared = threading.Event()
        self._swap: deque[tuple[Recipe, threading.Event]] = deque()
        self._proof = Proof(plan.rules, plan.deadline_ms)
        self._slot: LatestSlot | WaitingSlot = LatestSlot() if plan.trigger is TriggerKind.FREE_RUN else WaitingSlot()
        self._captures = {
            name: Capture(
                name,
                camera,
                self,
                clock,
                streams=self._streams,
                frame_timeout_ms=plan.frame_timeouts_ms[name],
                depth=plan.queue,
                tick=partial(self.pulse.tick, f"capture-{name}", 30.0),
            )
            for name, camera in plan.cameras.items()
        }
        self._threads = [
            threading.Thread(
                target=self._guarded, args=("deadline", self._run_deadlines), name="deadline", daemon=True
            ),
            threading.Thread(
                target=self._guarded, args=("inference", self._run_inference), name="inference", daemon=True
            ),
        ]
        if plan.trigger is TriggerKind.TIMER:
            timer = threading.Thread(target=self._guarded, args=("timer", self._run_timer), name="timer", daemon=True)
            self._threads.append(timer)

    # --- start and stop -------------------------------------------------------------------------

    def start(self, wait_for_cameras_s: float = CAMERAS_OPEN_TIMEOUT_S) -> None:
        """Open the cameras, warm the detector, prove the lane, run.

        Returns when the lane was tried once. A camera that is not there leaves the station SUSPENDED, a lane that is
        too slow INITIALIZED; both are tried again until they are good.
        """
        self._intake.reserve_ahead()
        for capture in self._captures.values():
            capture.start()
        until = self._clock.monotonic_ns() + int(wait_for_cameras_s * 1e9)
        for capture in self._captures.values():
            if not capture.wait_until_open(max(0.0, (until - self._clock.monotonic_ns()) / 1e9)):
                self.conduct.missing(f"camera/{capture.name}", f"camera {capture.name} is not there")
        if self.plan.autostart:
            self.conduct.want(Wanted.RUN)
        for thread in self._threads:
            thread.start()
        self._prepared.wait()

    def stop(self, timeout_s: float = 10.0) -> tuple[str, ...]:
        """Stop triggers, finish the parts in flight, close the cameras. The names of threads that did not end."""
        self._stop_triggers.set()
        self.conduct.want(Wanted.HALT)
        self.ledger.wait_until_none_open(self.plan.deadline_ms / 1e3 + 1.0)
        for part in self.ledger.open_parts():
            self._reject_unjudged(part, Reason.SHUTDOWN, REASON_TEXT[Reason.SHUTDOWN])
        for capture in self._captures.values():
            capture.stop()
        self._stop_judging.set()
        with self._queued:
            self._queued.notify_all()
        self._deadlines.wake()
        until = self._clock.monotonic_ns() + int(timeout_s * 1e9)

        def left() -> float:
            return max(0.0, (until - self._clock.monotonic_ns()) / 1e9)

        survivors = [f"capture-{name}" for name, capture in self._captures.items() if not capture.join(left())]
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(left())
            if thread.is_alive():
                survivors.append(thread.name)
        if "inference" not in survivors:
            self._recorder.write_waiting(now=True)
        return tuple(survivors)

    # --- what others ask ------------------------------------------------------------------------

    @property
    def state(self) -> StationState:
        """The state that the line sees."""
        return self.conduct.posture.state

    def alive(self) -> bool:
        """True while every loop ticked within its own time."""
        return not self.pulse.late()

    @property
    def source_ended(self) -> bool:
        """True once every camera has given its last frame and every part its verdict."""
        done = all(capture.ended for capture in self._captures.values()) and len(self._slot) == 0
        return done and self.ledger.snapshot().in_flight == 0

    @property
    def parts_come_by_themselves(self) -> bool:
        """False where each part waits for a trigger of the PLC or of a person."""
        return self._streams or self.plan.trigger is TriggerKind.TIMER

    @property
    def model(self) -> ModelRef:
        """The model that judges."""
        return self._judge.detector.model

    def peek(self, camera: str) -> Grab | None:
        """The newest image of a camera, also while nothing is judged; None before the first. Raises KeyError."""
        return self._captures[camera].peek()

    def status(self) -> StationStatus:
        """A frozen snapshot."""
        recipe, model = self._judge.recipe, self._judge.detector.model
        posture, faults = self.conduct.posture, self.faults.all()
        first = next((f for f in faults if f.latched), faults[0] if faults else None)
        return StationStatus(
            name=self.plan.name,
            epoch=self.plan.epoch,
            state=posture.state,
            ready=posture.ready,
            mode=posture.mode,
            since=posture.since,
            last_id=self._last_id,
            counters=self.ledger.snapshot(),
            faults=faults,
            cameras=tuple(capture.status() for capture in self._captures.values()),
            recipe=f"{recipe.ref.name}@{recipe.ref.revision}",
            recipe_id=recipe.id,
            model=f"{model.name} {model.sha256[:12]}",
            backend=f"{model.backend} {model.precision}",
            deadline_ms=self.plan.deadline_ms,
            error=first.code if first is not None else 0,
            error_text=first.text if first is not None else "",
            line_stop=posture.line_stop,
            overrun=posture.overrun,
            unacknowledged=posture.unacknowledged,
            challenge_due=posture.challenge_due,
        )

    # --- commands ---------------------------------------------------------------------------------

    def command(self, command: Command) -> Reply:
        """Carry out what the line or a person asks for, or say why not. Thread-safe."""
        if isinstance(command, TriggerPart):
            return self._trigger_reply(command)
        if isinstance(command, SelectRecipe):
            return self._select(command)
        return obey(self.conduct, command)

    def _trigger_reply(self, command: TriggerPart) -> Reply:
        try:
            trigger = self.trigger(part_id=command.part_id, id=command.id, encoder=command.encoder)
        except ValueError as error:
            return Reply(Answer.INVALID, str(error))
        return Reply(Answer.DONE, data={"sequence": trigger.sequence, "id": trigger.id})

    def _select(self, command: SelectRecipe) -> Reply:
        """Swap the recipe between two parts; Ready is 0 until the lane has proven itself with it."""
        if self.conduct.testing:
            return Reply(Answer.NOT_NOW, "a challenge test is under way: end or abort it first")
        if self._find_recipe is None:
            return Reply(Answer.NOT_ALLOWED, "this station has one recipe only")
        try:
            recipe = self._find_recipe(command)
        except ConfigError as error:
            return Reply(Answer.INVALID, str(error))
        self.conduct.proven(False)
        done = threading.Event()
        self._swap.append((recipe, done))
        if not done.wait(self.plan.deadline_ms / 1e3 + SWAP_S):
            return Reply(Answer.FAILED, "the inference thread did not take the recipe in time; it will when it is free")
        return Reply(Answer.DONE, data={"recipe": f"{recipe.ref.name}@{recipe.ref.revision}"})

    def unrecorded(self) -> int:
        """Verdicts that were given and wait to be recorded."""
        return len(self._recorder)

    # --- triggers -------------------------------------------------------------------------------

    def trigger(
        self,
        kind: TriggerKind = TriggerKind.CALL,
        *,
        part_id: str = "",
        id: int | None = None,  # noqa: A002 - the contract's word
        encoder: int | None = None,
    ) -> Trigger:
        """Judge the part under the cameras. Returns at once; the verdict comes by the outputs, always.

        Raises ValueError for an id outside 1..65535.
        """
        if id is not None and not 1 <= id <= 65535:
            raise ValueError(f"id is {id}; it must be 1 to 65535")
        part = self._accept(kind, self._clock.monotonic_ns(), part_id, id, encoder)
        if part.stage is Stage.WAITING:
            for capture in self._captures.values():
                capture.request(part)
        return part.trigger

    def _accept(
        self, kind: TriggerKind, at_ns: int, part_id: str = "", id_: int | None = None, encoder: int | None = None
    ) -> Part:
        """Count and latch a trigger. A part that cannot be served now is rejected at once."""
        part, error = self._intake.accept(kind, at_ns, part_id, id_, encoder)
        part.known = self.conduct.takes(part.trigger.sequence, at_ns)
        if error is not None:
            self._recorder.fault(error)
            self._reject_unjudged(part, Reason.RECORD_FAILED, f"trigger could not be latched: {error}")
            return part
        self._last_id = part.trigger.id
        self._deadlines.add(part)
        refusal = self._refusal(kind, known=part.known)
        if refusal is not None:
            self._tell(Missed(part.trigger, refusal[1]))
            self._reject_unjudged(part, *refusal)
        else:
            self._tell(Latched(part.trigger))
        return part

    def _refusal(self, kind: TriggerKind, *, known: bool) -> tuple[Reason, str] | None:
        """Why a trigger cannot be served now."""
        if self._stop_triggers.is_set():
            return Reason.NOT_RUNNING, f"trigger while the station was {self.state.value}"
        refusal = self.conduct.refusal(known=known)
        if refusal:
            return Reason.NOT_RUNNING, refusal
        if self._streams and kind is not self.plan.trigger:
            return Reason.NOT_RUNNING, f"this station takes its parts by {self.plan.trigger.value}, not by {kind.value}"
        if self.ledger.snapshot().in_flight > self.plan.queue:
            return Reason.OVERLOAD, f"more than {self.plan.queue} parts are in flight"
        if not self.conduct.take_slot():
            return Reason.OVERLOAD, "the PLC has not acknowledged the verdicts before this one"
        return None

    # --- what the capture loops call (FrameTaker) -----------------------------------------------

    def stream(self, camera: str, grab: Grab, arrived_ns: int) -> int:
        """A streamed frame: free run keeps the latest, a file source waits until there is room."""
        if isinstance(self._slot, LatestSlot):
            passed_over = self._slot.put(grab, arrived_ns)
            if passed_over:
                self.ledger.count_dropped_frame(passed_over)
            return passed_over
        while not self._stop_triggers.is_set():
            if self._slot.put(grab, arrived_ns, IDLE_S):
                return 0
            self.pulse.tick(f"capture-{camera}", 30.0)
        self.ledger.count_dropped_frame()
        return 1

    def view(self, part: Part, camera: str, grab: Grab, arrived_ns: int) -> None:
        """A part's frame from one camera."""
        self._add_view(part, Frame(part.trigger, camera, grab, arrived_ns), arrived_ns)

    def no_view(self, part: Part, camera: str, reason: Reason, detail: str) -> None:
        """A part will get no frame from this camera: it is judged INVALID once all others came."""
        self._add_view(part, View(camera, failure=reason, detail=detail), self._clock.monotonic_ns())

    def opened(self, camera: str, info: CameraInfo) -> None:
        """A camera is open: what it is decides on the frozen-frame check and on 'simulated'."""
        self._judge.set_live(camera, info.live)
        if info.simulated:
            self.conduct.simulated()
        log.info("camera is open", camera=camera, model=info.model, size=f"{info.width}x{info.height}")

    def changed(self, status: CameraStatus) -> None:
        """A camera's state changed: raise or clear its fault, suspend or go on."""
        key = f"camera/{status.name}"
        if status.state in ("streaming", "ended", "stopped"):
            self.faults.clear(key)
            self.conduct.missing(key, "")
        elif status.state in ("backoff", "stalled"):
            why = status.error or f"camera {status.name} is lost"
            cure = f"check cable, power and address of camera {status.name}; it is tried again by itself"
            self.faults.raise_(key, why, cure, code=Reason.CAMERA_LOST)
            self.conduct.missing(key, f"no frames from {status.name}")
        self._tell(CameraChanged(status))

    def _add_view(self, part: Part, view: Frame | View, at_ns: int) -> None:
        if self.ledger.add_view(part, view, len(self._captures), at_ns):
            self._tell(Exposed(part.trigger))
            with self._queued:
                self._queue.append(part)
                self._queued.notify()

    # --- inference ------------------------------------------------------------------------------

    def _run_inference(self) -> None:
        limit_s = self.plan.deadline_ms / 1e3 * self.plan.stuck_after + 30.0
        self.pulse.tick("inference", limit_s)
        try:
            self._judge.detector.warm_up()
            self.conduct.initialized()
            self._prove()
        finally:
            self._prepared.set()
        while True:
            self.pulse.tick("inference", limit_s)
            part = self._next_part()
            if part is not None:
                self._judge_part(part)
            elif self._stop_judging.is_set():
                return
            self._recorder.write_waiting()
            self._take_recipe()
            if self._proof.due(self._clock.monotonic_ns()):
                self._prove()
            try:
                self._intake.reserve_ahead()
            except RecordsError as error:
                self._recorder.fault(error)

    def _take_recipe(self) -> None:
        """Between two parts: swap the recipe that a command has brought, and prove the lane again."""
        while self._swap:
            recipe, done = self._swap.popleft()
            self._judge.change_recipe(recipe)
            self._state_judge()
            self._prove()
            done.set()

    def _state_judge(self) -> None:
        ref, model = self._judge.recipe.ref, self._judge.detector.model
        self.conduct.judges_by(f"{ref.name}@{ref.revision}", ref.sha256, f"{model.name} {model.sha256[:12]}")

    def _prove(self) -> None:
        """Send self-test parts through the lane: ready only if the slowest leaves room before the deadline."""
        size = next((c.size for c in self._captures.values() if c.size is not None), (640, 640))
        try:
            worst_ms = self._proof.run(self._judge, self._records, size, self._clock)
        except DetectorLost as error:
            # While it is not ready no PLC triggers, so no part would ever find it out.
            self.conduct.proven(False)
            self.faults.raise_("detector", str(error), "the process ends and is started again")
            self._fatal(EXIT_STUCK, str(error))
            return
        good = self._proof.passes(worst_ms)
        if good:
            self.faults.clear("station/slow")
        else:
            took = "failed" if worst_ms == NEVER_MS else f"took {worst_ms:.0f} ms"
            text = f"the slowest of {self.plan.rules.self_test_parts} self-test parts {took}"
            cure = f"deadline is {self.plan.deadline_ms:g} ms: use a smaller model, a faster machine or a later gate"
            self.faults.raise_("station/slow", text, cure, code=Reason.TOO_SLOW)
        self.conduct.proven(good)

    def _next_part(self) -> Part | None:
        """The next part to judge; in free run it is born here (rule 6)."""
        if not self._streams:
            with self._queued:
                self._queued.wait_for(lambda: self._queue or self._stop_judging.is_set(), IDLE_S)
                return self._queue.popleft() if self._queue else None
        taken = self._slot.take(IDLE_S)
        if taken is None:
            return None
        grab, arrived_ns = taken
        name, capture = next(iter(self._captures.items()))
        if self._stop_triggers.is_set():
            capture.passed_over()
            self.ledger.count_dropped_frame()
            return None
        capture.took()
        at_ns = arrived_ns if self.plan.trigger is TriggerKind.FREE_RUN else self._clock.monotonic_ns()
        part = self._accept(self.plan.trigger, at_ns, grab.name[:64])
        frame = Frame(part.trigger, name, grab, arrived_ns)
        return part if self.ledger.add_view(part, frame, 1, at_ns) else None

    def _judge_part(self, part: Part) -> None:
        if not self.ledger.take(part):
            return
        start_ns = self._clock.monotonic_ns()
        self._judging = (part, start_ns)
        failure: Exception | None = None
        try:
            judged = self._judge.judge(part.frames, part.failed)
        except Exception as error:  # noqa: BLE001 - the thread's top for a part: a defect of ours must not end the line
            failure = error
            text = f"{type(error).__name__}: {error}"
            judged = Judged(invalid(Reason.INTERNAL, text, self._judge.recipe.ref), (), 0.0, 0.0, 0.0)
        finally:
            self._judging = None
        self._finish(part, judged, start_ns)
        # Only now, when the verdict has left: writing a traceback may take longer than the deadline.
        if failure is not None:
            log.error("judging failed", sequence=part.trigger.sequence, exc_info=failure)
            cure = "this is a defect of partsight: please report it with the log"
            self.faults.raise_("station/internal", f"{type(failure).__name__}: {failure}", cure)
        else:
            self.faults.clear("station/internal")
            self._state_detector(judged)

    def _state_detector(self, judged: Judged) -> None:
        if judged.error is not None:
            self.faults.raise_("detector", str(judged.error), "parts are rejected until the detector answers again")
            if isinstance(judged.error, DetectorLost):
                # Its part has its verdict already. No other would ever get a better one from this process.
                self._fatal(EXIT_STUCK, str(judged.error))
        elif judged.detect_ms:
            self.faults.clear("detector")

    def _finish(self, part: Part, judged: Judged, start_ns: int) -> None:
        """Record, claim, publish: a pass after its record and before its deadline, a reject at once (rules 3, 4)."""
        now = self._clock.monotonic_ns()
        inspection = self._inspection(part, judged.verdict, judged, start_ns, now)
        passes = inspection.verdict.action is Action.PASS or inspection.mode is Mode.BYPASS
        if now > part.trigger.deadline_ns:
            self._reject(part, Reason.DEADLINE, REASON_TEXT[Reason.DEADLINE])
        elif not passes:
            self._claim_and_publish(part, inspection)
        else:
            error = self._recorder.commit(inspection)
            if error is not None:
                self._reject(part, Reason.RECORD_FAILED, f"record could not be written: {error}", inspection)
            elif self._clock.monotonic_ns() > part.trigger.deadline_ns:
                self._reject(part, Reason.DEADLINE, REASON_TEXT[Reason.DEADLINE])
            else:
                self._claim_and_publish(part, inspection)
        if part.verdict is not inspection.verdict:
            inspection = self._overruled(part, inspection)
            self._recorder.record(inspection)
        elif not passes:
            self._recorder.record(inspection)
        self._to_slow_lanes(part, inspection)
        part.frames, part.failed = [], []  # the deadline's queue may keep the part for a while, not its pixels

    def _overruled(self, part: Part, inspection: Inspection) -> Inspection:
        """What is recorded of a part that was rejected while it was judged: that verdict, and what the model said."""
        assert part.verdict is not None
        if part.verdict.code == Reason.DEADLINE:
            self.ledger.count_late()
        timings = replace(inspection.timings, verdict_ms=(part.verdict_ns - part.trigger.at_ns) / 1e6)
        return replace(inspection, verdict=part.verdict, late=inspection.verdict.result, timings=timings)

    def _claim_and_publish(self, part: Part, inspection: Inspection) -> None:
        if self.ledger.claim(part, inspection.verdict, self._clock.monotonic_ns()) is not None:
            self._publish(inspection)

    def _publish(self, inspection: Inspection) -> None:
        self.conduct.sending(inspection.trigger.id)
        for output in self._outputs:
            try:
                output.publish(inspection)
            except Exception as error:  # noqa: BLE001 - one output's defect must not keep the verdict from the others
                text = f"{type(output).__name__} failed: {type(error).__name__}: {error}"
                cure = "this is a defect of that output: please report it"
                self.faults.raise_("output", text, cure, code=Reason.OUTPUT_FAILED, latched=True)
        self.conduct.finished(inspection)
        if inspection.timings.verdict_ms is not None and self._proof.too_slow(inspection.timings.verdict_ms):
            self.conduct.proven(False)

    def _inspection(
        self, part: Part, verdict: Verdict, judged: Judged | None, start_ns: int | None, now: int
    ) -> Inspection:
        at = part.trigger.at_ns

        def since(ns: int | None) -> float | None:
            return None if ns is None else (ns - at) / 1e6

        mode = self.conduct.mode(known=part.known)
        truths = [frame.grab.truth for frame in part.frames if frame.grab.truth is not None]
        return Inspection(
            uid=uuid7(),
            trigger=part.trigger,
            verdict=verdict,
            views=judged.views if judged is not None else (),
            timings=Timings(
                frame_ms=since(part.frame_ns),
                start_ms=since(start_ns),
                infer_ms=judged.infer_ms if judged is not None else None,
                detect_ms=judged.detect_ms if judged is not None else None,
                decide_ms=judged.decide_ms if judged is not None else None,
                verdict_ms=since(now),
            ),
            model=self._judge.detector.model,
            simulated=mode is Mode.SIMULATION or self.conduct.is_simulated,
            mode=mode,
            truth=truths[0] if truths else None,
        )

    def _to_slow_lanes(self, part: Part, inspection: Inspection) -> None:
        if self._archive is not None and part.frames and not self._archive.offer(inspection, part.frames):
            self.ledger.count_dropped_image()
        self._tell(Finished(inspection, tuple(part.frames)))

    # --- rejects without a judgement --------------------------------------------------------------

    def _reject(self, part: Part, reason: Reason, text: str, judged: Inspection | None = None) -> Inspection | None:
        """Give an INVALID verdict now, without the database (rule 5); None where the part has its verdict already.

        The caller records what comes back, unless the inference thread is at work on the part: that one does.
        """
        verdict = invalid(reason, text, self._judge.recipe.ref)
        now = self._clock.monotonic_ns()
        stage = self.ledger.claim(part, verdict, now)
        if stage is None:
            return None
        if judged is not None:
            inspection = replace(judged, verdict=verdict, late=judged.verdict.result)
        else:
            inspection = self._inspection(part, verdict, None, None, now)
        self._publish(inspection)
        try:
            self._records.latch_reject(part.trigger.sequence, verdict.code)
        except RecordsError as error:
            self._recorder.fault(error)
        return inspection if stage is not Stage.JUDGING else None

    def _reject_unjudged(self, part: Part, reason: Reason, text: str) -> None:
        """Reject a part that was not judged, and have it recorded."""
        inspection = self._reject(part, reason, text)
        if inspection is not None:
            self._recorder.keep(inspection)
            self._tell(Finished(inspection, tuple(part.frames)))

    # --- deadline ---------------------------------------------------------------------------------

    def _run_deadlines(self) -> None:
        """Rejects what is late. Touches no database and waits for nobody."""
        while not self._stop_judging.is_set() or self.ledger.snapshot().in_flight:
            self.pulse.tick("deadline", 5.0)
            for part in self._deadlines.expired(IDLE_S):
                self._reject_unjudged(part, Reason.DEADLINE, REASON_TEXT[Reason.DEADLINE])
            self._check_stuck()
            self.conduct.watch_plc()
            self._watch_shift()

    def _watch_shift(self) -> None:
        now = self._clock.monotonic_ns()
        if now >= self._shift_ns:
            self._shift_ns = now + SHIFT_EVERY_NS
            self.conduct.watch_challenge()

    def _check_stuck(self) -> None:
        judging = self._judging
        if judging is None:
            return
        waited_ms = (self._clock.monotonic_ns() - judging[1]) / 1e6
        limit_ms = self.plan.deadline_ms * self.plan.stuck_after
        if waited_ms > limit_ms:
            text = f"the detector has not answered for {waited_ms:.0f} ms ({self.plan.stuck_after} deadlines)"
            self.faults.raise_("detector/stuck", text, "the process ends and is started again", latched=True)
            self._fatal(EXIT_STUCK, text)

    # --- timer ------------------------------------------------------------------------------------

    def _run_timer(self) -> None:
        period_ns = int(self.plan.period_ms * 1e6)
        due = self._clock.monotonic_ns() + period_ns
        while not self._stop_triggers.is_set():
            self.pulse.tick("timer", 5.0)
            wait_s = (due - self._clock.monotonic_ns()) / 1e9
            if wait_s > 0:
                self._stop_triggers.wait(min(wait_s, 1.0))
                continue
            if any(capture.ended for capture in self._captures.values()):
                return
            self.trigger(TriggerKind.TIMER)
            due = max(due + period_ns, self._clock.monotonic_ns())

    # --- threads ----------------------------------------------------------------------------------

    def _guarded(self, name: str, loop: Callable[[], None]) -> None:
        """The top of a thread: a loop that ends by an exception ends the process, since nobody else does its work."""
        try:
            loop()
        except Exception as error:
            log.exception("a loop of the station failed", loop=name)
            self._fatal(EXIT_STUCK, f"loop {name} failed: {error}")
        finally:
            self.pulse.end(name)
