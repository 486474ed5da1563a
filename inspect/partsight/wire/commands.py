"""Commands at `P/cmd/NAME` and their answers at `P/rsp/CLIENT`.

`parse_command(name, payload) -> ParsedCommand | CommandError`, `domain_command(parsed, source) -> Command | None`
(None: `replay`, `sync` and `time` are the output's own), `response(rid, reply)`, `CommandError.response()`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field, JsonValue, TypeAdapter, ValidationError, model_validator

from partsight.domain import messages as domain
from partsight.domain.messages import Answer, Reply
from partsight.wire.message import MAX_INT64, MAX_PART, EpochMs, Id, Int64, Message, Version, WireError, clean, explain

MAX_COMMAND_BYTES = 4096
MAX_CHALLENGE = 200
MAX_REPLAY = 1_000_000
"""Records that one `replay` may ask for."""
LEVEL = r"^[A-Za-z0-9_-]{1,64}$"
"""One level of a topic, as a pattern."""

Rid = Annotated[str, Field(min_length=1, max_length=64, description="the client's number of this request")]
Client = Annotated[str, Field(pattern=LEVEL, description="the answer goes to P/rsp/CLIENT")]


class WireCommand(Message):
    """What every command has. Nothing may stand beside the keys that are named."""

    model_config = ConfigDict(extra="forbid")

    NAME: ClassVar[str]

    v: Annotated[Version, Field(description="version of the schema")]
    rid: Rid
    client: Client
    t: Annotated[EpochMs | None, Field(description="when it was sent; a late one is refused")] = None


class RecipeCommand(WireCommand):
    """Change the recipe, by `name` (or `name@revision`) or by its integer id."""

    NAME: ClassVar[str] = "recipe"

    name: Annotated[str | None, Field(min_length=1, max_length=128)] = None
    id: Annotated[int | None, Field(ge=1, le=65535)] = None

    @model_validator(mode="after")
    def _one_of_them(self) -> RecipeCommand:
        if (self.name is None) == (self.id is None):
            raise ValueError("give either name or id")
        return self


class StartCommand(WireCommand):
    """To RUNNING."""

    NAME: ClassVar[str] = "start"


class StopCommand(WireCommand):
    """To HALTED: parts are rejected."""

    NAME: ClassVar[str] = "stop"


class HoldCommand(WireCommand):
    """To HELD: parts are rejected."""

    NAME: ClassVar[str] = "hold"


class ResetCommand(WireCommand):
    """Acknowledge latched errors and take back a line-stop request."""

    NAME: ClassVar[str] = "reset"


class TriggerCommand(WireCommand):
    """Judge the part under the cameras now."""

    NAME: ClassVar[str] = "trigger"

    id: Id | None = None
    p: Annotated[str, Field(max_length=MAX_PART)] = ""
    enc: Int64 | None = None


class ChallengeCommand(WireCommand):
    """Begin a challenge test: of each known part, in order, whether it is bad."""

    NAME: ClassVar[str] = "challenge"

    bad: Annotated[tuple[bool, ...], Field(min_length=1, max_length=MAX_CHALLENGE)]


class ReplayCommand(WireCommand):
    """Send the records from `from` up to and including `to` again."""

    NAME: ClassVar[str] = "replay"

    first: Annotated[int, Field(alias="from", ge=1, le=MAX_INT64)]
    to: Annotated[int, Field(ge=1, le=MAX_INT64)]

    @model_validator(mode="after")
    def _in_order(self) -> ReplayCommand:
        if not self.first <= self.to < self.first + MAX_REPLAY:
            raise ValueError(f"to must be from {self.first} up to {self.first + MAX_REPLAY - 1}")
        return self


class SyncCommand(WireCommand):
    """Publish every retained message again and answer with the state and the numbers."""

    NAME: ClassVar[str] = "sync"


class TimeCommand(WireCommand):
    """Answer with the station's time; `t` is the client's, to compare with. The clock is not set."""

    NAME: ClassVar[str] = "time"


ParsedCommand = (
    RecipeCommand
    | StartCommand
    | StopCommand
    | HoldCommand
    | ResetCommand
    | TriggerCommand
    | ChallengeCommand
    | ReplayCommand
    | SyncCommand
    | TimeCommand
)

COMMANDS: dict[str, type[ParsedCommand]] = {
    RecipeCommand.NAME: RecipeCommand,
    StartCommand.NAME: StartCommand,
    StopCommand.NAME: StopCommand,
    HoldCommand.NAME: HoldCommand,
    ResetCommand.NAME: ResetCommand,
    TriggerCommand.NAME: TriggerCommand,
    ChallengeCommand.NAME: ChallengeCommand,
    ReplayCommand.NAME: ReplayCommand,
    SyncCommand.NAME: SyncCommand,
    TimeCommand.NAME: TimeCommand,
}


class Response(Message):
    """Every command that says who asks is answered."""

    rid: str
    ok: bool
    code: Annotated[Answer, Field(description="0 done, 1 not now, 2 not allowed, 3 invalid, 4 unknown, 5 failed")]
    msg: str
    data: dict[str, JsonValue] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CommandError:
    """A payload that is no command. rid, client: where they could be read all the same, so that it is answered."""

    code: Answer
    text: str
    rid: str | None = None
    client: str | None = None

    def response(self) -> Response:
        """For `P/rsp/CLIENT`, where `client` is known."""
        return Response(rid=self.rid or "", ok=False, code=self.code, msg=self.text)


def parse_command(name: str, payload: bytes) -> ParsedCommand | CommandError:
    """Never raises, whatever comes."""
    if len(payload) > MAX_COMMAND_BYTES:
        return CommandError(
            Answer.INVALID, f"the payload has {len(payload)} bytes; a command has at most {MAX_COMMAND_BYTES}"
        )
    kind = COMMANDS.get(name)
    if kind is None:
        text = f"there is no command {name[:64]!r}; known: {', '.join(COMMANDS)}"
        return CommandError(Answer.UNKNOWN, text, *_sender(payload))
    try:
        parsed = kind.model_validate_json(payload)
        json.loads(payload, object_pairs_hook=_once)
    except ValidationError as problem:
        return CommandError(Answer.INVALID, explain(problem), *_sender(payload))
    except ValueError as problem:
        return CommandError(Answer.INVALID, str(problem), *_sender(payload))
    return parsed


def domain_command(parsed: ParsedCommand, source: str) -> domain.Command | None:
    """The station's command; None where the output itself answers. source: who asked, for the audit."""
    match parsed:
        case RecipeCommand():
            return domain.SelectRecipe(source, name=parsed.name or "", id=parsed.id)
        case StartCommand():
            return domain.Start(source)
        case StopCommand():
            return domain.Stop(source)
        case HoldCommand():
            return domain.Hold(source)
        case ResetCommand():
            return domain.Reset(source)
        case TriggerCommand():
            return domain.TriggerPart(source, part_id=parsed.p, id=parsed.id, encoder=parsed.enc)
        case ChallengeCommand():
            return domain.Challenge(source, parsed.bad)
        case _:
            return None


def response(rid: str, reply: Reply) -> Response:
    """A reply of the station, as the client gets it. Raises WireError where `data` is not plain JSON."""
    try:
        return Response(rid=rid, ok=reply.ok, code=reply.code, msg=clean(reply.text), data=dict(reply.data))
    except ValidationError as problem:
        raise WireError(f"the answer to {rid!r} cannot be written: {explain(problem)}") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A key that stands twice has no meaning that both sides agree on."""
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = sorted({key for key, _ in pairs if [k for k, _ in pairs].count(key) > 1})
        raise ValueError(f"{', '.join(twice)[:100]}: stands more than once")
    return found


def _sender(payload: bytes) -> tuple[str | None, str | None]:
    """(rid, client) of a payload that is not valid, each where it is."""
    try:
        found = json.loads(payload)
    except (ValueError, RecursionError):
        return None, None
    if not isinstance(found, dict):
        return None, None
    return _read(_RID, found.get("rid")), _read(_CLIENT, found.get("client"))


def _read(kind: TypeAdapter[str], value: object) -> str | None:
    try:
        return kind.validate_python(value, strict=True)
    except ValidationError:
        return None


_RID: TypeAdapter[str] = TypeAdapter(Rid)
_CLIENT: TypeAdapter[str] = TypeAdapter(Client)
