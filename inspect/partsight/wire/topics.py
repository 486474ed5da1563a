"""Every topic of the contract: which way it goes, how it is delivered, and what it carries.

`topic(prefix, leaf)`; a leaf is never a parent of another topic. `check_prefix(prefix)` says what is wrong with one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, unique

from partsight.wire.commands import LEVEL, Response
from partsight.wire.live import Heartbeat, TriggerAck, VerdictMessage
from partsight.wire.message import Message, WireError
from partsight.wire.plc import PlcAck, PlcReject, PlcState, PlcTrigger
from partsight.wire.records import EventRecord, ResultRecord
from partsight.wire.station import Conn, Count, Info, RecipeMessage, State

MAX_PREFIX = 200


@unique
class Way(str, Enum):
    """Seen from the station."""

    OUT = "out"
    IN = "in"


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic under the prefix. payload: None where it is no JSON object. also: other QoS that is allowed."""

    leaf: str
    way: Way
    qos: int
    retained: bool
    payload: type[Message] | None
    text: str
    also: int | None = None


TOPICS: tuple[Topic, ...] = (
    Topic("conn", Way.OUT, 1, True, Conn, "on the broker or not; also the last will"),
    Topic("info", Way.OUT, 1, True, Info, "birth: software, schemas, cameras, model, recipes, configuration, deadline"),
    Topic("state", Way.OUT, 1, True, State, "the station's state, at each change"),
    Topic("hb", Way.OUT, 0, False, Heartbeat, "heartbeat, ten a second"),
    Topic("verdict", Way.OUT, 0, False, VerdictMessage, "each part's verdict, never replayed", also=1),
    Topic("trigack", Way.OUT, 0, False, TriggerAck, "what became of a trigger"),
    Topic("result", Way.OUT, 1, False, ResultRecord, "each part's whole record, from the durable outbox"),
    Topic("event", Way.OUT, 1, False, EventRecord, "faults, operators' actions, audit digests, from the same outbox"),
    Topic("count", Way.OUT, 1, True, Count, "counters, once a second"),
    Topic("recipe", Way.OUT, 1, True, RecipeMessage, "the active recipe and model"),
    Topic("cmd/{name}", Way.IN, 1, False, None, "a command; a retained one is dropped, every one is in the audit"),
    Topic("rsp/{client}", Way.OUT, 1, False, Response, "the answer to a command"),
    Topic("plc/trig", Way.IN, 0, False, PlcTrigger, "judge the part under the cameras now"),
    Topic("plc/ack", Way.IN, 0, False, PlcAck, "highest contiguous verdict that the PLC has taken"),
    Topic("plc/hb", Way.IN, 0, False, None, "the PLC is alive; the payload is not looked at"),
    Topic("plc/state", Way.IN, 1, True, PlcState, "line speed, batch, order"),
    Topic("plc/reject", Way.IN, 1, False, PlcReject, "what the reject sensor saw"),
    Topic("ack/{consumer}", Way.IN, 1, False, None, "integer: highest contiguous seq that this consumer has stored"),
)


def topic(prefix: str, leaf: str) -> str:
    """`topic("site/line/vi", "verdict")`, `topic(prefix, "cmd/start")`."""
    return f"{prefix}/{leaf}"


def check_prefix(prefix: str) -> None:
    """Raises WireError, which names the level that is wrong."""
    if len(prefix) > MAX_PREFIX:
        raise WireError(f"the prefix has {len(prefix)} characters; at most {MAX_PREFIX} are allowed")
    for level in prefix.split("/"):
        if not re.fullmatch(LEVEL, level):
            raise WireError(f"level {level!r} of the prefix {prefix!r}: letters, digits, _ and - only, 1 to 64 of them")
