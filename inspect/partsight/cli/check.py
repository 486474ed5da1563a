"""`partsight check CONFIG`: every mistake at once, before any device opens."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from partsight.daemon.site import Site, load_site
from partsight.domain.errors import ConfigError

MB = 1_000_000


def check(
    config: Annotated[Path, typer.Argument(help="The station's configuration (TOML).")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object for scripts.")] = False,
) -> None:
    """Check CONFIG with its recipe and model; no device is opened. Exit status 2 where something is wrong.

    What is no mistake but will trouble the station here and now (a source that is not there, a disk that is nearly
    full) is a note and leaves the exit status at 0.
    """
    try:
        site = load_site(config)
    except ConfigError as error:
        if not as_json:
            raise
        told = [{"file": m.file, "key": m.key, "problem": m.problem, "cure": m.cure} for m in error.mistakes]
        sys.stdout.write(json.dumps({"ok": False, "mistakes": told, "notes": []}) + "\n")
        raise typer.Exit(2) from error
    notes = list(_notes(site))
    if as_json:
        sys.stdout.write(json.dumps({"ok": True, "mistakes": [], "notes": notes}) + "\n")
        return
    console = Console(highlight=False)
    console.print(_overview(site))
    for note in notes:
        console.print("[yellow]note:[/yellow]", end=" ")
        console.print(note, markup=False, soft_wrap=True)
    console.print(f"[green]{config} is good.[/green]", soft_wrap=True)


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
    if site.choice is not None:
        chosen = f"chosen by {site.choice.source} on {site.choice.at:%Y-%m-%d}"
        table.add_row("", f"{chosen}; the configuration names {config.station.recipe}")
    rules = ", ".join(f"{rule.name} {rule.threshold:g}" for rule in recipe.rules if rule.enabled)
    table.add_row("thresholds", rules)
    table.add_row("data", str(config.station.data))
    return table


def _notes(site: Site) -> Iterator[str]:
    for camera in site.config.cameras:
        settings = site.camera_settings[camera.name]
        # Only names are looked at: a device that is merely opened may start its exposure or lose another's stream.
        place = str(getattr(settings, "path", None) or getattr(settings, "source", ""))
        place = f"/dev/video{place}" if place.isdigit() else place
        if place and "://" not in place and not Path(place).exists():
            yield f"camera {camera.name}: {place} is not there now; connect it or correct cameras.settings"
    data = site.config.station.data
    there = next(folder for folder in (data, *data.resolve().parents) if folder.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        yield f"data folder {data}: {there} cannot be written by this user; choose another or change its rights"
        return
    keep_free_mb, free_mb = site.config.images.keep_free_mb, shutil.disk_usage(there).free / MB
    if free_mb < keep_free_mb:
        yield (
            f"data folder {data}: {free_mb:.0f} MB are free, images.keep_free_mb is {keep_free_mb:g}: "
            "records are written, images are not; free space on this disk"
        )
