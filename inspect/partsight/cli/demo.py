"""`partsight demo`: the simulated line with the real model, live in the terminal."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live

from partsight.cli.logs import set_up_logs
from partsight.cli.tables import account_as_dict, live_view, summary_view
from partsight.daemon.line import Line
from partsight.daemon.places import configuration_places
from partsight.daemon.run import run as run_station
from partsight.daemon.site import Site, load_site
from partsight.domain.errors import ConfigError, Mistake
from partsight.domain.verdict import Result

REFRESH_HZ = 5


def demo(
    parts: Annotated[int | None, typer.Option(min=1, help="End after so many parts.")] = None,
    data: Annotated[Path, typer.Option(help="Folder for records and images.")] = Path("demo-data"),
    as_json: Annotated[bool, typer.Option("--json", help="No table; one JSON object at the end.")] = False,
    verbose: Annotated[bool, typer.Option(help="Log everything.")] = False,
) -> None:
    """Run a simulated line with the real model: parts, verdicts, reasons, latency, and truth beside verdict."""
    set_up_logs(verbose=verbose, quiet=True)
    site = _site(data)
    images = data.resolve() / "images"
    console = Console(highlight=False)
    if as_json:
        status, line = run_station(site, parts=parts)
        summary = account_as_dict(line.tally.account(), line.station.ledger.snapshot())
        sys.stdout.write(json.dumps(summary | {"images": str(images)}) + "\n")
    else:
        status, line = _shown(site, parts, console, images)
        console.print(summary_view(line.tally.account(), line.station.ledger.snapshot()))
        console.print(f"records: partsight show {data}    overlay images: {images}", soft_wrap=True)
    raise typer.Exit(status)


def _site(data: Path) -> Site:
    for place in configuration_places():
        if (place / "demo.toml").is_file():
            site = load_site(place / "demo.toml")
            station = site.config.station.model_copy(update={"data": data.resolve()})
            config = site.config.model_copy(update={"station": station})
            return replace(site, config=config)
    places = ", ".join(map(str, configuration_places()))
    raise ConfigError([Mistake("demo.toml", "", f"is not in {places}", "install partsight again")])


def _shown(site: Site, parts: int | None, console: Console, images: Path) -> tuple[int, Line]:
    """With the live table on a terminal, with a line each few seconds elsewhere."""
    if not console.is_terminal:
        return run_station(site, parts=parts, each_loop=_Lines(console))
    with Live(console=console, refresh_per_second=REFRESH_HZ, transient=True) as live:

        def show(line: Line) -> None:
            live.update(live_view(line.tally.account(), line.station.status(), str(images)))

        return run_station(site, parts=parts, each_loop=show)


class _Lines:
    """Progress where there is no terminal."""

    def __init__(self, console: Console, every_s: float = 5.0) -> None:
        self._console = console
        self._every_s = every_s
        self._next = time.monotonic() + every_s

    def __call__(self, line: Line) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self._every_s
        counters = line.station.ledger.snapshot()
        verdicts = ", ".join(f"{counters.of(result)} {result.value}" for result in Result)
        self._console.print(f"{line.station.state.value}: {counters.triggers} parts, {verdicts}")
