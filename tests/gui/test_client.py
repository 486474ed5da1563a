"""The screen's client on a real API process: what arrives, what is said when nothing does, how it comes back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QObject
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from tests.api.conftest import PASSWORD, serve_station
from tests.gui.conftest import Line, camera_notes, open_line
from tests.gui.odd_server import ABOUT, odd_server, status, welcome
from tests.station.kill_run import station as run_station
from websockets.sync.server import ServerConnection

from partsight.api.people import Author, People
from partsight.cli.mqtt_certificates import issue
from partsight.gui.calls import Refusal
from partsight.gui.client import Client, Link, ScreenError
from partsight.testing.broker import free_port
from partsight.wire.screen.people import Me, Role
from partsight.wire.screen.station import StationNote
from partsight.wire.screen.stream import PreviewHeader

PIXELS = np.full((120, 160, 3), 200, np.uint8)


class Ear:
    """Everything that a client says, in order."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.said: list[tuple[str, Any]] = []
        for name in ("link_changed", "status", "happened", "gap", "session", "problem", "welcome"):
            getattr(client, name).connect(self._hearing(name))
        client.session_ended.connect(lambda: self.said.append(("session_ended", None)))
        client.preview.connect(lambda header, image: self.said.append(("preview", (header, image))))
        client.picture_stale.connect(lambda camera, stale: self.said.append(("stale", (camera, stale))))

    def _hearing(self, name: str) -> Callable[[Any], None]:
        return lambda what: self.said.append((name, what))

    def of(self, name: str) -> list[Any]:
        return [what for said, what in self.said if said == name]


@pytest.fixture
def listen(qapp: QApplication) -> Iterator[Callable[..., Ear]]:
    """`listen(url)`: a client that is started."""
    opened: list[Client] = []

    def open_(url: str, ca: Path | None = None) -> Ear:
        client = Client(url, ca)
        opened.append(client)
        ear = Ear(client)
        client.start()
        return ear

    yield open_
    for client in opened:
        client.close()


def test_what_the_station_says_arrives(line: Line, listen: Callable[..., Ear], qtbot: QtBot) -> None:
    ear = listen(line.url)
    line.say(name="cell-7", cameras=camera_notes("top"))
    qtbot.waitUntil(lambda: ear.client.note is not None and ear.client.note.name == "cell-7")
    assert ear.client.link is Link.LIVE
    assert ear.client.me == Me(role=Role.VIEWER, acknowledge=True)
    for result in ("OK", "NG"):
        line.finish(result)
    qtbot.waitUntil(lambda: len(ear.of("happened")) == 2)
    assert [event.data["result"] for event in ear.of("happened")] == ["OK", "NG"]


def test_a_picture_arrives_decoded_as_it_was_asked_for(line: Line, listen: Callable[..., Ear], qtbot: QtBot) -> None:
    ear = listen(line.url)
    owner = QObject()
    ear.client.watch(owner, ("top",), 80, 30.0)
    qtbot.waitUntil(lambda: any("top" in wish for wish in line.wishes))
    line.show("top", PIXELS, sequence=7, result="NG")
    qtbot.waitUntil(lambda: bool(ear.of("preview")))
    header, image = ear.of("preview")[0]
    assert (header.camera, header.sequence, header.width, header.height) == ("top", 7, 160, 120)
    assert (image.width(), image.height()) == (80, 60)
    assert image.pixelColor(40, 30).red() == pytest.approx(200, abs=3)
    ear.client.unwatch(owner)
    qtbot.waitUntil(lambda: line.wishes[-1] == {})


def test_no_pictures_are_asked_for_a_widget_that_is_gone(line: Line, listen: Callable[..., Ear], qtbot: QtBot) -> None:
    ear = listen(line.url)
    owner = QObject()
    ear.client.watch(owner, ("top",), 80, 30.0)
    qtbot.waitUntil(lambda: any("top" in wish for wish in line.wishes))
    owner.deleteLater()
    qtbot.waitUntil(lambda: line.wishes[-1] == {})


@pytest.mark.timed
def test_a_window_that_does_nothing_gets_the_newest_picture_only(
    line: Line, listen: Callable[..., Ear], qtbot: QtBot
) -> None:
    ear = listen(line.url)
    owner = QObject()
    ear.client.watch(owner, ("top",), 160, 30.0)
    qtbot.waitUntil(lambda: any("top" in wish for wish in line.wishes))
    line.show("top", PIXELS, sequence=0)
    qtbot.waitUntil(lambda: bool(ear.of("preview")))
    ear.said.clear()
    end, n = time.monotonic() + 5, 0
    # The window's thread stands still here: only the stream's thread runs.
    # Six, as the first that goes may be picture 0, which can come once more.
    while ear.client.dropped_pictures < 6:
        assert time.monotonic() < end
        n += 1
        line.show("top", PIXELS, sequence=n)
        threading.Event().wait(0.04)
    qtbot.waitUntil(lambda: bool(ear.of("preview")))
    numbers = [header.sequence for header, _ in ear.of("preview")]
    assert numbers[0] > 5
    assert numbers == sorted(numbers)


@pytest.mark.timed
def test_a_station_that_falls_silent_is_told_within_a_second_and_a_half(
    line: Line, listen: Callable[..., Ear], qtbot: QtBot
) -> None:
    ear = listen(line.url)
    qtbot.waitUntil(lambda: ear.client.link is Link.LIVE)
    line.be_silent()
    began = time.monotonic()
    qtbot.waitUntil(lambda: ear.client.link is not Link.LIVE, timeout=4000)
    assert ear.client.link is Link.SILENT
    # The last status may have come 0.4 s after `be_silent`.
    assert time.monotonic() - began < 1.9
    line.be_silent(False)
    qtbot.waitUntil(lambda: ear.client.link is Link.LIVE)


@pytest.mark.timed
def test_a_picture_older_than_a_second_is_told_while_the_station_runs(
    line: Line, listen: Callable[..., Ear], qtbot: QtBot
) -> None:
    ear = listen(line.url)
    owner = QObject()
    line.say(cameras=camera_notes("top"))
    ear.client.watch(owner, ("top",), 160, 30.0)
    qtbot.waitUntil(lambda: any("top" in wish for wish in line.wishes))
    line.show("top", PIXELS)
    qtbot.waitUntil(lambda: bool(ear.of("preview")))
    arrived = time.monotonic()
    qtbot.waitUntil(lambda: ("top", True) in ear.of("stale"), timeout=3000)
    assert 0.9 < time.monotonic() - arrived < 1.6
    line.show("top", PIXELS)
    qtbot.waitUntil(lambda: ear.of("stale")[-1] == ("top", False))


@pytest.mark.timed
def test_a_daemon_that_is_killed_is_told_at_once_and_comes_back_by_itself(
    tmp_path: Path, listen: Callable[..., Ear], qtbot: QtBot
) -> None:
    with serve_station(tmp_path) as served:
        ear = listen(served.url)
        qtbot.waitUntil(lambda: len(ear.of("happened")) > 3)
        served.run.process.kill()
        began = time.monotonic()
        qtbot.waitUntil(lambda: ear.client.link is not Link.LIVE, timeout=3000)
        assert time.monotonic() - began < 1.5
        qtbot.waitUntil(lambda: ear.client.link is Link.GONE)
    assert ear.client.link_why
    epoch = ear.client.note.epoch
    with run_station(served.config):
        qtbot.waitUntil(lambda: ear.client.link is Link.LIVE, timeout=20_000)
        qtbot.waitUntil(lambda: ear.client.note.epoch == epoch + 1)
        # The numbers of events began anew: what is missed is told, then they go on.
        qtbot.waitUntil(lambda: bool(ear.of("gap")))
        seen = len(ear.of("happened"))
        qtbot.waitUntil(lambda: len(ear.of("happened")) > seen + 3)


def test_a_call_to_a_station_that_is_gone_says_so(listen: Callable[..., Ear], qtbot: QtBot) -> None:
    ear = listen(f"http://127.0.0.1:{free_port()}")
    refusals: list[Refusal] = []
    ear.client.call("GET", "status", answer=StationNote, failed=refusals.append)
    qtbot.waitUntil(lambda: bool(refusals))
    assert refusals[0].status == 0
    assert "cannot be reached" in str(refusals[0])
    ear.client.call("GET", "status", answer=StationNote)
    qtbot.waitUntil(lambda: any("cannot be reached" in text for text in ear.of("problem")))


def test_an_answer_for_a_widget_that_is_gone_is_dropped(line: Line, listen: Callable[..., Ear], qtbot: QtBot) -> None:
    ear = listen(line.url)
    answers: list[str] = []
    gone, there = QObject(), QObject()
    ear.client.call("GET", "status", answer=StationNote, then=lambda _: answers.append("gone"), owner=gone)
    cancelled = ear.client.call("GET", "status", answer=StationNote, then=lambda _: answers.append("cancelled"))
    gone.deleteLater()
    cancelled.cancel()
    QApplication.processEvents()
    ear.client.call("GET", "status", answer=StationNote, then=lambda _: answers.append("there"), owner=there)
    qtbot.waitUntil(lambda: "there" in answers)
    assert answers == ["there"]


def test_a_person_logs_in_and_out(staffed_line: Line, listen: Callable[..., Ear], qtbot: QtBot) -> None:
    ear = listen(staffed_line.url)
    qtbot.waitUntil(lambda: ear.client.link is Link.LOGIN)
    refusals: list[Refusal] = []
    ear.client.log_in("operator", "wrong horse 7", refusals.append)
    qtbot.waitUntil(lambda: bool(refusals))
    assert refusals[0].status == 401
    assert not ear.client.may(Role.VIEWER)
    ear.client.log_in("operator", PASSWORD, refusals.append)
    qtbot.waitUntil(lambda: ear.client.link is Link.LIVE)
    assert ear.client.me.user == "operator"
    assert ear.client.may(Role.OPERATOR)
    assert not ear.client.may(Role.ENGINEER)
    ear.client.log_out()
    assert not ear.client.may(Role.VIEWER)
    qtbot.waitUntil(lambda: ear.client.link is Link.LOGIN)
    assert len(refusals) == 1


def test_a_login_that_the_station_ends_is_told(staffed_line: Line, listen: Callable[..., Ear], qtbot: QtBot) -> None:
    staffed_line.add_user("otto", Role.OPERATOR)
    ear = listen(staffed_line.url)
    qtbot.waitUntil(lambda: ear.client.link is Link.LOGIN)
    ear.client.log_in("otto", PASSWORD, lambda refusal: None)
    qtbot.waitUntil(lambda: ear.client.link is Link.LIVE)
    People(staffed_line.folder).change("otto", Author("test", "test"), password="another horse 8")
    # The next thing that is asked shows it.
    ear.client.call("GET", "status", answer=StationNote)
    qtbot.waitUntil(lambda: bool(ear.of("session_ended")))
    assert ear.client.me == Me()
    qtbot.waitUntil(lambda: ear.client.link is Link.LOGIN)


@pytest.mark.parametrize(
    ("about", "answer", "said"),
    [
        ({**ABOUT, "api": 2}, HTTPStatus.OK, "version 2"),
        ({"status": 404, "title": "Not here"}, HTTPStatus.NOT_FOUND, "no partsight API"),
        ({"hello": "I am a printer"}, HTTPStatus.OK, "no partsight API"),
    ],
    ids=["newer", "something else", "a printer"],
)
def test_another_version_is_told_and_nothing_is_guessed(
    about: object, answer: HTTPStatus, said: str, listen: Callable[..., Ear], qtbot: QtBot
) -> None:
    with odd_server(lambda connection: None, about, answer) as url:
        ear = listen(url)
        qtbot.waitUntil(lambda: ear.client.link is Link.OTHER_VERSION)
        assert said in ear.client.link_why
        assert ear.client.note is None
        ear.client.close()


def test_a_newer_welcome_is_another_version(listen: Callable[..., Ear], qtbot: QtBot) -> None:
    def talk(connection: ServerConnection) -> None:
        connection.send('{"type": "welcome", "api": 3, "greetings": "from the future"}')
        connection.recv(timeout=5)

    with odd_server(talk) as url:
        ear = listen(url)
        qtbot.waitUntil(lambda: ear.client.link is Link.OTHER_VERSION)
        assert "version 3" in ear.client.link_why
        ear.client.close()


def test_garbage_is_told_and_the_rest_goes_on(listen: Callable[..., Ear], qtbot: QtBot) -> None:
    over = threading.Event()

    def talk(connection: ServerConnection) -> None:
        connection.send(welcome())
        head = PreviewHeader.model_validate(
            {"camera": "top", "at": "2026-01-01T00:00:00Z", "width": 4, "height": 4}
        ).model_dump_json()
        for garbage in ("{", "[]", '{"type": "from Mars"}', b"", b"\xff\xff\xff\xff", b"\x00\x00\x00\x02{}"):
            connection.send(garbage)
        connection.send(len(head).to_bytes(4, "big") + head.encode() + b"no JPEG")
        connection.send(status(name="still here"))
        over.wait(10)

    with odd_server(talk) as url:
        ear = listen(url)
        qtbot.waitUntil(lambda: ear.client.note is not None and ear.client.note.name == "still here")
        assert len(ear.of("problem")) == 7
        assert "JPEG" in ear.of("problem")[-1]
        ear.client.close()
        over.set()


def test_a_flood_of_events_never_stops_the_window(listen: Callable[..., Ear], qtbot: QtBot) -> None:
    over = threading.Event()
    sent = threading.Event()
    event = '{"type": "event", "n": %d, "at": "2026-01-01T00:00:00Z", "kind": "state", "data": {}}'

    def talk(connection: ServerConnection) -> None:
        connection.send(welcome())
        for n in range(1, 5001):
            connection.send(event % n)
        sent.set()
        over.wait(10)

    with odd_server(talk) as url:
        ear = listen(url)
        qtbot.waitUntil(lambda: ear.client.link is Link.LIVE)
        # The window stands still until all has come: the oldest give way, and it is told.
        assert sent.wait(10)
        qtbot.waitUntil(lambda: bool(ear.of("happened")) and ear.of("happened")[-1].n == 5000)
        numbers = [told.n for told in ear.of("happened")]
        lost = [n for gap in ear.of("gap") for n in range(gap.first, gap.last + 1)]
        assert sorted({*numbers, *lost}) == list(range(1, 5001))
        ear.client.close()
        over.set()


def test_tls_with_the_plants_own_authority_and_not_without(
    tmp_path: Path, listen: Callable[..., Ear], qtbot: QtBot
) -> None:
    ca, server = issue(tmp_path / "tls", ["127.0.0.1"], [], 30)
    files = {"tls_certificate": str(server.certificate), "tls_key": str(server.key)}
    with open_line(tmp_path, ca.certificate, **files) as line:
        assert line.url.startswith("https://")
        trusting, doubting = listen(line.url, ca.certificate), listen(line.url)
        qtbot.waitUntil(lambda: trusting.client.link is Link.LIVE)
        line.finish("NG")
        qtbot.waitUntil(lambda: bool(trusting.of("happened")))
        qtbot.waitUntil(lambda: doubting.client.link is Link.GONE)
        assert "certificate" in doubting.client.link_why
        assert doubting.client.note is None
        trusting.client.close()
        doubting.client.close()


@pytest.mark.parametrize("url", ["ftp://there", "http://", "http://there:99999", "http://[::1"])
def test_an_address_that_is_none_is_refused_with_the_right_form(url: str, qapp: QApplication) -> None:
    with pytest.raises(ScreenError, match=r"http://127\.0\.0\.1:8787"):
        Client(url)


def test_an_authority_that_cannot_be_read_is_refused(tmp_path: Path, qapp: QApplication) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(ScreenError, match="--ca"):
        Client("https://127.0.0.1", tmp_path / "ca.pem")
