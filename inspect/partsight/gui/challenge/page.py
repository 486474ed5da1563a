"""The challenge page: what is asked for, the kit, the start; the guided test; its report."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from partsight.gui.calls import Refusal
from partsight.gui.challenge.bypass import Bypass
from partsight.gui.challenge.guide import Guide
from partsight.gui.challenge.kit import KitDialog
from partsight.gui.challenge.reports import Reports, ReportView
from partsight.gui.challenge.words import due_word, outcome_word, part_word
from partsight.gui.client import Client, Link
from partsight.gui.page import Page
from partsight.gui.signs import Sign
from partsight.gui.theme import Look
from partsight.gui.widgets.cards import Banner, Card, SignView, allow, button, text_label, tone_colour
from partsight.gui.words import local_time, needs_word
from partsight.wire.screen.challenge import ChallengeReport, ChallengeState, KitPart
from partsight.wire.screen.people import Role
from partsight.wire.screen.station import StationNote
from partsight.wire.screen.stream import EventNote

MOST_WHY = 128
REASONS = ("shift", "change", "due")


class ChallengePage(Page):
    """Follows the station: a test that another screen or the line has begun is shown here, too."""

    def __init__(self, client: Client, parent: QWidget | None = None) -> None:
        super().__init__(client, parent)
        self.state = ChallengeState()
        self._runs = False
        look = Look.here()
        outer = QVBoxLayout(self)
        outer.setContentsMargins(*(look.px(10),) * 4)
        outer.setSpacing(look.px(8))
        self.due, self.failed = Banner(Sign.CHALLENGE, "warn"), Banner(Sign.BAD, "bad")
        outer.addWidget(self.failed)
        outer.addWidget(self.due)
        self.stack = QStackedWidget()
        outer.addWidget(self.stack, 1)
        self.guide, self.report = Guide(), ReportView(client)
        self.home = self._home(client, look)
        for widget in (self.home, self.guide, self.report):
            self.stack.addWidget(widget)
        self.start.clicked.connect(self._start)
        self.edit.clicked.connect(self.edit_kit)
        self.guide.called.connect(self._call)
        self.guide.confirmed.connect(self._confirm)
        self.guide.aborted.connect(self._abort)
        self.reports.opened.connect(self.show_report)
        self.report.left.connect(self._show_home)
        client.status.connect(self._take_status)
        client.session.connect(self._show)
        client.link_changed.connect(self._show)
        client.happened.connect(self._take_event)
        if client.note is not None:
            self._take_status(client.note)
        self._show()

    def _home(self, client: Client, look: Look) -> QWidget:
        home = QWidget()
        row = QHBoxLayout(home)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(look.px(8))
        left = QVBoxLayout()
        left.setSpacing(look.px(8))
        left.addWidget(self._start_card(look))
        left.addWidget(self._kit_card(look), 1)
        row.addLayout(left, 4)
        right = QVBoxLayout()
        right.setSpacing(look.px(8))
        self.reports, self.bypass = Reports(client), Bypass(client)
        right.addWidget(self.reports, 1)
        right.addWidget(self.bypass)
        row.addLayout(right, 5)
        return home

    def _start_card(self, look: Look) -> Card:
        card = Card()
        card.column.addWidget(text_label(self.tr("Challenge test"), "title"))
        self.last = text_label("", wrap=True)
        card.column.addWidget(self.last)
        self.why = QComboBox()
        typed = QLineEdit(maxLength=MOST_WHY)
        typed.setPlaceholderText(self.tr("Why? Choose, or type"))
        self.why.setEditable(True)
        self.why.setLineEdit(typed)
        self.why.setAccessibleName(self.tr("Why"))
        for reason in REASONS:
            self.why.addItem(due_word(reason), reason)
        self.why.setCurrentIndex(-1)
        card.column.addWidget(self.why)
        self.start = button(self.tr("Start the test"), "primary")
        self.start.setProperty("touch", "big")
        card.column.addWidget(self.start)
        words = self.tr("While it runs, Ready is 0 and only the parts that it asks for are judged.")
        card.column.addWidget(text_label(words, "small", wrap=True))
        return card

    def _kit_card(self, look: Look) -> Card:
        card = Card()
        head = QHBoxLayout()
        head.addWidget(text_label(self.tr("Kit of known parts"), "heading"), 1)
        self.edit = button(self.tr("Change …"))
        head.addWidget(self.edit)
        card.column.addLayout(head)
        scroll = QScrollArea(widgetResizable=True)
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, look.px(6), 0)
        no_kit = self.tr("There is no kit yet. An engineer says which known parts belong to it.")
        self.no_kit = text_label(no_kit, wrap=True)
        column.addWidget(self.no_kit)
        self._kit = QGridLayout()
        self._kit.setHorizontalSpacing(look.px(10))
        self._kit.setColumnStretch(2, 1)
        self._kit.setColumnStretch(3, 1)
        column.addLayout(self._kit)
        column.addStretch(1)
        scroll.setWidget(inside)
        card.column.addWidget(scroll, 1)
        self._shown_kit: tuple[KitPart, ...] | None = None
        return card

    # Following the station

    def opened(self) -> None:
        """Ask for the reports."""
        self.reports.ask()

    def _take_status(self, note: StationNote) -> None:
        if note.challenge is not None and note.challenge != self.state:
            self._take_state(note.challenge)

    def _take_state(self, state: ChallengeState) -> None:
        self.state = state
        runs = bool(state.running)
        if runs and not self._runs:
            self.stack.setCurrentWidget(self.guide)
        elif self._runs and not runs:
            self._ended(state.last)
        elif state.last is not None:
            self._renew(state.last)
        self._runs = runs
        self._show()

    def _renew(self, report: ChallengeReport) -> None:
        """The newest report has grown: parts in doubt are counted after the end."""
        shown = self.report.report
        if shown is not None and shown.number == report.number and shown != report:
            self.report.show_report(report)
            self.reports.add(report)

    def _ended(self, report: ChallengeReport | None) -> None:
        if report is not None:
            self.reports.add(report)
            self.show_report(report)
        else:
            self._show_home()
        if self.is_open:
            self.reports.ask()

    def _take_event(self, event: EventNote) -> None:
        if event.kind == "challenge" and self.is_open:
            self.reports.ask()

    def _show(self, _what: object = None) -> None:
        state, client = self.state, self.client
        may, live = client.may(Role.OPERATOR), client.link is Link.LIVE
        self.failed.setVisible(state.failed)
        self.failed.text.setText(
            self.tr("The last test has failed. Ready stays 0, and parts are rejected, until a test has passed.")
        )
        self.due.setVisible(bool(state.due) and not state.running)
        text = self.tr("A test is due: {why}.").format(why=due_word(state.due))
        if state.required:
            text += " " + self.tr("Ready stays 0 until it has passed.")
        self.due.text.setText(text)
        self.last.setText(self._last_words(state.last))
        reason = self.tr("No connection to the station.") if may else needs_word(Role.OPERATOR)
        allow(
            self.start,
            may and live and bool(state.kit) and not state.running,
            self.tr("There is no kit yet.") if may and live else reason,
        )
        engineer = client.may(Role.ENGINEER)
        words = self.tr("No connection to the station.") if engineer else needs_word(Role.ENGINEER)
        allow(self.edit, engineer and live and not state.running, words)
        self._show_kit(state.kit)
        if state.running:
            self.guide.show_state(state, may and live, reason)

    def _last_words(self, last: ChallengeReport | None) -> str:
        if last is None:
            return self.tr("No test yet.")
        text = self.tr("Last test: {outcome}, {at}, by {who}.")
        return text.format(outcome=outcome_word(last), at=local_time(last.ended), who=last.who or "–")

    def _show_kit(self, kit: tuple[KitPart, ...]) -> None:
        if kit == self._shown_kit:
            return
        self._shown_kit = kit
        while (item := self._kit.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        for row, part in enumerate(kit):
            sign = SignView(Sign.NG if part.bad else Sign.OK, 20)
            sign.set_sign(Sign.NG if part.bad else Sign.OK, tone_colour("bad" if part.bad else "good"))
            self._kit.addWidget(text_label(f"{row + 1}", "muted"), row, 0, Qt.AlignmentFlag.AlignRight)
            self._kit.addWidget(sign, row, 1)
            self._kit.addWidget(text_label(part.name), row, 2)
            self._kit.addWidget(text_label(part_word(part), "muted", wrap=True), row, 3)
        self.no_kit.setVisible(not kit)

    def _show_home(self) -> None:
        self.stack.setCurrentWidget(self.guide if self._runs else self.home)

    def show_report(self, report: ChallengeReport) -> None:
        """One of the list, or the one that has just ended."""
        self.report.show_report(report)
        self.stack.setCurrentWidget(self.report)

    # Asking

    def edit_kit(self) -> KitDialog:
        """A dialog over the page."""
        dialog = KitDialog(self.window(), self.client, self.state.kit)
        dialog.saved.connect(self._take_state)
        dialog.open()
        return dialog

    def _start(self) -> None:
        place = self.why.findText(self.why.currentText())
        why = self.why.itemData(place) if place >= 0 else self.why.currentText().strip()
        self._ask("start", {"why": why or self.state.due})

    def _call(self) -> None:
        self._ask("trigger", None)

    def _confirm(self, ok: bool, remark: str) -> None:
        self._ask("confirm", {"ok": ok, "remark": remark})

    def _abort(self) -> None:
        self._ask("abort", None)

    def _ask(self, what: str, body: dict[str, object] | None) -> None:
        self.client.call(
            "POST", f"challenge/{what}", body=body, answer=ChallengeState, then=self._take_state, failed=self._refused
        )

    def _refused(self, refusal: Refusal) -> None:
        self.client.problem.emit(str(refusal))
