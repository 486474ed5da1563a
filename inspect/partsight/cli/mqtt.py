"""`partsight mqtt`: what an integrator needs around the broker."""

from __future__ import annotations

import typer

from partsight.cli.mqtt_certificates import certificates
from partsight.cli.mqtt_check import check
from partsight.cli.mqtt_listen import listen
from partsight.cli.schema import schema

app = typer.Typer(no_args_is_help=True, help="Certificates, schemas, a listener and a check of the broker.")
app.command()(certificates)
app.command()(schema)
app.command()(listen)
app.command()(check)
