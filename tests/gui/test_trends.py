"""Trends: the charts say what the API says, and their exports can be read."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QPointF
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot
from tests.api.conftest import PASSWORD, Staffed, station
from tests.gui.conftest import Line, Screen
from tests.gui.test_shell import live

from partsight.domain.verdict import Result
from partsight.gui.client import Link
from partsight.gui.trends.figures import causes_of, latency_bars, time_ticks, times_of
from partsight.gui.trends.page import TrendsPage
from partsight.gui.trends.span import Range, shift_start, span_of
from partsight.wire.screen.people import Role
from partsight.wire.screen.trends import Bucket, LatencyBin, ReasonBar, Summary, Trends

Open = Callable[..., Screen]
__all__ = ["station"]
END = datetime(2026, 3, 5, 14, 0, tzinfo=timezone.utc)
DEFECTS = ("missing hole", "short", "open circuit", "mouse bite", "spur", "spurious copper")


def a_day() -> Trends:
    """Eight hours of a line with one bad stretch."""
    rng = np.random.default_rng(5)
    buckets, totals = [], dict.fromkeys(Result, 0)
    for n in range(96):
        total = 0 if 40 <= n < 44 else 550 + int(rng.integers(-60, 60))
        share = 0.05 if 70 <= n < 73 else 0.018
        ng = int(rng.binomial(total, share))
        counts = {Result.OK: total - ng, Result.NG: ng, Result.REVIEW: 0, Result.INVALID: 0}
        for result, count in counts.items():
            totals[result] += count
        buckets.append((n, counts, total, ng))
    everything = sum(totals.values())
    centre = 1 - totals[Result.OK] / everything
    made = []
    for n, counts, total, ng in buckets:
        reach = 3 * (centre * (1 - centre) / total) ** 0.5 if total else 0
        limits = (max(0.0, centre - reach), centre + reach) if total else (None, None)
        out = bool(total) and not limits[0] <= ng / total <= limits[1]
        made.append(
            Bucket(
                start=END - timedelta(minutes=5 * (96 - n)),
                seconds=300,
                counts=counts,
                total=total,
                share=ng / total if total else None,
                lower=limits[0],
                upper=limits[1],
                outside=out,
            )
        )
    ng = totals[Result.NG]
    pareto = [ReasonBar(code=1000 + i, text=name, count=ng // 2 ** (i + 1)) for i, name in enumerate(DEFECTS)]
    pareto.append(ReasonBar(code=200, text="no verdict in time", count=4))
    edges = (10.0, 12.5, 16.0, 20.0, 25.0, 31.5, 40.0, 50.0, 63.0)
    sizes = (40, 900, 9000, 21_000, 15_000, 4000, 600, 30)
    bins = [LatencyBin(from_ms=a, to_ms=b, count=c) for a, b, c in zip(edges[:-1], edges[1:], sizes, strict=True)]
    summary = Summary(
        total=everything, counts=totals, yield_share=1 - centre, p50_ms=22.9, p95_ms=29.0, p99_ms=36.4, max_ms=61.0
    )
    return Trends(
        since=END - timedelta(hours=8),
        until=END,
        centre=centre,
        buckets=tuple(made),
        pareto=tuple(pareto),
        latency=tuple(bins),
        summary=summary,
    )


def page_of(screen: Screen) -> TrendsPage:
    page = screen.window.page("trends")
    assert isinstance(page, TrendsPage)
    return page


def enter(screen: Screen, qtbot: QtBot, user: str) -> None:
    """Log in where the station has users."""
    qtbot.waitUntil(lambda: screen.client.link is Link.LOGIN, timeout=10_000)
    screen.client.log_in(user, PASSWORD, failed=lambda refusal: pytest.fail(str(refusal)))
    qtbot.waitUntil(lambda: screen.client.me.user == user and screen.client.note is not None, timeout=10_000)
    live(screen, qtbot)


# --- pure -------------------------------------------------------------------------------------------


@given(st.integers(0, 2**31).map(lambda at: datetime.fromtimestamp(at, timezone.utc)))
def test_a_shift_has_begun_before_now_and_less_than_a_day_ago(now: datetime) -> None:
    start = shift_start(now, ("06:00", "14:00", "22:00"))
    assert timedelta(0) <= now - start < timedelta(hours=10)
    assert start.astimezone().strftime("%H:%M") in {"06:00", "14:00", "22:00"}


def test_ranges_end_now() -> None:
    assert span_of(Range.WEEK, END, ()) == (END - timedelta(days=7), END)
    assert span_of(Range.SHIFT, END, ("00:00",))[1] == END


@given(st.lists(st.integers(1, 10_000), max_size=30))
def test_the_pareto_adds_up_to_all(counts: list[int]) -> None:
    causes = causes_of([ReasonBar(code=1000 + i, text=str(i), count=count) for i, count in enumerate(counts)])
    assert sum(cause.count for cause in causes) == sum(counts)
    assert [c.cumulated for c in causes] == sorted(c.cumulated for c in causes)
    if counts:
        assert causes[-1].cumulated == 1
        assert causes[0].count == max(counts)


@given(st.integers(60, 400 * 86_400), st.integers(2, 20))
def test_the_time_axis_has_room_for_what_is_written_on_it(span_s: int, most: int) -> None:
    ticks = time_ticks(END, END + timedelta(seconds=span_s), most)
    assert len(ticks) <= most + 1
    assert all(END.timestamp() <= at <= END.timestamp() + span_s for at, _ in ticks)


def test_intervals_without_parts_are_gaps_and_not_zeros() -> None:
    times = times_of(a_day().buckets)
    assert np.isnan(times.good[40:44]).all()
    assert not np.isnan(np.delete(times.good, slice(40, 44))).any()


def test_the_first_and_the_last_bin_can_be_drawn_on_a_logarithmic_axis() -> None:
    bins = (LatencyBin(from_ms=0, to_ms=1, count=3), LatencyBin(from_ms=10_000, to_ms=3_600_000, count=1))
    left, right, counts = latency_bars(bins)
    assert np.isfinite([*left, *right]).all()
    assert (right - left < 0.2).all()
    assert list(counts) == [3, 1]


# --- on the screen ----------------------------------------------------------------------------------


def test_a_real_line_is_charted_as_the_api_counts_it(
    station: Staffed, open_screen: Open, qtbot: QtBot, tmp_path: Path
) -> None:
    station.served.run.wait_for_verdicts(20)
    screen = open_screen(station.served.url)
    enter(screen, qtbot, "viewer1")
    screen.window.open_page("trends")
    page = page_of(screen)
    page.choice.setCurrentIndex(page.choice.findData(Range.HOURS))
    qtbot.waitUntil(lambda: page.trends is not None and page.trends.summary.total >= 20, timeout=10_000)
    first = page.trends
    assert first is not None
    assert page.yields.times.parts.sum() == first.summary.total
    with station.http(Role.VIEWER) as client:
        params = {"since": first.since.isoformat(), "until": first.until.isoformat()}
        told = Trends.model_validate_json(client.get("/api/v1/trends", params=params).content)
    assert told.summary.counts == first.summary.counts
    assert page.pareto.causes == causes_of(told.pareto)
    # It follows the line by itself, with the same items.
    bars = page.latency.bars
    qtbot.waitUntil(lambda: page.trends is not None and page.trends.summary.total > first.summary.total, timeout=15_000)
    assert page.latency.bars is bars
    page.recipe.setCurrentIndex(page.recipe.findData("there"))
    qtbot.waitUntil(lambda: page.trends is not None and page.trends.recipe == "there")

    table, picture = tmp_path / "t.csv", tmp_path / "t.png"
    page.export_csv(table)
    qtbot.waitUntil(table.exists)
    rows = list(csv.DictReader(io.StringIO(table.read_text())))
    assert sum(int(row["total"]) for row in rows) >= first.summary.total
    page.export_png(picture)
    assert QImage(str(picture)).width() == 2 * page.sheet.width()


def test_a_file_that_cannot_be_written_is_said(
    station: Staffed, open_screen: Open, qtbot: QtBot, tmp_path: Path
) -> None:
    screen = open_screen(station.served.url)
    enter(screen, qtbot, "viewer1")
    screen.window.open_page("trends")
    page_of(screen).export_csv(tmp_path / "no" / "t.csv")
    qtbot.waitUntil(lambda: any("t.csv" in text for text in screen.window.notices.texts()))


def test_pointing_shows_the_numbers(line: Line, open_screen: Open, qtbot: QtBot) -> None:
    screen = open_screen(line.url, (1920, 1080))
    live(screen, qtbot)
    screen.window.open_page("trends")
    page, trends = page_of(screen), a_day()
    page.closed()
    qtbot.waitUntil(lambda: bool(page.said.whole()))
    page.show_trends(trends)
    chart = page.control
    bucket = next(b for b in trends.buckets if b.outside)
    middle = bucket.start.timestamp() + bucket.seconds / 2
    at = chart.plot.getPlotItem().vb.mapViewToScene(QPointF(middle, 1))
    QTest.mouseMove(chart.plot.viewport(), QPoint(round(at.x()), round(at.y())))
    qtbot.waitUntil(lambda: "▼" in chart.readout.whole() and str(bucket.total) in chart.readout.whole())


@pytest.mark.parametrize(
    ("size", "theme", "language"),
    [
        ((1024, 768), "dark", "en"),
        ((1024, 768), "light", "de"),
        ((1920, 1080), "light", "zh_CN"),
        ((1920, 1080), "dark", "en"),
    ],
)
def test_screens_for_people_to_look_at(
    size: tuple[int, int], theme: str, language: str, line: Line, qtbot: QtBot, *, open_screen: Open
) -> None:
    screen = open_screen(line.url, size, theme, language)
    live(screen, qtbot)
    screen.window.open_page("trends")
    page = page_of(screen)
    qtbot.waitUntil(lambda: bool(page.said.whole()))
    page.show_trends(a_day())
    for chart in (page.yields, page.control, page.pareto, page.latency):
        assert chart.plot.height() > 90
        assert chart.geometry().bottom() <= page.sheet.height()
    screen.shoot(f"trends-{size[0]}-{theme}-{language}")
