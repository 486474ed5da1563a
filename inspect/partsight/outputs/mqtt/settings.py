"""`[mqtt]` of a station's configuration: which broker, with which rights, and how records are acknowledged."""

from __future__ import annotations

import os
import re
import ssl
import stat
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from partsight.config.reading import Table
from partsight.domain.errors import ConfigError, Mistake
from partsight.wire.topics import MAX_PREFIX

LEVEL = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
COMMANDS = ("recipe", "start", "stop", "hold", "reset", "trigger", "challenge", "replay", "sync", "time")
"""Every command of the contract; bypass is not on MQTT."""

CommandName = Literal["recipe", "start", "stop", "hold", "reset", "trigger", "challenge", "replay", "sync", "time"]


def _level(value: str) -> str:
    if not LEVEL.match(value):
        raise ValueError(f"{value!r} is not a level of a topic: use letters, digits, - and _ (at most 64)")
    return value


def _prefix(value: str) -> str:
    for level in value.split("/"):
        _level(level)
    if len(value) > MAX_PREFIX:
        raise ValueError(f"the prefix has {len(value)} characters; at most {MAX_PREFIX} fit into a PLC's topic")
    return value


Level = Annotated[str, AfterValidator(_level)]
Prefix = Annotated[str, AfterValidator(_prefix)]


class TlsTable(Table):
    """`[mqtt.tls]`: TLS 1.2 or later. `certificate` and `key` are the station's own, where the broker asks for one."""

    ca: Path
    certificate: Path | None = None
    key: Path | None = None

    @model_validator(mode="after")
    def _both(self) -> TlsTable:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together: give both or neither")
        return self

    def context(self) -> ssl.SSLContext:
        """A context that verifies the broker's name. Raises ConfigError."""
        if self.key is not None:
            refuse_readable(self.key, "mqtt.tls.key")
        try:
            context = ssl.create_default_context(cafile=str(self.ca))
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            if self.certificate is not None:
                context.load_cert_chain(str(self.certificate), None if self.key is None else str(self.key))
        except (OSError, ValueError) as problem:
            raise ConfigError(
                [
                    Mistake(
                        str(self.ca),
                        "mqtt.tls",
                        f"the certificates cannot be loaded: {problem}",
                        "`partsight mqtt certificates DIR` makes a set that fits together",
                    )
                ]
            ) from problem
        return context


class MqttSettings(Table):
    """`[mqtt]`. The password never stands in this file: `password_env` or `password_file` says where it is.

    prefix: the topics' root, `site/area/line/station/vi`.
    delivery: "broker" (a record is delivered at PUBACK) or "consumer" (when every one of `consumers` said so).
    commands: which of the contract's commands are carried out; all others are refused and audited.
    window: messages on their way at once; the broker's Receive Maximum can lower it.
    stall_s: without any acknowledgement of the broker for so long the connection is given up, and without one of a
        consumer the records are sent again from the last that it has.
    command_expiry_s: a command that says it is older than this is refused.
    """

    host: str = Field(min_length=1, max_length=253)
    port: int = Field(default=1883, ge=1, le=65535)
    protocol: Literal["3.1.1", "5"] = "3.1.1"
    prefix: Prefix
    client_id: Level
    tls: TlsTable | None = None
    username: str | None = Field(default=None, max_length=256)
    password_env: str | None = None
    password_file: Path | None = None
    verdict_qos: Literal[0, 1] = 0
    delivery: Literal["broker", "consumer"] = "broker"
    consumers: tuple[Level, ...] = Field(default=(), max_length=16)
    commands: tuple[CommandName, ...] = (
        "start",
        "stop",
        "hold",
        "reset",
        "recipe",
        "trigger",
        "replay",
        "sync",
        "time",
    )
    command_expiry_s: float = Field(default=5.0, ge=1, le=3600)
    keepalive_s: int = Field(default=5, ge=1, le=300)
    window: int = Field(default=20, ge=1, le=1000)
    backoff_min_s: float = Field(default=0.2, ge=0.05, le=60)
    backoff_max_s: float = Field(default=5.0, ge=0.1, le=300)
    connect_timeout_s: float = Field(default=2.0, ge=0.2, le=30)
    stall_s: float = Field(default=3.0, ge=0.5, le=60)

    @field_validator("consumers", "commands")
    @classmethod
    def _once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        double = sorted({n for n in names if names.count(n) > 1})
        if double:
            raise ValueError(f"{', '.join(double)} is named twice")
        return names

    @model_validator(mode="after")
    def _fits(self) -> MqttSettings:
        if self.delivery == "consumer" and not self.consumers:
            raise ValueError("delivery = 'consumer' needs the names of its consumers: consumers = [\"mes\"]")
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
                    [Mistake(self.password_env, "mqtt.password_env", "the environment variable is not set", "set it")]
                )
            return value
        if self.password_file is None:
            return None
        refuse_readable(self.password_file, "mqtt.password_file")
        try:
            return self.password_file.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as problem:
            raise ConfigError(
                [Mistake(str(self.password_file), "mqtt.password_file", f"cannot be read: {problem}")]
            ) from problem


def refuse_readable(path: Path, key: str) -> None:
    """Raises ConfigError where others than the file's owner may read it."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as problem:
        raise ConfigError([Mistake(str(path), key, f"cannot be read: {problem.strerror}")]) from problem
    if mode & 0o077:
        raise ConfigError([Mistake(str(path), key, f"may be read by others (mode {mode:04o})", f"chmod 600 {path}")])
