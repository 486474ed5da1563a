"""Python's cyclic garbage, collected in the window's thread and in no other.

Left to itself the collector runs in whatever thread happens to allocate. In a worker thread it would destroy Qt's
objects: that thread then has Qt's lock and waits for the interpreter, the window's has the interpreter and waits for
Qt's lock, and the screen stands still for ever.
"""

from __future__ import annotations

import gc

from PySide6.QtCore import QObject, QTimer

LOOK_MS = 200


class Collector(QObject):
    """From here on garbage is collected by a timer of this thread, at Python's own thresholds."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        gc.disable()
        # What was imported stays: the collector need not go through it again and again.
        gc.freeze()
        self._timer = QTimer(self)
        self._timer.timeout.connect(collect_due)
        self._timer.start(LOOK_MS)

    def stop(self) -> None:
        """Give the collector back to Python."""
        self._timer.stop()
        gc.enable()


def collect_due() -> None:
    """Collect the oldest generation whose time has come."""
    counts, thresholds = gc.get_count(), gc.get_threshold()
    for generation in (2, 1, 0):
        if counts[generation] > thresholds[generation]:
            gc.collect(generation)
            return
