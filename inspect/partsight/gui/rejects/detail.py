"""One part in full: its pictures at the left, everything that is known of it at the right."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from partsight.gui.calls import Call, Refusal
from partsight.gui.client import Client
from partsight.gui.rejects.facts import Facts
from partsight.gui.theme import Look
from partsight.gui.viewer.viewer import PartViewer
from partsight.gui.widgets.cards import ElidedLabel, button
from partsight.wire.screen.parts import Part

SIDE_WIDTH = 300


class Detail(QWidget):
    """`left`: back to the gallery. `step(+1)`: the next older part, `step(-1)`: the next newer. `review_wanted`."""

    left = Signal()
    step = Signal(int)
    review_wanted = Signal(int)

    def __init__(self, client: Client, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._client = client
        self._call: Call | None = None
        self.sequence: int | None = None
        self.part: Part | None = None
        look = Look.here()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(look.px(8))
        head = QHBoxLayout()
        head.setSpacing(look.px(8))
        self.back = button(self.tr("Back"))
        self.back.setToolTip(self.tr("Back to all parts (Esc)"))
        self.title = ElidedLabel("", "title")
        self.newer = button(self.tr("Newer"))
        self.older = button(self.tr("Older"))
        self.newer.setToolTip(self.tr("The next newer part (left arrow, Page up)"))
        self.older.setToolTip(self.tr("The next older part (right arrow, Page down)"))
        self.review = button(self.tr("Review"))
        self.review.setToolTip(self.tr("Say what you think of this part"))
        head.addWidget(self.back)
        head.addWidget(self.title, 1)
        for made in (self.review, self.newer, self.older):
            head.addWidget(made)
        column.addLayout(head)
        row = QHBoxLayout()
        row.setSpacing(look.px(8))
        column.addLayout(row, 1)
        self.viewer = PartViewer(client)
        self.facts = Facts()
        scroll = QScrollArea(widgetResizable=True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setFixedWidth(look.px(SIDE_WIDTH))
        scroll.setWidget(self.facts)
        row.addWidget(self.viewer, 1)
        row.addWidget(scroll)
        self.viewer.canvas.installEventFilter(self)
        self.back.clicked.connect(self.left)
        self.newer.clicked.connect(partial(self.step.emit, -1))
        self.older.clicked.connect(partial(self.step.emit, 1))
        self.review.clicked.connect(self._review)
        for keys, what in (("Esc", self.left.emit), ("PgUp", self.newer.click), ("PgDown", self.older.click)):
            QShortcut(QKeySequence(keys), self).activated.connect(what)

    def open(self, sequence: int, title: str) -> None:
        """Ask for it; what is shown of another part goes at once."""
        if self._call is not None:
            self._call.cancel()
        if sequence != self.sequence:
            self.part = None
            self.facts.show_part(None)
            self.viewer.show_part(None)
        self.sequence = sequence
        self.title.set_whole(title)
        self.viewer.canvas.setFocus()
        self.reload()

    def reload(self) -> None:
        """More may be known of it by now."""
        if self.sequence is None:
            return
        self._call = self._client.call(
            "GET",
            f"records/{self.sequence}",
            answer=Part,
            then=self._show,
            failed=self._refused,
        )

    def set_ends(self, *, newest: bool, oldest: bool) -> None:
        """Where there is no next one."""
        self.newer.setEnabled(not newest)
        self.older.setEnabled(not oldest)

    def _show(self, part: Part) -> None:
        self.part = part
        self.facts.show_part(part)
        self.viewer.show_part(part)

    def _refused(self, refusal: Refusal) -> None:
        if self.part is None:
            self.viewer.show_part(None, str(refusal))

    def _review(self) -> None:
        if self.sequence is not None:
            self.review_wanted.emit(self.sequence)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 (Qt's name)
        """Qt's; the arrows go to the next part while the whole picture is seen, and pan when it is not."""
        if (
            watched is self.viewer.canvas
            and isinstance(event, QKeyEvent)
            and event.type() == QEvent.Type.KeyPress
            and self.viewer.canvas.zoom() <= 1.0
            and event.key() in {Qt.Key.Key_Left, Qt.Key.Key_Right}
        ):
            (self.newer if event.key() == Qt.Key.Key_Left else self.older).click()
            return True
        return super().eventFilter(watched, event)
