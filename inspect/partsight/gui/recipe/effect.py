"""What the draft would do to the last parts: how many verdicts change, which, and why."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QGridLayout,
    QHeaderView,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from partsight.domain.verdict import Result
from partsight.gui.calls import Call, Refusal
from partsight.gui.client import Client
from partsight.gui.recipe.draft import Draft, recipe_path
from partsight.gui.signs import RESULT_SIGN
from partsight.gui.theme import Look
from partsight.gui.widgets.cards import Card, SignView, text_label
from partsight.gui.words import count_word, result_word
from partsight.wire.screen.recipes import Change, Trial

DEBOUNCE_MS = 150
PARTS = 200
TIMEOUT_S = 10.0
SEQUENCE = Qt.ItemDataRole.UserRole


class Effect(Card):
    """`ask(draft)` as often as one likes: the newest is tried, once it stands still. `opened(sequence)`: a row."""

    opened = Signal(object)

    def __init__(self, client: Client, parent: QWidget | None = None) -> None:
        super().__init__("", parent)
        self._client = client
        self._draft: Draft | None = None
        self._call: Call | None = None
        self.trial: Trial | None = None
        look = Look.here()
        self.headline = text_label("", "heading", wrap=True)
        self.detail = text_label("", "small", wrap=True)
        self.column.addWidget(self.headline)
        self.column.addWidget(self._counts(look))
        self.column.addWidget(self.detail)
        self.table = QTableWidget(0, 3)
        self.table.setHorizontalHeaderLabels([self.tr("Part"), self.tr("Verdict"), self.tr("Reason")])
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(look.px(36))
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setWordWrap(False)
        head = self.table.horizontalHeader()
        head.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        head.setStretchLastSection(True)
        self.table.setAccessibleName(self.tr("Parts whose verdict would be another"))
        self.column.addWidget(self.table, 1)
        self.table.cellClicked.connect(self._clicked)
        self.table.cellActivated.connect(self._clicked)
        self._timer = QTimer(self, interval=DEBOUNCE_MS, singleShot=True)
        self._timer.timeout.connect(self._try)

    def _counts(self, look: Look) -> QWidget:
        box = QWidget()
        grid = QGridLayout(box)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(look.px(8))
        grid.setVerticalSpacing(look.px(2))
        grid.setColumnStretch(1, 1)
        for place, word in ((2, self.tr("Before")), (3, self.tr("After"))):
            label = text_label(word, "small")
            grid.addWidget(label, 0, place, Qt.AlignmentFlag.AlignRight)
        self.numbers: dict[Result, tuple[QLabel, QLabel]] = {}
        for row, result in enumerate(Result, 1):
            grid.addWidget(SignView(RESULT_SIGN[result], 18), row, 0)
            grid.addWidget(text_label(result_word(result)), row, 1)
            pair = (text_label("–"), text_label("–", "heading"))
            for place, label in enumerate(pair, 2):
                label.setMinimumWidth(look.px(52))
                label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                grid.addWidget(label, row, place, Qt.AlignmentFlag.AlignRight)
            self.numbers[result] = pair
        return box

    def ask(self, draft: Draft) -> None:
        """Try it as soon as nothing has changed for a moment."""
        self._draft = draft
        self._timer.start()

    def _try(self) -> None:
        if self._draft is None:
            return
        if self._call is not None:
            self._call.cancel()
        self._call = self._client.call(
            "POST",
            recipe_path(self._draft.base.name, "try"),
            body=self._draft.trial(PARTS),
            answer=Trial,
            then=self.show_trial,
            failed=self._refused,
            timeout_s=TIMEOUT_S,
        )

    def show_trial(self, trial: Trial) -> None:
        """An answer of the station."""
        self.trial = trial
        changes = len(trial.changes)
        if not trial.parts:
            self.headline.setText(self.tr("No parts of this recipe to try it on yet"))
        elif not changes:
            self.headline.setText(self.tr("No verdict of the last {n} parts would change").format(n=trial.parts))
        else:
            text = self.tr("{n} of the last {all} verdicts would change")
            self.headline.setText(text.format(n=count_word(changes), all=count_word(trial.parts)))
        skipped = self.tr("{n} parts cannot be judged again: no boxes were stored, or another model found them.")
        self.detail.setText(skipped.format(n=count_word(trial.skipped)) if trial.skipped else "")
        self.detail.setVisible(bool(trial.skipped))
        for result, (before, after) in self.numbers.items():
            was, now = trial.before.get(result, 0), trial.after.get(result, 0)
            before.setText(count_word(was))
            after.setText(count_word(now) + ("" if was == now else " ▲" if now > was else " ▼"))
        self._fill(trial.changes)

    def _fill(self, changes: tuple[Change, ...]) -> None:
        self.table.setRowCount(len(changes))
        for row, change in enumerate(changes):
            verdict = f"{result_word(change.before)} → {result_word(change.after)}"
            for place, words in enumerate((change.part_id or f"#{change.sequence}", verdict, change.reason)):
                item = QTableWidgetItem(words)
                item.setToolTip(words)
                item.setData(SEQUENCE, change.sequence)
                self.table.setItem(row, place, item)

    def _refused(self, refusal: Refusal) -> None:
        self.trial = None
        self.headline.setText(self.tr("The effect cannot be shown"))
        self.detail.setText(str(refusal))
        self.detail.show()
        self._fill(())
        for before, after in self.numbers.values():
            before.setText("–")
            after.setText("–")

    def _clicked(self, row: int, _column: int) -> None:
        item = self.table.item(row, 0)
        if item is not None:
            self.opened.emit(item.data(SEQUENCE))
