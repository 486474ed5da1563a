"""The single trials of `partsight mqtt check`, each harmless for a line that runs.

What is published on the contract's topics is `{"check":true}`, not retained: no receiver can take it for anything.
"""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType

from partsight.outputs.mqtt.session import ConnectionEnded, Delivered, Incoming, Received, Session, Subscribed
from partsight.outputs.mqtt.settings import MqttSettings
from partsight.outputs.mqtt.topics import Rights, Topics
from partsight.wire.message import WireError
from partsight.wire.station import Conn

TRIPS = 60
ANSWER_S = 2.0
NAGLE_MS = 12.0
"""A QoS 1 round trip that is longer than one of QoS 0 by this much waits for a delayed acknowledgement of TCP."""
SECOND_CLIENT_S = 3.0
HARMLESS = b'{"check":true}'
NODELAY_CURE = "set_tcp_nodelay true in the broker's configuration (Mosquitto), or its like"
QUEUE_CURE = "max_queued_messages 100000 (Mosquitto), or delivery = 'consumer' at the station"


@dataclass(frozen=True, slots=True)
class Finding:
    """mark: ok, warn, bad or unknown."""

    what: str
    mark: str
    found: str
    cure: str = ""


class Probe:
    """Two connections with names of their own. Raises ConnectionEnded where there is none."""

    def __init__(self, settings: MqttSettings, token: str) -> None:
        self._settings = settings
        self._topics = Topics(settings.prefix)
        self._names = (f"check-{token}-a", f"check-{token}-b")
        self._open: list[Session] = []
        self._seen: dict[int, deque[Incoming]] = {}

    def __enter__(self) -> Probe:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for session in self._open:
            with suppress(OSError):
                session.close(politely=error is None)

    def all(self, rights: Rights, burst: int) -> Iterator[Finding]:
        """Every trial, in order. Raises ConnectionEnded."""
        began = time.monotonic()
        a, b = self._connect(self._names[0]), self._connect(self._names[1])
        took_ms = (time.monotonic() - began) * 500
        tls = "TLS" if self._settings.tls else "no TLS"
        yield Finding("connection", "ok", f"MQTT {self._settings.protocol}, {tls}, {took_ms:.0f} ms, window {a.window}")
        if not self._settings.tls and self._settings.host not in ("127.0.0.1", "localhost", "::1"):
            yield Finding(
                "encryption", "warn", "the connection is not encrypted", "`partsight mqtt certificates`, [mqtt.tls]"
            )
        yield from self.round_trips(a, b)
        yield from self.rights(rights)
        yield from self.queues(burst)
        yield from self.second_client()

    def _connect(self, name: str) -> Session:
        session = Session(self._settings, None, client_id=name)
        self._open.append(session)
        session.connect()
        return session

    def _close(self, session: Session) -> None:
        self._open.remove(session)
        self._seen.pop(id(session), None)
        session.close(politely=True)

    # round trip and NODELAY

    def round_trips(self, a: Session, b: Session) -> Iterator[Finding]:
        """Question and answer between two clients, at QoS 0 and 1; the difference shows a broker without NODELAY."""
        there, back = (self._topics.of(f"rsp/{name}") for name in self._names)
        if not (self._subscribe(b, there) and self._subscribe(a, back)):
            yield Finding("round trip", "unknown", f"may not read {back}", "let this user read rsp/+")
            return
        p50: dict[int, float] = {}
        for qos in (0, 1):
            times = [self._trip(a, b, there, back, qos) for _ in range(TRIPS)]
            came = sorted(t for t in times if t is not None)
            if not came:
                yield Finding(
                    "round trip", "unknown", f"nothing comes back on {back}", "let this user write and read rsp/+"
                )
                return
            p50[qos], p99 = statistics.median(came), came[int(len(came) * 0.99)]
            mark = "ok" if p99 < 50 and len(came) == TRIPS else "warn"
            lost = f", {TRIPS - len(came)} of {TRIPS} lost" if len(came) < TRIPS else ""
            yield Finding(f"round trip QoS {qos}", mark, f"p50 {p50[qos]:.2f} ms, p99 {p99:.2f} ms{lost}")
        slower = p50[1] - p50[0]
        if slower > NAGLE_MS:
            text = f"QoS 1 takes {slower:.0f} ms longer than QoS 0: the broker sends without TCP_NODELAY"
            yield Finding("NODELAY", "bad", text, NODELAY_CURE)
        else:
            yield Finding("NODELAY", "ok", f"QoS 1 takes {max(0.0, slower):.1f} ms longer than QoS 0")

    def _trip(self, a: Session, b: Session, there: str, back: str, qos: int) -> float | None:
        """Milliseconds from a's question to b's answer; None where none came."""
        began = time.perf_counter()
        a.publish(there, HARMLESS, qos)
        if self._wait(b, lambda m: isinstance(m, Received) and m.topic == there) is None:
            return None
        b.publish(back, HARMLESS, qos)
        if self._wait(a, lambda m: isinstance(m, Received) and m.topic == back) is None:
            return None
        return (time.perf_counter() - began) * 1e3

    # rights

    def rights(self, rights: Rights) -> Iterator[Finding]:
        """Tries each topic of a role. Raises ConnectionEnded."""
        session = self._connect(f"{self._names[0]}-r")
        refused = [leaf for leaf in rights.reads if not self._subscribe(session, self._topics.of(leaf))]
        if refused:
            yield Finding(
                "may read", "bad", f"not {', '.join(refused)}", "the broker's access list: see deploy/mosquitto/acl"
            )
        else:
            yield Finding("may read", "ok", f"{len(rights.reads)} topics subscribed")
        denied, unknown = [], []
        for leaf in rights.writes:
            name = leaf.replace("+", self._names[0])
            took = self._may_write(session, self._topics.of(name), readable=leaf in rights.reads)
            if took is None:
                unknown.append(leaf)
            elif not took:
                denied.append(leaf)
        if denied:
            yield Finding(
                "may write", "bad", f"not {', '.join(denied)}", "the broker's access list: see deploy/mosquitto/acl"
            )
        elif not unknown:
            yield Finding("may write", "ok", f"{len(rights.writes)} topics")
        if unknown:
            text = f"{len(unknown)} topics: a broker that speaks 3.1.1 does not say"
            yield Finding("may write", "unknown", text, "check with --protocol 5, or see the broker's log")
        self._close(session)

    def _may_write(self, session: Session, topic: str, *, readable: bool) -> bool | None:
        mid = session.publish(topic, HARMLESS, 1)
        answer = self._wait(session, lambda m: isinstance(m, Delivered) and m.mid == mid)
        if not isinstance(answer, Delivered):
            return False
        if session.v5:
            return answer.code < 0x80
        if not readable:
            return None
        # 3.1.1 acknowledges what it throws away: only what comes back was taken.
        return self._wait(session, lambda m: isinstance(m, Received) and m.topic == topic) is not None

    # queues

    def queues(self, burst: int) -> Iterator[Finding]:
        """Does the broker keep what it acknowledged for a client that is slow? Raises ConnectionEnded."""
        sender, slow = self._connect(f"{self._names[0]}-q"), self._connect(f"{self._names[1]}-q")
        topic = self._topics.of(f"rsp/{self._names[1]}-q")
        if not self._subscribe(slow, topic):
            yield Finding("queues", "unknown", f"may not read {topic}")
            return
        sent = acknowledged = 0
        # The other one does not read meanwhile: what it will get lies in the broker's queue.
        while acknowledged < burst:
            while sent < burst and sent - acknowledged < sender.window and not sender.congested:
                sender.publish(topic, b"%06d" % sent + b"." * 194, 1)
                sent += 1
            came = sender.turn(ANSWER_S)
            if not came:
                break
            acknowledged += sum(isinstance(m, Delivered) for m in came)
        got = 0
        while got < acknowledged and (more := slow.turn(ANSWER_S)):
            got += sum(isinstance(m, Received) and m.topic == topic for m in more)
        if got < acknowledged:
            text = f"{acknowledged - got} of {acknowledged} messages that the broker had acknowledged were dropped"
            yield Finding("queues", "bad", text, QUEUE_CURE)
        else:
            yield Finding("queues", "ok", f"{acknowledged} messages waited for a slow reader, none was dropped")
        self._close(sender)
        self._close(slow)

    # the station's own name

    def second_client(self) -> Iterator[Finding]:
        """Takes the station's own name for a moment, unless a station is online. Raises ConnectionEnded."""
        name = self._settings.client_id
        online = self._online()
        if online:
            text = f"a station is online on {self._settings.prefix}: not tried, it would be thrown out"
            yield Finding("client id", "unknown", text, "stop the station and check again")
            return
        session = self._connect(name)
        end = time.monotonic() + SECOND_CLIENT_S
        try:
            while (left := end - time.monotonic()) > 0:
                session.turn(left)
        except ConnectionEnded as ended:
            yield Finding(
                "client id", "bad", f"another client uses {name!r}: {ended.why}", "give each client its own client_id"
            )
        else:
            yield Finding("client id", "ok", f"nobody else uses {name!r} ({SECOND_CLIENT_S:g} s)")

    def _online(self) -> bool:
        session = self._connect(f"{self._names[1]}-c")
        topic = self._topics.of("conn")
        self._subscribe(session, topic)
        found = self._wait(session, lambda m: isinstance(m, Received) and m.topic == topic and m.retained, 0.5)
        self._close(session)
        if not isinstance(found, Received):
            return False
        try:
            return Conn.parse(found.payload).online
        except WireError:
            return False

    def _subscribe(self, session: Session, topic: str) -> bool:
        mid = session.subscribe(((topic, 1),))
        answer = self._wait(session, lambda m: isinstance(m, Subscribed) and m.mid == mid)
        return isinstance(answer, Subscribed) and all(code < 0x80 for code in answer.codes)

    def _wait(
        self, session: Session, wanted: Callable[[Incoming], bool], timeout_s: float = ANSWER_S
    ) -> Incoming | None:
        """The first that fits; what came before it is for later waits, bounded."""
        seen = self._seen.setdefault(id(session), deque(maxlen=1000))
        end = time.monotonic() + timeout_s
        while True:
            found = next((incoming for incoming in seen if wanted(incoming)), None)
            if found is not None:
                seen.remove(found)
                return found
            left = end - time.monotonic()
            if left <= 0:
                return None
            seen.extend(session.turn(left))
