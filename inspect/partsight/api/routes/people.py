"""Log in, and who may. Hashing and files are in worker threads: the loop with the screens' pictures never waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Request, Response
from fastapi.security import HTTPAuthorizationCredentials

from partsight import __version__
from partsight.api.guard import BEARER, FIRST_USER, Client, Gate, Refused, client_of, identify, needs
from partsight.api.people import TAKE_AUDIT, Author, UserProblem
from partsight.api.tokens import TokenProblem
from partsight.domain.errors import ConfigError
from partsight.outputs.records import inbox
from partsight.wire.screen.message import API_VERSION
from partsight.wire.screen.people import (
    Login,
    Me,
    PasswordChange,
    Role,
    Session,
    UserChange,
    UserCreate,
    UserName,
    UserRow,
)
from partsight.wire.screen.station import About

router = APIRouter(tags=["people"])
T = TypeVar("T")
AUDIT_S = 2.0
Administrator = Annotated[Me, Depends(needs(Role.ADMINISTRATOR))]
Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)]


def shown_token(given: Bearer = None) -> str:
    """A dependency, so that who shows none is told that, and not what is wrong with his body. Raises Refused."""
    if given is None or not given.credentials:
        raise Refused(401, "log in first: POST /api/v1/login")
    return given.credentials


Token = Annotated[str, Depends(shown_token)]


@router.get("/about")
async def about(request: Request) -> About:
    """What everybody may know before a login."""
    gate = _gate(request)
    users = not await _file(gate.people.empty)
    anonymous = "viewer" if not users or gate.settings.anonymous == "viewer" else "none"
    status = request.app.state.line.status
    return About(
        api=API_VERSION,
        software=f"partsight {__version__}",
        station=status.name if status is not None else "",
        users=users,
        anonymous=anonymous,
    )


@router.post("/login")
async def login(request: Request, response: Response, body: Login) -> Session:
    """A token for a name and its password."""
    gate, client = _gate(request), client_of(request)
    response.headers["Cache-Control"] = "no-store"
    if await _file(gate.people.empty):
        raise Refused(403, f"there are no users yet; on the station: {FIRST_USER}")
    await _show_password(request, body.user, body.password.get_secret_value(), "login")
    user = (await _file(gate.people.users))[body.user]

    def note() -> None:
        inbox.put(gate.people.folder, body.user, client.source, "login", after={"role": user.role.value})
        gate.people.logged_in(body.user)

    await _file(note)
    await _told(request)
    return gate.tokens.issue(body.user, user)


@router.post("/logout", status_code=204)
async def logout(request: Request, token: Token) -> None:
    """No token of this login holds any more."""
    gate, client = _gate(request), client_of(request)

    def end() -> None:
        name = gate.tokens.end(token, gate.people)
        inbox.put(gate.people.folder, name, client.source, "logout")

    await _file(end)
    await _told(request)


@router.post("/renew")
async def renew(request: Request, response: Response, token: Token) -> Session:
    """A newer token of the same login: for a screen that is used."""
    response.headers["Cache-Control"] = "no-store"
    return await _file(_gate(request).tokens.renew, token, _gate(request).people)


@router.get("/me")
async def me(request: Request, given: Bearer = None) -> Me:
    """Who the API takes this client for; no role where it may do nothing without a login."""
    gate, client = _gate(request), client_of(request)
    token = given.credentials if given is not None else ""
    try:
        return await _file(identify, gate, client, token)
    except Refused as refused:
        if token or refused.status not in (401, 403):
            raise
        return Me()


@router.post("/password")
async def password(request: Request, response: Response, body: PasswordChange, token: Token) -> Session:
    """Change one's own. All one's logins end; the answer is a new one."""
    gate = _gate(request)
    response.headers["Cache-Control"] = "no-store"
    name = (await _file(gate.tokens.check, token, gate.people)).user
    await _show_password(request, name, body.old.get_secret_value(), "password")
    by = Author(name, client_of(request).source)
    new = body.new.get_secret_value()
    await _hash(gate, lambda: gate.people.change(name, by, password=new))
    await _told(request)
    return gate.tokens.issue(name, (await _file(gate.people.users))[name])


@router.get("/users")
async def users(request: Request, who: Administrator) -> list[UserRow]:
    """All of them, by name."""
    return await _file(_gate(request).people.rows)


@router.post("/users", status_code=201)
async def add_user(request: Request, body: UserCreate, who: Administrator) -> UserRow:
    """A new one."""
    gate, by = _gate(request), Author(who.user, client_of(request).source)
    made = await _hash(gate, lambda: gate.people.add(body.user, body.role, body.password.get_secret_value(), by))
    await _told(request)
    return made


@router.patch("/users/{user}")
async def change_user(request: Request, user: UserName, body: UserChange, who: Administrator) -> UserRow:
    """Role, password, or whether he may log in. All his logins end."""
    gate, by = _gate(request), Author(who.user, client_of(request).source)
    new = body.password.get_secret_value() if body.password is not None else None
    changed = await _hash(
        gate, lambda: gate.people.change(user, by, role=body.role, password=new, enabled=body.enabled)
    )
    await _told(request)
    return changed


@router.delete("/users/{user}", status_code=204)
async def remove_user(request: Request, user: UserName, who: Administrator) -> None:
    """All his logins end."""
    gate, by = _gate(request), Author(who.user, client_of(request).source)
    await _file(gate.people.remove, user, by)
    await _told(request)


# --- inside -----------------------------------------------------------------------------------------


def _gate(request: Request) -> Gate:
    gate: Gate = request.app.state.gate
    return gate


async def _show_password(request: Request, name: str, secret: str, what: str) -> None:
    """Raises Refused: 401 (does not fit), 429 (too often)."""
    gate, client = _gate(request), client_of(request)
    wait = gate.attempts.begin(name, client.address)
    if wait > 0:
        raise Refused(429, f"too many tries: wait {wait:.0f} s", retry_after_s=wait)
    if await _hash(gate, lambda: gate.people.verify(name, secret)) is not None:
        gate.attempts.succeeded(name, client.address)
        return
    unheard = gate.attempts.worth_telling()
    if unheard is not None:
        await _file(_note_failure, gate, client, name, what, unheard)
        await _told(request)
    raise Refused(401, "user and password do not fit")


def _note_failure(gate: Gate, client: Client, name: str, what: str, unheard: int) -> None:
    """A name that is none is not written down: people type their password there."""
    known = name in gate.people.users()
    after = {"more": unheard} if unheard else None
    inbox.put(gate.people.folder, name if known else "?", client.source, f"{what}.failed", after=after)


async def _hash(gate: Gate, work: Callable[[], T]) -> T:
    """What hashes a password: one at a time, since it costs a core that the line needs. Raises Refused."""
    with _refusing():
        return await gate.hashing.run(work)


async def _file(work: Callable[..., T], *args: Any) -> T:
    """What reads or writes files, in a worker thread. Raises Refused."""
    with _refusing():
        return await asyncio.to_thread(work, *args)


@contextmanager
def _refusing() -> Iterator[None]:
    """What can go wrong with files, users and tokens, as an answer."""
    try:
        yield
    except UserProblem as problem:
        raise Refused(problem.status, str(problem), retry_after_s=2.0 if problem.status == 429 else 0.0) from problem
    except TokenProblem as problem:
        raise Refused(401, str(problem)) from problem
    except ConfigError as error:
        raise Refused(503, "the users' file cannot be used", tuple(str(m) for m in error.mistakes)) from error
    except OSError as problem:
        told = problem.strerror or str(problem)
        raise Refused(503, f"the data folder cannot be written, so nothing was changed: {told}") from problem


async def _told(request: Request) -> None:
    """Have the audit row taken in now; where the daemon does not answer, it does so by itself within a second."""
    line = request.app.state.line
    try:
        await line.request(TAKE_AUDIT, {}, "", client_of(request).source, timeout_s=AUDIT_S)
    except Refused:
        return
