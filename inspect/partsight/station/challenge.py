"""The challenge test as the station goes through it.

    guided   call for part k ─► the part comes ─► its verdict ─► a person confirms ─► call for part k + 1
    a run    the next n parts are the known ones, in order (MQTT, Modbus)

A part is known from its trigger on: what was in flight before the test, or comes in between, is never taken for one of
the kit. Nothing here is thread-safe; the conduct calls it under its lock.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from partsight.domain.challenge import ChallengeTest, KnownPart, Outcome, Past, Step
from partsight.domain.inspection import Inspection
from partsight.domain.verdict import Result
from partsight.station.line_rules import NOT_SEEN, LineRules, shift_start

FUTURE = timedelta(hours=1)
"""A passed test that lies further ahead was written by a clock that was wrong: it cannot be believed."""
PART_REASONS = range(500, 600)
WaitingFor = Literal["", "part", "confirmation"]


@dataclass(frozen=True, slots=True)
class ChallengeView:
    """What people see of it. due: shift, change, due or "". steps: of the test under way, empty without one."""

    due: str = ""
    failed: bool = False
    guided: bool = False
    steps: tuple[Step, ...] = ()
    current: int | None = None
    waiting_for: WaitingFor = ""


def is_right(bad: bool, inspection: Inspection) -> bool:
    """A good part must pass. A bad one must be rejected for what it is: a camera that failed shows nothing."""
    verdict = inspection.verdict
    if not bad:
        return verdict.result is Result.OK
    return verdict.result in (Result.NG, Result.REVIEW) or (
        verdict.result is Result.INVALID and verdict.code in PART_REASONS
    )


class Course:
    """A test under way. by_call: parts come by themselves, so that a person says when the known one lies there."""

    def __init__(self, test: ChallengeTest, *, by_call: bool, now_ns: int) -> None:
        self.test = test
        self.steps = list(test.steps)
        self.current = 0
        self.waiting_for: WaitingFor = "part"
        self._by_call = by_call and test.guided
        self._called_ns = None if self._by_call else now_ns
        self._places: dict[int, int] = {}
        self._taken = 0

    def call(self, now_ns: int) -> bool:
        """The next part from now on is the one that is asked for; False where none is."""
        if not self.test.guided or self.waiting_for != "part":
            return False
        self._called_ns = now_ns
        return True

    def takes(self, sequence: int, at_ns: int, *, serves: bool) -> bool:
        """Whether the part of this trigger is a known one. serves: the lane could judge it."""
        if not self.test.guided:
            if self._taken >= len(self.steps):
                return False
            place = self._taken
            self._taken += 1
        else:
            if not serves or self.waiting_for != "part" or self._called_ns is None or at_ns < self._called_ns:
                return False
            place, self.waiting_for = self.current, ""
        self._places[sequence] = place
        self.steps[place] = replace(self.steps[place], sequence=sequence, reason="")
        return True

    def see(self, inspection: Inspection) -> None:
        """The verdict of a known part; one that nobody looked at is asked for again in a guided test."""
        place = self._places.pop(inspection.trigger.sequence, None)
        if place is None:
            return
        verdict, step = inspection.verdict, self.steps[place]
        reason = verdict.findings[0].text if verdict.findings else ""
        if self.test.guided and verdict.result is Result.INVALID and verdict.code in NOT_SEEN:
            self.steps[place] = replace(step, sequence=None, reason=f"not judged, show it again: {reason}")
            self.waiting_for = "part"
            self._called_ns = None if self._by_call else inspection.trigger.at_ns + 1
            return
        right = is_right(step.part.bad, inspection)
        self.steps[place] = replace(step, result=verdict.result, reason=reason, right=right)
        self.waiting_for = "confirmation" if self.test.guided else "part"

    def confirm(self, ok: bool, remark: str, now_ns: int) -> bool:
        """What a person says of the part that was just judged; False where none waits for that."""
        if not self.test.guided or self.waiting_for != "confirmation":
            return False
        self.steps[self.current] = replace(self.steps[self.current], confirmed=ok, remark=remark)
        self.current += 1
        self.waiting_for = "part" if self.current < len(self.steps) else ""
        self._called_ns = None if self._by_call else now_ns
        return True

    @property
    def over(self) -> bool:
        """True once every part has been through."""
        if self.test.guided:
            return self.current >= len(self.steps)
        return all(step.right is not None for step in self.steps)

    def end(self, at: datetime, last_passed: datetime | None, *, aborted_by: str | None = None) -> ChallengeTest:
        """The finished test. An aborted one shows nothing, unless a wrong verdict was seen."""
        good = all(step.right and (step.confirmed or not self.test.guided) for step in self.steps)
        wrong = any(step.right is False for step in self.steps)
        if aborted_by is not None:
            outcome = Outcome.FAILED if wrong else Outcome.NONE
        else:
            outcome = Outcome.PASSED if good else Outcome.FAILED
        return replace(
            self.test,
            steps=tuple(self.steps),
            ended=at,
            outcome=outcome,
            aborted=aborted_by is not None,
            note=f"aborted by {aborted_by}" if aborted_by is not None else "",
            last_passed=last_passed,
        )


class Challenges:
    """Which test is under way, whether one is due, and whether the newest has failed."""

    def __init__(self, rules: LineRules, past: Past, set_up: str) -> None:
        """set_up: a hash of model and cameras; that of the recipe is added."""
        self.course: Course | None = None
        self.failed = past.failed
        self.passed_at = past.passed_at
        self._passed_with = past.passed_with
        self._rules = rules
        self._set_up = set_up
        self._recipe_sha256 = self.recipe = self.model = ""
        self._shift = False

    @property
    def guided(self) -> bool:
        """True while a person goes through the kit: no other part is judged."""
        return self.course is not None and self.course.test.guided

    def judges_by(self, recipe: str, sha256: str, model: str) -> None:
        """What judges from now on."""
        self.recipe, self._recipe_sha256, self.model = recipe, sha256, model

    def watch(self, now: datetime) -> bool:
        """Has a shift begun since the last passed test? True where the answer is another than before."""
        start = shift_start(self._rules.shift_starts, now)
        passed = self.passed_at
        shift = start is not None and (passed is None or passed < start or passed > now + FUTURE)
        changed, self._shift = shift is not self._shift, shift
        return changed

    def due(self, without_reject: bool) -> str:
        """Why a test is asked for now: shift, change or due (too many parts without a reject); "" where none is."""
        if self._shift:
            return "shift"
        if self._rules.challenge_on_change and self._with != self._passed_with:
            return "change"
        return "due" if without_reject else ""

    def block(self, due: str) -> str:
        """Why no part may be served before a test has passed, "" where it may."""
        if self.failed:
            return "the challenge test has failed: parts are rejected until one has passed"
        if due and self._rules.challenge_required:
            words = {"shift": "at the start of the shift", "change": "after a change", "due": "no reject for long"}
            return f"a challenge test is due ({words[due]})"
        return ""

    def made(self, parts: tuple[KnownPart, ...], who: str, why: str, at: datetime, *, guided: bool) -> ChallengeTest:
        """A test that may begin."""
        steps = tuple(Step(part) for part in parts)
        return ChallengeTest(0, at, who, why, guided, self.recipe, self.model, self._with, steps)

    def ended(self, test: ChallengeTest, now: datetime) -> None:
        """Take in how a test has ended."""
        self.course = None
        if test.outcome is Outcome.PASSED:
            self.failed, self.passed_at, self._passed_with = False, test.ended, test.set_up
            self.watch(now)
        elif test.outcome is Outcome.FAILED:
            self.failed = True

    def view(self, due: str) -> ChallengeView:
        """A consistent copy."""
        course = self.course
        if course is None:
            return ChallengeView(due, self.failed)
        current = course.current if course.test.guided else None
        waiting: WaitingFor = course.waiting_for if course.test.guided else "part"
        return ChallengeView(due, self.failed, course.test.guided, tuple(course.steps), current, waiting)

    @property
    def _with(self) -> str:
        return f"{self._set_up}:{self._recipe_sha256}"
