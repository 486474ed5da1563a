"""decide(): what makes a part INVALID, NG, REVIEW or OK, and that nothing else does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partsight.config.recipe import RecipeFile
from partsight.domain.errors import ConfigError
from partsight.domain.reasons import Reason, defect_code
from partsight.domain.verdict import Action, Result
from partsight.domain.views import Alignment, ImageFacts, View
from partsight.recipes import Recipe, compile_recipe, decide
from partsight.testing.line_in_a_box import CLASSES, boxes, nothing

THERE = {"name": "there", "bright_above": 100, "min": 0.2, "max": 0.9}
GOOD = ImageFacts(640, 640, level=120.0, saturated=0.0, sharpness=500.0, coverage={"there": 0.5})


def recipe(view: dict[str, Any] | None = None, **top: Any) -> Recipe:
    values = {"schema": 1, "name": "r", "revision": 3, "views": [{"camera": "*", "coverage": [THERE], **(view or {})}]}
    file = RecipeFile.model_validate({**values, "defaults": {"threshold": 0.5}, **top})
    return compile_recipe(file, Path("r.toml"), CLASSES)


def view(detections: Any = None, **facts: Any) -> View:
    return View("top", detections if detections is not None else nothing(), replace(GOOD, **facts))


def box(score: float, class_id: int = 0, at: tuple[float, float] = (100.0, 100.0), size: float = 20.0) -> Any:
    x, y = at
    return (x - size / 2, y - size / 2, x + size / 2, y + size / 2, score, class_id)


def test_a_good_part_passes_and_says_which_recipe_decided() -> None:
    verdict = decide([view()], recipe())
    assert (verdict.result, verdict.action, verdict.code) == (Result.OK, Action.PASS, 0)
    assert (verdict.recipe.name, verdict.recipe.revision) == ("r", 3)


@pytest.mark.parametrize(
    ("image", "facts", "reason"),
    [
        ({}, {"level": 1.0}, Reason.BLACK),
        ({}, {"level": 254.0}, Reason.OVEREXPOSED),
        ({"level": (100, 130)}, {"level": 90.0}, Reason.LEVEL),
        ({"saturated_max": 0.1}, {"saturated": 0.2}, Reason.SATURATION),
        ({"sharpness_min": 600.0}, {}, Reason.BLURRED),
        ({"size": (320, 320)}, {}, Reason.WRONG_SIZE),
        ({}, {"frozen": True}, Reason.FROZEN),
    ],
)
def test_rule_2_each_image_check_has_its_own_reason(
    image: dict[str, Any], facts: dict[str, Any], reason: Reason
) -> None:
    verdict = decide([view(**facts)], recipe({"image": image}))
    assert (verdict.result, verdict.code) == (Result.INVALID, reason)


ALIGN = {"alignment": {"fiducials": [{"picture": "f.png", "at": (10, 10)}], "max_shift_px": 10.0, "max_angle_deg": 2.0}}


@pytest.mark.parametrize(
    ("alignment", "reason"),
    [
        (None, Reason.PART_SHIFTED),
        (Alignment((11.0, 0.0), 0.0, 0.9), Reason.PART_SHIFTED),
        (Alignment((0.0, 0.0), -2.5, 0.9), Reason.PART_ROTATED),
        (Alignment((0.0, 0.0), 0.0, 0.1), Reason.PART_SHIFTED),
        (Alignment((0.0, 0.0), 0.0, float("nan")), Reason.PART_SHIFTED),
        (Alignment((5.0, 5.0), 1.0, 0.9), None),
    ],
)
def test_rule_2_a_part_out_of_its_place_is_invalid(
    tmp_path: Path, alignment: Alignment | None, reason: Reason | None
) -> None:
    import cv2

    cv2.imwrite(str(tmp_path / "f.png"), np.zeros((16, 16), np.uint8))
    values = {"schema": 1, "name": "r", "revision": 1, "views": [{"camera": "*", **ALIGN}]}
    compiled = compile_recipe(RecipeFile.model_validate(values), tmp_path / "r.toml", CLASSES)
    verdict = decide([view(alignment=alignment)], compiled)
    expected = (Result.OK, 0) if reason is None else (Result.INVALID, reason)
    assert (verdict.result, verdict.code) == expected


def test_rule_2_an_empty_place_is_absent_and_only_that() -> None:
    verdict = decide([view(coverage={"there": 0.01})], recipe({"image": {}}))
    assert [f.code for f in verdict.findings] == [Reason.PART_ABSENT]


def test_rule_2_missing_evidence_is_not_evidence() -> None:
    assert decide([view(coverage={})], recipe()).result is Result.INVALID
    assert decide([], recipe()).result is Result.INVALID
    assert decide([View("top")], recipe()).code == Reason.VIEW_MISSING
    failed = View("side", failure=Reason.NO_FRAME, detail="none came")
    verdict = decide([view(), failed], recipe())
    assert (verdict.code, verdict.findings[0].camera) == (Reason.NO_FRAME, "side")


def test_rule_2_a_camera_without_rules_is_invalid() -> None:
    values = {"schema": 1, "name": "r", "revision": 1, "views": [{"camera": "side", "coverage": [THERE]}]}
    compiled = compile_recipe(RecipeFile.model_validate(values), Path("r.toml"), CLASSES)
    assert decide([view()], compiled).code == Reason.NO_EVIDENCE


@pytest.mark.parametrize(
    "evidence", [{}, {"features": [{"name": "f", "class": "open", "min_count": 0, "max_count": 3}]}]
)
def test_rule_2_a_recipe_without_positive_evidence_is_refused(evidence: dict[str, Any]) -> None:
    from partsight.config.reading import validate

    values = {"schema": 1, "name": "r", "revision": 1, "views": [{"camera": "*", **evidence}]}
    with pytest.raises(ConfigError, match="no positive evidence"):
        validate(RecipeFile, values, "r.toml")


def test_defects_from_the_threshold_on_make_ng_with_their_code_score_and_box() -> None:
    verdict = decide([view(boxes(box(0.5, 1), box(0.49, 2)))], recipe())
    assert (verdict.result, verdict.action) == (Result.NG, Action.REJECT)
    (finding,) = verdict.findings
    assert (finding.code, finding.text, finding.score, finding.camera) == (defect_code(1), "short", 0.5, "top")
    assert finding.box == (90.0, 90.0, 110.0, 110.0)


def test_the_band_of_doubt_gives_review_and_ng_goes_before_it() -> None:
    doubtful = recipe(classes={"open": {"review": 0.3}}, review_action="hold")
    verdict = decide([view(boxes(box(0.4)))], doubtful)
    assert (verdict.result, verdict.action, verdict.code) == (Result.REVIEW, Action.HOLD, Reason.DOUBT)
    assert decide([view(boxes(box(0.4), box(0.6)))], doubtful).result is Result.NG
    assert decide([view(boxes(box(0.29)))], doubtful).result is Result.OK


def test_small_defects_do_not_count_in_pixels_or_millimetres() -> None:
    pixels = recipe(defaults={"threshold": 0.5, "min_size_px": 21.0})
    assert decide([view(boxes(box(0.9, size=20.0)))], pixels).result is Result.OK
    assert decide([view(boxes(box(0.9, size=21.0)))], pixels).result is Result.NG
    mm = recipe(defaults={"threshold": 0.5, "min_size_mm": 1.0})
    assert decide([view(boxes(box(0.9, size=20.0)), mm_per_px=0.04)], mm).result is Result.OK
    assert decide([view(boxes(box(0.9, size=20.0)), mm_per_px=0.06)], mm).result is Result.NG
    assert decide([view(boxes(box(0.9, size=20.0)))], mm).result is Result.NG, "without a scale nothing is excused"


def test_how_many_make_ng_by_class_and_by_severity() -> None:
    three = recipe(classes={"spur": {"ng_count": 3}})
    assert decide([view(boxes(box(0.9, 3), box(0.9, 3, (300, 300))))], three).result is Result.OK
    assert decide([view(boxes(*[box(0.9, 3, (100.0 * i, 9.0)) for i in (1, 2, 3)]))], three).result is Result.NG
    minor = recipe(
        classes={"spur": {"severity": "minor"}, "copper": {"severity": "minor"}, "open": {"severity": "critical"}},
        severity={"minor": 3},
    )
    assert decide([view(boxes(box(0.9, 3), box(0.9, 4)))], minor).result is Result.OK
    verdict = decide([view(boxes(box(0.9, 3), box(0.9, 4), box(0.6, 0)))], minor)
    assert (verdict.result, verdict.code) == (Result.NG, defect_code(0)), "the critical one is named first"


def test_counts_go_over_all_views_of_the_part() -> None:
    two = recipe(classes={"spur": {"ng_count": 2}})
    top = view(boxes(box(0.9, 3)))
    assert decide([top], two).result is Result.OK
    assert decide([top, replace(top, camera="side")], two).result is Result.NG


SQUARE = [(50, 50), (150, 50), (150, 150), (50, 150)]


def test_regions_let_defects_count_inside_and_masks_outside() -> None:
    here, elsewhere = boxes(box(0.9)), boxes(box(0.9, at=(300.0, 300.0)))
    inspect = recipe({"regions": [{"name": "r", "kind": "inspect", "corners": SQUARE}]})
    assert decide([view(here)], inspect).result is Result.NG
    assert decide([view(elsewhere)], inspect).result is Result.OK
    ignore = recipe({"regions": [{"name": "r", "kind": "ignore", "corners": SQUARE}]})
    assert decide([view(here)], ignore).result is Result.OK
    assert decide([view(elsewhere)], ignore).result is Result.NG
    only_short = recipe({"regions": [{"name": "r", "kind": "ignore", "corners": SQUARE, "classes": ["short"]}]})
    assert decide([view(here)], only_short).result is Result.NG


@pytest.mark.parametrize(("shift", "angle"), [((30.0, -20.0), 0.0), ((0.0, 0.0), 90.0), ((12.0, 7.0), -30.0)])
def test_regions_move_and_turn_with_the_part(shift: tuple[float, float], angle: float) -> None:
    a = np.deg2rad(angle)
    at = np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]]) @ np.array([-220.0, -220.0]) + 320 + shift
    found = boxes(box(0.9, at=(float(at[0]), float(at[1]))))
    ignore = recipe({"regions": [{"name": "r", "kind": "ignore", "corners": SQUARE}]})
    assert decide([view(found, alignment=Alignment(shift, angle, 0.9))], ignore).result is Result.OK
    if angle:
        assert decide([view(found)], ignore).result is Result.NG


def test_features_must_be_counted_by_class_and_are_no_defects() -> None:
    screws = recipe({"features": [{"name": "screws", "class": "copper", "min_count": 2, "max_count": 2}]})
    two = boxes(box(0.9, 4), box(0.9, 4, (300, 300)))
    assert decide([view(two)], screws).result is Result.OK
    assert decide([view(boxes(box(0.9, 4)))], screws).code == Reason.FEATURE_COUNT
    assert decide([view()], screws).result is Result.INVALID


def test_a_disabled_class_never_counts() -> None:
    assert decide([view(boxes(box(0.9)))], recipe(classes={"open": {"enabled": False}})).result is Result.OK


scores = st.floats(0.0, 1.0, allow_nan=False, width=32)
found = st.lists(st.tuples(scores, st.integers(0, 5), st.tuples(st.floats(0, 640), st.floats(0, 640))), max_size=12)


@given(found, st.floats(0.05, 1.0), st.floats(0.0, 1.0))
def test_a_lower_threshold_never_lets_more_pass_and_order_does_not_matter(
    rows: list[Any], high: float, share: float
) -> None:
    """Properties: monotone in the threshold, independent of the order of boxes, OK only without any counted box."""
    table = [box(score, class_id, at) for score, class_id, at in rows]
    strict = recipe(defaults={"threshold": high * share})
    loose = recipe(defaults={"threshold": high})
    order = {Result.OK: 0, Result.REVIEW: 1, Result.NG: 2}
    a, b = decide([view(boxes(*table))], strict), decide([view(boxes(*table))], loose)
    assert order[a.result] >= order[b.result]
    assert decide([view(boxes(*table[::-1]))], loose).result is b.result
    assert (b.result is Result.OK) == all(np.float32(score) < high for score, _, _ in rows)


@given(st.dictionaries(st.sampled_from(["level", "saturated", "sharpness"]), st.floats(allow_nan=True)), found)
def test_rule_2_decide_never_raises_and_never_passes_without_its_evidence(
    facts: dict[str, float], rows: list[Any]
) -> None:
    """rule_2: whatever was measured, NaN and infinities too."""
    seen = view(boxes(*(box(s, c, at) for s, c, at in rows)), coverage={"there": float("nan")}, **facts)
    verdict = decide([seen], recipe({"image": {"sharpness_min": 1.0, "saturated_max": 0.5, "level": (10, 200)}}))
    assert verdict.result is Result.INVALID
