"""The strip over every page: state, connection, faults, who is there, the clock; and the banners under it."""

from __future__ import annotations

from PySide6.QtCore import QDateTime, QLocale, QSize, QTimer, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from partsight.domain.status import Mode
from partsight.gui.client import Client, Link
from partsight.gui.signs import Sign, sign_icon
from partsight.gui.theme import Look, set_property
from partsight.gui.widgets.cards import Banner, ElidedLabel, SignView, button, text_label, tone_colour
from partsight.gui.words import STATE_SIGN, link_word, local_time, role_word, since_word, state_word
from partsight.wire.screen.people import Me
from partsight.wire.screen.station import StationNote

CLOCK_MS = 500
GAP = "\u2002"
"""Between a button's sign and its word: Qt leaves none under a style sheet."""
LINK_SIGN: dict[Link, Sign] = {
    Link.CONNECTING: Sign.IDLE,
    Link.LIVE: Sign.GOOD,
    Link.SILENT: Sign.BAD,
    Link.GONE: Sign.BAD,
    Link.LOGIN: Sign.PAUSE,
    Link.OTHER_VERSION: Sign.BAD,
}


class Strip(QFrame):
    """Always visible. `faults_wanted`, `person_wanted`: its buttons."""

    faults_wanted = Signal()
    person_wanted = Signal()

    def __init__(self, client: Client, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "strip")
        self._client = client
        look = Look.here()
        row = QHBoxLayout(self)
        row.setContentsMargins(look.px(12), look.px(5), look.px(8), look.px(5))
        row.setSpacing(look.px(8))
        self.state_sign = SignView(size=32)
        self.state = text_label("", "title")
        self.name = ElidedLabel("", "muted")
        self.link_sign = SignView(size=20)
        self.link = text_label("")
        self.faults = button("", "quiet")
        self.faults.clicked.connect(self.faults_wanted)
        self.person = button("", "quiet")
        self.person.clicked.connect(self.person_wanted)
        self.clock = text_label("", "heading")
        row.addWidget(self.state_sign)
        row.addWidget(self.state)
        row.addSpacing(look.px(4))
        row.addWidget(self.name, 1)
        row.addWidget(self.link_sign)
        row.addWidget(self.link)
        row.addSpacing(look.px(4))
        row.addWidget(self.faults)
        row.addWidget(self.person)
        row.addWidget(self.clock)
        self._timer = QTimer(self, interval=CLOCK_MS)
        self._timer.timeout.connect(self._tick)
        self._timer.start()
        client.status.connect(self._show)
        client.link_changed.connect(self._show_link)
        client.session.connect(self._show_person)
        self._show(client.note)
        self._show_link(client.link)
        self._show_person(client.me)
        self._tick()

    def _show(self, note: StationNote | None) -> None:
        if note is None:
            self.state.setText("")
            self.name.set_whole(self._client.url)
            self._show_faults(0)
            return
        if self._client.link is Link.LIVE:
            self.state.setText(state_word(note.state) if note.alive else self.tr("Not answering"))
            self.state_sign.set_sign(STATE_SIGN[note.state] if note.alive else Sign.BAD)
        self.name.set_whole(f"{note.name} · {note.recipe}" if note.recipe else note.name)
        self._show_faults(len(note.faults))

    def _show_faults(self, count: int) -> None:
        look = Look.here()
        colour = tone_colour("bad") if count else QColor(look.colours.muted)
        text = self.tr("{n} faults").format(n=count) if count != 1 else self.tr("1 fault")
        if self.faults.accessibleName() != text:
            self.faults.setAccessibleName(text)
            self.faults.setText(GAP + text)
            size = look.px(20)
            self.faults.setIconSize(QSize(size, size))
            sign, inner = Sign.BAD if count else Sign.FAULTS, QColor(look.colours.panel)
            self.faults.setIcon(sign_icon(sign, colour, inner, size, self.devicePixelRatioF()))
            set_property(self.faults, "kind", "danger" if count else "quiet")

    def _show_link(self, link: Link) -> None:
        self.link.setText(link_word(link))
        self.link_sign.set_sign(LINK_SIGN[link])
        self.link.setToolTip(self._client.link_why)
        if link is Link.LIVE:
            self._show(self._client.note)
        elif self._client.note is not None or link is not Link.CONNECTING:
            # What was last heard is no longer known to be so.
            self.state.setText(self.tr("Unknown"))
            self.state_sign.set_sign(Sign.WARN)

    def _show_person(self, me: Me) -> None:
        look = Look.here()
        size = look.px(20)
        self.person.setIconSize(QSize(size, size))
        text = QColor(look.colours.text)
        self.person.setIcon(sign_icon(Sign.PERSON, text, text, size, self.devicePixelRatioF()))
        self.person.setText(GAP + (me.user if me.user else self.tr("Log in")))
        self.person.setToolTip(role_word(me.role) if me.user and me.role is not None else "")

    def _tick(self) -> None:
        self.clock.setText(QLocale().toString(QDateTime.currentDateTime(), "HH:mm:ss"))


class Banners(QWidget):
    """What must be seen for as long as it lasts: no connection, simulation, bypass, challenge, an error's text."""

    def __init__(self, client: Client, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._client = client
        look = Look.here()
        column = QVBoxLayout(self)
        column.setContentsMargins(look.px(10), look.px(8), look.px(10), 0)
        column.setSpacing(look.px(6))
        self.gone = Banner(Sign.BAD, "bad")
        self.bypass = Banner(Sign.WARN, "bad")
        self.challenge = Banner(Sign.CHALLENGE, "info")
        self.simulation = Banner(Sign.WARN, "warn")
        self.error = Banner(Sign.BAD, "bad")
        self._all = (self.gone, self.bypass, self.challenge, self.error, self.simulation)
        for banner in self._all:
            column.addWidget(banner)
            banner.hide()
        self.hide()
        self._timer = QTimer(self, interval=CLOCK_MS)
        self._timer.timeout.connect(self._show)
        self._timer.start()
        client.status.connect(self._show)
        client.link_changed.connect(self._show)
        self._show()

    def _show(self, _what: object = None) -> None:
        client, note = self._client, self._client.note
        # Before the first word from the station, the middle of the window says it.
        lost = client.link in {Link.SILENT, Link.GONE} and note is not None
        if lost:
            self.gone.text.setText(self._lost_text())
        self._put(self.gone, lost)
        live = note is not None and client.link is Link.LIVE
        self._put(self.bypass, live and note is not None and note.mode is Mode.BYPASS)
        self._put(self.challenge, live and note is not None and note.mode is Mode.CHALLENGE)
        simulated = note is not None and (note.simulated or note.mode is Mode.SIMULATION)
        self._put(self.simulation, live and simulated)
        self._put(self.error, live and note is not None and bool(note.error_text))
        if note is not None:
            self._say(note)
        self.setVisible(any(not banner.isHidden() for banner in self._all))

    def _say(self, note: StationNote) -> None:
        since = since_word(note.bypass_since) if note.bypass_since is not None else ""
        self.bypass.text.setText(
            self.tr("BYPASS: parts are inspected, nothing is rejected. For {since}.").format(since=since)
            if since
            else self.tr("BYPASS: parts are inspected, nothing is rejected.")
        )
        self.challenge.text.setText(self.tr("CHALLENGE TEST: the parts are test parts."))
        self.simulation.text.setText(self.tr("SIMULATION: pictures and parts are not real."))
        self.error.text.setText(note.error_text)

    def _lost_text(self) -> str:
        client = self._client
        since = local_time(client.link_since)
        if client.link is Link.SILENT:
            return self.tr("The station does not answer since {since}. What you see is old.").format(since=since)
        text = self.tr("No connection to the station since {since}. What you see is old. Trying again …")
        return text.format(since=since)

    @staticmethod
    def _put(banner: Banner, shown: bool) -> None:
        if banner.isHidden() is shown:
            banner.setVisible(shown)
