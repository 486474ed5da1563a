"""What the line says to the station, besides commands: short, frequent, and answered by none but the next verdict.

Keys that we do not know are ignored: a PLC's library may send more than it was asked for.
`PlcTrigger.parse`, `PlcAck.parse`, `PlcReject.parse`, `PlcState.parse`, `parse_consumer_ack(bytes) -> int`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from partsight.wire.message import MAX_INT64, MAX_PART, EpochMs, Flag, Id, Int64, Message, WireError


class PlcTrigger(Message):
    """Judge the part that is under the cameras now."""

    id: Id
    p: Annotated[str, Field(max_length=MAX_PART, description="part id")] = ""
    enc: Annotated[Int64 | None, Field(description="encoder at the trigger")] = None
    t: EpochMs | None = None


class PlcAck(Message):
    """The highest contiguous verdict that the PLC has taken."""

    id: Id


class PlcReject(Message):
    """What the reject sensor saw. cmd: a reject was commanded; conf: the sensor confirmed it."""

    id: Id
    cmd: Flag
    conf: Flag
    t: EpochMs | None = None


class PlcState(Message):
    """Retained: what the line runs. Whatever the PLC does not know it leaves out."""

    speed_mm_s: Annotated[float | None, Field(ge=0, allow_inf_nan=False)] = None
    batch: Annotated[str, Field(max_length=MAX_PART)] = ""
    order: Annotated[str, Field(max_length=MAX_PART)] = ""
    t: EpochMs | None = None


def parse_consumer_ack(payload: bytes) -> int:
    """`P/ack/CONSUMER`: a plain integer, the highest contiguous seq that is stored. Raises WireError."""
    digits = payload.strip()
    if not digits.isdigit() or len(digits) > 19 or int(digits) > MAX_INT64:
        raise WireError("an acknowledgement is one integer in digits, from 0 to 2^63-1")
    return int(digits)
