"""How parts of the past would have been judged by another recipe: `decide` again, on what was recorded. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from partsight.domain.inspection import Inspection
from partsight.domain.verdict import Verdict
from partsight.recipes.decide import decide
from partsight.recipes.recipe import Recipe

NOT_DECIDED = range(200, 500)
"""Reasons that the station gives (time, restart, model), whatever the recipe."""


@dataclass(frozen=True, slots=True)
class Rejudged:
    """A part whose record allows it to be judged again. after: by the recipe that is tried."""

    inspection: Inspection
    after: Verdict


def rejudge(inspections: Iterable[Inspection], recipe: Recipe) -> tuple[list[Rejudged], int]:
    """Each part that can be judged again, and how many cannot: those without boxes, or whose verdict no recipe gave.

    recipe: compiled for the model that has found the recorded boxes.
    """
    judged: list[Rejudged] = []
    skipped = 0
    for inspection in inspections:
        if can_be_rejudged(inspection, recipe):
            judged.append(Rejudged(inspection, decide(inspection.views, recipe)))
        else:
            skipped += 1
    return judged, skipped


def can_be_rejudged(inspection: Inspection, recipe: Recipe) -> bool:
    """False where a time-out, a restart or another model stands between the record and this recipe."""
    names = tuple(rule.name for rule in recipe.rules)
    return (
        bool(inspection.views)
        and inspection.late is None
        and inspection.verdict.code not in NOT_DECIDED
        and all(
            view.failure is None
            and view.facts is not None
            and view.detections is not None
            and view.detections.names == names
            for view in inspection.views
        )
    )
