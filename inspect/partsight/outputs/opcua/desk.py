"""What a method call means for the station: calls become commands, replies become answers. No OPC UA in here."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from partsight.domain.inspection import Inspection
from partsight.domain.messages import Answer, Command, Hold, Reply, Reset, SelectRecipe, Start, Stop, TriggerPart
from partsight.domain.ports import CommandSink
from partsight.domain.status import StationState

MAX_TEXT = 128
KEPT_JOBS = 256
Audit = Callable[[str, str, str], None]
"""Told who, through what, and what was asked and answered."""

_READY = frozenset({StationState.READY, StationState.HELD})
_OPERATIONAL = frozenset(
    {StationState.INITIALIZED, StationState.READY, StationState.RUNNING, StationState.HELD, StationState.SUSPENDED}
)
_NAME = re.compile(r"[^\x00-\x1f]{1,128}\Z")


@dataclass(frozen=True, slots=True)
class Job:
    """What a client said when it began a job; it comes back with the result."""

    id: str
    meas_id: str = ""
    product_id: str = ""


class Desk:
    """Carries out the methods. One thread calls it.

    StartSingleJob on a station that stands still is Start, one trigger and, when its result is there, Hold; on a
    running one it is a trigger. Stop and Abort are Hold (back to Ready), Halt is Stop (to Halted).
    """

    def __init__(self, sink: CommandSink, audit: Audit | None = None) -> None:
        self._sink = sink
        self._audit = audit
        self._jobs: OrderedDict[tuple[int, int], Job] = OrderedDict()
        self._single: tuple[int, int] | None = None
        self._runs = 0
        self._continuous = Job("")
        self.last_reply = ""

    @property
    def single(self) -> bool:
        """A single job is under way."""
        return self._single is not None

    def start_single(self, who: str, meas_id: str, part_id: str, recipe_id: str, product_id: str) -> tuple[str, Reply]:
        """The job's id (empty where it was refused) and the reply."""
        return self._told(
            who, f"StartSingleJob {part_id}", self._start_single(who, meas_id, part_id, recipe_id, product_id)
        )

    def start_continuous(
        self, who: str, meas_id: str, part_id: str, recipe_id: str, product_id: str
    ) -> tuple[str, Reply]:
        """The same for a run until Stop; results carry their own parts."""
        refused = self._refuse(meas_id, part_id, recipe_id, product_id)
        reply = refused or self._sink.command(Start(_source(who)))
        job = ""
        if reply.ok:
            self._runs += 1
            job = f"{self._sink.status().epoch}-run{self._runs}"
            self._continuous, self._single = Job(job, meas_id, product_id), None
        return self._told(who, "StartContinuous", (job, reply))

    def command(self, who: str, method: str) -> Reply:
        """Stop, Abort, Halt, Reset, ConfirmAll or SelectModeAutomatic."""
        made: dict[str, type[Stop | Hold | Reset]] = {
            "Stop": Hold,
            "Abort": Hold,
            "Halt": Stop,
            "Reset": Reset,
            "ConfirmAll": Reset,
        }
        if method in made:
            self._single = None
            reply = self._sink.command(made[method](_source(who)))
        elif self._sink.status().state in _OPERATIONAL:
            reply = Reply(Answer.DONE, "the station knows the automatic mode only")
        else:
            reply = Reply(Answer.NOT_NOW, "the station is not operational")
        return self._told(who, method, ("", reply))[1]

    def prepare(self, who: str, recipe_id: str) -> Reply:
        """Change to a recipe by name, `name@revision` or integer id."""
        return self._told(who, f"PrepareRecipe {recipe_id}", ("", self._prepare(who, recipe_id)))[1]

    def unprepare(self, who: str, recipe_id: str) -> Reply:
        """Refused: a station is never without a recipe; preparing another one replaces it."""
        if not self._is_active(recipe_id):
            reply = Reply(Answer.UNKNOWN, f"recipe {recipe_id[:MAX_TEXT]!r} is not prepared")
        else:
            reply = Reply(
                Answer.NOT_ALLOWED, "the station keeps its recipe until another is prepared; Halt stops the inspection"
            )
        return self._told(who, f"UnprepareRecipe {recipe_id}", ("", reply))[1]

    def job_of(self, inspection: Inspection) -> Job:
        """The job that this result belongs to."""
        return self._jobs.pop((inspection.trigger.epoch, inspection.trigger.id), self._continuous)

    def finished(self, inspection: Inspection) -> None:
        """A result is there: a single job ends with its own."""
        if self._single == (inspection.trigger.epoch, inspection.trigger.id):
            self._single = None
            self._sink.command(Hold("opcua single job"))

    def _start_single(self, who: str, meas_id: str, part_id: str, recipe_id: str, product_id: str) -> tuple[str, Reply]:
        refused = self._refuse(meas_id, part_id, recipe_id, product_id)
        if refused is not None:
            return "", refused
        begun = self._sink.status().state in _READY
        if begun:
            started = self._sink.command(Start(_source(who)))
            if not started.ok:
                return "", started
        reply = self._sink.command(TriggerPart(_source(who), part_id))
        number = reply.data.get("id")
        if not reply.ok or not isinstance(number, int):
            if begun:
                self._sink.command(Hold(_source(who)))
            return "", reply
        epoch = self._sink.status().epoch
        job = Job(f"{epoch}-{number}", meas_id, product_id)
        self._jobs[epoch, number] = job
        if len(self._jobs) > KEPT_JOBS:
            self._jobs.popitem(last=False)
        if begun:
            self._single = (epoch, number)
        return job.id, reply

    def _refuse(self, meas_id: str, part_id: str, recipe_id: str, product_id: str) -> Reply | None:
        for text in (meas_id, part_id, recipe_id, product_id):
            if text and not _NAME.match(text):
                return Reply(Answer.INVALID, f"an id has 1 to {MAX_TEXT} characters and no control characters")
        if recipe_id and not self._is_active(recipe_id):
            return Reply(Answer.NOT_NOW, f"recipe {recipe_id} is not prepared; call PrepareRecipe first")
        return None

    def _prepare(self, who: str, recipe_id: str) -> Reply:
        if not _NAME.match(recipe_id):
            return Reply(Answer.INVALID, f"a recipe id has 1 to {MAX_TEXT} characters and no control characters")
        command: Command = SelectRecipe(_source(who), name=recipe_id)
        if recipe_id.isascii() and recipe_id.isdigit():
            command = SelectRecipe(_source(who), id=int(recipe_id))
        return self._sink.command(command)

    def _is_active(self, recipe_id: str) -> bool:
        status = self._sink.status()
        return recipe_id in (status.recipe, status.recipe.partition("@")[0], str(status.recipe_id))

    def _told(self, who: str, what: str, answer: tuple[str, Reply]) -> tuple[str, Reply]:
        reply = answer[1]
        self.last_reply = f"{what}: {reply.code.name}" + (f": {reply.text}" if reply.text else "")
        if self._audit is not None:
            self._audit(who or "anonymous", "opcua", self.last_reply[:512])
        return answer


def _source(who: str) -> str:
    return f"opcua {who or 'anonymous'}"
