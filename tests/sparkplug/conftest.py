"""A host application that hears everything, a second protobuf decoder, and a station that says what a test wants."""

from __future__ import annotations

import ipaddress
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import uuid4

import paho.mqtt.client as paho
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from partsight.domain.inspection import Inspection, Timings
from partsight.domain.messages import Answer, Command, Reply
from partsight.domain.status import Counters, Mode, StationState, StationStatus
from partsight.domain.trigger import Trigger, TriggerKind
from partsight.domain.verdict import Action, Finding, RecipeRef, Result, Verdict
from partsight.outputs.sparkplug import SparkplugOutput, SparkplugSettings
from partsight.testing.broker import BrokerTls, MosquittoBroker

NOON = datetime(2026, 11, 24, 12, tzinfo=timezone.utc)
_FIELDS = descriptor_pb2.FieldDescriptorProto


def _payload_class() -> Any:
    """Google's own decoder of the specification's message, built from its field table."""
    file = descriptor_pb2.FileDescriptorProto(name="sparkplug_b.proto", package="spb", syntax="proto2")
    payload = file.message_type.add(name="Payload")
    metric = payload.nested_type.add(name="Metric")
    metric.oneof_decl.add(name="value")
    plain = [
        ("name", 1, _FIELDS.TYPE_STRING), ("alias", 2, _FIELDS.TYPE_UINT64), ("timestamp", 3, _FIELDS.TYPE_UINT64),
        ("datatype", 4, _FIELDS.TYPE_UINT32), ("is_historical", 5, _FIELDS.TYPE_BOOL),
        ("is_transient", 6, _FIELDS.TYPE_BOOL), ("is_null", 7, _FIELDS.TYPE_BOOL),
    ]  # fmt: skip
    values = [
        ("int_value", 10, _FIELDS.TYPE_UINT32), ("long_value", 11, _FIELDS.TYPE_UINT64),
        ("float_value", 12, _FIELDS.TYPE_FLOAT), ("double_value", 13, _FIELDS.TYPE_DOUBLE),
        ("boolean_value", 14, _FIELDS.TYPE_BOOL), ("string_value", 15, _FIELDS.TYPE_STRING),
        ("bytes_value", 16, _FIELDS.TYPE_BYTES),
    ]  # fmt: skip
    optional = _FIELDS.LABEL_OPTIONAL
    for name, number, kind in plain:
        metric.field.add(name=name, number=number, type=kind, label=optional)
    for name, number, kind in values:
        metric.field.add(name=name, number=number, type=kind, label=optional, oneof_index=0)
    payload.field.add(name="timestamp", number=1, type=_FIELDS.TYPE_UINT64, label=optional)
    payload.field.add(
        name="metrics",
        number=2,
        type=_FIELDS.TYPE_MESSAGE,
        type_name=".spb.Payload.Metric",
        label=_FIELDS.LABEL_REPEATED,
    )
    payload.field.add(name="seq", number=3, type=_FIELDS.TYPE_UINT64, label=optional)
    payload.field.add(name="uuid", number=4, type=_FIELDS.TYPE_STRING, label=optional)
    payload.field.add(name="body", number=5, type=_FIELDS.TYPE_BYTES, label=optional)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("spb.Payload"))


PAYLOAD = _payload_class()


@pytest.fixture(scope="session")
def google() -> Any:
    """Google's class of the payload: `google()` makes one, `google.FromString(bytes)` reads one."""
    return PAYLOAD


@dataclass
class Heard:
    """One message as a host sees it, read by Google's decoder."""

    topic: str
    payload: Any
    qos: int
    retain: bool
    raw: bytes

    @property
    def verb(self) -> str:
        return self.topic.split("/")[2]

    @property
    def seq(self) -> int | None:
        return self.payload.seq if self.payload.HasField("seq") else None

    def value(self, name: str) -> Any:
        metric = next(m for m in self.payload.metrics if m.name == name)
        return None if metric.is_null else getattr(metric, metric.WhichOneof("value"))

    @property
    def names(self) -> list[str]:
        return [m.name for m in self.payload.metrics]


class Host:
    """A Sparkplug host application: subscribes to everything, says STATE, sends commands."""

    def __init__(self, port: int, name: str = "scada") -> None:
        self.heard: list[Heard] = []
        self.name = name
        self._ready = threading.Event()
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=f"host-{name}")
        self.client.on_connect = lambda c, *_: c.subscribe("spBv1.0/plant/#", qos=1)
        self.client.on_subscribe = lambda *_: self._ready.set()
        self.client.on_message = self._on_message
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert self._ready.wait(5)

    def _on_message(self, _client: Any, _data: Any, m: Any) -> None:
        if "/STATE/" not in m.topic and "/NCMD/" not in m.topic:
            self.heard.append(Heard(m.topic, PAYLOAD.FromString(m.payload), m.qos, m.retain, m.payload))

    def of(self, verb: str) -> list[Heard]:
        return [h for h in list(self.heard) if h.verb == verb]

    def state(self, *, online: bool, at_ms: int) -> None:
        body = json.dumps({"online": online, "timestamp": at_ms})
        self.client.publish(f"spBv1.0/STATE/{self.name}", body, qos=1, retain=True).wait_for_publish(5)

    def send(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        told = self.client.publish(topic, payload, qos=1, retain=retain)
        if retain:
            told.wait_for_publish(5)  # it must lie there before the node subscribes

    def ask_rebirth(self, *, value: bool = True, retain: bool = False) -> None:
        body = PAYLOAD()
        metric = body.metrics.add(name="Node Control/Rebirth", datatype=11)
        metric.boolean_value = value
        self.send("spBv1.0/plant/NCMD/line3", body.SerializeToString(), retain=retain)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@dataclass
class Told:
    """A CommandSink that says what a test tells it, and remembers commands."""

    now: StationStatus
    beating: bool = True
    commands: list[Command] = field(default_factory=list)

    def command(self, command: Command) -> Reply:
        self.commands.append(command)
        return Reply(Answer.DONE)

    def status(self) -> StationStatus:
        return self.now

    def alive(self) -> bool:
        return self.beating

    def count(self, **counters: int) -> None:
        self.now = replace(self.now, counters=Counters(**counters))


@pytest.fixture
def station() -> Told:
    """A running station that has judged nothing."""
    return Told(
        StationStatus(
            name="test", epoch=7, state=StationState.RUNNING, ready=True, mode=Mode.PRODUCTION, since=NOON, last_id=0,
            counters=Counters(), faults=(), cameras=(), recipe="pcb@14", recipe_id=3, model="yolo 3f2c00000000",
            backend="onnx", deadline_ms=300.0,
        )
    )  # fmt: skip


def part(number: int, result: Result = Result.OK, code: int = 1012) -> Inspection:
    """One judged part."""
    trigger = Trigger(
        number, number % 65535 + 1, 7, TriggerKind.CALL, NOON + timedelta(seconds=number), 0, 300_000_000, f"SN{number}"
    )
    findings = () if result is Result.OK else (Finding(code, "scratch"),)
    action = Action.PASS if result is Result.OK else Action.REJECT
    verdict = Verdict(result, action, findings, RecipeRef("pcb", 14, "ab" * 32))
    return Inspection(uuid4(), trigger, verdict, (), Timings(verdict_ms=50.0), None)


@pytest.fixture(scope="session")
def make_part() -> Callable[..., Inspection]:
    """`make_part(number, result=OK, code=1012)`."""
    return part


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[MosquittoBroker]:
    """A real Mosquitto on loopback."""
    with MosquittoBroker(tmp_path / "broker") as running:
        yield running


@pytest.fixture
def host(broker: MosquittoBroker) -> Iterator[Host]:
    """The host application `scada` on that broker."""
    client = Host(broker.port)
    yield client
    client.close()


@dataclass
class Plant:
    """Station, broker and host at once, for tests that need them all."""

    station: Told
    broker: MosquittoBroker
    host: Host


@pytest.fixture
def plant(station: Told, broker: MosquittoBroker, host: Host) -> Plant:
    """The station, its broker and the host application."""
    return Plant(station, broker, host)


@pytest.fixture
def run(station: Told, tmp_path: Path) -> Iterator[Callable[..., SparkplugOutput]]:
    """`run(port, **settings)`: a started output on the station; stopped at the end of the test."""
    running: list[SparkplugOutput] = []

    def make(*ports: int, folder: Path | None = None, **settings: Any) -> SparkplugOutput:
        values = {"interval_ms": 20, "backoff_min_s": 0.05, "backoff_max_s": 0.2, "keepalive_s": 1, **settings}
        servers = [{"host": "127.0.0.1", "port": port} for port in ports]
        options = {"on_fault": values.pop("on_fault", None)}
        if "utc_ms" in values:
            options["utc_ms"] = values.pop("utc_ms")
        output = SparkplugOutput(
            SparkplugSettings.model_validate({"servers": servers, "group": "plant", "node": "line3", **values}),
            folder or tmp_path,
            **options,
        )
        output.attach(station)
        output.start()
        running.append(output)
        return output

    yield make
    assert all(output.stop(5.0) for output in running), "an output's thread did not end"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A TCP server that speaks no MQTT of its own: it shows the bytes that a client sends."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)
        yield server


@pytest.fixture(scope="session")
def read_connect() -> Callable[[socket.socket], dict[str, Any]]:
    """`read_connect(listener)`: accept one client and take its CONNECT apart, byte by byte."""

    def text(data: bytes, at: int) -> tuple[bytes, int]:
        size = int.from_bytes(data[at : at + 2], "big")
        return data[at + 2 : at + 2 + size], at + 2 + size

    def read(listener: socket.socket) -> dict[str, Any]:
        client, _ = listener.accept()
        with client:
            client.settimeout(5)
            data, end = b"", time.monotonic() + 5
            while len(data) < 2 or len(data) < 2 + data[1]:
                assert time.monotonic() < end
                data += client.recv(4096)
        assert data[0] == 0x10
        assert data[1] < 128, "a longer CONNECT needs a longer length"
        name, at = text(data, 2)
        level, flags = data[at], data[at + 1]
        client_id, at = text(data, at + 4)
        topic, at = text(data, at)
        will, at = text(data, at)
        return {"protocol": name, "level": level, "clean": bool(flags & 2), "will": bool(flags & 4),
                "will_qos": flags >> 3 & 3, "will_retain": bool(flags & 0x20), "client_id": client_id,
                "topic": topic.decode(), "payload": PAYLOAD.FromString(will)}  # fmt: skip

    return read


@pytest.fixture
def certificates(tmp_path: Path) -> Callable[[str], BrokerTls]:
    """`certificates(name)`: a self-signed certificate of a broker that is called `name` (a host or an address)."""

    def make(name: str) -> BrokerTls:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        try:
            known: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(name))
        except ValueError:
            known = x509.DNSName(name)
        now = datetime.now(timezone.utc)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([known]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, hashes.SHA256())
        )
        public, private = tmp_path / f"{name}.pem", tmp_path / f"{name}.key"
        public.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        private.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return BrokerTls(public, public, private, clients_too=False)

    return make
