"""Who asks, and what they may do."""

from __future__ import annotations

from enum import Enum, unique
from typing import Annotated

from pydantic import Field, SecretStr

from partsight.wire.screen.message import Answer, Request, Time

MIN_PASSWORD = 8


@unique
class Role(str, Enum):
    """Each may do all that the ones before it may. VIEWER: see. OPERATOR: start, stop, trigger, review, challenge,
    select a recipe. ENGINEER: change recipes and models, bypass. ADMINISTRATOR: users.
    """

    VIEWER = "viewer"
    OPERATOR = "operator"
    ENGINEER = "engineer"
    ADMINISTRATOR = "administrator"

    @property
    def rank(self) -> int:
        """0 for a viewer, 3 for an administrator."""
        return list(Role).index(self)

    def may(self, needed: Role) -> bool:
        """True where this role has the rights of `needed`."""
        return self.rank >= needed.rank


UserName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.@-]{1,64}$")]
Password = Annotated[SecretStr, Field(min_length=MIN_PASSWORD, max_length=256)]


class Login(Request):
    """A name and its password."""

    user: UserName
    password: Annotated[SecretStr, Field(max_length=256)]


class Session(Answer):
    """A login. token: for `Authorization: Bearer`, and for the WebSocket's first message."""

    user: str
    role: Role
    token: str
    expires: Time


class Me(Answer):
    """Who the API takes the client for. user: "" without a login."""

    user: str = ""
    role: Role | None = None
    acknowledge: bool = Field(default=False, description="may acknowledge faults")
    expires: Time | None = None


class PasswordChange(Request):
    """One's own."""

    old: Annotated[SecretStr, Field(max_length=256)]
    new: Password


class UserRow(Answer):
    """A user as administrators see one."""

    user: str
    role: Role
    enabled: bool = True
    created: Time
    last_login: Time | None = None


class UserCreate(Request):
    """A new one."""

    user: UserName
    role: Role
    password: Password


class UserChange(Request):
    """What is given is changed; all tokens of the user end."""

    role: Role | None = None
    password: Password | None = None
    enabled: bool | None = None


class AuditNote(Answer):
    """A row of the audit trail."""

    n: int
    at: Time
    who: str
    source: str
    what: str
    before: str = ""
    after: str = ""
