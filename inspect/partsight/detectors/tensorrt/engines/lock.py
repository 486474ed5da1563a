"""One build at a time: two would starve each other, and measure each other instead of the GPU."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

from partsight.domain.errors import BackendUnavailable

LOCK_FILE = "build.lock"
POLL_S = 0.1


@contextmanager
def build_lock(
    folder: Path, what: str, *, wait_s: float = 0.0, waiting: Callable[[str], None] = lambda _: None
) -> Iterator[None]:
    """Hold the folder's lock; the kernel drops it when this process dies.

    wait_s: how long another builder is waited for. waiting: told once who that is. what: what is built, for the others.
    Raises BackendUnavailable that names the other builder; OSError where the folder cannot be written.
    """
    handle = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        _take(handle, folder, wait_s, waiting)
        told = {"pid": os.getpid(), "what": what, "since": datetime.now(timezone.utc).isoformat(timespec="seconds")}
        try:
            os.ftruncate(handle, 0)
            os.pwrite(handle, json.dumps(told).encode(), 0)
        except OSError:
            # A full disk: the lock holds all the same, only its owner's name is missing.
            pass
        yield
    finally:
        os.close(handle)


def _take(handle: int, folder: Path, wait_s: float, waiting: Callable[[str], None]) -> None:
    end = time.monotonic() + wait_s
    told = False
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pass
        else:
            return
        if time.monotonic() >= end:
            raise BackendUnavailable(
                f"{folder}: {_owner(handle)}; wait until it is done (--wait does), or end that process"
            )
        if not told:
            waiting(_owner(handle))
            told = True
        time.sleep(POLL_S)


def _owner(handle: int) -> str:
    try:
        told = json.loads(os.pread(handle, 4096, 0))
        return f"process {told['pid']} builds {told['what']} since {told['since']}"
    except (ValueError, KeyError, TypeError, OSError):
        return "another process builds an engine"
