"""asyncua's server with the doors closed that it leaves open: rights, users, budgets.

Read in asyncua 2.1.0 and closed here: a channel without security is accepted even where none is offered, and on it a
user's rights are not checked at all (an observer may call and write there); anybody may register servers without end;
a publishing interval of 0 is taken; nothing bounds a client's requests.
"""

from __future__ import annotations

import hmac
import os
import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asyncua import Server, ua
from asyncua.common.connection import TransportLimits
from asyncua.common.utils import ServiceError
from asyncua.crypto.permission_rules import PermissionRuleset, User, UserRole
from asyncua.crypto.security_policies import SecurityPolicyFactory, SecurityPolicyNone
from asyncua.server.binary_server_asyncio import BinaryServer, OPCUAProtocol
from asyncua.server.internal_server import InternalServer
from asyncua.server.subscription_service import SubscriptionService

from partsight.outputs.opcua.passwords import verify_password
from partsight.outputs.opcua.settings import OpcUaSettings, Role

CALLER: ContextVar[str] = ContextVar("opcua_caller", default="")
"""The user whose request is being served."""

MAX_MESSAGE = 256 * 1024
SHORTEST_PUBLISHING_MS = 20.0
BURST_S = 5
"""A client may use the requests of so many seconds at once: browsing at its start needs some hundred."""
CONNECTIONS_PER_S = 10
FAILED_LOGINS, FAILED_WINDOW_S = 10, 60.0

_I = ua.ObjectIds
_OBSERVER = frozenset(
    ua.NodeId(number)
    for number in (
        _I.ReadRequest_Encoding_DefaultBinary,
        _I.BrowseRequest_Encoding_DefaultBinary,
        _I.TranslateBrowsePathsToNodeIdsRequest_Encoding_DefaultBinary,
        _I.CreateSubscriptionRequest_Encoding_DefaultBinary,
        _I.ModifySubscriptionRequest_Encoding_DefaultBinary,
        _I.DeleteSubscriptionsRequest_Encoding_DefaultBinary,
        _I.CreateMonitoredItemsRequest_Encoding_DefaultBinary,
        _I.ModifyMonitoredItemsRequest_Encoding_DefaultBinary,
        _I.DeleteMonitoredItemsRequest_Encoding_DefaultBinary,
        _I.SetMonitoringModeRequest_Encoding_DefaultBinary,
        _I.SetPublishingModeRequest_Encoding_DefaultBinary,
        _I.PublishRequest_Encoding_DefaultBinary,
        _I.RepublishRequest_Encoding_DefaultBinary,
        _I.CloseSecureChannelRequest_Encoding_DefaultBinary,
    )
)
_OPERATOR = _OBSERVER | {ua.NodeId(_I.CallRequest_Encoding_DefaultBinary)}


@dataclass
class Caller(User):  # type: ignore[misc]  # asyncua's classes are untyped to us
    """A user who has logged in, with what he may do."""

    may: Role = "observer"


class Rights(PermissionRuleset):  # type: ignore[misc]  # asyncua's classes are untyped to us
    """Read and subscribe for all who have logged in, call for operators, nothing else for anybody."""

    def check_validity(self, user: User, action_type_id: ua.NodeId, body: Any) -> bool:
        """Whether this request is served."""
        if not isinstance(user, Caller):
            return False
        CALLER.set(user.name or "")
        return action_type_id in (_OPERATOR if user.may == "operator" else _OBSERVER)


class Nobody(PermissionRuleset):  # type: ignore[misc]  # asyncua's classes are untyped to us
    """No right at all: for the channel without security, which serves only to find the secured one."""

    def check_validity(self, user: User, action_type_id: ua.NodeId, body: Any) -> bool:
        """Never."""
        return False


class Users:
    """Who logs in. Guessing is slow: a hash costs 30 ms, and after ten failures in a minute no new one is tried.

    certificates: DER bytes of a user's certificate, to his name.
    """

    def __init__(self, settings: OpcUaSettings, certificates: dict[bytes, str]) -> None:
        self._settings = settings
        self._certificates = certificates
        self._named = {user.name: user for user in settings.users}
        self._failures: list[float] = []
        # Who was let in before is let in again without a hash, so that a guesser cannot lock him out.
        self._secret = os.urandom(32)
        self._known: set[bytes] = set()

    def get_user(
        self,
        iserver: InternalServer,
        username: str | None = None,
        password: str | None = None,
        certificate: bytes | None = None,
    ) -> User | None:
        """The caller, or None where he is not let in."""
        if not self._settings.users:
            return Caller(UserRole.User, "", self._settings.local_role)
        if username is None:
            user = self._named.get(self._certificates.get(certificate or b"", ""))
        else:
            user = self._named.get(username)
            hashed = None if user is None else user.password_hash
            if not self._matches(username, password or "", hashed):
                return None
        return None if user is None else Caller(UserRole.User, user.name, user.role)

    def _matches(self, name: str, password: str, hashed: str | None) -> bool:
        mark = hmac.digest(self._secret, f"{name}\0{password}".encode(), "sha256")
        if mark in self._known:
            return True
        now = time.monotonic()
        self._failures = [at for at in self._failures if now - at < FAILED_WINDOW_S]
        if len(self._failures) >= FAILED_LOGINS:
            return False
        if hashed is not None and verify_password(password, hashed):
            self._known.add(mark)
            return True
        self._failures.append(now)
        return False


class _Budget:
    """Tokens that come back at a rate; `wait_s` says how long a taker must rest."""

    def __init__(self, per_s: float, burst: float) -> None:
        self._per_s, self._burst = per_s, burst
        self._tokens, self._at = burst, time.monotonic()

    def wait_s(self) -> float:
        now = time.monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_s) - 1
        self._at = now
        return max(0.0, -self._tokens / self._per_s)

    def try_take(self) -> bool:
        if self.wait_s() > 0:
            self._tokens += 1
            return False
        return True


class _Protocol(OPCUAProtocol):  # type: ignore[misc]  # asyncua's classes are untyped to us
    """One connection with a budget of requests; a connection too many is closed before it costs a handshake."""

    def __init__(self, *args: Any, budget: _Budget, accepts: _Budget, rest: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._budget, self._accepts, self._rest = budget, accepts, rest

    def connection_made(self, transport: Any) -> None:
        if not self._accepts.try_take():
            transport.close()
            return
        super().connection_made(transport)

    async def _process_one_msg(self, header: Any, buf: Any) -> bool:
        wait = self._budget.wait_s()
        if wait > 0:
            await self._rest(wait)
        return bool(await super()._process_one_msg(header, buf))


class _Binary(BinaryServer):  # type: ignore[misc]  # asyncua's classes are untyped to us
    def __init__(self, *args: Any, requests_per_s: float, rest: Any) -> None:
        super().__init__(*args)
        self._requests_per_s, self._rest = requests_per_s, rest
        self._accepts = _Budget(CONNECTIONS_PER_S, CONNECTIONS_PER_S)

    def _make_protocol(self) -> OPCUAProtocol:
        return _Protocol(
            self.iserver,
            self._policies,
            self.clients,
            self.closing_tasks,
            self.limits,
            budget=_Budget(self._requests_per_s, self._requests_per_s * BURST_S),
            accepts=self._accepts,
            rest=self._rest,
        )


class _Subscriptions(SubscriptionService):  # type: ignore[misc]  # asyncua's classes are untyped to us
    async def create_subscription(self, params: Any, *args: Any, **kwargs: Any) -> Any:
        params.RequestedPublishingInterval = max(params.RequestedPublishingInterval or 0.0, SHORTEST_PUBLISHING_MS)
        return await super().create_subscription(params, *args, **kwargs)


class _Internal(InternalServer):  # type: ignore[misc]  # asyncua's classes are untyped to us
    def __init__(self, users: Users, max_clients: int) -> None:
        super().__init__(user_manager=users)
        self.max_connections = max_clients
        self.max_subscriptions = 4 * max_clients
        self.max_monitored_item_queue_size = 1000
        self.max_unacked_messages_per_subscription = 100
        self.max_pending_messages_per_connection = 250
        self.max_pending_activation_seconds = 5.0
        self.subscription_service = _Subscriptions(self.aspace, iserver=self)
        self.isession.subscription_service = self.subscription_service

    def register_server(self, server: Any, conf: Any = None) -> None:
        raise ServiceError(ua.StatusCodes.BadServiceUnsupported)


class GuardedServer(Server):  # type: ignore[misc]  # asyncua's classes are untyped to us
    """asyncua's server, set up from our settings.

    rest: `asyncio.sleep`, handed in so that a budget's waiting can be seen.
    """

    def __init__(self, settings: OpcUaSettings, certificates: dict[bytes, str], rest: Callable[[float], Any]) -> None:
        super().__init__(iserver=_Internal(Users(settings, certificates), settings.max_clients))
        self._settings, self._rest = settings, rest
        self.limits = TransportLimits(
            max_recv_buffer=65535, max_send_buffer=65535, max_chunk_count=5, max_message_size=MAX_MESSAGE
        )
        if settings.secured:
            self.set_security_policy([ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt], Rights())
            self.set_identity_tokens([ua.UserNameIdentityToken, ua.X509IdentityToken])
            # asyncua would take the first channel without security as it comes; this one may do nothing.
            self._policies.append(
                SecurityPolicyFactory(SecurityPolicyNone, ua.MessageSecurityMode.None_, permission_ruleset=Nobody())
            )
        else:
            self.set_security_policy([ua.SecurityPolicyType.NoSecurity], Rights())
            self.set_identity_tokens([ua.AnonymousIdentityToken])

    async def start(self) -> None:
        """Listen. Raises OSError where the address cannot be had."""
        await self._setup_server_nodes()
        await self.iserver.start()
        self.bserver = _Binary(
            self.iserver,
            self._settings.host,
            self._settings.port,
            self.limits,
            requests_per_s=self._settings.requests_per_s,
            rest=self._rest,
        )
        self.bserver.set_policies(self._policies)
        try:
            await self.bserver.start()
        except OSError:
            await self.iserver.stop()
            raise


def der_files(folder: Path) -> list[Path]:
    """The certificates in a folder, in order."""
    return sorted(p for p in folder.iterdir() if p.suffix == ".der")
