"""From the record of a part to what screens are told of it.

Used by the daemon for its `finished` events and by the API's routes for records, so that both say the same.
"""

from __future__ import annotations

import math
from typing import Any
from urllib.parse import quote

import numpy as np

from partsight.domain.detections import Detections
from partsight.domain.inspection import Inspection, Timings
from partsight.domain.reasons import DEFECT_BASE, reason_text
from partsight.domain.trigger import Trigger
from partsight.domain.verdict import Finding, Verdict
from partsight.domain.views import ImageFacts, View
from partsight.outputs.images.files import image_in, safe_name
from partsight.wire.message import clean
from partsight.wire.screen.message import API_VERSION
from partsight.wire.screen.parts import (
    MAX_BOXES,
    Disposition,
    FindingNote,
    FoundBox,
    ImageKind,
    ImageLink,
    Part,
    PartRow,
    TimesNote,
    ViewNote,
)

Facts = dict[str, float | bool | str | None]


def part_row(inspection: Inspection, names: tuple[str, ...], disposition: Disposition | None = None) -> PartRow:
    """A part in a list. names: the model's classes."""
    return PartRow(**_row(inspection, names, disposition))


def part(inspection: Inspection, names: tuple[str, ...], disposition: Disposition | None = None) -> Part:
    """A part with all that led to its verdict. names: classes for a view without detections."""
    model, truth = inspection.model, inspection.truth
    return Part(
        **_row(inspection, names, disposition),
        kind=inspection.trigger.kind.value,
        encoder=inspection.trigger.encoder,
        findings=findings(inspection),
        views=tuple(view_note(view) for view in inspection.views),
        times=_times(inspection.timings, inspection.trigger),
        model_sha256=model.sha256 if model is not None else "",
        backend=model.backend if model is not None else "",
        precision=model.precision if model is not None else "",
        recipe_sha256=inspection.verdict.recipe.sha256,
        late=inspection.late,
        truth_good=truth.good if truth is not None else None,
    )


def _row(inspection: Inspection, names: tuple[str, ...], disposition: Disposition | None) -> dict[str, Any]:
    trigger, verdict, model = inspection.trigger, inspection.verdict, inspection.model
    recipe = verdict.recipe
    return {
        "sequence": trigger.sequence,
        "id": trigger.id,
        "epoch": trigger.epoch,
        "uid": str(inspection.uid),
        "part_id": clean(trigger.part_id),
        "at": trigger.at,
        "result": verdict.result,
        "action": verdict.action.name.lower(),
        "code": verdict.code,
        "reason": _reason(verdict, names),
        "recipe": f"{recipe.name}@{recipe.revision}",
        "model": f"{model.name} {model.sha256[:12]}" if model is not None else "",
        "mode": inspection.mode,
        "simulated": inspection.simulated,
        "verdict_ms": inspection.timings.verdict_ms,
        "images": image_links(inspection),
        "disposition": disposition,
    }


def _reason(verdict: Verdict, names: tuple[str, ...]) -> str:
    """A defect by its class, anything else in its own words, which say more than the code does."""
    if not verdict.findings:
        return ""
    first = verdict.findings[0]
    return reason_text(first.code, names) if first.code >= DEFECT_BASE or not first.text else clean(first.text)


def findings(inspection: Inspection, camera: str | None = None) -> tuple[FindingNote, ...]:
    """What spoke against the part; of one camera only, with what belongs to no camera, where one is named."""
    wanted = [f for f in inspection.verdict.findings if camera is None or f.camera in ("", camera)]
    return tuple(_finding(finding) for finding in wanted[:MAX_BOXES])


def _finding(finding: Finding) -> FindingNote:
    return FindingNote(
        code=finding.code,
        text=clean(finding.text),
        camera=finding.camera,
        score=_finite(finding.score),
        box=finding.box,
        rule=finding.rule,
        severity=finding.severity,
    )


def found_boxes(detections: Detections | None, limit: int = MAX_BOXES) -> tuple[FoundBox, ...]:
    """The boxes down to the model's floor; where there are more than `limit`, those with the highest scores."""
    if detections is None:
        return ()
    order = np.argsort(-detections.scores, kind="stable")[:limit]
    columns = zip(
        detections.class_ids[order].tolist(),
        detections.scores[order].tolist(),
        detections.boxes[order].tolist(),
        strict=True,
    )
    return tuple(
        FoundBox(label=detections.names[class_id], class_id=class_id, score=score, box=tuple(box))
        for class_id, score, box in columns
    )


def view_note(view: View) -> ViewNote:
    """One camera's share of a part."""
    facts = view.facts
    return ViewNote(
        camera=view.camera,
        width=facts.width if facts is not None else None,
        height=facts.height if facts is not None else None,
        boxes=found_boxes(view.detections),
        failure=int(view.failure) if view.failure is not None else None,
        detail=clean(view.detail),
        facts=_facts(facts) if facts is not None else {},
    )


def _facts(facts: ImageFacts) -> Facts:
    """What was measured, by names that people can read; counts and coverage under the recipe's names."""
    told: Facts = {
        "level": facts.level,
        "saturated": facts.saturated,
        "sharpness": facts.sharpness,
        "frozen": facts.frozen,
        "likeness": facts.likeness,
        "mm_per_px": facts.mm_per_px,
    }
    if facts.alignment is not None:
        told |= {
            "shift_x_px": facts.alignment.shift_px[0],
            "shift_y_px": facts.alignment.shift_px[1],
            "angle_deg": facts.alignment.angle_deg,
            "alignment": facts.alignment.score,
        }
    told |= {f"count {name}": float(count) for name, count in facts.counts.items()}
    told |= {f"coverage {name}": share for name, share in facts.coverage.items()}
    return {name: _finite(value) if isinstance(value, float) else value for name, value in told.items()}


def _finite(value: float | None) -> float | None:
    """JSON has no NaN; what could not be measured is None."""
    return value if value is not None and math.isfinite(value) else None


def _times(timings: Timings, trigger: Trigger) -> TimesNote:
    return TimesNote(
        frame_ms=timings.frame_ms,
        start_ms=timings.start_ms,
        infer_ms=timings.infer_ms,
        detect_ms=timings.detect_ms,
        decide_ms=timings.decide_ms,
        verdict_ms=timings.verdict_ms,
        deadline_ms=(trigger.deadline_ns - trigger.at_ns) / 1e6,
    )


# --- images -------------------------------------------------------------------------------------------


def image_links(inspection: Inspection) -> tuple[ImageLink, ...]:
    """The images that are kept of a part; none before the archive has written them."""
    return tuple(
        ImageLink(camera=camera, kind=kind, path=image_path(inspection.trigger.sequence, camera, kind))
        for camera, kind in image_files(inspection)
    )


def image_path(sequence: int, camera: str, kind: ImageKind) -> str:
    """Where the API serves an image."""
    return f"/api/v{API_VERSION}/records/{sequence}/images/{quote(camera, safe='')}/{kind}"


def image_files(inspection: Inspection) -> dict[tuple[str, ImageKind], str]:
    """By (camera, kind): the image's path relative to the data folder. Names that are not the archive's are left out.

    A file's name holds its camera's name in safe characters only, cut to 40; the part's views say which one is meant.
    """
    cameras = [view.camera for view in inspection.views]
    found: dict[tuple[str, ImageKind], str] = {}
    for path in inspection.images:
        named = image_in(path.rpartition("/")[2])
        if named is None:
            continue
        position, safe, overlay = named
        fitting = [camera for camera in cameras if safe_name(camera) == safe]
        # Two cameras whose names begin alike: their frames were kept in the order of the views.
        camera = next((c for n, c in enumerate(cameras) if n == position and c in fitting), None)
        camera = camera or (fitting[0] if fitting else safe)
        found.setdefault((camera, "overlay" if overlay else "original"), path)
    return found
