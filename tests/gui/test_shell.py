"""The window around the pages: keys, what is always visible, logging in and out, languages, other versions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtWidgets import QPushButton, QWidget
from pytestqt.qtbot import QtBot
from tests.api.conftest import PASSWORD
from tests.gui.conftest import Line, Screen
from tests.gui.odd_server import ABOUT, odd_server

from partsight.domain.status import Mode, StationState
from partsight.gui.client import Link
from partsight.gui.language import LANGUAGES, TRANSLATIONS
from partsight.gui.login import LoginDialog
from partsight.gui.pages import present
from partsight.gui.theme import TOUCH_PX, Look
from partsight.gui.words import state_word
from partsight.wire.screen.message import now
from partsight.wire.screen.people import Role
from partsight.wire.screen.station import FaultNote

Open = Callable[..., Screen]
FAULT = FaultNote(key="camera/top", text="No picture", cure="Look at the cable", since=now())


def live(screen: Screen, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: screen.client.link is Link.LIVE and screen.client.note is not None)


def log_in(screen: Screen, qtbot: QtBot, user: str) -> None:
    """As a person does, on the page that asks for it."""
    qtbot.waitUntil(lambda: screen.client.link is Link.LOGIN)
    form = screen.window.login_page.form
    qtbot.keyClicks(form.user, user)
    qtbot.keyClicks(form.password, PASSWORD)
    qtbot.keyClick(form.password, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: screen.client.me.user == user)
    live(screen, qtbot)


def test_each_page_is_a_key_away(line: Line, open_screen: Open, qtbot: QtBot) -> None:
    screen = open_screen(line.url)
    live(screen, qtbot)
    qtbot.waitUntil(screen.window.isActiveWindow)
    for number, spec in enumerate(present(), 1):
        qtbot.keyClick(screen.window, Qt.Key(Qt.Key.Key_0 + number), Qt.KeyboardModifier.ControlModifier)
        assert screen.window.shown == spec.key
        assert screen.window.stack.currentWidget() is screen.window.page(spec.key)
        assert screen.window.side.buttons[spec.key].isChecked()


def test_the_side_bar_works_by_keyboard_alone(line: Line, open_screen: Open, qtbot: QtBot) -> None:
    screen = open_screen(line.url)
    live(screen, qtbot)
    qtbot.waitUntil(screen.window.isActiveWindow)
    buttons = list(screen.window.side.buttons.values())
    buttons[0].setFocus()
    qtbot.keyClick(buttons[0], Qt.Key.Key_Tab)
    assert screen.window.focusWidget() is not buttons[0]
    buttons[-1].setFocus()
    qtbot.keyClick(buttons[-1], Qt.Key.Key_Space)
    assert screen.window.shown == "faults"


@pytest.mark.parametrize("state", list(StationState))
def test_the_state_is_a_word_and_a_shape(state: StationState, line: Line, open_screen: Open, qtbot: QtBot) -> None:
    screen = open_screen(line.url)
    line.say(state=state, packml_name=state.packml_name)
    qtbot.waitUntil(lambda: screen.window.strip.state.text() == state_word(state))
    assert screen.window.strip.state_sign.isVisible()


def test_banners_stay_for_as_long_as_they_are_true(line: Line, open_screen: Open, qtbot: QtBot) -> None:
    screen = open_screen(line.url)
    banners = screen.window.banners
    line.say(mode=Mode.BYPASS, bypass_since=now() - timedelta(minutes=3))
    qtbot.waitUntil(banners.bypass.isVisible)
    assert "3 min" in banners.bypass.text.text()
    line.say(mode=Mode.CHALLENGE, simulated=True)
    qtbot.waitUntil(lambda: banners.challenge.isVisible() and not banners.bypass.isVisible())
    assert banners.simulation.isVisible()
    line.say(state=StationState.ERROR, error=705, error_text="the PLC is silent")
    qtbot.waitUntil(banners.error.isVisible)
    assert banners.error.text.text() == "the PLC is silent"
    line.say()
    qtbot.waitUntil(lambda: not banners.isVisible())


def test_a_silent_station_is_told_over_every_page(line: Line, open_screen: Open, qtbot: QtBot) -> None:
    screen = open_screen(line.url)
    live(screen, qtbot)
    line.be_silent()
    qtbot.waitUntil(screen.window.banners.gone.isVisible, timeout=3000)
    assert screen.window.strip.state.text() == "Unknown"
    assert screen.window.strip.link.text() == "No answer"
    for key in screen.window.side.buttons:
        screen.window.open_page(key)
        assert screen.window.banners.gone.isVisible()
    line.be_silent(False)
    qtbot.waitUntil(lambda: not screen.window.banners.gone.isVisible())


def test_faults_are_counted_and_a_click_away(line: Line, open_screen: Open, qtbot: QtBot) -> None:
    screen = open_screen(line.url)
    line.say(faults=(FAULT, FAULT), review_waiting=24)
    qtbot.waitUntil(lambda: "2 faults" in screen.window.strip.faults.text())
    assert screen.window.side.buttons["faults"].count == 2
    qtbot.mouseClick(screen.window.strip.faults, Qt.MouseButton.LeftButton)
    assert screen.window.shown == "faults"


def test_a_station_with_users_shows_nothing_before_a_login(staffed_line: Line, open_screen: Open, qtbot: QtBot) -> None:
    screen = open_screen(staffed_line.url)
    qtbot.waitUntil(lambda: screen.window.stack.currentWidget() is screen.window.login_page)
    assert not any(button.isEnabled() for button in screen.window.side.buttons.values())
    form = screen.window.login_page.form
    qtbot.keyClicks(form.user, "operator")
    qtbot.keyClicks(form.password, "wrong horse 9")
    qtbot.mouseClick(form.submit, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(form.error.text()))
    assert screen.client.me.user == ""
    form.user.clear()
    form.password.clear()
    log_in(screen, qtbot, "operator")
    qtbot.waitUntil(lambda: screen.window.stack.currentWidget() is screen.window.page("line"))
    assert "operator" in screen.window.strip.person.text()
    screen.client.log_out()
    qtbot.waitUntil(lambda: screen.window.stack.currentWidget() is screen.window.login_page)
    assert form.password.text() == ""


def test_who_does_nothing_is_logged_out(staffed_line: Line, open_screen: Open, qtbot: QtBot) -> None:
    screen = open_screen(staffed_line.url, idle_minutes=2 / 60)
    log_in(screen, qtbot, "engineer")
    qtbot.waitUntil(lambda: screen.client.me.user == "", timeout=8000)
    assert any("nobody was at the screen" in text for text in screen.window.notices.texts())


def test_a_kiosk_is_left_by_an_engineer_only(staffed_line: Line, open_screen: Open, qtbot: QtBot) -> None:
    screen = open_screen(staffed_line.url, kiosk=True)
    log_in(screen, qtbot, "operator")
    screen.window.quit_asked()
    assert any("Engineer" in text for text in screen.window.notices.texts())
    assert screen.window.isVisible()


def test_the_menu_logs_in_over_any_page(line: Line, open_screen: Open, qtbot: QtBot) -> None:
    screen = open_screen(line.url)
    live(screen, qtbot)
    screen.window.log_in()
    dialog = screen.window.findChild(LoginDialog)
    assert dialog is not None
    assert dialog.isVisible()
    qtbot.mouseClick(dialog.form.submit, Qt.MouseButton.LeftButton)
    assert dialog.form.error.text()
    dialog.reject()


def test_full_screen_and_back(line: Line, open_screen: Open, qtbot: QtBot) -> None:
    screen = open_screen(line.url)
    qtbot.waitUntil(screen.window.isActiveWindow)
    qtbot.keyClick(screen.window, Qt.Key.Key_F11)
    qtbot.waitUntil(screen.window.isFullScreen)
    qtbot.keyClick(screen.window, Qt.Key.Key_F11)
    qtbot.waitUntil(lambda: not screen.window.isFullScreen())


def test_the_language_changes_at_once(line: Line, open_screen: Open, qtbot: QtBot) -> None:
    screen = open_screen(line.url)
    live(screen, qtbot)
    for language, running in (("de", "Läuft"), ("zh_CN", "运行中"), ("en", "Running")):
        screen.window.set_language(language)
        assert screen.window.strip.state.text() == running
        assert screen.window.side.buttons["line"].text() == {"de": "Linie", "zh_CN": "产线", "en": "Line"}[language]
        # The window is a new one inside; what comes is still shown.
        qtbot.waitUntil(screen.window.page("line").isVisible)


def test_the_theme_changes_at_once(line: Line, open_screen: Open, qtbot: QtBot) -> None:
    screen = open_screen(line.url, theme="dark")
    live(screen, qtbot)
    dark = screen.window.grab().toImage().pixelColor(4, 300).lightness()
    screen.window.set_theme("light")
    light = screen.window.grab().toImage().pixelColor(4, 300).lightness()
    assert dark < 80
    assert light > 180


@pytest.mark.parametrize("size", [(1024, 768), (1920, 1080), (3840, 2160)])
def test_every_button_is_large_enough_for_a_finger(
    size: tuple[int, int], line: Line, open_screen: Open, qtbot: QtBot
) -> None:
    screen = open_screen(line.url, size)
    live(screen, qtbot)
    qtbot.waitUntil(lambda: screen.window.size().toTuple() == size)
    look = Look.here()
    assert look.scale >= 1.0
    for made in screen.window.findChildren(QPushButton):
        if made.isVisible():
            assert made.height() >= TOUCH_PX
    for widget in screen.window.findChildren(QWidget):
        if widget.isVisible() and widget.parent() is screen.window.centralWidget():
            assert widget.geometry().right() <= screen.window.width()


def test_another_version_has_a_page_of_its_own(open_screen: Open, qtbot: QtBot) -> None:
    with odd_server(lambda connection: None, {**ABOUT, "api": 2}) as url:
        screen = open_screen(url)
        qtbot.waitUntil(lambda: screen.window.stack.currentWidget() is screen.window.plain)
        qtbot.waitUntil(lambda: "version 2" in screen.window.plain.text.text())
        screen.client.close()


def test_what_did_not_work_is_shown_once(line: Line, open_screen: Open, qtbot: QtBot) -> None:
    screen = open_screen(line.url)
    live(screen, qtbot)
    for text in ("one", "one", "two", "three", "four"):
        screen.client.problem.emit(text)
    assert screen.window.notices.texts() == ["two", "three", "four"]


@pytest.mark.parametrize("language", [code for code in LANGUAGES if code != "en"])
def test_every_text_is_translated(language: str) -> None:
    tree = ElementTree.parse(TRANSLATIONS / f"partsight_{language}.ts")
    missing = [
        message.findtext("source")
        for message in tree.getroot().iter("message")
        if (found := message.find("translation")) is None or found.get("type") == "unfinished" or not found.text
    ]
    assert not missing, f"run scripts/translations.sh and translate: {missing}"
    for message in tree.getroot().iter("message"):
        source, told = message.findtext("source") or "", message.findtext("translation") or ""
        assert sorted(_places(source)) == sorted(_places(told)), source


def test_every_text_of_the_source_is_in_the_translations(tmp_path: Path) -> None:
    import subprocess
    import sys

    source = TRANSLATIONS.parent
    files = sorted(str(path) for path in source.rglob("*.py"))
    made = tmp_path / "found.ts"
    tool = Path(sys.executable).parent / "pyside6-lupdate"
    subprocess.run([tool, *files, "-locations", "none", "-ts", made], check=True, capture_output=True)
    wanted = _sources(made)
    for language in LANGUAGES:
        if language != "en":
            missing = wanted - _sources(TRANSLATIONS / f"partsight_{language}.ts")
            assert not missing, f"run scripts/translations.sh: {missing}"


def test_a_translation_of_a_parent_class_counts(line: Line, open_screen: Open, qtbot: QtBot) -> None:
    screen = open_screen(line.url, language="de")
    live(screen, qtbot)
    assert QCoreApplication.translate("FrameView", "No picture yet") == "Noch kein Bild"


def _places(text: str) -> list[str]:
    import re

    return re.findall(r"\{\w+\}", text)


def _sources(path: Path) -> set[tuple[str, str]]:
    root = ElementTree.parse(path).getroot()
    return {
        (context.findtext("name") or "", message.findtext("source") or "")
        for context in root.iter("context")
        for message in context.iter("message")
    }


def test_roles_are_all_named(qapp: object) -> None:
    from partsight.gui.words import role_word

    assert len({role_word(role) for role in Role}) == len(Role)
