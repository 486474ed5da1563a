"""Tokens that say who a client is (JWT, HS256), and how often one may try to log in.

A token lives for the idle time and is renewed by a client that is used, up to the hours of a whole login. It names the
user's generation: any change of the user ends it. Times are UTC, since tokens outlive the process: a clock that jumps
ahead ends logins early, and one that jumps back ends them too (`iat` would lie in the future) instead of prolonging
them. Attempts count by the monotonic clock.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

import jwt

from partsight.api.people import People, StoredUser, give_to_owner, refuse_open_file, write_private
from partsight.domain.errors import ConfigError, Mistake, PartsightError
from partsight.outputs.records.folder import sync_folder
from partsight.wire.screen.people import Me, Role, Session

KEY = "api-key"
KEY_BYTES = 32
ENDED = "ended-logins.json"
MAX_TOKEN = 2048
SKEW_S = 5.0
"""A clock that is disciplined steps back by so much at most; more ends the logins."""
MAX_ENDED = 10_000
_ALGORITHM = "HS256"
_CLAIMS = ("sub", "gen", "sid", "iat", "exp", "since")


class TokenProblem(PartsightError):
    """A token that does not hold."""


class Tokens:
    """Makes and checks tokens. Thread-safe. hours: of a whole login; idle_minutes: of one token."""

    def __init__(
        self, folder: Path, *, hours: float, idle_minutes: float, clock: Callable[[], float] = time.time
    ) -> None:
        """Makes the key where there is none. Raises ConfigError."""
        self._folder = folder
        self._whole = timedelta(hours=hours).total_seconds()
        self._idle = timedelta(minutes=idle_minutes).total_seconds()
        self._clock = clock
        self._key = signing_key(folder)
        self._lock = threading.Lock()
        self._ended = _read_ended(folder)

    def issue(self, name: str, user: StoredUser) -> Session:
        """For who has just shown his password."""
        return self._session(name, user, os.urandom(12).hex(), self._clock())

    def check(self, token: str, people: People) -> Me:
        """Who it belongs to. Raises TokenProblem, ConfigError."""
        return self._read(token, people)[0]

    def renew(self, token: str, people: People) -> Session:
        """A newer one of the same login. Raises TokenProblem, ConfigError."""
        me, claims = self._read(token, people)
        user = people.users().get(me.user)
        if user is None:
            raise TokenProblem("the user is not there any more")
        return self._session(me.user, user, str(claims["sid"]), float(claims["since"]))

    def end(self, token: str, people: People) -> str:
        """Log out: no token of this login holds any more, also after a restart. The user's name.

        Raises TokenProblem, ConfigError, OSError (it holds here and now, but not after a restart).
        """
        me, claims = self._read(token, people)
        now = self._clock()
        with self._lock:
            # A day longer than it could hold: a clock that jumped ahead and back must not revive it.
            kept = {sid: until for sid, until in self._ended.items() if until > now}
            kept[str(claims["sid"])] = float(claims["since"]) + self._whole + 86_400
            self._ended = dict(list(kept.items())[-MAX_ENDED:])
            write_private(self._folder / ENDED, json.dumps(self._ended).encode())
        return me.user

    def _session(self, name: str, user: StoredUser, sid: str, since: float) -> Session:
        now = self._clock()
        exp = min(now + self._idle, since + self._whole)
        claims = {"sub": name, "gen": user.generation, "sid": sid, "iat": now, "exp": exp, "since": since}
        token = jwt.encode(claims, self._key, algorithm=_ALGORITHM)
        return Session(user=name, role=user.role, token=token, expires=datetime.fromtimestamp(exp, timezone.utc))

    def _read(self, token: str, people: People) -> tuple[Me, dict[str, float | str]]:
        if len(token) > MAX_TOKEN:
            raise TokenProblem("this is no token of this station")
        try:
            # Times are compared below, by our clock.
            claims = jwt.decode(
                token,
                self._key,
                algorithms=[_ALGORITHM],
                options={"verify_exp": False, "verify_iat": False, "require": list(_CLAIMS)},
            )
            sid, name, generation = str(claims["sid"]), str(claims["sub"]), int(claims["gen"])
            issued, exp, since = (float(claims[key]) for key in ("iat", "exp", "since"))
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError):
            raise TokenProblem("this is no token of this station: log in") from None
        now = self._clock()
        if now >= exp or issued > now + SKEW_S or now - since >= self._whole:
            raise TokenProblem("the login has expired: log in again")
        user = people.users().get(name)
        if user is None or not user.enabled or user.generation != generation or sid in self._ended:
            raise TokenProblem("the login has ended: log in again")
        expires = datetime.fromtimestamp(exp, timezone.utc)
        return Me(user=name, role=user.role, acknowledge=user.role.may(Role.OPERATOR), expires=expires), claims


def signing_key(folder: Path) -> bytes:
    """The key of the data folder, made on first use. Raises ConfigError (open to others, damaged, not writable)."""
    path = folder / KEY
    cure = f"remove {path}: a new one is made, and everybody logs in again"
    try:
        if not path.exists():
            _make_key(path)
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            refuse_open_file(path, os.fstat(file.fileno()))
            text = file.read(1024).decode("ascii").strip()
    except (OSError, ValueError) as problem:
        raise ConfigError([Mistake(str(path), "", f"cannot be used: {problem}", cure)]) from problem
    if not re.fullmatch(rf"[0-9a-f]{{{2 * KEY_BYTES}}}", text):
        raise ConfigError([Mistake(str(path), "", "is damaged", cure)])
    return bytes.fromhex(text)


def _make_key(path: Path) -> None:
    """Whole or not at all, and never over one that another process has just made. Raises OSError."""
    draft = path.with_name(f".{KEY}.{os.urandom(6).hex()}.tmp")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            give_to_owner(file.fileno(), path.parent)
            file.write(os.urandom(KEY_BYTES).hex().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(draft, path)
        sync_folder(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def _read_ended(folder: Path) -> dict[str, float]:
    """Logins that ended before their time; none where the file is missing or damaged."""
    try:
        found = json.loads((folder / ENDED).read_bytes())
        return {str(sid): float(until) for sid, until in found.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


# --- attempts ---------------------------------------------------------------------------------------

FREE_BY_USER = 3
FREE_BY_ADDRESS = 10
LONGEST_WAIT_S = 60.0
FORGOTTEN_AFTER_S = 900.0
MAX_KEPT = 10_000
TOLD_A_MINUTE = 60


@dataclass(slots=True)
class _Failures:
    count: int
    at: float


class Attempts:
    """How long a client must wait before the next try: growing with each failure, by user and by address.

    An attempt counts as failed when it begins, so that many at once are counted too. Where a user has logged in from an
    address before, tries from elsewhere do not lock him out there. Bounded: the oldest entries are forgotten.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: OrderedDict[tuple[str, ...], _Failures] = OrderedDict()
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._minute, self._told, self._unheard = clock(), 0, 0

    def begin(self, user: str, address: str) -> float:
        """0 where a try may be made now (it counts from here on), else seconds to wait."""
        place, now = network(address), self._clock()
        with self._lock:
            keys = self._keys(user, place)
            wait = max(self._wait(key, free, now) for key, free in keys)
            if wait > 0:
                return wait
            for key, _ in keys:
                self._count(key, now)
            return 0.0

    def succeeded(self, user: str, address: str) -> None:
        """Forget this user's failures, and take this one off the address."""
        place = network(address)
        with self._lock:
            for key, _ in self._keys(user, place)[1:]:
                self._failures.pop(key, None)
            if (of_address := self._failures.get(("address", place))) is not None:
                of_address.count -= 1
            self._known[user, place] = None
            self._known.move_to_end((user, place))
            while len(self._known) > MAX_KEPT:
                self._known.popitem(last=False)

    def worth_telling(self) -> int | None:
        """How many failures were not told since the last; None where this one is not either.

        Guessers at many addresses must not fill the audit trail.
        """
        with self._lock:
            now = self._clock()
            if now - self._minute >= 60:
                self._minute, self._told = now, 0
            if self._told >= TOLD_A_MINUTE:
                self._unheard += 1
                return None
            self._told += 1
            unheard, self._unheard = self._unheard, 0
            return unheard

    def __len__(self) -> int:
        return len(self._failures)

    def _keys(self, user: str, place: str) -> list[tuple[tuple[str, ...], int]]:
        known = (user, place) in self._known
        of_user = ("user", user, place) if known else ("user", user)
        return [(("address", place), FREE_BY_ADDRESS), (of_user, FREE_BY_USER)]

    def _wait(self, key: tuple[str, ...], free: int, now: float) -> float:
        failed = self._failures.get(key)
        if failed is None or now - failed.at > FORGOTTEN_AFTER_S or failed.count < free:
            return 0.0
        return max(0.0, failed.at + min(LONGEST_WAIT_S, 2.0 ** min(failed.count - free, 10)) - now)

    def _count(self, key: tuple[str, ...], now: float) -> None:
        failed = self._failures.get(key)
        if failed is None or now - failed.at > FORGOTTEN_AFTER_S:
            self._failures[key] = _Failures(1, now)
        else:
            failed.count, failed.at = failed.count + 1, now
        self._failures.move_to_end(key)
        while len(self._failures) > MAX_KEPT:
            self._failures.popitem(last=False)


def network(address: str) -> str:
    """The address, of IPv6 its /64: that many belong to one machine."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is None and not found.is_loopback:
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)
