"""Judging the past again with another recipe (rule 7: the same part judges the same)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone

from hypothesis import given
from hypothesis import strategies as st

from partsight.domain.inspection import Inspection, Timings
from partsight.domain.reasons import Reason
from partsight.domain.trigger import Trigger, TriggerKind
from partsight.domain.uid import uuid7
from partsight.domain.verdict import Result, Verdict, invalid
from partsight.domain.views import ImageFacts, View
from partsight.recipes import Recipe, decide
from partsight.recipes.trial import rejudge
from partsight.testing.line_in_a_box import CLASSES, boxes, presence_recipe

RECIPE = presence_recipe()
FACTS = ImageFacts(width=640, height=480, level=120.0, saturated=0.0, sharpness=50.0, coverage={"there": 0.5})
EMPTY = replace(FACTS, coverage={"there": 0.0})
scores = st.floats(0.0625, 1.0, width=32)


def part(view: View, verdict: Verdict) -> Inspection:
    now = datetime.now(timezone.utc)
    trigger = Trigger(1, 1, 1, TriggerKind.CALL, now, 0, 1)
    return Inspection(uuid7(), trigger, verdict, (view,), Timings(), None)


@st.composite
def parts(draw: st.DrawFn) -> Inspection:
    rows = draw(st.lists(st.tuples(scores, st.integers(0, len(CLASSES) - 1)), max_size=6))
    found = boxes(*((10.0, 10.0, 30.0, 30.0, score, class_id) for score, class_id in rows))
    view = View("top", found, draw(st.sampled_from([FACTS, FACTS, EMPTY])))
    return part(view, decide((view,), RECIPE))


def with_thresholds(recipe: Recipe, values: list[float]) -> Recipe:
    rules = tuple(replace(r, threshold=v, review=None) for r, v in zip(recipe.rules, values, strict=True))
    return replace(recipe, rules=rules)


@given(st.lists(parts(), max_size=8))
def test_rule_7_the_unchanged_recipe_changes_no_verdict(past: list[Inspection]) -> None:
    judged, skipped = rejudge(past, RECIPE)
    assert skipped == 0
    assert [one.after for one in judged] == [one.inspection.verdict for one in judged]


@given(parts(), st.lists(st.floats(0, 1), min_size=len(CLASSES), max_size=len(CLASSES)))
def test_raised_thresholds_never_make_a_good_part_bad_nor_an_invalid_one_anything(
    one: Inspection, raised: list[float]
) -> None:
    higher = [rule.threshold + (1 - rule.threshold) * by for rule, by in zip(RECIPE.rules, raised, strict=True)]
    ((judged,), _) = rejudge([one], with_thresholds(RECIPE, higher))
    was, now = one.verdict.result, judged.after.result
    assert not (was is Result.OK and now is not Result.OK)
    assert (was is Result.INVALID) == (now is Result.INVALID)


@given(parts())
def test_what_no_recipe_has_decided_is_skipped(one: Inspection) -> None:
    late = replace(one, verdict=invalid(Reason.DEADLINE, "late", RECIPE.ref), late=one.verdict.result)
    unseen = part(View("top", failure=Reason.NO_FRAME), invalid(Reason.NO_FRAME, "none", RECIPE.ref))
    missed = replace(one, views=(), verdict=invalid(Reason.NOT_RUNNING, "stopped", RECIPE.ref))
    view = one.views[0]
    assert view.detections is not None
    other = replace(one, views=(replace(view, detections=replace(view.detections, names=(*CLASSES, "new"))),))
    assert rejudge([late, unseen, missed, other], RECIPE) == ([], 4)
