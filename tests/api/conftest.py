"""A real daemon with its API on a free port: `partsight run`, the simulated camera, a quick model, real records."""

from __future__ import annotations

import json
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.station.kill_run import SIMULATED, Run, write_station
from tests.station.kill_run import station as run_station
from websockets.sync.client import ClientConnection, connect

from partsight.api.people import Author, People
from partsight.testing.broker import free_port
from partsight.wire.screen.people import Role
from partsight.wire.screen.stream import PreviewHeader, unpack_preview

STARTS_S = 40.0
PASSWORD = "correct horse 7"
PICTURED = SIMULATED.replace("width = 128\nheight = 128", "width = 320\nheight = 240")
TIMER = 'kind = "timer"\nperiod_ms = 100'
CALLED = 'kind = "call"'


@dataclass(frozen=True)
class Door:
    """An API on a port of this machine."""

    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def tls(self) -> ssl.SSLContext | None:
        """What a client trusts; None without TLS."""
        return None

    @contextmanager
    def http(self, token: str = "") -> Iterator[httpx.Client]:
        """A client for paths like `/api/v1/status`."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        options: dict[str, Any] = {"headers": headers, "timeout": 20, "trust_env": False}
        with httpx.Client(base_url=self.url, verify=self.tls or False, **options) as client:
            yield client

    @contextmanager
    def socket(self, **options: Any) -> Iterator[ClientConnection]:
        """The stream, before its `hello`."""
        address = f"{self.url.replace('http', 'ws')}/api/v1/stream"
        options = {"max_size": None, "proxy": None, "compression": None, "open_timeout": 20, **options}
        with connect(address, ssl=self.tls, **options) as found:
            yield found

    @contextmanager
    def stream(self, token: str = "", **hello: Any) -> Iterator[Stream]:
        """The stream of a client that was let in."""
        with self.socket() as socket:
            stream = Stream(socket)
            stream.say({"type": "hello", "token": token, **hello})
            stream.welcome = stream.text()
            assert stream.welcome["type"] == "welcome", stream.welcome
            yield stream


@dataclass(frozen=True)
class TlsDoor(Door):
    """An API that speaks TLS. ca: the certificate that its own is signed with."""

    ca: Path

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.ca)


@dataclass(frozen=True)
class Served(Door):
    """A running station with its API."""

    run: Run
    config: Path
    data: Path

    def add_user(self, name: str, role: Role, password: str = PASSWORD) -> str:
        """A user who has logged in; the token."""
        People(self.data).add(name, role, password, Author("test", "test"))
        return self.log_in(name, password)

    def log_in(self, name: str, password: str = PASSWORD) -> str:
        with self.http() as client:
            answer = client.post("/api/v1/login", json={"user": name, "password": password})
        assert answer.status_code == 200, answer.text
        token: str = answer.json()["token"]
        return token


class Stream:
    """One client of the WebSocket, with what it reads sorted by kind."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.welcome: dict[str, Any] = {}

    def say(self, message: Any) -> None:
        self.socket.send(json.dumps(message))

    def text(self, kind: str = "", limit_s: float = 10.0) -> dict[str, Any]:
        """The next message of this kind, or of any; pictures are passed over."""
        end = time.monotonic() + limit_s
        while True:
            message = self.socket.recv(timeout=max(0.0, end - time.monotonic()))
            if isinstance(message, str):
                told: dict[str, Any] = json.loads(message)
                if not kind or told["type"] == kind:
                    return told

    def event(self, kind: str = "", limit_s: float = 10.0) -> dict[str, Any]:
        """The next event of this kind, or of any."""
        end = time.monotonic() + limit_s
        while True:
            told = self.text("event", max(0.0, end - time.monotonic()))
            if not kind or told["kind"] == kind:
                return told

    def picture(self, limit_s: float = 10.0) -> tuple[PreviewHeader, bytes]:
        """The next picture; texts are passed over."""
        end = time.monotonic() + limit_s
        while True:
            message = self.socket.recv(timeout=max(0.0, end - time.monotonic()))
            if isinstance(message, bytes):
                return unpack_preview(message)


@contextmanager
def serve_station(
    folder: Path,
    *,
    api: str = "",
    camera: str = PICTURED,
    trigger: str = TIMER,
    images: str = "ok_share = 1.0\nkeep_free_mb = 1",
    **station_options: Any,
) -> Iterator[Served]:
    """A station that serves, killed at the latest when the block is left. api: more lines of its `[api]` table."""
    port = free_port()
    config = write_station(folder, camera=camera, trigger=trigger, images=images, **station_options)
    with config.open("a") as file:
        file.write(f"[api]\nport = {port}\n{api}\n")
    with run_station(config) as run:
        served = Served(port, run, config, folder / "data")
        wait_until_it_serves(served, run.process)
        yield served


def wait_until_it_serves(door: Door, process: subprocess.Popen[bytes]) -> None:
    """Alive, or at least there, where the daemon has nothing to say."""
    end = time.monotonic() + STARTS_S
    with door.http() as client:
        while True:
            try:
                client.get("/health/live")
                return
            except httpx.TransportError:
                pass
            assert process.poll() is None, "the process has ended; its log is in stderr-*.log"
            assert time.monotonic() < end, f"nothing is served within {STARTS_S} s"
            time.sleep(0.02)


@pytest.fixture(scope="module")
def station_without_users(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """As it is after the installation: nobody can log in."""
    with serve_station(tmp_path_factory.mktemp("station")) as served:
        yield served


@dataclass(frozen=True)
class Staffed:
    """A station with one user of each role, all logged in. tokens: by role."""

    served: Served
    tokens: dict[Role, str]

    def http(self, role: Role | None = None) -> Any:
        """A client with this role's token; None without a login."""
        return self.served.http(self.tokens[role] if role is not None else "")

    def stream(self, role: Role | None = None, **hello: Any) -> Any:
        """A stream with this role's token; None without a login."""
        return self.served.stream(self.tokens[role] if role is not None else "", **hello)


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Staffed]:
    """A station that judges ten parts a second, with a user of each role; one for all tests of a file."""
    with serve_station(tmp_path_factory.mktemp("station")) as served:
        tokens = {role: served.add_user(f"{role.value}1", role) for role in reversed(Role)}
        yield Staffed(served, tokens)


@pytest.fixture(scope="session")
def serving() -> Callable[..., Any]:
    """`with serving(folder, api=…, camera=…, trigger=…) as served`: a station of the test's own."""
    return serve_station
