"""Commands that are garbage, too large, retained, repeated, late or not allowed: each is answered or audited."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from tests.mqtt.rig import PREFIX, Client, Outbox, Rig, Sink, rig

from partsight.domain.messages import Answer, Command, Reply, TriggerPart
from partsight.testing.broker import MosquittoBroker

Wait = Callable[..., Any]
Clients = Callable[..., Client]
Brokers = Callable[..., MosquittoBroker]


@pytest.fixture
def port(mosquitto: Brokers) -> int:
    return mosquitto().port


@pytest.fixture
def line(port: int, client: Clients) -> Client:
    return client(port, f"{PREFIX}/#")


@pytest.fixture
def station(port: int, line: Client, wait_until: Wait) -> Iterator[Rig]:
    with rig(port, commands=("start", "stop", "time", "replay", "sync")) as found:
        wait_until(lambda: line.of("hb"))
        yield found
        assert not found.faults, "no command is a fault of the station's"


def _answers(line: Client, who: str = "hmi") -> list[dict[str, Any]]:
    return [json.loads(m.payload) for m in line.of(f"rsp/{who}")]


@pytest.mark.parametrize(
    ("name", "payload", "code"),
    [
        ("stop", b'{"v":2,"rid":"1","client":"hmi"}', Answer.INVALID),
        ("stop", b'{"v":1,"rid":"1","client":"hmi","more":1}', Answer.INVALID),
        ("fly", b'{"v":1,"rid":"1","client":"hmi"}', Answer.UNKNOWN),
        ("hold", b'{"v":1,"rid":"1","client":"hmi"}', Answer.NOT_ALLOWED),
        ("stop", b'{"v":1,"rid":"1","client":"hmi","t":1000}', Answer.NOT_NOW),
    ],
)
def test_a_bad_command_is_answered_and_audited(  # noqa: PLR0917 - fixtures and parameters
    station: Rig, line: Client, wait_until: Wait, name: str, payload: bytes, code: Answer
) -> None:
    line.publish(f"cmd/{name}", payload)
    wait_until(lambda: _answers(line))
    answer = _answers(line)[0]
    assert (answer["ok"], answer["code"], bool(answer["msg"])) == (False, int(code), True)
    assert station.outbox.said(f"command {name}")
    assert not station.sink.commands


@pytest.mark.parametrize("payload", [b"", b"\xff\xfe", b"[]", b"{" * 2000, b'{"v":1}', b"x" * 100_000])
def test_garbage_is_audited(station: Rig, line: Client, wait_until: Wait, payload: bytes) -> None:
    line.publish("cmd/stop", payload)
    wait_until(lambda: station.outbox.said("command stop refused"))
    assert not station.sink.commands
    assert station.output.health().commands_refused == 1


def test_a_retained_command_is_dropped(port: int, line: Client, wait_until: Wait) -> None:
    line.publish("cmd/stop", b'{"v":1,"rid":"1","client":"hmi"}', retain=True)
    wait_until(lambda: line.of("cmd/stop"))
    with rig(port) as station:
        wait_until(lambda: station.outbox.said("command stop dropped"))
        line.publish("cmd/start", b'{"v":1,"rid":"2","client":"hmi"}')
        wait_until(lambda: _answers(line))
        assert [type(c).__name__ for c in station.sink.commands] == ["Start"]


def test_a_repeated_command_is_answered_again_and_done_once(station: Rig, line: Client, wait_until: Wait) -> None:
    for _ in range(3):
        line.publish("cmd/stop", b'{"v":1,"rid":"1","client":"hmi"}')
    line.publish("cmd/start", b'{"v":1,"rid":"1","client":"hmi"}')
    wait_until(lambda: len(_answers(line)) == 4)
    assert [a["ok"] for a in _answers(line)] == [True, True, True, False]
    assert len(station.sink.commands) == 1
    assert station.outbox.said("command stop repeated")


def test_more_commands_than_anybody_sends_are_answered_not_now(port: int, line: Client, wait_until: Wait) -> None:
    def slow(_: Command) -> Reply:
        time.sleep(0.005)
        return Reply(Answer.DONE)

    with rig(port, sink=Sink(answer=slow)) as station:
        wait_until(lambda: line.of("hb"))
        for n in range(300):
            line.publish("cmd/stop", b'{"v":1,"rid":"%d","client":"hmi"}' % n)
        wait_until(lambda: len(_answers(line)) == 300)
        refused = [a for a in _answers(line) if not a["ok"]]
        assert len(refused) == station.output.health().commands_overflowed
        assert len(refused) + len(station.sink.commands) == 300
        assert not refused or station.outbox.said("commands refused")


def test_a_command_works_on_a_full_disk(port: int, line: Client, wait_until: Wait) -> None:
    outbox = Outbox()
    with rig(port, outbox=outbox) as station:
        wait_until(lambda: line.of("hb"))
        outbox.broken = True
        line.publish("cmd/stop", b'{"v":1,"rid":"1","client":"hmi"}')
        wait_until(lambda: _answers(line))
        assert _answers(line)[0]["ok"]
        assert "could not be audited" in station.trouble("mqtt.audit")
        wait_until(lambda: station.trouble("mqtt.records"))
        outbox.broken = False
        outbox.add(5)
        wait_until(lambda: len(line.of("result")) == 5)
        assert "mqtt.records" in station.cleared


def test_acknowledgements_that_cannot_be_true(port: int, line: Client, wait_until: Wait) -> None:
    outbox = Outbox()
    outbox.add(10)
    with rig(port, outbox=outbox, delivery="consumer", consumers=("mes",)) as station:
        wait_until(lambda: len(set(line.seqs())) == 10)
        for payload in (b"11", b"-1", b"ten", b"9" * 40, b""):
            line.publish("ack/mes", payload)
        line.publish("ack/unknown", b"10")
        wait_until(lambda: station.output.health().future_acks == 1 and station.output.health().garbage == 5)
        assert outbox.acks == {}
        assert outbox.said("an acknowledgement was ignored")
        line.publish("ack/mes", b"7")
        wait_until(lambda: station.output.health().acked == 7)
        line.publish("ack/mes", b"3")  # an old one takes nothing back
        line.publish("ack/mes", b"10")
        wait_until(lambda: station.output.health().backlog == 0)


def test_what_a_plc_says_wrongly_changes_nothing(station: Rig, line: Client, wait_until: Wait) -> None:
    bad = [("trig", b"{}"), ("trig", b'{"id":0}'), ("trig", b'{"id":70000}'), ("ack", b"7"), ("reject", b"\x00" * 5000)]
    for leaf, payload in bad:
        line.publish(f"plc/{leaf}", payload)
    line.publish("plc/trig", b'{"id":5}', retain=True)
    wait_until(lambda: station.output.health().garbage == 5)
    wait_until(lambda: station.sink.commands == [TriggerPart("mqtt:plc", "", 5, None)])  # it came live, so it counts
    assert station.outbox.said("plc/trig dropped")
    # One line a subject: a PLC gone mad fills no disk.
    wait_until(lambda: station.output.health().notes_dropped >= 2)


def test_a_clock_that_jumps_refuses_what_seems_late_and_nothing_else(
    station: Rig, line: Client, wait_until: Wait
) -> None:
    now = int(time.time() * 1000)
    for rid, shift in (("past", -3_600_000), ("future", 3_600_000), ("now", 0)):
        line.publish("cmd/stop", b'{"v":1,"rid":"%s","client":"hmi","t":%d}' % (rid.encode(), now + shift))
    wait_until(lambda: len(_answers(line)) == 3)
    told = {a["rid"]: a for a in _answers(line)}
    assert not told["past"]["ok"]
    assert "clocks differ" in told["past"]["msg"]
    assert told["future"]["ok"]
    assert told["now"]["ok"]


def test_mqtt_5_answers_where_it_is_asked_to_but_only_below_rsp(port: int, client: Clients, wait_until: Wait) -> None:
    line = client(port, f"{PREFIX}/#", v5=True)
    with rig(port, protocol="5"):
        wait_until(lambda: line.of("hb"))
        for rid, topic in ((b"a", f"{PREFIX}/rsp/mine-7"), (b"b", f"{PREFIX}/verdict"), (b"c", f"{PREFIX}/rsp/a/b")):
            extra = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho's own
            extra.ResponseTopic = topic
            extra.CorrelationData = b"corr-" + rid
            line.publish("cmd/stop", b'{"v":1,"rid":"%s","client":"hmi"}' % rid, properties=extra)
        wait_until(lambda: len(line.of("rsp/hmi")) == 2 and line.of("rsp/mine-7"))
        assert line.of("rsp/mine-7")[0].properties.CorrelationData == b"corr-a"  # type: ignore[union-attr]
        assert not line.of("verdict")
