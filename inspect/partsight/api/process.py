"""The API's process: how the daemon starts and ends it, and how it ends itself when the daemon is gone."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress

import structlog

NICENESS = 5
TERM_S = 3.0
KILL_S = 5.0
_PR_SET_PDEATHSIG = 1
_STDERR = 2
_EXITS = {
    73: "its port cannot be opened",
    74: "its link to the daemon cannot be used",
    78: "a file of the site cannot be used (certificate, users, keys)",
}
"""As `server.py` ends."""

Launch = Callable[[int, int], "subprocess.Popen[bytes]"]
"""(the API's end of the link, the frames' memory) -> the process. Raises OSError."""


def launch(link_fd: int, frames_fd: int) -> subprocess.Popen[bytes]:
    """`python -m partsight.api` with both file descriptors. Its stdout is our stderr: ours may be for a script.

    It is as quiet as this process: its lines would go through the demo's table.
    """
    quiet = [] if structlog.get_logger().is_enabled_for(logging.INFO) else ["--quiet"]
    return start([sys.executable, "-m", "partsight.api", *quiet], link_fd, frames_fd)


def start(command: list[str], link_fd: int, frames_fd: int) -> subprocess.Popen[bytes]:
    """`command --link N --frames N`, nice, in a session of its own: Ctrl-C at a terminal is the daemon's to handle."""
    process = subprocess.Popen(
        [*command, "--link", str(link_fd), "--frames", str(frames_fd)],
        pass_fds=(link_fd, frames_fd),
        stdin=subprocess.DEVNULL,
        stdout=_STDERR,
        start_new_session=True,
    )
    with suppress(OSError):
        # Before its threads exist: on Linux they inherit it.
        os.setpriority(os.PRIO_PROCESS, process.pid, NICENESS)
    return process


def end(process: subprocess.Popen[bytes], *, politely: bool) -> bool:
    """SIGTERM where it may tidy up, then SIGKILL. False where not even that has ended it."""
    if politely and process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(TERM_S)
    if process.poll() is None:
        process.kill()
        with suppress(subprocess.TimeoutExpired):
            process.wait(KILL_S)
    return process.returncode is not None


def how_it_ended(status: int) -> str:
    """A process's return code in words."""
    if status >= 0:
        why = _EXITS.get(status)
        return f"ended with status {status}" + (f": {why}" if why else "")
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"


def die_with_daemon() -> None:
    """In the API's process, first of all: be killed when the daemon dies, also while this process hangs.

    Where the daemon died before this was asked for, the closed link is what ends it.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
