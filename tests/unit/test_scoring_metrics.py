"""Matching and metrics: hand-computed cases, and what must hold for any input."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partsight.scoring.matching import Matches, iou_matrix, match
from partsight.scoring.metrics import (
    Outcome,
    Rates,
    ap_by_class,
    average_precision,
    best_threshold,
    found_at,
    gather,
    mean_ap,
    rates_at,
)

Image = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def boxes_of(*rows: tuple[float, float, float, float]) -> np.ndarray:
    return np.array(rows, dtype=np.float32).reshape(-1, 4)


def run(images: list[Image], iou: float = 0.33) -> Outcome:
    return gather((i[1], i[2], i[4], match(*i, iou=iou)) for i in images)


@st.composite
def images(draw: st.DrawFn) -> list[Image]:
    """Up to four images with boxes on a coarse grid, so that overlaps and ties are common."""
    return [
        (*draw(_boxes_scores_classes(True)), *draw(_boxes_scores_classes(False)))
        for _ in range(draw(st.integers(1, 4)))
    ]


@st.composite
def _boxes_scores_classes(draw: st.DrawFn, scored: bool) -> tuple[np.ndarray, ...]:
    n = draw(st.integers(0, 8))
    grid = st.lists(st.integers(0, 6), min_size=n, max_size=n)
    corner = np.stack([np.array(draw(grid), dtype=np.float32), np.array(draw(grid), dtype=np.float32)], axis=1)
    size = np.stack([np.array(draw(grid), dtype=np.float32), np.array(draw(grid), dtype=np.float32)], axis=1) + 1
    boxes = np.hstack([corner, corner + size]).astype(np.float32).reshape(-1, 4)
    classes = np.array(draw(st.lists(st.integers(0, 2), min_size=n, max_size=n)), dtype=np.int32)
    scores = np.array(draw(st.lists(st.integers(1, 9), min_size=n, max_size=n)), dtype=np.float32) / 10
    return (boxes, scores, classes) if scored else (boxes, classes)


def test_iou_of_known_boxes() -> None:
    a = boxes_of((0, 0, 10, 10))
    others = boxes_of((0, 0, 10, 10), (5, 0, 15, 10), (10, 0, 20, 10), (0, 0, 10, 5), (3, 3, 3, 3))
    assert iou_matrix(a, others)[0] == pytest.approx([1.0, 50 / 150, 0.0, 0.5, 0.0])


def test_an_iou_of_exactly_the_threshold_is_no_match() -> None:
    box, half = boxes_of((0, 0, 10, 10)), boxes_of((0, 0, 10, 5))
    one, score = np.zeros(1, np.int32), np.array([0.9], np.float32)
    assert match(box, score, one, half, one, iou=0.5).partner.tolist() == [-1]
    assert match(box, score, one, half, one, iou=0.4999).partner.tolist() == [0]


def test_another_class_is_no_match() -> None:
    box, score = boxes_of((0, 0, 10, 10)), np.array([0.9], np.float32)
    assert not match(box, score, np.array([1]), box, np.array([0])).hits.any()


def test_the_better_score_takes_the_defect_and_the_second_is_false() -> None:
    twice = boxes_of((0, 0, 10, 10), (0, 0, 10, 11))
    found = match(twice, np.array([0.5, 0.8], np.float32), np.zeros(2, int), twice[:1], np.zeros(1, int))
    assert found.partner.tolist() == [-1, 0]
    assert found.found_by.tolist() == [1]


def test_a_detection_whose_best_defect_is_taken_takes_the_next_one() -> None:
    truths = boxes_of((0, 0, 10, 10), (4, 0, 14, 10))
    detections = boxes_of((0, 0, 10, 10), (1, 0, 11, 10))  # both like the first defect best
    found = match(detections, np.array([0.9, 0.8], np.float32), np.zeros(2, int), truths, np.zeros(2, int))
    assert found.partner.tolist() == [0, 1]


def test_rates_by_hand() -> None:
    """Two defects, three detections: one right, one false, one under its threshold."""
    truths = boxes_of((0, 0, 10, 10), (50, 50, 60, 60))
    detections = boxes_of((0, 0, 10, 10), (20, 20, 30, 30), (50, 50, 60, 60))
    image = (detections, np.array([0.9, 0.8, 0.3], np.float32), np.zeros(3, int), truths, np.zeros(2, int))
    rates = rates_at(run([image]), [0.5])
    assert rates == Rates(1, 1, 1)
    assert (rates.precision, rates.recall, rates.f_score) == (0.5, 0.5, 0.5)
    assert rates_at(run([image]), [0.3]) == Rates(2, 1, 0)
    assert found_at(run([image]), [0.5]).tolist() == [True, False]


def test_each_class_has_its_own_threshold() -> None:
    boxes = boxes_of((0, 0, 10, 10), (50, 50, 60, 60))
    classes = np.array([0, 1])
    outcome = run([(boxes, np.array([0.4, 0.4], np.float32), classes, boxes, classes)])
    assert rates_at(outcome, [0.3, 0.5]) == Rates(1, 0, 1)
    assert rates_at(outcome, [0.3, np.inf]) == Rates(1, 0, 1)


def test_nothing_to_divide_by_is_none_and_not_perfect() -> None:
    assert (Rates(0, 0, 0).precision, Rates(0, 0, 0).recall, Rates(0, 0, 0).f_score) == (None, None, None)
    assert Rates(0, 0, 5).f_score == 0.0
    empty = gather([])
    assert rates_at(empty, [0.5]) == Rates(0, 0, 0)
    assert ap_by_class(empty, ["a"]) == {}
    assert mean_ap({}) is None


def test_average_precision_by_hand() -> None:
    """Right, false, right of two defects: 1 x 1/2, then 2/3 x 1/2."""
    scores, hits = np.array([0.9, 0.8, 0.7]), np.array([True, False, True])
    assert average_precision(scores, hits, 2) == pytest.approx(0.5 + (2 / 3) * 0.5)


def test_average_precision_interpolates_at_all_points() -> None:
    """False, right, right: precision 0, 1/2, 2/3; the envelope is 2/3 everywhere."""
    scores, hits = np.array([0.9, 0.8, 0.7]), np.array([False, True, True])
    assert average_precision(scores, hits, 2) == pytest.approx(2 / 3)


def test_equal_scores_enter_the_curve_together() -> None:
    """Whichever of the two comes first, precision at that score is 1/2."""
    scores = np.array([0.5, 0.5])
    for hits in ([True, False], [False, True]):
        assert average_precision(scores, np.array(hits), 1) == pytest.approx(0.5)


def test_a_class_without_a_detection_has_ap_zero_and_one_without_a_defect_has_none() -> None:
    boxes = boxes_of((0, 0, 10, 10))
    outcome = run([(boxes, np.array([0.9], np.float32), np.array([1]), boxes, np.array([0]))])
    assert ap_by_class(outcome, ["open", "short"]) == {"open": 0.0}


def test_best_threshold_by_hand() -> None:
    scores, hits = np.array([0.9, 0.8, 0.6, 0.2]), np.array([True, False, True, False])
    assert best_threshold(scores, hits, 2) == pytest.approx((0.6, 0.8))
    assert best_threshold(np.zeros(0), np.zeros(0, bool), 2) == (1.0, 0.0)


@given(images())
def test_perfect_detections_score_one(samples: list[Image]) -> None:
    perfect = [(t, np.full(len(t), 0.9, np.float32), c, t, c) for *_, t, c in (_apart(s) for s in samples)]
    outcome = run(perfect)
    rates = rates_at(outcome, [0.5] * 3)
    assert rates.false_positives == rates.false_negatives == 0
    assert rates.f_score in (1.0, None)
    assert set(ap_by_class(outcome, "abc").values()) <= {1.0}


def _apart(sample: Image) -> Image:
    """Each defect moved to a place of its own, so that only one perfect matching is left."""
    shift = np.arange(len(sample[3]), dtype=np.float32)[:, None] * 100
    return (*sample[:3], sample[3] + shift, sample[4])


@given(images(), st.randoms(use_true_random=False))
def test_no_order_of_the_input_matters(samples: list[Image], random: Random) -> None:
    shuffled = [_shuffled(s, random) for s in random.sample(samples, len(samples))]
    before, after = run(samples), run(shuffled)
    assert rates_at(before, [0.4] * 3) == rates_at(after, [0.4] * 3)
    assert ap_by_class(before, "abc") == pytest.approx(ap_by_class(after, "abc"))


def _shuffled(sample: Image, random: Random) -> Image:
    boxes, scores, classes, truths, truth_classes = sample
    first = random.sample(range(len(scores)), len(scores))
    second = random.sample(range(len(truths)), len(truths))
    return boxes[first], scores[first], classes[first], truths[second], truth_classes[second]


@given(images(), st.floats(0.05, 0.95))
def test_matching_is_one_to_one_within_its_rules(samples: list[Image], iou: float) -> None:
    for boxes, scores, classes, truths, truth_classes in samples:
        found = match(boxes, scores, classes, truths, truth_classes, iou=iou)
        overlap = iou_matrix(boxes, truths)
        partners = found.partner[found.hits]
        assert len(set(partners.tolist())) == len(partners)
        for detection in np.flatnonzero(found.hits):
            truth = found.partner[detection]
            assert found.found_by[truth] == detection
            assert classes[detection] == truth_classes[truth]
            assert overlap[detection, truth] > iou
        for detection in np.flatnonzero(~found.hits):  # whatever it could have had went to a better score
            for truth in np.flatnonzero((overlap[detection] > iou) & (truth_classes == classes[detection])):
                assert found.found_by[truth] >= 0
                assert scores[found.found_by[truth]] >= scores[detection]


@given(images(), st.integers(1, 9))
def test_one_matching_serves_every_threshold(samples: list[Image], tenth: int) -> None:
    limit = np.float32(tenth) / np.float32(10)
    cut = [(b[s >= limit], s[s >= limit], c[s >= limit], t, tc) for b, s, c, t, tc in samples]
    assert rates_at(run(samples), [float(limit)] * 3) == rates_at(run(cut), [0.0] * 3)


@given(images())
def test_a_higher_threshold_never_finds_more(samples: list[Image]) -> None:
    outcome = run(samples)
    found = [rates_at(outcome, [t] * 3) for t in (0.1, 0.3, 0.5, 0.7, 0.9)]
    for lower, higher in pairwise(found):
        assert higher.true_positives <= lower.true_positives
        assert higher.false_positives <= lower.false_positives
        assert higher.false_negatives >= lower.false_negatives


@given(images())
def test_best_threshold_is_no_worse_than_any_other(samples: list[Image]) -> None:
    outcome = run(samples)
    for class_id in range(3):
        mine = outcome.class_ids == class_id
        truths = int((outcome.truth_class_ids == class_id).sum())
        threshold, best = best_threshold(outcome.scores[mine], outcome.hits[mine], truths)
        for other in (0.1, 0.2, 0.5, 0.9, threshold):
            limits = np.full(3, np.inf)
            limits[class_id] = other
            counted = rates_at(outcome, limits.tolist())
            missed_others = int((outcome.truth_class_ids != class_id).sum())
            f_score = Rates(
                counted.true_positives, counted.false_positives, counted.false_negatives - missed_others
            ).f_score
            assert (f_score or 0.0) <= best + 1e-12


def test_hits_are_the_detections_with_a_partner() -> None:
    found = Matches(np.array([-1, 3]), np.array([-1, -1, -1, 1]))
    assert found.hits.tolist() == [False, True]
