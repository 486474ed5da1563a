"""What the MQTT tests share: a station that remembers what it was told, an outbox in memory, a client of the line."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties

from partsight.domain.errors import RecordsUnavailable
from partsight.domain.inspection import Inspection, Timings
from partsight.domain.messages import Answer, Command, Reply
from partsight.domain.reasons import Reason
from partsight.domain.status import Counters, Mode, StationState, StationStatus
from partsight.domain.trigger import Trigger, TriggerKind
from partsight.domain.uid import uuid7
from partsight.domain.verdict import Action, RecipeRef, Result, Verdict, invalid
from partsight.outputs.mqtt import About, MqttOutput, MqttSettings
from partsight.outputs.mqtt.port import OutboxRecords
from partsight.outputs.records.audit import AuditHead
from partsight.station.clock import SystemClock
from partsight.wire.records import LineContext

PREFIX = "acme/plant1/packing/line3/vi"
RECIPE = RecipeRef("demo", 1, "0" * 64)
CLOCK = SystemClock()


def inspection(id_: int = 1, *, ok: bool = True, deadline_s: float = 5.0, epoch: int = 1) -> Inspection:
    """A part with its verdict; a negative deadline lies in the past."""
    now = time.monotonic_ns()
    trigger = Trigger(id_, id_, epoch, TriggerKind.CALL, CLOCK.utc(), now, now + int(deadline_s * 1e9), f"SN{id_}")
    verdict = Verdict(Result.OK, Action.PASS, (), RECIPE) if ok else invalid(Reason.DEADLINE, "too late", RECIPE)
    return Inspection(uuid7(), trigger, verdict, (), Timings(), None)


def status(**changes: Any) -> StationStatus:
    """Of a station that runs."""
    plain = StationStatus(
        name="test",
        epoch=1,
        state=StationState.RUNNING,
        ready=True,
        mode=Mode.PRODUCTION,
        since=datetime(2026, 1, 1, tzinfo=timezone.utc),
        last_id=0,
        counters=Counters(),
        faults=(),
        cameras=(),
        recipe="demo@1",
        recipe_id=1,
        model="told 000000000000",
        backend="test",
        deadline_ms=500.0,
    )
    return replace(plain, **changes)


@dataclass
class Sink:
    """A `CommandSink` that remembers commands. `answer` may raise, as a bug would."""

    commands: list[Command] = field(default_factory=list)
    now: StationStatus = field(default_factory=status)
    living: bool = True
    answer: Callable[[Command], Reply] = lambda _: Reply(Answer.DONE)

    def command(self, command: Command) -> Reply:
        self.commands.append(command)
        return self.answer(command)

    def status(self) -> StationStatus:
        return self.now

    def alive(self) -> bool:
        return self.living


@dataclass(frozen=True)
class Row:
    seq: int
    kind: str
    payload: bytes


@dataclass
class Outbox:
    """Records in memory that keep the port's promises. `broken`: every call fails as on a full disk."""

    epoch: int = 1
    on_outbox: Callable[[], None] | None = None
    context: Any = LineContext
    rows: list[Row] = field(default_factory=list)
    acks: dict[str, int] = field(default_factory=dict)
    audited: list[tuple[str, str, Any]] = field(default_factory=list)
    broken: bool = False
    consumers: tuple[str, ...] = ()
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def _check(self) -> None:
        if self.broken:
            raise RecordsUnavailable("the disk is full")

    def add(self, count: int = 1) -> None:
        with self._lock:
            for _ in range(count):
                seq = (self.rows[-1].seq if self.rows else 0) + 1
                self.rows.append(Row(seq, "result", b'{"seq":%d}' % seq))
        if self.on_outbox is not None:
            self.on_outbox()

    def read_outbox(self, after_seq: int, limit: int) -> list[Row]:
        self._check()
        with self._lock:
            if not self.rows:
                return []
            start = max(0, after_seq + 1 - self.rows[0].seq)
            return self.rows[start : start + limit]

    def outbox_bounds(self) -> tuple[int, int]:
        self._check()
        with self._lock:
            return (self.rows[0].seq, self.rows[-1].seq) if self.rows else (0, 0)

    def ack(self, consumer: str, seq: int) -> None:
        self._check()
        if seq > (self.rows[-1].seq if self.rows else 0):
            raise ValueError(f"{consumer} acknowledges {seq}, which does not exist yet")
        self.acks[consumer] = max(seq, self.acks.get(consumer, 0))

    def acked(self, consumer: str) -> int:
        return self.acks.get(consumer, 0)

    def set_consumers(self, names: Iterable[str]) -> None:
        self.consumers = tuple(names)

    def audit_head(self) -> AuditHead:
        return AuditHead(len(self.audited), "0" * 64 if not self.audited else "1" * 64)

    def append_event(self, kind: str, data: Mapping[str, Any], at: datetime) -> int:
        self._check()
        with self._lock:
            seq = (self.rows[-1].seq if self.rows else 0) + 1
            self.rows.append(Row(seq, "event", b'{"seq":%d,"kind":"%s"}' % (seq, kind.encode())))
        if self.on_outbox is not None:
            self.on_outbox()
        return seq

    def audit(self, who: str, source: str, what: str, before: Any = None, after: Any = None) -> None:
        self._check()
        self.audited.append((who, what, after))

    def said(self, what: str) -> bool:
        """Whether a line of the audit begins so."""
        return any(w.startswith(what) for _, w, _ in list(self.audited))


@dataclass(frozen=True)
class Message:
    topic: str
    payload: bytes
    qos: int
    retain: bool
    properties: Properties | None


def _nodelay(_client: Any, _userdata: Any, sock: Any) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class Client:
    """Somebody else on the broker: subscribes at once, remembers everything; `publish` waits for nothing."""

    def __init__(self, port: int, *topics: str, v5: bool = False, durable: str = "") -> None:
        """`durable`: a client id whose session the broker keeps (3.1.1)."""
        self.messages: list[Message] = []
        self.disconnects = 0
        self.on_each: Callable[[Message], None] = lambda _: None
        ready = threading.Event()
        self.paho = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=durable,
            clean_session=None if v5 else not durable,
            protocol=paho.MQTTv5 if v5 else paho.MQTTv311,
        )
        self.paho.reconnect_delay_set(1, 1)
        self.paho.on_socket_open = _nodelay
        self.paho.on_connect = lambda c, *_: c.subscribe([(t, 1) for t in topics]) if topics else ready.set()
        self.paho.on_subscribe = lambda *_: ready.set()
        self.paho.on_message = self._on_message
        self.paho.connect("127.0.0.1", port)
        self.paho.loop_start()
        assert ready.wait(10), "the test's own client is not connected"

    def _on_message(self, _c: Any, _u: Any, m: paho.MQTTMessage) -> None:
        message = Message(m.topic, bytes(m.payload), m.qos, m.retain, m.properties)
        self.messages.append(message)
        self.on_each(message)

    def publish(self, leaf: str, payload: bytes, qos: int = 1, *, retain: bool = False, **more: Any) -> None:
        self.paho.publish(f"{PREFIX}/{leaf}", payload, qos, retain, **more)

    def of(self, leaf: str) -> list[Message]:
        """Messages of this topic below the prefix, in the order in which they came."""
        return [m for m in list(self.messages) if m.topic == f"{PREFIX}/{leaf}"]

    def seqs(self) -> list[int]:
        """The numbers of the records, in the order in which they came."""
        return [int(m.payload.split(b":")[1].rstrip(b"}").split(b",")[0]) for m in self.of("result")]

    def close(self) -> None:
        self.paho.disconnect()
        self.paho.loop_stop()
        # paho leaves its wake-up sockets to the garbage collector, which warns of them.
        self.paho._reset_sockets()


@dataclass
class Rig:
    """A running output with what it was given."""

    output: MqttOutput
    sink: Sink
    outbox: Outbox
    faults: list[tuple[str, str, str]]
    troubles: list[tuple[str, str, str]]
    cleared: list[str]

    def trouble(self, key: str) -> str:
        """The newest text under this key."""
        return next((text for k, text, _ in reversed(self.troubles) if k == key), "")


def settings(port: int, **changes: Any) -> MqttSettings:
    plain = {
        "host": "127.0.0.1",
        "port": port,
        "prefix": PREFIX,
        "client_id": "station",
        "backoff_min_s": 0.05,
        "backoff_max_s": 0.3,
        "connect_timeout_s": 1.0,
        "stall_s": 1.0,
        "commands": ("start", "stop", "hold", "reset", "recipe", "trigger", "replay", "sync", "time"),
    }
    return MqttSettings.model_validate({**plain, **changes})


@contextmanager
def rig(port: int, *, outbox: OutboxRecords | None = None, sink: Sink | None = None, **changes: Any) -> Iterator[Rig]:
    """An output that runs; it must end when it is told to."""
    sink = sink or Sink()
    records = outbox if outbox is not None else Outbox()
    faults: list[tuple[str, str, str]] = []
    troubles: list[tuple[str, str, str]] = []
    cleared: list[str] = []
    output = MqttOutput(
        settings(port, **changes),
        "test",
        records,
        CLOCK,
        about=About("partsight test"),
        on_fault=lambda *a: faults.append(a),
        on_trouble=lambda *a: troubles.append(a),
        on_clear=cleared.append,
    )
    output.attach(sink)
    found = Rig(output, sink, records if isinstance(records, Outbox) else Outbox(), faults, troubles, cleared)
    output.start()
    try:
        yield found
    finally:
        ended = output.stop(5.0)
    assert ended, "a thread of the output did not end"
