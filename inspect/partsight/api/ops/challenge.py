"""The challenge test: begin it, call for a part, confirm what was seen, break it off; and its kit.

Each op answers with the `ChallengeState` after it. Who did it is in the audit trail; the test's own report is the
station's (see `station/challenge.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue

from partsight.api.ops import Entry, OpContext, OpRefused, arguments
from partsight.api.snapshot import challenge_state
from partsight.domain.challenge import KnownPart, kit_problem
from partsight.domain.messages import TriggerPart
from partsight.domain.trigger import TriggerKind
from partsight.wire.screen.challenge import ChallengeConfirm, ChallengeStart, Kit, KitPart
from partsight.wire.screen.message import Request

NO_PART = "no part is asked for now: begin a test, or confirm the part that was judged"


class _Nothing(Request):
    """No arguments."""


def state(context: OpContext, args: dict[str, Any]) -> JsonValue:
    """The `ChallengeState` now: the status that screens are sent is up to half a second older."""
    arguments(_Nothing, args)
    return _state(context)


def kit(context: OpContext, args: dict[str, Any]) -> JsonValue:
    """Replace the kit by a `Kit`."""
    wanted = arguments(Kit, args)
    problem = kit_problem(_known(wanted.parts))
    names = [part.name for part in wanted.parts]
    double = sorted({name for name in names if names.count(name) > 1})
    if double:
        problem = f"two parts have the name {', '.join(double)}: a person must know which one to put in"
    if problem:
        raise OpRefused(422, problem, (problem,))
    book = context.records.challenges
    before = [part.model_dump() for part in book.kit.parts()]
    try:
        book.kit.write(wanted)
    except OSError as error:
        raise OpRefused(503, f"the kit cannot be written: {error}; see the disk of the data folder") from error
    context.audit("challenge kit", before, [part.model_dump() for part in wanted.parts])
    return _state(context)


def start(context: OpContext, args: dict[str, Any]) -> JsonValue:
    """Begin a guided test (`ChallengeStart`)."""
    why = arguments(ChallengeStart, args).why
    parts = _known(context.records.challenges.kit.parts())
    if not parts:
        raise OpRefused(409, "there is no kit of known parts yet; an engineer must say which parts belong to it")
    refusal = context.station.conduct.begin_challenge(parts, context.who, why, guided=True)
    if refusal:
        raise OpRefused(409, refusal)
    context.audit("challenge start", None, {"why": why, "parts": len(parts)})
    return _state(context)


def trigger(context: OpContext, args: dict[str, Any]) -> JsonValue:
    """The known part lies under the cameras: judge it. Where parts come by themselves, the next one is it."""
    arguments(_Nothing, args)
    station = context.station
    if not station.conduct.call_part():
        raise OpRefused(409, NO_PART)
    if station.plan.trigger in (TriggerKind.FREE_RUN, TriggerKind.FOLDER):
        return _state(context)
    view = station.conduct.challenge
    name = view.steps[view.current].part.name if view.current is not None and view.current < len(view.steps) else ""
    reply = station.command(TriggerPart(f"{context.source} {context.who}".strip(), part_id=name))
    if not reply.ok:
        raise OpRefused(409, reply.text)
    return _state(context)


def confirm(context: OpContext, args: dict[str, Any]) -> JsonValue:
    """What a person says of the part that was just judged (`ChallengeConfirm`)."""
    said = arguments(ChallengeConfirm, args)
    if not context.station.conduct.confirm_part(said.ok, said.remark):
        raise OpRefused(409, "no part waits to be confirmed")
    context.audit("challenge confirm", None, said.model_dump())
    return _state(context)


def abort(context: OpContext, args: dict[str, Any]) -> JsonValue:
    """Break off the test under way, also one that the line has begun."""
    arguments(_Nothing, args)
    if not context.station.conduct.abort_challenge(context.who or context.source):
        raise OpRefused(409, "no challenge test is under way")
    context.audit("challenge abort")
    return _state(context)


def _known(parts: tuple[KitPart, ...]) -> tuple[KnownPart, ...]:
    return tuple(KnownPart(part.name, part.bad, part.defect) for part in parts)


def _state(context: OpContext) -> JsonValue:
    told: JsonValue = challenge_state(context.line).model_dump(mode="json")
    return told


OPS: Mapping[str, Entry] = {
    "challenge.state": Entry(state),
    "challenge.kit": Entry(kit),
    "challenge.start": Entry(start),
    "challenge.trigger": Entry(trigger),
    "challenge.confirm": Entry(confirm),
    "challenge.abort": Entry(abort),
}
