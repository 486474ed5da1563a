"""Names of the contract's topics under one prefix."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topics:
    """`prefix` is the P of the contract."""

    prefix: str

    def of(self, leaf: str) -> str:
        """The full name of `verdict`, `cmd/start`, `ack/mes`."""
        return f"{self.prefix}/{leaf}"

    def leaf(self, topic: str) -> str:
        """What follows the prefix; empty for a topic of somebody else."""
        head = self.prefix + "/"
        return topic[len(head) :] if topic.startswith(head) else ""

    def subscriptions(self) -> tuple[tuple[str, int], ...]:
        """What a station listens to, with the QoS. `conn` is its own: see `MqttOutput`."""
        return (
            (self.of("cmd/+"), 1),
            (self.of("plc/trig"), 0),
            (self.of("plc/ack"), 0),
            (self.of("plc/hb"), 0),
            (self.of("plc/state"), 1),
            (self.of("plc/reject"), 1),
            (self.of("ack/+"), 1),
            (self.of("conn"), 1),
        )


@dataclass(frozen=True, slots=True)
class Rights:
    """What a role may publish and what it may read, below the prefix; `+` is any name."""

    writes: tuple[str, ...]
    reads: tuple[str, ...]


_OUT = ("conn", "info", "state", "hb", "verdict", "trigack", "result", "event", "count", "recipe", "rsp/+")
_COMMANDS = ("recipe", "start", "stop", "hold", "reset", "trigger", "challenge", "replay", "sync", "time")

RIGHTS: dict[str, Rights] = {
    "station": Rights(
        _OUT, ("cmd/+", "plc/trig", "plc/ack", "plc/hb", "plc/state", "plc/reject", "ack/+", "conn", "rsp/+")
    ),
    "plc": Rights(
        ("plc/trig", "plc/ack", "plc/hb", "plc/state", "plc/reject", "cmd/sync", "cmd/time", "cmd/start", "cmd/stop"),
        ("conn", "info", "state", "hb", "verdict", "trigack", "count", "recipe", "rsp/+"),
    ),
    "operator": Rights(tuple(f"cmd/{name}" for name in _COMMANDS), _OUT),
    "consumer": Rights(("ack/+", "cmd/replay", "cmd/sync", "cmd/time"), _OUT),
}
"""The roles of the broker's access list: deploy/mosquitto/acl says the same."""
