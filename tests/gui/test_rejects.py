"""The gallery of rejected parts and one of them in full, on a real station."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot
from tests.gui.conftest import Screen
from tests.gui.judging import CLASSES, Hand, judging
from tests.gui.test_shell import log_in

from partsight.domain.verdict import Result
from partsight.gui.rejects.page import RejectsPage
from partsight.wire.screen.people import Role

Open = Callable[..., Screen]


@pytest.fixture(scope="module")
def hand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hand]:
    """A station whose doubtful parts are known."""
    with judging(tmp_path_factory.mktemp("rejects")) as served:
        made = Hand(served)
        made.judge_until(lambda row: row.result is not Result.OK, 4, "first")
        yield made


def open_page(hand: Hand, open_screen: Open, qtbot: QtBot, **options: object) -> RejectsPage:
    screen = open_screen(hand.served.url, **options)
    log_in(screen, qtbot, "operator")
    screen.window.open_page("rejects")
    page = screen.window.page("rejects")
    assert isinstance(page, RejectsPage)
    qtbot.waitUntil(lambda: bool(page.model.rows))
    return page


def test_the_newest_that_did_not_pass_come_first_with_their_pictures(
    hand: Hand, open_screen: Open, qtbot: QtBot
) -> None:
    page = open_page(hand, open_screen, qtbot)
    wanted = [
        row["sequence"]
        for row in hand.ask("GET", "records", params={"limit": 500}).json()["parts"]
        if row["result"] != "OK"
    ]
    assert [row.sequence for row in page.model.rows] == wanted
    qtbot.waitUntil(lambda: all(page.thumbs.get(row) is not None for row in page.model.rows[:4]))
    assert page.thumbs.held_bytes > 0
