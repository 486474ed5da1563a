"""Lines to stdout or stderr that never hold up who writes them: a thread writes, what finds no room is counted.

A reader that is slow, hangs or has gone away must delay no verdict (rule 5); a closed stream is no reason to stop.

The number of a file that was closed is given to the next one that is opened, which may be the record database: whoever
keeps a number keeps it open (`LineWriter`), and 0, 1 and 2 are never left free (`fill_standard_streams`).
"""

from __future__ import annotations

import io
import os
import sys
import threading
from collections import deque
from pathlib import Path
from typing import TextIO

WAITING = 10_000
"""Lines that wait for a slow reader at most."""
LAST_S = 2.0
"""How long the end of the program waits for its reader."""


def fill_standard_streams() -> None:
    """Where the program was started with a closed stdin, stdout or stderr: nothing is read, and nobody is told.

    To be called before anything is opened, which would get that number, and with it what others print.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest that is free: this one
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - open as long as we are


class LineWriter:
    """Writes whole lines past Python's buffer, whose lock a thread that hangs in a write would keep for ever."""

    def __init__(self, stream: TextIO, name: str, otherwise: int) -> None:
        """otherwise: the file number to use where `stream` has none (it was replaced, as in a test)."""
        try:
            number = stream.fileno()
        except (io.UnsupportedOperation, ValueError, AttributeError):
            number = otherwise
        # One of our own, so that what is written after the stream was closed lands in no other file.
        self._handle = os.dup(number)
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
                    os.close(self._handle)
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
