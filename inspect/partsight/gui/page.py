"""What a page of the screen is.

    class TrendsPage(Page):
        def __init__(self, client: Client, parent: QWidget | None = None) -> None:
            super().__init__(client, parent)
            client.status.connect(self._show)        # bound methods only
        def opened(self) -> None: ...                # ask for data, client.watch(...) here
        def closed(self) -> None: ...                # stop asking; client.unwatch(...)

A page is made once a window, and made anew when the language or the theme is switched (so no retranslation is
needed): every text goes through `self.tr("...")` or `QCoreApplication.translate("...", "...")` with `.format(...)`
behind it, never an f-string, which the translators' tools cannot read. Sizes come from `Look.here().px(...)`, or from
layouts alone; `look_changed` is called when the scale changes. Nothing in a page may take longer than a few
milliseconds: ask by `client.call`, decode by `client.fetch_image`.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, Signal
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QWidget

from partsight.gui.client import Client
from partsight.gui.theme import Look


class Page(QWidget):
    """See the module. `wanted(key, what)`: asks the window to open another page; it calls that page's `take(what)`."""

    wanted = Signal(str, object)

    def __init__(self, client: Client, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.client = client
        self.is_open = False
        Look.here().changed.connect(self.look_changed)

    def opened(self) -> None:
        """The page has come into view, or the connection has come back while it is."""

    def closed(self) -> None:
        """The page is out of view."""

    def take(self, what: object) -> None:
        """Another page has sent the person here because of this (a sequence, say)."""

    def unsaved(self) -> str:
        """What would be lost if the screen were closed now, in words; nothing: an empty text."""
        return ""

    def look_changed(self) -> None:
        """The scale or the theme is another."""

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 (Qt's name)
        """Qt's; calls `opened`."""
        super().showEvent(event)
        if not self.is_open:
            self.is_open = True
            self.opened()

    def hideEvent(self, event: QHideEvent) -> None:  # noqa: N802 (Qt's name)
        """Qt's; calls `closed`."""
        super().hideEvent(event)
        if self.is_open and event.type() == QEvent.Type.Hide:
            self.is_open = False
            self.closed()
