"""The output against real brokers: three channels, in both protocol versions."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.mqtt.rig import CLOCK, PREFIX, Client, Outbox, inspection, rig, status

from partsight.domain.messages import Acknowledge, Latched, PlcHeartbeat, RejectReport, StateChanged, TriggerPart
from partsight.domain.status import StationState
from partsight.outputs.mqtt.verdicts import REJECT_GRACE_NS, VerdictQueue
from partsight.testing.broker import IotcoreBroker, MosquittoBroker

Wait = Callable[..., Any]
Clients = Callable[..., Client]
Brokers = Callable[..., MosquittoBroker]


@pytest.fixture(params=["mosquitto-3.1.1", "mosquitto-5", "iotcore-3.1.1", "iotcore-5"])
def broker(request: pytest.FixtureRequest) -> tuple[int, str]:
    """(port, protocol)."""
    kind, protocol = request.param.split("-")
    if kind == "mosquitto":
        return request.getfixturevalue("mosquitto")().port, protocol
    found: IotcoreBroker = request.getfixturevalue("iotcore")
    return (found.port if protocol == "3.1.1" else found.port_v5), protocol


def test_a_line_gets_the_whole_contract(broker: tuple[int, str], client: Clients, wait_until: Wait) -> None:
    port, protocol = broker
    line = client(port, f"{PREFIX}/#", v5=protocol == "5")
    with rig(port, protocol=protocol) as station:
        wait_until(lambda: line.of("count"))
        for leaf in ("conn", "info", "state", "recipe", "count"):
            assert line.of(leaf), f"{leaf} was not published"
        assert json.loads(line.of("conn")[-1].payload)["online"] is True
        assert json.loads(line.of("state")[-1].payload)["st"] == "RUNNING"

        station.output.tell(Latched(inspection(7).trigger))
        station.output.publish(inspection(7))
        wait_until(lambda: line.of("verdict"))
        verdict = line.of("verdict")[0]
        assert (json.loads(verdict.payload)["id"], json.loads(verdict.payload)["a"]) == (7, 0)
        assert not verdict.retain
        wait_until(lambda: line.of("trigack"))
        assert line.of("trigack")[0].payload == b'{"e":1,"id":7,"st":"latched"}'

        station.outbox.add(50)
        wait_until(lambda: len(line.of("result")) == 50)
        assert line.seqs() == list(range(1, 51))
        wait_until(lambda: station.outbox.acks.get("broker") == 50)

        line.publish("cmd/stop", b'{"v":1,"rid":"r1","client":"hmi"}')
        wait_until(lambda: line.of("rsp/hmi"))
        assert json.loads(line.of("rsp/hmi")[0].payload)["ok"] is True
        assert [type(c).__name__ for c in station.sink.commands] == ["Stop"]
        assert station.outbox.said("command stop")
        assert not station.faults
    wait_until(lambda: json.loads(line.of("conn")[-1].payload)["online"] is False)


def test_who_comes_later_finds_the_picture(broker: tuple[int, str], client: Clients, wait_until: Wait) -> None:
    port, protocol = broker
    with rig(port, protocol=protocol) as station:
        wait_until(lambda: station.output.health().connected)
        early = client(port, f"{PREFIX}/#", v5=protocol == "5")
        wait_until(lambda: early.of("count"))
        late = client(port, f"{PREFIX}/#", v5=protocol == "5")
        wait_until(lambda: all(late.of(leaf) for leaf in ("conn", "info", "state", "recipe", "count")))
        assert late.of("info")[0].retain
        # The channel of verdicts and heartbeats keeps nothing.
        assert not any(m.retain for leaf in ("hb", "verdict", "result", "trigack") for m in late.of(leaf))


def test_heartbeat_counts_on_only_while_the_station_lives(
    mosquitto: Brokers, client: Clients, wait_until: Wait
) -> None:
    port = mosquitto().port
    line = client(port, f"{PREFIX}/hb")
    with rig(port) as station:
        wait_until(lambda: len(line.of("hb")) >= 5)
        counts = [json.loads(m.payload)["n"] for m in line.of("hb")]
        assert counts == sorted(set(counts)), "n must count on while every loop ticks"
        station.sink.living = False
        seen = len(line.of("hb"))
        wait_until(lambda: len(line.of("hb")) >= seen + 5)
        stuck = [json.loads(m.payload)["n"] for m in line.of("hb")[seen + 1 :]]
        assert len(set(stuck)) == 1, "a stuck station's heartbeat must not count on"


def test_state_is_published_when_it_changes(mosquitto: Brokers, client: Clients, wait_until: Wait) -> None:
    port = mosquitto().port
    line = client(port, f"{PREFIX}/#")
    with rig(port) as station:
        wait_until(lambda: line.of("state"))
        station.sink.now = replace(status(), state=StationState.ERROR, ready=False, line_stop=True)
        station.output.tell(StateChanged(StationState.RUNNING, StationState.ERROR, "test", CLOCK.utc()))
        wait_until(lambda: json.loads(line.of("state")[-1].payload)["packml"] == 9)
        assert json.loads(line.of("state")[-1].payload)["line_stop_req"] == 1
        wait_until(lambda: line.of("event"))
        assert json.loads(line.of("event")[0].payload)["kind"] == "state"


def test_plc_messages_become_commands(mosquitto: Brokers, client: Clients, wait_until: Wait) -> None:
    port = mosquitto().port
    line = client(port, f"{PREFIX}/hb")
    with rig(port) as station:
        wait_until(lambda: line.of("hb"))
        line.publish("plc/trig", b'{"id":9,"p":"SN9","enc":77,"t":1}', 0)
        line.publish("plc/ack", b'{"id":9}', 0)
        line.publish("plc/hb", b"{}", 0)
        line.publish("plc/reject", b'{"id":9,"cmd":1,"conf":0}')
        line.publish("plc/state", b'{"speed_mm_s":250.0,"batch":"B77","order":"4711"}', retain=True)
        wait_until(lambda: len(station.sink.commands) == 4 and station.output.context().batch)
        assert station.sink.commands == [
            TriggerPart("mqtt:plc", "SN9", 9, 77),
            Acknowledge("mqtt:plc", 9),
            PlcHeartbeat("mqtt:plc"),
            RejectReport("mqtt:plc", 9, commanded=True, confirmed=False),
        ]
        assert (station.output.context().batch, station.output.context().order) == ("B77", "4711")


def test_no_verdict_leaves_after_its_time(mosquitto: Brokers, client: Clients, wait_until: Wait) -> None:
    broker = mosquitto()
    line = client(broker.port, f"{PREFIX}/verdict")
    with rig(broker.port) as station:
        wait_until(lambda: station.output.health().connected)
        station.output.publish(inspection(1, deadline_s=-0.001))  # a pass, too late by a moment
        station.output.publish(inspection(2, ok=False, deadline_s=-0.001))  # the reject of the deadline itself
        station.output.publish(inspection(3, ok=False, deadline_s=-2 * REJECT_GRACE_NS / 1e9))
        station.output.publish(inspection(4))
        wait_until(lambda: len(line.of("verdict")) == 2)
        assert [json.loads(m.payload)["id"] for m in line.of("verdict")] == [2, 4]
        assert station.output.health().verdicts_expired == 2


def test_a_full_queue_gives_way_to_the_newest_only_by_what_has_expired() -> None:
    now = [time.monotonic_ns()]
    queue = VerdictQueue(3, lambda: now[0])
    assert [queue.put(inspection(n, deadline_s=1.0)) for n in (1, 2, 3)] == [True] * 3
    assert not queue.put(inspection(4, deadline_s=9.0)), "no room, and none of the waiting ones has expired"
    now[0] += 2_000_000_000
    assert queue.put(inspection(5, deadline_s=9.0))
    found = queue.get()
    assert found is not None
    assert found.trigger.id == 5
    assert (queue.expired, queue.refused) == (3, 1)


def test_replay_and_sync_and_time(mosquitto: Brokers, client: Clients, wait_until: Wait) -> None:
    port = mosquitto().port
    line = client(port, f"{PREFIX}/#")
    outbox = Outbox()
    outbox.add(1000)
    with rig(port, outbox=outbox) as station:
        wait_until(lambda: len(line.of("result")) == 1000)
        line.publish("cmd/replay", b'{"v":1,"rid":"a","client":"mes","from":300,"to":800}')
        wait_until(lambda: len(line.of("result")) == 1501)
        assert line.seqs()[1000:] == list(range(300, 801))
        line.publish("cmd/replay", b'{"v":1,"rid":"b","client":"mes","from":2000,"to":2001}')
        infos = len(line.of("info"))
        line.publish("cmd/sync", b'{"v":1,"rid":"c","client":"mes"}')
        line.publish("cmd/time", b'{"v":1,"rid":"d","client":"mes","t":1000}')
        wait_until(lambda: len(line.of("rsp/mes")) == 4)
        answers = {a["rid"]: a for a in (json.loads(m.payload) for m in line.of("rsp/mes"))}
        assert answers["a"]["ok"]
        assert not answers["b"]["ok"]
        assert answers["c"]["data"]["last"] == 1000
        assert answers["d"]["data"]["offset_ms"] > 1e12
        wait_until(lambda: len(line.of("info")) == infos + 1)
        assert station.output.health().replayed == 501
