"""Lines to stdout or stderr that never hold up who writes them: a thread writes, what finds no room is counted.

A reader that is slow, hangs or has gone away must delay no verdict (rule 5); a closed stream is no reason to stop.
"""

from __future__ import annotations

import io
import os
import threading
from collections import deque
from typing import TextIO

WAITING = 10_000
"""Lines that wait for a slow reader at most."""
LAST_S = 2.0
"""How long the end of the program waits for its reader."""


class LineWriter:
    """Writes whole lines past Python's buffer, whose lock a thread that hangs in a write would keep for ever."""

    def __init__(self, stream: TextIO, name: str, otherwise: int) -> None:
        """otherwise: the file number to use where `stream` has none (it was replaced, as in a test)."""
        try:
            self._handle = stream.fileno()
        except (io.UnsupportedOperation, ValueError, AttributeError):
            self._handle = otherwise
        self._change = threading.Condition()
        self._lines: deque[bytes] = deque()
        self._dropped = 0
        self._torn = self._busy = self._ended = False
        self._thread = threading.Thread(target=self._write_all, name=name, daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """Lines that nobody will read."""
        with self._change:
            return self._dropped

    def put(self, line: str) -> None:
        """Queue one line; returns at once."""
        with self._change:
            if len(self._lines) >= WAITING or self._ended:
                self._dropped += 1
                return
            self._lines.append(line.encode("utf-8", "replace") + b"\n")
            self._change.notify_all()

    def flush(self, timeout_s: float = LAST_S) -> bool:
        """Wait a while until everything is read; False where it was not."""
        with self._change:
            return self._change.wait_for(lambda: not self._lines and not self._busy, timeout_s)

    def finish(self, last: str | None = None) -> int:
        """Write what waits and then `last`; how many lines were lost in all."""
        with self._change:
            if last is not None:
                self._lines.append(last.encode("utf-8", "replace") + b"\n")
            self._ended = True
            self._change.notify_all()
        self._thread.join(LAST_S)
        with self._change:
            return self._dropped + len(self._lines) + int(self._busy)

    def _write_all(self) -> None:
        while True:
            with self._change:
                self._busy = False
                self._change.notify_all()
                self._change.wait_for(lambda: self._lines or self._ended)
                if not self._lines:
                    return
                line = self._lines.popleft()
                self._busy = True
            try:
                self._write(line)
            except OSError:
                # Its reader has gone away, or it is a file on a full disk: no reason to stop judging.
                with self._change:
                    self._dropped += 1

    def _write(self, line: bytes) -> None:
        rest = b"\n" + line if self._torn else line
        while rest:
            written = os.write(self._handle, rest)
            rest = rest[written:]
            self._torn = bool(rest)
