"""Pictures of the gallery and the review for people to look at: real model, each size, theme and language."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from pytestqt.qtbot import QtBot
from tests.gui.conftest import Screen
from tests.gui.judging import Hand, demonstrating
from tests.gui.test_shell import log_in

from partsight.domain.verdict import Result
from partsight.gui.rejects.page import RejectsPage
from partsight.gui.review.page import ReviewPage
from partsight.wire.screen.parts import ReviewBox

Open = Callable[..., Screen]
LOOKS = [
    ((1024, 768), "dark", "en"),
    ((1024, 768), "light", "de"),
    ((1920, 1080), "light", "en"),
    ((1920, 1080), "dark", "zh_CN"),
]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hand]:
    with demonstrating(tmp_path_factory.mktemp("demo")) as served:
        hand = Hand(served)
        hand.judge(16, "PCB-47")
        first = next(row for row in hand.rows("PCB-47") if row.result is Result.NG)
        review = {"judgement": "right", "is_ok": False, "remark": "as seen under the lens"}
        hand.ask("PUT", f"records/{first.sequence}/review", json=review)
        yield hand
        hand.close()


@pytest.mark.parametrize(("size", "theme", "language"), LOOKS)
def test_rejects_for_people_to_look_at(
    size: tuple[int, int], theme: str, language: str, demo: Hand, qtbot: QtBot, *, open_screen: Open
) -> None:
    screen = open_screen(demo.served.url, size, theme, language)
    log_in(screen, qtbot, "operator")
    screen.window.open_page("rejects")
    page = screen.window.page("rejects")
    assert isinstance(page, RejectsPage)
    qtbot.waitUntil(lambda: len(page.model.rows) > 3)
    qtbot.waitUntil(lambda: all(page.thumbs.get(row) is not None for row in page.model.rows[:8]), timeout=10_000)
    screen.window.notices.hide()
    name = f"{size[0]}-{theme}-{language}"
    assert screen.shoot(f"rejects-{name}").stat().st_size > 20_000
    judged = next(row for row in page.model.rows if row.disposition is not None)
    page.open_part(judged.sequence)
    qtbot.waitUntil(page.detail.viewer.canvas.has_picture, timeout=10_000)
    screen.window.notices.hide()
    assert screen.shoot(f"rejects-part-{name}").stat().st_size > 20_000


@pytest.mark.parametrize(("size", "theme", "language"), LOOKS)
def test_review_for_people_to_look_at(
    size: tuple[int, int], theme: str, language: str, demo: Hand, qtbot: QtBot, *, open_screen: Open
) -> None:
    screen = open_screen(demo.served.url, size, theme, language)
    log_in(screen, qtbot, "operator")
    wanted = next(row.sequence for row in demo.rows("PCB-47") if row.result is Result.REVIEW)
    screen.window.open_page("review", wanted)
    page = screen.window.page("review")
    assert isinstance(page, ReviewPage)
    qtbot.waitUntil(lambda: page.viewer.part is not None and page.viewer.part.sequence == wanted, timeout=10_000)
    qtbot.waitUntil(lambda: page.editor.has_picture() and bool(page.panel.class_buttons), timeout=10_000)
    draft = page.desk.draft()
    assert draft is not None
    page.desk.draw(
        draft.add(ReviewBox(camera="top", label=next(iter(page.panel.class_buttons)), box=(60, 80, 180, 170)))
    )
    screen.window.notices.hide()
    assert screen.shoot(f"review-{size[0]}-{theme}-{language}").stat().st_size > 20_000
