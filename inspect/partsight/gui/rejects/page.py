"""The gallery of the last parts that did not pass, and one of them in full."""

from __future__ import annotations

import time

from PySide6.QtCore import QEvent, QModelIndex, QObject, QRect, Qt, QTimer
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QListView,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from partsight.gui.calls import Refusal
from partsight.gui.client import Client, Link
from partsight.gui.page import Page
from partsight.gui.rejects.cards import CARD, CardDelegate
from partsight.gui.rejects.detail import Detail
from partsight.gui.rejects.feed import KEPT_ROWS, Feed
from partsight.gui.rejects.filters import FilterBar
from partsight.gui.rejects.model import ROW, PartModel, Thumbnails
from partsight.gui.rejects.wanted import Wanted
from partsight.gui.signs import Sign
from partsight.gui.theme import Look
from partsight.gui.widgets.cards import Empty, button
from partsight.gui.words import count_word, local_time, result_word
from partsight.wire.screen.parts import PartRow
from partsight.wire.screen.recipes import RecipeRow
from partsight.wire.screen.station import StationNote

HAND_S = 3.0
"""So long after the mouse was moved over the cards nothing moves under it."""
NEAR_END = 3
"""Rows of cards below the window at which the next page is asked for."""


class Gallery(QListView):
    """Cards in columns that fill the width."""

    def __init__(self, delegate: CardDelegate, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._delegate = delegate
        self.touched_at = 0.0
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setFlow(QListView.Flow.LeftToRight)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setMovement(QListView.Movement.Static)
        self.setUniformItemSizes(True)
        self.setWrapping(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setItemDelegate(delegate)
        self.viewport().setMouseTracking(True)
        self.viewport().installEventFilter(self)

    def columns(self) -> int:
        """How many beside each other."""
        return max(1, (self.viewport().width() - 1) // max(1, Look.here().px(CARD[0])))

    def visible_sequences(self) -> list[int]:
        """Of the cards that are seen, from the upper left on."""
        model = self.model()
        seen = QRect(self.viewport().rect())
        rows = [model.index(at, 0) for at in range(model.rowCount())]
        return [index.data(ROW).sequence for index in rows if self.visualRect(index).intersects(seen)]

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 (Qt's name)
        """Qt's; the cards share the width."""
        self._delegate.width = (self.viewport().width() - 1) // self.columns()
        super().resizeEvent(event)
        self.scheduleDelayedItemsLayout()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 (Qt's name)
        """Qt's; remembers when someone's hand was here."""
        if event.type() in {QEvent.Type.MouseMove, QEvent.Type.MouseButtonPress, QEvent.Type.TouchBegin}:
            self.touched_at = time.monotonic()
        return super().eventFilter(watched, event)


class RejectsPage(Page):
    """While the first cards are seen and nobody touches them, new parts come in at the top; else they are counted on a
    button and wait.
    """

    def __init__(self, client: Client, parent: QWidget | None = None) -> None:
        super().__init__(client, parent)
        look = Look.here()
        outer = QVBoxLayout(self)
        outer.setContentsMargins(*(look.px(10),) * 4)
        self.stack = QStackedWidget()
        outer.addWidget(self.stack)
        self.feed = Feed(client, self)
        self.thumbs = Thumbnails(client, self)
        self.model = PartModel(self)
        self.waiting: list[PartRow] = []
        self.stack.addWidget(self._gallery_side())
        self.detail = Detail(client)
        self.stack.addWidget(self.detail)
        self._hand = QTimer(self, interval=500)
        self._hand.timeout.connect(self._flow_in)
        self._connect()
        if client.note is not None:
            self._show_status(client.note)

    def _gallery_side(self) -> QWidget:
        look = Look.here()
        side = QWidget()
        column = QVBoxLayout(side)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(look.px(8))
        self.filters = FilterBar()
        column.addWidget(self.filters)
        self.new = QPushButton()
        self.new.setAutoDefault(False)
        self.new.setProperty("kind", "primary")
        self.new.hide()
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self.new)
        row.addStretch(1)
        column.addLayout(row)
        self.gallery = Gallery(CardDelegate(self.thumbs, self))
        self.gallery.setModel(self.model)
        self.gallery.setAccessibleName(self.tr("Rejected and doubtful parts"))
        self.none = Empty(self.tr("No such part."), Sign.GOOD)
        self.again = button(self.tr("Ask again"))
        self.again.hide()
        self.none.hide()
        column.addWidget(self.gallery, 1)
        column.addWidget(self.none, 1)
        column.addWidget(self.again, 0, Qt.AlignmentFlag.AlignHCenter)
        return side

    def _connect(self) -> None:
        self.filters.changed.connect(self._ask)
        self.again.clicked.connect(self._ask_again)
        self.new.clicked.connect(self.show_newest)
        self.feed.begun.connect(self._begun)
        self.feed.older.connect(self._older)
        self.feed.came.connect(self._came)
        self.feed.changed.connect(self._changed)
        self.feed.failed.connect(self._failed)
        self.thumbs.came.connect(self.model.touch)
        self.gallery.clicked.connect(self._open_index)
        self.gallery.activated.connect(self._open_index)
        self.gallery.verticalScrollBar().valueChanged.connect(self._scrolled)
        self.detail.left.connect(self.close_part)
        self.detail.step.connect(self._step)
        self.detail.review_wanted.connect(self._review)
        self.client.status.connect(self._show_status)
        self.client.link_changed.connect(self._link_changed)

    # The page

    def opened(self) -> None:
        """The first time: ask. Later the feed has kept itself up to date."""
        if not self.model.rows and not self.feed.asking:
            self.feed.begin(self.filters.wanted)
            self.client.call("GET", "recipes", answer=list[RecipeRow], then=self._show_recipes, failed=self._ignore)
        self._hand.start()

    def closed(self) -> None:
        """The feed goes on, without pictures."""
        self._hand.stop()

    def take(self, what: object) -> None:
        """A sequence: that part in full."""
        if isinstance(what, int):
            self.open_part(what)

    def _show_status(self, note: StationNote) -> None:
        self.filters.show_classes(note.classes)
        self.filters.show_recipes((note.recipe.rpartition("@")[0] or note.recipe,))

    def _show_recipes(self, rows: list[RecipeRow]) -> None:
        self.filters.show_recipes(tuple(row.name for row in rows))

    def _ignore(self, _refusal: Refusal) -> None:
        """The recipe on the line is in the list anyhow."""

    def _link_changed(self, link: Link) -> None:
        if link is Link.LIVE:
            self.thumbs.try_again()
            self.gallery.viewport().update()
            if self.stack.currentWidget() is self.detail:
                self.detail.reload()
                self.detail.viewer.retry()

    # The gallery

    def _ask(self, wanted: Wanted) -> None:
        self.feed.begin(wanted)

    def _ask_again(self) -> None:
        self.feed.begin(self.filters.wanted)

    def _begun(self, rows: list[PartRow]) -> None:
        self.waiting = []
        self.model.set_rows(rows)
        self.gallery.scrollToTop()
        self._show_waiting()
        self.again.hide()
        self._show_none(self.tr("No such part."), Sign.GOOD)
        # A tall window may hold more than a page.
        QTimer.singleShot(0, self, self._look_for_end)

    def _show_none(self, text: str, sign: Sign) -> None:
        empty = not self.model.rows
        self.none.text.setText(text)
        self.none.sign.set_sign(sign)
        self.none.setVisible(empty)
        self.gallery.setVisible(not empty)

    def _failed(self, text: str) -> None:
        if self.model.rows:
            self.client.problem.emit(text)
            return
        self.again.show()
        self._show_none(text, Sign.WARN)

    def _older(self, rows: list[PartRow]) -> None:
        self.model.put_below(rows)
        self._show_ends()
        QTimer.singleShot(0, self, self._look_for_end)

    def _came(self, rows: list[PartRow]) -> None:
        self.waiting += rows
        self._flow_in()

    def is_followed(self) -> bool:
        """The newest card is seen, none is chosen, and no hand is over them: what comes may move them."""
        at_top = self.gallery.verticalScrollBar().value() == 0
        chosen = self.gallery.currentIndex().isValid() and self.gallery.hasFocus()
        hand = time.monotonic() - self.gallery.touched_at < HAND_S
        in_gallery = self.stack.currentWidget() is not self.detail
        return at_top and not chosen and not hand and in_gallery

    def _flow_in(self) -> None:
        if self.waiting and (not self.model.rows or self.is_followed()):
            self.show_newest()
        else:
            self._show_waiting()

    def show_newest(self) -> None:
        """All that wait come in, and the top is seen."""
        rows, self.waiting = self.waiting[::-1], []
        if rows:
            self.model.put_on_top(rows)
            self._cut()
        self.gallery.clearSelection()
        self.gallery.setCurrentIndex(QModelIndex())
        self.gallery.scrollToTop()
        self._show_waiting()
        self._show_none(self.tr("No such part."), Sign.GOOD)
        self._show_ends()

    def _cut(self) -> None:
        last = self.model.cut(KEPT_ROWS)
        if last is not None:
            self.feed.forget_below(last)

    def _show_waiting(self) -> None:
        count = len(self.waiting)
        if count > KEPT_ROWS:
            # Nobody has looked for hours: the list begins anew when someone does.
            self.waiting = self.waiting[-KEPT_ROWS:]
        text = self.tr("▲  1 new part") if count == 1 else self.tr("▲  {n} new parts")
        self.new.setText(text.format(n=count_word(count)))
        self.new.setVisible(count > 0)

    def _changed(self, change: tuple[int, dict[str, object]]) -> None:
        sequence, changes = change
        self.model.change(sequence, changes)
        self.waiting = [row.model_copy(update=changes) if row.sequence == sequence else row for row in self.waiting]
        if sequence == self.detail.sequence and self.stack.currentWidget() is self.detail:
            self.detail.reload()

    def _scrolled(self, _value: int) -> None:
        self._look_for_end()

    def _look_for_end(self) -> None:
        bar = self.gallery.verticalScrollBar()
        if bar.maximum() - bar.value() < NEAR_END * Look.here().px(CARD[1]):
            self.feed.more()

    # One part

    def _open_index(self, index: QModelIndex) -> None:
        row = index.data(ROW)
        if isinstance(row, PartRow):
            self.open_part(row.sequence)

    def open_part(self, sequence: int) -> None:
        """In full."""
        at = self.model.find(sequence)
        title = f"#{sequence}"
        if at is not None:
            row = self.model.rows[at]
            title = f"{result_word(row.result)}  ·  {row.part_id or title}  ·  {local_time(row.at)}"
            self.gallery.setCurrentIndex(self.model.index(at))
        self.stack.setCurrentWidget(self.detail)
        self.detail.open(sequence, title)
        self._show_ends()

    def close_part(self) -> None:
        """Back to the gallery, to the card of the part."""
        self.stack.setCurrentIndex(0)
        self.gallery.setFocus()
        self.gallery.scrollTo(self.gallery.currentIndex())

    def _step(self, by: int) -> None:
        at = self.model.find(self.detail.sequence) if self.detail.sequence is not None else None
        if at is None and self.model.rows:
            self.open_part(self.model.rows[0].sequence)
        elif at is not None and at + by < 0 and self.waiting:
            self._let_in()
            self._step(by)
        elif at is not None and 0 <= at + by < len(self.model.rows):
            self.open_part(self.model.rows[at + by].sequence)
        if at is not None and at + by >= len(self.model.rows) - 2:
            self.feed.more()

    def _let_in(self) -> None:
        """The newer ones, while one part is looked at."""
        rows, self.waiting = self.waiting[::-1], []
        self.model.put_on_top(rows)
        self._cut()
        self._show_waiting()

    def _show_ends(self) -> None:
        at = self.model.find(self.detail.sequence) if self.detail.sequence is not None else None
        last = len(self.model.rows) - 1
        self.detail.set_ends(newest=at == 0 and not self.waiting, oldest=at == last and self.feed.before is None)

    def _review(self, sequence: int) -> None:
        self.wanted.emit("review", sequence)
