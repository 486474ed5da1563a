"""The decision: from what was seen to OK, NG, REVIEW or INVALID, without I/O and without a clock.

The order is fixed: what could not be judged (INVALID) comes before what was found (NG), that before doubt
(REVIEW), and OK is what remains when the recipe's positive evidence is there (rule 2).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from partsight.config.recipe import AlignmentRule, ImageChecks, LikenessRule, Region, ViewRules
from partsight.domain.detections import Detections
from partsight.domain.reasons import Reason, defect_code
from partsight.domain.verdict import Action, Finding, Result, Verdict
from partsight.domain.views import Alignment, ImageFacts, View
from partsight.recipes.recipe import DefectRule, Recipe

_SEVERITY_ORDER = {"critical": 0, "major": 1, "minor": 2}


def decide(views: Sequence[View], recipe: Recipe) -> Verdict:
    """One verdict from all views of a part, with the reasons that led to it, the heaviest first."""
    against = [finding for view in views for finding in _not_judgeable(view, recipe)]
    if not views:
        against.append(Finding(int(Reason.VIEW_MISSING), "no camera gave a view"))
    if against:
        return Verdict(Result.INVALID, Action.REJECT, tuple(against), recipe.ref)
    defects, doubts = _defects(views, recipe)
    if _makes_ng(defects, recipe):
        return Verdict(Result.NG, Action.REJECT, _heaviest_first(defects), recipe.ref)
    if doubts:
        return Verdict(Result.REVIEW, recipe.review_action, _heaviest_first(doubts), recipe.ref)
    return Verdict(Result.OK, Action.PASS, (), recipe.ref)


# --- can the part be judged at all? ---------------------------------------------------------------


def _not_judgeable(view: View, recipe: Recipe) -> Iterator[Finding]:
    rules = recipe.view(view.camera)
    if view.failure is not None:
        yield Finding(int(view.failure), view.detail or view.failure.name, view.camera)
    elif rules is None:
        text = f"recipe {recipe.ref.name} has no view for camera {view.camera}"
        yield Finding(int(Reason.NO_EVIDENCE), text, view.camera)
    elif view.facts is None or view.detections is None:
        yield Finding(int(Reason.VIEW_MISSING), "the view holds no measurement", view.camera)
    else:
        yield from _judgeable_image(view.camera, view.facts, rules.image)
        yield from _positive_evidence(view.camera, view.facts, view.detections, rules)


def _judgeable_image(camera: str, facts: ImageFacts, checks: ImageChecks) -> Iterator[Finding]:
    def fault(reason: Reason, text: str) -> Finding:
        return Finding(int(reason), text, camera)

    if checks.size is not None and (facts.width, facts.height) != checks.size:
        expected = f"{checks.size[0]} x {checks.size[1]}"
        yield fault(Reason.WRONG_SIZE, f"image is {facts.width} x {facts.height}, expected {expected}")
    # Written so that a NaN fails each check that there is.
    if not facts.level >= checks.black_below:
        yield fault(Reason.BLACK, f"mean level {facts.level:.1f} is under {checks.black_below:g}")
    elif facts.level > checks.overexposed_above:
        yield fault(Reason.OVEREXPOSED, f"mean level {facts.level:.1f} is over {checks.overexposed_above:g}")
    elif checks.level is not None and not checks.level[0] <= facts.level <= checks.level[1]:
        yield fault(Reason.LEVEL, f"mean level {facts.level:.1f} is outside {checks.level[0]:g} to {checks.level[1]:g}")
    if checks.saturated_max is not None and not facts.saturated <= checks.saturated_max:
        yield fault(
            Reason.SATURATION, f"{facts.saturated:.1%} of pixels are saturated, over {checks.saturated_max:.1%}"
        )
    if checks.sharpness_min is not None and not facts.sharpness >= checks.sharpness_min:
        yield fault(Reason.BLURRED, f"sharpness {facts.sharpness:.1f} is under {checks.sharpness_min:g}")
    if checks.frozen and facts.frozen:
        yield fault(Reason.FROZEN, "image is bit-identical to the one before")


def _positive_evidence(camera: str, facts: ImageFacts, detections: Detections, rules: ViewRules) -> Iterator[Finding]:
    low = [c for c in rules.coverage if not facts.coverage.get(c.name, -1.0) >= c.min]
    for rule in low:
        share = facts.coverage.get(rule.name, 0.0)
        text = f"{rule.name}: {share:.1%} of the region is bright, at least {rule.min:.1%} expected"
        yield Finding(int(Reason.PART_ABSENT), text, camera)
    for rule in rules.coverage:
        share = facts.coverage.get(rule.name, 0.0)
        if share > rule.max:
            text = f"{rule.name}: {share:.1%} of the region is bright, at most {rule.max:.1%} expected"
            yield Finding(int(Reason.WRONG_PART), text, camera)
    if low:
        return  # an absent part is not also shifted, wrong and short of features
    if rules.alignment is not None:
        misplaced = _misplaced(camera, facts.alignment, rules.alignment)
        if misplaced is not None:
            yield misplaced
            return
    if rules.likeness is not None and not _alike(facts, rules.likeness):
        found = "nothing alike was found" if facts.likeness is None else f"likeness {facts.likeness:.2f}"
        yield Finding(int(Reason.WRONG_PART), f"{found}, at least {rules.likeness.min:.2f} expected", camera)
        return
    yield from _features(camera, facts, detections, rules)


def _alike(facts: ImageFacts, rule: LikenessRule) -> bool:
    return facts.likeness is not None and facts.likeness >= rule.min


def _misplaced(camera: str, found: Alignment | None, rule: AlignmentRule) -> Finding | None:
    if found is None:
        text = f"fiducials were not found within {rule.search_px:g} px of their places"
        return Finding(int(Reason.PART_SHIFTED), text, camera)
    distance = float(np.hypot(*found.shift_px))
    if not abs(found.angle_deg) <= rule.max_angle_deg:
        text = f"part is turned by {found.angle_deg:.1f} degrees, at most {rule.max_angle_deg:g} allowed"
        return Finding(int(Reason.PART_ROTATED), text, camera)
    if not distance <= rule.max_shift_px:
        text = f"part is {distance:.1f} px out of its place, at most {rule.max_shift_px:g} allowed"
        return Finding(int(Reason.PART_SHIFTED), text, camera)
    if not found.score >= rule.min_score:
        text = f"a fiducial fits with {found.score:.2f} only, at least {rule.min_score:.2f} expected"
        return Finding(int(Reason.PART_SHIFTED), text, camera)
    return None


def _features(camera: str, facts: ImageFacts, detections: Detections, rules: ViewRules) -> Iterator[Finding]:
    for rule in rules.features:
        if rule.class_name is not None:
            counted = _count_of_class(rule.class_name, detections)
        else:
            counted = facts.counts.get(rule.name, 0)
        highest = rule.max_count
        if counted < rule.min_count or (highest is not None and counted > highest):
            wanted = f"at least {rule.min_count}" if highest is None else f"{rule.min_count} to {highest}"
            yield Finding(int(Reason.FEATURE_COUNT), f"{rule.name}: {counted} found, {wanted} expected", camera)


def _count_of_class(name: str, detections: Detections) -> int:
    if name not in detections.names:
        return 0
    return int(np.count_nonzero(detections.class_ids == detections.names.index(name)))


# --- what speaks against a part that can be judged ------------------------------------------------


def _defects(views: Sequence[View], recipe: Recipe) -> tuple[list[Finding], list[Finding]]:
    defects: list[Finding] = []
    doubts: list[Finding] = []
    for view in views:
        rules, facts, found = recipe.view(view.camera), view.facts, view.detections
        assert rules is not None
        assert facts is not None
        assert found is not None
        inside = _counts_here(found, facts, rules.regions)
        counted = _class_features(rules)
        for i in range(len(found)):
            rule = recipe.rules[int(found.class_ids[i])]
            if (
                not rule.enabled
                or rule.name in counted
                or not inside[i]
                or not _large_enough(found.boxes[i], rule, facts)
            ):
                continue
            score = float(found.scores[i])
            if score >= rule.threshold:
                defects.append(_finding(found, i, rule, view.camera, defect_code(int(found.class_ids[i]))))
            elif rule.review is not None and score >= rule.review:
                doubts.append(_finding(found, i, rule, view.camera, int(Reason.DOUBT)))
    return defects, doubts


def _class_features(rules: ViewRules) -> frozenset[str]:
    """Classes that the recipe counts as features: a screw that must be there is no defect."""
    return frozenset(f.class_name for f in rules.features if f.class_name is not None)


def _finding(found: Detections, i: int, rule: DefectRule, camera: str, code: int) -> Finding:
    x1, y1, x2, y2 = (float(v) for v in found.boxes[i])
    score = float(found.scores[i])
    sign = ">=" if code != Reason.DOUBT else "<"
    text = rule.name if code != Reason.DOUBT else f"{rule.name}?"
    return Finding(code, text, camera, score, (x1, y1, x2, y2), f"score {sign} {rule.threshold:g}", rule.severity)


def _large_enough(box: npt.NDArray[np.float32], rule: DefectRule, facts: ImageFacts) -> bool:
    size = max(float(box[2] - box[0]), float(box[3] - box[1]))
    if rule.in_mm:
        if facts.mm_per_px is None:
            return True  # without a scale the rule cannot excuse anything
        size *= facts.mm_per_px
    return size >= rule.min_size


def _makes_ng(defects: Sequence[Finding], recipe: Recipe) -> bool:
    """A class with a count of its own is counted alone; all others by their severity."""
    own = {d.code: recipe.rules[d.code - defect_code(0)].ng_count for d in defects}
    for code, count in Counter(d.code for d in defects).items():
        limit = own[code]
        if limit is not None and count >= limit:
            return True
    by_severity = Counter(d.severity for d in defects if own[d.code] is None)
    return any(count >= recipe.severity_counts[severity] for severity, count in by_severity.items())


def _heaviest_first(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda f: (_SEVERITY_ORDER[f.severity], -(f.score or 0.0), f.code)))


# --- regions ---------------------------------------------------------------------------------------


def _counts_here(found: Detections, facts: ImageFacts, regions: Sequence[Region]) -> npt.NDArray[np.bool_]:
    """For each box whether the recipe's regions let it count."""
    counts = np.ones(len(found), np.bool_)
    if not regions or not len(found):
        return counts
    centres = to_reference((found.boxes[:, :2] + found.boxes[:, 2:]) / 2, facts)
    names = np.array(found.names)[found.class_ids]
    limited = np.zeros(len(found), np.bool_)
    admitted = np.zeros(len(found), np.bool_)
    for region in regions:
        concerned = np.isin(names, region.classes) if region.classes else np.ones(len(found), np.bool_)
        inside = concerned & _inside(centres, region.corners)
        if region.kind == "ignore":
            counts &= ~inside
        else:
            limited |= concerned
            admitted |= inside
    return counts & (admitted | ~limited)


def to_reference(points: npt.NDArray[Any], facts: ImageFacts) -> npt.NDArray[np.float64]:
    """Points (n, 2) of the frame in the reference picture's pixels: the inverse of the part's shift and turn."""
    if facts.alignment is None:
        return points.astype(np.float64)
    centre = np.array([facts.width / 2, facts.height / 2])
    angle = np.deg2rad(facts.alignment.angle_deg)
    # counter-clockwise on a screen whose y axis points down
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    moved: npt.NDArray[np.float64] = (points - centre - np.array(facts.alignment.shift_px)) @ turn + centre
    return moved


def _inside(points: npt.NDArray[np.float64], corners: Sequence[tuple[float, float]]) -> npt.NDArray[np.bool_]:
    """For each point (n, 2) whether it lies in the polygon (even-odd rule, ray to the right)."""
    polygon = np.asarray(corners, np.float64)
    x, y = points[:, :1], points[:, 1:]
    ax, ay = polygon[:, 0], polygon[:, 1]
    bx, by = np.roll(ax, -1), np.roll(ay, -1)
    straddles = (ay > y) != (by > y)
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = ax + (y - ay) / (by - ay) * (bx - ax)
    hits = straddles & (x < crossing)
    inside: npt.NDArray[np.bool_] = np.count_nonzero(hits, axis=1) % 2 == 1
    return inside
