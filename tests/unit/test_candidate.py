"""The accuracy gate's measure: what a candidate no longer finds, by class and by part."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from partsight.scoring.candidate import Comparison, Found, compare
from partsight.scoring.samples import Sample, make_sample, unannotated

THRESHOLDS = (("open", 0.5), ("short", 0.6))
Box = tuple[float, float, float, float]


def place(number: int) -> Box:
    return (number * 20.0, 0.0, number * 20.0 + 10.0, 10.0)


def sample(name: str, *kinds: int) -> Sample:
    """A picture with one defect of each kind, side by side."""
    rows = [(kind, place(number)) for number, kind in enumerate(kinds)]
    return make_sample(Path(name), name, ("open", "short"), rows)


def found(*rows: tuple[int, str, float]) -> Found:
    """(place, class, score) each."""
    boxes = np.array([place(number) for number, _, _ in rows], np.float32).reshape(-1, 4)
    scores = np.array([score for *_, score in rows], np.float32)
    return Found(boxes, scores, tuple(kind for _, kind, _ in rows), (400, 20))


def compared(samples: list[Sample], before: list[Found], after: list[Found]) -> Comparison:
    return compare(samples, before, after, THRESHOLDS)


BOTH = sample("both.png", 0, 1)
SEES_BOTH = found((0, "open", 0.9), (1, "short", 0.9))


def test_the_same_answers_raise_no_objection() -> None:
    told = compared([BOTH, sample("good.png")], [SEES_BOTH, found()], [SEES_BOTH, found()])
    assert told.objections() == ()
    assert [(one.name, one.defects, one.reference, one.candidate) for one in told.classes] == [
        ("open", 1, 1, 1),
        ("short", 1, 1, 1),
    ]


@pytest.mark.parametrize(("lost", "objects"), [(1, False), (2, True)])
def test_half_a_point_of_recall_is_the_limit(lost: int, objects: bool) -> None:
    """Of 200 defects one may be lost (0.5 points), two may not; each part is still rejected for its other defect."""
    samples = [sample(f"{number}.png", 0, 1) for number in range(200)]
    after = [found((1, "short", 0.9)) if number < lost else SEES_BOTH for number in range(200)]
    told = compared(samples, [SEES_BOTH] * 200, after)
    assert told.new_misses == ()
    assert bool(told.objections()) == objects
    if objects:
        assert told.objections() == (
            "class 'open': recall falls by 1.00 points (200 to 198 of 200 defects), 0.5 are allowed",
        )


def test_one_bad_part_that_would_now_pass_is_too_many() -> None:
    """However many others there are."""
    samples = [BOTH] * 500 + [sample("escape.png", 0)]
    seen = [SEES_BOTH] * 500 + [found((0, "open", 0.51))]
    blind = [SEES_BOTH] * 500 + [found((0, "open", 0.49))]
    told = compared(samples, seen, blind)
    assert told.new_misses == ("escape.png",)
    assert "1 bad parts would now pass that are rejected today: escape.png" in told.objections()[-1]


def test_a_part_that_neither_rejects_is_no_new_miss() -> None:
    told = compared([BOTH, sample("missed.png", 0)], [SEES_BOTH, found()], [SEES_BOTH, found()])
    assert told.objections() == ()


def test_what_finds_more_is_welcome() -> None:
    told = compared([BOTH], [found((0, "open", 0.9))], [SEES_BOTH])
    assert told.objections() == ()


def test_a_class_without_a_defect_proves_nothing() -> None:
    told = compared([sample("open.png", 0)], [found((0, "open", 0.9))], [found((0, "open", 0.9))])
    assert told.objections() == ("class 'short' has no annotated defect, so nothing is known of it",)


def test_a_box_elsewhere_or_of_another_class_finds_nothing() -> None:
    elsewhere = found((7, "open", 0.9), (1, "open", 0.9))
    told = compared([BOTH], [SEES_BOTH], [elsewhere])
    assert [one.candidate for one in told.classes] == [0, 0]
    assert told.new_misses == (), "it is rejected all the same"
    assert len(told.objections()) == 2


def test_pictures_that_nobody_annotated_do_not_count() -> None:
    told = compared([BOTH, unannotated(Path("x.png"), "x")], [SEES_BOTH, SEES_BOTH], [SEES_BOTH, found()])
    assert told.images == 1
    assert told.objections() == ()
