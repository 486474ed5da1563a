"""A broker on a bare socket that does what a real one would not: answers late, wrongly, or not at all."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK = 1, 2, 3, 4, 8, 9


@dataclass
class RawBroker:
    """Every packet that came, by connection: (kind, flags, body)."""

    port: int
    connections: list[list[tuple[int, int, bytes]]] = field(default_factory=list)

    def published(self, connection: int = 0) -> list[tuple[str, int]]:
        """(topic, qos) of each PUBLISH in the order of the wire."""
        found = []
        for kind, flags, body in list(self.connections[connection]) if len(self.connections) > connection else []:
            if kind == PUBLISH:
                length = struct.unpack(">H", body[:2])[0]
                found.append((body[2 : 2 + length].decode(), flags >> 1 & 3))
        return found

    def first(self, connection: int = 0) -> list[int]:
        """The kinds of packets in order."""
        return [kind for kind, _, _ in list(self.connections[connection])]


Behaviour = Callable[[socket.socket, int, int, bytes], None]


def connack_v5(receive_maximum: int) -> bytes:
    return b"\x20\x06\x00\x00\x03\x21" + struct.pack(">H", receive_maximum)


CONNACK_V3 = b"\x20\x02\x00\x00"


def accepting(connack: bytes, *, acknowledge: bool) -> Behaviour:
    """Answers CONNECT; PUBACK only if `acknowledge` (MQTT 3.1.1)."""

    def behave(sock: socket.socket, kind: int, flags: int, body: bytes) -> None:
        if kind == CONNECT:
            sock.sendall(connack)
        if kind == PUBLISH and acknowledge and flags & 6:
            length = struct.unpack(">H", body[:2])[0]
            sock.sendall(b"\x40\x02" + body[2 + length : 4 + length])

    return behave


@contextmanager
def raw_broker(behave: Behaviour) -> Iterator[RawBroker]:
    """Runs until the end of the block; every connection has its own thread."""
    listener = socket.create_server(("127.0.0.1", 0))
    broker = RawBroker(listener.getsockname()[1])
    threads: list[threading.Thread] = []
    socks: list[socket.socket] = []

    def serve(sock: socket.socket, packets: list[tuple[int, int, bytes]]) -> None:
        with suppress(OSError, EOFError), sock:
            while True:
                first = _exactly(sock, 1)[0]
                length = shift = 0
                while True:
                    byte = _exactly(sock, 1)[0]
                    length |= (byte & 127) << shift
                    shift += 7
                    if not byte & 128:
                        break
                body = _exactly(sock, length)
                packets.append((first >> 4, first & 15, body))
                behave(sock, first >> 4, first & 15, body)

    def accept() -> None:
        with suppress(OSError):
            while True:
                sock, _ = listener.accept()
                broker.connections.append([])
                socks.append(sock)
                thread = threading.Thread(target=serve, args=(sock, broker.connections[-1]))
                threads.append(thread)
                thread.start()

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    try:
        yield broker
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        acceptor.join(5)
        for sock in socks:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(5)


def _exactly(sock: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        more = sock.recv(count - len(found))
        if not more:
            raise EOFError
        found += more
    return found
