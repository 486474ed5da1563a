"""`partsight mqtt check`: is this broker fit for a line? Measures, tries each right, and says the cure."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from partsight.cli import mqtt_options as options
from partsight.cli.mqtt_probes import Finding, Probe
from partsight.outputs.mqtt.session import ConnectionEnded
from partsight.outputs.mqtt.topics import RIGHTS

EXIT_BAD = 1
EXIT_UNAVAILABLE = 3
COLOURS = {"ok": "green", "warn": "yellow", "bad": "red", "unknown": "dim"}
MARKS = {"ok": "✔", "warn": "!", "bad": "✖", "unknown": "?"}


def check(  # noqa: PLR0917 - each option of a command is an argument
    config: options.Config = None,
    host: options.Host = None,
    port: options.Port = None,
    prefix: options.Prefix = None,
    protocol: options.Protocol = None,
    username: options.User = None,
    password_file: options.PasswordFile = None,
    ca: options.Ca = None,
    certificate: options.Certificate = None,
    key: options.Key = None,
    role: Annotated[str, typer.Option(help=f"Whose rights to try: {', '.join(RIGHTS)}.")] = "station",
    burst: Annotated[int, typer.Option(min=100, max=50_000, help="Messages for the trial of the queues.")] = 3000,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Check the broker: connection, round trip, rights, a second client with this id, NODELAY, queues.

    Exit status: 0 fit, 1 something is bad, 2 a mistake in the call, 3 the broker cannot be reached.
    """
    if role not in RIGHTS:
        raise typer.BadParameter(f"there is no role {role!r}; known: {', '.join(RIGHTS)}", param_hint="--role")
    settings = options.broker_settings(
        config,
        host=host,
        port=port,
        prefix=prefix,
        protocol=protocol,
        username=username,
        password_file=password_file,
        ca=ca,
        certificate=certificate,
        key=key,
    )
    findings: list[Finding] = []
    reached = True
    try:
        with Probe(settings, secrets.token_hex(3)) as probe:
            findings += probe.all(RIGHTS[role], burst)
    except ConnectionEnded as ended:
        reached = bool(findings)
        findings.append(Finding("connection", "bad", ended.why, ended.cure))
    _show(findings, f"{settings.host}:{settings.port}", as_json)
    if not reached:
        raise typer.Exit(EXIT_UNAVAILABLE)
    if any(f.mark == "bad" for f in findings):
        raise typer.Exit(EXIT_BAD)


def _show(findings: list[Finding], where: str, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"broker": where, "findings": [asdict(f) for f in findings]}, ensure_ascii=False))
        return
    table = Table("", "what", "found", "cure", box=None, pad_edge=False)
    for f in findings:
        colour = COLOURS[f.mark]
        table.add_row(f"[{colour}]{MARKS[f.mark]}[/{colour}]", f.what, f.found, f.cure)
    Console(highlight=False).print(table)
