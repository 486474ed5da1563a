"""The API's end of the link: what the daemon says, requests to it, and the records that the API reads by itself."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol, TypeVar

import structlog
from pydantic import JsonValue

from partsight.api.channel import (
    AsyncChannel,
    ChannelClosed,
    ChannelError,
    EventMessage,
    FrameMessage,
    HelloMessage,
    LineFacts,
    ReplyMessage,
    RequestMessage,
    StatusMessage,
    WatchMessage,
)
from partsight.api.guard import Refused
from partsight.api.ring import EventRing
from partsight.domain.errors import RecordsUnavailable
from partsight.outputs.records.reader import RecordsReader
from partsight.wire.screen.station import StationNote
from partsight.wire.screen.stream import EventNote

log = structlog.get_logger(__name__)

HELLO_S = 20.0
"""For the daemon's first message."""
FRESH_S = 3.0
"""A status that is older says nothing about now."""
MAX_REQUESTS = 200
"""Under way at once; more are refused."""
READERS = 4
MAX_READS = 64
"""Waiting and running; more are refused."""
_Found = TypeVar("_Found")


class Listener(Protocol):
    """Is told at once, on the event loop, and must return at once."""

    def on_status(self, status: StationNote) -> None: ...

    def on_event(self, note: EventNote) -> None: ...

    def on_frame(self, frame: FrameMessage) -> None: ...


class Upstream:
    """What handlers get as `request.app.state.line`. On one event loop."""

    def __init__(self, channel: AsyncChannel, hello: HelloMessage) -> None:
        """Use `open`."""
        self.facts: LineFacts = hello.facts
        self.events = EventRing()
        self.listeners: list[Listener] = []
        self._channel = channel
        self._status = hello.status
        self._status_at = time.monotonic()
        self._waiting: dict[int, asyncio.Future[ReplyMessage]] = {}
        self._next_rid = 1
        self._wishes: dict[str, float] = {}
        self._wishes_changed = asyncio.Event()
        self._records = Records(Path(hello.facts.data))

    @classmethod
    async def open(cls, channel: AsyncChannel) -> Upstream:
        """Waits for the daemon's `hello`. Raises ChannelError."""
        try:
            hello = await asyncio.wait_for(channel.receive(), HELLO_S)
        except asyncio.TimeoutError:
            raise ChannelError(f"the daemon has said nothing for {HELLO_S:g} s") from None
        if not isinstance(hello, HelloMessage):
            raise ChannelError(f"the daemon's first message is {hello.t!r}, not 'hello'")
        return cls(channel, hello)

    @property
    def status(self) -> StationNote:
        """The newest; see `status_age_s`."""
        return self._status

    @property
    def status_age_s(self) -> float:
        """Seconds since the daemon said it."""
        return time.monotonic() - self._status_at

    async def run(self) -> None:
        """Take in what the daemon says, until it is gone. Raises ChannelError where it sends nonsense."""
        watch = asyncio.create_task(self._send_wishes())
        try:
            while True:
                self._take(await self._channel.receive())
        except ChannelClosed:
            log.info("the daemon is gone")
        finally:
            watch.cancel()
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(ChannelClosed("the daemon is gone"))
            self._records.close()

    def watch(self, wishes: dict[str, float]) -> None:
        """Frames a second of each camera that somebody wants to see; replaces the wishes before."""
        if wishes != self._wishes:
            self._wishes = dict(wishes)
            self._wishes_changed.set()

    async def request(
        self, op: str, args: dict[str, JsonValue], who: str, source: str, timeout_s: float = 5.0
    ) -> JsonValue:
        """Have the daemon do something. Raises Refused: what it answered, 503 too much at once, 504 no answer."""
        if len(self._waiting) >= MAX_REQUESTS:
            raise Refused(503, "the station has too many requests under way; try again in a moment")
        rid = self._next_rid
        self._next_rid += 1
        future: asyncio.Future[ReplyMessage] = asyncio.get_running_loop().create_future()
        self._waiting[rid] = future
        try:
            await self._channel.send(RequestMessage(rid=rid, op=op, args=args, who=who, source=source))
            reply = await asyncio.wait_for(future, timeout_s)
        except asyncio.TimeoutError:
            told = f"the station has not answered within {timeout_s:g} s; it may still do what was asked: see its state"
            raise Refused(504, told) from None
        except ChannelError as error:
            raise Refused(503, f"the station cannot be reached: {error}") from error
        finally:
            del self._waiting[rid]
        if reply.ok:
            return reply.data
        refusal = reply.error
        raise Refused(*((refusal.status, refusal.text, refusal.mistakes) if refusal else (500, "no reason was given")))

    async def run_reading(self, read: Callable[[RecordsReader], _Found], timeout_s: float = 10.0) -> _Found:
        """What `read` finds in the records, in a worker thread. Raises Refused (503), and what `read` raises."""
        return await self._records.run(read, timeout_s)

    def _take(self, message: object) -> None:
        if isinstance(message, StatusMessage):
            self._status, self._status_at = message.status, time.monotonic()
            for listener in self.listeners:
                listener.on_status(message.status)
        elif isinstance(message, EventMessage):
            self._take_event(message)
        elif isinstance(message, FrameMessage):
            for listener in self.listeners:
                listener.on_frame(message)
        elif isinstance(message, ReplyMessage):
            future = self._waiting.get(message.rid)
            # None: the answer came after its time.
            if future is not None and not future.done():
                future.set_result(message)

    def _take_event(self, message: EventMessage) -> None:
        if message.kind == "dropped":
            count = message.data.get("count")
            self.events.skip(count if isinstance(count, int) else 1)
            return
        note = self.events.add(EventNote(n=0, at=message.at, kind=message.kind, data=message.data))
        for listener in self.listeners:
            listener.on_event(note)

    async def _send_wishes(self) -> None:
        try:
            while True:
                await self._wishes_changed.wait()
                self._wishes_changed.clear()
                await self._channel.send(WatchMessage(cameras=self._wishes))
        except ChannelError:
            return  # `run` sees the same


class Records:
    """Readers of the records, each with a connection and a thread of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pool = ThreadPoolExecutor(READERS, thread_name_prefix="records")
        self._mine = threading.local()
        self._under_way = 0

    async def run(self, read: Callable[[RecordsReader], _Found], timeout_s: float) -> _Found:
        """See `Upstream.run_reading`."""
        if self._under_way >= MAX_READS:
            raise Refused(503, "too many people read the records at once; try again in a moment")
        self._under_way += 1
        future = asyncio.get_running_loop().run_in_executor(self._pool, self._read, read)
        future.add_done_callback(self._ended)
        try:
            return await asyncio.wait_for(asyncio.shield(future), timeout_s)
        except asyncio.TimeoutError:
            raise Refused(503, f"the records have not answered within {timeout_s:g} s; ask for less") from None
        except RecordsUnavailable as error:
            raise Refused(503, str(error)) from error

    def close(self) -> None:
        """Let what runs end by itself."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _ended(self, future: asyncio.Future[_Found]) -> None:
        self._under_way -= 1
        if not future.cancelled():
            future.exception()  # somebody has looked, also where nobody waits any more

    def _read(self, read: Callable[[RecordsReader], _Found]) -> _Found:
        reader: RecordsReader | None = getattr(self._mine, "reader", None)
        if reader is None:
            reader = self._mine.reader = RecordsReader.open(self._folder)
        try:
            return read(reader)
        except RecordsUnavailable:
            # Perhaps other files lie there now.
            self._mine.reader = None
            reader.close()
            raise
