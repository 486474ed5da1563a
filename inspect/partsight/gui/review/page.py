"""Judging the parts that wait: the picture at the left, one button and one key for everything at the right."""

from __future__ import annotations

import time
from functools import partial

from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from partsight.gui.client import Client, Link
from partsight.gui.page import Page
from partsight.gui.review.desk import ReviewDesk
from partsight.gui.review.draft import Draft
from partsight.gui.review.editor import Editor
from partsight.gui.review.panel import KEYED, Panel
from partsight.gui.review.said import judged, labelled
from partsight.gui.signs import Sign
from partsight.gui.theme import Look
from partsight.gui.viewer.viewer import PartViewer
from partsight.gui.widgets.cards import Banner, Empty, allow, button
from partsight.gui.words import count_word, needs_word
from partsight.wire.screen.people import Me, Role
from partsight.wire.screen.station import StationNote

SEEN_S = 0.15


class ReviewPage(Page):
    """Shows the desk, which keeps everything; see there."""

    def __init__(self, client: Client, parent: QWidget | None = None) -> None:
        super().__init__(client, parent)
        look = Look.here()
        self.desk = ReviewDesk.of(client)
        self._seen_at = time.monotonic()
        outer = QVBoxLayout(self)
        outer.setContentsMargins(*(look.px(10),) * 4)
        outer.setSpacing(look.px(8))
        self.banner = Banner(Sign.WARN, "warn")
        self.banner.hide()
        outer.addWidget(self.banner)
        self.stack = QStackedWidget()
        outer.addWidget(self.stack, 1)
        work = QWidget()
        row = QHBoxLayout(work)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(look.px(10))
        self.editor = Editor()
        self.viewer = PartViewer(client, self.editor)
        self.panel = Panel()
        row.addWidget(self.viewer, 1)
        row.addWidget(self.panel)
        self.none = Empty()
        self.again = button(self.tr("Ask again"))
        empty = QWidget()
        column = QVBoxLayout(empty)
        column.addWidget(self.none, 1)
        column.addWidget(self.again)
        self.stack.addWidget(work)
        self.stack.addWidget(empty)
        self._connect()
        self._make_keys()
        if client.note is not None:
            self._show_status(client.note)
        self._show_turn()
        self._show_part()

    def _connect(self) -> None:
        desk, panel = self.desk, self.panel
        desk.turned.connect(self._show_turn)
        desk.part_came.connect(self._show_part)
        desk.drawn.connect(self._show_draft)
        desk.counted.connect(self._show_counts)
        desk.told.connect(self.client.problem)
        panel.right.clicked.connect(self.say_right)
        panel.wrong.clicked.connect(self.say_wrong)
        panel.class_chosen.connect(self.choose_class)
        panel.draw.clicked.connect(self.editor.set_drawing)
        panel.delete.clicked.connect(self.editor.delete_selected)
        panel.accept.clicked.connect(self.accept_boxes)
        panel.skip.clicked.connect(self.skip)
        panel.undo.clicked.connect(self.undo)
        panel.remark.returnPressed.connect(self.editor.setFocus)
        self.again.clicked.connect(desk.load)
        self.editor.changed.connect(desk.draw)
        self.editor.drawing_changed.connect(self._show_tools)
        self.viewer.camera_changed.connect(self._show_draft)
        self.viewer.toggled.connect(self._show_weak)
        self.viewer.seen.connect(self._note_seen)
        self.client.status.connect(self._show_status)
        self.client.session.connect(self._show_right)
        self.client.link_changed.connect(self._link_changed)

    def _make_keys(self) -> None:
        """In the whole window while the page is seen. A key that is held down judges one part, not twenty."""
        panel = self.panel
        once = [
            ("R", panel.right.click),
            ("W", panel.wrong.click),
            ("D", panel.draw.click),
            ("A", panel.accept.click),
            ("S", panel.skip.click),
            ("Ctrl+Z", panel.undo.click),
            ("Del", panel.delete.click),
            ("Backspace", panel.delete.click),
            ("M", panel.remark.setFocus),
            ("Esc", self._escape),
        ]
        once += [(str(number), partial(self._number, number)) for number in range(1, KEYED + 1)]
        for keys, slot in once:
            key = QShortcut(QKeySequence(keys), self)
            key.setAutoRepeat(False)
            key.activated.connect(slot)
        QShortcut(QKeySequence("N"), self).activated.connect(self.editor.select_next)

    # The page

    def opened(self) -> None:
        """See what waits by now."""
        self.desk.load()
        self.editor.setFocus()

    def take(self, what: object) -> None:
        """A sequence: that part, whether it waits or not."""
        if isinstance(what, int):
            self.desk.take_number(what)

    # What a person does

    def say_right(self) -> None:
        """R."""
        self._say(right=True)

    def say_wrong(self) -> None:
        """W."""
        self._say(right=False)

    def _say(self, *, right: bool) -> None:
        row, draft = self.desk.current, self.desk.draft()
        if row is not None and draft is not None and self.is_seen():
            self.desk.say(judged(draft, row.result, right=right, remark=self._remark()))

    def is_seen(self) -> bool:
        """The part has been there for long enough to be looked at: a key that bounces judges no second part."""
        part = self.viewer.part
        there = self.editor.has_picture() or self.viewer.is_missing
        right_one = part is not None and self.desk.current is not None and part.sequence == self.desk.current.sequence
        return there and right_one and time.monotonic() - self._seen_at > SEEN_S

    def _note_seen(self) -> None:
        self._seen_at = time.monotonic()

    def choose_class(self, name: str) -> None:
        """By its key: of the chosen box; of the next one while boxes are drawn; else of the whole part, judged so."""
        row, draft = self.desk.current, self.desk.draft()
        held = self.editor.selected()
        if row is None or draft is None or not self.desk.may_judge():
            self._show_tools()
        elif held is not None:
            self.desk.pen = name
            self.desk.draw(draft.change(held, label=name))
        elif self.editor.drawing or draft.looked_at:
            self.desk.pen = name
            self._show_draft()
        elif self.is_seen():
            self.desk.say(labelled(draft, row.result, name, self._remark()))

    def _number(self, number: int) -> None:
        names = list(self.panel.class_buttons)
        if number <= len(names):
            self.choose_class(names[number - 1])

    def accept_boxes(self) -> None:
        """A: all that is drawn is all that is there; again: that was not meant."""
        draft = self.desk.draft()
        if draft is not None and self.desk.may_judge():
            self.desk.draw(draft.accept())
        self._show_tools()

    def skip(self) -> None:
        """S."""
        self.desk.skip()

    def undo(self) -> None:
        """Ctrl+Z."""
        self.desk.undo()

    def _escape(self) -> None:
        draft = self.desk.draft()
        if self.editor.drawing:
            self.editor.set_drawing(False)
        elif draft is not None and draft.selected is not None:
            self.desk.draw(draft.select(None))
        self.editor.setFocus()

    def _remark(self) -> str:
        text = self.panel.remark.text().strip()
        self.panel.remark.clear()
        return text

    # What is shown

    def _show_turn(self) -> None:
        row = self.desk.current
        self.editor.set_drawing(False)
        self.panel.remark.clear()
        self.panel.show_part(row)
        if self.desk.part() is None:
            self.viewer.show_part(None)
            self.editor.show_draft(None, "")
        self._show_counts()

    def _show_part(self) -> None:
        part = self.desk.part()
        if part is not None and (self.viewer.part is None or self.viewer.part != part):
            self.viewer.show_part(part)
        following = self.desk.next_part()
        if following is not None:
            self.viewer.prefetch(following)
        self._show_draft()

    def _show_draft(self, _what: Draft | str | None = None) -> None:
        view = self.viewer.view()
        pen = self._pen()
        self.editor.show_draft(self.desk.draft(), self.viewer.camera, view.boxes if view is not None else (), pen)
        self._show_tools()

    def _pen(self) -> str:
        names = list(self.panel.class_buttons)
        return self.desk.pen if self.desk.pen in names else (names[0] if names else "")

    def _show_weak(self) -> None:
        self.editor.show_weak(self.viewer.weak.isChecked())

    def _show_tools(self, _what: object = None) -> None:
        panel, draft, held = self.panel, self.desk.draft(), self.editor.selected()
        panel.draw.setChecked(self.editor.drawing)
        panel.accept.setChecked(draft is not None and draft.looked_at)
        panel.show_pen("")
        if held is not None and draft is not None:
            panel.class_title.setText(self.tr("Class of the chosen box"))
            panel.show_pen(draft.boxes[held].label)
        elif draft is not None and (self.editor.drawing or draft.looked_at):
            panel.class_title.setText(self.tr("Class of the next box"))
            panel.show_pen(self._pen())
        else:
            panel.class_title.setText(self.tr("The part is bad, and this is the defect:"))
        self._show_right()

    def _show_right(self, _me: Me | None = None) -> None:
        may, draft = self.desk.may_judge(), self.desk.draft()
        self.editor.may_draw = may and draft is not None
        ready = self.tr("The part is not here yet.") if may else needs_word(Role.OPERATOR)
        panel = self.panel
        for made in (panel.right, panel.wrong, panel.draw, panel.accept, *panel.class_buttons.values()):
            allow(made, may and draft is not None, ready)
        allow(panel.delete, may and self.editor.selected() is not None, ready if not may else self.tr("Choose a box."))
        allow(panel.undo, may and self.desk.can_undo(), ready if not may else self.tr("Nothing to take back."))
        panel.remark.setEnabled(may)
        panel.skip.setEnabled(self.desk.current is not None)

    def _show_status(self, note: StationNote) -> None:
        if tuple(self.panel.class_buttons) != note.classes:
            self.panel.show_classes(note.classes)
            self._show_draft()

    def _show_counts(self) -> None:
        desk = self.desk
        self.panel.show_counts(desk.waiting, desk.done_today, desk.session, len(desk.queue) - desk.left)
        self._show_banner()
        if desk.current is not None:
            self.stack.setCurrentIndex(0)
        else:
            self.none.sign.set_sign(Sign.WARN if desk.problem else Sign.GOOD)
            self.none.text.setText(desk.problem or self.tr("Nothing waits for a review."))
            self.again.setVisible(bool(desk.problem))
            self.stack.setCurrentIndex(1)
        if desk.current is not None and desk.part() is None and desk.problem:
            self.editor.placeholder = desk.problem
            self.editor.update()
        self._show_right()

    def _show_banner(self) -> None:
        """What is said and not yet sent: plainly, and what to do about it."""
        desk = self.desk
        waits = len(desk.unsent)
        stuck = self.client.link is not Link.LIVE or desk.is_waiting_for() or desk.problem_sending
        self.banner.setVisible(bool(waits) and bool(stuck))
        if not waits:
            return
        who = desk.is_waiting_for()
        text = (
            self.tr("Not yet sent: {n}, said by {who}. Kept here, and sent when {who} logs in.")
            if who
            else self.tr("Not yet sent: {n}. Kept here, and sent when the station answers. Do not close the screen.")
        )
        self.banner.text.setText(text.format(n=count_word(waits), who=who))

    def _link_changed(self, link: Link) -> None:
        self._show_counts()
        if link is Link.LIVE:
            self.viewer.retry()
