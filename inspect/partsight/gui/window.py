"""The shell: strip above, side bar at the left, the pages, notices over them; keys, full screen, idle log-out."""

from __future__ import annotations

import time
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtGui import QActionGroup, QCloseEvent, QKeySequence, QResizeEvent, QShortcut
from PySide6.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QMainWindow,
    QMenu,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from partsight.gui.client import Client, Link
from partsight.gui.language import LANGUAGES, Language, Languages
from partsight.gui.login import LoginDialog, LoginPage
from partsight.gui.notices import Notices
from partsight.gui.page import Page
from partsight.gui.pages import PageSpec, present
from partsight.gui.side import PageButton, SideBar
from partsight.gui.signs import Sign
from partsight.gui.strip import Banners, Strip
from partsight.gui.theme import Look, ThemeName
from partsight.gui.widgets.cards import Empty, Tone
from partsight.gui.widgets.question import Choice, Question
from partsight.gui.words import needs_word
from partsight.wire.screen.people import Me, Role

IDLE_CHECK_MS = 1000
FIT_MS = 120
SIGNS_OF_LIFE = {
    QEvent.Type.KeyPress,
    QEvent.Type.MouseButtonPress,
    QEvent.Type.MouseMove,
    QEvent.Type.Wheel,
    QEvent.Type.TouchBegin,
}


@dataclass(frozen=True, slots=True)
class Options:
    """Of the window. idle_minutes: after which whoever is logged in is logged out, 0 never."""

    kiosk: bool = False
    idle_minutes: float = 10.0


class Window(QMainWindow):
    """One screen. It owns no data: the pages show what the client brings."""

    def __init__(self, client: Client, languages: Languages, options: Options | None = None) -> None:
        super().__init__()
        self.client, self._languages = client, languages
        self.options = options or Options()
        self.setWindowTitle("partsight")
        self.setMinimumSize(800, 560)
        self.resize(1280, 860)
        self._pages: dict[str, Page] = {}
        self._specs: tuple[PageSpec, ...] = ()
        self._key = "line"
        self._leaves = False
        self._last_life = time.monotonic()
        self._build()
        self._fit_timer = QTimer(self, interval=FIT_MS, singleShot=True)
        self._fit_timer.timeout.connect(self._fit)
        self._idle_timer = QTimer(self, interval=IDLE_CHECK_MS)
        self._idle_timer.timeout.connect(self._look_for_life)
        self._idle_timer.start()
        self._make_keys()
        client.link_changed.connect(self._show_link)
        client.session.connect(self._session)
        client.session_ended.connect(self._session_ended)
        client.problem.connect(self.tell)
        app = QApplication.instance()
        if app is not None:
            app.installEventFilter(self)

    # Building

    def _build(self) -> None:
        """Everything in the window; again after another language, theme or scale."""
        shown = self._key
        central = QWidget()
        outer = QVBoxLayout(central)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        self.strip = Strip(self.client)
        self.strip.faults_wanted.connect(self._open_faults)
        self.strip.person_wanted.connect(self._person_menu)
        outer.addWidget(self.strip)
        row = QHBoxLayout()
        row.setSpacing(0)
        outer.addLayout(row, 1)
        self._specs = present()
        self.side = SideBar(self._specs)
        self.side.chosen.connect(self.open_page)
        row.addWidget(self.side)
        column = QVBoxLayout()
        column.setSpacing(0)
        row.addLayout(column, 1)
        self.banners = Banners(self.client)
        column.addWidget(self.banners)
        self.stack = QStackedWidget()
        column.addWidget(self.stack, 1)
        self._pages = {spec.key: spec.make(self.client) for spec in self._specs}
        for page in self._pages.values():
            page.wanted.connect(self.open_page)
            self.stack.addWidget(page)
        self.login_page = LoginPage(self.client)
        self.plain = Empty("")
        self.stack.addWidget(self.login_page)
        self.stack.addWidget(self.plain)
        self.notices = Notices(central)
        self._key = shown
        self.setCentralWidget(central)
        self.side.buttons[self._key].setFocus()
        self.client.status.connect(self.side.show_status)
        if self.client.note is not None:
            self.side.show_status(self.client.note)
        self._show_link(self.client.link)

    def rebuild(self) -> None:
        """The old widgets go, and their connections with them."""
        self._build()

    def _make_keys(self) -> None:
        for number in range(1, 10):
            key = QShortcut(QKeySequence(f"Ctrl+{number}"), self)
            key.activated.connect(self._number_pressed)
        for keys, slot in (
            ("F11", self.toggle_full_screen),
            ("Ctrl+L", self.log_in),
            ("Ctrl+Shift+L", self.client.log_out),
            ("Ctrl+Q", self.quit_asked),
        ):
            QShortcut(QKeySequence(keys), self).activated.connect(slot)

    # Pages

    def open_page(self, key: str, what: object = None) -> None:
        """Show a page, and give it what the person came for."""
        page = self._pages.get(key)
        if page is None:
            return
        if isinstance(self.focusWidget(), PageButton):
            self.side.buttons[key].setFocus()
        self._key = key
        self._show_link(self.client.link)
        if what is not None:
            page.take(what)

    def page(self, key: str) -> Page:
        """A page by its key. Raises KeyError."""
        return self._pages[key]

    @property
    def shown(self) -> str:
        """The key of the page that is chosen."""
        return self._key

    def _number_pressed(self) -> None:
        sender = self.sender()
        if isinstance(sender, QShortcut):
            number = int(sender.key().toString().rpartition("+")[2]) - 1
            if number < len(self._specs):
                self.open_page(self._specs[number].key)

    def _open_faults(self) -> None:
        self.open_page("faults")

    def _show_link(self, link: Link) -> None:
        """Which widget fills the middle."""
        if link is Link.LOGIN:
            self._put_middle(self.login_page)
            self.login_page.form.start()
        elif link is Link.OTHER_VERSION:
            self._say(Sign.BAD, self.client.link_why)
        elif self.client.note is None:
            why = f"\n\n{self.client.link_why}" if self.client.link_why else ""
            self._say(Sign.IDLE, self.tr("Connecting to {url} …").format(url=self.client.url) + why)
        else:
            self._put_middle(self._pages[self._key])
        self.side.set_shown(self._key, usable=link not in {Link.LOGIN, Link.OTHER_VERSION})

    def _say(self, sign: Sign, text: str) -> None:
        self.plain.sign.set_sign(sign)
        self.plain.text.setText(text)
        self._put_middle(self.plain)

    def _put_middle(self, widget: QWidget) -> None:
        if self.stack.currentWidget() is not widget:
            self.stack.setCurrentWidget(widget)

    # People

    def log_in(self) -> None:
        """Ask for name and password."""
        if self.client.link is Link.LOGIN:
            self.login_page.form.start()
            return
        LoginDialog(self.client, self).open()

    def _session(self, me: Me) -> None:
        self._last_life = time.monotonic()
        if me.user:
            self.tell(self.tr("{user} is logged in.").format(user=me.user), "good")

    def _session_ended(self) -> None:
        self.tell(self.tr("Your login has ended. Log in again."))

    def _look_for_life(self) -> None:
        idle_s = time.monotonic() - self._last_life
        if self.client.me.user and self.options.idle_minutes and idle_s > self.options.idle_minutes * 60:
            self.client.log_out()
            self.tell(self.tr("Logged out: nobody was at the screen."), "info")

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 (Qt's name)
        """Qt's; every touch and key counts as life."""
        if event.type() in SIGNS_OF_LIFE:
            self._last_life = time.monotonic()
        return super().eventFilter(watched, event)

    def _person_menu(self) -> None:
        if not self.client.me.user and self.client.link is Link.LOGIN:
            self.login_page.form.start()
            return
        self.make_menu().popup(self.strip.person.mapToGlobal(self.strip.person.rect().bottomLeft()))

    def make_menu(self) -> QMenu:
        """Log in and out, language, theme, full screen."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        if self.client.me.user:
            menu.addAction(self.tr("Log out"), self.client.log_out)
        else:
            menu.addAction(self.tr("Log in …"), self.log_in)
        menu.addSeparator()
        languages = QActionGroup(menu)
        for code, name in LANGUAGES.items():
            action = menu.addAction(name)
            action.setCheckable(True)
            action.setChecked(code == self._languages.language)
            action.setData(("language", code))
            languages.addAction(action)
        menu.addSeparator()
        dark = Look.here().theme == "dark"
        theme = menu.addAction(self.tr("Light") if dark else self.tr("Dark"))
        theme.setData(("theme", "light" if dark else "dark"))
        if not self.options.kiosk:
            menu.addAction(self.tr("Full screen"), self.toggle_full_screen)
        menu.triggered.connect(self._menu_chosen)
        return menu

    def _menu_chosen(self, action: object) -> None:
        data = action.data() if hasattr(action, "data") else None
        if isinstance(data, (tuple, list)) and data[0] == "language":
            self.set_language(data[1])
        elif isinstance(data, (tuple, list)) and data[0] == "theme":
            self.set_theme(data[1])

    # How it looks

    def set_language(self, language: Language) -> None:
        """At once."""
        if language != self._languages.language:
            self._languages.use(language)
            self.rebuild()

    def set_theme(self, theme: ThemeName) -> None:
        """At once."""
        if theme != Look.here().theme:
            Look.here().set_theme(theme)
            self.rebuild()

    def tell(self, text: str, tone: Tone = "warn") -> None:
        """A notice in the corner."""
        self.notices.tell(text, tone)

    def toggle_full_screen(self) -> None:
        """F11; a kiosk stays full."""
        if self.options.kiosk:
            return
        if self.isFullScreen():
            self.showNormal()
        else:
            self.showFullScreen()

    def quit_asked(self) -> None:
        """Ctrl+Q."""
        if self.options.kiosk and not self.client.may(Role.ENGINEER):
            self.tell(needs_word(Role.ENGINEER))
            return
        QApplication.quit()

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802 (Qt's name)
        """Qt's; a kiosk is closed by Ctrl+Q and an engineer, or from outside. Asks where something would be lost."""
        if self.options.kiosk and event.spontaneous() and not self.client.may(Role.ENGINEER):
            event.ignore()
            return
        unsaved = "" if self._leaves else ", ".join(filter(None, (page.unsaved() for page in self._pages.values())))
        if unsaved:
            event.ignore()
            self._ask_leave(unsaved)
            return
        super().closeEvent(event)

    def _ask_leave(self, unsaved: str) -> None:
        text = self.tr("Not saved: {what}. It is lost when the screen is closed.").format(what=unsaved)
        stay: Choice = (self.tr("Go back"), "primary", None)
        Question(
            self, self.tr("Close the screen?"), text, ((self.tr("Close without saving"), "danger", self._leave), stay)
        ).open()

    def _leave(self) -> None:
        self._leaves = True
        self.close()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 (Qt's name)
        """Qt's; sizes follow when the window has come to rest."""
        super().resizeEvent(event)
        self._fit_timer.start()

    def _fit(self) -> None:
        look = Look.here()
        before = look.scale
        look.fit(self.width(), self.height())
        if look.scale != before:
            self.rebuild()
