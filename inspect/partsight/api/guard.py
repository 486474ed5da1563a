"""The door: who a client is, what he may do, and which requests are turned away before they are read.

`app.state.gate` is a `Gate`. A route says its least role: `me: Annotated[Me, Depends(needs(Role.OPERATOR))]`; the
WebSocket asks `identify(gate, client_of(websocket), token)`. `HostCheck` is the ASGI middleware around the whole app.
"""

from __future__ import annotations

import ipaddress
import json
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import HTTPConnection

from partsight.api.people import Hashing, People
from partsight.api.scrape import is_scrape_token
from partsight.api.settings import ApiSettings, is_loopback
from partsight.api.tokens import Attempts, TokenProblem, Tokens
from partsight.domain.errors import ConfigError, PartsightError
from partsight.wire.screen.message import Problem
from partsight.wire.screen.people import Me, Role

FIRST_USER = "partsight users add NAME --role administrator"
BEARER = HTTPBearer(auto_error=False, scheme_name="login", description="The token of POST /api/v1/login.")
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]


class Refused(PartsightError):
    """A request is refused. status: of HTTP. mistakes: one line each. retry_after_s: of a 429."""

    def __init__(self, status: int, text: str, mistakes: tuple[str, ...] = (), retry_after_s: float = 0.0) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.mistakes = mistakes
        self.retry_after_s = retry_after_s

    def problem(self) -> Problem:
        """The body of the answer."""
        return Problem(
            status=self.status, title=HTTPStatus(self.status).phrase, detail=self.text, mistakes=self.mistakes
        )

    def headers(self) -> dict[str, str]:
        """What goes beside the body."""
        found = {"Cache-Control": "no-store"}
        if self.status == HTTPStatus.UNAUTHORIZED:
            found["WWW-Authenticate"] = "Bearer"
        if self.retry_after_s > 0:
            found["Retry-After"] = str(int(self.retry_after_s) + 1)
        return found


@dataclass(frozen=True, slots=True)
class Client:
    """Where a request comes from. loopback: from this machine, and not passed on by a proxy."""

    address: str
    loopback: bool

    @property
    def source(self) -> str:
        """For the audit trail."""
        return f"api {self.address}"


@dataclass(frozen=True, slots=True)
class Gate:
    """All that the door needs; one for the process, at `app.state.gate`."""

    settings: ApiSettings
    people: People
    tokens: Tokens
    attempts: Attempts = field(default_factory=Attempts)
    hashing: Hashing = field(default_factory=Hashing)

    @classmethod
    def open(cls, settings: ApiSettings, data_folder: Path) -> Gate:
        """Makes the signing key where there is none. Raises ConfigError (a file that others may read or write)."""
        tokens = Tokens(data_folder, hours=settings.token_hours, idle_minutes=settings.idle_minutes)
        return cls(settings, People(data_folder), tokens)


def client_of(connection: HTTPConnection) -> Client:
    """Of a request or a WebSocket. What a proxy passes on is never taken for a client of this machine."""
    address = connection.client.host if connection.client is not None else ""
    passed_on = any(name in connection.headers for name in ("x-forwarded-for", "forwarded", "x-real-ip", "via"))
    return Client(address or "unknown", is_loopback(address) and not passed_on)


def identify(gate: Gate, client: Client, token: str = "") -> Me:
    """Who asks. Raises Refused: 401 (a token that does not hold, or none where one is needed), 403 (no users), 503."""
    try:
        if token:
            return gate.tokens.check(token, gate.people)
        if gate.people.empty():
            if client.loopback:
                return Me(role=Role.VIEWER, acknowledge=True)
            raise Refused(403, f"there are no users yet; on the station: {FIRST_USER}")
    except ConfigError as error:
        raise Refused(503, "the users' file cannot be used", tuple(str(m) for m in error.mistakes)) from error
    except TokenProblem as error:
        raise Refused(401, str(error)) from error
    if gate.settings.anonymous == "viewer":
        return Me(role=Role.VIEWER)
    raise Refused(401, "log in first: POST /api/v1/login")


def allow(gate: Gate, me: Me, role: Role, *, acknowledge: bool = False) -> Me:
    """`me`, where he has the rights of `role` (or may acknowledge, where that is enough). Raises Refused."""
    if (me.role is not None and me.role.may(role)) or (acknowledge and me.acknowledge):
        return me
    if me.user:
        has = "no role" if me.role is None else f"the role {me.role.value}"
        raise Refused(403, f"{me.user} has {has}; this needs {role.value}")
    if gate.people.empty():
        raise Refused(403, f"this needs {role.value}, and there are no users yet; on the station: {FIRST_USER}")
    raise Refused(401, f"this needs {role.value}: log in first")


class Needs:
    """A dependency: the client, who has at least `role`."""

    def __init__(self, role: Role, *, acknowledge: bool = False) -> None:
        self.role = role
        self.acknowledge = acknowledge

    async def __call__(
        self, request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)] = None
    ) -> Me:
        """On the event loop: the users' file is read only where it has changed. Raises Refused."""
        gate: Gate = request.app.state.gate
        me = identify(gate, client_of(request), given.credentials if given is not None else "")
        return allow(gate, me, self.role, acknowledge=self.acknowledge)


def needs(role: Role, *, acknowledge: bool = False) -> Needs:
    """`Depends(needs(Role.OPERATOR))`. acknowledge: also for who may only acknowledge faults."""
    return Needs(role, acknowledge=acknowledge)


async def may_scrape(
    request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)] = None
) -> None:
    """A dependency: a viewer, or who shows the scrape token. Raises Refused."""
    gate: Gate = request.app.state.gate
    token = given.credentials if given is not None else ""
    try:
        allow(gate, identify(gate, client_of(request), token), Role.VIEWER)
    except Refused as refused:
        file = gate.settings.metrics_token_file
        if file is None or not token or refused.status != HTTPStatus.UNAUTHORIZED:
            raise
        try:
            if not is_scrape_token(file, token):
                raise
        except ConfigError as error:
            told = "the file with the scrape token cannot be used"
            raise Refused(503, told, tuple(str(m) for m in error.mistakes)) from error


# --- the Host and Origin headers --------------------------------------------------------------------


class HostCheck:
    """Turns away what a foreign web page makes a browser send here: a strange Host (DNS rebinding) or Origin."""

    def __init__(self, app: Callable[[Scope, Any, Any], Awaitable[None]], settings: ApiSettings) -> None:
        self._app = app
        own = {"localhost", socket.gethostname().lower(), settings.host.lower()}
        self._names = frozenset(own | set(settings.host_names))

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """ASGI."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {bytes(k).lower(): bytes(v).decode("latin-1") for k, v in scope["headers"]}
        problem = self._problem(headers.get(b"host", ""), headers.get(b"origin"))
        if not problem:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            # Before `accept`, a close is answered with 403.
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": problem})
        else:
            await _answer(send, Problem(status=421, title="Misdirected Request", detail=problem))

    def _problem(self, host: str, origin: str | None) -> str:
        name, known = self._split(host)
        if not known:
            return f"{name or 'an empty host'} is no name of this station; add it to host_names in [api]"
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return "a page of another site may not use this station"
        return ""

    def _split(self, host: str) -> tuple[str, bool]:
        """An address cannot be rebound; a name must be one that the site knows."""
        try:
            name = (urlsplit(f"//{host}").hostname or "").lower()
        except ValueError:
            return "", False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name[:64], name.rstrip(".") in self._names
        return name, True


async def _answer(send: Any, problem: Problem) -> None:
    body = json.dumps(problem.model_dump(mode="json")).encode()
    headers = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
