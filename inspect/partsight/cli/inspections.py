"""Recorded inspections in other forms: plain values for scripts, lines of a CSV file, tables for people."""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from partsight.cli.tables import reasons_in_words, result_text
from partsight.domain.errors import ConfigError, Mistake
from partsight.domain.inspection import Inspection, Timings
from partsight.domain.views import ImageFacts, View

_TIMES = tuple(field.name for field in fields(Timings))
COLUMNS = (
    *("sequence", "id", "epoch", "uid", "part", "at", "trigger", "encoder", "verdict", "action", "code", "reasons"),
    *("recipe", "recipe_revision", "recipe_sha256", "model", "model_sha256", "backend", "precision"),
    *_TIMES,
    *("late", "simulated", "truth", "images"),
)


def as_row(inspection: Inspection) -> dict[str, Any]:
    """One part as flat plain values, by `COLUMNS`."""
    trigger, verdict, model = inspection.trigger, inspection.verdict, inspection.model
    return {
        "sequence": trigger.sequence,
        "id": trigger.id,
        "epoch": trigger.epoch,
        "uid": str(inspection.uid),
        "part": trigger.part_id,
        "at": trigger.at.isoformat(),
        "trigger": trigger.kind.value,
        "encoder": trigger.encoder,
        "verdict": verdict.result.value,
        "action": verdict.action.name.lower(),
        "code": verdict.code,
        "reasons": reasons_in_words(inspection),
        "recipe": verdict.recipe.name,
        "recipe_revision": verdict.recipe.revision,
        "recipe_sha256": verdict.recipe.sha256,
        "model": model.name if model else None,
        "model_sha256": model.sha256 if model else None,
        "backend": model.backend if model else None,
        "precision": model.precision if model else None,
        **asdict(inspection.timings),
        "late": inspection.late.value if inspection.late else None,
        "simulated": inspection.simulated,
        "truth": _truth(inspection),
        "images": list(inspection.images),
    }


def as_whole(inspection: Inspection) -> dict[str, Any]:
    """One part with its findings and views."""
    findings = [
        {
            "code": f.code,
            "text": f.text,
            "camera": f.camera,
            "score": f.score,
            "box": f.box,
            "rule": f.rule,
            "severity": f.severity,
        }
        for f in inspection.verdict.findings
    ]
    return as_row(inspection) | {"findings": findings, "views": [_view(view) for view in inspection.views]}


def _view(view: View) -> dict[str, Any]:
    found = view.detections
    detections = None
    if found is not None:
        columns = zip(found.class_ids, found.scores, found.boxes, strict=True)
        detections = [
            {"class": found.names[int(c)], "score": round(float(s), 4), "box": [round(float(v), 2) for v in box]}
            for c, s, box in columns
        ]
    return {
        "camera": view.camera,
        "failure": int(view.failure) if view.failure is not None else None,
        "detail": view.detail,
        "facts": _facts(view.facts),
        "detections": detections,
    }


def _facts(facts: ImageFacts | None) -> dict[str, Any] | None:
    if facts is None:
        return None
    plain = {field.name: getattr(facts, field.name) for field in fields(facts)}
    plain["counts"], plain["coverage"] = dict(facts.counts), dict(facts.coverage)
    plain["alignment"] = asdict(facts.alignment) if facts.alignment is not None else None
    return plain


def _truth(inspection: Inspection) -> str | None:
    truth = inspection.truth
    if truth is None:
        return None
    return truth.place if truth.place != "present" else ", ".join(d.name for d in truth.defects) or "good"


def write_csv(path: Path, inspections: Iterable[Inspection]) -> int:
    """One line a part, written under a temporary name first; how many. Raises ConfigError where that fails."""
    count = 0
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".show-") as made:
            draft = Path(made) / path.name
            with draft.open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, COLUMNS)
                writer.writeheader()
                for inspection in inspections:
                    writer.writerow(as_row(inspection) | {"images": " ".join(inspection.images)})
                    count += 1
            draft.replace(path)
    except OSError as problem:
        raise ConfigError([Mistake("--csv", "", f"{path} cannot be written: {problem}", "name another file")]) from None
    return count


# --- for people -----------------------------------------------------------------------------------


def local(at: datetime) -> str:
    """A time of a record as the clock on this machine showed it."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def parts_table(inspections: Sequence[Inspection]) -> Table:
    """One line a part. Part id and recipe have a column only where there is something to tell apart."""
    recipes = {one.verdict.recipe for one in inspections}
    ids = any(one.trigger.part_id for one in inspections)
    table = Table(show_edge=False, expand=True)
    table.add_column("part", justify="right", no_wrap=True)
    table.add_column("time", no_wrap=True)
    if ids:
        table.add_column("id", overflow="fold")
    table.add_column("verdict", no_wrap=True)
    table.add_column("reasons", ratio=1)
    if len(recipes) > 1:
        table.add_column("recipe", overflow="fold")
    table.add_column("ms", justify="right", no_wrap=True)
    for one in inspections:
        ms = one.timings.verdict_ms
        reasons = Text(reasons_in_words(one))
        if one.late is not None:
            reasons.append(f" (late: {one.late.value})", style="dim")
        table.add_row(
            str(one.trigger.sequence),
            local(one.trigger.at),
            *([Text(one.trigger.part_id)] if ids else []),
            result_text(one.verdict.result),
            reasons,
            *([Text(f"{one.verdict.recipe.name or '-'} {one.verdict.recipe.revision}")] if len(recipes) > 1 else []),
            "-" if ms is None else f"{ms:.1f}",
        )
    return table


def whole_view(inspection: Inspection, folder: Path) -> Group:
    """All that is recorded of one part."""
    parts: list[RenderableType] = [Panel(_head(inspection), title=f"part {inspection.trigger.sequence}")]
    if inspection.verdict.findings:
        parts.append(_findings(inspection))
    for view in inspection.views:
        parts += [_measured(view), *([_detections(view)] if view.detections is not None else [])]
    times = Table("step", title="timings", show_edge=False)
    times.add_column("ms", justify="right")
    for name in _TIMES:
        value = getattr(inspection.timings, name)
        times.add_row(name.removesuffix("_ms"), "-" if value is None else f"{value:.2f}")
    parts.append(times)
    parts += [Text(f"image: {folder / image}", overflow="fold") for image in inspection.images]
    return Group(*parts)


def _head(inspection: Inspection) -> Table:
    trigger, verdict, model = inspection.trigger, inspection.verdict, inspection.model
    grid = Table.grid(padding=(0, 2))
    grid.add_row("verdict", result_text(verdict.result), f"action {verdict.action.name.lower()}, code {verdict.code}")
    grid.add_row("time", local(trigger.at), f"{trigger.kind.value}, id {trigger.id}, epoch {trigger.epoch}")
    grid.add_row("part", Text(trigger.part_id or "-"), f"uid {inspection.uid}")
    recipe = verdict.recipe
    grid.add_row("recipe", Text(f"{recipe.name or '-'} revision {recipe.revision}"), f"sha256 {recipe.sha256[:16]}")
    if model is not None:
        grid.add_row("model", Text(f"{model.name} ({model.backend}, {model.precision})"), f"sha256 {model.sha256[:16]}")
    if inspection.late is not None:
        grid.add_row("late", result_text(inspection.late), "what the model said after the part was rejected")
    if inspection.simulated:
        grid.add_row("simulated", "yes", f"truth: {_truth(inspection) or 'unknown'}")
    return grid


def _findings(inspection: Inspection) -> Table:
    table = Table("code", "finding", "camera", "score", "box", "severity", title="findings", show_edge=False)
    for f in inspection.verdict.findings:
        score = "-" if f.score is None else f"{f.score:.3f}"
        box = "-" if f.box is None else ", ".join(f"{v:.0f}" for v in f.box)
        table.add_row(str(f.code), Text(f.text), Text(f.camera), score, box, f.severity or "-")
    return table


def _measured(view: View) -> Table:
    table = Table("fact", "value", title=f"camera {view.camera}", show_edge=False)
    if view.failure is not None:
        table.add_row("failure", Text(view.detail or view.failure.name))
    for name, value in (_facts(view.facts) or {}).items():
        if value is None or value == {}:
            continue
        shown = f"{value:.4g}" if isinstance(value, float) else json.dumps(value, ensure_ascii=False)
        table.add_row(name, Text(shown))
    return table


def _detections(view: View) -> Table:
    table = Table("class", "score", "box", title="detections, down to the model's floor", show_edge=False)
    for found in _view(view)["detections"]:
        table.add_row(Text(found["class"]), f"{found['score']:.3f}", ", ".join(f"{v:.0f}" for v in found["box"]))
    return table
