"""Running OPC UA servers on a station that says what a test wants, and real clients."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from asyncua import Client, Node, ua
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256

from partsight.domain.inspection import Inspection, Timings
from partsight.domain.messages import Answer, Command, Hold, Reply, Start, Stop, TriggerPart
from partsight.domain.status import Counters, Mode, StationState, StationStatus
from partsight.domain.trigger import Trigger, TriggerKind
from partsight.domain.verdict import Action, Finding, RecipeRef, Result, Verdict
from partsight.outputs.opcua import OpcUaOutput, OpcUaSettings, hash_password
from partsight.outputs.opcua.certificates import own_certificate
from partsight.outputs.opcua.model import NAMESPACE
from partsight.testing.broker import free_port

NOON = datetime(2026, 11, 24, 12, tzinfo=timezone.utc)
PASSWORD = "line three, please"
HASH = hash_password(PASSWORD)
STATES = {Start: StationState.RUNNING, Hold: StationState.HELD, Stop: StationState.HALTED}


@dataclass
class Told:
    """A CommandSink that remembers commands and follows them; `refuse` makes it say no."""

    now: StationStatus
    refuse: Reply | None = None
    commands: list[Command] = field(default_factory=list)
    next_id: int = 100

    def command(self, command: Command) -> Reply:
        self.commands.append(command)
        if self.refuse is not None:
            return self.refuse
        if isinstance(command, TriggerPart):
            self.next_id += 1
            return Reply(Answer.DONE, "", {"sequence": self.next_id, "id": self.next_id})
        if type(command) in STATES:
            self.now = replace(self.now, state=STATES[type(command)])
        return Reply(Answer.DONE)

    def status(self) -> StationStatus:
        return self.now

    def alive(self) -> bool:
        return True

    def begin(self, state: StationState) -> None:
        """As a test wants to find it."""
        self.commands.clear()
        self.refuse = None
        self.now = replace(self.now, state=state)


def told() -> Told:
    status = StationStatus(
        name="test", epoch=7, state=StationState.RUNNING, ready=True, mode=Mode.PRODUCTION, since=NOON, last_id=0,
        counters=Counters(), faults=(), cameras=(), recipe="pcb@14", recipe_id=3, model="yolo 3f2c00000000",
        backend="onnx", deadline_ms=300.0,
    )  # fmt: skip
    return Told(status)


@pytest.fixture
def station() -> Told:
    """A station for tests without a server."""
    return told()


@pytest.fixture(scope="session")
def make_part() -> Callable[..., Inspection]:
    """`make_part(id, result=OK, code=1012, simulated=False)`."""

    def make(number: int, result: Result = Result.OK, code: int = 1012, *, simulated: bool = False) -> Inspection:
        at = NOON + timedelta(seconds=number)
        trigger = Trigger(number, number, 7, TriggerKind.CALL, at, 0, 300_000_000, f"SN{number}")
        findings = () if result is Result.OK else (Finding(code, "scratch", "top", 0.91, (1.0, 2.0, 3.0, 4.0), "any"),)
        action = Action.PASS if result is Result.OK else Action.REJECT
        verdict = Verdict(result, action, findings, RecipeRef("pcb", 14, "ab" * 32))
        times = Timings(frame_ms=8.0, detect_ms=40.0, decide_ms=2.0, verdict_ms=52.0)
        return Inspection(uuid4(), trigger, verdict, (), times, None, simulated=simulated)

    return make


@dataclass
class Served:
    """A running server, its station and what it told."""

    output: OpcUaOutput
    station: Told
    url: str
    folder: Path
    audited: list[tuple[str, str, str]]
    faults: list[tuple[str, str, str]]

    @asynccontextmanager
    async def client(
        self,
        user: str | None = None,
        password: str = PASSWORD,
        *,
        certificate: str = "",
        shows: str = "any",
        secure: bool = True,
    ) -> AsyncIterator[Client]:
        """Without a user: a local client of an open server. With one: signed and encrypted, unless told otherwise."""
        client = Client(self.url, timeout=10)
        if user is not None or certificate:
            client.application_uri = "urn:test:client"
            own = own_certificate(self.folder / f"client-{certificate or shows}", "urn:test:client", "127.0.0.1")
            if secure:
                await client.set_security(
                    SecurityPolicyBasic256Sha256,
                    certificate=str(own.certificate),
                    private_key=str(own.key),
                    mode=ua.MessageSecurityMode.SignAndEncrypt,
                )
            if certificate:
                await client.load_client_certificate(str(own.certificate))
                await client.load_private_key(str(own.key))
            else:
                client.set_user(user)
                client.set_password(password)
        async with client:
            if secure:
                await client.load_data_type_definitions()
            yield client


def serve(folder: Path, **settings: Any) -> Iterator[Served]:
    """A server with these settings until the test (or module) ends."""
    port = settings.pop("port", None) or free_port()
    station, audited, faults = told(), [], []
    output = OpcUaOutput(
        OpcUaSettings.model_validate({"port": port, **settings}),
        folder,
        "hall3",
        configuration="cd" * 32,
        on_fault=lambda *fault: faults.append(fault),
        audit=lambda *row: audited.append(row),
    )
    output.attach(station)
    output.start()
    yield Served(output, station, f"opc.tcp://127.0.0.1:{port}/partsight", folder, audited, faults)
    assert output.stop(20), "the server's thread did not end"


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory, wait_until: Any) -> Iterator[Served]:
    """An open server on loopback, whose clients may call methods."""
    for served in serve(tmp_path_factory.mktemp("open"), local_role="operator", requests_per_s=2000):
        wait_until(lambda s=served: s.output.health().listening, timeout_s=60)
        yield served


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory, wait_until: Any) -> Iterator[Served]:
    """An open server as it is without further words, with few requests a second for each client."""
    for served in serve(tmp_path_factory.mktemp("observed"), requests_per_s=50):
        wait_until(lambda s=served: s.output.health().listening, timeout_s=60)
        yield served


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory, wait_until: Any) -> Iterator[Served]:
    """A server with users: `anna` operates, `otto` observes, `gate` operates with a certificate.

    Trusted are the certificates of `gate`, of a `stranger` who is no user, and the one that clients show by default.
    """
    folder = tmp_path_factory.mktemp("secured")
    trusted = folder / "trusted"
    trusted.mkdir()
    for name in ("any", "gate", "stranger"):
        known = own_certificate(folder / f"client-{name}", "urn:test:client", "127.0.0.1")
        (trusted / f"{name}.der").write_bytes(known.certificate.read_bytes())
    gate = own_certificate(folder / "client-gate", "urn:test:client", "127.0.0.1")
    users = [
        {"name": "anna", "password_hash": HASH, "role": "operator"},
        {"name": "otto", "password_hash": HASH},
        {"name": "gate", "certificate": str(gate.certificate), "role": "operator"},
    ]
    for served in serve(folder, users=users, trusted=str(trusted), requests_per_s=2000):
        wait_until(lambda s=served: s.output.health().listening, timeout_s=60)
        yield served


@pytest.fixture
def bold(monkeypatch: pytest.MonkeyPatch) -> None:
    """asyncua's client goes on where it would stop by itself, so that every refusal seen is the server's."""
    monkeypatch.setattr(Client, "find_endpoint", staticmethod(lambda endpoints, *_: endpoints[0]))


@pytest.fixture(scope="session")
def play() -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """`play(scenario())`: run a client's scenario to its end."""
    return asyncio.run


@pytest.fixture(scope="session")
def find() -> Callable[..., Any]:
    """`await find(client, "VisionStateMachine", "Halt")`: a node below VisionSystem, by browse names."""

    async def find_node(client: Client, *path: str) -> Node:
        index = await client.get_namespace_index(NAMESPACE)
        names = [name if ":" in name else f"{index}:{name}" for name in ("VisionSystem", *path)]
        return await client.nodes.objects.get_child(names)

    return find_node


@pytest.fixture(scope="session")
def until() -> Callable[..., Any]:
    """`await until(condition, timeout_s=10)`: waits in the client's loop; the condition may be a coroutine function."""

    async def wait(condition: Callable[[], Any], timeout_s: float = 10.0) -> Any:
        end = asyncio.get_running_loop().time() + timeout_s
        while True:
            value = condition()
            value = await value if asyncio.iscoroutine(value) else value
            if value:
                return value
            assert asyncio.get_running_loop().time() < end, f"not within {timeout_s} s"
            await asyncio.sleep(0.01)

    return wait
