"""One connection to the broker, driven by one thread: a fresh paho client that never outlives it.

paho's own queue, reconnection, back-off and in-flight limit are not used: they flood after a reconnect, reorder,
ignore the broker's Receive Maximum and replay what is stale. Whatever paho calls back only appends to a list that
`turn` returns, so an exception cannot kill a thread that nobody looks at.
"""

from __future__ import annotations

import select
import socket
import ssl
import struct
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import paho.mqtt.client as paho
from paho.mqtt import MQTTException
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from partsight.outputs.mqtt.buffered import BufferedSocket
from partsight.outputs.mqtt.settings import MqttSettings

MAX_PACKET = 64 * 1024
"""The largest message that is taken from the broker, bytes."""
SEND_BUFFER = 64 * 1024
"""Bytes that the kernel may hold for a broker that does not read: they can be called back no more."""
UNSPECIFIED = 0x80
NOT_AUTHORISED = 0x87
SESSION_TAKEN_OVER = 0x8E
QUOTA_EXCEEDED = 0x97
NO_SUBSCRIBERS = 0x10
REFUSED_V3 = {1: 0x84, 2: 0x85, 3: 0x88, 4: 0x86, 5: 0x87}


class ConnectionEnded(Exception):
    """There is no connection, or no longer. `code`: the broker's reason (MQTT 5's numbers), 0 without one."""

    def __init__(self, why: str, cure: str = "", code: int = 0) -> None:
        super().__init__(why)
        self.why = why
        self.cure = cure
        self.code = code


@dataclass(frozen=True, slots=True)
class Received:
    """A message from the broker. response_to, correlation: MQTT 5's, empty without."""

    topic: str
    payload: bytes
    qos: int
    retained: bool
    response_to: str = ""
    correlation: bytes = b""


@dataclass(frozen=True, slots=True)
class Delivered:
    """The broker has acknowledged message `mid`; `code` from 128 is a refusal."""

    mid: int
    code: int


@dataclass(frozen=True, slots=True)
class Subscribed:
    """The broker's answer to a subscription: a code for each topic, from 128 a refusal."""

    mid: int
    codes: tuple[int, ...]


Incoming = Received | Delivered | Subscribed


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker publishes, retained, once it has lost us."""

    topic: str
    payload: bytes


class Session:
    """One connection. All of it belongs to the thread that made it, except `wake`, which any thread may call."""

    def __init__(self, settings: MqttSettings, will: Will | None, *, client_id: str | None = None) -> None:
        """Opens nothing yet. Raises ConfigError for certificates and passwords that cannot be used."""
        self._settings = settings
        self.v5 = settings.protocol == "5"
        self._incoming: list[Incoming] = []
        self._connack: tuple[int, int] | None = None
        self._ended: tuple[str, int] | None = None
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)
        self.client = _Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id or settings.client_id,
            clean_session=None if self.v5 else True,
            protocol=paho.MQTTv5 if self.v5 else paho.MQTTv311,
            reconnect_on_failure=False,
        )
        try:
            self._prepare(will)
        except BaseException:
            self._close_wake()
            raise
        self.window = settings.window

    def _prepare(self, will: Will | None) -> None:
        client, settings = self.client, self._settings
        client.connect_timeout = settings.connect_timeout_s
        client.max_inflight_messages_set(0)  # 0: paho never queues; the window is kept by whoever publishes
        if settings.username is not None:
            client.username_pw_set(settings.username, settings.password())
        if settings.tls is not None:
            context = settings.tls.context(settings.table)
            context.sslsocket_class = _HandshakeOrClosed
            client.tls_set_context(context)
        if will is not None:
            client.will_set(will.topic, will.payload, qos=1, retain=True)
        client.on_socket_open = _set_socket
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message

    def connect(self) -> None:
        """Until the broker's CONNACK. Raises ConnectionEnded with why not, at most twice `connect_timeout_s` later."""
        settings = self._settings
        options: dict[str, Any] = {}
        if self.v5:
            asked = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho's own
            asked.MaximumPacketSize = MAX_PACKET
            options = {"clean_start": True, "properties": asked}
        try:
            self.client.connect(settings.host, settings.port, keepalive=settings.keepalive_s, **options)
        except ssl.SSLCertVerificationError as problem:
            raise ConnectionEnded(*_explain_certificate(problem, settings)) from problem
        except (ssl.SSLError, OSError, ValueError, UnicodeError) as problem:
            raise ConnectionEnded(*_explain(problem, settings)) from problem
        end = time.monotonic() + settings.connect_timeout_s
        while self._connack is None:
            left = end - time.monotonic()
            if left <= 0:
                raise ConnectionEnded(
                    f"{settings.host}:{settings.port} accepts connections but does not answer CONNECT within "
                    f"{settings.connect_timeout_s} s",
                    "is it an MQTT broker, without TLS if none is configured, and is it running?",
                )
            self._turn(left)
        code, receive_maximum = self._connack
        if code:
            raise ConnectionEnded(*_explain_refusal(code, settings), code)
        self.window = max(1, min(settings.window, receive_maximum))

    def subscribe(self, topics: tuple[tuple[str, int], ...]) -> int:
        """Ask for topics; the answer comes as `Subscribed` with this number."""
        _, mid = self.client.subscribe(list(topics))
        return mid or 0

    def publish(
        self, topic: str, payload: bytes, qos: int, *, retain: bool = False, properties: Properties | None = None
    ) -> int:
        """Hand a message over; for QoS 1 `Delivered` comes with this number. Raises ConnectionEnded."""
        info = self.client.publish(topic, payload, qos, retain, properties if self.v5 else None)
        if info.rc is not MQTTErrorCode.MQTT_ERR_SUCCESS or self._ended:
            raise ConnectionEnded(*self._why("the connection is lost"))
        return info.mid

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is published inside leaves in one write at the end: for a few records. Raises ConnectionEnded."""
        wire = self.client.wire
        if wire is None:
            raise ConnectionEnded(*self._why("the connection is lost"))
        wire.hold()
        try:
            yield
        finally:
            try:
                wire.release()
            except OSError as problem:
                raise ConnectionEnded(*self._why(f"the connection is lost ({problem})")) from problem

    @property
    def congested(self) -> bool:
        """True while the socket takes no more: what is published now would wait in a queue that nobody can empty."""
        wire = self.client.wire
        return self.client.want_write() or (wire is not None and wire.blocked)

    def turn(self, timeout_s: float) -> list[Incoming]:
        """Wait for the broker or for `wake`, at most so long; what came, in order. Raises ConnectionEnded."""
        if not self._incoming:
            self._turn(timeout_s)
        came, self._incoming = self._incoming, []
        return came

    def rest(self, timeout_s: float) -> None:
        """Let the broker wait for so long; `wake` ends it. Other threads run meanwhile."""
        select.select([self._wake_read], [], [], timeout_s)

    def wake(self) -> None:
        """End a `turn` or a `rest` that waits. From any thread, also after `close`."""
        try:
            self._wake_write.send(b"\0")
        except (BlockingIOError, OSError):  # it is awake already, or closed
            return

    def close(self, *, politely: bool) -> None:
        """End the connection; without `politely` the broker publishes the last will."""
        if politely:
            self.client.disconnect()
        sock = self.client.socket()
        if sock is not None:
            sock.close()
        self._close_wake()

    def _close_wake(self) -> None:
        self._wake_read.close()
        self._wake_write.close()

    def _turn(self, timeout_s: float) -> None:
        wire = self.client.wire
        if wire is None or self._ended:
            raise ConnectionEnded(*self._why("the connection is lost"))
        pending = wire.pending() > 0
        poll = select.poll()
        poll.register(wire, select.POLLIN | (select.POLLOUT if self.congested else 0))
        poll.register(self._wake_read, select.POLLIN)
        ready = dict(poll.poll(0 if pending else timeout_s * 1000))
        if ready.pop(self._wake_read.fileno(), 0):
            self._wake_read.recv(4096)
        events = next(iter(ready.values()), 0)
        try:
            if pending or events & ~select.POLLOUT:
                self.client.loop_read()
            if events & select.POLLOUT:
                self._write(wire)
            self.client.loop_misc()
        except (ValueError, IndexError, KeyError, struct.error, MQTTException) as problem:
            # paho's decoders raise these for bytes that are not MQTT.
            raise ConnectionEnded(
                f"the broker sent what is not MQTT: {problem or type(problem).__name__}", "is it an MQTT broker?"
            ) from problem
        if self.client.socket() is None and self._connack is None:
            raise ConnectionEnded(*self._why("the broker closed the connection before it answered CONNECT"))

    def _write(self, wire: BufferedSocket) -> None:
        try:
            wire.flush()
        except OSError as problem:
            raise ConnectionEnded(*self._why(f"the connection is lost ({problem})")) from problem
        if not wire.blocked:
            self.client.loop_write()

    def _why(self, otherwise: str) -> tuple[str, str, int]:
        if self._ended is None:
            return otherwise, "", 0
        text, code = self._ended
        if code == SESSION_TAKEN_OVER:
            return (
                f"another client took over the session of client id {self._settings.client_id!r}",
                "give each station its own mqtt.client_id",
                code,
            )
        if code in (0, UNSPECIFIED):  # paho's own word for a socket that closed
            return f"{otherwise}: the broker closed it or is gone", "", code
        return f"{otherwise}: {text}", "", code

    # paho calls these inside `turn` and `publish`; they only note what happened.

    def _on_connect(self, _c: Any, _u: Any, _f: Any, reason: Any, properties: Properties | None) -> None:
        maximum = getattr(properties, "ReceiveMaximum", 65535)
        self._connack = (int(reason.value), int(maximum))

    def _on_disconnect(self, _c: Any, _u: Any, _f: Any, reason: Any, _p: Any) -> None:
        if self._ended is None:  # the first says why; paho calls again when the socket closes
            self._ended = (str(reason), int(reason.value))

    def _on_publish(self, _c: Any, _u: Any, mid: int, reason: Any, _p: Any) -> None:
        self._incoming.append(Delivered(mid, int(reason.value)))

    def _on_subscribe(self, _c: Any, _u: Any, mid: int, reasons: list[Any], _p: Any) -> None:
        self._incoming.append(Subscribed(mid, tuple(int(r.value) for r in reasons)))

    def _on_message(self, _c: Any, _u: Any, message: paho.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""
        extra = message.properties
        self._incoming.append(
            Received(
                topic,
                bytes(message.payload),
                message.qos,
                message.retain,
                str(getattr(extra, "ResponseTopic", "")),
                bytes(getattr(extra, "CorrelationData", b"")),
            )
        )


def properties_for(session: Session, *, expiry_s: int | None = None, correlation: bytes = b"") -> Properties | None:
    """MQTT 5's extras of a message of ours; None with 3.1.1."""
    if not session.v5:
        return None
    extra = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho's own
    extra.ContentType = "application/json"
    extra.PayloadFormatIndicator = 1
    if expiry_s is not None:
        extra.MessageExpiryInterval = expiry_s
    if correlation:
        extra.CorrelationData = correlation
    return extra


class _Client(paho.Client):
    """paho with a socket that we can collect messages in."""

    @property
    def wire(self) -> BufferedSocket | None:
        """The open socket, None without a connection."""
        sock = self.socket()
        return sock if isinstance(sock, BufferedSocket) else None

    def _create_socket(self) -> BufferedSocket:
        # paho has no public way to give it a socket; `SocketLike` is what it works with, its own websockets too.
        return BufferedSocket(cast("socket.socket", super()._create_socket()))


class _HandshakeOrClosed(ssl.SSLSocket):
    """paho leaves a socket whose handshake failed to the garbage collector."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


def _set_socket(_client: Any, _userdata: Any, sock: Any) -> None:
    # Without NODELAY a small answer waits for the peer's delayed acknowledgement: 21 ms instead of 0.8.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)


def _explain_certificate(problem: ssl.SSLCertVerificationError, settings: MqttSettings) -> tuple[str, str]:
    return (
        f"the certificate of {settings.host}:{settings.port} is not accepted: {problem.verify_message}",
        "check mqtt.host against the names in the broker's certificate, its dates, mqtt.tls.ca and this clock",
    )


def _explain(problem: Exception, settings: MqttSettings) -> tuple[str, str]:
    where = f"{settings.host}:{settings.port}"
    if isinstance(problem, ConnectionRefusedError):
        return f"nothing listens at {where}", "is the broker running, and are mqtt.host and mqtt.port right?"
    if isinstance(problem, socket.gaierror):
        return f"the host {settings.host!r} is not known: {problem.strerror}", "check mqtt.host and this machine's DNS"
    if isinstance(problem, ssl.SSLError):
        return f"TLS with {where} failed: {problem.reason or problem}", "does this port speak TLS, at least 1.2?"
    if isinstance(problem, TimeoutError):
        return f"{where} does not answer within {settings.connect_timeout_s} s", "check cable, address and firewall"
    return f"no connection to {where}: {problem}", ""


_CURES: Mapping[int, tuple[str, str]] = {
    0x84: ("does not speak MQTT {protocol}", "set mqtt.protocol to the broker's"),
    0x85: ("refuses the client id {client!r}", "choose another mqtt.client_id, or allow this one at the broker"),
    0x86: ("refuses user name or password", "check mqtt.username and the password"),
    0x87: ("does not allow this client", "check the broker's users and access lists"),
    0x88: ("is not available", "see the broker's log"),
    0x8A: ("has banned this client", "see the broker's log"),
    0x97: ("has no room for another client (quota exceeded)", "raise the broker's limits"),
}


def _explain_refusal(code: int, settings: MqttSettings) -> tuple[str, str]:
    text, cure = _CURES.get(code, (f"refuses the connection (code {code})", "see the broker's log"))
    told = text.format(protocol=settings.protocol, client=settings.client_id)
    return f"the broker {settings.host}:{settings.port} {told}", cure
