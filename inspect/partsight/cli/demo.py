"""`partsight demo`: the simulated line with the real model, live in the terminal and on the screen."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live

from partsight.cli.demo_line import DemoLine, Protocol
from partsight.cli.demo_screen import DemoScreen, make_login, with_free_port
from partsight.cli.logs import set_up_logs
from partsight.cli.tables import account_as_dict, live_view, summary_view
from partsight.daemon.line import Line
from partsight.daemon.places import configuration_places
from partsight.daemon.run import run as run_station
from partsight.daemon.run import verdicts_given
from partsight.daemon.site import Site, load_site
from partsight.domain.errors import ConfigError, Mistake
from partsight.domain.verdict import Result
from partsight.testing.broker import BrokerUnavailable

REFRESH_HZ = 5
LINE_S = 5.0


def demo(
    *,
    parts: Annotated[int | None, typer.Option(min=1, help="End after so many parts.")] = None,
    data: Annotated[Path, typer.Option(help="Folder for records and images.")] = Path("demo-data"),
    mqtt: Annotated[bool, typer.Option(help="With a broker and a line controller that opens the gate.")] = True,
    protocol: Annotated[Protocol, typer.Option(help="Of MQTT.")] = "3.1.1",
    screen: Annotated[
        bool | None,
        typer.Option("--screen/--no-screen", help="Open the operator's screen; by default where there is a display."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="No table; one JSON object at the end.")] = False,
    verbose: Annotated[bool, typer.Option(help="Log everything.")] = False,
) -> None:
    """Run a simulated line with the real model: parts, verdicts, reasons, latency, and truth beside verdict."""
    set_up_logs(verbose=verbose, quiet=True)
    site, data = with_free_port(_site(data)), data.resolve()
    console = Console(highlight=False, stderr=as_json)
    with ExitStack() as stack:
        # A script that wants JSON wants no window, unless it says so.
        window = stack.enter_context(DemoScreen(site, console, False if as_json and screen is None else screen))
        if not as_json:
            # A password is for the person at this terminal, never for a file or a pipe.
            window.introduce(make_login(data) if console.is_terminal else None)
        belt = _belt(stack, data, protocol, parts) if mqtt else None
        if belt is not None:
            site = belt.site(site)
        show: Callable[[Line], None] = (lambda _: None) if as_json else _shown(stack, console, str(data / "images"))

        def each_loop(line: Line) -> None:
            if belt is not None:
                belt.start()
            window.look(line)
            show(line)

        ended = (lambda _: belt.finished) if belt is not None else verdicts_given(parts)
        status, line = run_station(site, until=ended, each_loop=each_loop)
        score = _gate(belt)
    counters = line.station.ledger.snapshot()
    if as_json:
        summary = account_as_dict(line.tally.account(), counters) | {"images": str(data / "images"), "gate": score}
        sys.stdout.write(json.dumps(summary) + "\n")
    else:
        console.print(summary_view(line.tally.account(), counters))
        if score is not None:
            console.print(_gate_in_words(score))
        console.print(f"records: partsight show {data}    overlay images: {data / 'images'}", soft_wrap=True)
    raise typer.Exit(status)


def _site(data: Path) -> Site:
    for place in configuration_places():
        if (place / "demo.toml").is_file():
            site = load_site(place / "demo.toml")
            station = site.config.station.model_copy(update={"data": data.resolve()})
            assert site.api is not None
            if mistakes := site.api.problems(data.resolve(), str(site.file)):
                raise ConfigError(mistakes)
            return replace(site, config=site.config.model_copy(update={"station": station}))
    places = ", ".join(map(str, configuration_places()))
    raise ConfigError([Mistake("demo.toml", "", f"is not in {places}", "install partsight again")])


def _belt(stack: ExitStack, data: Path, protocol: Protocol, parts: int | None) -> DemoLine | None:
    """The line with its broker, or None with a word where no broker is here: the demo then runs free."""
    try:
        return stack.enter_context(DemoLine(data, protocol, parts))
    except BrokerUnavailable as problem:
        Console(stderr=True, highlight=False).print(f"without MQTT: {problem}", markup=False, soft_wrap=True)
        return None


def _gate(belt: DemoLine | None) -> dict[str, Any] | None:
    score = belt.score() if belt is not None else None
    if score is None:
        return None
    return {
        "parts": score.parts,
        "bad": score.bad,
        "bad_let_out": len(score.escapes),
        "good": score.good,
        "good_rejected": score.good_rejected,
    }


def _gate_in_words(score: dict[str, Any]) -> str:
    return (
        f"gate: {score['bad_let_out']} of {score['bad']} bad parts let out, "
        f"{score['good_rejected']} of {score['good']} good parts rejected"
    )


def _shown(stack: ExitStack, console: Console, images: str) -> Callable[[Line], None]:
    """A live table on a terminal, a line each few seconds elsewhere."""
    if not console.is_terminal:
        return _Lines(console)
    live = stack.enter_context(Live(console=console, refresh_per_second=REFRESH_HZ, transient=True))

    def show(line: Line) -> None:
        live.update(live_view(line.tally.account(), line.station.status(), images))

    return show


class _Lines:
    """Progress where there is no terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._next = time.monotonic() + LINE_S

    def __call__(self, line: Line) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + LINE_S
        counters = line.station.ledger.snapshot()
        verdicts = ", ".join(f"{counters.of(result)} {result.value}" for result in Result)
        self._console.print(f"{line.station.state.value}: {counters.triggers} parts, {verdicts}")
