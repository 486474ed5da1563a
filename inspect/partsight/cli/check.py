"""`partsight check CONFIG`: every mistake at once, before any device opens."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from partsight.daemon.site import Site, load_site
from partsight.domain.errors import ConfigError


def check(
    config: Annotated[Path, typer.Argument(help="The station's configuration (TOML).")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object for scripts.")] = False,
) -> None:
    """Check CONFIG with its recipe and model; no device is opened. Exit status 2 where something is wrong."""
    try:
        site = load_site(config)
    except ConfigError as error:
        if not as_json:
            raise
        mistakes = [{"file": m.file, "key": m.key, "problem": m.problem, "cure": m.cure} for m in error.mistakes]
        sys.stdout.write(json.dumps({"ok": False, "mistakes": mistakes}) + "\n")
        raise typer.Exit(2) from error
    if as_json:
        sys.stdout.write(json.dumps({"ok": True, "mistakes": []}) + "\n")
        return
    console = Console(highlight=False)
    console.print(_overview(site))
    console.print(f"[green]{config} is good.[/green]")


def _overview(site: Site) -> Table:
    config, recipe = site.config, site.recipe
    table = Table(show_header=False, show_edge=False)
    table.add_row("station", f"{config.station.name}, deadline {config.station.deadline_ms:g} ms")
    table.add_row("trigger", config.trigger.kind.value)
    for camera in config.cameras:
        table.add_row("camera", f"{camera.name}: {camera.driver}")
    card = site.bundle.card
    table.add_row("model", f"{card.name} {card.version} ({', '.join(card.classes)})")
    table.add_row("recipe", f"{recipe.ref.name} revision {recipe.ref.revision}, {recipe.ref.sha256[:12]}")
    rules = ", ".join(f"{rule.name} {rule.threshold:g}" for rule in recipe.rules if rule.enabled)
    table.add_row("thresholds", rules)
    table.add_row("data", str(config.station.data))
    return table
