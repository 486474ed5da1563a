"""Earlier versions, and how one is brought back."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from partsight.gui.theme import Look
from partsight.gui.widgets.cards import allow, button, text_label
from partsight.gui.words import local_time
from partsight.wire.screen.recipes import RecipeDetail

REVISION = Qt.ItemDataRole.UserRole
MOST_REMARK = 256


class Versions(QWidget):
    """`restore_wanted(revision, remark)`."""

    restore_wanted = Signal(int, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._may, self._reason, self._now = False, "", 0
        look = Look.here()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(look.px(8))
        self.table = QTableWidget(0, 4)
        words = (self.tr("Version"), self.tr("Saved"), self.tr("By"), self.tr("Remark"))
        self.table.setHorizontalHeaderLabels(words)
        self.table.setAccessibleName(self.tr("Versions"))
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(look.px(44))
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        head = self.table.horizontalHeader()
        head.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        head.setStretchLastSection(True)
        column.addWidget(self.table, 1)
        note = self.tr("Bringing a version back saves it as a new one; nothing is lost.")
        column.addWidget(text_label(note, "small"))
        row = QHBoxLayout()
        self.remark = QLineEdit(maxLength=MOST_REMARK)
        self.remark.setPlaceholderText(self.tr("Why?"))
        self.restore = button(self.tr("Bring back"), "primary")
        row.addWidget(self.remark, 1)
        row.addWidget(self.restore)
        column.addLayout(row)
        self.table.itemSelectionChanged.connect(self._show_right)
        self.restore.clicked.connect(self._restore)
        self._show_right()

    def show_detail(self, detail: RecipeDetail) -> None:
        """Its versions, the newest first."""
        self._now = detail.revision
        self.table.setRowCount(len(detail.versions))
        for row, version in enumerate(detail.versions):
            now = "  " + self.tr("(now)") if version.revision == detail.revision else ""
            cells = (f"{version.revision}{now}", local_time(version.saved, day=True), version.who, version.remark)
            for place, words in enumerate(cells):
                item = QTableWidgetItem(words)
                item.setData(REVISION, version.revision)
                item.setToolTip(words)
                self.table.setItem(row, place, item)
        self._show_right()

    def set_right(self, may: bool, reason: str) -> None:
        """Whether a version may be brought back."""
        self._may, self._reason = may, reason
        self._show_right()

    def revision(self) -> int | None:
        """The chosen one."""
        items = self.table.selectedItems()
        return int(items[0].data(REVISION)) if items else None

    def _show_right(self) -> None:
        chosen = self.revision()
        fits = chosen is not None and chosen != self._now
        allow(self.restore, self._may and fits, self.tr("Choose an earlier version.") if self._may else self._reason)
        self.remark.setEnabled(self._may)

    def _restore(self) -> None:
        chosen = self.revision()
        if chosen is not None:
            self.restore_wanted.emit(chosen, self.remark.text().strip())
            self.remark.clear()
