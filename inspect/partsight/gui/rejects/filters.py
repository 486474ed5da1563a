"""The bar over the gallery: which verdicts, reason, recipe, part number and time."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from PySide6.QtCore import QDateTime, QSignalBlocker, QTimer, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QComboBox, QDateTimeEdit, QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from partsight.domain.reasons import DEFECT_BASE, Reason
from partsight.domain.verdict import Result
from partsight.gui.rejects.wanted import REJECTED, Wanted
from partsight.gui.signs import RESULT_SIGN, sign_icon
from partsight.gui.theme import Look
from partsight.gui.widgets.cards import button, spaced, text_label
from partsight.gui.words import reason_word, result_word
from partsight.wire.screen.message import now

TYPING_MS = 500
OWN = -1.0
LINE_STOPS = 700
"""Reasons from here up stop the line; no part has them."""


class FilterBar(QWidget):
    """`changed(Wanted)`."""

    changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        look = Look.here()
        self.wanted = Wanted()
        self._classes: tuple[str, ...] = ()
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(look.px(6))
        row = QHBoxLayout()
        row.setSpacing(look.px(6))
        outer.addLayout(row)
        self.results: dict[Result, QPushButton] = {}
        for result in REJECTED:
            made = button(result_word(result))
            made.setCheckable(True)
            made.setChecked(True)
            colours = look.colours
            made.setIcon(sign_icon(RESULT_SIGN[result], colours.of(result), QColor(colours.on_verdict), look.px(18)))
            made.toggled.connect(self._verdict_toggled)
            self.results[result] = made
            row.addWidget(made)
        self.reason = QComboBox()
        self.recipe = QComboBox()
        self.time = QComboBox()
        self.part = QLineEdit()
        self.part.setPlaceholderText(self.tr("Part number"))
        self.part.setMaxLength(128)
        self.part.setClearButtonEnabled(True)
        self.reason.setAccessibleName(self.tr("Reason"))
        self.recipe.setAccessibleName(self.tr("Recipe"))
        self.time.setAccessibleName(self.tr("Time"))
        for box, share in ((self.reason, 6), (self.recipe, 6), (self.part, 4), (self.time, 5)):
            box.setMinimumWidth(look.px(96))
            row.addWidget(box, share)
        for combo in (self.reason, self.recipe, self.time):
            combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        outer.addWidget(self._own_times())
        self._typing = QTimer(self, interval=TYPING_MS, singleShot=True)
        self._typing.timeout.connect(self._tell)
        self._fill_times()
        self.show_classes(())
        self.show_recipes(())
        self.part.textEdited.connect(self._typing.start)
        self.part.returnPressed.connect(self._tell)
        self.reason.currentIndexChanged.connect(self._tell)
        self.recipe.currentIndexChanged.connect(self._tell)
        self.time.currentIndexChanged.connect(self._tell)

    def _own_times(self) -> QWidget:
        self.own = QWidget()
        row = QHBoxLayout(self.own)
        row.setContentsMargins(0, 0, 0, 0)
        self.since = QDateTimeEdit(QDateTime.currentDateTime().addDays(-1))
        self.until = QDateTimeEdit(QDateTime.currentDateTime().addSecs(60))
        spaced(self.since, self.until)
        row.addStretch(1)
        for name, edit in ((self.tr("From"), self.since), (self.tr("until"), self.until)):
            edit.setDisplayFormat("yyyy-MM-dd HH:mm")
            edit.setCalendarPopup(True)
            edit.setAccessibleName(name)
            edit.dateTimeChanged.connect(self._own_changed)
            row.addWidget(text_label(name))
            row.addWidget(edit)
        self.own.hide()
        return self.own

    def _fill_times(self) -> None:
        for text, hours in (
            (self.tr("Any time"), 0.0),
            (self.tr("Last hour"), 1.0),
            (self.tr("Last 8 hours"), 8.0),
            (self.tr("Last 24 hours"), 24.0),
            (self.tr("Last 7 days"), 168.0),
            (self.tr("Own times …"), OWN),
        ):
            self.time.addItem(text, hours)

    def show_classes(self, classes: tuple[str, ...]) -> None:
        """The model's, by which the defects are named."""
        if classes == self._classes and self.reason.count():
            return
        self._classes = classes
        chosen = self.reason.currentData()
        with QSignalBlocker(self.reason):
            self.reason.clear()
            self.reason.addItem(self.tr("All reasons"), None)
            for number, name in enumerate(classes):
                self.reason.addItem(name, DEFECT_BASE + number)
            for reason in Reason:
                if Reason.NONE < reason < LINE_STOPS:
                    self.reason.addItem(reason_word(reason, reason.name), int(reason))
            self.reason.setCurrentIndex(max(0, self.reason.findData(chosen)))

    def show_recipes(self, names: tuple[str, ...]) -> None:
        """Those that parts may have been judged by."""
        known = tuple(self.recipe.itemData(at) for at in range(1, self.recipe.count()))
        wanted = tuple(sorted({*known, *names}))
        if wanted == known and self.recipe.count():
            return
        chosen = self.recipe.currentData()
        with QSignalBlocker(self.recipe):
            self.recipe.clear()
            self.recipe.addItem(self.tr("All recipes"), None)
            for name in wanted:
                self.recipe.addItem(name, name)
            self.recipe.setCurrentIndex(max(0, self.recipe.findData(chosen)))

    def _verdict_toggled(self, on: bool) -> None:
        results = tuple(result for result, made in self.results.items() if made.isChecked())
        if not results:
            # Nothing at all is no question: the one that was switched off last goes on again.
            sender = self.sender()
            if isinstance(sender, QPushButton):
                with QSignalBlocker(sender):
                    sender.setChecked(not on)
            return
        self._tell()

    def _own_changed(self) -> None:
        if self.time.currentData() == OWN:
            self._typing.start()

    def _tell(self) -> None:
        self._typing.stop()
        self.own.setVisible(self.time.currentData() == OWN)
        since, until = self._times()
        wanted = replace(
            self.wanted,
            results=tuple(result for result, made in self.results.items() if made.isChecked()),
            code=self.reason.currentData(),
            recipe=self.recipe.currentData(),
            part_id=self.part.text().strip() or None,
            since=since,
            until=until,
        )
        self.wanted = wanted
        self.changed.emit(wanted)

    def _times(self) -> tuple[datetime | None, datetime | None]:
        hours = self.time.currentData()
        if hours == OWN:
            ends = [datetime.fromtimestamp(edit.dateTime().toSecsSinceEpoch()).astimezone() for edit in self._ends()]
            return ends[0], ends[1]
        return (now() - timedelta(hours=hours) if hours else None), None

    def _ends(self) -> tuple[QDateTimeEdit, QDateTimeEdit]:
        return self.since, self.until
