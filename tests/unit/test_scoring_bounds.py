"""Bounds of rates: published values, and what must hold for any sample."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partsight.scoring.bounds import none_failed, rate_of, t_975, wilson

counts = st.integers(1, 60).flatmap(lambda n: st.lists(st.booleans(), min_size=n, max_size=n))


def test_wilson_as_published() -> None:
    """Newcombe 1998, table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29."""
    assert wilson(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(15 / 148, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson(1 / 29, 29) == pytest.approx((0.0061, 0.1718), abs=5e-5)


def test_rule_of_three() -> None:
    assert none_failed(300) == pytest.approx(3 / 300, rel=0.01)
    assert none_failed(1) == pytest.approx(0.95)
    assert none_failed(59) == pytest.approx(0.05, abs=0.001)


def test_student_t_as_tabled() -> None:
    for freedom, expected in ((1, 12.706), (4, 2.776), (30, 2.042), (40, 2.021), (60, 2.000), (120, 1.980)):
        assert t_975(freedom) == pytest.approx(expected, abs=1e-3)


def test_parts_that_stand_alone_are_worth_their_number() -> None:
    rate = rate_of([False] * 300, [str(i) for i in range(300)])
    assert rate is not None
    assert (rate.count, rate.of, rate.effective) == (0, 300, 300)
    assert (rate.low, rate.high) == (0.0, pytest.approx(none_failed(300)))


def test_like_parts_are_worth_less_than_their_number() -> None:
    """300 parts of 3 board types without a failure do not prove 1 %."""
    groups = [str(i % 3) for i in range(300)]
    rate = rate_of([False] * 300, groups)
    assert rate is not None
    assert rate.effective == pytest.approx(300 / (1 + 99 * 0.05))
    assert rate.high > 0.05
    assert rate.groups == 3


def test_failures_that_keep_to_one_group_widen_the_bounds() -> None:
    groups = [str(i % 6) for i in range(120)]
    clustered = rate_of([g == "0" for g in groups], groups)
    spread = rate_of([i % 36 < 6 for i in range(120)], groups)
    assert clustered is not None
    assert spread is not None
    assert clustered.count == 20
    assert spread.count in range(18, 25)
    assert clustered.effective < 10
    assert clustered.high - clustered.low > 1.5 * (spread.high - spread.low)


def test_without_parts_there_is_no_rate() -> None:
    assert rate_of([], []) is None


def test_a_group_for_each_part_is_required() -> None:
    with pytest.raises(ValueError, match="2 parts and 1 groups"):
        rate_of([True, False], ["a"])


@given(counts, st.integers(1, 10))
def test_bounds_contain_the_estimate(failed: list[bool], groups: int) -> None:
    rate = rate_of(failed, [str(i % groups) for i in range(len(failed))])
    assert rate is not None
    assert 0.0 <= rate.low <= rate.rate <= rate.high <= 1.0
    assert rate.count == sum(failed)
    assert 0 < rate.effective <= rate.of
    assert rate.high - rate.low > 0


@given(counts, st.integers(1, 10), st.randoms(use_true_random=False))
def test_the_order_of_parts_does_not_matter(failed: list[bool], groups: int, random: Random) -> None:
    labels = [str(i % groups) for i in range(len(failed))]
    order = random.sample(range(len(failed)), len(failed))
    before = rate_of(failed, labels)
    after = rate_of([failed[i] for i in order], [labels[i] for i in order])
    assert before is not None
    assert after is not None
    assert (after.low, after.high) == pytest.approx((before.low, before.high))


@given(st.integers(2, 400))
def test_one_more_failure_raises_both_bounds(n: int) -> None:
    alone = [str(i) for i in range(n)]
    before = None
    for count in sorted({0, 1, 2, n // 2, n - 1, n}):
        rate = rate_of([i < count for i in range(n)], alone)
        assert rate is not None
        if before is not None:
            assert rate.low >= before.low
            assert rate.high >= before.high
        before = rate


@given(st.integers(1, 1000), st.integers(1, 1000))
def test_more_parts_without_a_failure_prove_more(fewer: int, more: int) -> None:
    assert none_failed(fewer + more) < none_failed(fewer)
