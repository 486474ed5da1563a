"""The link between the daemon and its API process: messages over a Unix socket pair.

A message is a JSON object with a `t`: 4 bytes big-endian length, then UTF-8. Down go `hello` (first, once), `status`,
`event`, `frame` and `reply`; up come `request`, `watch` and `tick`. Pixels do not travel here: a `frame` says under
which stamp they lie in the shared memory (`frames.py`).

`Channel` is for threads (the daemon), `AsyncChannel` for asyncio (the API). Both refuse what is too long or no message
with ChannelError, and say with ChannelClosed that the other end is gone.
"""

from __future__ import annotations

import asyncio
import select
import socket
import struct
import threading
import time
from contextlib import suppress
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter
from pydantic_core import from_json

from partsight.domain.errors import PartsightError
from partsight.wire.screen.message import Answer, Request, Time
from partsight.wire.screen.station import StationNote
from partsight.wire.screen.stream import PreviewHeader

MAX_DOWN = 16 << 20
"""Bytes of a message to the API."""
MAX_UP = 4 << 20
"""Bytes of a message to the daemon; the largest is a recipe with its regions."""
MAX_RATE = 30.0
TICK_S = 1.0
_LENGTH = struct.Struct(">I")
_CHUNK = 1 << 16


class ChannelError(PartsightError):
    """What came is no message of this channel; whoever sent it cannot be talked to."""


class ChannelClosed(ChannelError):
    """The other end is gone."""


class ChannelStuck(ChannelError):
    """The other end takes nothing."""


# --- daemon to API ----------------------------------------------------------------------------------


class CameraFacts(Answer):
    """A camera of the configuration. Its slot in the shared memory is its place in `LineFacts.cameras`."""

    name: str
    driver: str
    mm_per_px: float | None = None


class ModelFacts(Answer):
    """The bundle that runs. card: its card.toml as JSON. folder: where it lies."""

    name: str
    sha256: str
    folder: str
    classes: tuple[str, ...]
    floor: float
    backend: str
    precision: str
    card: dict[str, JsonValue] = Field(default_factory=dict)


class LineFacts(Answer):
    """What does not change while this API runs.

    run: of this start of the API; starts: how many there were with it. settings: the `[api]` table, validated, as JSON.
    data, configuration, recipe_folders: absolute paths (folders in the order of the search). recipe: as the
    configuration names it. slot_bytes: of a camera's slot in the shared memory. acknowledge: the PLC acknowledges each
    verdict. images: whether images are kept.
    """

    run: str
    starts: int = 1
    software: str
    name: str
    epoch: int
    settings: dict[str, JsonValue]
    data: str
    configuration: str
    recipe_folders: tuple[str, ...]
    recipe: str = ""
    model: ModelFacts
    cameras: tuple[CameraFacts, ...]
    slot_bytes: int
    trigger: str
    deadline_ms: float
    simulated: bool
    acknowledge: bool
    images: bool


class HelloMessage(Answer):
    """First of all."""

    t: Literal["hello"] = "hello"
    facts: LineFacts
    status: StationNote


class StatusMessage(Answer):
    """The station now: about each 0.4 s, and at each change of state or fault. Latest only."""

    t: Literal["status"] = "status"
    status: StationNote


class EventMessage(Answer):
    """Something happened, in order. kind and data as in `wire.screen.stream.EventNote`; data of kind
    finished: a PartRow; missed: sequence, id, part_id, text; state: before, after, why; fault, fault-over: a FaultNote;
    camera: a CameraNote; challenge: passed, parts, missed; dropped: count of events that this API did not get.
    """

    t: Literal["event"] = "event"
    kind: str
    at: Time
    data: dict[str, JsonValue]


class FrameMessage(Answer):
    """The newest frame of a camera that is watched. format: a `PixelFormat`'s value; bit_depth: significant bits."""

    t: Literal["frame"] = "frame"
    camera: str
    stamp: int
    width: int
    height: int
    format: str
    bit_depth: int
    header: PreviewHeader


class Refusal(Answer):
    """Why a request was not carried out. status: of HTTP."""

    status: int
    text: str
    mistakes: tuple[str, ...] = ()


class ReplyMessage(Answer):
    """To the request `rid`. data where it is ok, else error."""

    t: Literal["reply"] = "reply"
    rid: int
    ok: bool
    data: JsonValue = None
    error: Refusal | None = None


Down: TypeAlias = HelloMessage | StatusMessage | EventMessage | FrameMessage | ReplyMessage


# --- API to daemon ----------------------------------------------------------------------------------


class RequestMessage(Request):
    """Something that only the daemon may do. rid: never used twice by one API. who: "" for nobody who logged in."""

    t: Literal["request"] = "request"
    rid: Annotated[int, Field(ge=0)]
    op: Annotated[str, Field(min_length=1, max_length=64)]
    args: dict[str, JsonValue] = Field(default_factory=dict)
    who: Annotated[str, Field(max_length=64)] = ""
    source: Annotated[str, Field(max_length=128)] = ""

    # `args` may hold a recipe's text; the rest is bounded above.
    model_config = ConfigDict(str_max_length=MAX_UP)


class WatchMessage(Request):
    """Which cameras' frames are wanted, and how many a second; replaces the one before."""

    t: Literal["watch"] = "watch"
    cameras: dict[Annotated[str, Field(max_length=64)], Annotated[float, Field(gt=0, le=MAX_RATE)]]


class TickMessage(Request):
    """The API's event loop goes round. `AsyncChannel` sends one each second: an API that falls silent is ended."""

    t: Literal["tick"] = "tick"


Up: TypeAlias = RequestMessage | WatchMessage | TickMessage

_Message = TypeVar("_Message")
DOWN: TypeAdapter[Down] = TypeAdapter(Annotated[Down, Field(discriminator="t")])
UP: TypeAdapter[Up] = TypeAdapter(Annotated[Up, Field(discriminator="t")])


# --- framing ----------------------------------------------------------------------------------------


def pack(message: BaseModel) -> bytes:
    """One message as bytes. Raises ChannelError where it is too long for either way."""
    body = message.model_dump_json().encode()
    if len(body) > MAX_DOWN:
        raise ChannelError(f"a message of {len(body)} bytes is too long for the link to the API")
    return _LENGTH.pack(len(body)) + body


def parse(adapter: TypeAdapter[_Message], body: bytes | bytearray) -> _Message:
    """Raises ChannelError."""
    try:
        return adapter.validate_python(_plain(from_json(body, allow_inf_nan=False)))
    except (ValueError, RecursionError) as error:
        raise ChannelError(f"what came over the link is no message: {str(error)[:500]}") from error


def _plain(value: Any) -> Any:
    if not isinstance(value, dict):
        raise ValueError(f"a {type(value).__name__} where an object was expected")
    return value


class Unpacker:
    """Bytes in, whole bodies out. Its memory is bounded by `limit`."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buffer = bytearray()

    def feed(self, chunk: bytes) -> list[bytes]:
        """The bodies that `chunk` completes. Raises ChannelError for one that is too long."""
        self._buffer += chunk
        bodies: list[bytes] = []
        at = 0
        while len(self._buffer) - at >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer, at)
            if length > self._limit:
                raise ChannelError(f"a message of {length} bytes came; at most {self._limit} are allowed")
            end = at + _LENGTH.size + length
            if len(self._buffer) < end:
                break
            bodies.append(bytes(self._buffer[at + _LENGTH.size : end]))
            at = end
        del self._buffer[:at]
        return bodies


class Channel:
    """The daemon's end. One thread sends, one receives; neither waits longer than it is told."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._unpacker = Unpacker(MAX_UP)
        self._waiting: list[bytes] = []
        self._readable, self._writable = select.poll(), select.poll()
        self._readable.register(sock, select.POLLIN)
        self._writable.register(sock, select.POLLOUT)

    def send(self, data: bytes, stuck_s: float, stopping: threading.Event | None = None) -> None:
        """All of it. Raises ChannelStuck when the other end takes nothing for `stuck_s`, or now and we stop,
        ChannelClosed.
        """
        left = memoryview(data)
        until = time.monotonic() + stuck_s
        while left:
            try:
                sent = self._socket.send(left)
            except BlockingIOError:
                if time.monotonic() > until or (stopping is not None and stopping.is_set()):
                    raise ChannelStuck(f"the API has taken nothing for {stuck_s:g} s") from None
                self._writable.poll(50)
                continue
            except OSError as error:
                raise ChannelClosed(f"the API's end of the link is closed: {error.strerror}") from error
            left = left[sent:]
            until = time.monotonic() + stuck_s

    def receive(self, timeout_s: float) -> Up | None:
        """The next message, None where none came in time. Raises ChannelClosed, ChannelError."""
        if not self._waiting and self._readable.poll(timeout_s * 1e3):
            self._waiting = self._unpacker.feed(self._chunk())
        return parse(UP, self._waiting.pop(0)) if self._waiting else None

    def _chunk(self) -> bytes:
        try:
            chunk = self._socket.recv(_CHUNK)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise ChannelClosed(f"the API's end of the link is closed: {error.strerror}") from error
        if not chunk:
            raise ChannelClosed("the API's end of the link is closed")
        return chunk

    def shut(self) -> None:
        """Ends both directions: a thread that receives gets ChannelClosed."""
        with suppress(OSError):  # the other end was quicker
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Once nobody sends or receives any more."""
        self._socket.close()


class AsyncChannel:
    """The API's end, on a running event loop.

    channel = await AsyncChannel.open(socket_from_fd(fd))
    hello = await channel.receive()
    await channel.send(WatchMessage(cameras={"top": 10.0}))
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._sending = asyncio.Lock()
        self._ticking: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, sock: socket.socket) -> AsyncChannel:
        """Takes the socket over, and ticks from now on: the daemon ends an API whose loop hangs."""
        sock.setblocking(False)
        channel = cls(*await asyncio.open_unix_connection(sock=sock))
        channel._ticking = asyncio.get_running_loop().create_task(channel._tick())
        return channel

    async def _tick(self) -> None:
        with suppress(ChannelClosed):  # whoever receives sees it too
            while True:
                await self.send(TickMessage())
                await asyncio.sleep(TICK_S)

    async def receive(self) -> Down:
        """The next message. Raises ChannelClosed when the daemon is gone, ChannelError."""
        try:
            (length,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
            if length > MAX_DOWN:
                raise ChannelError(f"a message of {length} bytes came; at most {MAX_DOWN} are allowed")
            body = await self._reader.readexactly(length)
        except (asyncio.IncompleteReadError, OSError) as error:
            raise ChannelClosed("the daemon's end of the link is closed") from error
        return parse(DOWN, body)

    async def send(self, message: Up) -> None:
        """Whole messages only, also where several tasks send at once. Raises ChannelClosed."""
        data = pack(message)
        if len(data) - _LENGTH.size > MAX_UP:
            raise ChannelError(f"a message of {len(data)} bytes is too long for the daemon")
        try:
            async with self._sending:  # Python 3.10 lets one task at a time wait in drain()
                self._writer.write(data)
                await self._writer.drain()
        except OSError as error:
            raise ChannelClosed("the daemon's end of the link is closed") from error

    async def close(self) -> None:
        """Ends the link."""
        if self._ticking is not None:
            self._ticking.cancel()
        self._writer.close()


def pair() -> tuple[socket.socket, socket.socket]:
    """(daemon's end, API's end); the second is inherited by the API's process as a file descriptor."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)


def socket_from_fd(fd: int) -> socket.socket:
    """The inherited end. Raises OSError where `fd` is no socket."""
    return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, fileno=fd)
