"""`partsight demo` as a newcomer has it: a terminal, a display or none, a taken port, a closed window."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from partsight.api.people import Author, People, read_users
from partsight.cli.demo_screen import make_login
from partsight.outputs.records import SqliteRecords
from partsight.wire.screen.people import Role

ROOT = Path(__file__).resolve().parents[2]
Wait = Callable[..., object]
COLOURS = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


@dataclass
class Demo:
    """A demo on a terminal of its own, what it has printed, and how to ask its API."""

    process: subprocess.Popen[bytes]
    printed: bytearray = field(default_factory=bytearray)

    @property
    def text(self) -> str:
        return COLOURS.sub("", self.printed.decode(errors="replace"))

    def found(self, pattern: str) -> str:
        match = re.search(pattern, self.text)
        return match.group(1) if match else ""

    @property
    def url(self) -> str:
        return self.found(r"wallboard: (http://127\.0\.0\.1:\d+)/")

    def ask(self, path: str, body: dict[str, Any] | None = None, token: str = "") -> Any:
        """The answer, the number of the status that refuses, or None: nothing listens there yet."""
        if not self.url:
            return None
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"{self.url}{path}", data, headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as refused:
            refused.close()
            return refused.code
        except OSError:
            return None

    def answers(self, path: str) -> bool:
        """With something else than a refusal."""
        return isinstance(self.ask(path), dict)

    def windows(self) -> list[psutil.Process]:
        """The screen's processes."""
        found = []
        for child in psutil.Process(self.process.pid).children():
            with suppress(psutil.NoSuchProcess):  # a zombie too: one that has ended and is not yet reaped
                if "gui" in child.cmdline():
                    found.append(child)
        return found


@contextmanager
def demo(folder: Path, *arguments: str, **environment: str) -> Iterator[Demo]:
    """Ended by Ctrl-C at its terminal, with exit status 0."""
    inherited = {key: value for key, value in os.environ.items() if key not in {"DISPLAY", "WAYLAND_DISPLAY"}}
    inherited |= {
        "PYTHONPATH": str(ROOT / "inspect"),
        "XDG_CONFIG_HOME": str(folder),
        "COLUMNS": "160",
        "TERM": "xterm",
    }
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "partsight", "demo", "--no-mqtt", "--data", "data", *arguments]
    process = subprocess.Popen(
        command,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=folder,
        env=inherited | environment,
        start_new_session=True,
    )
    os.close(theirs)
    it, over = Demo(process), threading.Event()

    def read() -> None:
        while not over.is_set():
            if not select.select([ours], [], [], 0.1)[0]:
                continue
            try:
                it.printed.extend(os.read(ours, 65536))
            except OSError:  # the terminal is closed at its other end
                return

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield it
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0, it.text[-2000:]
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        over.set()
        reader.join()
        os.close(ours)


@contextmanager
def x_server() -> Iterator[str]:
    """An X server without a screen; its display's name."""
    ours, theirs = os.pipe()
    command = ["Xvfb", "-displayfd", str(theirs), "-screen", "0", "1280x800x24", "-nolisten", "tcp", "-noreset"]
    with subprocess.Popen(command, pass_fds=(theirs,), stderr=subprocess.DEVNULL) as server:
        os.close(theirs)
        try:
            with os.fdopen(ours) as told:
                yield f":{told.readline().strip()}"
        finally:
            server.terminate()


def shows_window(display: str) -> bool:
    """A window as large as one can work in; Qt has small ones of its own from the start."""
    command = ["xwininfo", "-root", "-tree", "-display", display]
    # It fails where a window goes while it looks.
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    return re.search(r'"partsight": \(.*\)\s+\d{3,4}x\d{3,4}\+', told.stdout) is not None


def test_with_a_display_the_screen_comes_up_and_closing_it_ends_nothing_else(tmp_path: Path, wait_until: Wait) -> None:
    assert shutil.which("Xvfb"), "the tests need Xvfb"
    assert shutil.which("xwininfo"), "the tests need xwininfo (x11-utils)"
    with x_server() as display, demo(tmp_path, DISPLAY=display, QT_QPA_PLATFORM="xcb") as it:
        wait_until(lambda: shows_window(display), 90.0, "a window of the screen")
        (window,) = it.windows()
        assert window.nice() == 10, "it may not take the detector's core"
        window.terminate()
        wait_until(lambda: not it.windows(), 60.0, "the window is closed")
        assert not shows_window(display)
        before = it.ask("/api/v1/status")["counters"]["triggers"]
        wait_until(lambda: it.ask("/api/v1/status")["counters"]["triggers"] > before, 20.0, "the line goes on")
        assert "the screen ended" not in it.text
    # Nothing of it is left, also where it was open at the end.
    with x_server() as display, demo(tmp_path, DISPLAY=display, QT_QPA_PLATFORM="xcb") as it:
        wait_until(it.windows, 90.0, "a process of the screen")
        (window,) = it.windows()
    assert not window.is_running()


def test_without_a_display_all_else_works_and_a_newcomer_can_log_in(tmp_path: Path, wait_until: Wait) -> None:
    with demo(tmp_path) as it:
        wait_until(lambda: it.answers("/health/ready"), 90.0, "the line is ready")
        assert "screen: not opened (there is no display here" in it.text
        assert it.ask("/api/v1/records?limit=1")["parts"] is not None, "seeing needs no login"
        assert it.ask("/api/v1/commands/hold", {}) == 401
        password = it.found(r"log in as demo with the password (\S+) to")
        session = it.ask("/api/v1/login", {"user": "demo", "password": password})
        assert session["role"] == "administrator"
        assert it.ask("/api/v1/commands/stop", {}, session["token"])["ok"] is True
        assert "the API listens" not in it.text, "its log does not go through the table"
    # The next demo has another password, and the former does not hold any more.
    with demo(tmp_path) as it:
        wait_until(lambda: it.answers("/health/live"), 90.0, "the API answers")
        assert it.ask("/api/v1/login", {"user": "demo", "password": password}) == 401
        newer = it.found(r"log in as demo with the password (\S+) to")
        assert it.ask("/api/v1/login", {"user": "demo", "password": newer})["user"] == "demo"
    everything = b"".join(file.read_bytes() for file in (tmp_path / "data").rglob("*") if file.is_file())
    assert password.encode() not in everything
    assert newer.encode() not in everything


def test_a_taken_port_is_passed_over(tmp_path: Path, wait_until: Wait) -> None:
    try:
        taken = socket.create_server(("127.0.0.1", 8787))
    except OSError:
        taken = socket.socket()  # somebody else has it, which does as well
    with taken, demo(tmp_path) as it:
        wait_until(lambda: it.answers("/health/live"), 90.0, "the API answers")
        assert not it.url.endswith(":8787")
        assert it.ask("/api/v1/status")["name"] == "demo"


def test_a_screen_that_is_asked_for_and_cannot_be_is_a_message(tmp_path: Path) -> None:
    inherited = {k: v for k, v in os.environ.items() if k not in {"DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"}}
    command = [sys.executable, "-m", "partsight", "demo", "--screen", "--data", "data"]
    ran = subprocess.run(
        command,
        cwd=tmp_path,
        env=inherited | {"PYTHONPATH": str(ROOT / "inspect")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 3
    assert "no display" in ran.stderr
    assert not (tmp_path / "data/records.db").exists()


def test_a_stations_own_folder_gets_no_demo_user(tmp_path: Path) -> None:
    station = tmp_path / "station"
    SqliteRecords.open(station, ballast_bytes=0).close()
    assert make_login(station) is None
    assert read_users(station) == {}
    with_users = tmp_path / "with-users"
    with_users.mkdir()
    People(with_users).add("anna", Role.ADMINISTRATOR, "correct horse", Author("test", "test"))
    assert make_login(with_users) is None
    assert list(read_users(with_users)) == ["anna"]
