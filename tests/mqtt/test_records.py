"""With the station's real records: what is committed reaches its receiver, in order, without a gap."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.mqtt.rig import PREFIX, Client, inspection, rig

from partsight.domain.uid import uuid7
from partsight.outputs.mqtt.port import OutboxRecords
from partsight.outputs.records import SqliteRecords
from partsight.outputs.records.audit import read_audit, verify_audit
from partsight.testing.broker import MosquittoBroker

Wait = Callable[..., Any]
Clients = Callable[..., Client]
Brokers = Callable[..., MosquittoBroker]


@pytest.fixture
def records(tmp_path: Path) -> Iterator[SqliteRecords]:
    with SqliteRecords.open(tmp_path / "data", ballast_bytes=0) as found:
        yield found


def _commit(records: SqliteRecords, count: int) -> None:
    for _ in range(count):
        part = inspection(1, epoch=records.epoch)
        trigger = replace(part.trigger, sequence=records.reserve(1))
        records.latch(trigger)
        records.commit(replace(part, uid=uuid7(), trigger=trigger))


def _numbers(line: Client) -> list[int]:
    return [json.loads(m.payload)["seq"] for leaf in ("result", "event") for m in line.of(leaf)]


def test_every_record_arrives_although_the_broker_is_killed(
    mosquitto: Brokers, client: Clients, records: SqliteRecords, wait_until: Wait
) -> None:
    broker = mosquitto(persistence=True)
    line = client(broker.port, f"{PREFIX}/result", durable="mes")
    outbox: OutboxRecords = records
    with rig(broker.port, outbox=outbox) as station:
        _commit(records, 100)
        wait_until(lambda: len(line.of("result")) > 10)
        broker.stop()
        _commit(records, 100)
        broker.start()
        _commit(records, 50)
        wait_until(lambda: set(_numbers(line)) == set(range(1, 251)), 20.0)
        firsts = list(dict.fromkeys(_numbers(line)))
        assert firsts == sorted(firsts)
        wait_until(lambda: records.acked("broker") == 250)
        assert station.output.health().backlog == 0
    assert not station.faults


def test_consumer_mode_survives_a_broker_without_memory(
    mosquitto: Brokers, client: Clients, records: SqliteRecords, wait_until: Wait
) -> None:
    broker = mosquitto()
    stored: set[int] = set()

    def consumer() -> Client:
        line = client(broker.port, f"{PREFIX}/result")

        def store(message: Any) -> None:
            stored.add(json.loads(message.payload)["seq"])
            line.publish("ack/mes", str(next(n for n in range(10**6) if n + 1 not in stored)).encode())

        line.on_each = store
        return line

    consumer()
    with rig(broker.port, outbox=records, delivery="consumer", consumers=("mes",)):
        _commit(records, 60)
        wait_until(lambda: len(stored) > 10)
        broker.kill()
        _commit(records, 60)
        broker.start()
        wait_until(lambda: records.acked("mes") == 120, 20.0)
    assert stored == set(range(1, 121))


def test_records_name_the_batch_and_order_of_the_plc(
    mosquitto: Brokers, client: Clients, records: SqliteRecords, wait_until: Wait
) -> None:
    broker = mosquitto()
    line = client(broker.port, f"{PREFIX}/#")
    with rig(broker.port, outbox=records) as station:
        wait_until(lambda: line.of("hb"))
        line.publish("plc/state", b'{"batch":"B77","order":"4711"}', retain=True)
        wait_until(lambda: station.output.context().batch)
        _commit(records, 1)
        wait_until(lambda: line.of("result"))
    told = json.loads(line.of("result")[0].payload)
    assert (told["batch"], told["order"]) == ("B77", "4711")


def test_a_restarted_station_goes_on_where_it_was(
    mosquitto: Brokers, client: Clients, tmp_path: Path, wait_until: Wait
) -> None:
    broker = mosquitto()
    line = client(broker.port, f"{PREFIX}/#")
    for start in range(2):
        with SqliteRecords.open(tmp_path / "data", ballast_bytes=0) as records, rig(broker.port, outbox=records):
            _commit(records, 20)
            wait_until(lambda: records.acked("broker") >= 20 * (start + 1))  # noqa: B023 - it is done before the next
    assert sorted(set(_numbers(line))) == _numbers(line), "what was delivered before the restart was sent again"


def test_commands_are_in_the_chain_of_the_audit_and_its_digest_leaves(
    mosquitto: Brokers, client: Clients, tmp_path: Path, wait_until: Wait
) -> None:
    broker = mosquitto()
    line = client(broker.port, f"{PREFIX}/#")
    with SqliteRecords.open(tmp_path / "data", ballast_bytes=0) as records:
        with rig(broker.port, outbox=records):
            wait_until(lambda: line.of("hb"))
            line.publish("cmd/stop", b'{"v":1,"rid":"1","client":"hmi"}')
            wait_until(lambda: line.of("rsp/hmi"))
        with rig(broker.port, outbox=records):
            wait_until(lambda: line.of("event"))
        event = json.loads(line.of("event")[0].payload)
        head = records.audit_head()
        assert (event["kind"], event["data"]) == ("audit", {"n": head.n, "hash": head.hash})
    assert verify_audit(tmp_path / "data").ok
    row = read_audit(tmp_path / "data")[0]
    assert (row.who, row.source, row.what) == ("hmi", "mqtt", "command stop")
