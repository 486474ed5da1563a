"""Thresholds: one card a class, with sliders for a finger and boxes for a number."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QAbstractSlider,
    QCheckBox,
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QScrollArea,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from partsight.gui.theme import Look
from partsight.gui.widgets.cards import Card, spaced, text_label
from partsight.wire.screen.recipes import ClassSetting

STEPS = 1000
"""Of a slider, over scores from 0 to 1."""
STEP = 10
MOST_SIZE = 100_000.0
BAND = 0.1
"""A new band of doubt begins so far under the threshold."""


class ScoreField(QWidget):
    """A score by slider or number. `moved(score)` while it goes, `released` when it is let go."""

    moved = Signal(float)
    released = Signal()

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(Look.here().px(8))
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, STEPS)
        self.slider.setSingleStep(STEP)
        self.slider.setPageStep(5 * STEP)
        self.box = QDoubleSpinBox(minimum=0.0, maximum=1.0, singleStep=STEP / STEPS, decimals=3)
        spaced(self.box)
        self.box.setMinimumWidth(Look.here().px(92))
        self.box.setKeyboardTracking(False)
        for control in (self.slider, self.box):
            control.setAccessibleName(name)
        row.addWidget(self.slider, 1)
        row.addWidget(self.box)
        self.slider.valueChanged.connect(self._slid)
        self.slider.sliderReleased.connect(self.released)
        self.slider.actionTriggered.connect(self._acted)
        self.box.valueChanged.connect(self._typed)
        self.box.editingFinished.connect(self.released)

    def set_floor(self, floor: float) -> None:
        """No lower than this: boxes below were never stored."""
        for control in (self.slider, self.box):
            with QSignalBlocker(control):
                if isinstance(control, QSlider):
                    control.setMinimum(round(floor * STEPS))
                else:
                    control.setMinimum(floor)

    def show_score(self, score: float) -> None:
        """Without a signal."""
        with QSignalBlocker(self.slider), QSignalBlocker(self.box):
            self.slider.setValue(round(score * STEPS))
            self.box.setValue(score)

    def score(self) -> float:
        """What stands there."""
        return self.box.value()

    def _slid(self, value: int) -> None:
        self.show_score(value / STEPS)
        self.moved.emit(value / STEPS)

    def _acted(self, action: int) -> None:
        if action != QAbstractSlider.SliderAction.SliderMove.value:
            self.released.emit()

    def _typed(self, value: float) -> None:
        self.show_score(value)
        self.moved.emit(value)


class ClassCard(Card):
    """`changed(name, ClassSetting, which control)`; `let_go` when a control was released."""

    changed = Signal(str, object, str)
    let_go = Signal()

    def __init__(self, name: str, setting: ClassSetting, floor: float, parent: QWidget | None = None) -> None:
        super().__init__("", parent, margin=10, spacing=2)
        self.name, self.setting = name, setting
        lowest = min(floor, setting.threshold, setting.review if setting.review is not None else 1.0)
        look = Look.here()
        head = QHBoxLayout()
        self.enabled = QCheckBox(name)
        self.enabled.setToolTip(self.tr("Off: boxes of this class count for nothing."))
        self.mark = text_label("", "small")
        head.addWidget(self.enabled, 1)
        head.addWidget(self.mark)
        self.column.addLayout(head)
        grid = QGridLayout()
        grid.setHorizontalSpacing(look.px(10))
        grid.setVerticalSpacing(0)
        grid.setColumnStretch(1, 1)
        self.threshold = ScoreField(self.tr("{name}: defect from").format(name=name))
        self.review = ScoreField(self.tr("{name}: doubtful from").format(name=name))
        self.band = QCheckBox(self.tr("Doubtful from"))
        self.smallest = QDoubleSpinBox(minimum=0.0, maximum=MOST_SIZE, singleStep=1.0, decimals=2)
        spaced(self.smallest)
        self.smallest.setKeyboardTracking(False)
        self.smallest.setAccessibleName(self.tr("{name}: smallest size").format(name=name))
        self.smallest.setMinimumWidth(look.px(130))
        grid.addWidget(text_label(self.tr("Defect from")), 0, 0)
        grid.addWidget(self.threshold, 0, 1)
        grid.addWidget(self.band, 1, 0)
        grid.addWidget(self.review, 1, 1)
        grid.addWidget(text_label(self.tr("Smallest size")), 2, 0)
        grid.addWidget(self.smallest, 2, 1, Qt.AlignmentFlag.AlignLeft)
        self.column.addLayout(grid)
        self.mistake = text_label("", "bad", wrap=True)
        self.mistake.hide()
        self.column.addWidget(self.mistake)
        for field in (self.threshold, self.review):
            field.set_floor(lowest)
            field.released.connect(self.let_go)
        self.threshold.moved.connect(self._threshold)
        self.review.moved.connect(self._review)
        self.band.toggled.connect(self._band)
        self.enabled.toggled.connect(self._enabled)
        self.smallest.valueChanged.connect(self._size)
        self.show_setting(setting, setting)

    def show_setting(self, setting: ClassSetting, base: ClassSetting | None) -> None:
        """Without a signal. base: as the station has it."""
        self.setting = setting
        with QSignalBlocker(self.band), QSignalBlocker(self.enabled), QSignalBlocker(self.smallest):
            self.enabled.setChecked(setting.enabled)
            self.band.setChecked(setting.review is not None)
            self.smallest.setSuffix(" mm" if setting.in_mm else " px")
            self.smallest.setValue(setting.min_size)
        self.threshold.show_score(setting.threshold)
        self.review.show_score(setting.review if setting.review is not None else setting.threshold)
        self.review.setEnabled(setting.review is not None and setting.enabled)
        for widget in (self.threshold, self.band, self.smallest):
            widget.setEnabled(setting.enabled)
        self.mark.setText(self.tr("● changed") if setting != base else "")

    def show_mistakes(self, mistakes: tuple[str, ...]) -> None:
        """What the station said against it."""
        self.mistake.setText("\n".join(mistakes))
        self.mistake.setVisible(bool(mistakes))

    def _threshold(self, score: float) -> None:
        # The band of doubt lies under the threshold: it goes along instead of turning round.
        review = None if self.setting.review is None else min(self.setting.review, score)
        self._change("threshold", {"threshold": score, "review": review})

    def _review(self, score: float) -> None:
        self._change("review", {"review": score, "threshold": max(self.setting.threshold, score)})

    def _band(self, on: bool) -> None:
        low = max(self.review.slider.minimum() / STEPS, round(self.setting.threshold - BAND, 3))
        self._change("", {"review": min(low, self.setting.threshold) if on else None})

    def _enabled(self, on: bool) -> None:
        self._change("", {"enabled": on})

    def _size(self, size: float) -> None:
        self._change("size", {"min_size": size})

    def _change(self, what: str, update: Mapping[str, object]) -> None:
        self.changed.emit(self.name, self.setting.model_copy(update=dict(update)), what)
        if not what:
            self.let_go.emit()


class ClassList(QScrollArea):
    """All classes of the model. `changed`, `let_go`: of the cards."""

    changed = Signal(str, object, str)
    let_go = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.cards: dict[str, ClassCard] = {}
        self._floor = 0.0

    def show_all(self, now: Mapping[str, ClassSetting], base: Mapping[str, ClassSetting], floor: float) -> None:
        """The cards are only made anew where the classes are others."""
        if list(now) != list(self.cards) or floor != self._floor:
            self._make(now, floor)
        for name, card in self.cards.items():
            card.show_setting(now[name], base.get(name))

    def show_mistakes(self, by_class: Mapping[str, tuple[str, ...]]) -> None:
        """Beside the class that each is of."""
        for name, card in self.cards.items():
            card.show_mistakes(by_class.get(name, ()))
        first = next((self.cards[name] for name in self.cards if name in by_class), None)
        if first is not None:
            self.ensureWidgetVisible(first)

    def _make(self, now: Mapping[str, ClassSetting], floor: float) -> None:
        self._floor = floor
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, Look.here().px(6), 0)
        column.setSpacing(Look.here().px(8))
        self.cards = {}
        for name, setting in now.items():
            card = ClassCard(name, setting, floor)
            card.changed.connect(self.changed)
            card.let_go.connect(self.let_go)
            self.cards[name] = card
            column.addWidget(card)
        column.addStretch(1)
        self.setWidget(inside)
