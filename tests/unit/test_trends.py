"""Figures over time: counted in the database, as numpy counts them from the records themselves."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.test_records import make_inspection, open_records

from partsight.domain.errors import RecordsTooSlow
from partsight.domain.inspection import Timings
from partsight.domain.reasons import Reason, defect_code
from partsight.domain.verdict import RecipeRef, Result
from partsight.outputs.records import Query, RecordsReader, SqliteRecords, trends
from partsight.outputs.records.folder import DATABASE
from partsight.outputs.records.trends import EDGES_MS, MAX_BUCKETS, Span, histogram, limits, nice_seconds, percentiles

START = datetime(2026, 5, 1, 6, 0, tzinfo=timezone.utc)  # make_inspection's part n is triggered n seconds later
CODES = {Result.NG: defect_code(1), Result.REVIEW: int(Reason.DOUBT), Result.INVALID: int(Reason.DEADLINE)}


@pytest.fixture
def records(tmp_path: Path) -> Iterator[SqliteRecords]:
    with open_records(tmp_path) as opened:
        yield opened


def fill(records: SqliteRecords, results: list[Result], recipe: RecipeRef | None = None) -> None:
    for sequence, result in enumerate(results):
        one = make_inspection(sequence, result, CODES.get(result, 0))
        one = replace(one, timings=Timings(verdict_ms=10.0 + sequence))
        if recipe is not None:
            one = replace(one, verdict=replace(one.verdict, recipe=recipe))
        records.commit(one)


def read(folder: Path, span: Span) -> trends.Trends:
    with RecordsReader.open(folder) as reader:
        return reader.trends(span)


def test_every_part_is_in_its_interval(records: SqliteRecords) -> None:
    fill(records, [Result.OK] * 8 + [Result.NG] * 2 + [Result.INVALID] + [Result.REVIEW] * 2)
    found = read(records.folder, Span(START, START + timedelta(seconds=12), 5.0))
    assert [(b.start, b.seconds, b.total) for b in found.buckets] == [
        (START, 5.0, 5),
        (START + timedelta(seconds=5), 5.0, 5),
        (START + timedelta(seconds=10), 2.0, 2),
    ]
    assert found.buckets[1].counts == {Result.OK: 3, Result.NG: 2, Result.REVIEW: 0, Result.INVALID: 0}
    assert found.buckets[0].share == 0
    assert found.summary.total == 12, "the part at the end itself belongs to what comes after"
    assert found.centre == pytest.approx(4 / 12)
    assert [(bar.text, bar.count) for bar in found.pareto] == [
        ("short", 2),
        ("no verdict before the deadline", 1),
        ("score inside the band of doubt", 1),
    ]


def test_an_empty_interval_has_no_share_and_is_no_signal(records: SqliteRecords) -> None:
    fill(records, [Result.OK])
    found = read(records.folder, Span(START, START + timedelta(hours=2), 3600.0))
    assert (found.buckets[1].total, found.buckets[1].share, found.buckets[1].outside) == (0, None, False)
    nothing = read(records.folder, Span(START - timedelta(days=2), START - timedelta(days=1), 3600.0))
    assert (nothing.centre, nothing.latency, nothing.summary.p99_ms, len(nothing.buckets)) == (None, (), None, 24)


def test_an_interval_outside_its_limits_is_a_signal(records: SqliteRecords) -> None:
    fill(records, [Result.OK] * 90 + [Result.NG] * 10)
    found = read(records.folder, Span(START, START + timedelta(seconds=100), 10.0))
    assert [b.outside for b in found.buckets] == [False] * 9 + [True]
    last = found.buckets[-1]
    # p = 0.1, n = 10: 0.1 + 3 * sqrt(0.1 * 0.9 / 10)
    assert (last.share, last.lower) == (1.0, 0.0)
    assert last.upper == pytest.approx(0.1 + 3 * math.sqrt(0.009))


def test_trends_of_one_recipe_or_one_revision_of_it(records: SqliteRecords) -> None:
    fill(records, [Result.OK] * 3)
    for sequence, revision in ((10, 4), (11, 4), (12, 5)):
        one = make_inspection(sequence, Result.NG, 1000)
        records.commit(replace(one, verdict=replace(one.verdict, recipe=RecipeRef("other", revision, "c"))))
    until = START + timedelta(minutes=1)
    totals = {
        recipe: read(records.folder, Span(START, until, 60.0, recipe)).summary.total
        for recipe in (None, "pcb", "other", "other@4", "other@9", "")
    }
    assert totals == {None: 6, "pcb": 3, "other": 3, "other@4": 2, "other@9": 0, "": 0}


def test_the_summary_of_the_trends_is_the_summary_of_the_records(records: SqliteRecords) -> None:
    fill(records, [Result.OK, Result.NG, Result.REVIEW, Result.INVALID] * 50)
    until = START + timedelta(seconds=150)
    found = read(records.folder, Span(START, until, 7.0))
    with RecordsReader.open(records.folder) as reader:
        exact = reader.summary(Query(since=START, until=until))
        newest = reader.summary(Query(since=START, until=until), latency_of=10)
    assert found.summary.counts == exact.counts
    assert sum(b.total for b in found.buckets) == exact.total == 150
    assert sum(bin_.count for bin_ in found.latency) == 150
    latency = exact.latency_ms
    assert (found.summary.p50_ms, found.summary.p99_ms, found.summary.max_ms) == pytest.approx(
        (latency.p50, latency.p99, latency.max), rel=0.02
    )
    assert (newest.total, newest.latency_ms.p50) == (150, pytest.approx(154.5))


def test_a_question_that_takes_too_long_ends(tmp_path: Path) -> None:
    with open_records(tmp_path) as records:
        fill(records, [Result.OK])
    db = sqlite3.connect(tmp_path / DATABASE)
    db.execute(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000) INSERT INTO inspection "
        "SELECT i + 1000, uid, trigger_id, epoch, kind, at_us + i, at_ns, deadline_ns, part_id, encoder, result, "
        "action, code, findings, recipe, model, 1, 1, 1, 1, 1, i / 100.0, late, simulated, truth, mode "
        "FROM inspection, n"
    )
    db.commit()
    db.close()
    span = Span(START, START + timedelta(hours=1), 60.0)
    with RecordsReader.open(tmp_path) as reader:
        with pytest.raises(RecordsTooSlow, match="ask for a shorter time"), reader.limited(0.0):
            reader.trends(span)
        with reader.limited(60.0):
            assert reader.trends(span).summary.total == 30_001, "and the next one is answered"


@given(st.floats(0, 1), st.integers(1, 10**7))
def test_the_limits_hold_the_mean_and_narrow_with_more_parts(centre: float, total: int) -> None:
    lower, upper = limits(centre, total)
    assert 0 <= lower <= centre <= upper <= 1
    narrower = limits(centre, total * 4)
    assert narrower[0] >= lower
    assert narrower[1] <= upper


latencies = st.lists(st.floats(0, 20_000), min_size=1, max_size=200)


@given(latencies)
def test_latencies_are_counted_in_the_database_as_they_are_here(values: list[float]) -> None:
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE inspection (verdict_ms REAL)")
    db.executemany("INSERT INTO inspection VALUES (?)", [(v,) for v in values])
    stepped = db.execute(f"SELECT {trends._STEP_SQL}, count(*) FROM inspection i GROUP BY 1 ORDER BY 1").fetchall()
    db.close()
    bins = histogram(stepped)
    assert sum(b.count for b in bins) == len(values)
    assert all(a.to_ms == b.from_ms for a, b in pairwise(bins))
    for one in bins:
        inside = sum(one.from_ms + 1e-5 <= v < one.to_ms - 1e-5 for v in values)
        near = sum(one.from_ms - 1e-5 <= v < one.to_ms + 1e-5 or v >= EDGES_MS[-1] for v in values)
        assert inside <= one.count <= near
    (median,) = percentiles(stepped, (50,))
    assert median is not None
    exact = float(np.percentile(values, 50, method="inverted_cdf"))
    assert median == pytest.approx(min(exact, 10_000), rel=0.011, abs=0.011)


@given(st.integers(1, 10 * 366 * 86_400))
def test_the_interval_that_is_chosen_gives_a_chart_that_can_be_read(seconds: int) -> None:
    chosen = nice_seconds(START, START + timedelta(seconds=seconds))
    assert 1 <= seconds / chosen + 1 < MAX_BUCKETS
    assert seconds / chosen <= 120
