"""One MQTT session over paho, driven by the thread that owns it: its callbacks only note what they are told."""

from __future__ import annotations

import select
import socket
import ssl
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from partsight.domain.errors import PartsightError
from partsight.outputs.sparkplug.node import Message
from partsight.outputs.sparkplug.settings import Server, SparkplugSettings

_REFUSED = 128


class LinkLost(PartsightError):
    """The connection is gone, or was never there."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message from the broker."""

    topic: str
    payload: bytes
    retained: bool


class Link:
    """A fresh paho client for one connection (MQTT 3.1.1, clean session), never used again after it.

    paho starts no thread here, so what its callbacks raise reaches the owner, and nothing is queued in it:
    whoever wants to send asks `can_send` first.
    """

    def __init__(self, settings: SparkplugSettings, server: Server, will: Message) -> None:
        self._server = server
        self._arrived: deque[Arrived] = deque()
        self._connack: Any = None
        self._suback: dict[int, list[Any]] = {}
        self._acked: set[int] = set()
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=settings.client_id or f"{settings.group}-{settings.node}",
            clean_session=True,
            protocol=paho.MQTTv311,
            reconnect_on_failure=False,
        )
        client.connect_timeout = settings.connect_timeout_s
        if settings.tls is not None:
            context = settings.tls.context(settings.table)
            context.sslsocket_class = _TidySocket
            client.tls_set_context(context)
        if settings.username is not None:
            client.username_pw_set(settings.username, settings.password())
        client.will_set(will.topic, will.payload, qos=will.qos, retain=False)
        client.on_socket_open = _no_delay
        client.on_connect = lambda _c, _u, _f, reason, _p: setattr(self, "_connack", reason)
        client.on_subscribe = lambda _c, _u, mid, reasons, _p: self._suback.__setitem__(mid, list(reasons))
        client.on_publish = lambda _c, _u, mid, _r, _p: self._acked.add(mid)
        client.on_message = lambda _c, _u, m: self._arrived.append(Arrived(m.topic, bytes(m.payload), m.retain))
        self._client = client
        self._settings = settings

    def connect(self) -> None:
        """Send CONNECT. Raises LinkLost where no TCP (or TLS) connection is made; then no CONNECT was sent."""
        try:
            self._client.connect(self._server.host, self._server.port, self._settings.keepalive_s)
        except (OSError, ValueError) as problem:
            raise LinkLost(f"{self._where}: no connection: {problem}") from problem

    def open(self, topics: tuple[str, ...]) -> None:
        """Wait for CONNACK, subscribe and wait for SUBACK. Raises LinkLost."""
        self._until(lambda: self._connack is not None, "the broker did not answer CONNECT")
        if self._connack.is_failure:
            raise LinkLost(f"{self._where}: the broker refused the connection: {self._connack}")
        _, mid = self._client.subscribe([(topic, 1) for topic in topics])
        self._until(lambda: mid in self._suback, "the broker did not answer SUBSCRIBE")
        refused = [t for t, r in zip(topics, self._suback[mid or 0], strict=True) if r.value >= _REFUSED]
        if refused:
            raise LinkLost(
                f"{self._where}: the broker refused the subscription to {', '.join(refused)}; its access list "
                f"must let user {self._settings.username or '(none)'} read there"
            )

    @property
    def can_send(self) -> bool:
        """False while the broker takes nothing: what is sent now would wait in memory."""
        return not self._client.want_write()

    def send(self, message: Message) -> int:
        """Hand one message to the socket; its number. Raises LinkLost."""
        info = self._client.publish(message.topic, message.payload, qos=message.qos, retain=False)
        if info.rc is not MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise LinkLost(f"{self._where}: could not send: {paho.error_string(info.rc)}")
        return info.mid

    def pump(self, timeout_s: float) -> tuple[Arrived, ...]:
        """Wait up to `timeout_s` for the broker, and do what is due. What has arrived. Raises LinkLost."""
        sock = self._client.socket()
        if sock is None:
            raise LinkLost(f"{self._where}: the broker has closed the connection")
        if not (isinstance(sock, ssl.SSLSocket) and sock.pending()):
            poller = select.poll()
            poller.register(sock, select.POLLIN | (select.POLLOUT if self._client.want_write() else 0))
            ready = poller.poll(timeout_s * 1000)
            if ready and ready[0][1] & select.POLLOUT:
                self._check(self._client.loop_write())
            if not ready or not ready[0][1] & ~select.POLLOUT:
                self._check(self._client.loop_misc())
                return self._take()
        self._check(self._client.loop_read())
        self._check(self._client.loop_misc())
        return self._take()

    def leave(self, death: Message, timeout_s: float = 1.0) -> None:
        """Publish the NDEATH, wait for its PUBACK within the time, then DISCONNECT, so that the will stays unsent."""
        try:
            mid = self.send(death)
            end = time.monotonic() + timeout_s
            while mid not in self._acked and time.monotonic() < end:
                self.pump(0.02)
            self._client.disconnect()
            while self._client.want_write() and time.monotonic() < end:
                self.pump(0.02)
        except LinkLost:
            pass  # the broker sends the will then
        finally:
            self.close()

    def close(self) -> None:
        """Give the socket back without a word; the broker sends the will."""
        sock = self._client.socket()
        if sock is not None:
            sock.close()

    @property
    def _where(self) -> str:
        return f"{self._server.host}:{self._server.port}"

    def _take(self) -> tuple[Arrived, ...]:
        arrived = tuple(self._arrived)
        self._arrived.clear()
        return arrived

    def _check(self, code: MQTTErrorCode) -> None:
        # A client that the broker refuses is told so by CONNACK first; `open` says it better.
        if code is not MQTTErrorCode.MQTT_ERR_SUCCESS and not getattr(self._connack, "is_failure", False):
            raise LinkLost(f"{self._where}: the connection was lost: {paho.error_string(code)}")

    def _until(self, condition: Any, what: str) -> None:
        end = time.monotonic() + self._settings.connect_timeout_s
        while not condition():
            if time.monotonic() > end:
                raise LinkLost(f"{self._where}: {what} within {self._settings.connect_timeout_s} s")
            kept = self.pump(0.05)
            self._arrived.extendleft(reversed(kept))


class _TidySocket(ssl.SSLSocket):
    """paho leaves the socket of a failed handshake open."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


def _no_delay(_client: paho.Client, _data: Any, sock: Any) -> None:
    # Nagle's algorithm and delayed acknowledgements together cost 20 to 60 ms a message.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
