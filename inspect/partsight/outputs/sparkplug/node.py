"""The edge node's side of Sparkplug B 3.0, without I/O: which message comes next, with which numbers.

CONNECT with NDEATH as its will (bdSeq) ── NBIRTH (seq 0) ── DBIRTH (1) ── DDATA … (2 … 255, 0 …) ── NDEATH
                                              ▲                                │
                                              └── rebirth: seq from 0 again ───┘
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from partsight.outputs.sparkplug.payload import DataType, Metric, Payload, PayloadError, Value, decode, encode
from partsight.outputs.sparkplug.tags import TAGS

NAMESPACE = "spBv1.0"
REBIRTH = "Node Control/Rebirth"
BD_SEQ = "bdSeq"
WRAP = 256
MAX_STATE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Message:
    """What goes to the broker; nothing of Sparkplug's edge side is ever retained."""

    topic: str
    payload: bytes
    qos: int = 0


class EdgeNode:
    """One MQTT session of the node `group/node` with its only device. One thread uses it."""

    def __init__(self, group: str, node: str, device: str, bd_seq: int) -> None:
        self._group, self._node, self._device = group, node, device
        self._bd_seq = bd_seq
        self._seq = 0
        self._sent: dict[str, Value] = {}
        self.device_born = False

    @property
    def command_topic(self) -> str:
        """Where rebirth requests arrive."""
        return self._topic("NCMD")

    def death(self) -> Message:
        """The NDEATH, as will and before an intended disconnect: bdSeq alone, no seq, QoS 1."""
        metric = Metric(BD_SEQ, DataType.INT64, self._bd_seq)
        return Message(self._topic("NDEATH"), encode(Payload(None, (metric,)), types=True), qos=1)

    def births(self, values: Mapping[str, Value], at_ms: int, *, device: bool = True) -> tuple[Message, ...]:
        """NBIRTH, and DBIRTH where the device is there. Also the answer to a rebirth request."""
        self._seq = 0
        self.device_born = False
        metrics = (
            Metric(BD_SEQ, DataType.INT64, self._bd_seq, at_ms),
            Metric(REBIRTH, DataType.BOOLEAN, False, at_ms),
        )
        born = Message(self._topic("NBIRTH"), encode(Payload(at_ms, metrics, self._next()), types=True))
        return (born, self.device_birth(values, at_ms)) if device else (born,)

    def device_birth(self, values: Mapping[str, Value], at_ms: int) -> Message:
        """DBIRTH with every tag that this device will ever send."""
        self._sent = {name: values[name] for name in TAGS}
        self.device_born = True
        return self._message("DBIRTH", self._sent, at_ms, types=True)

    def data(self, values: Mapping[str, Value], at_ms: int) -> Message | None:
        """DDATA with what has changed since the last message, or None."""
        changed = {name: values[name] for name in TAGS if values[name] != self._sent[name]}
        if not changed:
            return None
        self._sent.update(changed)
        return self._message("DDATA", changed, at_ms, types=False)

    def device_death(self, at_ms: int) -> Message:
        """DDEATH: the values are no longer alive."""
        self.device_born = False
        return self._message("DDEATH", {}, at_ms, types=False)

    def _message(self, verb: str, values: Mapping[str, Value], at_ms: int, *, types: bool) -> Message:
        metrics = tuple(Metric(name, TAGS[name], value, at_ms) for name, value in values.items())
        return Message(self._topic(verb), encode(Payload(at_ms, metrics, self._next()), types=types))

    def _next(self) -> int:
        seq, self._seq = self._seq, (self._seq + 1) % WRAP
        return seq

    def _topic(self, verb: str) -> str:
        topic = f"{NAMESPACE}/{self._group}/{verb}/{self._node}"
        return f"{topic}/{self._device}" if verb.startswith("D") else topic


def wants_rebirth(payload: bytes) -> bool:
    """True where an NCMD asks for a rebirth. Raises PayloadError."""
    return any(metric.name == REBIRTH and metric.value is True for metric in decode(payload).metrics)


class HostState:
    """Whether the primary host is online, from its STATE messages. `online` is None until the first one.

    A message older than the last one is ignored. A new MQTT session starts afresh (the retained message is the
    newest there is), so that a host whose clock was set back is heard again.
    """

    def __init__(self, host: str) -> None:
        self.topic = f"{NAMESPACE}/STATE/{host}"
        self.online: bool | None = None
        self._at_ms = -1

    def observe(self, topic: str, payload: bytes) -> None:
        """Take one message. Raises PayloadError where it is not a STATE message of this host."""
        if topic != self.topic:
            raise PayloadError(f"{topic} is not the primary host's topic {self.topic}")
        if len(payload) > MAX_STATE_BYTES:
            raise PayloadError(f"a STATE message of {len(payload)} bytes is too large")
        try:
            state = json.loads(payload)
        except (ValueError, RecursionError) as error:
            raise PayloadError(f"{topic}: the STATE message is not JSON: {error}") from error
        online = state.get("online") if isinstance(state, dict) else None
        at_ms = state.get("timestamp") if isinstance(state, dict) else None
        if not isinstance(online, bool) or not isinstance(at_ms, int) or isinstance(at_ms, bool):
            raise PayloadError(f'{topic}: a STATE message holds "online" (true or false) and "timestamp" (ms)')
        if at_ms >= self._at_ms:
            self.online, self._at_ms = online, at_ms
