"""Commands of people to the station, each audited with who asked, from where, and what it changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, TypeAdapter, ValidationError

from partsight.api.ops import Entry, OpContext, OpRefused, arguments
from partsight.api.snapshot import fault_note
from partsight.domain.messages import Bypass, Command, Hold, Reply, Reset, SelectRecipe, Start, Stop, TriggerPart
from partsight.station.faults import KEPT_OVER
from partsight.wire.screen.commands import BypassRequest, CommandAnswer, SelectRecipeRequest, TriggerRequest
from partsight.wire.screen.message import Request

_PLAIN: Mapping[str, type[Start | Stop | Hold | Reset]] = {"start": Start, "stop": Stop, "hold": Hold, "reset": Reset}
_DATA: TypeAdapter[dict[str, JsonValue]] = TypeAdapter(dict[str, JsonValue])


class _Plain(Request):
    """start, stop, hold and reset have no arguments."""


class _Name(Request):
    """Which command; the other arguments are that command's own."""

    command: Literal["start", "stop", "hold", "reset", "trigger", "recipe", "bypass"]


class _History(Request):
    """How many faults that are over."""

    history: Annotated[int, Field(ge=0, le=KEPT_OVER)] = 100


def command(context: OpContext, args: dict[str, Any]) -> JsonValue:
    """`{"command": name, ...}` with the fields of that command's request; a `CommandAnswer`."""
    own = {key: value for key, value in args.items() if key != "command"}
    name = arguments(_Name, {"command": args.get("command")}).command
    asked = _domain(name, own, f"{context.source} {context.who}".strip())
    before = _before(context)
    if isinstance(asked, Bypass) and asked.on and not context.audit("command bypass", before, dict(own)):
        raise OpRefused(503, "rejects stay on: bypass must be in the audit trail, and that cannot be written now")
    reply = context.station.command(asked)
    if not (isinstance(asked, Bypass) and asked.on):
        context.audit(f"command {name}", before, _after(context, own, reply))
    if name == "recipe" and reply.ok:
        context.tell("recipe", {"recipe": context.station.status().recipe, "who": context.who})
    answer = CommandAnswer(ok=reply.ok, code=reply.code, text=reply.text, data=_plain(reply.data))
    told: JsonValue = answer.model_dump(mode="json")
    return told


def _domain(name: str, own: Mapping[str, Any], source: str) -> Command:
    if name in _PLAIN:
        arguments(_Plain, own)
        return _PLAIN[name](source)
    if name == "trigger":
        wanted = arguments(TriggerRequest, own)
        return TriggerPart(source, wanted.part_id, wanted.id)
    if name == "recipe":
        return SelectRecipe(source, arguments(SelectRecipeRequest, own).name)
    return Bypass(source, arguments(BypassRequest, own).on)


def _before(context: OpContext) -> dict[str, JsonValue]:
    status = context.station.status()
    return {"state": status.state.value, "mode": status.mode.value, "recipe": status.recipe}


def _after(context: OpContext, own: Mapping[str, Any], reply: Reply) -> dict[str, JsonValue]:
    told: dict[str, JsonValue] = {**_before(context), "code": int(reply.code)}
    if own:
        told["asked"] = dict(own)
    if reply.text:
        told["text"] = reply.text[:200]
    return told


def _plain(data: Mapping[str, Any]) -> dict[str, JsonValue]:
    try:
        return _DATA.validate_python(dict(data))
    except ValidationError:
        return {}


def _waits(args: Mapping[str, Any]) -> bool:
    """A recipe is changed between two parts, and then the lane proves itself."""
    return args.get("command") == "recipe"


def faults(context: OpContext, args: dict[str, Any]) -> JsonValue:
    """`{"standing": [FaultNote], "over": [FaultNote]}`; both the newest first."""
    count = arguments(_History, args).history
    board = context.station.faults
    over = board.over()[-count:] if count else ()
    return {
        "standing": [fault_note(fault).model_dump(mode="json") for fault in reversed(board.all())],
        "over": [fault_note(fault, until).model_dump(mode="json") for fault, until in reversed(over)],
    }


def ping(context: OpContext, args: dict[str, Any]) -> JsonValue:
    """Whether the daemon answers, and whether its loops tick."""
    arguments(_Plain, args)
    return {"alive": context.station.alive(), "state": context.station.state.value}


OPS: Mapping[str, Entry] = {"command": Entry(command, _waits), "faults": Entry(faults), "ping": Entry(ping)}
