"""What a running station looks like in a terminal: tables for people, plain values for scripts."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from partsight.domain.inspection import Inspection
from partsight.domain.status import Counters, StationState, StationStatus
from partsight.domain.verdict import Result
from partsight.station.tally import Account, Percentiles

COLOURS = {Result.OK: "green", Result.NG: "red", Result.REVIEW: "yellow", Result.INVALID: "magenta"}
MARKS = {Result.OK: "●", Result.NG: "✖", Result.REVIEW: "◆", Result.INVALID: "▲"}
"""Verdicts must be told apart without colour."""


def result_text(result: Result) -> Text:
    """A verdict as word, mark and colour."""
    return Text(f"{MARKS[result]} {result.value}", style=f"bold {COLOURS[result]}")


def account_as_dict(account: Account, counters: Counters) -> dict[str, Any]:
    """The account as plain values."""
    return {
        "parts": account.parts,
        "verdicts": {result.value: counters.of(result) for result in Result},
        "triggers": counters.triggers,
        "in_flight": counters.in_flight,
        "late": counters.late,
        "frames_dropped": counters.frames_dropped,
        "images_dropped": counters.images_dropped,
        "yield": account.yield_,
        "latency_ms": asdict(account.latency) if account.latency else None,
        "inference_ms": asdict(account.inference) if account.inference else None,
        "reasons": dict(account.reasons),
        "escapes": account.escapes if account.with_truth else None,
        "overkills": account.overkills if account.with_truth else None,
        "bad_parts": account.bad_parts if account.with_truth else None,
    }


def live_view(account: Account, status: StationStatus, images: str) -> Group:
    """The whole screen of `partsight demo` and `run` on a terminal."""
    return Group(
        _head(status),
        _totals(account, status.counters),
        _recent(account.recent),
        *([_reasons(account)] if account.reasons else []),
        Text(f"images: {images}    Ctrl-C ends", style="dim"),
    )


def summary_view(account: Account, counters: Counters) -> Group:
    """What remains on the terminal at the end."""
    parts: list[Table | Panel] = [_totals(account, counters)]
    if account.reasons:
        parts.append(_reasons(account))
    return Group(*parts)


def _head(status: StationStatus) -> Panel:
    running = status.state is StationState.RUNNING
    text = Text.assemble(
        ("■ " if running else "▲ ", "bold green" if running else "bold yellow"),
        (f"{status.state.value}  ", "bold"),
        f"recipe {status.recipe}   model {status.model}   {status.backend}   epoch {status.epoch}",
    )
    for fault in status.faults:
        text.append(f"\n▲ {fault.text} - {fault.cure}", style="bold red")
    return Panel(text, title=f"partsight · {status.name}", title_align="left")


def _totals(account: Account, counters: Counters) -> Table:
    table = Table(expand=True, show_edge=False)
    for name in ("triggers", *(r.value for r in Result), "in flight", "yield", "p50", "p95", "p99", "max ms"):
        table.add_column(name, justify="right")
    yield_ = "-" if account.yield_ is None else f"{account.yield_:.1%}"
    table.add_row(
        str(counters.triggers),
        *(Text(str(counters.of(r)), style=COLOURS[r]) for r in Result),
        str(counters.in_flight),
        yield_,
        *_milliseconds(account.latency),
    )
    if account.with_truth:
        bad, good = account.bad_parts, account.with_truth - account.bad_parts
        table.caption = (
            f"truth: {account.escapes} of {bad} bad parts escaped, {account.overkills} of {good} good parts rejected"
            f"    inference p50 {account.inference.p50:.1f} ms"
            if account.inference
            else ""
        )
    return table


def _milliseconds(values: Percentiles | None) -> list[str]:
    if values is None:
        return ["-"] * 4
    return [f"{v:.1f}" for v in (values.p50, values.p95, values.p99, values.max)]


def _recent(inspections: tuple[Inspection, ...]) -> Table:
    table = Table(expand=True, show_edge=False)
    table.add_column("part", justify="right")
    table.add_column("verdict")
    table.add_column("reason", ratio=1, no_wrap=True, overflow="ellipsis")
    table.add_column("truth", no_wrap=True, overflow="ellipsis", ratio=1)
    table.add_column("ms", justify="right")
    for inspection in reversed(inspections):
        passed = inspection.verdict.result is Result.OK
        wrong = inspection.truth is not None and inspection.truth.good != passed
        table.add_row(
            str(inspection.trigger.sequence),
            result_text(inspection.verdict.result),
            reasons_in_words(inspection),
            Text(_truth(inspection), style="bold red" if wrong else "dim"),
            f"{inspection.timings.verdict_ms:.1f}" if inspection.timings.verdict_ms is not None else "-",
        )
    return table


def reasons_in_words(inspection: Inspection) -> str:
    """All findings of a part in one line: defects with their scores, other reasons in words."""
    return ", ".join(f"{f.text} {f.score:.2f}" if f.score is not None else f.text for f in inspection.verdict.findings)


def _truth(inspection: Inspection) -> str:
    truth = inspection.truth
    if truth is None:
        return ""
    if truth.place != "present":
        return truth.place
    return ", ".join(defect.name for defect in truth.defects) or "good"


def _reasons(account: Account) -> Table:
    table = Table(expand=True, show_edge=False)
    table.add_column("reason")
    table.add_column("parts", justify="right")
    table.add_column("", ratio=1)
    most = account.reasons[0][1]
    for text, count in account.reasons[:8]:
        table.add_row(text, str(count), "█" * max(1, round(30 * count / most)))
    return table
