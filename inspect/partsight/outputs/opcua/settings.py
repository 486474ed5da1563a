"""`[opcua]` of a station's configuration; without the table there is no OPC UA server."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from partsight.config.reading import Table
from partsight.outputs.opcua.passwords import FORM

Role = Literal["observer", "operator"]


class OpcUaUser(Table):
    """`[[opcua.users]]`: who may come in, by password or by certificate; only an operator may call methods."""

    name: str = Field(pattern=r"^[A-Za-z0-9_.@-]{1,64}$")
    password_hash: str | None = None
    certificate: Path | None = None
    role: Role = "observer"

    @field_validator("password_hash")
    @classmethod
    def _hashed(cls, value: str | None) -> str | None:
        if value is not None and not FORM.match(value):
            raise ValueError(
                "is not a hash; make one with "
                "`python -c 'from partsight.outputs.opcua import hash_password as h; print(h(input()))'`"
            )
        return value

    @model_validator(mode="after")
    def _one_way(self) -> OpcUaUser:
        if (self.password_hash is None) == (self.certificate is None):
            raise ValueError(f"user {self.name} needs a password_hash or a certificate, one of the two")
        return self


class OpcUaSettings(Table):
    """`[opcua]`. Without users the server is open, and then it listens on this machine only.

    host: the address to listen on. port: 4840 is OPC UA's own.
    users: with any, every client must sign and encrypt (Basic256Sha256) and log in.
    trusted: a folder of clients' certificates (DER); others are refused. None takes any certificate with a login.
    local_role: what a client may do where there are no users.
    max_clients: connections at once. requests_per_s: of each client, so that none can slow the line down.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=4840, ge=1, le=65535)
    users: tuple[OpcUaUser, ...] = Field(default=(), max_length=64)
    trusted: Path | None = None
    local_role: Role = "observer"
    max_clients: int = Field(default=8, ge=1, le=64)
    requests_per_s: int = Field(default=100, ge=10, le=10_000)

    @property
    def loopback(self) -> bool:
        """True where only this machine can reach the server."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def secured(self) -> bool:
        """True where clients sign, encrypt and log in."""
        return bool(self.users)

    @field_validator("users")
    @classmethod
    def _once(cls, users: tuple[OpcUaUser, ...]) -> tuple[OpcUaUser, ...]:
        names = [user.name for user in users]
        double = sorted({name for name in names if names.count(name) > 1})
        if double:
            raise ValueError(f"{', '.join(double)} is named twice")
        return users

    @model_validator(mode="after")
    def _closed(self) -> OpcUaSettings:
        if not self.loopback and not self.users:
            raise ValueError(
                f"host {self.host} can be reached from the network, and there are no users: anybody could command the "
                "station; add [[opcua.users]] (clients then sign, encrypt and log in), or use host = '127.0.0.1'"
            )
        if self.trusted is not None and not self.users:
            raise ValueError("trusted certificates need users: without them no client shows a certificate")
        return self
