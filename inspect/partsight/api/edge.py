"""The outermost layer: bodies with a bound, headers that protect, a crowd turned away, errors without a stack trace."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any

import structlog
from starlette.responses import Response

from partsight.wire.screen.message import Problem

log = structlog.get_logger(__name__)

MAX_BODY = 1 << 20
MAX_LOGIN = 4096
"""Of a login's body, which strangers may send: a megabyte of odd keys costs a second to be refused."""
BODY_S = 20.0
"""For the whole body to be here."""
PROBLEM = "application/problem+json"
HEADERS = {
    # Only what this station serves itself; pictures also from memory (blob:), as screens fetch them.
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
        "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class ProblemResponse(Response):
    """A `Problem` as the answer. The status is its own; JSON is ASCII, so that no odd text of a client breaks it."""

    media_type = PROBLEM

    def __init__(self, problem: Problem, headers: dict[str, str] | None = None) -> None:
        super().__init__(problem.model_dump_json(ensure_ascii=True), problem.status, headers)


def problem(status: int, detail: str = "", mistakes: tuple[str, ...] = ()) -> Problem:
    """With the title that HTTP has for the status."""
    return Problem(status=status, title=HTTPStatus(status).phrase, detail=detail, mistakes=mistakes)


class _Refuse(Exception):
    """The request is answered here."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.problem = problem(status, detail)


class Edge:
    """ASGI middleware. crowded: whether more connections are open than may be."""

    def __init__(self, app: App, crowded: Callable[[], bool]) -> None:
        self._app = app
        self._crowded = crowded

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A WebSocket bounds its messages by itself."""
        if scope["type"] == "http":
            await self._http(scope, receive, _Headers(send))
        elif scope["type"] == "websocket" and self._crowded():
            await _refuse_socket(receive, send)
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: _Headers) -> None:
        try:
            if self._crowded():
                raise _Refuse(503, "too many connections; try again in a moment")
            body = await _body(scope, receive)
            await self._app(scope, _Replay(body, receive), send)
        except _Refuse as refusal:
            answer = ProblemResponse(refusal.problem, {"connection": "close", "retry-after": "2"})
            await answer(scope, receive, send)
        except Exception:  # the top of what serves one request
            log.exception("a request failed", method=scope["method"], path=scope["path"])
            if send.started:
                raise
            await ProblemResponse(problem(500, "the station's log says more"))(scope, receive, send)


class _Headers:
    """Adds the headers that every answer has; an answer's own win."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            own = list(message.get("headers", []))
            given = {name.lower() for name, _ in own}
            more = [(k.encode(), v.encode()) for k, v in HEADERS.items() if k.encode() not in given]
            if b"cache-control" not in given:
                more.append((b"cache-control", b"no-store"))
            message = {**message, "headers": own + more}
        await self._send(message)


class _Replay:
    """Gives the body that was read, then what the server says."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}


async def _body(scope: Scope, receive: Receive) -> bytes:
    """All of it. Raises _Refuse: 413, 408, 400."""
    told = next((v for k, v in scope["headers"] if k == b"content-length"), b"0")
    most = MAX_LOGIN if scope["path"].endswith("/login") else MAX_BODY
    if not told.isdigit() or int(told[:12]) > most:
        raise _Refuse(413, f"a body of more than {most} bytes")
    try:
        return await asyncio.wait_for(_read(receive, most), BODY_S)
    except asyncio.TimeoutError:
        raise _Refuse(408, f"the body was not whole within {BODY_S:g} s") from None


async def _read(receive: Receive, most: int) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Refuse(400, "the client went away")
        body += message.get("body", b"")
        if len(body) > most:
            raise _Refuse(413, f"a body of more than {most} bytes")
        if not message.get("more_body", False):
            return bytes(body)


async def _refuse_socket(receive: Receive, send: Send) -> None:
    """Before the WebSocket is accepted there is HTTP, which can say why."""
    await receive()
    body = problem(503, "too many connections; try again in a moment").model_dump_json().encode()
    headers = [(b"content-type", PROBLEM.encode()), (b"retry-after", b"2")]
    await send({"type": "websocket.http.response.start", "status": 503, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})
