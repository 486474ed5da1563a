"""What goes over one connection while it stands: verdicts first, then state and answers, then records."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from paho.mqtt.properties import Properties

from partsight.domain.messages import Exposed, Latched, Missed
from partsight.domain.ports import Clock, CommandSink
from partsight.outputs.mqtt.delivery import Delivery
from partsight.outputs.mqtt.desk import Answered, CommandDesk
from partsight.outputs.mqtt.feeder import Feeder, Note
from partsight.outputs.mqtt.line import PlcDesk
from partsight.outputs.mqtt.port import Row
from partsight.outputs.mqtt.presence import Presence
from partsight.outputs.mqtt.session import (
    NO_SUBSCRIBERS,
    NOT_AUTHORISED,
    QUOTA_EXCEEDED,
    ConnectionEnded,
    Delivered,
    Incoming,
    Received,
    Session,
    Subscribed,
    properties_for,
)
from partsight.outputs.mqtt.settings import MqttSettings
from partsight.outputs.mqtt.topics import Topics
from partsight.outputs.mqtt.verdicts import VerdictQueue
from partsight.wire.live import heartbeat, trigger_ack, verdict_message
from partsight.wire.message import WireError
from partsight.wire.plc import parse_consumer_ack
from partsight.wire.station import Conn

BEAT_NS = 100_000_000
BATCH = 4
"""Records that are sent before verdicts are looked at again."""
REST_S = 0.00025
"""After a full batch: the processors and Python's lock are free for a verdict, and the acknowledgements come together.
It bounds what a backlog takes: 4 records in about 0.6 ms."""
RESERVED = 4
"""Messages of the window that records never take: state, answers and QoS 1 verdicts find room at once."""
BACK_OFF_NS = 1_000_000_000
WAITING = 256
MAX_ACK_BYTES = 24

Report = Callable[[str, str, str], None]


@dataclass(slots=True)
class Counts:
    """Numbers for `health`; one thread writes them, others read."""

    verdicts: int = 0
    rows: int = 0
    no_subscribers: int = 0
    refused: int = 0
    garbage: int = 0
    last_refusal: str = ""


@dataclass(slots=True)
class Desk:
    """Everything that outlives a connection. `answers`, `acks` (trigger acknowledgements) are bounded."""

    settings: MqttSettings
    clock: Clock
    topics: Topics
    verdicts: VerdictQueue
    delivery: Delivery
    feeder: Feeder
    commands: CommandDesk
    plc: PlcDesk
    presence: Presence
    trouble: Report
    clear: Callable[[str], None]
    counts: Counts = field(default_factory=Counts)
    answers: deque[Answered] = field(default_factory=lambda: deque(maxlen=WAITING))
    acks: deque[Latched | Exposed | Missed] = field(default_factory=lambda: deque(maxlen=WAITING))
    changed: threading.Event = field(default_factory=threading.Event)
    resync: threading.Event = field(default_factory=threading.Event)
    sink: CommandSink | None = None
    beats: int = 0


class Exchange:
    """One connection's traffic. All of it runs in the connection's thread."""

    def __init__(self, session: Session, desk: Desk) -> None:
        self._session = session
        self._desk = desk
        self._in_flight: dict[int, int] = {}
        self._rows: dict[int, int] = {}
        self._progress_ns = 0
        self._beat_ns = 0
        self._pause_ns = 0
        self._subscription = 0
        self._json = properties_for(session)
        self._verdict_extra = properties_for(session, expiry_s=1)

    def begin(self) -> None:
        """After CONNACK: listen, say who we are, go on with the records. Raises ConnectionEnded."""
        desk = self._desk
        self._subscription = self._session.subscribe(desk.topics.subscriptions())
        desk.acks.clear()
        desk.presence.announce(desk.sink.status() if desk.sink else None)
        desk.delivery.rewind(self._seconds())
        desk.feeder.rewind(desk.delivery.acked)

    def turn(self) -> None:
        """Wait for something to do, at most until the next heartbeat, and do it. Raises ConnectionEnded."""
        now = self._desk.clock.monotonic_ns()
        wait = max(0.0, (self._beat_ns + BEAT_NS - now) / 1e9)
        if self._send(now):
            self._session.rest(REST_S)
            wait = 0.0
        for incoming in self._session.turn(wait):
            self._take(incoming)
        self._tick()

    def leave(self, timeout_s: float) -> None:
        """Send what may still be sent and say that we go; waits for the broker's word. Raises ConnectionEnded."""
        desk = self._desk
        end = desk.clock.monotonic_ns() + int(timeout_s * 1e9)
        self._send_verdicts()
        self._send_answers()
        mid = self._publish("conn", desk.presence.offline(), 1, retain=True)
        while mid in self._in_flight:
            left = (end - desk.clock.monotonic_ns()) / 1e9
            if left <= 0:
                return
            for incoming in self._session.turn(left):
                if isinstance(incoming, Delivered):
                    self._delivered(incoming)

    # out

    def _send(self, now: int) -> bool:
        """True where more could be sent at once."""
        self._send_verdicts()
        self._send_acks()
        self._send_answers()
        self._send_presence()
        self._desk.feeder.kick()
        return self._send_rows(now)

    def _open(self, reserved: int = 0) -> bool:
        """True while the broker and the socket take another message."""
        return len(self._in_flight) < self._room(reserved) and not self._session.congested

    def _room(self, reserved: int) -> int:
        window = self._session.window
        return max(1, window - reserved) if window > 2 * RESERVED else window

    def _send_verdicts(self) -> None:
        desk, qos = self._desk, self._desk.settings.verdict_qos
        while desk.verdicts and not self._session.congested and (qos == 0 or self._open()):
            inspection = desk.verdicts.get()
            if inspection is None:
                return
            self._publish("verdict", verdict_message(inspection).to_bytes(), qos, extra=self._verdict_extra)
            desk.counts.verdicts += 1

    def _send_acks(self) -> None:
        while self._desk.acks and not self._session.congested:
            self._publish("trigack", trigger_ack(self._desk.acks.popleft()).to_bytes(), 0)

    def _send_answers(self) -> None:
        while self._desk.answers and self._open():
            answer = self._desk.answers.popleft()
            extra = properties_for(self._session, correlation=answer.correlation)
            self._publish(answer.leaf, answer.payload, 1, extra=extra)

    def _send_presence(self) -> None:
        while self._open():
            due = self._desk.presence.take()
            if due is None:
                return
            self._publish(due[0], due[1], 1, retain=True)

    def _send_rows(self, now: int) -> bool:
        ready = self._desk.feeder.ready
        if now < self._pause_ns or not ready or self._session.congested:
            return False
        room = self._room(RESERVED)
        if room - len(self._in_flight) < min(ready, BATCH, (room + 1) // 2):
            return False  # one for each acknowledgement would take twice the time for all of them
        with self._session.together():
            return self._send_batch()

    def _send_batch(self) -> bool:
        desk = self._desk
        for _ in range(BATCH):
            if not self._open(RESERVED):
                return False
            again = desk.feeder.take_replay()
            if again is not None:
                self._send_row(again)
            row = desk.feeder.take() if desk.delivery.may_send() and self._open(RESERVED) else None
            if row is not None:
                mid = self._send_row(row)
                self._rows[mid] = row.seq
                desk.delivery.sent(row.seq, self._seconds())
                desk.counts.rows += 1
            elif again is None:
                return False
        return True

    def _send_row(self, row: Row) -> int:
        return self._publish("event" if row.kind == "event" else "result", bytes(row.payload), 1, extra=self._json)

    def _publish(
        self, leaf: str, payload: bytes, qos: int, *, retain: bool = False, extra: Properties | None = None
    ) -> int:
        topic = self._desk.topics.of(leaf)
        mid = self._session.publish(topic, payload, qos, retain=retain, properties=extra or self._json)
        if qos:
            if not self._in_flight:
                self._progress_ns = self._desk.clock.monotonic_ns()
            self._in_flight[mid] = 1
        return mid

    # in

    def _take(self, incoming: Incoming) -> None:
        if isinstance(incoming, Delivered):
            self._delivered(incoming)
        elif isinstance(incoming, Received):
            self._received(incoming)
        elif isinstance(incoming, Subscribed):
            self._subscribed(incoming)

    def _delivered(self, incoming: Delivered) -> None:
        desk = self._desk
        if self._in_flight.pop(incoming.mid, None) is None:
            return
        self._progress_ns = desk.clock.monotonic_ns()
        seq = self._rows.pop(incoming.mid, None)
        if incoming.code >= 0x80:
            self._refused(incoming.code, seq)
            return
        if seq is None:
            return
        if incoming.code == NO_SUBSCRIBERS:
            desk.counts.no_subscribers += 1
        if desk.delivery.taken_by_broker(seq):
            desk.feeder.acknowledge("broker", desk.delivery.acked)

    def _refused(self, code: int, seq: int | None) -> None:
        desk = self._desk
        desk.counts.refused += 1
        text = {
            NOT_AUTHORISED: "the broker does not allow this station to publish",
            QUOTA_EXCEEDED: "the broker's quota is exceeded",
        }.get(code, f"the broker refused a message (code {code:#04x})")
        desk.trouble(
            "mqtt.refused", text, "see the broker's access lists and limits; `partsight mqtt check` tries each"
        )
        if seq is not None:
            self._pause_ns = desk.clock.monotonic_ns() + BACK_OFF_NS
            self._rewind()

    def _rewind(self) -> None:
        self._rows.clear()  # PUBACKs of what was sent before no longer count for the order
        self._desk.delivery.rewind(self._seconds())
        self._desk.feeder.rewind(self._desk.delivery.acked)

    def _subscribed(self, incoming: Subscribed) -> None:
        names = [topic for topic, _ in self._desk.topics.subscriptions()]
        denied = [name for name, code in zip(names, incoming.codes, strict=False) if code >= 0x80]
        if denied and incoming.mid == self._subscription:
            self._desk.trouble(
                "mqtt.rights",
                f"the broker does not let this station read {', '.join(denied)}",
                "give it these rights; deploy/mosquitto has the access list",
            )
        else:
            self._desk.clear("mqtt.rights")

    def _received(self, received: Received) -> None:
        desk, leaf = self._desk, self._desk.topics.leaf(received.topic)
        if leaf.startswith("plc/"):
            desk.plc.take(leaf, received.payload, retained=received.retained)
        elif leaf.startswith("cmd/"):
            desk.commands.put(leaf[4:], received)
        elif leaf.startswith("ack/"):
            self._acknowledged(leaf[4:], received)
        elif leaf == "conn":
            self._saw_conn(received)
        else:
            desk.counts.garbage += 1

    def _acknowledged(self, consumer: str, received: Received) -> None:
        desk = self._desk
        why = ""
        if consumer not in desk.settings.consumers:
            why = "this consumer is not among mqtt.consumers"
        elif received.retained:
            why = "it was retained at the broker"
        elif len(received.payload) > MAX_ACK_BYTES:
            why = f"{len(received.payload)} bytes are no number"
        else:
            try:
                desk.feeder.acknowledge(consumer, parse_consumer_ack(received.payload))
            except WireError as problem:
                why = str(problem)
        if why:
            desk.counts.garbage += 1
            desk.feeder.note(f"ack/{consumer}", Note(consumer[:64], "an acknowledgement was ignored", {"why": why}))

    def _saw_conn(self, received: Received) -> None:
        """Ours comes back to us; anything else under this name is a late last will, or another station."""
        desk = self._desk
        if received.retained or received.payload == desk.presence.conn:
            return
        try:
            other = Conn.parse(received.payload)
        except WireError:
            other = None
        if other is None or other.online:
            desk.trouble(
                "mqtt.prefix",
                f"another client publishes as this station on {received.topic}",
                "give each station its own mqtt.prefix and mqtt.client_id, and see the broker's access lists",
            )
        desk.presence.again("conn")

    # time

    def _tick(self) -> None:
        desk, now = self._desk, self._desk.clock.monotonic_ns()
        if desk.delivery.consumers:
            for consumer, seq in desk.feeder.stored_acks():
                desk.delivery.stored_by(consumer, seq, self._seconds())
            if desk.delivery.stalled(self._seconds()):
                self._rewind()
        stall_s = desk.settings.stall_s
        if self._in_flight and now - self._progress_ns > stall_s * 1e9:
            raise ConnectionEnded(f"the broker has not acknowledged anything for {stall_s:g} s", "is it stuck?")
        if desk.resync.is_set():
            desk.resync.clear()
            desk.presence.announce(desk.sink.status() if desk.sink else None)
        if desk.changed.is_set() or now - self._beat_ns >= BEAT_NS:
            desk.changed.clear()
            desk.verdicts.purge()  # what expires behind a full socket is counted while it happens
            self._speak(now)

    def _speak(self, now: int) -> None:
        """The heartbeat, ten a second, and whatever is new in the retained picture."""
        desk = self._desk
        if desk.sink is None:
            self._beat_ns = now
            return
        status = desk.sink.status()
        desk.presence.update(status)
        if now - self._beat_ns < BEAT_NS:
            return
        # On time again after a late one, without making up for those that were missed.
        self._beat_ns = now if now - self._beat_ns > 2 * BEAT_NS else self._beat_ns + BEAT_NS
        desk.beats += desk.sink.alive()
        if not self._session.congested:
            self._publish("hb", heartbeat(status, desk.beats, desk.clock.utc()).to_bytes(), 0)

    def _seconds(self) -> float:
        return self._desk.clock.monotonic_ns() / 1e9
