"""Decoding: against a slow plain reference, and what must hold for any output."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partsight.detectors.yolo import BLOCK, FEW, Columns, decode, suppress
from partsight.domain.errors import DetectorError
from partsight.domain.model import ModelSpec, OutputFormat

IOU = 0.45
FLOOR = 0.25


def spec(output: OutputFormat, classes: int = 3, limit: int = 300) -> ModelSpec:
    return ModelSpec(
        name="any",
        version="1",
        path=Path("any.onnx"),
        sha256="",
        precision="fp32",
        classes=tuple(f"c{i}" for i in range(classes)),
        width=640,
        height=640,
        output=output,
        thresholds={},
        floor=FLOOR,
        nms_iou=IOU,
        max_detections=limit,
    )


def plain_iou(a: Any, b: Any) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return float(shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared))


def plain_nms(boxes: Any, scores: Any, classes: Any, iou: float, limit: int) -> list[int]:
    kept: list[int] = []
    for i in sorted(range(len(scores)), key=lambda n: -scores[n]):
        if len(kept) < limit and all(classes[i] != classes[k] or plain_iou(boxes[i], boxes[k]) <= iou for k in kept):
            kept.append(i)
    return kept


def scene(count: int, seed: int, *, ties: bool, spread: float = 300.0) -> tuple[Any, Any, Any]:
    """Boxes in clusters, so that many overlap."""
    rng = np.random.default_rng(seed)
    centre = rng.uniform(0, spread, (max(1, count // 5), 2))[rng.integers(0, max(1, count // 5), count)]
    corner = centre + rng.normal(0, 6, (count, 2))
    size = rng.uniform(0 if ties else 5, 60, (count, 2))
    scores = rng.uniform(0.3, 1, count)
    if ties:
        scores, size = np.round(scores, 1), np.round(size, -1)
    return np.hstack((corner, corner + size)), scores.astype(np.float32), rng.integers(0, 3, count)


@given(st.integers(0, 60) | st.integers(FEW - 2, FEW + 40), st.integers(0, 10_000), st.booleans())
def test_suppression_is_that_of_the_plain_way(count: int, seed: int, ties: bool) -> None:
    boxes, scores, classes = scene(count, seed, ties=ties)
    assert suppress(boxes, scores, classes, IOU, 300).tolist() == plain_nms(boxes, scores, classes, IOU, 300)


@pytest.mark.parametrize("limit", [1, 100, 300, 5000])
def test_suppression_over_many_blocks(limit: int) -> None:
    boxes, scores, classes = scene(16 * BLOCK + 3, 1, ties=False, spread=1500)
    kept = suppress(boxes, scores, classes, IOU, limit).tolist()
    assert kept == plain_nms(boxes, scores, classes, IOU, limit)
    assert len(kept) == limit or limit > 300


@given(st.sampled_from([-1, 1]), st.integers(0, 10_000), st.floats(0.05, 0.95))
def test_one_box_more_than_few_changes_nothing(side: int, seed: int, iou: float) -> None:
    """Few boxes are compared one by one, more in blocks: a box far away and with the lowest score moves none."""
    boxes, scores, classes = scene(FEW, seed, ties=False)
    more = np.vstack((boxes, [[side * 1e6, 0, side * 1e6 + 9, 9]]))
    kept = suppress(boxes, scores, classes, iou, 300).tolist()
    assert suppress(more, np.append(scores, np.float32(0.1)), np.append(classes, 0), iou, 300).tolist() == [*kept, FEW]


@given(st.integers(1, 60), st.integers(0, 10_000), st.floats(0.05, 0.95))
def test_kept_boxes_of_a_class_stay_apart(count: int, seed: int, iou: float) -> None:
    boxes, scores, classes = scene(count, seed, ties=False)
    kept = suppress(boxes, scores, classes, iou, 300).tolist()
    assert len(kept) >= 1
    for n, i in enumerate(kept):
        for j in kept[:n]:
            assert classes[i] != classes[j] or plain_iou(boxes[i], boxes[j]) <= iou + 1e-9
    # And none went without a reason.
    for i in set(range(count)) - set(kept):
        assert any(
            classes[i] == classes[k] and scores[k] >= scores[i] and plain_iou(boxes[i], boxes[k]) > iou - 1e-9
            for k in kept
        )


def anchors(boxes: Any, scores: Any, classes: Any, count: int = 3) -> Any:
    """Boxes as the columns that a model would give."""
    planes = np.zeros((4 + count, len(scores)), np.float32)
    planes[:2], planes[2:4] = (boxes[:, :2] + boxes[:, 2:]).T / 2, (boxes[:, 2:] - boxes[:, :2]).T
    planes[4 + classes, np.arange(len(scores))] = scores
    return planes


def rows(boxes: Any, scores: Any, classes: Any) -> Any:
    return np.hstack((boxes, scores[:, None], classes[:, None])).astype(np.float32)


def as_set(found: Columns) -> set[tuple[float, ...]]:
    return {
        (*box, float(score), int(kind))
        for box, score, kind in zip(found.boxes.tolist(), found.scores, found.class_ids, strict=True)
    }


@given(st.integers(0, 50), st.integers(0, 10_000), st.randoms(use_true_random=False))
def test_the_order_of_a_models_boxes_does_not_matter(count: int, seed: int, random: Any) -> None:
    boxes, scores, classes = scene(count, seed, ties=False)
    scores = (0.3 + 0.6 * np.random.default_rng(seed).permutation(count) / max(1, count)).astype(np.float32)
    order = np.array(random.sample(range(count), count), np.intp)
    for form, made in (
        (OutputFormat.ANCHORS, anchors(boxes, scores, classes)),
        (OutputFormat.END2END, rows(boxes, scores, classes)),
    ):
        mixed = made[:, order] if form is OutputFormat.ANCHORS else made[order]
        one, other = decode(made, spec(form)), decode(mixed, spec(form))
        assert as_set(one) == as_set(other)
        np.testing.assert_array_equal(one.scores, other.scores)


@given(st.integers(0, 80), st.integers(0, 10_000), st.booleans(), st.sampled_from(list(OutputFormat)))
def test_columns_are_sorted_owned_and_over_the_floor(count: int, seed: int, ties: bool, form: OutputFormat) -> None:
    boxes, scores, classes = scene(count, seed, ties=ties)
    scores = scores - np.float32(0.3)
    made = anchors(boxes, scores, classes) if form is OutputFormat.ANCHORS else rows(boxes, scores, classes)
    before = made.copy()
    found = decode(made, spec(form, limit=20))
    assert len(found.scores) <= 20
    assert (np.diff(found.scores) <= 0).all()
    assert (found.scores > FLOOR).all()
    assert found.boxes.shape == (len(found.scores), 4)
    assert (found.boxes[:, :2] <= found.boxes[:, 2:]).all()
    assert (found.boxes.dtype, found.scores.dtype, found.class_ids.dtype) == (np.float32, np.float32, np.int32)
    if form is OutputFormat.END2END:
        assert len(found.scores) == min(20, int((scores > FLOOR).sum()))
    for column in (found.boxes, found.scores, found.class_ids):
        assert not np.shares_memory(column, made)
    np.testing.assert_array_equal(made, before)


def test_an_anchor_speaks_for_its_best_class_only() -> None:
    planes = np.array([[10, 10, 4, 4, 0.5, 0.9, 0.8]], np.float32).T
    found = decode(planes, spec(OutputFormat.ANCHORS))
    assert found.class_ids.tolist() == [1]
    np.testing.assert_array_equal(found.boxes, [[8, 8, 12, 12]])


def test_boxes_of_two_classes_may_lie_on_each_other() -> None:
    boxes = np.array([[0, 0, 10, 10]] * 3, float)
    made = anchors(boxes, np.array([0.9, 0.8, 0.7], np.float32), np.array([0, 1, 0]))
    assert decode(made, spec(OutputFormat.ANCHORS)).class_ids.tolist() == [0, 1]


def test_swapped_corners_are_put_right() -> None:
    found = decode(np.array([[9, 8, 1, 2, 0.9, 0]], np.float32), spec(OutputFormat.END2END))
    np.testing.assert_array_equal(found.boxes, [[1, 2, 9, 8]])
    negative = np.array([[10, 10, -4, -6, 0.9, 0, 0]], np.float32).T
    np.testing.assert_array_equal(decode(negative, spec(OutputFormat.ANCHORS)).boxes, [[8, 7, 12, 13]])


def test_a_score_on_the_floor_is_not_over_it() -> None:
    made = np.array([[0, 0, 1, 1, 0.25, 0], [0, 0, 1, 1, 0.2500001, 1]], np.float32)
    assert decode(made, spec(OutputFormat.END2END)).class_ids.tolist() == [1]


@pytest.mark.parametrize("form", list(OutputFormat))
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@given(place=st.integers(0, 10_000))
def test_a_value_that_is_no_number_is_never_passed_on(form: OutputFormat, value: float, place: int) -> None:
    made = anchors(*scene(9, 3, ties=False)) if form is OutputFormat.ANCHORS else rows(*scene(9, 3, ties=False))
    made.flat[place % made.size] = value
    with pytest.raises(DetectorError, match="NaN or an infinity"):
        decode(made, spec(form))


@given(
    st.lists(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=4, max_size=4), max_size=6),
    st.sampled_from(list(OutputFormat)),
)
def test_any_finite_box_comes_out_finite(boxes: list[list[float]], form: OutputFormat) -> None:
    n = len(boxes)
    made = np.zeros((n, 7 if form is OutputFormat.ANCHORS else 6), np.float32)
    made[:, :4] = np.array(boxes, np.float32).reshape(n, 4)
    made[:, 4] = 0.9
    found = decode(made.T if form is OutputFormat.ANCHORS else made, spec(form))
    assert np.isfinite(found.boxes).all()
    assert (len(found.scores) > 0) == (n > 0)


@pytest.mark.parametrize("score", [-0.1, 1.1, 20.0, -8.0])
@pytest.mark.parametrize("form", list(OutputFormat))
def test_scores_outside_their_range_are_refused(form: OutputFormat, score: float) -> None:
    made = np.zeros((1, 7 if form is OutputFormat.ANCHORS else 6), np.float32)
    made[0, 4] = score
    with pytest.raises(DetectorError, match="must lie in"):
        decode(made.T if form is OutputFormat.ANCHORS else made, spec(form))


@pytest.mark.parametrize("kind", [-1.0, 3.0, 0.5])
def test_classes_that_the_card_does_not_name_are_refused(kind: float) -> None:
    with pytest.raises(DetectorError, match="names 3 classes"):
        decode(np.array([[0, 0, 1, 1, 0.9, kind]], np.float32), spec(OutputFormat.END2END))


@pytest.mark.parametrize("made", [np.zeros((300, 6), np.float32), np.zeros((0, 6), np.float32)])
def test_nothing_found_is_nothing(made: Any) -> None:
    assert len(decode(made, spec(OutputFormat.END2END)).scores) == 0


@pytest.mark.parametrize("count", [0, 8400])
def test_no_anchor_over_the_floor_is_nothing(count: int) -> None:
    assert len(decode(np.zeros((7, count), np.float32), spec(OutputFormat.ANCHORS)).scores) == 0
