"""`[mqtt]` of a station's configuration: which broker, with which rights, and how records are acknowledged."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from partsight.outputs.broker_login import BrokerLogin
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


class MqttSettings(BrokerLogin):
    """`[mqtt]`.

    prefix: the topics' root, `site/area/line/station/vi`.
    delivery: "broker" (a record is delivered at PUBACK) or "consumer" (when every one of `consumers` said so).
    commands: which of the contract's commands are carried out; all others are refused and audited.
    window: messages on their way at once; the broker's Receive Maximum can lower it.
    stall_s: without any acknowledgement of the broker for so long the connection is given up, and without one of a
        consumer the records are sent again from the last that it has.
    command_expiry_s: a command that says it is older than this is refused.
    """

    table: ClassVar[str] = "mqtt"

    host: str = Field(min_length=1, max_length=253)
    port: int = Field(default=1883, ge=1, le=65535)
    protocol: Literal["3.1.1", "5"] = "3.1.1"
    prefix: Prefix
    client_id: Level
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
        return self
