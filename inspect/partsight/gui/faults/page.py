"""Faults that stand, each with its cure, and those that are over."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from partsight.gui.client import Client, Link
from partsight.gui.page import Page
from partsight.gui.signs import Sign
from partsight.gui.theme import Look, set_property
from partsight.gui.widgets.cards import Empty, SignView, allow, button, text_label, tone_colour
from partsight.gui.words import local_time, needs_word, since_word
from partsight.wire.screen.commands import CommandAnswer
from partsight.wire.screen.people import Role
from partsight.wire.screen.station import FaultBoard, FaultNote, StationNote
from partsight.wire.screen.stream import EventNote

HISTORY = 100
AGE_MS = 1000


class FaultCard(QFrame):
    """One fault."""

    def __init__(self, fault: FaultNote, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.fault = fault
        over = fault.until is not None
        if over:
            self.setProperty("role", "card")
        else:
            set_property(self, "tone", "bad")
        look = Look.here()
        row = QHBoxLayout(self)
        row.setContentsMargins(look.px(14), look.px(10), look.px(14), look.px(10))
        row.setSpacing(look.px(14))
        sign = SignView(size=24 if over else 36)
        sign.set_sign(Sign.GOOD if over else Sign.BAD, tone_colour("idle" if over else "bad"))
        row.addWidget(sign, 0, Qt.AlignmentFlag.AlignTop)
        column = QVBoxLayout()
        column.setSpacing(look.px(4))
        row.addLayout(column, 1)
        self.text = text_label(fault.text, "" if over else "heading", wrap=True)
        column.addWidget(self.text)
        if fault.cure:
            column.addWidget(text_label(self.tr("What to do: {cure}").format(cure=fault.cure), wrap=True))
        self.when = text_label("", "small")
        column.addWidget(self.when)
        self.show_age()

    def show_age(self) -> None:
        """Since when, and how long that is."""
        fault = self.fault
        if fault.until is not None:
            text = self.tr("{since} to {until}  ·  {key}")
            words = text.format(since=local_time(fault.since, day=True), until=local_time(fault.until), key=fault.key)
        else:
            text = self.tr("Since {since}, {age}  ·  {key}")
            words = text.format(since=local_time(fault.since), age=since_word(fault.since), key=fault.key)
            if fault.latched:
                words += "  ·  " + self.tr("stays until it is acknowledged")
        self.when.setText(words)


class FaultsPage(Page):
    """Those that stand first, then the history, the newest first."""

    def __init__(self, client: Client, parent: QWidget | None = None) -> None:
        super().__init__(client, parent)
        look = Look.here()
        outer = QVBoxLayout(self)
        outer.setContentsMargins(*(look.px(10),) * 4)
        outer.setSpacing(look.px(8))
        head = QHBoxLayout()
        self.title = text_label(self.tr("Faults"), "title")
        self.acknowledge = button(self.tr("Acknowledge"))
        head.addWidget(self.title, 1)
        head.addWidget(self.acknowledge)
        outer.addLayout(head)
        scroll = QScrollArea(widgetResizable=True)
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, look.px(6), 0)
        column.setSpacing(look.px(8))
        self.none = Empty(self.tr("No fault"), Sign.GOOD)
        self.none.setMinimumHeight(look.px(160))
        self._standing = QVBoxLayout()
        self._history = QVBoxLayout()
        for layout in (self._standing, self._history):
            layout.setSpacing(look.px(8))
        self.history_title = text_label(self.tr("Over"), "heading")
        column.addWidget(self.none)
        column.addLayout(self._standing)
        column.addWidget(self.history_title)
        column.addLayout(self._history)
        column.addStretch(1)
        scroll.setWidget(inside)
        outer.addWidget(scroll, 1)
        self.standing: list[FaultCard] = []
        self.history: list[FaultCard] = []
        self.history_title.hide()
        self.acknowledge.clicked.connect(self._acknowledge)
        client.status.connect(self._show)
        client.session.connect(self._show_right)
        client.link_changed.connect(self._show_right)
        client.happened.connect(self._take_event)
        self._ages = QTimer(self, interval=AGE_MS)
        self._ages.timeout.connect(self._show_ages)
        if client.note is not None:
            self._show(client.note)
        self._show_right()

    def opened(self) -> None:
        """Ask for the history."""
        self._ages.start()
        self._ask_history()

    def closed(self) -> None:
        """Nobody looks."""
        self._ages.stop()

    def _show(self, note: StationNote) -> None:
        if tuple(card.fault for card in self.standing) != note.faults:
            self.standing = _filled(self._standing, self.standing, note.faults)
            if self.is_open:
                self._ask_history()
        self.none.setVisible(not note.faults)
        self._show_right()

    def _show_right(self, _what: object = None) -> None:
        client, note = self.client, self.client.note
        may = client.me.acknowledge or client.may(Role.OPERATOR)
        waits = note is not None and bool(note.faults) and client.link is Link.LIVE
        allow(
            self.acknowledge,
            may and waits,
            self.tr("Nothing to acknowledge.") if may else needs_word(Role.OPERATOR),
        )
        set_property(self.acknowledge, "kind", "primary" if may and waits else "plain")

    def _show_ages(self) -> None:
        for card in self.standing:
            card.show_age()

    def _take_event(self, event: EventNote) -> None:
        if self.is_open and event.kind in {"fault", "fault-over"}:
            self._ask_history()

    def _ask_history(self) -> None:
        self.client.call("GET", "faults", params={"history": HISTORY}, answer=FaultBoard, then=self._show_history)

    def _show_history(self, board: FaultBoard) -> None:
        over = board.over
        if tuple(card.fault for card in self.history) != over:
            self.history = _filled(self._history, self.history, over)
        self.history_title.setVisible(bool(over))

    def _acknowledge(self) -> None:
        self.client.call("POST", "commands/reset", answer=CommandAnswer, then=self._acknowledged)

    def _acknowledged(self, answer: CommandAnswer) -> None:
        if not answer.ok:
            self.client.problem.emit(answer.text)


def _filled(layout: QVBoxLayout, old: list[FaultCard], faults: tuple[FaultNote, ...]) -> list[FaultCard]:
    """The layout's cards anew."""
    for card in old:
        layout.removeWidget(card)
        card.deleteLater()
    made = [FaultCard(fault) for fault in faults]
    for card in made:
        layout.addWidget(card)
    return made
