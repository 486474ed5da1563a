"""The side bar: one big button a page, with a number on it where something waits there."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QButtonGroup, QFrame, QVBoxLayout, QWidget

from partsight.gui.pages import PageSpec
from partsight.gui.signs import paint_sign
from partsight.gui.theme import Look
from partsight.wire.screen.station import StationNote

WIDTH, HEIGHT = 88, 76
MOST = 999


class PageButton(QAbstractButton):
    """Sign over word; the chosen one has a bar at its side, not a colour alone."""

    def __init__(self, spec: PageSpec, number: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.spec = spec
        self.count = 0
        self.setCheckable(True)
        self.setText(spec.word)
        self.setAccessibleName(spec.word)
        self.setToolTip(f"{spec.word} (Ctrl+{number})")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        look = Look.here()
        self.setMinimumSize(look.px(WIDTH), look.px(56))
        self.setMaximumHeight(look.px(HEIGHT + 8))

    def set_count(self, count: int) -> None:
        """How much waits there; 0 shows nothing."""
        if count != self.count:
            self.count = count
            self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """Qt's."""
        return QSize(Look.here().px(WIDTH), Look.here().px(HEIGHT))

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802 (Qt's name)
        """Qt's."""
        look, c = Look.here(), Look.here().colours
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        rect = QRectF(self.rect())
        if self.isChecked() or self.underMouse() or self.isDown():
            painter.fillRect(rect, QColor(c.raised))
        if self.isChecked():
            painter.fillRect(QRectF(0, 0, look.px(5), rect.height()), QColor(c.accent))
        colour = QColor(c.accent if self.isChecked() else c.text)
        if not self.isEnabled():
            colour = QColor(c.neutral)
        sign = look.px(28)
        text_height = look.px(20)
        top = (rect.height() - sign - text_height - look.px(4)) / 2
        place = QRectF((rect.width() - sign) / 2, top, sign, sign)
        paint_sign(painter, place, self.spec.sign, colour, QColor(c.panel))
        painter.setPen(colour)
        painter.setFont(look.font(13, bold=self.isChecked()))
        text = painter.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, self.width() - look.px(8))
        under = QRectF(0, top + sign + look.px(4), rect.width(), text_height)
        painter.drawText(under, Qt.AlignmentFlag.AlignCenter, text)
        if self.count:
            self._paint_count(painter, place, look)
        if self.hasFocus():
            painter.setPen(QColor(c.accent))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            for inset in range(1, 1 + look.px(2)):
                painter.drawRect(self.rect().adjusted(inset, inset, -inset - 1, -inset - 1))
        painter.end()

    def _paint_count(self, painter: QPainter, place: QRectF, look: Look) -> None:
        text = str(self.count) if self.count <= MOST else f"{MOST}+"
        painter.setFont(look.font(12, bold=True))
        height = look.px(18)
        width = max(height, painter.fontMetrics().horizontalAdvance(text) + look.px(10))
        left = min(place.right() - look.px(6), self.width() - width - look.px(3))
        badge = QRectF(left, place.top() - look.px(7), width, height)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(look.colours.ng))
        painter.drawRoundedRect(badge, height / 2, height / 2)
        painter.setPen(QColor(look.colours.on_verdict))
        painter.drawText(badge, Qt.AlignmentFlag.AlignCenter, text)


class SideBar(QFrame):
    """`chosen(key)` when a page is wanted."""

    chosen = Signal(str)

    def __init__(self, specs: tuple[PageSpec, ...], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "side")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self._group = QButtonGroup(self)
        self.buttons: dict[str, PageButton] = {}
        for number, spec in enumerate(specs, 1):
            made = PageButton(spec, number)
            self._group.addButton(made)
            self.buttons[spec.key] = made
            column.addWidget(made)
        column.addStretch(1)
        self._group.buttonClicked.connect(self._clicked)

    def _clicked(self, clicked: QAbstractButton) -> None:
        if isinstance(clicked, PageButton):
            self.chosen.emit(clicked.spec.key)

    def set_shown(self, key: str, *, usable: bool) -> None:
        """Which page is open, and whether any can be."""
        for name, made in self.buttons.items():
            made.setEnabled(usable)
            made.setChecked(name == key)

    def show_status(self, note: StationNote) -> None:
        """Numbers on the buttons."""
        counts = {"faults": len(note.faults), "review": note.review_waiting}
        for key, count in counts.items():
            if key in self.buttons:
                self.buttons[key].set_count(count)
