"""`[sparkplug]` of a station's configuration; without the table there is no Sparkplug."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from partsight.config.reading import Table
from partsight.outputs.broker_login import BrokerLogin
from partsight.outputs.mqtt.settings import Level


class Server(Table):
    """One MQTT server."""

    host: str = Field(min_length=1, max_length=253)
    port: int = Field(default=1883, ge=1, le=65535)


class SparkplugSettings(BrokerLogin):
    """`[sparkplug]`.

    servers: tried in turn; the node is connected to one of them at any time.
    group, node, device: Sparkplug's ids; `group/node` must be unique in the plant.
    primary_host: births wait until this host's STATE says online; None does not wait.
    interval_ms: tags are sampled this often at most, so a fast line does not flood the host.
    """

    table: ClassVar[str] = "sparkplug"

    servers: tuple[Server, ...] = Field(min_length=1, max_length=8)
    group: Level
    node: Level
    device: Level = "inspection"
    client_id: Level | None = None
    primary_host: Level | None = None
    interval_ms: int = Field(default=200, ge=20, le=60_000)
    keepalive_s: int = Field(default=10, ge=1, le=300)
    host_wait_s: float = Field(default=10.0, ge=0.2, le=3600)
