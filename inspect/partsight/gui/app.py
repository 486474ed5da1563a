"""The screen as a program: application, look, language, client and window, and a way to end it by a signal."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QSettings, QTimer
from PySide6.QtWidgets import QApplication

from partsight.gui.client import Client, ScreenError
from partsight.gui.garbage import Collector
from partsight.gui.language import LANGUAGES, Language, Languages, system_language
from partsight.gui.theme import Look, ThemeName
from partsight.gui.window import Options, Window

SIGNAL_MS = 200
WITHOUT_SCREEN = {"offscreen", "minimal", "vnc", "linuxfb", "eglfs"}
"""Qt platforms that need neither X nor Wayland."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asks for; None: as it was last time, else as the machine is set."""

    url: str
    kiosk: bool = False
    language: Language | None = None
    theme: ThemeName | None = None
    ca: Path | None = None
    idle_minutes: float = 10.0


def run(asked: Asked) -> int:
    """Show the screen until it is closed; the exit status. Raises ScreenError."""
    _need_display()
    app = QApplication.instance() or QApplication(["partsight"])
    assert isinstance(app, QApplication)
    app.setApplicationName("partsight")
    app.setDesktopFileName("partsight")
    app.setStyle("Fusion")
    Collector(app)
    settings = QSettings("partsight", "screen")
    look = Look(app, asked.theme or _theme(settings))
    languages = Languages(app, asked.language or _language(settings))
    client = Client(asked.url, asked.ca)
    window = Window(client, languages, Options(asked.kiosk, asked.idle_minutes))
    _end_by_signals(app)
    screen = window.screen().availableSize()
    if asked.kiosk:
        window.showFullScreen()
    else:
        window.resize(min(1440, screen.width()), min(900, screen.height()))
        window.show()
    client.start()
    try:
        return app.exec()
    finally:
        client.close()
        if asked.language is None:
            settings.setValue("language", languages.language)
        if asked.theme is None:
            settings.setValue("theme", look.theme)


def _need_display() -> None:
    platform = os.environ.get("QT_QPA_PLATFORM", "").partition(":")[0]
    if sys.platform != "linux" or platform in WITHOUT_SCREEN:
        return
    if not os.environ.get("DISPLAY") and not os.environ.get("WAYLAND_DISPLAY"):
        raise ScreenError(
            "There is no display here (neither DISPLAY nor WAYLAND_DISPLAY is set). Run it in a desktop session, or "
            "open the station's address in a browser for the wallboard."
        )


def _theme(settings: QSettings) -> ThemeName:
    return "light" if settings.value("theme") == "light" else "dark"


def _language(settings: QSettings) -> Language:
    kept = settings.value("language")
    return next((code for code in LANGUAGES if code == kept), system_language())


def _end_by_signals(app: QApplication) -> None:
    """SIGTERM and Ctrl+C close the screen in order, also those that come before Qt's loop runs.

    Python only sees a signal when it runs, and a `quit` before the loop is lost: hence the timer.
    """
    asked: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda got, _frame: asked.append(got))
    timer = QTimer(app, interval=SIGNAL_MS)
    # Not `quit`, which asks the window first: a machine that shuts down waits for no answer.
    timer.timeout.connect(lambda: app.exit(0) if asked else None)
    timer.start()
