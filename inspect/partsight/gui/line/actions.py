"""The line's buttons. Each is off with its reason where it cannot work now, or the person has not the right."""

from __future__ import annotations

from PySide6.QtWidgets import QGridLayout, QPushButton, QWidget

from partsight.domain.status import StationState
from partsight.gui.client import Client, Link
from partsight.gui.theme import Look, set_property
from partsight.gui.widgets.cards import allow, button
from partsight.gui.words import needs_word, state_word
from partsight.wire.screen.commands import CommandAnswer
from partsight.wire.screen.people import Role

STARTS_FROM = {StationState.READY, StationState.HELD, StationState.HALTED, StationState.INITIALIZED}
STOPS_FROM = {StationState.RUNNING, StationState.HELD, StationState.READY, StationState.SUSPENDED}


class Actions(QWidget):
    """Start, hold, stop, trigger, acknowledge. The station decides; what it refuses is shown with its reason."""

    def __init__(self, client: Client, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._client = client
        self.start = button(self.tr("Start"), "primary")
        self.hold = button(self.tr("Hold"))
        self.stop = button(self.tr("Stop"))
        self.trigger = button(self.tr("Trigger"))
        self.acknowledge = button(self.tr("Acknowledge"))
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(Look.here().px(8))
        for i, made in enumerate((self.start, self.hold, self.stop, self.trigger)):
            grid.addWidget(made, i // 2, i % 2)
        grid.addWidget(self.acknowledge, 2, 0, 1, 2)
        self.start.clicked.connect(self._start)
        self.hold.clicked.connect(self._hold)
        self.stop.clicked.connect(self._stop)
        self.trigger.clicked.connect(self._trigger)
        self.acknowledge.clicked.connect(self._acknowledge)
        client.status.connect(self.show_state)
        client.link_changed.connect(self.show_state)
        client.session.connect(self.show_state)
        self.show_state()

    def show_state(self, _what: object = None) -> None:
        """Which can be pressed, and why not."""
        client, note = self._client, self._client.note
        if client.link is not Link.LIVE or note is None:
            for made in (self.start, self.hold, self.stop, self.trigger, self.acknowledge):
                allow(made, False, self.tr("No connection to the station."))
            return
        operator = client.may(Role.OPERATOR)
        for made, fits in (
            (self.start, note.state in STARTS_FROM),
            (self.hold, note.state is StationState.RUNNING),
            (self.stop, note.state in STOPS_FROM),
            (self.trigger, note.state is StationState.RUNNING),
        ):
            self._allow(made, operator, fits, state_word(note.state))
        may = client.me.acknowledge or operator
        waits = bool(note.faults) or note.line_stop or note.overrun
        allow(
            self.acknowledge,
            may and waits,
            self.tr("Nothing to acknowledge.") if may else needs_word(Role.OPERATOR),
        )
        set_property(self.acknowledge, "kind", "danger" if may and waits else "plain")

    def _allow(self, made: QPushButton, operator: bool, fits: bool, state: str) -> None:
        if not operator:
            allow(made, False, needs_word(Role.OPERATOR))
        else:
            allow(made, fits, self.tr("Not while the station is: {state}.").format(state=state))

    def _start(self) -> None:
        self._send("start")

    def _hold(self) -> None:
        self._send("hold")

    def _stop(self) -> None:
        self._send("stop")

    def _trigger(self) -> None:
        self._send("trigger")

    def _acknowledge(self) -> None:
        self._send("reset")

    def _send(self, name: str) -> None:
        body: dict[str, object] | None = {} if name == "trigger" else None
        self._client.call("POST", f"commands/{name}", body=body, answer=CommandAnswer, then=self._done)

    def _done(self, answer: CommandAnswer) -> None:
        if not answer.ok:
            self._client.problem.emit(answer.text)
