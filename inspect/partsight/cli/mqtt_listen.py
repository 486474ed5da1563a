"""`partsight mqtt listen`: what a station says, as it comes, with gaps in the records marked."""

from __future__ import annotations

import json
import secrets
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Annotated, Any

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table

from partsight.cli import mqtt_options as options
from partsight.domain.errors import PartsightError
from partsight.outputs.mqtt.session import ConnectionEnded, Received, Session
from partsight.outputs.mqtt.settings import MqttSettings
from partsight.outputs.mqtt.topics import Topics
from partsight.wire.live import VerdictMessage
from partsight.wire.message import WireError
from partsight.wire.records import EventRecord, record_of
from partsight.wire.station import Conn, State

LEAVES = ("conn", "state", "verdict", "trigack", "result", "event", "rsp/+")
ROWS = 15
RESULTS = {1: "OK", 2: "NG", 3: "not decidable"}
ACTIONS = {0: "pass", 1: "reject", 2: "hold"}


class BrokerGone(PartsightError):
    """The broker cannot be reached, or no longer."""


@dataclass(slots=True)
class Listener:
    """What was heard. `gap`: records that are missing before this one; a later replay can fill it."""

    topics: Topics
    verdicts: deque[VerdictMessage] = field(default_factory=lambda: deque(maxlen=ROWS))
    records: deque[tuple[int, str, str, int]] = field(default_factory=lambda: deque(maxlen=ROWS))
    missing: set[int] = field(default_factory=set)
    last: int = 0
    repeats: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    state: str = "nothing heard yet"
    online: str = "?"

    def take(self, message: Received) -> dict[str, Any]:
        """Note a message; what a script gets of it."""
        leaf = self.topics.leaf(message.topic)
        self.counts[leaf] = self.counts.get(leaf, 0) + 1
        told: dict[str, Any] = {
            "at": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
            "topic": message.topic,
            "retained": message.retained,
        }
        try:
            told["payload"] = json.loads(message.payload)
        except ValueError:
            told["payload"] = message.payload.decode("utf-8", "replace")
        try:
            self._understand(leaf, message.payload, told)
        except WireError as problem:
            told["problem"] = str(problem)
        return told

    def _understand(self, leaf: str, payload: bytes, told: dict[str, Any]) -> None:
        if leaf == "verdict":
            self.verdicts.append(VerdictMessage.parse(payload))
        elif leaf == "state":
            state = State.parse(payload)
            error = f", {state.err_txt} ({state.err})" if state.err else ""
            self.state = f"{state.st.value}, {'ready' if state.ready else 'not ready'}, {state.mode.value}{error}"
        elif leaf == "conn":
            self.online = "online" if Conn.parse(payload).online else "OFFLINE"
        elif leaf in ("result", "event"):
            record = record_of(payload)
            gap, repeated = self._number(record.seq)
            told |= {"gap": gap, "repeated": repeated}
            if not repeated:
                words = record.kind if isinstance(record, EventRecord) else f"{record.verdict.value} {record.action}"
                part = "" if isinstance(record, EventRecord) else f"{record.id} {record.part}"
                self.records.append((record.seq, words, part, gap))

    def _number(self, seq: int) -> tuple[int, bool]:
        """(records missing before this one, seen before)."""
        if seq in self.missing:
            self.missing.discard(seq)
            return 0, False
        if self.last and seq <= self.last:
            self.repeats += 1
            return 0, True
        gap = seq - self.last - 1 if self.last else 0
        # Bounded: a station that was replaced may jump by millions.
        self.missing.update(range(max(self.last + 1, seq - 100_000), seq) if gap else ())
        self.last = seq
        return gap, False

    def picture(self) -> Group:
        """Two tables and a line of state."""
        verdicts = Table("id", "part", "result", "action", "code", "epoch", box=None, title="verdicts", expand=True)
        for v in self.verdicts:
            colour = "green" if v.a == 0 else "red"
            verdicts.add_row(str(v.id), v.p, RESULTS[v.r], f"[{colour}]{ACTIONS[v.a]}[/{colour}]", str(v.c), str(v.e))
        records = Table("seq", "what", "part", "", box=None, title="records", expand=True)
        for seq, words, part, gap in self.records:
            records.add_row(str(seq), words, part, f"[red]{gap} missing before[/red]" if gap else "")
        missing = f"[red]{len(self.missing)} missing[/red]" if self.missing else "no gap"
        line = f"{self.online} · {self.state} · records up to {self.last}, {missing}, {self.repeats} repeated"
        return Group(Panel(line, title=self.topics.prefix), verdicts, records)


def listen(  # noqa: PLR0917 - each option of a command is an argument
    config: options.Config = None,
    host: options.Host = None,
    port: options.Port = None,
    prefix: options.Prefix = None,
    protocol: options.Protocol = None,
    username: options.User = None,
    password_file: options.PasswordFile = None,
    ca: options.Ca = None,
    certificate: options.Certificate = None,
    key: options.Key = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, for scripts.")] = False,
    seconds: Annotated[float | None, typer.Option("--for", min=0.1, help="Stop after so many seconds.")] = None,
) -> None:
    """Show a station's verdicts and records as they come; gaps in their numbers are marked."""
    settings = options.broker_settings(
        config,
        host=host,
        port=port,
        prefix=prefix,
        protocol=protocol,
        username=username,
        password_file=password_file,
        ca=ca,
        certificate=certificate,
        key=key,
    )
    listener = Listener(Topics(settings.prefix))
    console = Console()
    try:
        if as_json or not console.is_terminal:
            for message in _messages(settings, seconds):
                if message is not None:
                    print(json.dumps(listener.take(message), ensure_ascii=False), flush=True)
        else:
            with Live(listener.picture(), console=console, refresh_per_second=4) as live:
                for message in _messages(settings, seconds):
                    if message is not None:
                        listener.take(message)
                    live.update(listener.picture())
    except ConnectionEnded as ended:
        raise BrokerGone(f"{ended.why}" + (f"; {ended.cure}" if ended.cure else "")) from ended
    except KeyboardInterrupt:
        return


def _messages(settings: MqttSettings, seconds: float | None) -> Iterator[Received | None]:
    """Each message, None where none came for a moment. Raises ConnectionEnded."""
    # A name of its own, so that listening never ends the session of somebody else.
    session = Session(settings, None, client_id=f"listen-{secrets.token_hex(4)}")
    try:
        session.connect()
        session.subscribe(tuple((Topics(settings.prefix).of(leaf), 1) for leaf in LEAVES))
        end = None if seconds is None else time.monotonic() + seconds
        while end is None or time.monotonic() < end:
            yield None
            for incoming in session.turn(0.25):
                if isinstance(incoming, Received):
                    yield incoming
    finally:
        session.close(politely=True)
