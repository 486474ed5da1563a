"""The users' file: who may log in, with which role. Shared by the API and the command line, which may both write it.

`read_users(folder)`; `People(folder)` with `users`, `verify`, `add`, `change`, `remove`. The file is replaced whole,
under a lock beside it, and what changes is in the audit inbox before the file is: an unaudited change cannot be.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import stat
import time
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import argon2
from argon2.exceptions import InvalidHashError, VerificationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from partsight.domain.errors import ConfigError, Mistake, PartsightError
from partsight.outputs.records import inbox
from partsight.outputs.records.folder import sync_folder
from partsight.wire.screen.message import Time, now
from partsight.wire.screen.people import MIN_PASSWORD, Role, UserName, UserRow

USERS = "users.json"
TAKE_AUDIT = "audit.take"
"""The daemon's op that takes the audit inbox in at once."""
USERS_LOCK = "users.lock"
MAX_USERS = 1000
MAX_FILE_BYTES = 1 << 20
MAX_PASSWORD = 256
LOCK_S = 5.0
# 19 MiB and two passes: OWASP's smaller recommendation for argon2id; about 30 ms of one core, and no more memory than
# a Jetson beside a running model has to spare.
_HASHER = argon2.PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


T = TypeVar("T")


class UserProblem(PartsightError):
    """A change of users that is not carried out. status: as HTTP says it."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, slots=True)
class Author:
    """Who changes something, and from where, for the audit trail."""

    who: str
    source: str


class StoredUser(BaseModel):
    """A user in the file. generation: tokens of an earlier one do not hold any more."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Role
    enabled: bool = True
    password_hash: Annotated[str, Field(pattern=r"^\$argon2id\$", max_length=512)]
    generation: Annotated[int, Field(ge=1)] = 1
    created: Time
    last_login: Time | None = None


class UsersFile(BaseModel):
    """The whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = Field(default=1, alias="schema")
    users: Annotated[dict[UserName, StoredUser], Field(max_length=MAX_USERS)] = Field(default_factory=dict)


Users = Mapping[str, StoredUser]


# --- the file ---------------------------------------------------------------------------------------


def read_users(folder: Path) -> Users:
    """Name to user; empty where there is no file. Raises ConfigError (damaged, or others may read or write it)."""
    return _read(folder)[0]


def _read(folder: Path) -> tuple[Users, tuple[int, int, int]]:
    """The users, and what tells this file from the next one."""
    path = folder / USERS
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return {}, (0, 0, 0)
    except OSError as problem:
        cure = "run this as the user who owns the data folder"
        raise ConfigError([Mistake(str(path), "", f"cannot be opened: {problem.strerror}", cure)]) from problem
    with os.fdopen(handle, "rb") as file:
        about = os.fstat(file.fileno())
        refuse_open_file(path, about)
        try:
            text = file.read(MAX_FILE_BYTES + 1)
            if len(text) > MAX_FILE_BYTES:
                raise ValueError("is larger than 1 MiB")
            found = UsersFile.model_validate_json(text)
        except (OSError, ValueError) as problem:
            raise ConfigError([_damaged(path, problem)]) from problem
    return found.users, _mark(about)


def refuse_open_file(path: Path, about: os.stat_result) -> None:
    """Raises ConfigError where a secret's file is open to others: it may not be what we wrote."""
    mode = stat.S_IMODE(about.st_mode)
    if not stat.S_ISREG(about.st_mode):
        raise ConfigError([Mistake(str(path), "", "is not a plain file", "remove it")])
    if mode & 0o077:
        what = "written" if mode & 0o022 else "read"
        raise ConfigError([Mistake(str(path), "", f"may be {what} by others (mode {mode:04o})", f"chmod 600 {path}")])
    folder = path.parent.stat()
    if about.st_uid not in (os.geteuid(), 0, folder.st_uid):
        told = f"belongs to user {about.st_uid}, the data folder to {folder.st_uid}"
        raise ConfigError([Mistake(str(path), "", told, f"chown {folder.st_uid} {path}, if you know who wrote it")])
    if folder.st_mode & 0o002 and not folder.st_mode & stat.S_ISVTX:
        told = "may be written by everybody, who could put another users' file there"
        raise ConfigError([Mistake(str(path.parent), "", told, f"chmod o-w {path.parent}")])


def _mark(about: os.stat_result) -> tuple[int, int, int]:
    return about.st_ino, about.st_mtime_ns, about.st_size


def _damaged(path: Path, problem: Exception) -> Mistake:
    if isinstance(problem, ValidationError):
        # Never the input: it holds hashes.
        first = problem.errors(include_url=False, include_input=False, include_context=False)[0]
        told = f"{'.'.join(str(p) for p in first['loc']) or 'the file'}: {first['msg']}"
    else:
        told = str(problem)
    cure = "restore it from a backup, or remove it and make an administrator anew: partsight users add"
    return Mistake(str(path), "", f"is damaged: {told}", cure)


def write_private(path: Path, content: bytes) -> None:
    """Replace a file durably, mode 0600 from the first byte on, owned by the folder's owner. Raises OSError."""
    draft = path.with_name(f".{path.name}.{os.urandom(6).hex()}.tmp")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as file:
            give_to_owner(file.fileno(), path.parent)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        sync_folder(path.parent)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def give_to_owner(handle: int, folder: Path) -> None:
    """What root writes must be readable by the user that the station runs as."""
    if os.geteuid() == 0:
        owner = folder.stat()
        os.fchown(handle, owner.st_uid, owner.st_gid)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Only one process changes the file. Raises UserProblem (another one does not end), OSError."""
    handle = os.open(folder / USERS_LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        give_to_owner(handle, folder)
        end = time.monotonic() + LOCK_S
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise UserProblem(503, "another program is changing the users; try again") from None
                time.sleep(0.02)
        yield
    finally:
        os.close(handle)


# --- passwords --------------------------------------------------------------------------------------


def refuse_weak(user: str, password: str) -> None:
    """Raises UserProblem where this is no password for this user."""
    if len(password) < MIN_PASSWORD:
        raise UserProblem(422, f"a password has {MIN_PASSWORD} characters or more")
    if len(password) > MAX_PASSWORD:
        raise UserProblem(422, f"a password has {MAX_PASSWORD} characters at most")
    if user.casefold() in (password.casefold(), password.casefold()[::-1]):
        raise UserProblem(422, "the password is the user's name: choose another")
    if len(set(password)) < 3:
        raise UserProblem(422, "the password is one character again and again: choose another")


def hash_password(password: str) -> str:
    """argon2id; about 30 ms of one core."""
    return _HASHER.hash(_normal(password))


def _normal(password: str) -> bytes:
    """Keyboards differ in how they write one letter; a lone surrogate from a JSON escape is no reason to fail."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")


class Hashing:
    """One hash at a time, in a thread of its own, and few that wait for it. For one event loop."""

    MOST = 8

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="api-hash")
        self._inside = 0

    async def run(self, work: Callable[[], T]) -> T:
        """Raises UserProblem (429) where too many wait, and what `work` raises."""
        if self._inside >= self.MOST:
            raise UserProblem(429, "many log in at once: try again in a moment")
        self._inside += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        finally:
            self._inside -= 1


# --- changes ----------------------------------------------------------------------------------------


class People:
    """The users of one data folder. Thread-safe; sees at once what another process has changed."""

    def __init__(self, folder: Path) -> None:
        """Reads nothing yet."""
        self.folder = folder
        self._cached: tuple[tuple[int, int, int], Users] | None = None
        self._nobody = hash_password(os.urandom(16).hex())

    def users(self) -> Users:
        """Raises ConfigError (damaged, or open to others)."""
        cached = self._cached
        try:
            about = (self.folder / USERS).lstat()
        except FileNotFoundError:
            return {}
        except OSError:
            cached = None  # reading says what is wrong
        else:
            # The mode is part of it: a file that was opened to others meanwhile is refused from then on.
            if cached is not None and cached[0] == _mark(about) and not stat.S_IMODE(about.st_mode) & 0o077:
                return cached[1]
        found, mark = _read(self.folder)
        self._cached = (mark, found)
        return found

    def empty(self) -> bool:
        """No user at all; disabled ones count as users. Raises ConfigError."""
        return not self.users()

    def verify(self, user: str, password: str) -> StoredUser | None:
        """The user where name and password fit and he is enabled; costs the same where there is none.

        For a worker thread. Raises ConfigError.
        """
        found = self.users().get(user)
        hashed = self._nobody if found is None else found.password_hash
        try:
            fits = _HASHER.verify(hashed, _normal(password))
        except (VerificationError, InvalidHashError):
            return None
        return found if fits and found is not None and found.enabled else None

    def rows(self) -> list[UserRow]:
        """What administrators see, by name. Raises ConfigError."""
        return [
            UserRow(user=n, role=u.role, enabled=u.enabled, created=u.created, last_login=u.last_login)
            for n, u in sorted(self.users().items())
        ]

    def add(self, name: str, role: Role, password: str, by: Author) -> UserRow:
        """Raises UserProblem, ConfigError, OSError."""
        refuse_weak(name, password)
        made = StoredUser(role=role, password_hash=hash_password(password), created=now())
        with _locked(self.folder):
            users = dict(self.users())
            if any(name.casefold() == known.casefold() for known in users):
                raise UserProblem(409, f"there is a user {name} already")
            if len(users) >= MAX_USERS:
                raise UserProblem(409, f"there are {MAX_USERS} users, which is the most")
            if not users and role is not Role.ADMINISTRATOR:
                raise UserProblem(409, "the first user is an administrator: who else would make the others")
            users[name] = made
            self._write(users, by, "user.add", name, after=_told(made))
        return self._row(name)

    def change(
        self,
        name: str,
        by: Author,
        *,
        role: Role | None = None,
        password: str | None = None,
        enabled: bool | None = None,
    ) -> UserRow:
        """What is given is changed, and all of the user's tokens end. Raises UserProblem, ConfigError, OSError."""
        new: dict[str, object] = {}
        if password is not None:
            refuse_weak(name, password)
            new["password_hash"] = hash_password(password)
        if role is not None:
            new["role"] = role
        if enabled is not None:
            new["enabled"] = enabled
        with _locked(self.folder):
            users = dict(self.users())
            before = _known(users, name)
            users[name] = before.model_copy(update={**new, "generation": before.generation + 1})
            _refuse_leaderless(users)
            after = _told(users[name]) | ({"password": "changed"} if password is not None else {})
            self._write(users, by, "user.change", name, before=_told(before), after=after)
        return self._row(name)

    def remove(self, name: str, by: Author) -> None:
        """Raises UserProblem, ConfigError, OSError."""
        with _locked(self.folder):
            users = dict(self.users())
            before = _known(users, name)
            del users[name]
            _refuse_leaderless(users)
            self._write(users, by, "user.remove", name, before=_told(before))

    def logged_in(self, name: str) -> None:
        """Note when; no login fails because this cannot be written. Raises ConfigError."""
        with suppress(OSError, UserProblem), _locked(self.folder):
            users = dict(self.users())
            if name in users:
                users[name] = users[name].model_copy(update={"last_login": now()})
                self._replace(users)

    def _row(self, name: str) -> UserRow:
        return next(row for row in self.rows() if row.user == name)

    def _write(
        self,
        users: Users,
        by: Author,
        what: str,
        name: str,
        *,
        before: Mapping[str, object] | None = None,
        after: Mapping[str, object] | None = None,
    ) -> None:
        """The audit row first: killed in between, the trail says too much, never too little."""
        old = None if before is None else {"user": name, **before}
        new = {"user": name, **(after or {})}
        inbox.put(self.folder, by.who, by.source, what, before=old, after=new)
        self._replace(users)

    def _replace(self, users: Users) -> None:
        whole = UsersFile.model_construct(schema_version=1, users=dict(users))
        text = json.dumps(whole.model_dump(mode="json", by_alias=True), indent=1, sort_keys=True)
        write_private(self.folder / USERS, text.encode() + b"\n")


def _known(users: Users, name: str) -> StoredUser:
    if name not in users:
        raise UserProblem(404, f"there is no user {name}")
    return users[name]


def _refuse_leaderless(users: Users) -> None:
    if not any(u.enabled and u.role is Role.ADMINISTRATOR for u in users.values()):
        raise UserProblem(409, "that is the last administrator: make another one first")


def _told(user: StoredUser) -> dict[str, object]:
    """What the audit trail says of a user: never a hash."""
    return {"role": user.role.value, "enabled": user.enabled}
