"""Another recipe on the line from the screen; what is not saved when it is closed; a login that leaves nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFontMetricsF
from PySide6.QtWidgets import QComboBox, QLineEdit, QScrollArea
from pytestqt.qtbot import QtBot
from tests.api.conftest import CALLED, PASSWORD, Served, serve_station
from tests.gui.conftest import Line, Screen
from tests.gui.test_trends import enter
from tests.station.kill_run import RECIPE, SIMULATED

from partsight.gui.client import Link
from partsight.gui.line.numbers import Numbers
from partsight.gui.line.page import LinePage
from partsight.gui.login import LoginForm
from partsight.gui.recipe.page import RecipePage
from partsight.gui.theme import Look
from partsight.gui.widgets.question import Question
from partsight.wire.screen.people import Role
from partsight.wire.screen.station import LatencyNumbers

Open = Callable[..., Screen]
LEFT = Qt.MouseButton.LeftButton
OTHER = RECIPE.replace('name = "there"', 'name = "other"')


@dataclass(frozen=True)
class Two:
    """A station with two recipes that judges only when it is asked to, and users of each role."""

    served: Served


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    folder = tmp_path_factory.mktemp("two")
    (folder / "recipes").mkdir()
    (folder / "recipes" / "other.toml").write_text(OTHER)
    with serve_station(folder, camera=SIMULATED, trigger=CALLED) as served:
        for role in reversed(Role):
            served.add_user(f"{role.value}1", role)
        yield Two(served)


def open_page(two: Two, open_screen: Open, qtbot: QtBot, user: str) -> tuple[Screen, RecipePage]:
    screen = open_screen(two.served.url)
    enter(screen, qtbot, user)
    screen.window.open_page("recipe")
    page = screen.window.page("recipe")
    assert isinstance(page, RecipePage)
    qtbot.waitUntil(lambda: page.draft is not None, timeout=10_000)
    return screen, page


def question(screen: Screen) -> Question:
    return next(q for q in screen.window.findChildren(Question) if q.isVisible())


def answer(screen: Screen, qtbot: QtBot, word: str) -> None:
    qtbot.waitUntil(lambda: any(q.isVisible() for q in screen.window.findChildren(Question)))
    qtbot.mouseClick(question(screen).buttons[word], LEFT)


def show(page: RecipePage, qtbot: QtBot, name: str) -> None:
    """Choose it in the list, as a person does."""
    page.bar.choice.setCurrentIndex(page.bar.choice.findData(name))
    page.bar.choice.activated.emit(page.bar.choice.currentIndex())
    qtbot.waitUntil(lambda: page.draft is not None and page.draft.base.name == name, timeout=10_000)


def test_an_operator_puts_another_recipe_on_the_line(two: Two, open_screen: Open, qtbot: QtBot) -> None:
    screen, page = open_page(two, open_screen, qtbot, "operator1")
    assert not page.bar.use.button.isEnabled()
    assert page.bar.use.button.toolTip() == "Parts are judged by it now."
    show(page, qtbot, "other")
    qtbot.waitUntil(page.bar.use.button.isEnabled)
    qtbot.mouseClick(page.bar.use.button, LEFT)
    # Nothing is sent before the answer.
    assert question(screen).isVisible()
    answer(screen, qtbot, "Use on the line")
    qtbot.waitUntil(lambda: screen.client.note is not None and screen.client.note.recipe == "other@1", timeout=30_000)
    qtbot.waitUntil(lambda: "active" in page.bar.choice.currentText(), timeout=10_000)
    assert not page.bar.use.button.isEnabled()
    screen.shoot("recipe-on-the-line")
    show(page, qtbot, "there")
    qtbot.mouseClick(page.bar.use.button, LEFT)
    answer(screen, qtbot, "Use on the line")
    qtbot.waitUntil(lambda: screen.client.note is not None and screen.client.note.recipe == "there@1", timeout=30_000)


def test_a_viewer_cannot(two: Two, open_screen: Open, qtbot: QtBot) -> None:
    _, page = open_page(two, open_screen, qtbot, "viewer1")
    show(page, qtbot, "other")
    assert not page.bar.use.button.isEnabled()
    assert page.bar.use.button.toolTip()


def test_a_screen_with_unsaved_changes_asks_before_it_closes(two: Two, open_screen: Open, qtbot: QtBot) -> None:
    screen, page = open_page(two, open_screen, qtbot, "engineer1")
    show(page, qtbot, "there")
    page.classes.cards["defect"].threshold.slider.setValue(700)
    assert page.drafts.dirty == ("there",)
    screen.window.close()
    assert screen.window.isVisible()
    assert "there" in page.unsaved()
    answer(screen, qtbot, "Go back")
    assert screen.window.isVisible()
    assert page.drafts.dirty == ("there",)
    screen.window.close()
    answer(screen, qtbot, "Close without saving")
    qtbot.waitUntil(lambda: not screen.window.isVisible())


def test_a_screen_without_changes_just_closes(two: Two, open_screen: Open, qtbot: QtBot) -> None:
    screen, _ = open_page(two, open_screen, qtbot, "engineer1")
    screen.window.close()
    assert not screen.window.isVisible()


def test_after_a_logout_the_form_is_empty(two: Two, open_screen: Open, qtbot: QtBot) -> None:
    screen = open_screen(two.served.url)
    qtbot.waitUntil(lambda: screen.client.link is Link.LOGIN, timeout=10_000)
    form: LoginForm = screen.window.login_page.form
    qtbot.keyClicks(form.user, "operator1")
    qtbot.keyClicks(form.password, PASSWORD)
    qtbot.mouseClick(form.submit, LEFT)
    qtbot.waitUntil(lambda: screen.client.me.user == "operator1", timeout=10_000)
    screen.client.log_out()
    qtbot.waitUntil(lambda: screen.client.link is Link.LOGIN, timeout=10_000)
    assert [field.text() for field in form.findChildren(QLineEdit)] == ["", ""]


@pytest.mark.parametrize("language", ["en", "de", "zh_CN"])
def test_large_figures_stay_whole(language: str, line: Line, open_screen: Open, qtbot: QtBot) -> None:
    latency = LatencyNumbers(count=2000, p50=1234.5, p95=2345.6, p99=12345.6, max=20000.0)
    line.say(latency_ms=latency, rate_per_min=12345.0)
    screen = open_screen(line.url, language=language)
    numbers = screen.find(Numbers, "line")
    qtbot.waitUntil(lambda: len(numbers.p99.value.text()) >= 5, timeout=10_000)
    page = screen.window.page("line")
    assert isinstance(page, LinePage)
    area = next(area for area in page.findChildren(QScrollArea) if area.widget() is numbers)
    assert not area.horizontalScrollBar().isVisible()
    assert area.widget().width() <= area.viewport().width()
    for figure in (*numbers.results.values(), numbers.triggers, numbers.rate, numbers.p50, numbers.p99, numbers.share):
        # Neither the number nor its name is cut off.
        assert figure.name.text() == figure.name.whole()
        metrics = QFontMetricsF(figure.value.letters())
        assert metrics.horizontalAdvance(figure.value.text()) <= figure.value.width() + 1
    screen.shoot(f"line-large-figures-{language}")


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_a_choice_shows_that_it_opens(theme: str, two: Two, open_screen: Open, qtbot: QtBot) -> None:
    screen = open_screen(two.served.url, theme=theme)
    enter(screen, qtbot, "viewer1")
    screen.window.open_page("recipe")
    page = screen.window.page("recipe")
    assert isinstance(page, RecipePage)
    qtbot.waitUntil(lambda: page.draft is not None, timeout=10_000)
    box: QComboBox = page.bar.choice
    image = box.grab().toImage()
    ink = QColor(Look.here().colours.text).lightness()
    ground = QColor(Look.here().colours.raised).lightness()
    arrow = [
        QColor(image.pixel(x, y)).lightness()
        for x in range(image.width() - Look.here().px(30), image.width() - Look.here().px(4))
        for y in range(image.height() // 3, 2 * image.height() // 3)
    ]
    # Some pixels are as bright (or dark) as letters are.
    assert sum(abs(one - ink) < abs(ink - ground) / 4 for one in arrow) > 10
