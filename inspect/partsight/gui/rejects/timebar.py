"""Where the time of a part went: one bar from the trigger to its verdict, with the deadline."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from partsight.gui.theme import Look
from partsight.gui.words import number_word
from partsight.wire.screen.parts import TimesNote

SHADES = ("#5aa9ff", "#9aa7b5", "#35c77b", "#ffb833", "#c792ff")
ROW, BAR, TOP = 22, 18, 4
SHOWN_MS = 0.05
"""Less is written as 0.0."""


@dataclass(frozen=True, slots=True)
class Step:
    """A share of the time, in milliseconds."""

    name: str
    ms: float


def steps_of(times: TimesNote) -> tuple[Step, ...]:
    """From the trigger on: what is known, in order; none of them negative. The last takes what the others leave."""
    frame, start = times.frame_ms, times.start_ms
    words = (
        (QCoreApplication.translate("TimeBar", "Picture"), frame),
        (QCoreApplication.translate("TimeBar", "Waiting"), _difference(start, frame)),
        (QCoreApplication.translate("TimeBar", "Model"), times.detect_ms),
        (QCoreApplication.translate("TimeBar", "Decision"), times.decide_ms),
    )
    steps = [Step(name, max(0.0, ms)) for name, ms in words if ms is not None]
    if times.verdict_ms is not None:
        rest = times.verdict_ms - sum(step.ms for step in steps)
        if rest > SHOWN_MS:
            steps.append(Step(QCoreApplication.translate("TimeBar", "Record and the rest"), rest))
    return tuple(steps)


def _difference(end: float | None, start: float | None) -> float | None:
    return None if end is None or start is None else end - start


class TimeBar(QWidget):
    """Painted; the steps stand under it with their milliseconds, so that no colour has to be told apart."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._steps: tuple[Step, ...] = ()
        self._deadline: float | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_times(self, times: TimesNote) -> None:
        """Of a part."""
        self._steps, self._deadline = steps_of(times), times.deadline_ms
        said = ", ".join(f"{step.name} {number_word(step.ms, 1, 'ms')}" for step in self._steps)
        self.setAccessibleName(said)
        self.updateGeometry()
        self.update()

    def steps(self) -> tuple[Step, ...]:
        """What is shown."""
        return self._steps

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """Qt's."""
        look = Look.here()
        return QSize(look.px(200), look.px(BAR + TOP + ROW * max(1, len(self._steps))))

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802 (Qt's name)
        """Qt's."""
        look = Look.here()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        total = sum(step.ms for step in self._steps)
        scale = self.width() / total if total else 0.0
        x, height, text = 0.0, look.px(BAR), QColor(look.colours.text)
        painter.setFont(look.font(12))
        for number, step in enumerate(self._steps):
            colour = QColor(SHADES[number % len(SHADES)])
            painter.fillRect(QRectF(x, 0, step.ms * scale, height), colour)
            x += step.ms * scale
            top = height + look.px(TOP + ROW * number)
            line = QRectF(look.px(18), top, self.width() - look.px(18), look.px(ROW))
            painter.fillRect(QRectF(0, top + look.px(6), look.px(10), look.px(10)), colour)
            painter.setPen(text)
            painter.drawText(line, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, step.name)
            ms = number_word(step.ms, 1, "ms")
            painter.drawText(line, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, ms)
        painter.end()
