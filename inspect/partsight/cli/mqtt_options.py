"""Which broker `partsight mqtt listen` and `check` talk to: from a station's file, or from options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from partsight.config.reading import read_toml, validate
from partsight.domain.errors import ConfigError, Mistake
from partsight.outputs.mqtt.settings import MqttSettings

Config = Annotated[Path | None, typer.Option("--config", "-c", help="A station's file with a table \\[mqtt].")]
Host = Annotated[str | None, typer.Option("--host", help="The broker.")]
Port = Annotated[int | None, typer.Option("--port", min=1, max=65535)]
Prefix = Annotated[str | None, typer.Option("--prefix", help="The topics' root: site/area/line/station/vi.")]
Protocol = Annotated[str | None, typer.Option("--protocol", help="3.1.1 or 5.")]
User = Annotated[str | None, typer.Option("--username")]
PasswordFile = Annotated[Path | None, typer.Option("--password-file", help="Readable by you alone.")]
Ca = Annotated[Path | None, typer.Option("--ca", help="The broker's authority; turns TLS on.")]
Certificate = Annotated[Path | None, typer.Option("--certificate")]
Key = Annotated[Path | None, typer.Option("--key")]


def broker_settings(
    config: Path | None,
    *,
    host: str | None,
    port: int | None,
    prefix: str | None,
    protocol: str | None,
    username: str | None,
    password_file: Path | None,
    ca: Path | None,
    certificate: Path | None,
    key: Path | None,
) -> MqttSettings:
    """Options win over the file. Raises ConfigError."""
    values: dict[str, Any] = {}
    if config is not None:
        table = read_toml(config).get("mqtt")
        if not isinstance(table, dict):
            raise ConfigError([Mistake(str(config), "mqtt", "there is no table [mqtt]", "add it, or give --host")])
        values = dict(table)
    given = {
        "host": host,
        "port": port,
        "prefix": prefix,
        "protocol": protocol,
        "username": username,
        "password_file": password_file,
    }
    values |= {name: value for name, value in given.items() if value is not None}
    if ca is not None:
        tls = {"ca": ca, "certificate": certificate, "key": key}
        values["tls"] = {name: value for name, value in tls.items() if value is not None}
    values.setdefault("client_id", "partsight")
    values.setdefault("host", "127.0.0.1")
    return validate(MqttSettings, values, str(config or "options"), "mqtt" if config else "--")
