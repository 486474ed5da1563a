"""The WebSocket `/api/v1/stream`.

Client to server, text: `Hello` first, then `WatchPreviews`, `WantEvents`. Server to client, text: `Welcome`,
`EventNote`, `StatusNote` (latest only, about twice a second and at each change of state), `Gap`, `StreamProblem`.
Binary: a preview,
`4 bytes big-endian length of the header | header (PreviewHeader as JSON) | JPEG`.
"""

from __future__ import annotations

import struct
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, TypeAdapter

from partsight.domain.verdict import Result
from partsight.wire.screen.message import Answer, Request, Time
from partsight.wire.screen.parts import FindingNote, FoundBox
from partsight.wire.screen.station import StationNote

MAX_CLIENT_MESSAGE = 4096
"""Bytes of a message to the server."""
MAX_PREVIEW_RATE = 30.0
_LENGTH = struct.Struct(">I")


class Hello(Request):
    """First message. token: "" without a login. after, run: the newest event that the client has, and of which run of
    the API; it gets those after it, or a `Gap`. None: only what comes from now on.
    """

    type: Literal["hello"] = "hello"
    token: Annotated[str, Field(max_length=2048)] = ""
    after: Annotated[int, Field(ge=0)] | None = None
    run: Annotated[str, Field(max_length=64)] = ""


class WatchPreviews(Request):
    """cameras: names, or "*" for all; none for no pictures. width: of the JPEG in pixels. rate: a second and camera."""

    type: Literal["previews"] = "previews"
    cameras: Annotated[tuple[Annotated[str, Field(max_length=64)], ...], Field(max_length=16)]
    width: Annotated[int, Field(ge=64, le=4096)] = 960
    rate: Annotated[float, Field(gt=0, le=MAX_PREVIEW_RATE)] = 10.0
    quality: Annotated[int, Field(ge=10, le=95)] = 80


class WantEvents(Request):
    """Send the events after this number again."""

    type: Literal["events"] = "events"
    after: Annotated[int, Field(ge=0)]


ClientMessage = Annotated[Hello | WatchPreviews | WantEvents, Field(discriminator="type")]


class Welcome(Answer):
    """The client was let in. first, last: numbers of the events that are kept (n + 1, n where none is)."""

    type: Literal["welcome"] = "welcome"
    api: int
    run: str
    user: str = ""
    role: str | None = None
    first: int
    last: int
    status: StationNote


class EventNote(Answer):
    """One event. kind: finished (data: a PartRow), missed, state, fault, fault-over, camera, challenge, recipe or
    reviewed.
    """

    type: Literal["event"] = "event"
    n: int
    at: Time
    kind: str
    data: dict[str, JsonValue]


class StatusNote(Answer):
    """The station now."""

    type: Literal["status"] = "status"
    status: StationNote


class Gap(Answer):
    """Events from `first` to `last` are gone: ask the records instead."""

    type: Literal["gap"] = "gap"
    first: int
    last: int


class StreamProblem(Answer):
    """What was wrong with a message, or why the server closes."""

    type: Literal["problem"] = "problem"
    status: int
    text: str


ServerMessage = Annotated[Welcome | EventNote | StatusNote | Gap | StreamProblem, Field(discriminator="type")]
_CLIENT: TypeAdapter[Any] = TypeAdapter(ClientMessage)
_SERVER: TypeAdapter[Any] = TypeAdapter(ServerMessage)


class PreviewHeader(Answer):
    """What stands before the JPEG. width, height: of the frame, in whose pixels the boxes are; the JPEG may be smaller.

    sequence, result: of the part, None where the picture is of no part (the station does not judge). boxes: down to the
    model's floor; findings: what decided. dropped: pictures that this client did not get, since it connected.
    """

    camera: str
    at: Time
    width: int
    height: int
    sequence: int | None = None
    part_id: str = ""
    result: Result | None = None
    boxes: tuple[FoundBox, ...] = ()
    findings: tuple[FindingNote, ...] = ()
    dropped: int = 0


def parse_client_message(text: str | bytes) -> Hello | WatchPreviews | WantEvents:
    """Raises pydantic's ValidationError (a ValueError)."""
    message: Hello | WatchPreviews | WantEvents = _CLIENT.validate_json(text)
    return message


def parse_server_message(text: str | bytes) -> Welcome | EventNote | StatusNote | Gap | StreamProblem:
    """Raises pydantic's ValidationError (a ValueError)."""
    message: Welcome | EventNote | StatusNote | Gap | StreamProblem = _SERVER.validate_json(text)
    return message


def pack_preview(header: PreviewHeader, jpeg: bytes) -> bytes:
    """One binary message."""
    head = header.model_dump_json().encode()
    return _LENGTH.pack(len(head)) + head + jpeg


def unpack_preview(message: bytes) -> tuple[PreviewHeader, bytes]:
    """Header and JPEG. Raises ValueError."""
    if len(message) < _LENGTH.size:
        raise ValueError("a preview that is shorter than its header's length")
    (length,) = _LENGTH.unpack_from(message)
    end = _LENGTH.size + length
    if end > len(message):
        raise ValueError("a preview that is shorter than its header")
    return PreviewHeader.model_validate_json(message[_LENGTH.size : end]), message[end:]
