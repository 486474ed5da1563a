"""The challenge test: known good and bad parts, each shown, judged and confirmed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from partsight.domain.verdict import Result
from partsight.wire.screen.message import Answer, Request, Sequence, Time

MAX_KIT = 200


class KitPart(Request):
    """A known part of the kit. defect: what is wrong with a bad one, for the person who puts it in."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    bad: bool
    defect: Annotated[str, Field(max_length=128)] = ""


class Kit(Request):
    """The parts of the test, in the order in which they are shown. At least one good and one bad."""

    parts: Annotated[tuple[KitPart, ...], Field(min_length=2, max_length=MAX_KIT)]


class ChallengeStep(Answer):
    """One part of a test that runs or has run. result: None until it was judged; right: None until then.

    confirmed: the person has said that this part was in the machine and that the ejector did what it should; remark is
    what was said. reason: why the verdict is so, or why the part must be shown again.
    """

    part: KitPart
    sequence: int | None = None
    result: Result | None = None
    reason: str = ""
    right: bool | None = None
    confirmed: bool = False
    remark: str = ""


class ChallengeReport(Answer):
    """A finished test. why: shift, change, due, or in words. An aborted one has failed where a wrong verdict was seen.

    guided: a person went through the kit; else the line sent the parts in a row. note: who aborted it, or what has.
    suspects: parts that left as good between the last passed test and this one, counted up to 100,000 and only where
    it failed.
    """

    number: int
    began: Time
    ended: Time
    who: str
    why: str
    passed: bool
    failed: bool = False
    aborted: bool = False
    guided: bool = True
    note: str = ""
    recipe: str
    model: str
    steps: tuple[ChallengeStep, ...]
    last_passed: Time | None = None
    suspects: int = 0


class ChallengeState(Answer):
    """due: why a test is asked for now (shift, change, due: no reject for long), "" where none is. failed: Ready stays
    0 until a test has passed. required: it is 0 while one is due, too.

    running: the steps of the test under way, with `current` the index of the part to show now (None where the line
    sends them in a row). call: parts come by themselves here, so `POST /challenge/trigger` says when the part lies
    there; else its trigger may come from the PLC too. waiting_for: "part" until its trigger, "" while it is judged,
    then "confirmation".
    """

    due: str = ""
    failed: bool = False
    required: bool = False
    call: bool = False
    kit: tuple[KitPart, ...] = ()
    running: tuple[ChallengeStep, ...] = ()
    current: int | None = None
    waiting_for: Literal["", "part", "confirmation"] = ""
    last: ChallengeReport | None = None


class ChallengeStart(Request):
    """why: at shift start, after a change, because it is due, or in words."""

    why: Annotated[str, Field(max_length=128)] = ""


class ChallengeConfirm(Request):
    """Of the part that was just judged: was it the one of the kit, and did the line treat it as it should?"""

    ok: bool
    remark: Annotated[str, Field(max_length=256)] = ""


class Suspect(Answer):
    """A part since the last passed test that must be looked at again."""

    sequence: Sequence
    part_id: str
    at: Time
    result: Result
