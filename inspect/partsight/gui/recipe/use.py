"""The button that puts the shown recipe on the line, after a question."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget

from partsight.gui.calls import Refusal
from partsight.gui.client import Client, Link
from partsight.gui.widgets.cards import allow, button
from partsight.gui.widgets.question import Choice, Question
from partsight.gui.words import needs_word
from partsight.wire.screen.commands import CommandAnswer
from partsight.wire.screen.people import Role
from partsight.wire.screen.recipes import RecipeRow

CHANGE_S = 45.0
"""It is taken between two parts and then proven in the lane, before the answer comes."""


class Use(QWidget):
    """`said(text)`: how it went. The station decides; the event that it sends shows the new one on every screen."""

    said = Signal(str)

    def __init__(self, client: Client, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._client = client
        self._row: RecipeRow | None = None
        self._asking = False
        self.button = button(self.tr("Use on the line …"))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.button)
        self.button.clicked.connect(self._ask)
        client.session.connect(self._show_right)
        client.link_changed.connect(self._show_right)
        self._show_right()

    def show_row(self, row: RecipeRow | None) -> None:
        """The recipe that is shown; None before any is."""
        self._row = row
        self._show_right()

    def _show_right(self, _what: object = None) -> None:
        reason = self._why_not()
        allow(self.button, not reason, reason)

    def _why_not(self) -> str:
        if not self._client.may(Role.OPERATOR):
            return needs_word(Role.OPERATOR)
        if self._client.link is not Link.LIVE:
            return self.tr("No connection to the station.")
        if self._row is None or self._asking:
            return self.tr("Wait a moment.")
        if self._row.active:
            return self.tr("Parts are judged by it now.")
        return self._row.problem

    def _ask(self) -> None:
        if self._row is None:
            return
        title = self.tr("Judge by {name} from now on?").format(name=self._row.name)
        text = self.tr(
            "Parts under way are still judged by the recipe of now. Ready is 0 until the station has tried the new "
            "one. It stays chosen after a restart."
        )
        use: Choice = (self.tr("Use on the line"), "primary", self._send)
        Question(self.window(), title, text, (use, (self.tr("Cancel"), "plain", None))).open()

    def _send(self) -> None:
        if self._row is None:
            return
        self._asking = True
        self._show_right()
        self.said.emit(self.tr("The recipe is being changed …"))
        self._client.call(
            "POST",
            "commands/recipe",
            body={"name": self._row.name},
            answer=CommandAnswer,
            then=self._done,
            failed=self._refused,
            timeout_s=CHANGE_S,
        )

    def _done(self, _answer: CommandAnswer) -> None:
        self._asking = False
        self._show_right()
        self.said.emit(self.tr("Parts are judged by another recipe now."))

    def _refused(self, refusal: Refusal) -> None:
        self._asking = False
        self._show_right()
        self.said.emit(str(refusal))
