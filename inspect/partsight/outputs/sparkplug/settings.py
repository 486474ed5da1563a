"""`[sparkplug]` of a station's configuration; without the table there is no Sparkplug."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field, model_validator

from partsight.config.reading import Table
from partsight.domain.errors import ConfigError, Mistake
from partsight.outputs.mqtt.settings import Level, TlsTable, refuse_readable


class Server(Table):
    """One MQTT server."""

    host: str = Field(min_length=1, max_length=253)
    port: int = Field(default=1883, ge=1, le=65535)


class SparkplugSettings(Table):
    """`[sparkplug]`. The password never stands in this file: `password_env` or `password_file` says where it is.

    servers: tried in turn; the node is connected to one of them at any time.
    group, node, device: Sparkplug's ids; `group/node` must be unique in the plant.
    primary_host: births wait until this host's STATE says online; None does not wait.
    interval_ms: tags are sampled this often at most, so a fast line does not flood the host.
    """

    servers: tuple[Server, ...] = Field(min_length=1, max_length=8)
    group: Level
    node: Level
    device: Level = "inspection"
    client_id: Level | None = None
    primary_host: Level | None = None
    tls: TlsTable | None = None
    username: str | None = Field(default=None, max_length=256)
    password_env: str | None = None
    password_file: Path | None = None
    interval_ms: int = Field(default=200, ge=20, le=60_000)
    keepalive_s: int = Field(default=10, ge=1, le=300)
    connect_timeout_s: float = Field(default=2.0, ge=0.2, le=30)
    host_wait_s: float = Field(default=10.0, ge=0.2, le=3600)
    backoff_min_s: float = Field(default=0.2, ge=0.05, le=60)
    backoff_max_s: float = Field(default=5.0, ge=0.1, le=300)

    @model_validator(mode="after")
    def _fits(self) -> SparkplugSettings:
        if self.password_env and self.password_file:
            raise ValueError("password_env and password_file are both given: keep one")
        if (self.password_env or self.password_file) and self.username is None:
            raise ValueError("a password needs a username")
        if self.backoff_min_s > self.backoff_max_s:
            raise ValueError(f"backoff_min_s {self.backoff_min_s} is above backoff_max_s {self.backoff_max_s}")
        return self

    def password(self) -> str | None:
        """The password, None without one. Raises ConfigError (not set, not readable, readable by others)."""
        if self.password_env is not None:
            value = os.environ.get(self.password_env)
            if not value:
                raise ConfigError(
                    [Mistake(self.password_env, "sparkplug.password_env", "the variable is not set", "set it")]
                )
            return value
        if self.password_file is None:
            return None
        refuse_readable(self.password_file, "sparkplug.password_file")
        try:
            return self.password_file.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as problem:
            raise ConfigError(
                [Mistake(str(self.password_file), "sparkplug.password_file", f"cannot be read: {problem}")]
            ) from problem
