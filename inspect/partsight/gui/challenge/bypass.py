"""BYPASS: inspect and reject nothing. For engineers, with a reason, and shown for as long as it lasts."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QWidget

from partsight.domain.status import Mode
from partsight.gui.client import Client, Link
from partsight.gui.theme import Look, set_property
from partsight.gui.widgets.cards import Card, allow, button, text_label
from partsight.gui.words import needs_word, since_word
from partsight.wire.screen.commands import CommandAnswer
from partsight.wire.screen.people import Role

MOST_WHY = 256


class Bypass(Card):
    """A switch that cannot be thrown by accident: the reason is typed first."""

    def __init__(self, client: Client, parent: QWidget | None = None) -> None:
        super().__init__("", parent)
        self._client = client
        look = Look.here()
        self.column.addWidget(text_label(self.tr("BYPASS"), "heading"))
        self.text = text_label("", wrap=True)
        self.column.addWidget(self.text)
        row = QHBoxLayout()
        row.setSpacing(look.px(8))
        self.why = QLineEdit(maxLength=MOST_WHY)
        self.why.setPlaceholderText(self.tr("Why? (kept in the audit trail)"))
        self.switch = button(self.tr("Reject nothing"), "danger")
        row.addWidget(self.why, 1)
        row.addWidget(self.switch)
        self.column.addLayout(row)
        self.why.textChanged.connect(self._show)
        self.switch.clicked.connect(self._switch)
        client.status.connect(self._show)
        client.session.connect(self._show)
        client.link_changed.connect(self._show)
        self._show()

    def is_on(self) -> bool:
        """As the station says."""
        note = self._client.note
        return note is not None and note.mode is Mode.BYPASS

    def _show(self, _what: object = None) -> None:
        client, note, on = self._client, self._client.note, self.is_on()
        if on and note is not None and note.bypass_since is not None:
            text = self.tr("ON for {since}: parts are inspected, nothing is rejected. A new start ends it, too.")
            self.text.setText(text.format(since=since_word(note.bypass_since)))
        elif on:
            self.text.setText(self.tr("ON: parts are inspected, nothing is rejected."))
        else:
            self.text.setText(self.tr("Off. Parts would be inspected, and nothing rejected, until somebody ends it."))
        set_property(self, "tone", "bad" if on else "")
        self.switch.setText(self.tr("Reject again") if on else self.tr("Reject nothing"))
        set_property(self.switch, "kind", "primary" if on else "danger")
        may, live = client.may(Role.ENGINEER), client.link is Link.LIVE
        self.why.setVisible(not on)
        self.why.setEnabled(may and live)
        if not may:
            allow(self.switch, False, needs_word(Role.ENGINEER))
        elif not live:
            allow(self.switch, False, self.tr("No connection to the station."))
        else:
            allow(self.switch, on or bool(self.why.text().strip()), self.tr("Say why first."))

    def _switch(self) -> None:
        on = not self.is_on()
        body = {"on": on, "why": self.why.text().strip()}
        self._client.call("POST", "commands/bypass", body=body, answer=CommandAnswer, then=self._done)

    def _done(self, answer: CommandAnswer) -> None:
        if not answer.ok:
            self._client.problem.emit(answer.text)
        else:
            self.why.clear()
