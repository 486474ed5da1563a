"""Commands: each is checked, carried out at most once, audited and answered, in a thread of their own."""

from __future__ import annotations

import hashlib
import json
import queue
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from pydantic import ValidationError

from partsight.domain.errors import RecordsError
from partsight.domain.messages import Answer, Reply
from partsight.domain.ports import Clock, CommandSink
from partsight.outputs.mqtt.port import OutboxRecords
from partsight.outputs.mqtt.session import Received
from partsight.outputs.mqtt.settings import LEVEL, MqttSettings
from partsight.wire.commands import (
    CommandError,
    ParsedCommand,
    Response,
    TimeCommand,
    domain_command,
    parse_command,
    response,
)
from partsight.wire.message import epoch_ms

WAITING = 64
REMEMBERED = 256


@dataclass(frozen=True, slots=True)
class Answered:
    """A response for the connection to send. topic: below the prefix."""

    leaf: str
    payload: bytes
    correlation: bytes = b""


OwnCommand = Callable[[ParsedCommand], Reply]
"""`replay`, `sync` and `time`, which the station does not know."""


class CommandDesk:
    """Takes commands from the connection's thread (`put`), gives answers back (`send`).

    The queue is bounded; a command that finds it full is answered 'not now' and counted, and the audit says how many.
    The newest 256 answers are remembered by client and rid: a repeated command is answered again and not done again.
    """

    def __init__(
        self,
        settings: MqttSettings,
        records: OutboxRecords,
        clock: Clock,
        *,
        own: OwnCommand,
        send: Callable[[Answered], None],
        trouble: Callable[[str, str, str], None],
    ) -> None:
        self._settings = settings
        self._records = records
        self._clock = clock
        self._own = own
        self._send = send
        self._trouble = trouble
        self._queue: queue.Queue[tuple[str, Received, int] | None] = queue.Queue(WAITING)
        self._answers: OrderedDict[tuple[str, str], tuple[bytes, Response]] = OrderedDict()
        self._sink: CommandSink | None = None
        self._unaudited_refusals = 0
        self._stopping = False
        self.done = 0
        self.refused = 0
        self.retained = 0
        self.overflowed = 0

    def attach(self, sink: CommandSink) -> None:
        """Whom commands go to."""
        self._sink = sink

    def put(self, name: str, received: Received) -> None:
        """`name`: the last level of the topic. Returns at once."""
        try:
            self._queue.put_nowait((name, received, epoch_ms(self._clock.utc())))
        except queue.Full:
            self.overflowed += 1
            self._unaudited_refusals += 1
            parsed = parse_command(name, received.payload)
            rid, client = parsed.rid, parsed.client
            if client is not None:
                told = Response(
                    rid=rid or "", ok=False, code=Answer.NOT_NOW, msg="too many commands wait; send it later"
                )
                self._answer(client, received, told)

    def stop(self) -> None:
        """End after what waits."""
        self._stopping = True
        with suppress(queue.Full):
            self._queue.put_nowait(None)

    def run(self) -> None:
        """Until `stop`."""
        while (job := self._queue.get()) is not None:
            self._serve(*job)
            if self._stopping and self._queue.empty():
                return

    def _serve(self, name: str, received: Received, came_ms: int) -> None:
        self._tell_overflow()
        if received.retained:
            self.retained += 1
            self._audit("unknown", f"command {name[:64]} dropped", {"why": "it was retained at the broker"})
            return
        parsed = parse_command(name, received.payload)
        if isinstance(parsed, CommandError):
            self.refused += 1
            self._audit(
                parsed.client or "unknown",
                f"command {name[:64]} refused",
                {"rid": parsed.rid, "code": int(parsed.code), "why": parsed.text[:200], "bytes": len(received.payload)},
            )
            if parsed.client is not None:
                self._answer(parsed.client, received, parsed.response())
            return
        key, print_ = (parsed.client, parsed.rid), _print(name, received.payload)
        known = self._answers.get(key)
        if known is not None:
            self._repeat(name, parsed, received, known, print_)
            return
        reply = self._carry_out(name, parsed, came_ms)
        self.done += reply.ok
        self.refused += not reply.ok
        told = _response(parsed.rid, reply)
        self._answers[key] = (print_, told)
        while len(self._answers) > REMEMBERED:
            self._answers.popitem(last=False)
        what = {"rid": parsed.rid, "code": int(told.code), "text": told.msg[:200], "asked": _asked(parsed)}
        self._audit(parsed.client, f"command {name}", what)
        self._answer(parsed.client, received, told)

    def _repeat(
        self, name: str, parsed: ParsedCommand, received: Received, known: tuple[bytes, Response], print_: bytes
    ) -> None:
        told = known[1]
        if known[0] != print_:
            self.refused += 1
            text = f"rid {parsed.rid!r} was used for another command; give each command a new one"
            told = Response(rid=parsed.rid, ok=False, code=Answer.INVALID, msg=text)
        self._audit(
            parsed.client, f"command {name} repeated", {"rid": parsed.rid, "code": int(told.code), "done": False}
        )
        self._answer(parsed.client, received, told)

    def _carry_out(self, name: str, parsed: ParsedCommand, came_ms: int) -> Reply:
        if name not in self._settings.commands:
            return Reply(Answer.NOT_ALLOWED, f"{name} is not among mqtt.commands of this station")
        age_ms = 0 if parsed.t is None or isinstance(parsed, TimeCommand) else came_ms - parsed.t
        if age_ms > self._settings.command_expiry_s * 1000:
            return Reply(
                Answer.NOT_NOW,
                f"sent {age_ms / 1000:.1f} s ago by its own clock, more than {self._settings.command_expiry_s:g} s: "
                "it came late, or the clocks differ (`time` compares them)",
            )
        command = domain_command(parsed, f"mqtt:{parsed.client}")
        if command is None:
            return self._own(parsed)
        if self._sink is None:
            return Reply(Answer.NOT_NOW, "the station is starting")
        return self._sink.command(command)

    def _answer(self, client: str, received: Received, told: Response) -> None:
        leaf = f"rsp/{client}"
        # A response topic of another kind would lend the station's rights to whoever may send commands.
        root = f"{self._settings.prefix}/rsp/"
        wanted = received.response_to.removeprefix(root)
        if wanted != received.response_to and LEVEL.match(wanted):
            leaf = f"rsp/{wanted}"
        self._send(Answered(leaf, told.to_bytes(), received.correlation))

    def _audit(self, who: str, what: str, after: object) -> None:
        try:
            self._records.audit(who, "mqtt", what, None, after)
        except RecordsError as problem:
            # A stop must work on a full disk too: the command counts, and people see that its trace is missing.
            self._trouble("mqtt.audit", f"a command could not be audited: {problem}", "see the disk of the records")

    def _tell_overflow(self) -> None:
        missed, self._unaudited_refusals = self._unaudited_refusals, 0
        if missed:
            self._audit("unknown", "commands refused", {"why": "too many at once", "count": missed})


def _response(rid: str, reply: Reply) -> Response:
    try:
        return response(rid, reply)
    except ValidationError:
        return Response(rid=rid, ok=reply.ok, code=reply.code, msg=reply.text, data={})


def _print(name: str, payload: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\0" + payload).digest()


def _asked(parsed: ParsedCommand) -> str:
    """The command's own values, for the audit."""
    values = parsed.model_dump(mode="json", by_alias=True, exclude={"v", "rid", "client"}, exclude_none=True)
    return json.dumps(values, separators=(",", ":"))[:500]
