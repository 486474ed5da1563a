"""Short messages in the lower left corner, away from the buttons. They go by themselves, or by a click."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtWidgets import QFrame, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from partsight.gui.signs import Sign
from partsight.gui.theme import Look, set_property
from partsight.gui.widgets.cards import SignView, Tone, button, text_label, tone_colour

SHOWN_MS = 8000
AT_MOST = 3
SIDE = 104
LONGEST = 400
"""Characters; what is longer has its place in a log."""


class Notice(QFrame):
    """One message."""

    def __init__(self, text: str, tone: Tone, parent: QWidget) -> None:
        super().__init__(parent)
        set_property(self, "tone", tone)
        look = Look.here()
        row = QHBoxLayout(self)
        row.setContentsMargins(look.px(12), look.px(8), look.px(8), look.px(8))
        row.setSpacing(look.px(10))
        sign = SignView(size=24)
        sign.set_sign(Sign.GOOD if tone == "good" else Sign.WARN, tone_colour(tone))
        row.addWidget(sign)
        cut = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
        self.label = text_label(cut, wrap=True)
        self.label.setMinimumWidth(look.px(280))
        self.label.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.MinimumExpanding)
        row.addWidget(self.label, 1)
        close = button("✕", "quiet")
        close.setAccessibleName(self.tr("Close"))
        close.clicked.connect(self.deleteLater)
        row.addWidget(close, 0, Qt.AlignmentFlag.AlignTop)
        QTimer.singleShot(SHOWN_MS, self, self.deleteLater)


class Notices(QWidget):
    """Lies over `host`, beside the side bar."""

    def __init__(self, host: QWidget) -> None:
        super().__init__(host)
        self._host = host
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(Look.here().px(8))
        host.installEventFilter(self)
        self.hide()

    def tell(self, text: str, tone: Tone = "warn") -> None:
        """Show a message; the same one that stands there already is not shown twice."""
        shown = self.texts()
        if text in shown:
            return
        if len(shown) >= AT_MOST:
            oldest = self.findChildren(Notice)[0]
            self._column.removeWidget(oldest)
            oldest.setParent(None)
            oldest.deleteLater()
        notice = Notice(text, tone, self)
        notice.destroyed.connect(self._place)
        self._column.addWidget(notice)
        notice.show()
        self._place()

    def texts(self) -> list[str]:
        """What stands there, the oldest first."""
        return [notice.label.text() for notice in self.findChildren(Notice)]

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 (Qt's name)
        """Qt's; follows the host's size."""
        if watched is self._host and event.type() == QEvent.Type.Resize:
            self._place()
        return super().eventFilter(watched, event)

    def _place(self) -> None:
        self.setVisible(bool(self.findChildren(Notice)))
        if not self.isVisible():
            return
        margin = Look.here().px(16)
        width = min(Look.here().px(420), self._host.width() - 2 * margin)
        self.setFixedWidth(width)
        self._column.activate()
        height = self._column.totalHeightForWidth(width)
        self.setFixedHeight(max(1, height))
        self.move(Look.here().px(SIDE), self._host.height() - height - margin)
        self.raise_()
