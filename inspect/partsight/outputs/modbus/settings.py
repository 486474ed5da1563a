"""`[modbus]` of a station's configuration."""

from __future__ import annotations

import ipaddress
import socket
import struct
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
CommandName = Literal["trigger", "acknowledge", "reset", "recipe", "run", "challenge", "reject"]
COMMANDS: tuple[CommandName, ...] = ("trigger", "acknowledge", "reset", "recipe", "run", "challenge", "reject")

_ADDRESS_OF_INTERFACE = 0x8915  # SIOCGIFADDR


class ModbusSettings(BaseModel):
    """Modbus has no logins: who may connect is decided by interface and peer address alone.

    interface: name ("eth1") or address to listen at; never all of them at once.
    port: 5020, because the protocol's own 502 needs a privilege; 0 for any free one.
    peers: addresses or networks ("10.0.3.0/28") that may connect; empty: this machine only.
    commands: what a PLC may ask for here; anything else is refused and audited.
    challenge: whether each part of the plant's challenge kit is bad, in order, for the Challenge bit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = False
    interface: str = Field(default="127.0.0.1", min_length=1, max_length=64)
    port: int = Field(default=5020, ge=0, le=65535)
    peers: tuple[str, ...] = Field(default=(), max_length=64)
    commands: tuple[CommandName, ...] = COMMANDS
    challenge: tuple[bool, ...] = Field(default=(), max_length=64)
    connections: int = Field(default=8, ge=1, le=64)

    @field_validator("peers")
    @classmethod
    def _are_networks(cls, peers: tuple[str, ...]) -> tuple[str, ...]:
        for peer in peers:
            try:
                ipaddress.ip_network(peer)
            except ValueError as problem:
                raise ValueError(f"{peer!r} is neither an address nor a network: {problem}") from problem
        return peers

    @model_validator(mode="after")
    def _is_narrow(self) -> ModbusSettings:
        address = _as_address(self.interface)
        if address is not None and address.is_unspecified:
            raise ValueError(
                f"interface = {self.interface!r} listens on every network: name the one that the PLC is on"
            )
        if not self.peers and (address is None or not address.is_loopback):
            raise ValueError(
                f"interface = {self.interface!r} is open to a network and peers is empty: list the PLC's address"
            )
        return self

    def allows(self, peer: str) -> bool:
        """May this address connect?"""
        address = _as_address(peer)
        if address is None:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        address = mapped or address
        if not self.peers:
            return bool(address.is_loopback)
        return any(address in ipaddress.ip_network(network) for network in self.peers)

    def address(self) -> str:
        """The address to listen at. Raises OSError where the interface has none (yet)."""
        if _as_address(self.interface) is not None:
            return self.interface
        return address_of(self.interface)


def address_of(interface: str) -> str:
    """The IPv4 address of a network interface (Linux). Raises OSError where there is none."""
    import fcntl  # not on every system; only a name needs it

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        request = struct.pack("256s", interface.encode()[:15])
        answer = fcntl.ioctl(asking.fileno(), _ADDRESS_OF_INTERFACE, request)
    return socket.inet_ntoa(answer[20:24])


def _as_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
