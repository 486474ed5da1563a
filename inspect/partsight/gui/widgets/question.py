"""A question over the window that waits for its answer and holds up nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtWidgets import QDialog, QHBoxLayout, QVBoxLayout, QWidget

from partsight.gui.theme import Look
from partsight.gui.widgets.cards import Kind, button, text_label

Choice = tuple[str, Kind, Callable[[], None] | None]


class Question(QDialog):
    """A text and a few buttons; the last one, and Escape, change nothing. Does not block the window's loop."""

    def __init__(self, parent: QWidget, title: str, text: str, choices: Sequence[Choice]) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        look = Look.here()
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(*(look.px(18),) * 4)
        self.column.setSpacing(look.px(14))
        self.column.addWidget(text_label(title, "title"))
        label = text_label(text, wrap=True)
        label.setMinimumWidth(look.px(420))
        self.column.addWidget(label)
        row = QHBoxLayout()
        row.addStretch(1)
        self.buttons = {}
        for word, kind, action in choices:
            made = button(word, kind)
            made.clicked.connect(self.accept)
            if action is not None:
                made.clicked.connect(action)
            row.addWidget(made)
            self.buttons[word] = made
        self.row = row
        self.column.addLayout(row)
        self.finished.connect(self.deleteLater)
