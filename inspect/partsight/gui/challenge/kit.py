"""The kit: which known parts there are. Engineers change it."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QHBoxLayout,
    QLineEdit,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from partsight.gui.calls import Refusal
from partsight.gui.client import Client
from partsight.gui.theme import Look
from partsight.gui.widgets.cards import button, text_label
from partsight.wire.screen.challenge import MAX_KIT, ChallengeState, KitPart

NAME, DEFECT = 64, 128


class KitRow(QWidget):
    """One part. `removed`, `lifted`: its buttons."""

    removed = Signal(object)
    lifted = Signal(object)

    def __init__(self, part: KitPart, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        look = Look.here()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(look.px(6))
        self.name = QLineEdit(part.name, maxLength=NAME)
        self.name.setPlaceholderText(self.tr("Name on the part"))
        self.kind = QComboBox()
        self.kind.addItem(self.tr("good"), False)
        self.kind.addItem(self.tr("bad"), True)
        self.kind.setCurrentIndex(int(part.bad))
        self.defect = QLineEdit(part.defect, maxLength=DEFECT)
        self.defect.setPlaceholderText(self.tr("What is wrong with it"))
        up, away = button("▲", "quiet"), button("✕", "quiet")
        up.setAccessibleName(self.tr("Earlier"))
        away.setAccessibleName(self.tr("Remove"))
        row.addWidget(self.name, 2)
        row.addWidget(self.kind)
        row.addWidget(self.defect, 3)
        row.addWidget(up)
        row.addWidget(away)
        up.clicked.connect(self._lift)
        away.clicked.connect(self._remove)
        self.kind.currentIndexChanged.connect(self._show_kind)
        self._show_kind()

    def part(self) -> KitPart | None:
        """None where it has no name."""
        name, bad = self.name.text().strip(), bool(self.kind.currentData())
        return KitPart(name=name, bad=bad, defect=self.defect.text().strip() if bad else "") if name else None

    def _show_kind(self) -> None:
        self.defect.setEnabled(bool(self.kind.currentData()))

    def _lift(self) -> None:
        self.lifted.emit(self)

    def _remove(self) -> None:
        self.removed.emit(self)


class KitDialog(QDialog):
    """`saved(ChallengeState)`. What the station does not take is said here, and nothing typed is lost."""

    saved = Signal(object)

    def __init__(self, parent: QWidget, client: Client, kit: tuple[KitPart, ...]) -> None:
        super().__init__(parent)
        self._client = client
        look = Look.here()
        self.setWindowTitle(self.tr("Kit of known parts"))
        self.resize(look.px(820), look.px(520))
        column = QVBoxLayout(self)
        column.setContentsMargins(*(look.px(16),) * 4)
        column.setSpacing(look.px(10))
        column.addWidget(text_label(self.tr("Kit of known parts"), "title"))
        words = self.tr("In the order in which they are put in: good ones, and a bad one for each defect that matters.")
        column.addWidget(text_label(words, wrap=True))
        scroll = QScrollArea(widgetResizable=True)
        inside = QWidget()
        outside = QVBoxLayout(inside)
        outside.setContentsMargins(0, 0, look.px(6), 0)
        self._column = QVBoxLayout()
        self._column.setSpacing(look.px(6))
        outside.addLayout(self._column)
        outside.addStretch(1)
        scroll.setWidget(inside)
        column.addWidget(scroll, 1)
        self.mistake = text_label("", "bad", wrap=True)
        column.addWidget(self.mistake)
        column.addLayout(self._buttons(look))
        self.rows: list[KitRow] = []
        for part in kit:
            self._add(part)
        if not kit:
            self.add_part()
        self.finished.connect(self.deleteLater)

    def _buttons(self, look: Look) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(look.px(8))
        self.more = button(self.tr("Add a part"))
        self.cancel, self.save = button(self.tr("Cancel")), button(self.tr("Save"), "primary")
        row.addWidget(self.more)
        row.addStretch(1)
        row.addWidget(self.cancel)
        row.addWidget(self.save)
        self.more.clicked.connect(self.add_part)
        self.cancel.clicked.connect(self.reject)
        self.save.clicked.connect(self._save)
        return row

    def add_part(self) -> KitRow:
        """An empty row at the end."""
        row = self._add(KitPart.model_construct(name="", bad=False, defect=""))
        row.name.setFocus()
        return row

    def parts(self) -> tuple[KitPart, ...]:
        """As they stand there; rows without a name are none."""
        return tuple(part for row in self.rows if (part := row.part()) is not None)

    def _add(self, part: KitPart) -> KitRow:
        row = KitRow(part)
        row.removed.connect(self._remove)
        row.lifted.connect(self._lift)
        self.rows.append(row)
        self._column.addWidget(row)
        self.more.setEnabled(len(self.rows) < MAX_KIT)
        return row

    def _remove(self, row: KitRow) -> None:
        self.rows.remove(row)
        self._column.removeWidget(row)
        row.deleteLater()
        self.more.setEnabled(True)

    def _lift(self, row: KitRow) -> None:
        place = self.rows.index(row)
        if place:
            self.rows.insert(place - 1, self.rows.pop(place))
            self._column.removeWidget(row)
            self._column.insertWidget(place - 1, row)

    def _save(self) -> None:
        self.mistake.setText("")
        body = {"parts": [part.model_dump() for part in self.parts()]}
        self._client.call(
            "PUT", "challenge/kit", body=body, answer=ChallengeState, then=self._saved, failed=self._refused, owner=self
        )

    def _saved(self, state: ChallengeState) -> None:
        self.saved.emit(state)
        self.accept()

    def _refused(self, refusal: Refusal) -> None:
        self.mistake.setText(str(refusal))
