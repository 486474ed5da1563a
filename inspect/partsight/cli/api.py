"""`partsight api schema`: the API as OpenAPI, made from the code that serves it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from partsight.domain.errors import ConfigError, Mistake

app = typer.Typer(no_args_is_help=True, help="The API of a station, for programs that talk to it.")


@app.callback()
def _group() -> None:
    """The API of a station, for programs that talk to it."""


@app.command()
def schema(
    out: Annotated[Path | None, typer.Option(help="Write it into this file instead of printing it.")] = None,
) -> None:
    """Print the OpenAPI document.

    Exit status 2: the file cannot be written.
    """
    text = document()
    if out is None:
        sys.stdout.write(text)
        return
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")
    except OSError as problem:
        raise ConfigError([Mistake("--out", "", f"{out} cannot be written: {problem}", "name another file")]) from None


def document() -> str:
    """As it is kept in docs/api/openapi.json."""
    from partsight.api.app import schema as openapi

    return json.dumps(openapi(), indent=1, ensure_ascii=False) + "\n"
