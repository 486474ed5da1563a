"""The demo's screen: where its API listens, a login for whoever tries it, and the window as a process of its own."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType

from rich.console import Console

from partsight.api.link import ApiHealth
from partsight.api.people import Author, People, UserProblem
from partsight.cli.users import system_user
from partsight.daemon.line import Line
from partsight.daemon.site import Site
from partsight.domain.errors import ConfigError, PartsightError
from partsight.domain.status import StationState
from partsight.outputs.records.folder import DATABASE
from partsight.testing.broker import free_port
from partsight.wire.screen.people import Role

USER = "demo"
LOG = "screen.log"
PATIENCE_S = 15.0
"""The window waits so long for the line, whose start it would only slow down; then it comes up and shows why."""
END_S = 5.0
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
_ENDED_BY_US = (0, -signal.SIGINT, -signal.SIGTERM)


def with_free_port(site: Site) -> Site:
    """The same site; where its API's port is taken (another station, another demo), with one that is free."""
    if site.api is None or not site.api.port:
        return site
    with suppress(OSError), socket.create_server((site.api.host, site.api.port)):
        return site
    return replace(site, api=site.api.model_copy(update={"port": free_port()}))


def make_login(data: Path) -> str | None:
    """A new password for the user `demo`, who may do everything; None where this is no folder of the demo's own.

    Only a folder without records, or one whose only user is `demo`, gets him: a station's users are its own affair.
    """
    try:
        people = People(data)
        users = people.users()
        if users.keys() - {USER} or (not users and (data / DATABASE).exists()):
            return None
        data.mkdir(parents=True, exist_ok=True)
        password = "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(3))
        author = Author(system_user(), "demo")
        if users:
            people.change(USER, author, password=password)
        else:
            people.add(USER, Role.ADMINISTRATOR, password, author)
    except (UserProblem, ConfigError, OSError):
        return None  # the demo goes on without; `check` and the API say what is wrong with the users' file
    return password


def why_no_screen(*, asked: bool) -> str:
    """Why no window can be opened here; "" where it can. asked: for by name, so Qt's other platforms count too."""
    if find_spec("PySide6") is None:
        return 'PySide6 is not installed: pip install "partsight[gui]"'
    display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if not display and not (asked and os.environ.get("QT_QPA_PLATFORM")):
        return "there is no display here (neither DISPLAY nor WAYLAND_DISPLAY is set)"
    return ""


class DemoScreen:
    """Between `with`: the window comes up once the line runs, and goes with the demo. Closing it ends nothing else."""

    def __init__(self, site: Site, console: Console, wanted: bool | None) -> None:
        """wanted: None for a window where there is a display. Raises PartsightError: wanted, and not possible."""
        assert site.api is not None
        reason = why_no_screen(asked=bool(wanted))
        if wanted and reason:
            raise PartsightError(f"the screen cannot be opened: {reason}")
        self.url = f"http://{site.api.host}:{site.api.port}"
        self._console = console
        self._data = site.config.station.data
        self._why_not = "--no-screen" if wanted is False else reason
        self._process: subprocess.Popen[bytes] | None = None
        self._over = bool(self._why_not)
        self._began = time.monotonic()

    def introduce(self, password: str | None) -> None:
        """Where to look, and how to log in. Once, before the table."""
        tell = self._say
        tell(f"wallboard: {self.url}/")
        if self._why_not:
            tell(f"screen: not opened ({self._why_not}); where there is a display: partsight gui {self.url}")
        else:
            tell(f"screen: opens when the line runs; again by: partsight gui {self.url}")
        if password is not None:
            tell(f"log in as {USER} with the password {password} to start, stop, review and change recipes")

    def look(self, line: Line) -> None:
        """Open the window when it is time; say it once where it has failed."""
        if self._over:
            return
        if self._process is None:
            patient = time.monotonic() - self._began < PATIENCE_S
            if _serving(line) and not (patient and line.station.state is not StationState.RUNNING):
                self._open()
        elif (status := self._process.poll()) is not None:
            self._over = True
            if status not in _ENDED_BY_US:
                self._say(f"the screen ended with status {status}: see {self._data / LOG}; the demo goes on")

    def _open(self) -> None:
        command = [sys.executable, "-m", "partsight", "gui", self.url]
        try:
            with (self._data / LOG).open("wb") as log:
                self._process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log
                )
        except OSError as problem:
            self._over = self._process is None
            self._say(f"the screen: {problem}; the demo goes on")

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)

    def __enter__(self) -> DemoScreen:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _serving(line: Line) -> bool:
    health = next((output.health() for name, output in line.outputs if name == "api"), None)
    return isinstance(health, ApiHealth) and health.connected
