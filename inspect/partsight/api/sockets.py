"""uvicorn's protocols with bounds: nobody holds a connection by sending slowly or by never reading."""

from __future__ import annotations

import asyncio
import socket
from typing import Any, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from partsight.api.edge import PROBLEM, problem

MAX_CONNECTIONS = 256
"""More are answered 503."""
SPARE_CONNECTIONS = 64
"""So many more are heard, to be told so; the rest is cut off."""
PIECE_BYTES = 16 << 10
"""What h11 is given at once: it bounds a head only by what is left of it, so a large read would pass whole."""
HEAD_S = 10.0
"""For a request's head to be whole."""
STALLED_S = 30.0
"""A client that takes nothing for so long is cut off."""
UNSENT_BYTES = 128 << 10
"""What the kernel holds for a slow client of the WebSocket: more would be pictures that are old when they arrive."""


class _Stall:
    """Cuts a transport off that has been paused for too long."""

    def __init__(self) -> None:
        self._timer: asyncio.TimerHandle | None = None

    def paused(self, transport: asyncio.Transport) -> None:
        self.over()
        self._timer = asyncio.get_running_loop().call_later(STALLED_S, transport.abort)

    def over(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class BoundedHttp(H11Protocol):
    """HTTP/1.1 with a time for each head, and for each client that does not read its answer."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._head: asyncio.TimerHandle | None = None
        self._stall = _Stall()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Too many are cut off at once: even an answer costs memory."""
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS + SPARE_CONNECTIONS:
            transport.abort()
            return
        sock = cast(socket.socket | None, transport.get_extra_info("socket"))
        if sock is not None:
            # asyncio does this only for sockets that were made with the protocol's number, which `create_server` does
            # not give: without it the body of each answer waits 40 ms for the client's acknowledgement of its head.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """The clock of the head runs while no request is under way."""
        for start in range(0, len(data), PIECE_BYTES):
            super().data_received(data[start : start + PIECE_BYTES])
            if self.transport.is_closing() or self.transport.get_protocol() is not self:
                break
        if self.cycle is not None and not self.cycle.response_complete:
            self._head_is_whole()
        elif self._head is None and not self.transport.is_closing():
            self._await_head()

    def handle_websocket_upgrade(self, event: Any) -> None:
        """From here the WebSocket's protocol has the transport."""
        self._head_is_whole()
        super().handle_websocket_upgrade(event)
        # data_received must not start the clock again.
        self._await_head = lambda: None  # type: ignore[method-assign]

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP is refused in the form that all errors have."""
        body = problem(400, "what came is no HTTP request").model_dump_json().encode()
        headers = [(b"content-type", PROBLEM.encode()), (b"connection", b"close")]
        for event in (h11.Response(status_code=400, headers=headers), h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def on_response_complete(self) -> None:
        """Between two requests uvicorn's keep-alive counts."""
        super().on_response_complete()
        self._head_is_whole()

    def pause_writing(self) -> None:
        self._stall.paused(self.transport)
        super().pause_writing()

    def resume_writing(self) -> None:
        self._stall.over()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_is_whole()
        self._stall.over()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        self._head = self.loop.call_later(HEAD_S, self.transport.abort)

    def _head_is_whole(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None


class BoundedWebSocket(WebSocketsSansIOProtocol):
    """A WebSocket whose `send` returns when the client has taken it, so that its sender always knows the newest."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._stall = _Stall()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        sock = cast(socket.socket | None, transport.get_extra_info("socket"))
        if sock is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)

    async def send(self, message: Any) -> None:
        """Raises ClientDisconnected."""
        await super().send(message)
        await self.writable.wait()

    def pause_writing(self) -> None:
        self._stall.paused(self.transport)
        super().pause_writing()

    def resume_writing(self) -> None:
        self._stall.over()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stall.over()
        super().connection_lost(exc)
