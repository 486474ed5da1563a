"""Which commands there are, and what an error looks like to the person who called one."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Annotated

import typer
from rich.console import Console

from partsight import __version__
from partsight.cli.lines import fill_standard_streams
from partsight.domain.errors import ConfigError, PartsightError

COMMANDS: dict[str, str] = {
    "demo": "partsight.cli.demo:demo",
    "init": "partsight.cli.init:init",
    "check": "partsight.cli.check:check",
    "run": "partsight.cli.run:run",
    "gui": "partsight.cli.gui:gui",
    "judge": "partsight.cli.judge:judge",
    "show": "partsight.cli.show:show",
    "bench": "partsight.cli.bench:bench",
    "doctor": "partsight.cli.doctor:doctor",
    "build": "partsight.cli.build:build",
    "selftest": "partsight.cli.selftest:selftest",
    "plc-simulator": "partsight.cli.plc_simulator:plc_simulator",
    "mqtt": "partsight.cli.mqtt:app",
    "audit": "partsight.cli.audit:app",
    "users": "partsight.cli.users:app",
    "api": "partsight.cli.api:app",
    "backup": "partsight.cli.backup:backup",
    "restore": "partsight.cli.restore:restore",
    "models": "partsight.cli.models:app",
}

EXIT_MISTAKE = 2
"""A mistake in the call or in a file that a site wrote."""
EXIT_UNAVAILABLE = 3
"""Something that is needed is not there: a camera, a model, records, disk space."""


def main() -> None:
    """Run the command that the arguments name."""
    fill_standard_streams()
    errors = Console(stderr=True, highlight=False)
    try:
        _app(sys.argv[1:])(prog_name="partsight")
    except ConfigError as error:
        count = len(error.mistakes)
        errors.print(f"[red]{count} mistake{'s' if count > 1 else ''}:[/red]")
        for mistake in error.mistakes:
            errors.print(f"  {mistake}", markup=False, soft_wrap=True)
        sys.exit(EXIT_MISTAKE)
    except PartsightError as error:
        errors.print("[red]error:[/red]", end=" ")
        errors.print(str(error), markup=False, soft_wrap=True)
        sys.exit(EXIT_UNAVAILABLE)


def _app(arguments: list[str]) -> typer.Typer:
    """Only the command that is called is imported; all of them for the overview."""
    called = next((a for a in arguments if not a.startswith("-")), "")
    app = typer.Typer(
        add_completion=False,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        help="Inspects every part on a production line by camera.",
    )
    app.callback()(_options)
    for name in [called] if called in COMMANDS else COMMANDS:
        module, _, function = COMMANDS[name].partition(":")
        found = getattr(import_module(module), function)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name)
        else:
            app.command(name)(found)
    return app


def _show_version(wanted: bool) -> None:
    if wanted:
        Console().print(f"partsight {__version__}", highlight=False)
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Say which.")
    ] = False,
) -> None:
    """Inspects every part on a production line by camera."""
