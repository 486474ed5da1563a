"""Counters, yield, rate and latency of the run."""

from __future__ import annotations

from PySide6.QtWidgets import QGridLayout, QWidget

from partsight.domain.verdict import Result
from partsight.gui.theme import Look
from partsight.gui.widgets.cards import Card, Figure
from partsight.gui.words import count_word, number_word, result_word, share_word
from partsight.wire.screen.station import StationNote

TENTHS_BELOW_MS = 99.95


class Numbers(Card):
    """`triggers = OK + NG + REVIEW + INVALID + in flight`, all of one snapshot."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("", parent)
        grid = QGridLayout()
        grid.setHorizontalSpacing(Look.here().px(12))
        grid.setVerticalSpacing(Look.here().px(8))
        self.column.addLayout(grid)
        self.results = {result: Figure(result_word(result), result) for result in Result}
        self.triggers = Figure(self.tr("Triggers"))
        self.in_flight = Figure(self.tr("In flight"))
        self.share = Figure(self.tr("Yield"))
        self.rate = Figure(self.tr("Parts/min"))
        self.p50 = Figure(self.tr("Latency p50, ms"))
        self.p99 = Figure(self.tr("Latency p99, ms"))
        figures = (*self.results.values(), self.triggers, self.in_flight, self.share, self.rate, self.p50, self.p99)
        for i, figure in enumerate(figures):
            grid.addWidget(figure, i // 2, i % 2)
        grid.setColumnStretch(0, 1)
        grid.setColumnStretch(1, 1)

    def show_status(self, note: StationNote) -> None:
        """All at once."""
        counters = note.counters
        counts = {
            Result.OK: counters.ok,
            Result.NG: counters.ng,
            Result.REVIEW: counters.review,
            Result.INVALID: counters.invalid,
        }
        for result, count in counts.items():
            self.results[result].set_value(count_word(count))
        self.triggers.set_value(count_word(counters.triggers))
        self.in_flight.set_value(count_word(counters.in_flight))
        self.share.set_value(share_word(note.yield_share))
        self.rate.set_value(number_word(note.rate_per_min, 0))
        self.p50.set_value(_milliseconds(note.latency_ms.p50))
        self.p99.set_value(_milliseconds(note.latency_ms.p99))


def _milliseconds(took: float | None) -> str:
    """Tenths say nothing from a hundred on."""
    return number_word(took, 1 if took is None or took < TENTHS_BELOW_MS else 0)
