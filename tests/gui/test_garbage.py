"""No worker thread destroys an object of Qt's: it and the window could wait for each other for ever."""

from __future__ import annotations

import threading
import weakref
from typing import Any

from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot


class Knot(QObject):
    """Refers to itself, so that only the collector can end it."""

    def __init__(self) -> None:
        super().__init__()
        self.own = self


def test_garbage_of_qt_is_collected_by_the_windows_thread_whoever_allocates(qtbot: QtBot) -> None:
    ended: list[str] = []

    def note() -> None:
        ended.append(threading.current_thread().name)

    weakref.finalize(Knot(), note)

    kept: list[list[Any]] = []

    def allocate() -> None:
        kept.extend([] for _ in range(200_000))

    worker = threading.Thread(target=allocate, name="worker")
    worker.start()
    worker.join()
    assert ended == []
    qtbot.waitUntil(lambda: bool(ended))
    assert ended == [threading.main_thread().name]
