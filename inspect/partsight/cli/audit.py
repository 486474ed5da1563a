"""`partsight audit verify|show DATA_OR_CONFIG`: who changed what, and whether that trail is whole."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from partsight.cli.inspections import local
from partsight.config.station import read_station
from partsight.domain.errors import ConfigError, Mistake, RecordsUnavailable
from partsight.outputs.records import AuditHead, AuditReport, AuditRow, read_audit, verify_audit

app = typer.Typer(no_args_is_help=True, help="Who changed what at a station, in a trail that can only grow.")

Source = Annotated[Path, typer.Argument(help="A station's data folder, or its configuration.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]


@app.command()
def verify(
    source: Source,
    *,
    digest: Annotated[
        str | None, typer.Option(help="N:HASH of an earlier digest that left the machine: the trail must hold it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check that no row of the audit trail was changed, removed, inserted, moved or cut off.

    Exit status 1: it does not verify; 2: a mistake in the call; 3: no records there, or they are damaged.
    """
    known = _digest(digest) if digest is not None else None
    folder = _data_folder(source)
    report = verify_audit(folder, known)
    if as_json:
        told = {"folder": str(folder), "ok": report.ok, **asdict(report)}
        sys.stdout.write(json.dumps(told) + "\n")
    else:
        _print(report)
    if not report.ok:
        raise typer.Exit(1)


@app.command()
def show(
    source: Source,
    *,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Rows, the newest first.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show the newest rows of the audit trail. The station may be running.

    Exit status 2: a mistake in the call; 3: no records there, or they are damaged.
    """
    rows = read_audit(_data_folder(source), limit)
    if as_json:
        told = [asdict(row) | {"at": row.at.isoformat()} for row in rows]
        sys.stdout.write(json.dumps(told) + "\n")
        return
    Console(highlight=False).print(_table(rows) if rows else "the audit trail is empty")


def _data_folder(source: Path) -> Path:
    """A configuration's data folder, or the folder itself. Raises ConfigError, RecordsUnavailable."""
    if source.is_file():
        return read_station(source).station.data
    if not source.exists():
        raise RecordsUnavailable(f"{source} is not there; name the data folder of a station, or its configuration")
    return source


def _digest(text: str) -> AuditHead:
    found = re.fullmatch(r"(\d{1,18}):([0-9a-fA-F]{64})", text)
    if found is None:
        raise ConfigError(
            [Mistake("--digest", "", f"{text!r} is no digest", "N:HASH, as in `17:9f86d0...`, 64 digits")]
        )
    return AuditHead(int(found[1]), found[2].lower())


def _print(report: AuditReport) -> None:
    out = Console(highlight=False)
    if report.ok:
        out.print(
            f"[green]whole[/green]: {report.rows} rows, digest {report.head.n}:{report.head.hash}", soft_wrap=True
        )
        return
    out.print(f"[red]NOT whole[/red]: {report.rows} rows")
    for problem in report.problems:
        out.print(f"  {problem}", markup=False, soft_wrap=True)


def _table(rows: list[AuditRow]) -> Table:
    table = Table(show_edge=False)
    table.add_column("n", justify="right", no_wrap=True)
    table.add_column("time", no_wrap=True)
    for name in ("who", "from", "what", "before", "after"):
        table.add_column(name, overflow="fold")
    for row in rows:
        words = (row.who, row.source, row.what, row.before, row.after)
        table.add_row(str(row.n), local(row.at), *(Text(word) for word in words))
    return table
