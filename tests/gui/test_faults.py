"""The faults page: what happened, since when, what to do; acknowledged by a click; what is over."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot
from tests.gui.conftest import Line, Screen
from tests.gui.test_shell import live, log_in

from partsight.gui.faults.page import FaultsPage
from partsight.wire.screen.message import now
from partsight.wire.screen.station import FaultNote

STANDS = FaultNote(
    key="camera/top", text="Camera top: no picture", cure="Check its cable.", since=now(), latched=True, code=101
)
OVER = FaultNote(
    key="disk", text="The disk was full", cure="", since=now() - timedelta(hours=2), until=now() - timedelta(hours=1)
)
Open = Callable[..., Screen]


def page_of(screen: Screen) -> FaultsPage:
    page = screen.window.page("faults")
    assert isinstance(page, FaultsPage)
    return page


def test_a_fault_says_what_happened_since_when_and_what_to_do(line: Line, open_screen: Open, qtbot: QtBot) -> None:
    line.answers["faults"] = lambda _: {"standing": [], "over": [OVER.model_dump(mode="json")]}
    screen = open_screen(line.url)
    live(screen, qtbot)
    page = page_of(screen)
    screen.window.open_page("faults")
    assert page.none.isVisible()
    line.say(faults=(STANDS,))
    qtbot.waitUntil(lambda: len(page.standing) == 1)
    texts = " ".join(label.text() for label in page.standing[0].findChildren(QLabel))
    for wanted in ("Camera top: no picture", "Check its cable.", "Since ", "until it is acknowledged"):
        assert wanted in texts
    assert not page.none.isVisible()
    qtbot.waitUntil(lambda: len(page.history) == 1)
    assert page.history[0].text.text() == "The disk was full"
    screen.shoot("faults-1024-dark")


def test_acknowledge_is_one_click_and_needs_no_login_at_the_station(
    line: Line, open_screen: Open, qtbot: QtBot
) -> None:
    screen = open_screen(line.url)
    page = page_of(screen)
    live(screen, qtbot)
    screen.window.open_page("faults")
    assert not page.acknowledge.isEnabled()
    assert page.acknowledge.toolTip()
    line.say(faults=(STANDS,))
    qtbot.waitUntil(page.acknowledge.isEnabled)
    qtbot.mouseClick(page.acknowledge, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: any(asked.args.get("command") == "reset" for asked in line.requests))
    line.say()
    qtbot.waitUntil(page.none.isVisible)


def test_a_viewer_may_look_but_not_acknowledge(staffed_line: Line, open_screen: Open, qtbot: QtBot) -> None:
    screen = open_screen(staffed_line.url)
    log_in(screen, qtbot, "viewer")
    page = page_of(screen)
    screen.window.open_page("faults")
    staffed_line.say(faults=(STANDS,))
    qtbot.waitUntil(lambda: len(page.standing) == 1)
    assert not page.acknowledge.isEnabled()
    assert "Operator" in page.acknowledge.toolTip()
