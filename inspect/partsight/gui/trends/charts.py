"""The four charts. Each keeps its items and only changes their data, so a refresh does not flicker.

`show(...)` takes the numbers; the words for what is under the pointer (or finger) come out at `readout`.
"""

from __future__ import annotations

import math

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QCoreApplication, QPointF, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QWidget

from partsight.gui.theme import Look
from partsight.gui.trends.figures import (
    Cause,
    Numbers,
    Times,
    causes_of,
    latency_bars,
    results_of,
    stepped,
    time_ticks,
    times_of,
)
from partsight.gui.widgets.cards import Card, ElidedLabel
from partsight.gui.words import count_word, local_time, number_word, reason_word, share_word
from partsight.wire.screen.trends import Bucket, LatencyBin, Trends

LONGEST_NAME = 22
DECADES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)


class Chart(Card):
    """A title, a line of words, and axes in the theme's colours. Touching it shows numbers; nothing can be dragged."""

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(title, parent, margin=10, spacing=4)
        look = Look.here()
        self.readout = ElidedLabel("", "small")
        self.column.addWidget(self.readout)
        self.plot = pg.PlotWidget(background=look.colours.panel, enableMenu=False)
        self.plot.setMinimumHeight(look.px(110))
        self.plot.setMouseEnabled(False, False)
        self.plot.hideButtons()
        self.plot.setFrameShape(self.plot.Shape.NoFrame)
        for side in ("left", "bottom"):
            axis = self.plot.getAxis(side)
            axis.setPen(pg.mkPen(look.colours.border, width=look.px(1)))
            axis.setTextPen(look.colours.muted)
            axis.setTickFont(look.font(11))
        self.plot.showGrid(y=True, alpha=0.25)
        self.column.addWidget(self.plot, 1)
        self._summary = ""
        self.plot.scene().sigMouseMoved.connect(self._pointed)
        self.plot.scene().sigMouseClicked.connect(self._touched)

    def say(self, summary: str) -> None:
        """What stands there while nothing is pointed at."""
        self._summary = summary
        self.readout.set_whole(summary)
        self.plot.setAccessibleName(summary)

    def words_at(self, x: float, y: float) -> str:
        """The numbers under a point of the chart, "" where there are none."""
        raise NotImplementedError

    def _touched(self, event: object) -> None:
        place = getattr(event, "scenePos", None)
        if callable(place):
            self._pointed(place())

    def _pointed(self, at: QPointF) -> None:
        box = self.plot.getPlotItem().vb
        words = ""
        if box.sceneBoundingRect().contains(at):
            point = box.mapSceneToView(at)
            words = self.words_at(point.x(), point.y())
        self.readout.set_whole(words or self._summary)


def pen(colour: str, width: float = 2.0, style: Qt.PenStyle = Qt.PenStyle.SolidLine) -> object:
    """width: at 1024 x 768."""
    return pg.mkPen(QColor(colour), width=Look.here().px(width), style=style)


class TimeChart(Chart):
    """One with intervals along the bottom."""

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(title, parent)
        self.buckets: tuple[Bucket, ...] = ()
        self.times: Times = times_of(())
        self.plot.getAxis("left").setWidth(Look.here().px(44))

    def show_times(self, trends: Trends) -> None:
        """The intervals of an answer."""
        self.buckets, self.times = trends.buckets, times_of(trends.buckets)
        self.plot.setXRange(trends.since.timestamp(), trends.until.timestamp(), padding=0.01)
        most = max(2, self.plot.width() // Look.here().px(74))
        self.plot.getAxis("bottom").setTicks([time_ticks(trends.since, trends.until, most)])

    def bucket_at(self, x: float) -> Bucket | None:
        """The interval of a moment."""
        starts = [b.start.timestamp() for b in self.buckets]
        place = int(np.searchsorted(starts, x, side="right")) - 1
        return self.buckets[place] if place >= 0 and x <= starts[place] + self.buckets[place].seconds else None


class YieldChart(TimeChart):
    """Share of OK parts, by interval."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(QCoreApplication.translate("trends", "Yield (%)"), parent)
        look = Look.here()
        self.line = self.plot.plot(pen=pen(look.colours.accent), connect="finite")
        self.points = pg.ScatterPlotItem(size=look.px(5), brush=pg.mkBrush(look.colours.accent), pen=None)
        self.plot.addItem(self.points)

    def show_trends(self, trends: Trends) -> None:
        """Replace what is drawn."""
        self.show_times(trends)
        times = self.times
        there = times.parts > 0
        self.line.setData(times.middle, times.good * 100)
        self.points.setData(times.middle[there], times.good[there] * 100)
        lowest = float(np.min(times.good[there])) * 100 if there.any() else 0.0
        self.plot.setYRange(max(0.0, math.floor(lowest / 10) * 10 - 2), 101, padding=0)
        summary = trends.summary
        text = QCoreApplication.translate("trends", "{share} of {total} parts are OK")
        none = QCoreApplication.translate("trends", "No parts in this time")
        self.say(
            text.format(share=share_word(summary.yield_share), total=count_word(summary.total))
            if summary.total
            else none
        )

    def words_at(self, x: float, y: float) -> str:
        """When, how good, and how many of each."""
        bucket = self.bucket_at(x)
        if bucket is None or bucket.share is None:
            return ""
        return f"{local_time(bucket.start)}   {share_word(1 - bucket.share)}   {results_of(bucket)}"


class ControlChart(TimeChart):
    """p-chart: share of parts that are not OK, its mean, and each interval's own limits. A signal is a triangle."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(QCoreApplication.translate("trends", "Control chart (p): not OK (%)"), parent)
        look, c = Look.here(), Look.here().colours
        dashed = Qt.PenStyle.DashLine
        self.high = self.plot.plot(pen=pen(c.review, 1.5, dashed), connect="finite")
        self.low = self.plot.plot(pen=pen(c.review, 1.5, dashed), connect="finite")
        self.centre = pg.InfiniteLine(angle=0, pen=pen(c.muted, 1.5))
        self.plot.addItem(self.centre)
        self.line = self.plot.plot(pen=pen(c.accent), connect="finite")
        self.points = pg.ScatterPlotItem(size=look.px(5), brush=pg.mkBrush(c.accent), pen=None)
        self.signals = pg.ScatterPlotItem(size=look.px(13), symbol="t", brush=pg.mkBrush(c.ng), pen=pg.mkPen(c.panel))
        self.plot.addItem(self.points)
        self.plot.addItem(self.signals)

    def show_trends(self, trends: Trends) -> None:
        """Replace what is drawn."""
        self.show_times(trends)
        times = self.times
        self.high.setData(*_percent(stepped(trends.buckets, [b.upper for b in trends.buckets])))
        self.low.setData(*_percent(stepped(trends.buckets, [b.lower for b in trends.buckets])))
        self.line.setData(times.middle, times.bad * 100)
        there, out = times.parts > 0, times.outside
        self.points.setData(times.middle[there & ~out], times.bad[there & ~out] * 100)
        self.signals.setData(times.middle[out], times.bad[out] * 100)
        self.centre.setVisible(trends.centre is not None)
        self.centre.setValue((trends.centre or 0.0) * 100)
        tops = [v for b in trends.buckets for v in (b.share, b.upper) if v is not None]
        self.plot.setYRange(0, max([*tops, 0.02]) * 112, padding=0)
        if trends.centre is None:
            self.say(QCoreApplication.translate("trends", "No parts in this time"))
            return
        text = QCoreApplication.translate("trends", "Mean {share}; {n} intervals outside the limits (▼)")
        self.say(text.format(share=share_word(trends.centre, 2), n=count_word(int(out.sum()))))

    def words_at(self, x: float, y: float) -> str:
        """When, the share, its limits, and whether it is a signal."""
        bucket = self.bucket_at(x)
        if bucket is None or bucket.share is None:
            return ""
        text = QCoreApplication.translate("trends", "{time}   {share} of {n}   limits {lower} to {upper}")
        words = text.format(
            time=local_time(bucket.start),
            share=share_word(bucket.share, 2),
            n=count_word(bucket.total),
            lower=share_word(bucket.lower, 2),
            upper=share_word(bucket.upper, 2),
        )
        return words + ("   ▼ " + QCoreApplication.translate("trends", "signal") if bucket.outside else "")


class ParetoChart(Chart):
    """Reasons, the heaviest on top; the line adds them up to 100 %."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(QCoreApplication.translate("trends", "Pareto of reasons"), parent)
        look, c = Look.here(), Look.here().colours
        self.causes: tuple[Cause, ...] = ()
        self.bars = pg.BarGraphItem(x0=[], y=[], width=[], height=0.7, brush=pg.mkBrush(c.accent), pen=None)
        self.line = self.plot.plot(pen=pen(c.review), symbol="o", symbolSize=look.px(7), symbolBrush=c.review)
        self.line.setZValue(2)
        self.plot.addItem(self.bars)
        item = self.plot.getPlotItem()
        item.showAxis("top")
        top = item.getAxis("top")
        top.setPen(pg.mkPen(c.border))
        top.setTextPen(c.muted)
        top.setTickFont(look.font(11))
        self.plot.showGrid(x=True, y=False, alpha=0.25)
        item.getAxis("left").setTextPen(c.text)

    def show_trends(self, trends: Trends) -> None:
        """Replace what is drawn."""
        self.causes = causes_of(trends.pareto)
        counts = [float(cause.count) for cause in self.causes]
        rows = [-float(n) for n in range(len(counts))]
        total = sum(counts)
        self.bars.setOpts(x0=[0.0] * len(counts), y=rows, width=counts, height=0.7)
        self.line.setData([cause.cumulated * total for cause in self.causes], rows)
        self.plot.getAxis("left").setTicks(
            [[(row, _short(_name(cause))) for row, cause in zip(rows, self.causes, strict=True)]]
        )
        shares = [(total * n / 4, share_word(n / 4, 0)) for n in range(5)] if total else []
        self.plot.getPlotItem().getAxis("top").setTicks([shares])
        self.plot.setXRange(0, max(total, 1), padding=0.03)
        self.plot.setYRange(min(rows, default=0) - 0.6, 0.6, padding=0)
        if not self.causes:
            self.say(QCoreApplication.translate("trends", "No rejects in this time"))
            return
        text = QCoreApplication.translate("trends", "{n} parts are not OK; most: {reason}")
        self.say(text.format(n=count_word(int(total)), reason=_name(self.causes[0])))

    def words_at(self, x: float, y: float) -> str:
        """The reason, how often, and the share up to it."""
        place = round(-y)
        if not 0 <= place < len(self.causes):
            return ""
        cause = self.causes[place]
        text = QCoreApplication.translate("trends", "{reason}: {n}, with those above it {share}")
        return text.format(reason=_name(cause), n=count_word(cause.count), share=share_word(cause.cumulated))


class LatencyChart(Chart):
    """How long verdicts took, on a logarithmic axis, with p50, p99 and the deadline."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(QCoreApplication.translate("trends", "Trigger to verdict (ms)"), parent)
        c = Look.here().colours
        self.bins: tuple[LatencyBin, ...] = ()
        self.bars = pg.BarGraphItem(x0=[], x1=[], y0=[], height=[], brush=pg.mkBrush(c.accent), pen=pg.mkPen(c.panel))
        self.plot.addItem(self.bars)
        self.plot.getAxis("bottom").setTicks([[(math.log10(ms), str(ms)) for ms in DECADES]])
        self.plot.getAxis("left").setWidth(Look.here().px(44))
        self.marks = {
            "p50": self._mark("p50", c.ok, 0.92),
            "p99": self._mark("p99", c.review, 0.78),
            "deadline": self._mark(QCoreApplication.translate("trends", "deadline"), c.ng, 0.64),
        }

    def _mark(self, word: str, colour: str, place: float) -> pg.InfiniteLine:
        look = Look.here()
        options = {"position": place, "color": colour, "fill": pg.mkBrush(look.colours.panel), "movable": False}
        line = pg.InfiniteLine(angle=90, pen=pen(colour, 2, Qt.PenStyle.DashLine), label=word, labelOpts=options)
        line.label.setFont(look.font(12, bold=True))
        self.plot.addItem(line)
        line.hide()
        return line

    def show_trends(self, trends: Trends, deadline_ms: float | None) -> None:
        """Replace what is drawn."""
        self.bins = trends.latency
        left, right, counts = latency_bars(self.bins)
        self.bars.setOpts(x0=left, x1=right, y0=np.zeros(len(counts)), height=counts)
        summary = trends.summary
        values = {"p50": summary.p50_ms, "p99": summary.p99_ms, "deadline": deadline_ms if self.bins else None}
        for key, value in values.items():
            self.marks[key].setVisible(value is not None and value > 0)
            if value is not None and value > 0:
                self.marks[key].setValue(math.log10(value))
        ends = [math.log10(value) for value in values.values() if value is not None and value > 0]
        edges = [*left[:1], *right[-1:], *ends]
        if edges:
            self.plot.setXRange(min(edges) - 0.05, max(edges) + 0.1, padding=0)
        self.plot.setYRange(0, max([*counts, 1.0]) * 1.1, padding=0)
        if not self.bins:
            self.say(QCoreApplication.translate("trends", "No parts in this time"))
            return
        words = [f"p50 {number_word(summary.p50_ms)} ms", f"p99 {number_word(summary.p99_ms)} ms"]
        if deadline_ms is not None:
            words.append(f"{QCoreApplication.translate('trends', 'deadline')} {number_word(deadline_ms, 0)} ms")
        self.say(" · ".join(words))

    def words_at(self, x: float, y: float) -> str:
        """The bin under the pointer."""
        left, right, _ = latency_bars(self.bins)
        for found, begin, end in zip(self.bins, left, right, strict=True):
            if begin <= x < end:
                text = QCoreApplication.translate("trends", "{begin} to {end} ms: {n} parts")
                digits = 0 if found.from_ms >= 10 else 2
                begins, ends = number_word(found.from_ms, digits), number_word(found.to_ms, digits)
                return text.format(begin=begins, end=ends, n=count_word(found.count))
        return ""


def _name(cause: Cause) -> str:
    if cause.code is None:
        return QCoreApplication.translate("trends", "all others")
    return reason_word(cause.code, cause.text)


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"


def _percent(line: tuple[Numbers, Numbers]) -> tuple[Numbers, Numbers]:
    return line[0], line[1] * 100
