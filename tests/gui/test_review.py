"""The review on a real station: each key, boxes drawn by mouse, undo, rights, and a daemon that is killed meanwhile."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot
from tests.api.conftest import wait_until_it_serves
from tests.gui.conftest import Screen
from tests.gui.judging import CLASSES, Hand, judging
from tests.gui.test_shell import log_in
from tests.station.kill_run import station as run_station

from partsight.domain.verdict import Result
from partsight.gui.client import Link
from partsight.gui.review.draft import MIN_SIDE, Draft, moved, overlap, resized, spanned
from partsight.gui.review.page import ReviewPage
from partsight.gui.review.said import is_part_ok, judged, labelled
from partsight.wire.screen.parts import Disposition, PartRow, ReviewBox

Open = Callable[..., Screen]
Key = Qt.Key


@pytest.fixture(scope="module")
def hand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hand]:
    """A station of which every part that is not rejected waits for a review."""
    with judging(tmp_path_factory.mktemp("review")) as served:
        made = Hand(served)
        yield made
        made.close()


@pytest.fixture
def waiting(hand: Hand) -> list[PartRow]:
    """At least one OK and two REVIEW parts, and nothing else, wait; oldest first."""
    for row in hand.queue():
        hand.ask("PUT", f"records/{row.sequence}/review", json={"judgement": "right"})
    name = f"{len(hand.rows()):05d}-"
    for number in range(100):
        hand.judge(1, f"{name}{number}-")
        rows = hand.queue()
        results = [row.result for row in rows]
        if results.count(Result.OK) >= 1 and results.count(Result.REVIEW) >= 2:
            return rows
    raise AssertionError("the simulated line makes no such parts")


def open_page(hand: Hand, open_screen: Open, qtbot: QtBot, user: str = "operator") -> ReviewPage:
    screen = open_screen(hand.served.url)
    log_in(screen, qtbot, user)
    screen.window.open_page("review")
    page = screen.window.page("review")
    assert isinstance(page, ReviewPage)
    qtbot.waitUntil(page.is_seen)
    qtbot.waitUntil(screen.window.isActiveWindow)
    qtbot.waitUntil(lambda: len(page.panel.class_buttons) == len(CLASSES))
    return page


def turn_to(page: ReviewPage, row: PartRow, qtbot: QtBot) -> None:
    page.desk.take(row)
    qtbot.waitUntil(lambda: ready(page, row.sequence))


def ready(page: ReviewPage, sequence: int) -> bool:
    part, shown = page.desk.part(), page.viewer.part
    return part is not None and shown is not None and part.sequence == shown.sequence == sequence and page.is_seen()


def press(page: ReviewPage, key: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    QTest.keyClick(page.window(), key, modifier)


def drag(page: ReviewPage, start: tuple[float, float], end: tuple[float, float]) -> None:
    """By frame pixels, with a real mouse."""
    editor = page.editor
    first, last = editor.to_widget(*start).toPoint(), editor.to_widget(*end).toPoint()
    QTest.mousePress(editor, Qt.MouseButton.LeftButton, pos=first)
    QTest.mouseMove(editor, (first + last) / 2)
    QTest.mouseMove(editor, last)
    QTest.mouseRelease(editor, Qt.MouseButton.LeftButton, pos=last)


def kept(hand: Hand, sequence: int, qtbot: QtBot) -> Disposition:
    """What the station has of it."""
    qtbot.waitUntil(lambda: hand.part(sequence).disposition is not None)
    said = hand.part(sequence).disposition
    assert said is not None
    return said


def near(box: tuple[float, ...], wanted: tuple[float, ...]) -> bool:
    return all(abs(a - b) < 2.5 for a, b in zip(box, wanted, strict=True))


@pytest.mark.parametrize(
    "case",
    [
        (Key.Key_R, Result.REVIEW, "right", False),
        (Key.Key_W, Result.REVIEW, "wrong", True),
        (Key.Key_R, Result.OK, "right", True),
        (Key.Key_W, Result.OK, "wrong", False),
    ],
)
def test_one_key_judges_and_brings_the_next(
    case: tuple[Qt.Key, Result, str, bool], waiting: list[PartRow], hand: Hand, open_screen: Open, qtbot: QtBot
) -> None:
    key, result, judgement, is_ok = case
    page = open_page(hand, open_screen, qtbot)
    assert page.desk.current is not None
    assert page.desk.current.sequence == waiting[0].sequence
    before = hand.ask("GET", "status").json()["counters"], hand.part(waiting[0].sequence).result
    row = next(row for row in waiting if row.result is result)
    turn_to(page, row, qtbot)
    press(page, key)
    said = kept(hand, row.sequence, qtbot)
    assert (said.judgement, said.is_ok, said.boxes, said.who) == (judgement, is_ok, None, "operator")
    qtbot.waitUntil(lambda: page.desk.current is not None and page.desk.current.sequence != row.sequence)
    assert (hand.ask("GET", "status").json()["counters"], hand.part(waiting[0].sequence).result) == before
    assert "1 by you" in page.panel.counts.whole()
    assert "stay as they are" in page.panel.note.text()


def test_a_class_key_says_what_is_wrong_with_the_part(
    waiting: list[PartRow], hand: Hand, open_screen: Open, qtbot: QtBot
) -> None:
    page = open_page(hand, open_screen, qtbot)
    good = next(row for row in waiting if row.result is Result.OK)
    turn_to(page, good, qtbot)
    press(page, Key.Key_3)
    said = kept(hand, good.sequence, qtbot)
    assert (said.judgement, said.is_ok, said.label) == ("wrong", False, CLASSES[2])
    doubted = next(row for row in waiting if row.result is Result.REVIEW)
    turn_to(page, doubted, qtbot)
    qtbot.mouseClick(page.panel.class_buttons[CLASSES[1]], Qt.MouseButton.LeftButton)
    said = kept(hand, doubted.sequence, qtbot)
    assert (said.judgement, said.is_ok, said.label) == ("right", False, CLASSES[1])


def test_a_box_drawn_by_mouse_arrives_as_it_was_drawn(
    waiting: list[PartRow], hand: Hand, open_screen: Open, qtbot: QtBot
) -> None:
    page = open_page(hand, open_screen, qtbot)
    good = next(row for row in waiting if row.result is Result.OK)
    turn_to(page, good, qtbot)
    press(page, Key.Key_D)
    assert page.panel.draw.isChecked()
    drag(page, (60, 80), (150, 200))
    assert not page.editor.drawing
    press(page, Key.Key_2)
    page.panel.remark.setText("seen by eye")
    press(page, Key.Key_W)
    said = kept(hand, good.sequence, qtbot)
    assert said.boxes is not None
    (box,) = said.boxes
    assert (box.camera, box.label, said.remark) == ("top", CLASSES[1], "seen by eye")
    assert near(box.box, (60, 80, 150, 200))


def test_boxes_are_moved_resized_deleted_and_taken_back(
    waiting: list[PartRow], hand: Hand, open_screen: Open, qtbot: QtBot
) -> None:
    page = open_page(hand, open_screen, qtbot)
    doubted = next(row for row in waiting if row.result is Result.REVIEW)
    turn_to(page, doubted, qtbot)
    draft = page.desk.draft()
    assert draft is not None
    (found,) = draft.boxes
    assert found.label == CLASSES[0]
    x1, y1, x2, y2 = found.box
    middle = ((x1 + x2) / 2, (y1 + y2) / 2)
    drag(page, middle, (middle[0] + 40, middle[1] + 30))

    def box() -> tuple[float, float, float, float]:
        now = page.desk.draft()
        assert now is not None
        return now.boxes[0].box

    assert near(box(), (x1 + 40, y1 + 30, x2 + 40, y2 + 30))
    drag(page, box()[2:], (box()[2] + 20, box()[3] + 10))
    assert near(box(), (x1 + 40, y1 + 30, x2 + 60, y2 + 40))
    page.editor.setFocus()
    before = box()
    QTest.keyClick(page.editor, Key.Key_Left)
    assert near(box(), (before[0] - 1, before[1], before[2] - 1, before[3]))
    QTest.keyClick(page.editor, Key.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    assert box()[3] == pytest.approx(before[3] + 1)
    press(page, Key.Key_Delete)
    assert page.desk.draft() is not None
    assert page.desk.draft().boxes == ()  # type: ignore[union-attr]  # the line before says so
    for _ in range(5):
        press(page, Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert page.desk.draft().boxes == (found,)  # type: ignore[union-attr]  # as above
    assert hand.part(doubted.sequence).disposition is None


def test_accepted_boxes_are_training_data(waiting: list[PartRow], hand: Hand, open_screen: Open, qtbot: QtBot) -> None:
    page = open_page(hand, open_screen, qtbot)
    doubted = next(row for row in waiting if row.result is Result.REVIEW)
    turn_to(page, doubted, qtbot)
    press(page, Key.Key_A)
    assert page.panel.accept.isChecked()
    press(page, Key.Key_R)
    said = kept(hand, doubted.sequence, qtbot)
    found = hand.part(doubted.sequence).findings[0]
    assert said.boxes is not None
    assert [(box.label, box.box) for box in said.boxes] == [(CLASSES[0], found.box)]


def test_a_weak_box_becomes_a_real_one_by_a_click(
    waiting: list[PartRow], hand: Hand, open_screen: Open, qtbot: QtBot
) -> None:
    page = open_page(hand, open_screen, qtbot)
    good = next(row for row in waiting if row.result is Result.OK)
    weak = hand.part(good.sequence).views[0].boxes[0]
    turn_to(page, good, qtbot)
    press(page, Key.Key_T)
    at = page.editor.to_widget((weak.box[0] + weak.box[2]) / 2, (weak.box[1] + weak.box[3]) / 2).toPoint()
    qtbot.mouseClick(page.editor, Qt.MouseButton.LeftButton, pos=at)
    draft = page.desk.draft()
    assert draft is not None
    assert [(box.label, box.box) for box in draft.boxes] == [(weak.label, weak.box)]


def test_a_box_can_be_made_without_a_mouse(waiting: list[PartRow], hand: Hand, open_screen: Open, qtbot: QtBot) -> None:
    page = open_page(hand, open_screen, qtbot)
    press(page, Key.Key_D)
    page.editor.setFocus()
    QTest.keyClick(page.editor, Key.Key_Return)
    draft = page.desk.draft()
    assert draft is not None
    assert draft.selected == len(draft.boxes) - 1
    press(page, Key.Key_Escape)
    assert page.editor.selected() is None
    press(page, Key.Key_N)
    assert page.editor.selected() == 0


def test_skip_comes_back_at_the_end(waiting: list[PartRow], hand: Hand, open_screen: Open, qtbot: QtBot) -> None:
    page = open_page(hand, open_screen, qtbot)
    seen = []
    for _ in waiting:
        assert page.desk.current is not None
        seen.append(page.desk.current.sequence)
        press(page, Key.Key_S)
    assert seen == [row.sequence for row in waiting]
    assert page.desk.current is not None
    assert page.desk.current.sequence == waiting[0].sequence
    assert f"{len(waiting)} skipped" in page.panel.counts.whole()
    assert all(hand.part(row.sequence).disposition is None for row in waiting)


def test_undo_takes_back_what_the_station_has(
    waiting: list[PartRow], hand: Hand, open_screen: Open, qtbot: QtBot
) -> None:
    page = open_page(hand, open_screen, qtbot)
    sequence = waiting[0].sequence
    turn_to(page, waiting[0], qtbot)
    press(page, Key.Key_D)
    drag(page, (60, 80), (150, 200))
    drawn = page.desk.draft()
    press(page, Key.Key_R)
    kept(hand, sequence, qtbot)
    qtbot.waitUntil(lambda: not page.desk.unsent)
    press(page, Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: hand.part(sequence).disposition is None)
    qtbot.waitUntil(lambda: ready(page, sequence))
    assert page.desk.draft() == drawn
    assert sequence in [row.sequence for row in hand.queue()]


def test_undo_leaves_alone_what_another_has_said_since(
    waiting: list[PartRow], hand: Hand, open_screen: Open, qtbot: QtBot
) -> None:
    page = open_page(hand, open_screen, qtbot)
    sequence = waiting[0].sequence
    press(page, Key.Key_R)
    kept(hand, sequence, qtbot)
    qtbot.waitUntil(lambda: not page.desk.unsent)
    hand.ask("PUT", f"records/{sequence}/review", json={"judgement": "wrong"})
    told: list[str] = []
    page.client.problem.connect(told.append)
    press(page, Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: any("engineer" in text for text in told))
    assert kept(hand, sequence, qtbot).who == "engineer"


def test_a_part_that_another_has_judged_goes_from_the_desk(
    waiting: list[PartRow], hand: Hand, open_screen: Open, qtbot: QtBot
) -> None:
    page = open_page(hand, open_screen, qtbot)
    hand.ask("PUT", f"records/{waiting[0].sequence}/review", json={"judgement": "right"})
    qtbot.waitUntil(lambda: page.desk.current is not None and page.desk.current.sequence == waiting[1].sequence)


def test_a_viewer_sees_and_may_not_judge(waiting: list[PartRow], hand: Hand, open_screen: Open, qtbot: QtBot) -> None:
    page = open_page(hand, open_screen, qtbot, "viewer")
    panel = page.panel
    for made in (panel.right, panel.wrong, panel.draw, panel.accept, panel.undo, *panel.class_buttons.values()):
        assert not made.isEnabled()
        assert "Operator" in made.toolTip()
    for key in (Key.Key_R, Key.Key_W, Key.Key_1, Key.Key_D, Key.Key_A):
        press(page, key)
    drag(page, (60, 80), (150, 200))
    assert not page.desk.unsent
    assert page.desk.current is not None
    assert page.desk.current.sequence == waiting[0].sequence
    draft = page.desk.draft()
    assert draft is not None
    assert not draft.past


def test_a_key_that_bounces_judges_one_part(
    waiting: list[PartRow], hand: Hand, open_screen: Open, qtbot: QtBot
) -> None:
    page = open_page(hand, open_screen, qtbot)
    for _ in range(3):
        press(page, Key.Key_R)
    assert page.desk.session == 1


def test_letters_in_a_remark_judge_nothing(waiting: list[PartRow], hand: Hand, open_screen: Open, qtbot: QtBot) -> None:
    page = open_page(hand, open_screen, qtbot)
    press(page, Key.Key_M)
    qtbot.waitUntil(page.panel.remark.hasFocus)
    QTest.keyClicks(page.window().focusWidget(), "rwdas 123")
    assert page.panel.remark.text() == "rwdas 123"
    assert page.desk.session == 0


def test_another_language_or_theme_loses_nothing_that_was_drawn(
    waiting: list[PartRow], hand: Hand, open_screen: Open, qtbot: QtBot
) -> None:
    screen = open_screen(hand.served.url)
    log_in(screen, qtbot, "operator")
    screen.window.open_page("review")
    page = screen.window.page("review")
    assert isinstance(page, ReviewPage)
    qtbot.waitUntil(lambda: ready(page, waiting[0].sequence))
    qtbot.waitUntil(screen.window.isActiveWindow)
    press(page, Key.Key_D)
    drag(page, (60, 80), (150, 200))
    drawn = page.desk.draft()
    screen.window.set_theme("light")
    again = screen.window.page("review")
    assert isinstance(again, ReviewPage)
    assert again is not page
    qtbot.waitUntil(lambda: ready(again, waiting[0].sequence))
    assert again.desk.draft() == drawn


def test_nothing_is_lost_when_the_daemon_is_killed_while_drawing(
    tmp_path: Path, open_screen: Open, qtbot: QtBot
) -> None:
    with ExitStack() as stack:
        served = stack.enter_context(judging(tmp_path))
        hand = Hand(served)
        hand.judge_until(lambda row: row.result is Result.REVIEW, 3, "k")
        waiting = hand.queue()
        page = open_page(hand, open_screen, qtbot)
        press(page, Key.Key_D)
        drag(page, (60, 80), (150, 200))
        served.run.process.kill()
        served.run.process.wait(20)
        qtbot.waitUntil(lambda: page.client.link is Link.GONE, timeout=8000)
        press(page, Key.Key_2)
        press(page, Key.Key_R)
        assert [said.sequence for said in page.desk.unsent] == [waiting[0].sequence]
        assert page.banner.isVisible()
        assert "1" in page.banner.text.text()
        # Taken back before it was sent, and said again otherwise.
        press(page, Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
        qtbot.waitUntil(lambda: ready(page, waiting[0].sequence))
        assert not page.desk.unsent
        qtbot.waitUntil(lambda: ready(page, waiting[0].sequence))
        press(page, Key.Key_W)
        assert len(page.desk.unsent) == 1
        again = stack.enter_context(run_station(served.config))
        wait_until_it_serves(served, again.process)
        qtbot.waitUntil(lambda: not page.desk.unsent, timeout=30_000)
        said = kept(hand, waiting[0].sequence, qtbot)
        assert said.judgement == "wrong"
        assert said.boxes is not None
        assert any(box.label == CLASSES[1] and near(box.box, (60, 80, 150, 200)) for box in said.boxes)
        assert not page.banner.isVisible()
        hand.close()


def test_what_one_has_said_is_never_sent_under_anothers_name(
    waiting: list[PartRow], hand: Hand, open_screen: Open, qtbot: QtBot
) -> None:
    screen = open_screen(hand.served.url)
    log_in(screen, qtbot, "operator")
    screen.window.open_page("review")
    page = screen.window.page("review")
    assert isinstance(page, ReviewPage)
    qtbot.waitUntil(lambda: ready(page, waiting[0].sequence))
    daemon = hand.served.run.process
    daemon.send_signal(signal.SIGSTOP)
    try:
        qtbot.waitUntil(lambda: page.client.link is Link.SILENT)
        press(page, Key.Key_R)
        assert [said.who for said in page.desk.unsent] == ["operator"]
        screen.client.log_out()
    finally:
        daemon.send_signal(signal.SIGCONT)
    screen.window.login_page.form.user.clear()
    log_in(screen, qtbot, "engineer")
    qtbot.waitUntil(page.banner.isVisible)
    assert "operator" in page.banner.text.text()
    assert hand.part(waiting[0].sequence).disposition is None
    press(page, Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert len(page.desk.unsent) == 1
    screen.client.log_out()
    screen.window.login_page.form.user.clear()
    log_in(screen, qtbot, "operator")
    assert kept(hand, waiting[0].sequence, qtbot).who == "operator"


# --- pure -------------------------------------------------------------------------------------------

SIZE = (320, 240)
coordinate = st.floats(-50, 400, allow_nan=False)
corner = st.tuples(coordinate, coordinate)
shift = st.floats(-500, 500, allow_nan=False)
handles = st.sampled_from([(x, y) for x in (-1, 0, 1) for y in (-1, 0, 1) if (x, y) != (0, 0)])


def inside(box: tuple[float, float, float, float]) -> bool:
    x1, y1, x2, y2 = box
    slack = 1e-6
    fits = -slack <= x1 and -slack <= y1 and x2 <= SIZE[0] + slack and y2 <= SIZE[1] + slack
    return fits and x2 - x1 >= MIN_SIDE - slack and y2 - y1 >= MIN_SIDE - slack


@given(corner, corner, shift, shift, handles)
def test_no_box_leaves_the_picture_or_is_turned_inside_out(
    a: tuple[float, float], b: tuple[float, float], dx: float, dy: float, handle: tuple[int, int]
) -> None:
    box = spanned(*a, *b, SIZE)
    if box is None:
        return
    assert inside(box)
    there = moved(box, dx, dy, SIZE)
    assert inside(there)
    assert there[2] - there[0] == pytest.approx(box[2] - box[0])
    assert inside(resized(box, handle, dx, dy, SIZE))
    assert overlap(box, box) == pytest.approx(1)
    assert 0 <= overlap(box, there) <= 1 + 1e-9


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9), st.sampled_from(CLASSES)), max_size=30))
def test_every_change_can_be_taken_back(steps: list[tuple[int, int, str]]) -> None:
    start = draft = Draft(1, (ReviewBox(camera="top", label=CLASSES[0], box=(1, 1, 9, 9)),))
    for what, index, label in steps:
        before, count = draft, len(draft.boxes)
        if what == 0:
            draft = draft.add(ReviewBox(camera="top", label=label, box=(0, 0, 5 + index, 5)))
        elif what == 1 and count:
            draft = draft.change(index % count, label=label)
        elif what == 2 and count:
            draft = draft.change(index % count, box=(index, index, index + 5, index + 5))
        elif what == 3 and count:
            draft = draft.remove(index % count)
        elif what == 4:
            draft = draft.accept()
        if len(draft.past) > len(before.past):
            undone = draft.undo()
            assert (undone.boxes, undone.looked_at) == (before.boxes, before.looked_at)
    while draft.past:
        draft = draft.undo()
    assert (draft.boxes, draft.looked_at) == (start.boxes, start.looked_at)


@pytest.mark.parametrize("result", list(Result))
def test_what_is_said_never_contradicts_the_verdict(result: Result) -> None:
    """By the station's own rule, which refuses a right OK of a bad part."""
    draft = Draft(1)
    for right in (True, False):
        said = judged(draft, result, right=right)
        assert said.is_ok is is_part_ok(result, right=right)
        if result is Result.OK and said.is_ok is not None:
            assert said.is_ok is (said.judgement == "right")
        if result is Result.NG:
            assert not (said.judgement == "right" and said.is_ok)
    named = labelled(draft, result, CLASSES[0])
    assert named.is_ok is False
    assert (named.judgement == "right") is (result in {Result.NG, Result.REVIEW})
