"""`partsight show DATA_OR_CONFIG`: the records as a table, also while a station writes them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from partsight.cli.inspections import as_row, as_whole, local, parts_table, whole_view, write_csv
from partsight.cli.tables import COLOURS, result_text
from partsight.cli.times import time_of
from partsight.config.station import read_station
from partsight.domain.errors import ConfigError, Mistake, RecordsUnavailable
from partsight.domain.inspection import Inspection
from partsight.domain.reasons import REASON_TEXT, Reason, defect_code
from partsight.domain.verdict import Result
from partsight.outputs.records import LatchedTrigger, Query, RecordsReader, Summary

PAGE = 500
BAR = 24
LATE_AT_MOST = 2000
"""So many rejects by the deadline are looked at, the newest first, to count what the model said after it."""
OPEN_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters as they were written; None asks for nothing."""

    verdict: str | None
    since: str | None
    until: str | None
    part: str | None
    recipe: str | None
    code: str | None


@dataclass(frozen=True, slots=True)
class Shown:
    """What a query gave. late: parts that the deadline rejected and whose verdict came after it."""

    summary: Summary
    parts: list[Inspection]
    late: int
    open: list[LatchedTrigger]


def show(
    source: Annotated[Path, typer.Argument(help="A station's data folder, or its configuration.")],
    *,
    verdict: Annotated[str | None, typer.Option(help="OK, NG, REVIEW or INVALID only.")] = None,
    since: Annotated[str | None, typer.Option(help="From then on: 2h, today, 2026-01-31, ...")] = None,
    until: Annotated[str | None, typer.Option(help="Before then.")] = None,
    part: Annotated[str | None, typer.Option(help="This part id only.")] = None,
    recipe: Annotated[str | None, typer.Option(help="Judged by this recipe only.")] = None,
    code: Annotated[
        str | None, typer.Option("--code", "--reason", help="Heaviest reason: its code, its name, or a defect's class.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Parts on a page.")] = 20,
    page: Annotated[int, typer.Option(min=1, max=1_000_000_000, help="1 is the newest.")] = 1,
    sequence: Annotated[
        int | None, typer.Option("--sequence", "--part-number", min=1, help="All that is recorded of this one part.")
    ] = None,
    csv: Annotated[Path | None, typer.Option(help="Write every part that fits to this CSV file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """Show a station's records: parts, counts, yield, reasons, latency. The station may be running.

    Exit status 2: a mistake in the call; 3: no records there, or they are damaged.
    """
    folder = _data_folder(source)
    with RecordsReader.open(folder) as reader:
        if sequence is not None:
            _show_one(reader, sequence, as_json)
            return
        query = _query(reader, Filters(verdict, since, until, part, recipe, code))
        summary = reader.summary(query)
        parts = reader.inspections(query, limit=limit, offset=(page - 1) * limit)
        shown = Shown(summary, parts, _late(reader, query), reader.open_triggers())
        written = write_csv(csv, _all(reader, query)) if csv is not None else None
    if as_json:
        told = _as_dict(shown) | {"folder": str(folder), "page": page, "limit": limit}
        sys.stdout.write(json.dumps(told, allow_nan=False) + "\n")
        return
    _print(shown, page, limit)
    if csv is not None:
        Console(stderr=True, highlight=False).print(f"wrote {written} parts to {csv}", markup=False, soft_wrap=True)


def _data_folder(source: Path) -> Path:
    """A configuration's data folder, or the folder itself. Raises ConfigError, RecordsUnavailable."""
    if source.is_file():
        return read_station(source).station.data
    if not source.exists():
        raise RecordsUnavailable(f"{source} is not there; name the data folder of a station, or its configuration")
    return source


def _query(reader: RecordsReader, words: Filters) -> Query:
    """Raises ConfigError with every filter that cannot be understood."""
    mistakes = []
    result = None
    if words.verdict is not None:
        result = next((one for one in Result if one.value == words.verdict.upper()), None)
        if result is None:
            known = ", ".join(one.value for one in Result)
            mistakes.append(Mistake("--verdict", "", f"{words.verdict!r} is unknown", f"one of {known}"))
    times = {}
    for option, text in (("since", words.since), ("until", words.until)):
        try:
            times[option] = time_of(text) if text is not None else None
        except ValueError as problem:
            mistakes.append(Mistake(f"--{option}", "", str(problem)))
    query = Query(result, times.get("since"), times.get("until"), words.part, words.recipe)
    if words.code is not None:
        try:
            query = replace(query, code=_code(reader, words.code))
        except ConfigError as error:
            mistakes += error.mistakes
    if mistakes:
        raise ConfigError(mistakes)
    return query


def _code(reader: RecordsReader, text: str) -> int:
    """A reason's number, from its number, its name (part-absent), its words, or a defect's class as recorded."""
    if text.isdigit() and len(text) <= 9:
        return int(text)
    word = text.casefold()
    for reason in Reason:
        if word in {reason.name.casefold(), reason.name.casefold().replace("_", "-"), REASON_TEXT[reason].casefold()}:
            return int(reason)
    classes = _classes(reader)
    for class_id, name in enumerate(classes):
        if name.casefold() == word:
            return defect_code(class_id)
    known = ", ".join(classes) or "none so far"
    cure = f"a number, a reason such as part-absent, or a class of the model: {known}"
    raise ConfigError([Mistake("--code", "", f"no reason {text!r} is known", cure)])


def _classes(reader: RecordsReader) -> tuple[str, ...]:
    """Classes of the model that judged the newest parts; empty where none of them was judged."""
    for inspection in reader.inspections(limit=PAGE):
        for view in inspection.views:
            if view.detections is not None:
                return view.detections.names
    return ()


def _late(reader: RecordsReader, query: Query) -> int:
    if query.code not in {None, int(Reason.DEADLINE)} or query.result not in {None, Result.INVALID}:
        return 0
    late = 0
    for seen, one in enumerate(_all(reader, replace(query, code=int(Reason.DEADLINE))), 1):
        late += one.late is not None
        if seen == LATE_AT_MOST:
            break
    return late


def _all(reader: RecordsReader, query: Query) -> Iterator[Inspection]:
    """Every record that fits, the newest first, a page at a time; parts that come meanwhile change nothing."""
    while found := reader.inspections(query, limit=PAGE):
        yield from found
        query = replace(query, before=found[-1].trigger.sequence)


# --- one part -------------------------------------------------------------------------------------


def _show_one(reader: RecordsReader, sequence: int, as_json: bool) -> None:
    # SQLite's integers end here; a larger one cannot be asked for.
    inspection = reader.inspection(sequence) if sequence < 1 << 63 else None
    if inspection is None:
        waiting = any(one.trigger.sequence == sequence for one in reader.open_triggers())
        problem = "is in flight: it has no record yet" if waiting else f"has no record in {reader.folder}"
        cure = "ask again in a moment" if waiting else "see `partsight show` for those that are there; numbers may skip"
        raise ConfigError([Mistake("--sequence", "", f"part {sequence} {problem}", cure)])
    if as_json:
        sys.stdout.write(json.dumps(as_whole(inspection), allow_nan=False) + "\n")
    else:
        Console(highlight=False).print(whole_view(inspection, reader.folder))


# --- many -----------------------------------------------------------------------------------------


def _as_dict(shown: Shown) -> dict[str, Any]:
    summary = shown.summary
    return {
        "parts": summary.total,
        "verdicts": {result.value: count for result, count in summary.counts.items()},
        "yield": summary.passed,
        "reasons": [
            {"code": one.code, "text": one.text, "verdict": one.result.value, "count": one.count}
            for one in summary.pareto
        ],
        "latency_ms": asdict(summary.latency_ms) if summary.latency_ms.max is not None else None,
        "late": shown.late,
        "open": [
            {
                "sequence": one.trigger.sequence,
                "id": one.trigger.id,
                "part": one.trigger.part_id,
                "at": one.trigger.at.isoformat(),
            }
            for one in shown.open
        ],
        "inspections": [as_row(one) for one in shown.parts],
    }


def _print(shown: Shown, page: int, limit: int) -> None:
    console = Console(highlight=False)
    console.print(_totals(shown))
    if shown.summary.pareto:
        console.print(_pareto(shown.summary))
    if shown.open:
        numbers = ", ".join(f"{one.trigger.sequence} ({local(one.trigger.at)})" for one in shown.open[:OPEN_SHOWN])
        more = f" and {len(shown.open) - OPEN_SHOWN} more" if len(shown.open) > OPEN_SHOWN else ""
        why = "in flight, or left by a killed station, which closes them as INVALID at its next start"
        console.print(f"{len(shown.open)} open: {numbers}{more} - {why}", style="yellow", markup=False, soft_wrap=True)
    console.print(parts_table(shown.parts))
    first = (page - 1) * limit + 1
    if shown.parts:
        last = first + len(shown.parts) - 1
        further = f"; older ones: --page {page + 1}" if last < shown.summary.total else ""
        console.print(f"parts {first} to {last} of {shown.summary.total}, the newest first{further}", style="dim")
    elif shown.summary.total:
        console.print(f"page {page} is past the last of {shown.summary.total} parts", style="yellow")
    else:
        console.print("no part fits", style="yellow")


def _totals(shown: Shown) -> Table:
    summary, latency = shown.summary, shown.summary.latency_ms
    table = Table(show_edge=False, padding=(0, 0), expand=True)
    for name in ("parts", *(r.value for r in Result), "yield", "p50", "p95", "p99", "max ms", "late"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_row(
        str(summary.total),
        *(Text(str(summary.counts[r]), style=COLOURS[r]) for r in Result),
        "-" if summary.passed is None else f"{summary.passed:.1%}",
        *("-" if v is None else f"{v:.1f}" for v in (latency.p50, latency.p95, latency.p99, latency.max)),
        f"{shown.late}",
    )
    return table


def _pareto(summary: Summary) -> Table:
    """Reasons, the most frequent first; the share is of all parts that did not pass, added up."""
    table = Table(show_edge=False)
    table.add_column("reason")
    table.add_column("code", justify="right")
    table.add_column("verdict", no_wrap=True)
    table.add_column("parts", justify="right")
    table.add_column("sum", justify="right")
    table.add_column("", no_wrap=True)
    whole, so_far = sum(one.count for one in summary.pareto), 0
    for one in summary.pareto:
        so_far += one.count
        bar = "█" * max(1, round(BAR * one.count / summary.pareto[0].count))
        table.add_row(
            Text(one.text),
            str(one.code),
            result_text(one.result),
            str(one.count),
            f"{so_far / whole:.0%}",
            Text(bar, style=COLOURS[one.result]),
        )
    return table
