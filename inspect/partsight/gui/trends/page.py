"""Trends: which time and recipe, the four charts, and the way out to files."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

from PySide6.QtCore import QDateTime, QPoint, QTimer
from PySide6.QtGui import QImage, QPainter
from PySide6.QtWidgets import QComboBox, QDateTimeEdit, QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from partsight.gui.calls import Call, Refusal
from partsight.gui.client import Client, Link
from partsight.gui.page import Page
from partsight.gui.theme import Look
from partsight.gui.trends.charts import ControlChart, LatencyChart, ParetoChart, YieldChart
from partsight.gui.trends.span import Range, span_of
from partsight.gui.widgets.cards import ElidedLabel, button, spaced
from partsight.gui.widgets.saving import ask_where, write_bytes
from partsight.gui.words import count_word, local_time, share_word
from partsight.wire.screen.recipes import RecipeRow
from partsight.wire.screen.trends import Trends

REFRESH_MS = 5000
EXPORT_SCALE = 2
TIMEOUT_S = 10.0


class TrendsPage(Page):
    """Asks every five seconds while it is looked at, so that the charts follow the line.

    The charts are made when somebody looks for the first time: making them takes half of what all else in the window
    does, and a screen that was started for the line need not wait for them.
    """

    yields: YieldChart
    control: ControlChart
    pareto: ParetoChart
    latency: LatencyChart

    def __init__(self, client: Client, parent: QWidget | None = None) -> None:
        super().__init__(client, parent)
        look = Look.here()
        self.trends: Trends | None = None
        self._call: Call | None = None
        self.choice = QComboBox()
        self.recipe = QComboBox()
        self.since, self.until = QDateTimeEdit(calendarPopup=True), QDateTimeEdit(calendarPopup=True)
        spaced(self.since, self.until)
        self.csv, self.png = button(self.tr("Save CSV …")), button(self.tr("Save picture …"))
        self.said = ElidedLabel("", "muted")
        outer = QVBoxLayout(self)
        outer.setContentsMargins(*(look.px(10),) * 4)
        outer.setSpacing(look.px(8))
        outer.addLayout(self._bar(look))
        self.own = self._own_bar(look)
        outer.addWidget(self.own)
        self.sheet = QWidget()
        outer.addWidget(self.sheet, 1)
        self._timer = QTimer(self, interval=REFRESH_MS)
        self._timer.timeout.connect(self.refresh)
        self.choice.currentIndexChanged.connect(self._chosen)
        self.recipe.currentIndexChanged.connect(self.refresh)
        self.since.dateTimeChanged.connect(self.refresh)
        self.until.dateTimeChanged.connect(self.refresh)
        self.csv.clicked.connect(self._ask_csv)
        self.png.clicked.connect(self._ask_png)
        self._show_kept()

    def _bar(self, look: Look) -> QHBoxLayout:
        for key, word in (
            (Range.SHIFT, self.tr("This shift")),
            (Range.HOURS, self.tr("Last 8 hours")),
            (Range.DAY, self.tr("Last 24 hours")),
            (Range.WEEK, self.tr("Last 7 days")),
            (Range.OWN, self.tr("From … to …")),
        ):
            self.choice.addItem(word, key)
        self.recipe.addItem(self.tr("All recipes"), "")
        self.choice.setAccessibleName(self.tr("Time"))
        self.recipe.setAccessibleName(self.tr("Recipe"))
        self.recipe.setMinimumWidth(look.px(190))
        row = QHBoxLayout()
        row.setSpacing(look.px(8))
        row.addWidget(self.choice)
        row.addWidget(self.recipe)
        row.addStretch(1)
        row.addWidget(self.csv)
        row.addWidget(self.png)
        return row

    def _own_bar(self, look: Look) -> QWidget:
        bar = QWidget()
        row = QHBoxLayout(bar)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(look.px(8))
        now = QDateTime.currentDateTime()
        for field, at, name in (
            (self.since, now.addDays(-1), self.tr("From")),
            (self.until, now, self.tr("To")),
        ):
            field.setDisplayFormat("yyyy-MM-dd HH:mm")
            field.setDateTime(at)
            field.setAccessibleName(name)
            field.setMinimumWidth(look.px(210))
            row.addWidget(field)
        row.addStretch(1)
        bar.hide()
        return bar

    def _fill_sheet(self) -> None:
        grid = QGridLayout(self.sheet)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(Look.here().px(8))
        self.yields, self.control = YieldChart(), ControlChart()
        self.pareto, self.latency = ParetoChart(), LatencyChart()
        grid.addWidget(self.said, 0, 0, 1, 2)
        for place, chart in enumerate((self.yields, self.control, self.pareto, self.latency)):
            grid.addWidget(chart, 1 + place // 2, place % 2)

    def _show_kept(self) -> None:
        """What was chosen before the page was made anew (another language, theme or size)."""
        kept = self.client.property("trends/chosen")
        if isinstance(kept, dict):
            self.since.setDateTime(kept["since"])
            self.until.setDateTime(kept["until"])
            if kept["recipe"]:
                self.recipe.addItem(kept["recipe"], kept["recipe"])
                self.recipe.setCurrentIndex(1)
            self.choice.setCurrentIndex(self.choice.findData(Range(kept["range"])))

    def opened(self) -> None:
        """Ask, and go on asking."""
        if self.sheet.layout() is None:
            self._fill_sheet()
        self._timer.start()
        self.client.call("GET", "recipes", answer=list[RecipeRow], then=self._show_recipes, failed=self._no_recipes)
        self.refresh()

    def closed(self) -> None:
        """Nobody looks."""
        self._timer.stop()

    # Asking

    def span(self) -> tuple[datetime, datetime]:
        """since, until: what is chosen."""
        chosen = Range(self.choice.currentData())
        if chosen is Range.OWN:
            since, until = (_moment(field) for field in (self.since, self.until))
            return (since, until) if since < until else (until, since + timedelta(minutes=1))
        note = self.client.note
        return span_of(chosen, datetime.now(timezone.utc), note.shift_starts if note is not None else ())

    def params(self) -> dict[str, str | int | float | bool | None]:
        """Of `GET trends`, as it is chosen."""
        since, until = self.span()
        recipe = self.recipe.currentData()
        return {"since": since.isoformat(), "until": until.isoformat(), "recipe": recipe or None}

    def refresh(self, _what: object = None) -> None:
        """Ask anew; an answer to an older question is not shown any more."""
        self._keep()
        if not self.is_open or self.client.link is Link.LOGIN:
            return
        if self._call is not None:
            self._call.cancel()
        self._call = self.client.call(
            "GET",
            "trends",
            answer=Trends,
            params=self.params(),
            then=self.show_trends,
            failed=self._refused,
            timeout_s=TIMEOUT_S,
        )

    def _keep(self) -> None:
        kept = {
            "range": Range(self.choice.currentData()).value,
            "recipe": self.recipe.currentData(),
            "since": self.since.dateTime(),
            "until": self.until.dateTime(),
        }
        self.client.setProperty("trends/chosen", kept)

    def _chosen(self) -> None:
        self.own.setVisible(self.choice.currentData() is Range.OWN)
        self.refresh()

    def _show_recipes(self, rows: list[RecipeRow]) -> None:
        chosen = self.recipe.currentData()
        self.recipe.blockSignals(True)
        while self.recipe.count() > 1:
            self.recipe.removeItem(1)
        for name in sorted({row.name for row in rows} | ({chosen} if chosen else set())):
            self.recipe.addItem(name, name)
        self.recipe.setCurrentIndex(max(0, self.recipe.findData(chosen)))
        self.recipe.blockSignals(False)

    def _no_recipes(self, _refusal: Refusal) -> None:
        """Then there is no choice among them; the charts say for themselves what is wrong."""

    def _refused(self, refusal: Refusal) -> None:
        self.said.set_whole(str(refusal).replace("\n", " · "))

    # Showing

    def show_trends(self, trends: Trends) -> None:
        """An answer of the API."""
        self.trends = trends
        self.yields.show_trends(trends)
        self.control.show_trends(trends)
        self.pareto.show_trends(trends)
        note = self.client.note
        self.latency.show_trends(trends, note.deadline_ms if note is not None else None)
        text = self.tr("{station}: {recipe}, {since} to {until}. {total} parts, yield {share}")
        self.said.set_whole(
            text.format(
                station=note.name if note is not None else "",
                recipe=trends.recipe or self.tr("all recipes"),
                since=local_time(trends.since, day=True),
                until=local_time(trends.until, day=True),
                total=count_word(trends.summary.total),
                share=share_word(trends.summary.yield_share),
            )
        )

    # Files

    def _file_name(self, suffix: str) -> str:
        since, _ = self.span()
        return f"trends-{since.astimezone():%Y%m%d-%H%M}.{suffix}"

    def _ask_csv(self) -> None:
        ask_where(self, self.tr("Save CSV"), self._file_name("csv"), self.export_csv)

    def _ask_png(self) -> None:
        ask_where(self, self.tr("Save picture"), self._file_name("png"), self.export_png)

    def export_csv(self, path: Path) -> None:
        """The intervals as a table, from the station; a notice says how it went."""

        def write(content: bytes) -> None:
            if write_bytes(self.client, path, content):
                self.said.set_whole(self.tr("Saved: {path}").format(path=path))

        params = self.params()
        self.client.call("GET", "trends.csv", answer=bytes, params=params, then=write, owner=self, timeout_s=TIMEOUT_S)

    def export_png(self, path: Path) -> None:
        """The charts as they are, twice as fine as on the screen."""
        size = self.sheet.size() * EXPORT_SCALE
        image = QImage(size, QImage.Format.Format_RGB32)
        image.setDevicePixelRatio(EXPORT_SCALE)
        image.fill(Look.here().colours.background)
        painter = QPainter(image)
        self.sheet.render(painter, QPoint())
        painter.end()
        if image.save(str(path)):
            self.said.set_whole(self.tr("Saved: {path}").format(path=path))
        else:
            self.client.problem.emit(self.tr("{path} cannot be written.").format(path=path))


def _moment(field: QDateTimeEdit) -> datetime:
    return datetime.fromtimestamp(field.dateTime().toSecsSinceEpoch(), timezone.utc)
