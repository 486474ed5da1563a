"""`partsight doctor`: what is here, what is missing, and the cure."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from partsight.cli import installed, jetpack, machine
from partsight.cli.engines import engines
from partsight.cli.observation import Level, Observation, note, ok, problem
from partsight.cli.trial import run_trial
from partsight.config.station import StationConfig, read_station
from partsight.domain.errors import BundleError
from partsight.models import bundle as bundles
from partsight.models.card import CARD

EXIT_PROBLEM = 1
MARKS = {Level.OK: ("✔", "green"), Level.NOTE: ("◆", "yellow"), Level.PROBLEM: ("✖", "bold red")}
CURE_OF_MODEL = "install the bundle again; a file that does not hold what its card says is never loaded"


def doctor(
    config: Annotated[
        Path | None, typer.Argument(help="A station's configuration: look at its model and data.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Data folder whose disk is looked at.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """Look at this machine (hardware, libraries, cameras, disk, clock, models) and say the cure for what is wrong.

    Exit status 1: something stops a station; 0: nothing does, whatever the notes say.
    """
    station = read_station(config) if config is not None else None
    folder = data or (station.station.data if station is not None else Path.cwd())
    console = Console(stderr=True, quiet=as_json)
    with console.status("looking; each library is tried in a process of its own"):
        seen = list(_look(station, config, folder))
    bad = any(one.level is Level.PROBLEM for one in seen)
    if as_json:
        plain = [asdict(one) | {"level": one.level.value} for one in seen]
        sys.stdout.write(json.dumps({"ok": not bad, "observations": plain}) + "\n")
    else:
        _print(seen)
    raise typer.Exit(EXIT_PROBLEM if bad else 0)


def _look(station: StationConfig | None, config: Path | None, data: Path) -> Iterator[Observation]:
    yield from machine.hardware()
    yield from installed.python()
    yield from jetpack.packages()
    yield from installed.backends()
    yield from installed.cameras()
    yield machine.clock()
    yield from machine.disk(data)
    yield from _models(station, config)
    yield from engines(data, station, config)


def _models(station: StationConfig | None, config: Path | None) -> Iterator[Observation]:
    """The station's bundle, or every bundle that comes with partsight."""
    if station is not None and config is not None:
        name = station.model.bundle
        beside = config.resolve().parent / name
        try:
            folders = [bundles.find(beside) if "/" in name and beside.is_dir() else bundles.find(name)]
        except BundleError as error:
            yield problem("models", name, str(error), "correct model.bundle in the configuration")
            return
    else:
        folders = sorted({card.parent for place in bundles.places() for card in place.glob(f"*/{CARD}")})
    if not folders:
        yield note("models", "bundles", "none comes with this installation", "train one, or install partsight again")
    for folder in folders:
        yield _model(folder)


def _model(folder: Path) -> Observation:
    """Hashes first: a file that was changed is not even parsed."""
    try:
        bundle = bundles.load(folder)
    except BundleError as error:
        return problem("models", folder.name, str(error), CURE_OF_MODEL)
    outcome = run_trial("model", str(folder))
    card = bundle.card
    name = f"{card.name} {card.version}"
    if not outcome.good:
        return problem("models", name, outcome.text, "see the backends above; else install the bundle again")
    return ok("models", name, f"hashes hold, {outcome.text}; licence {card.licence}")


def _print(seen: Sequence[Observation]) -> None:
    console = Console(highlight=False)
    table = Table(show_edge=False, show_header=False, expand=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(ratio=1, overflow="fold")
    area = ""
    for one in seen:
        if one.area != area:
            table.add_section()
            table.add_row("", Text(one.area, style="bold"), "")
            area = one.area
        mark, style = MARKS[one.level]
        text = Text(one.text)
        if one.cure:
            text.append(f"\n→ {one.cure}", style="cyan")
        table.add_row(Text(f"{mark} {one.level.value}", style=style), Text(one.what), text)
    console.print(table)
    counts = Counter(one.level for one in seen)
    told = f"{counts[Level.PROBLEM]} problems, {counts[Level.NOTE]} notes"
    if counts[Level.PROBLEM]:
        console.print(f"[bold red]{told}: a station cannot run here until the problems are cured.[/]")
    else:
        console.print(f"[green]{told}: nothing stops a station here.[/]")
