"""The recipe page on a real station: sliders, regions drawn by mouse, versions, rights, conflicts, nothing lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot
from tests.api.conftest import CALLED, Served, serve_station
from tests.gui.conftest import Screen
from tests.gui.test_trends import enter
from tests.station.kill_run import SIMULATED

from partsight.config.recipe import RecipeFile, read_recipe
from partsight.gui.recipe.dialogs import CompareDialog, PartDialog, Question, RemarkDialog
from partsight.gui.recipe.draft import Draft, Drafts
from partsight.gui.recipe.mistakes import sort_mistakes
from partsight.gui.recipe.page import RecipePage
from partsight.gui.recipe.shapes import is_inside, moved, with_corner_after, without_corner
from partsight.wire.screen.people import Role
from partsight.wire.screen.recipes import ClassSetting, RecipeDetail, RegionSetting, Trial

Open = Callable[..., Screen]
PARTS = 30
LEFT = Qt.MouseButton.LeftButton
CORNERS = ((20.0, 15.0), (100.0, 15.0), (100.0, 80.0), (20.0, 80.0))


@dataclass(frozen=True)
class Still:
    """A station that judges only when it is asked to, with thirty parts behind it."""

    served: Served
    token: str

    @property
    def file(self) -> RecipeFile:
        return read_recipe(self.served.config.parent / "recipe.toml")

    def ask(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """As an engineer, past the screen."""
        with self.served.http(self.token) as client:
            return client.request(method, f"/api/v1/{path}", json=body)


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Still]:
    with serve_station(tmp_path_factory.mktemp("still"), camera=SIMULATED, trigger=CALLED) as served:
        tokens = {role: served.add_user(f"{role.value}1", role) for role in reversed(Role)}
        made = Still(served, tokens[Role.ENGINEER])
        for count in range(1, PARTS + 1):
            assert made.ask("POST", "commands/trigger", {}).status_code == 200
            assert served.run.wait_for_verdicts(count)
        yield made


def page_of(screen: Screen) -> RecipePage:
    page = screen.window.page("recipe")
    assert isinstance(page, RecipePage)
    return page


def open_recipe(still: Still, open_screen: Open, qtbot: QtBot, user: str = "engineer1", **how: Any) -> Screen:
    """The page with the active recipe and its effect."""
    screen = open_screen(still.served.url, **how)
    enter(screen, qtbot, user)
    screen.window.open_page("recipe")
    page = page_of(screen)
    qtbot.waitUntil(lambda: page.draft is not None and page.effect.trial is not None, timeout=10_000)
    return screen


def drag(page: RecipePage, qtbot: QtBot, score: float) -> None:
    """The threshold, and wait for what it would do."""
    page.effect.trial = None
    page.classes.cards["defect"].threshold.slider.setValue(round(score * 1000))
    qtbot.waitUntil(lambda: page.effect.trial is not None, timeout=10_000)


def save(page: RecipePage, screen: Screen, qtbot: QtBot, remark: str) -> None:
    """As a person: button, remark, Enter; until the station has answered."""
    before = page.draft.base.revision if page.draft is not None else 0
    qtbot.mouseClick(page.bar.save, LEFT)
    dialog = screen.window.findChild(RemarkDialog)
    assert dialog is not None
    qtbot.keyClicks(dialog.remark, remark)
    qtbot.mouseClick(dialog.done_, LEFT)
    qtbot.waitUntil(lambda: page.draft is not None and page.draft.base.revision > before, timeout=20_000)


def press(screen: Screen, word: str) -> None:
    """A button of the question that is open."""
    question = next(q for q in screen.window.findChildren(Question) if q.isVisible())
    QTest.mouseClick(question.buttons[word], LEFT)


# --- on a real station ------------------------------------------------------------------------------


def test_sliders_show_at_once_what_the_api_says(still: Still, open_screen: Open, qtbot: QtBot) -> None:
    screen = open_recipe(still, open_screen, qtbot, "viewer1")
    page = page_of(screen)
    drag(page, qtbot, 0.99)
    shown = page.effect.trial
    body = {"parts": 200, "classes": {"defect": {"threshold": 0.99}}}
    told = Trial.model_validate_json(still.ask("POST", "recipes/there/try", body).content)
    assert shown == told
    assert told.changes
    assert page.effect.table.rowCount() == len(told.changes)
    assert str(len(told.changes)) in page.effect.headline.text()
    assert not page.bar.save.isEnabled()
    assert "Engineer" in page.bar.save.toolTip()
    # A row opens the part's picture.
    page.effect.table.cellClicked.emit(0, 0)
    dialog = screen.window.findChild(PartDialog)
    assert dialog is not None
    qtbot.waitUntil(dialog.view.has_picture, timeout=10_000)


def test_the_way_of_a_slider_is_one_step_back(still: Still, open_screen: Open, qtbot: QtBot) -> None:
    page = page_of(open_recipe(still, open_screen, qtbot))
    card = page.classes.cards["defect"]
    began = card.threshold.score()
    for score in (600, 700, 800):
        card.threshold.slider.setValue(score)
    assert page.draft is not None
    assert page.draft.now.classes["defect"].threshold == 0.8
    qtbot.mouseClick(page.bar.undo, LEFT)
    assert card.threshold.score() == began
    assert not page.draft.dirty
    qtbot.mouseClick(page.bar.redo, LEFT)
    assert card.threshold.score() == 0.8
    # The band of doubt never lies above the threshold.
    card.band.setChecked(True)
    card.threshold.slider.setValue(300)
    assert card.setting.review is not None
    assert card.setting.review <= card.setting.threshold == 0.3


def test_a_region_drawn_by_mouse_is_in_the_saved_file(still: Still, open_screen: Open, qtbot: QtBot) -> None:
    screen = open_recipe(still, open_screen, qtbot, size=(1280, 900))
    page = page_of(screen)
    page.show_tab(1)
    canvas = page.regions.canvas
    qtbot.waitUntil(lambda: canvas.has_picture() and page.regions.draw.isEnabled(), timeout=10_000)
    qtbot.mouseClick(page.regions.draw, LEFT)

    def at(corner: tuple[float, float]) -> QPoint:
        return canvas.to_widget(*corner).toPoint()

    for corner in (*CORNERS, CORNERS[0]):
        qtbot.mouseClick(canvas, LEFT, pos=at(corner))
    assert canvas.drawn is None
    assert canvas.current == 0
    # Drag one corner, and put another on an edge.
    qtbot.mousePress(canvas, LEFT, pos=at(CORNERS[2]))
    qtbot.mouseMove(canvas, at((110.0, 90.0)))
    qtbot.mouseRelease(canvas, LEFT, pos=at((110.0, 90.0)))
    qtbot.mouseClick(canvas, LEFT, pos=at((60.0, 15.0)))
    page.regions.kind.setCurrentIndex(1)
    page.regions.kind.activated.emit(1)
    page.regions.classes.item(0).setCheckState(Qt.CheckState.Checked)
    save(page, screen, qtbot, "a mask for the clamp")
    (region,) = still.file.views[0].regions
    assert region.kind == "ignore"
    assert region.classes == ("defect",)
    wanted = (CORNERS[0], (60.0, 15.0), CORNERS[1], (110.0, 90.0), CORNERS[3])
    # A click meets a picture's point to half a pixel of the screen.
    near = 1.5 * 128 / canvas.picture_rect().width()
    for found, corner in zip(region.corners, wanted, strict=True):
        assert found == pytest.approx(corner, abs=near)
    assert "judges from now on" in page.said.text()
    assert page.versions.table.item(0, 3).text() == "a mask for the clamp"


def test_an_earlier_version_is_brought_back_as_a_new_one(still: Still, open_screen: Open, qtbot: QtBot) -> None:
    screen = open_recipe(still, open_screen, qtbot)
    page = page_of(screen)
    old = page.draft.base if page.draft is not None else None
    assert old is not None
    drag(page, qtbot, 0.61)
    save(page, screen, qtbot, "too strict")
    assert still.file.classes["defect"].threshold == 0.61
    page.show_tab(2)
    rows = page.versions.table.rowCount()
    row = next(r for r in range(rows) if page.versions.table.item(r, 0).text() == str(old.revision))
    page.versions.table.selectRow(row)
    qtbot.mouseClick(page.versions.restore, LEFT)
    qtbot.waitUntil(lambda: still.file.revision == old.revision + 2, timeout=20_000)
    qtbot.waitUntil(lambda: page.draft is not None and page.draft.base.revision == old.revision + 2)
    assert page.draft is not None
    assert page.draft.base.classes == old.classes


def test_somebody_was_quicker(still: Still, open_screen: Open, qtbot: QtBot) -> None:
    screen = open_recipe(still, open_screen, qtbot)
    page = page_of(screen)
    drag(page, qtbot, 0.72)
    assert page.draft is not None
    base = page.draft.base.revision
    setting = {"threshold": page.draft.base.classes["defect"].threshold, "min_size": 2}
    theirs = {"base": base, "classes": {"defect": setting}}
    assert still.ask("PUT", "recipes/there", theirs).status_code == 200
    qtbot.waitUntil(page.stale.isVisible, timeout=10_000)
    assert page.classes.cards["defect"].threshold.score() == 0.72
    # The station refuses what was begun on the older one; nothing is lost by it.
    page.save_now("late")
    qtbot.waitUntil(lambda: "Saving" not in page.said.text(), timeout=10_000)
    assert still.file.revision == base + 1
    qtbot.mouseClick(page.compare, LEFT)
    dialog = screen.window.findChild(CompareDialog)
    assert dialog is not None
    keys = [dialog.table.item(row, 0).text() for row in range(dialog.table.rowCount())]
    assert keys == ["classes.defect.min_size", "classes.defect.threshold"]
    press(screen, "Put mine onto it")
    assert not page.stale.isVisible()
    save(page, screen, qtbot, "both")
    assert still.file.classes["defect"].threshold == 0.72


def test_mistakes_stand_where_they_were_made(still: Still, open_screen: Open, qtbot: QtBot) -> None:
    page = page_of(open_recipe(still, open_screen, qtbot))
    flat = RegionSetting(name="flat", kind="inspect", corners=((1, 1), (5, 1), (9, 1)))
    page.regions.changed.emit("*", (flat,), "")
    page.save_now("")
    qtbot.waitUntil(page.regions.mistake.isVisible, timeout=10_000)
    assert "flat" in page.regions.mistake.text()
    assert page.tabs.currentWidget() is page.regions
    assert page.draft is not None
    assert page.draft.dirty


def test_nothing_is_lost_by_another_language_and_leaving_asks(still: Still, open_screen: Open, qtbot: QtBot) -> None:
    screen = open_recipe(still, open_screen, qtbot)
    drag(page_of(screen), qtbot, 0.83)
    screen.window.set_language("de")
    page = page_of(screen)
    assert page.classes.cards["defect"].threshold.score() == 0.83
    screen.window.set_language("en")
    assert not [q for q in screen.window.findChildren(Question) if q.isVisible()]
    qtbot.waitUntil(lambda: page_of(screen).is_open)
    screen.window.open_page("line")
    qtbot.waitUntil(lambda: any(q.isVisible() for q in screen.window.findChildren(Question)))
    press(screen, "Go back")
    qtbot.waitUntil(lambda: screen.window.shown == "recipe")
    page = page_of(screen)
    assert page.classes.cards["defect"].threshold.score() == 0.83
    qtbot.mouseClick(page.bar.discard, LEFT)
    press(screen, "Discard")
    assert not Drafts.on(screen.client).dirty


@pytest.mark.parametrize(("user", "may"), [("operator1", False), ("engineer1", True)])
def test_only_engineers_save(user: str, may: bool, still: Still, open_screen: Open, qtbot: QtBot) -> None:
    page = page_of(open_recipe(still, open_screen, qtbot, user))
    drag(page, qtbot, 0.9)
    assert page.bar.save.isEnabled() is may


@pytest.mark.parametrize(
    ("size", "theme", "language", "tab"),
    [
        ((1024, 768), "dark", "en", 0),
        ((1024, 768), "light", "de", 1),
        ((1920, 1080), "light", "zh_CN", 0),
        ((1920, 1080), "dark", "en", 1),
        ((1024, 768), "light", "en", 2),
    ],
)
def test_screens_for_people_to_look_at(
    size: tuple[int, int], theme: str, language: str, tab: int, still: Still, *, qtbot: QtBot, open_screen: Open
) -> None:
    screen = open_recipe(still, open_screen, qtbot, size=size, theme=theme, language=language)
    page = page_of(screen)
    drag(page, qtbot, 0.95)
    page.show_tab(tab)
    region = RegionSetting(name="clamp", kind="ignore", corners=((8, 8), (36, 10), (32, 36)))
    corners = ((12, 12), (116, 12), (116, 112), (64, 120), (12, 112))
    board = RegionSetting(name="board", kind="inspect", corners=corners)
    if tab == 1:
        qtbot.waitUntil(page.regions.canvas.has_picture, timeout=10_000)
        page.regions.changed.emit("*", (region, board), "")
        page.regions.list.setCurrentRow(1)
        qtbot.waitUntil(lambda: page.effect.trial is not None)
    screen.window.notices.hide()
    box = page.classes.cards["defect"].threshold.box
    assert box.lineEdit().width() > box.fontMetrics().horizontalAdvance("0.950")
    screen.shoot(f"recipe-{tab}-{size[0]}-{theme}-{language}")
    assert page.effect.geometry().right() <= page.body.width()


# --- pure -------------------------------------------------------------------------------------------

DETAIL = RecipeDetail(
    name="there",
    revision=3,
    id=1,
    classes={"a": ClassSetting(threshold=0.5), "b": ClassSetting(threshold=0.4, review=0.3)},
    regions={"*": ()},
)
SETTING = st.builds(ClassSetting, threshold=st.integers(0, 10).map(lambda n: n / 10))


@given(st.lists(st.tuples(st.sampled_from("ab"), SETTING, st.sampled_from(["threshold", "size", ""])), max_size=12))
def test_undo_leads_back_to_the_station_and_redo_to_the_end(steps: list[tuple[str, ClassSetting, str]]) -> None:
    draft = Draft.of(DETAIL)
    for name, setting, what in steps:
        draft.set_class(name, setting, what)
    end = draft.now
    while draft.can_undo:
        draft.undo()
    assert not draft.dirty
    while draft.can_redo:
        draft.redo()
    assert draft.now == end


def test_what_is_sent_is_what_was_changed() -> None:
    draft = Draft.of(DETAIL)
    draft.set_class("a", ClassSetting(threshold=0.6), "")
    assert draft.save("why").model_dump(exclude_defaults=True) == {
        "base": 3,
        "remark": "why",
        "classes": {"a": {"threshold": 0.6}},
    }


COORDINATE = st.integers(0, 100).map(float)
REGION = st.builds(
    lambda corners: RegionSetting(name="r", kind="inspect", corners=tuple(corners)),
    st.lists(st.tuples(COORDINATE, COORDINATE), min_size=3, max_size=6, unique=True),
)


@given(REGION, st.tuples(st.integers(-300, 300), st.integers(-300, 300)))
def test_a_region_stays_in_the_picture_wherever_it_is_dragged(region: RegionSetting, by: tuple[int, int]) -> None:
    after = moved(region, (float(by[0]), float(by[1])), 100, 100)
    assert all(0 <= x <= 100 and 0 <= y <= 100 for x, y in after.corners)


@given(REGION, st.integers(0, 2))
def test_a_corner_that_comes_and_goes_leaves_the_region_as_it_was(region: RegionSetting, place: int) -> None:
    assert without_corner(with_corner_after(region, place, (1.5, 2.5)), place + 1) == region


@given(st.integers(1, 99), st.integers(1, 99))
def test_inside_is_inside(x: int, y: int) -> None:
    square = ((0.0, 0.0), (100.0, 0.0), (100.0, 100.0), (0.0, 100.0))
    assert is_inside((float(x), float(y)), square)
    assert not is_inside((float(x + 100), float(y)), square)


def test_a_mistake_is_shown_beside_its_class() -> None:
    found = sort_mistakes(
        (
            "/a/there.toml: classes.open.review: 0.6 is above the threshold",
            "/a/there.toml: classes.open_circuit.threshold: too low (0.1 or more)",
            "/a/there.toml: regions.*[1].corners: 'x' covers no pixel",
            "/a/there.toml: is not TOML",
        ),
        ("open", "open_circuit"),
    )
    assert found.classes == {
        "open": ("review: 0.6 is above the threshold",),
        "open_circuit": ("threshold: too low (0.1 or more)",),
    }
    assert len(found.regions) == len(found.others) == 1
