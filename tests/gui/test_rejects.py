"""The gallery of rejected parts and one of them in full, on a real station."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot
from tests.gui.conftest import Screen
from tests.gui.judging import Hand, judging
from tests.gui.test_shell import log_in

from partsight.domain.reasons import Reason
from partsight.domain.status import Mode
from partsight.domain.verdict import Result
from partsight.gui.rejects import wanted as rejects_wanted
from partsight.gui.rejects.model import CACHE_BYTES, ROW
from partsight.gui.rejects.page import RejectsPage
from partsight.gui.rejects.timebar import steps_of
from partsight.gui.rejects.wanted import Wanted, merge
from partsight.gui.viewer.canvas import Canvas
from partsight.gui.viewer.levels import read_levels
from partsight.wire.screen.message import now
from partsight.wire.screen.parts import PartPage, PartRow, TimesNote

Open = Callable[..., Screen]


@pytest.fixture(scope="module")
def hand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hand]:
    """A station whose doubtful parts are known."""
    with judging(tmp_path_factory.mktemp("rejects")) as served:
        made = Hand(served)
        made.judge_until(lambda row: row.result is not Result.OK, 5, "first")
        yield made
        made.close()


def bad(hand: Hand) -> list[int]:
    """Newest first."""
    return [row.sequence for row in hand.rows()[::-1] if row.result is not Result.OK]


def open_page(hand: Hand, open_screen: Open, qtbot: QtBot, **options: object) -> RejectsPage:
    screen = open_screen(hand.served.url, **options)
    log_in(screen, qtbot, "viewer")
    screen.window.open_page("rejects")
    page = screen.window.page("rejects")
    assert isinstance(page, RejectsPage)
    qtbot.waitUntil(lambda: bool(page.model.rows))
    qtbot.waitUntil(screen.window.isActiveWindow)
    return page


def shown(page: RejectsPage) -> list[int]:
    return [row.sequence for row in page.model.rows]


def part_shown(page: RejectsPage, sequence: int) -> bool:
    canvas, part = page.detail.viewer.canvas, page.detail.part
    return part is not None and part.sequence == sequence and canvas.has_picture()


def test_the_newest_that_did_not_pass_come_first_with_their_pictures(
    hand: Hand, open_screen: Open, qtbot: QtBot
) -> None:
    page = open_page(hand, open_screen, qtbot)
    assert shown(page) == bad(hand)
    qtbot.waitUntil(lambda: all(page.thumbs.get(row) is not None for row in page.model.rows[:4]))
    assert 0 < page.thumbs.held_bytes <= CACHE_BYTES
    text = page.model.index(0).data(Qt.ItemDataRole.AccessibleTextRole)
    assert "REVIEW" in text or "INVALID" in text
    assert page.model.rows[0].part_id in text


def test_a_new_part_comes_in_at_the_top_while_nobody_touches_the_cards(
    hand: Hand, open_screen: Open, qtbot: QtBot
) -> None:
    page = open_page(hand, open_screen, qtbot)
    (row, *_) = hand.judge_until(lambda row: row.result is not Result.OK, 1, "live")
    qtbot.waitUntil(lambda: shown(page)[0] == row.sequence)
    # Its picture is kept a moment after its verdict was told.
    qtbot.waitUntil(lambda: page.thumbs.get(page.model.rows[0]) is not None, timeout=10_000)


def test_a_new_part_never_moves_what_someone_has_chosen(hand: Hand, open_screen: Open, qtbot: QtBot) -> None:
    page = open_page(hand, open_screen, qtbot)
    page.gallery.setFocus()
    qtbot.keyClick(page.gallery, Qt.Key.Key_Right)
    qtbot.keyClick(page.gallery, Qt.Key.Key_Right)
    before, seen = page.gallery.currentIndex().data(ROW).sequence, page.gallery.visible_sequences()
    hand.judge_until(lambda row: row.result is not Result.OK, 2, "held")
    qtbot.waitUntil(lambda: len(page.waiting) == 2)
    assert page.new.isVisible()
    assert "2" in page.new.text()
    assert page.gallery.visible_sequences() == seen
    assert page.gallery.currentIndex().data(ROW).sequence == before
    qtbot.mouseClick(page.new, Qt.MouseButton.LeftButton)
    assert shown(page) == bad(hand)
    assert not page.new.isVisible()


def test_each_filter_asks_the_records(hand: Hand, open_screen: Open, qtbot: QtBot) -> None:
    page = open_page(hand, open_screen, qtbot)
    rows = [row for row in hand.rows()[::-1] if row.result is not Result.OK]
    filters = page.filters
    filters.reason.setCurrentIndex(filters.reason.findData(int(Reason.DOUBT)))
    qtbot.waitUntil(lambda: shown(page) == [row.sequence for row in rows if row.code == Reason.DOUBT])
    assert shown(page)
    filters.reason.setCurrentIndex(0)
    qtbot.waitUntil(lambda: shown(page) == [row.sequence for row in rows])
    qtbot.keyClicks(filters.part, rows[1].part_id)
    qtbot.keyClick(filters.part, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: shown(page) == [rows[1].sequence])
    filters.part.clear()
    qtbot.keyClick(filters.part, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: shown(page) == [row.sequence for row in rows])
    qtbot.mouseClick(filters.results[Result.REVIEW], Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: shown(page) == [row.sequence for row in rows if row.result is not Result.REVIEW])
    qtbot.mouseClick(filters.results[Result.REVIEW], Qt.MouseButton.LeftButton)
    filters.recipe.setCurrentIndex(filters.recipe.findData("there"))
    filters.time.setCurrentIndex(1)
    qtbot.waitUntil(lambda: shown(page) == [row.sequence for row in rows])
    filters.time.setCurrentIndex(filters.time.count() - 1)
    assert filters.own.isVisible()
    filters.until.setDateTime(filters.since.dateTime().addSecs(60))
    qtbot.waitUntil(page.none.isVisible)
    assert page.none.text.text() == "No such part."


def test_the_last_verdict_cannot_be_switched_off(hand: Hand, open_screen: Open, qtbot: QtBot) -> None:
    page = open_page(hand, open_screen, qtbot)
    for result in (Result.NG, Result.INVALID, Result.REVIEW):
        qtbot.mouseClick(page.filters.results[result], Qt.MouseButton.LeftButton)
    assert [result for result, made in page.filters.results.items() if made.isChecked()] == [Result.REVIEW]


def test_more_come_when_one_scrolls_down(
    hand: Hand, open_screen: Open, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rejects_wanted, "PAGE", 2)
    page = open_page(hand, open_screen, qtbot)
    qtbot.waitUntil(lambda: shown(page) == bad(hand))
    assert page.feed.before is None


def test_a_click_shows_everything_of_a_part_and_keys_the_next(hand: Hand, open_screen: Open, qtbot: QtBot) -> None:
    page = open_page(hand, open_screen, qtbot)
    wanted = bad(hand)
    middle = page.gallery.visualRect(page.model.index(1)).center()
    qtbot.mouseClick(page.gallery.viewport(), Qt.MouseButton.LeftButton, pos=middle)
    qtbot.waitUntil(lambda: part_shown(page, wanted[1]))
    part = hand.part(wanted[1])
    said = " ".join(label.text() for label in page.detail.facts.findChildren(QLabel))
    for text in (part.part_id, part.recipe, part.model, "Nobody has looked at it yet."):
        assert text in said
    assert sum(step.ms for step in page.detail.facts.times.steps()) == pytest.approx(part.times.verdict_ms, abs=0.2)
    canvas = page.detail.viewer.canvas
    qtbot.keyClick(canvas, Qt.Key.Key_Right)
    qtbot.waitUntil(lambda: part_shown(page, wanted[2]))
    qtbot.keyClick(canvas, Qt.Key.Key_Left)
    qtbot.waitUntil(lambda: part_shown(page, wanted[1]))
    qtbot.keyClick(canvas, Qt.Key.Key_PageUp)
    qtbot.waitUntil(lambda: part_shown(page, wanted[0]))
    assert not page.detail.newer.isEnabled()
    qtbot.keyClick(canvas, Qt.Key.Key_Escape)
    assert page.stack.currentIndex() == 0
    qtbot.keyClick(page.gallery, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: part_shown(page, wanted[0]))


def test_boxes_lie_where_the_model_saw_them_and_go_with_b(hand: Hand, open_screen: Open, qtbot: QtBot) -> None:
    page = open_page(hand, open_screen, qtbot)
    doubted = next(row.sequence for row in page.model.rows if row.code == Reason.DOUBT)
    page.open_part(doubted)
    qtbot.waitUntil(lambda: part_shown(page, doubted))
    canvas = page.detail.viewer.canvas
    x1, y1, x2, y2 = hand.part(doubted).findings[0].box or (0, 0, 0, 0)
    edges = [canvas.to_widget((x1 + x2) / 2, y2), canvas.to_widget(x1, (y1 + y2) / 2)]

    def coloured() -> int:
        shot = canvas.grab().toImage()
        colours = [shot.pixelColor(edge.toPoint()) for edge in edges]
        return sum(colour.red() - colour.blue() > 90 for colour in colours)

    assert coloured() == 2
    qtbot.keyClick(canvas, Qt.Key.Key_B)
    assert coloured() == 0
    assert not page.detail.viewer.boxes.isChecked()
    qtbot.keyClick(canvas, Qt.Key.Key_B)
    assert coloured() == 2


def test_what_someone_said_meanwhile_is_shown(hand: Hand, open_screen: Open, qtbot: QtBot) -> None:
    page = open_page(hand, open_screen, qtbot)
    sequence = shown(page)[0]
    page.open_part(sequence)
    qtbot.waitUntil(lambda: part_shown(page, sequence))
    hand.ask("PUT", f"records/{sequence}/review", json={"judgement": "wrong", "remark": "dust"})
    qtbot.waitUntil(lambda: any(label.text() == "dust" for label in page.detail.facts.findChildren(QLabel)))
    assert page.model.rows[0].disposition is not None
    hand.ask("DELETE", f"records/{sequence}/review")
    qtbot.waitUntil(lambda: page.model.rows[0].disposition is None)


def test_a_part_whose_picture_is_gone_says_so(hand: Hand, open_screen: Open, qtbot: QtBot) -> None:
    victim = bad(hand)[-1]
    for path in Path(hand.served.data / "images").rglob(f"*{victim:012d}-*"):
        path.unlink()
    page = open_page(hand, open_screen, qtbot)
    row = next(row for row in page.model.rows if row.sequence == victim)
    qtbot.waitUntil(lambda: page.thumbs.get(row) is None and page.thumbs.is_gone(row))
    page.open_part(victim)
    qtbot.waitUntil(lambda: "not kept any more" in page.detail.viewer.note)
    assert page.detail.part is not None


def test_another_page_can_send_a_person_to_a_part(hand: Hand, open_screen: Open, qtbot: QtBot) -> None:
    page = open_page(hand, open_screen, qtbot)
    good = next(row.sequence for row in hand.rows() if row.result is Result.OK)
    page.take(good)
    qtbot.waitUntil(lambda: part_shown(page, good))


# --- the picture ------------------------------------------------------------------------------------


@pytest.fixture
def canvas(open_screen: Open, hand: Hand, qtbot: QtBot) -> Canvas:
    """20 million pixels: a grey frame with one white pixel of which the place is known."""
    open_screen(hand.served.url)
    image = QImage(5472, 3648, QImage.Format.Format_Grayscale8)
    image.fill(90)
    image.setPixelColor(4000, 3000, QColor("white"))
    path = Path(hand.served.data) / "large.png"
    assert image.save(str(path))
    levels = read_levels(path.read_bytes())
    assert levels is not None
    made = Canvas()
    qtbot.addWidget(made)
    made.resize(900, 600)
    made.show()
    made.set_levels(levels, 5472, 3648)
    return made


def test_pixel_by_pixel_shows_the_very_pixel(canvas: Canvas, qtbot: QtBot) -> None:
    canvas.show_actual()
    assert canvas.pixels_across() == pytest.approx(5472)
    canvas._move(QPointF(canvas.width() / 2, canvas.height() / 2) - canvas.to_widget(4000.5, 3000.5))
    point = canvas.to_widget(4000.5, 3000.5).toPoint()
    shot = canvas.grab().toImage()
    brightest = max(
        (shot.pixelColor(point.x() + dx, point.y() + dy).lightness(), dx, dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1)
    )
    assert brightest[0] > 180
    canvas.reset_zoom()
    assert canvas.picture_rect().width() == pytest.approx(900, abs=1)


def test_wheel_keys_and_drag_move_the_picture(canvas: Canvas, qtbot: QtBot) -> None:
    at = QPointF(300, 200)
    before = canvas.to_frame(at)
    canvas.zoom_at(3.0, at)
    assert (canvas.to_frame(at) - before).manhattanLength() < 2
    qtbot.keyClick(canvas, Qt.Key.Key_Plus)
    assert canvas.zoom() == pytest.approx(3.75)
    place = canvas.picture_rect().topLeft()
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=QPoint(400, 300))
    QTest.mouseMove(canvas, QPoint(460, 320))
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=QPoint(460, 320))
    assert canvas.picture_rect().topLeft() - place == QPointF(60, 20)
    qtbot.keyClick(canvas, Qt.Key.Key_Left)
    assert canvas.picture_rect().left() - place.x() == pytest.approx(60 + 90)
    qtbot.keyClick(canvas, Qt.Key.Key_0)
    assert canvas.zoom() == 1.0


def test_two_fingers_bring_it_closer(canvas: Canvas, qtbot: QtBot) -> None:
    device = QTest.createTouchDevice()
    middle = QPoint(450, 300)
    for step in range(8):
        spread = QPoint(40 + 25 * step, 0)
        touch = QTest.touchEvent(canvas, device)
        for finger, point in ((0, middle - spread), (1, middle + spread)):
            (touch.press if step == 0 else touch.move if step < 7 else touch.release)(finger, point, canvas)
        touch.commit()
        QApplication.processEvents()
    assert canvas.zoom() > 1.5


@pytest.mark.timed
def test_twenty_million_pixels_stay_fluid(canvas: Canvas, qtbot: QtBot) -> None:
    levels = canvas.levels()
    assert levels is not None
    # What is painted is never much more than the screen has; the time follows from that.
    for zoom in (1.0, 1.7, 2.5, 4.0, 8.0):
        canvas.reset_zoom()
        canvas.zoom_at(zoom, QPointF(450, 300))
        across = canvas.pixels_across()
        image = levels.shown(across)
        seen = min(1.0, 900 / across) * image.width()
        assert seen <= 2 * 900


@pytest.mark.timed
def test_the_window_goes_on_while_twenty_million_pixels_are_decoded(canvas: Canvas, hand: Hand) -> None:
    content = (Path(hand.served.data) / "large.png").read_bytes()
    worker = threading.Thread(target=read_levels, args=(content,))
    turns = 0
    worker.start()
    while worker.is_alive():
        turns += 1
        worker.join(0.001)
    # A decoder that keeps Python's lock would leave a handful.
    assert turns > 25


# --- pure -------------------------------------------------------------------------------------------


def make_row(sequence: int, result: Result) -> PartRow:
    return PartRow(
        sequence=sequence,
        id=1,
        epoch=1,
        uid="u",
        at=now(),
        result=result,
        action="reject",
        recipe="there@1",
        mode=Mode.PRODUCTION,
    )


@given(st.lists(st.sampled_from([Result.NG, Result.REVIEW, Result.INVALID]), max_size=60), st.integers(1, 7))
def test_pages_of_three_verdicts_are_one_list_without_gap_or_repeat(results: list[Result], size: int) -> None:
    rows = [make_row(sequence, result) for sequence, result in enumerate(results)][::-1]

    def ask(result: Result, before: int | None) -> PartPage:
        fitting = [row for row in rows if row.result is result and (before is None or row.sequence < before)]
        page = fitting[:size]
        return PartPage(parts=tuple(page), next_before=page[-1].sequence if len(fitting) > size else None)

    seen: list[int] = []
    before: int | None = None
    while True:
        merged = merge([ask(result, before) for result in (Result.NG, Result.REVIEW, Result.INVALID)])
        seen += [row.sequence for row in merged.rows]
        if merged.before is None:
            break
        assert merged.rows
        before = merged.before
    assert seen == [row.sequence for row in rows]


@given(st.builds(TimesNote, **dict.fromkeys(TimesNote.model_fields, st.none() | st.floats(0, 1e4))))
def test_the_time_bar_never_shows_a_negative_step(times: TimesNote) -> None:
    steps = steps_of(times)
    assert all(step.ms >= 0 for step in steps)
    if times.verdict_ms is not None and steps:
        assert sum(step.ms for step in steps) >= times.verdict_ms - 0.1


def test_a_filter_fits_what_the_station_would_say() -> None:
    row = make_row(1, Result.NG)
    assert Wanted().fits(row)
    assert Wanted(recipe="there").fits(row)
    assert Wanted(recipe="there@1").fits(row)
    assert not Wanted(recipe="there@2").fits(row)
    assert not Wanted(results=(Result.REVIEW,)).fits(row)
    assert not Wanted(until=row.at).fits(row)
    assert Wanted(since=row.at).fits(row)
