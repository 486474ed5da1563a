"""The buttons beside the picture: everything that has a key can be touched as well."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from partsight.domain.verdict import Result
from partsight.gui.review.said import is_part_ok
from partsight.gui.signs import RESULT_SIGN
from partsight.gui.theme import Look
from partsight.gui.widgets.cards import Card, ElidedLabel, SignView, button, text_label
from partsight.gui.words import count_word, local_time, reason_word, result_word
from partsight.wire.screen.parts import PartRow

KEYED = 9
"""Classes that have a key; the others have their button."""
BIG = 62
WIDTH = 292


class Panel(QWidget):
    """`class_chosen(name)`; the page knows what the buttons do."""

    class_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        look = Look.here()
        self.setFixedWidth(look.px(WIDTH))
        self.class_buttons: dict[str, QPushButton] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(look.px(6))
        column.addWidget(self._part_card())
        self.right, self.wrong = self._big(), self._big()
        pair = QHBoxLayout()
        pair.setSpacing(look.px(6))
        pair.addWidget(self.right)
        pair.addWidget(self.wrong)
        # The style sheet has the last word on a button's own least height.
        big = QWidget()
        big.setFixedHeight(look.px(BIG))
        big.setLayout(pair)
        pair.setContentsMargins(0, 0, 0, 0)
        column.addWidget(big)
        self.class_title = text_label("", "small", wrap=True)
        column.addWidget(self.class_title)
        column.addWidget(self._class_list(), 1)
        column.addLayout(self._tools())
        self.remark = QLineEdit()
        self.remark.setPlaceholderText(self.tr("Remark (M)"))
        self.remark.setMaxLength(512)
        column.addWidget(self.remark)
        column.addLayout(self._progress())
        note = self.tr("The verdict, the counters and what the line was told stay as they are.")
        self.note = text_label(note, "small", wrap=True)
        column.addWidget(self.note)

    def _part_card(self) -> QWidget:
        look = Look.here()
        self.card = Card(margin=8, spacing=2)
        row = QHBoxLayout()
        row.setSpacing(look.px(10))
        self.sign = SignView(size=34)
        self.verdict = text_label("", "heading")
        self.reason = ElidedLabel("")
        texts = QVBoxLayout()
        texts.setSpacing(0)
        texts.addWidget(self.verdict)
        texts.addWidget(self.reason)
        row.addWidget(self.sign)
        row.addLayout(texts, 1)
        self.card.column.addLayout(row)
        self.name = ElidedLabel("", "small")
        self.card.column.addWidget(self.name)
        return self.card

    def _class_list(self) -> QWidget:
        self._scroll = QScrollArea(widgetResizable=True)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        inside = QWidget()
        self._classes = QGridLayout(inside)
        self._classes.setContentsMargins(0, 0, 0, 0)
        self._classes.setSpacing(Look.here().px(6))
        self._scroll.setWidget(inside)
        return self._scroll

    def _tools(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setSpacing(Look.here().px(6))
        self.draw = _quiet_focus(button(self.tr("Draw (D)")))
        self.draw.setCheckable(True)
        self.delete = _quiet_focus(button(self.tr("Delete (Del)")))
        self.accept = _quiet_focus(button(self.tr("Boxes are right (A)")))
        self.accept.setCheckable(True)
        self.skip = _quiet_focus(button(self.tr("Skip (S)")))
        self.undo = _quiet_focus(button(self.tr("Undo (Ctrl+Z)")))
        self.draw.setToolTip(self.tr("Drag a box on the picture; N chooses the next box, the arrows move it"))
        self.accept.setToolTip(self.tr("These boxes are all that is really there: they become training data"))
        grid.addWidget(self.draw, 0, 0)
        grid.addWidget(self.delete, 0, 1)
        grid.addWidget(self.accept, 1, 0, 1, 2)
        grid.addWidget(self.skip, 2, 0)
        grid.addWidget(self.undo, 2, 1)
        return grid

    def _progress(self) -> QVBoxLayout:
        column = QVBoxLayout()
        column.setSpacing(Look.here().px(2))
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.counts = ElidedLabel("", "small")
        column.addWidget(self.bar)
        column.addWidget(self.counts)
        return column

    def _big(self) -> QPushButton:
        made = _quiet_focus(button(""))
        # As wide as the other, whatever the words: the hand finds them without looking.
        made.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Expanding)
        return made

    # What is shown

    def show_part(self, row: PartRow | None) -> None:
        """What the station said of it, and what right and wrong would mean."""
        self.card.setVisible(row is not None)
        if row is None:
            return
        self.sign.set_sign(RESULT_SIGN[row.result])
        self.verdict.setText(self.tr("The station says {verdict}").format(verdict=result_word(row.result)))
        self.reason.set_whole(reason_word(row.code, row.reason))
        self.name.set_whole(f"{row.part_id or f'#{row.sequence}'}  ·  {local_time(row.at)}")
        self.right.setText("✓  " + self.tr("Right (R)") + "\n" + self._meaning(row.result, right=True))
        self.wrong.setText("✕  " + self.tr("Wrong (W)") + "\n" + self._meaning(row.result, right=False))

    def _meaning(self, result: Result, *, right: bool) -> str:
        is_ok = is_part_ok(result, right=right)
        if is_ok is None:
            return self.tr("cannot be judged") if right else self.tr("can be judged")
        return self.tr("part is good") if is_ok else self.tr("part is bad")

    def show_classes(self, names: tuple[str, ...]) -> None:
        """The model's, with their keys."""
        if tuple(self.class_buttons) == names:
            return
        for made in self.class_buttons.values():
            self._classes.removeWidget(made)
            made.deleteLater()
        self.class_buttons = {}
        for number, name in enumerate(names):
            made = _quiet_focus(button(f"{number + 1}   {name}" if number < KEYED else name))
            made.setCheckable(True)
            made.setToolTip(name)
            made.clicked.connect(self._class_clicked)
            self._classes.addWidget(made, number // 2, number % 2)
            self.class_buttons[name] = made
        self._classes.setRowStretch(len(names) // 2 + 1, 1)

    def show_pen(self, name: str) -> None:
        """The class that is in force."""
        for label, made in self.class_buttons.items():
            made.setChecked(label == name)

    def show_counts(self, waiting: int, today: int, session: int, skipped: int) -> None:
        """How far it has come."""
        self.bar.setRange(0, max(1, waiting + session))
        self.bar.setValue(session)
        text = self.tr("{waiting} wait  ·  {today} today  ·  {session} by you now")
        words = text.format(waiting=count_word(waiting), today=count_word(today), session=count_word(session))
        if skipped:
            words += "  ·  " + self.tr("{n} skipped").format(n=count_word(skipped))
        self.counts.set_whole(words)

    def _class_clicked(self) -> None:
        sender = self.sender()
        for name, made in self.class_buttons.items():
            if made is sender:
                self.class_chosen.emit(name)


def _quiet_focus(made: QPushButton) -> QPushButton:
    """A finger on it leaves the keys with the picture; Tab still comes here."""
    made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return made
