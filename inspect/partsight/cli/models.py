"""`partsight models`: model bundles on this machine."""

from __future__ import annotations

from enum import Enum, unique
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from partsight.cli import conversion
from partsight.cli.logs import set_up_logs
from partsight.daemon.places import find_bundle
from partsight.domain.errors import BundleError, ConfigError, Mistake
from partsight.models.bundle import Bundle, load

app = typer.Typer(no_args_is_help=True, help="Model bundles: their files and precisions.")


@app.callback()
def models() -> None:
    """Model bundles: their files and precisions."""


@unique
class Wanted(str, Enum):
    """What a model can be converted to."""

    FP16 = "fp16"
    INT8 = "int8"


@app.command()
def convert(
    bundle: Annotated[str, typer.Argument(metavar="BUNDLE", help="Model bundle: its name or its folder.")],
    *,
    precision: Annotated[list[Wanted], typer.Option(help="fp16 or int8; give it twice for both.")],
    calibrate: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="int8: images of your line, good ones and every defect.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="Part of an annotated set, as in `judge`.")] = None,
    images: Annotated[int, typer.Option(min=1, help="Take so many of them at most, evenly spread.")] = 500,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="The new bundle; by default beside the old one.")
    ] = None,
) -> None:
    """Make a new bundle that has the model in fp16 or int8 too, for TensorRT. The old one stays as it is."""
    set_up_logs(quiet=True)
    messages = Console(stderr=True, highlight=False)
    wanted = tuple(dict.fromkeys(one.value for one in precision))
    if calibrate is not None and "int8" not in wanted:
        raise ConfigError([Mistake("--calibrate", "", "only int8 is calibrated", "leave it out, or ask for int8")])
    source = _bundle(bundle)
    target = out if out is not None else source.folder.with_name("-".join([source.folder.name, *wanted]))
    order = conversion.Order(source, wanted, target, calibrate, split, images)
    made = conversion.carry_out(order, messages)
    for name, one in made.card.files.items():
        size = (made.folder / name).stat().st_size / 1e6
        messages.print(f"  {one.precision:<5} {name}  {size:.1f} MB", markup=False)
    typer.echo(made.folder)


def _bundle(name: str) -> Bundle:
    try:
        return load(find_bundle(name, Path.cwd()))
    except BundleError as problem:
        raise ConfigError([Mistake("BUNDLE", "", str(problem))]) from problem
