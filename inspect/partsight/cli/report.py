"""What `judge` tells: tables on a terminal, one JSON object for scripts, one row a part for CSV and Parquet."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from partsight.cli.tables import result_text
from partsight.domain.detections import ModelRef
from partsight.domain.reasons import reason_text
from partsight.domain.verdict import RecipeRef, Result, Verdict
from partsight.scoring.annotations import AnnotatedSet
from partsight.scoring.bounds import Rate
from partsight.scoring.summary import DetectionScore, ScoredPart, Summary

SHOWN_MISTAKES = 20


@dataclass(frozen=True, slots=True)
class Row:
    """One part as a row of the table file.

    defects: boxes from their class's threshold on. truth: "good", "bad", or None where it is not annotated.
    latency_ms: frame to verdict, None where the image could not be judged.
    """

    image: str
    group: str
    verdict: str
    code: int
    reasons: str
    defects: int
    truth: str | None
    latency_ms: float | None


@dataclass(frozen=True, slots=True)
class Told:
    """A run's figures and what they belong to."""

    summary: Summary
    iou: float
    model: ModelRef
    recipe: RecipeRef
    annotations: AnnotatedSet
    classes: tuple[str, ...]


def row_of(name: str, part: ScoredPart, verdict: Verdict, limits: Sequence[float]) -> Row:
    """`limits`: the threshold of each class id."""
    found = part.detections
    defects = 0 if found is None else sum(s >= limits[c] for s, c in zip(found.scores, found.class_ids, strict=True))
    return Row(
        image=name,
        group=part.sample.group,
        verdict=part.result.value,
        code=part.code,
        reasons="; ".join(_reason(finding.text, finding.score) for finding in verdict.findings),
        defects=int(defects),
        truth={True: "good", False: "bad", None: None}[part.sample.good],
        latency_ms=part.latency_ms,
    )


def _reason(text: str, score: float | None) -> str:
    return text if score is None else f"{text} {score:.2f}"


def write_table(rows: Sequence[Row], csv: Path | None, parquet: Path | None) -> None:
    """One row a part, in the order in which they were judged."""
    if csv is None and parquet is None:
        return
    import polars

    kinds: Mapping[str, Any] = {
        "image": polars.String,
        "group": polars.String,
        "verdict": polars.String,
        "code": polars.Int32,
        "reasons": polars.String,
        "defects": polars.Int32,
        "truth": polars.String,
        "latency_ms": polars.Float64,
    }
    frame = polars.DataFrame([asdict(row) for row in rows], schema=kinds)
    if csv is not None:
        frame.write_csv(csv)
    if parquet is not None:
        frame.write_parquet(parquet)


# --- JSON -----------------------------------------------------------------------------------------


def as_json(told: Told) -> dict[str, Any]:
    """The object that `--json` prints; see docs/reference/judge.md for every key."""
    summary, detection = told.summary, told.summary.detection
    rates = detection.rates if detection is not None else None
    overkills = _rate(summary.overkills)
    if overkills is not None:
        overkills["by"] = summary.overkills_by
    return {
        "parts": summary.parts,
        "verdicts": dict(summary.verdicts),
        "iou": told.iou,
        "f_score": rates and rates.f_score,
        "precision": rates and rates.precision,
        "recall": rates and rates.recall,
        "ap": detection and dict(detection.ap),
        "map": detection and detection.map,
        "missed_defects": _rate(detection.missed) if detection is not None else None,
        "escapes": _rate(summary.escapes),
        "overkills": overkills,
        "latency_ms": asdict(summary.latency_ms) if summary.latency_ms is not None else None,
        "reasons": {str(code): count for code, count in summary.codes.items()},
        "annotations": {
            "form": told.annotations.form,
            "unannotated": summary.unannotated,
            "scored": detection.parts if detection is not None else 0,
            "mistakes": [{"file": str(m.file), "line": m.line, "reason": m.reason} for m in told.annotations.mistakes],
        },
        "model": asdict(told.model),
        "recipe": asdict(told.recipe),
    }


def _rate(rate: Rate | None) -> dict[str, Any] | None:
    return asdict(rate) if rate is not None else None


def print_json(told: Told) -> None:
    """One object on stdout and nothing else."""
    print(json.dumps(as_json(told), indent=2, allow_nan=False))


# --- tables ---------------------------------------------------------------------------------------


def print_tables(told: Told, console: Console | None = None) -> None:
    """The same figures for people."""
    console = console or Console()
    summary = told.summary
    console.print(
        f"[bold]{summary.parts}[/] parts judged by model [bold]{told.model.name}[/] ({told.model.backend}, "
        f"{told.model.precision}) and recipe [bold]{told.recipe.name}[/] revision {told.recipe.revision}",
        highlight=False,
    )
    console.print(_verdicts(summary))
    if summary.codes:
        console.print(_reasons(summary, told.classes))
    if summary.detection is not None:
        console.print(_detection(summary.detection, told.iou))
    if summary.escapes is not None or summary.overkills is not None:
        console.print(_parts(summary))
    if summary.latency_ms is not None:
        ms = summary.latency_ms
        console.print(
            f"frame to verdict: p50 {ms.p50:.1f} ms, p95 {ms.p95:.1f} ms, p99 {ms.p99:.1f} ms, max {ms.max:.1f} ms",
            highlight=False,
        )
    _print_mistakes(told, console)


def _verdicts(summary: Summary) -> Table:
    table = Table("verdict", "parts", "share", title="Verdicts", title_justify="left")
    for result in Result:
        count = summary.verdicts[result.value]
        table.add_row(result_text(result), str(count), f"{count / summary.parts:.1%}")
    return table


def _reasons(summary: Summary, classes: tuple[str, ...]) -> Table:
    table = Table("code", "heaviest reason", "parts", title="Reasons", title_justify="left")
    for code, count in summary.codes.items():
        table.add_row(str(code), reason_text(code, classes), str(count))
    return table


def _detection(score: DetectionScore, iou: float) -> Table:
    rates = score.rates
    title = f"Defects found on {score.parts} annotated parts (same class, IoU > {iou:g})"
    table = Table("at the recipe's thresholds", "", title=title, title_justify="left")
    table.add_row("F-score", _share(rates.f_score))
    table.add_row("precision", _share(rates.precision))
    table.add_row("recall", _share(rates.recall))
    if score.missed is not None:
        table.add_row("missed defects", _bounded(score.missed))
    table.add_section()
    for name, value in score.ap.items():
        table.add_row(f"AP {name}", _share(value))
    table.add_row("mAP", _share(score.map))
    return table


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _parts(summary: Summary) -> Table:
    table = Table("", "parts", title="Parts against their truth", title_justify="left")
    if summary.escapes is not None:
        table.add_row("escapes (bad parts that would pass)", _bounded(summary.escapes))
    if summary.overkills is not None:
        table.add_row("overkills (good parts that would not)", _bounded(summary.overkills))
        by = summary.overkills_by or {}
        table.add_row("  of these", ", ".join(f"{name} {count}" for name, count in by.items()))
    return table


def _bounded(rate: Rate) -> str:
    kinds = "1 group of like parts" if rate.groups == 1 else f"{rate.groups} groups of like parts"
    bounds = f"{rate.low:.2%} to {rate.high:.2%}"
    return f"{rate.count} of {rate.of} = {rate.rate:.2%}  (95 %: {bounds}; {kinds})"


def _print_mistakes(told: Told, console: Console) -> None:
    annotations, summary = told.annotations, told.summary
    if annotations.form != "none" and summary.unannotated:
        console.print(f"[yellow]{summary.unannotated} parts have no usable annotation and are in no score[/]")
    unknown = sorted(set(annotations.names) - set(told.classes))
    if unknown:
        text = (
            f"the model does not know the annotated classes {', '.join(unknown)}: all of their defects count as missed"
        )
        console.print(f"[yellow]{text}[/]")
    for mistake in annotations.mistakes[:SHOWN_MISTAKES]:
        console.print(f"[yellow]{mistake}[/]", highlight=False, soft_wrap=True)
    if len(annotations.mistakes) > SHOWN_MISTAKES:
        console.print(f"[yellow]and {len(annotations.mistakes) - SHOWN_MISTAKES} more mistakes; --json lists all[/]")
