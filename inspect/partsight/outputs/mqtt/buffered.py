"""A socket for paho that asks the kernel seldom: paho reads three times for an acknowledgement and writes each message.

Each of those calls lets go of Python's lock, and a verdict's thread then has to get it back: with records on their way
that took longer than the verdict's own commit.
"""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress

READ_BYTES = 4096


class BufferedSocket:
    """What paho needs of a socket. Reads ahead; between `hold` and `release` it collects what is written.

    `hold` is for records alone: nothing that must leave at once, or may not leave late, is written meanwhile.
    """

    def __init__(self, sock: socket.socket) -> None:
        self.inner = sock
        self._came = b""
        self._at = 0
        self._out = bytearray()
        self._held = False

    def recv(self, buffer_size: int) -> bytes:
        """At most so many bytes, b"" at the end. Raises BlockingIOError, OSError."""
        if self._at == len(self._came):
            self._came, self._at = self.inner.recv(READ_BYTES), 0
        part = self._came[self._at : self._at + buffer_size]
        self._at += len(part)
        return part

    def send(self, buffer: bytes | bytearray) -> int:
        """How many bytes were taken. Raises BlockingIOError, OSError."""
        if self._held:
            self._out += buffer
            return len(buffer)
        if self._out:
            self.flush()
            if self._out:
                raise BlockingIOError
        return self.inner.send(buffer)

    def hold(self) -> None:
        """Collect what is written from here on: the caller bounds how much."""
        self._held = True

    def release(self) -> None:
        """Write what was collected, as far as the kernel takes it. Raises OSError."""
        self._held = False
        self.flush()

    def flush(self) -> None:
        """Write what is left of it. Raises OSError."""
        with suppress(BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            while self._out:
                del self._out[: self.inner.send(self._out)]

    @property
    def blocked(self) -> bool:
        """True while something that was collected waits for the kernel to take more."""
        return bool(self._out) and not self._held

    def pending(self) -> int:
        """Bytes that can be read although nothing is said of them by `poll`."""
        decrypted = self.inner.pending() if isinstance(self.inner, ssl.SSLSocket) else 0
        return len(self._came) - self._at + decrypted

    def fileno(self) -> int:
        return self.inner.fileno()

    def setblocking(self, flag: bool) -> None:
        self.inner.setblocking(flag)

    def setsockopt(self, level: int, option: int, value: int) -> None:
        self.inner.setsockopt(level, option, value)

    def close(self) -> None:
        self.inner.close()
