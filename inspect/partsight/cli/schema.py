"""`partsight mqtt schema`: the contract as JSON Schema and AsyncAPI, made from the types that the station uses."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from partsight.domain.errors import ConfigError, Mistake
from partsight.wire.documents import as_text, asyncapi, json_schemas
from partsight.wire.message import WireError
from partsight.wire.topics import check_prefix

PREFIX = "site/area/line/station/vi"


def schema(
    out: Annotated[Path | None, typer.Option(help="Write asyncapi.json and schemas/ into this folder.")] = None,
    prefix: Annotated[str, typer.Option(help="The topics' prefix of your station.")] = PREFIX,
) -> None:
    """Print the AsyncAPI document of all topics, or write it with every payload's JSON Schema.

    Exit status 2: a mistake in the call.
    """
    try:
        check_prefix(prefix)
    except WireError as problem:
        raise ConfigError([Mistake("--prefix", "", str(problem))]) from None
    if out is None:
        sys.stdout.write(as_text(asyncapi(prefix)))
        return
    files = documents(prefix)
    try:
        for name, text in files.items():
            path = out / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except OSError as problem:
        raise ConfigError(
            [Mistake("--out", "", f"{out} cannot be written: {problem}", "name another folder")]
        ) from None
    Console(stderr=True, highlight=False).print(f"wrote {len(files)} files to {out}", markup=False, soft_wrap=True)


def documents(prefix: str = PREFIX) -> dict[str, str]:
    """Every file by its name under the folder."""
    schemas = {f"schemas/{name}.json": as_text(one) for name, one in json_schemas().items()}
    return {"asyncapi.json": as_text(asyncapi(prefix)), **schemas}
