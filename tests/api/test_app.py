"""HTTP as its clients see it: what is answered, refused, bounded, and told to nobody."""

from __future__ import annotations

import json
import signal
import socket
import ssl
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from tests.api.conftest import CALLED, PASSWORD, Door, Served, Staffed
from tests.api.rig import Rig, note, open_rig
from websockets.exceptions import InvalidStatus

from partsight.api.channel import HelloMessage, pack, pair
from partsight.api.process import launch
from partsight.cli.mqtt_certificates import issue
from partsight.wire.screen.commands import CommandAnswer
from partsight.wire.screen.message import Problem
from partsight.wire.screen.people import Role
from partsight.wire.screen.station import FaultBoard, StationNote

PROBLEM = "application/problem+json"
MAX_CONNECTIONS = 256


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """An API whose daemon is the test."""
    with open_rig(tmp_path_factory.mktemp("rig")) as opened:
        yield opened


def problem(answer: httpx.Response, status: int) -> Problem:
    """What is wrong, in the one form that errors have; nothing of the program's inside."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == PROBLEM
    told = Problem.model_validate_json(answer.content)
    assert told.status == status
    assert "Traceback" not in answer.text
    return told


def raw(door: Door, data: bytes, limit_s: float = 15.0) -> bytes:
    """All that comes back for these bytes until the server closes."""
    with socket.create_connection(("127.0.0.1", door.port), timeout=limit_s) as plain:
        plain.sendall(data)
        found = bytearray()
        while chunk := plain.recv(65536):
            found += chunk
    return bytes(found)


# --- answers ----------------------------------------------------------------------------------------


def test_the_status_is_one_snapshot(station: Staffed) -> None:
    """rule_1: `triggers = OK + NG + REVIEW + INVALID + in flight` on every screen."""
    with station.http(Role.VIEWER) as client:
        for _ in range(20):
            counters = StationNote.model_validate_json(client.get("/api/v1/status").content).counters
            judged = counters.ok + counters.ng + counters.review + counters.invalid
            assert counters.triggers == judged + counters.in_flight


def test_commands_are_carried_out_and_audited(station: Staffed, wait_until: Callable[..., Any]) -> None:
    with station.http(Role.OPERATOR) as client:
        assert CommandAnswer.model_validate_json(client.post("/api/v1/commands/hold").content).ok
        wait_until(lambda: client.get("/api/v1/status").json()["state"] == "HELD")
        not_ready = client.get("/health/ready")
        assert "HELD" in problem(not_ready, 503).detail
        assert client.get("/health/live").status_code == 200
        assert client.post("/api/v1/commands/start").json()["ok"]
        wait_until(lambda: client.get("/health/ready").status_code == 200)
    with station.http(Role.ENGINEER) as client:
        rows = [row for row in client.get("/api/v1/audit").json() if row["what"].startswith("command")]
    assert [(row["who"], row["what"]) for row in rows[:2]] == [
        ("operator1", "command start"),
        ("operator1", "command hold"),
    ]
    assert all("127.0.0.1" in row["source"] for row in rows)


def test_what_the_station_does_not_do_is_said_why(station: Staffed) -> None:
    with station.http(Role.OPERATOR) as client:
        told = problem(client.post("/api/v1/commands/recipe", json={"name": "no-such-recipe"}), 409)
    assert "no-such-recipe" in told.detail


def test_a_part_is_triggered_and_told(tmp_path: Path, serving: Callable[..., Any]) -> None:
    with serving(tmp_path, trigger=CALLED) as served:
        token = served.add_user("root", Role.ADMINISTRATOR)
        with served.http(token) as client, served.stream(token) as stream:
            answer = client.post("/api/v1/commands/trigger", json={"part_id": "SN 7", "id": 77})
            assert answer.status_code == 200, answer.text
            part = stream.event("finished")["data"]
    assert (part["part_id"], part["id"]) == ("SN 7", 77)


def test_faults_stand_and_are_over(station: Staffed) -> None:
    with station.http(Role.VIEWER) as client:
        FaultBoard.model_validate_json(client.get("/api/v1/faults").content)
        problem(client.get("/api/v1/faults?history=-1"), 422)


@pytest.mark.parametrize("command", ["start", "stop", "hold", "trigger", "recipe", "bypass"])
def test_without_users_nobody_commands(station_without_users: Served, command: str) -> None:
    body = {"name": "there"} if command == "recipe" else {"on": True} if command == "bypass" else {}
    with station_without_users.http() as client:
        told = problem(client.post(f"/api/v1/commands/{command}", json=body), 403)
        assert "partsight users add" in told.detail
        assert client.post("/api/v1/commands/reset").json()["ok"], "but faults may be acknowledged at the machine"


# --- errors -----------------------------------------------------------------------------------------


def test_every_error_has_one_form(rig: Rig) -> None:
    with rig.door.http() as client:
        assert "/nowhere" in problem(client.get("/nowhere"), 404).detail
        assert client.post("/api/v1/status").headers["allow"] == "GET"
        problem(client.post("/api/v1/status"), 405)
        told = problem(client.post("/api/v1/login", json={"user": "a b", "password": PASSWORD}), 422)
        assert told.mistakes[0].startswith("body.user:")
        assert PASSWORD not in client.post("/api/v1/login", json={"user": "a b", "password": PASSWORD}).text
        problem(client.post("/api/v1/login", content=b"{", headers={"content-type": "application/json"}), 422)
        odd = b'{"user":"\\ud800","password":"x","\\udfff":1}'
        problem(client.post("/api/v1/login", content=odd, headers={"content-type": "application/json"}), 422)


def test_a_defect_is_answered_without_its_inside(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The daemon's answer is nonsense: an error of the program, which only the log tells."""
    with open_rig(tmp_path) as rig, rig.door.http() as client, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(client.get, "/api/v1/faults")
        rig.reply(rig.asked(), "nonsense")
        told = problem(answer.result(20), 500)
    assert "log" in told.detail
    assert "ValidationError" not in told.detail
    assert '"path": "/api/v1/faults"' in capfd.readouterr().err


def test_a_daemon_that_does_not_answer_is_not_waited_for(rig: Rig) -> None:
    with rig.door.http() as client:
        problem(client.get("/api/v1/faults"), 504)


def test_headers_protect_every_answer(rig: Rig) -> None:
    with rig.door.http() as client:
        for path in ("/api/v1/status", "/nowhere", "/metrics", "/api/v1/users"):
            headers = client.get(path).headers
            assert "frame-ancestors 'none'" in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["x-frame-options"] == "DENY"
            assert "server" not in headers
            assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": ""}, 421),
        ({"Origin": "https://evil.example"}, 421),
        ({"Origin": "null"}, 421),
        ({"Host": "localhost"}, 200),
    ],
)
def test_what_a_foreign_page_sends_is_turned_away(rig: Rig, headers: dict[str, str], status: int) -> None:
    """DNS rebinding, and pages that post to this machine: a fault must not be acknowledged by an advertisement."""
    with rig.door.http() as client:
        assert client.get("/api/v1/status", headers=headers).status_code == status


# --- bounds -----------------------------------------------------------------------------------------


def test_a_large_body_is_refused_before_it_is_read(rig: Rig) -> None:
    head = f"POST /api/v1/login HTTP/1.1\r\nHost: localhost:{rig.door.port}\r\nContent-Type: application/json\r\n"
    for announced in (str(1 << 30), "9" * 18, "1048577"):
        answer = raw(rig.door, f"{head}Content-Length: {announced}\r\n\r\n".encode())
        assert answer.startswith(b"HTTP/1.1 413 "), answer
        assert PROBLEM.encode() in answer


def test_a_large_body_in_chunks_is_cut_off(rig: Rig) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(40):
            yield b" " * 65536

    with rig.door.http() as client:
        try:
            answer = client.post("/api/v1/login", content=chunks(), headers={"content-type": "application/json"})
        except httpx.WriteError:
            return  # cut off while it was still sent
    problem(answer, 413)


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 200_000,
        b"GET " + b"/" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"POST /api/v1/login HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused(rig: Rig, data: bytes) -> None:
    try:
        answer = raw(rig.door, data)
    except ConnectionResetError:
        answer = b""
    assert answer == b"" or (answer.split()[1] == b"400" and PROBLEM.encode() in answer), answer[:200]
    assert rig.process.poll() is None


def test_who_sends_slowly_is_cut_off(rig: Rig) -> None:
    """A head that never ends costs a connection for ten seconds."""
    with socket.create_connection(("127.0.0.1", rig.door.port), timeout=15) as slow:
        slow.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n")
        began = time.monotonic()
        try:
            while slow.recv(1):
                pass
        except ConnectionResetError:
            pass
        assert 5 < time.monotonic() - began < 13


def test_a_crowd_is_told_so_and_goes(rig: Rig, wait_until: Callable[..., Any]) -> None:
    """More than 256 connections: the next is answered 503, those that were there are served on."""
    with rig.door.stream() as there, ExitStack() as stack:
        for _ in range(MAX_CONNECTIONS):
            stack.enter_context(socket.create_connection(("127.0.0.1", rig.door.port)))
        with rig.door.http() as client:
            told = wait_until(lambda: (a := client.get("/health/live")).status_code == 503 and a)
        assert problem(told, 503).detail.startswith("too many connections")
        with pytest.raises(InvalidStatus) as refused, rig.door.socket():
            pass
        assert refused.value.response.status_code == 503
        rig.event(what="in the crowd")
        while there.event()["data"] != {"what": "in the crowd"}:
            pass
        stack.close()
        rig.status()
        with rig.door.http() as client:
            wait_until(lambda: client.get("/health/live").status_code == 200)


def test_nobody_can_crowd_it_to_death(rig: Rig, wait_until: Callable[..., Any]) -> None:
    """Far too many are cut off at once, without an answer."""
    with ExitStack() as stack:
        for _ in range(600):
            stack.enter_context(socket.create_connection(("127.0.0.1", rig.door.port)))
        api = psutil.Process(rig.process.pid)
        wait_until(lambda: api.num_fds() < 400)
    rig.status()

    def served() -> bool:
        try:
            return client.get("/health/live").status_code == 200
        except httpx.TransportError:
            return False  # those before it have not been seen to go yet

    with rig.door.http() as client:
        wait_until(served)


# --- health -----------------------------------------------------------------------------------------


def test_it_is_alive_while_the_daemon_speaks(rig: Rig, wait_until: Callable[..., Any]) -> None:
    with rig.door.http() as client:
        rig.status()
        wait_until(lambda: client.get("/health/live").status_code == 200)
        rig.status(alive=False)
        wait_until(lambda: client.get("/health/live").status_code == 503)
        assert "does not tick" in problem(client.get("/health/live"), 503).detail
        rig.status()
        wait_until(lambda: client.get("/health/live").status_code == 200)
        wait_until(lambda: client.get("/health/live").status_code == 503, 5)
        assert "has said nothing" in problem(client.get("/health/ready"), 503).detail


def test_it_ends_with_the_daemon(tmp_path: Path) -> None:
    with open_rig(tmp_path) as rig:
        rig.channel.close()
        assert rig.process.wait(10) == 0


def test_it_ends_when_it_is_told_to(tmp_path: Path) -> None:
    """Also with clients: within the time after which the daemon kills it."""
    with open_rig(tmp_path) as rig, rig.door.stream(), rig.door.http() as client:
        assert client.get("/api/v1/status").status_code == 200
        rig.process.send_signal(signal.SIGINT)
        assert client.get("/api/v1/status").status_code == 200, "Ctrl-C is the daemon's to handle"
        rig.process.send_signal(signal.SIGTERM)
        assert rig.process.wait(3.0) == 0


def test_a_port_that_is_taken_is_said(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with open_rig(tmp_path) as rig:
        ours, theirs = pair()
        with ours, theirs:
            second = launch(theirs.fileno(), rig.frames.fd)
            ours.sendall(pack(HelloMessage(facts=rig.facts, status=note())))
            assert second.wait(20) == 73
    assert "cannot listen" in capfd.readouterr().err


def test_without_a_daemon_it_says_so(capfd: pytest.CaptureFixture[str]) -> None:
    with Path("/dev/null").open() as nothing:
        lonely = launch(nothing.fileno(), nothing.fileno())
        assert lonely.wait(20) == 74
    assert "no socket to a daemon" in capfd.readouterr().err


# --- TLS --------------------------------------------------------------------------------------------


def test_it_speaks_tls_1_2_or_later(tmp_path: Path) -> None:
    """Pages, pictures and the stream; who speaks plainly, or an older TLS, is not heard."""
    ca, server = issue(tmp_path / "tls", ["127.0.0.1"], [], 30)
    files = {"tls_certificate": str(server.certificate), "tls_key": str(server.key)}
    with open_rig(tmp_path, ca.certificate, **files) as rig:
        with rig.door.http() as client, rig.door.stream() as stream:
            assert client.get("/health/live").status_code == 200
            rig.event(what="over TLS")
            assert stream.event()["data"] == {"what": "over TLS"}
        plain = Door(rig.door.port)
        with plain.http() as client, pytest.raises(httpx.TransportError):
            client.get("/health/live")
        old = rig.door.tls
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        with socket.create_connection(("127.0.0.1", rig.door.port)) as spoken, pytest.raises(ssl.SSLError):
            old.wrap_socket(spoken, server_hostname="127.0.0.1")


def test_no_secret_is_logged(station: Staffed) -> None:
    """Of what these tests sent: no password, no token, also not of a login that failed."""
    with station.http() as client:
        client.post("/api/v1/login", json={"user": "viewer1", "password": "a wrong secret"})
        client.get("/api/v1/status", headers={"Authorization": "Bearer not.a.token"})
    with station.http(Role.VIEWER) as client:
        client.get("/api/v1/status", params={"token": "in-the-address"})
    log = station.served.run.told
    assert log
    for secret in (PASSWORD, "a wrong secret", "not.a.token", "in-the-address", *station.tokens.values()):
        assert secret not in log
    assert json.loads(log.splitlines()[0])
