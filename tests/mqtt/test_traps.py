"""paho's traps, each reproduced by others: here is shown that we do not fall into it."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from tests.mqtt.raw_broker import CONNACK_V3, CONNECT, PUBLISH, accepting, connack_v5, raw_broker
from tests.mqtt.rig import PREFIX, Client, Outbox, Sink, inspection, rig, settings

from partsight.domain.messages import Answer, Command, Reply
from partsight.outputs.mqtt.session import Session
from partsight.testing.broker import MosquittoBroker

Wait = Callable[..., Any]
Clients = Callable[..., Client]
Brokers = Callable[..., MosquittoBroker]


def _results(published: list[tuple[str, int]]) -> int:
    return sum(topic.endswith("/result") for topic, _ in published)


def test_1_no_flood_after_a_reconnect(wait_until: Wait) -> None:
    outbox = Outbox()
    outbox.add(1000)
    with (
        raw_broker(accepting(connack_v5(20), acknowledge=False)) as broker,
        rig(broker.port, outbox=outbox, protocol="5") as station,
    ):
        # It acknowledges nothing: the output gives the connection up, and does not flood the next one either.
        wait_until(lambda: len(broker.connections) >= 2 and _results(broker.published(1)) > 0, 15.0)
        assert "not acknowledged" in station.trouble("mqtt.connection")
        for connection in (0, 1):
            assert 0 < sum(qos == 1 for _, qos in broker.published(connection)) <= 20


def test_2_the_brokers_receive_maximum_is_kept(wait_until: Wait) -> None:
    outbox = Outbox()
    outbox.add(100)
    with (
        raw_broker(accepting(connack_v5(5), acknowledge=False)) as broker,
        rig(broker.port, outbox=outbox, protocol="5"),
    ):
        # Heartbeats go on, so that there was time for more.
        wait_until(lambda: sum(topic.endswith("/hb") for topic, _ in broker.published()) >= 5)
        assert sum(qos == 1 for _, qos in broker.published()) == 5


def test_3_nothing_overtakes_the_connack(wait_until: Wait) -> None:
    release = threading.Event()

    def late(sock: socket.socket, kind: int, flags: int, body: bytes) -> None:
        if kind == CONNECT:
            release.wait(5)
        accepting(CONNACK_V3, acknowledge=True)(sock, kind, flags, body)

    outbox = Outbox()
    outbox.add(5)
    with raw_broker(late) as broker, rig(broker.port, outbox=outbox, connect_timeout_s=10.0) as station:
        wait_until(lambda: broker.connections and broker.first())
        for n in range(3):
            station.output.publish(inspection(n + 1))
            outbox.add()
        wait_until(lambda: len(station.output._desk.verdicts) == 3)
        assert broker.first() == [CONNECT], "something was sent before CONNACK"
        release.set()
        wait_until(lambda: _results(broker.published()) == 8)
        bodies = [body for kind, _, body in broker.connections[0] if kind == PUBLISH and b"/result" in body]
        assert [json.loads(body[body.index(b"{") :])["seq"] for body in bodies] == list(range(1, 9))


def test_4_an_exception_brings_the_station_to_error_and_not_to_silence(
    mosquitto: Brokers, client: Clients, wait_until: Wait
) -> None:
    def bug(command: Command) -> Reply:
        if len(sink.commands) == 1:
            raise ZeroDivisionError("a bug")
        return Reply(Answer.DONE)

    sink = Sink(answer=bug)
    port = mosquitto().port
    line = client(port, f"{PREFIX}/#")
    with rig(port, sink=sink) as station:
        wait_until(lambda: line.of("hb"))
        line.publish("plc/trig", b'{"id":1}', 0)
        wait_until(lambda: station.faults)
        key, text, cure = station.faults[0]
        assert (key, bool(cure)) == ("mqtt.thread", True)
        assert "ZeroDivisionError" in text
        # The last will says it to the line, and the output works again.
        wait_until(lambda: any(json.loads(m.payload)["online"] is False for m in line.of("conn")))
        wait_until(lambda: station.output.health().connections == 2)
        line.publish("plc/trig", b'{"id":2}', 0)
        wait_until(lambda: len(sink.commands) == 2)


def test_4_a_command_that_fails_is_a_fault_too(mosquitto: Brokers, client: Clients, wait_until: Wait) -> None:
    def bug(_: Command) -> Reply:
        raise ZeroDivisionError("a bug")

    port = mosquitto().port
    line = client(port, f"{PREFIX}/hb")
    with rig(port, sink=Sink(answer=bug)) as station:
        wait_until(lambda: line.of("hb"))
        line.publish("cmd/stop", b'{"v":1,"rid":"1","client":"hmi"}')
        wait_until(lambda: station.faults)
        assert station.faults[0][0] == "mqtt-commands.thread"
        line.publish("cmd/time", b'{"v":1,"rid":"2","client":"hmi"}')
        wait_until(lambda: station.output.health().commands_done == 1)


def test_5_no_deadlock_between_publishing_and_acknowledgements(
    mosquitto: Brokers, client: Clients, wait_until: Wait
) -> None:
    port = mosquitto().port
    line = client(port, f"{PREFIX}/#")
    outbox = Outbox()
    with rig(port, outbox=outbox, verdict_qos=1) as station:
        wait_until(lambda: station.output.health().connected)

        def publish() -> None:
            for _ in range(500):
                station.output.publish(inspection(7))

        def record() -> None:
            for _ in range(500):
                outbox.add()

        threads = [threading.Thread(target=work) for work in (publish, record, record)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        wait_until(lambda: len(line.of("result")) == 1000 and len(line.of("verdict")) == 500, 20.0)
        assert line.seqs() == list(range(1, 1001))


def test_6_what_the_broker_did_not_get_is_sent_once_when_it_is_back(
    mosquitto: Brokers, client: Clients, wait_until: Wait
) -> None:
    broker = mosquitto()
    outbox = Outbox()
    with rig(broker.port, outbox=outbox) as station:
        wait_until(lambda: station.output.health().connected)
        broker.stop()
        wait_until(lambda: not station.output.health().connected)
        outbox.add(30)
        broker.start()
        line = client(broker.port, f"{PREFIX}/#")
        wait_until(lambda: outbox.acks.get("broker") == 30)
        # The station may have been there before this client; what it got holds no number twice.
        assert len(set(line.seqs())) == len(line.seqs())
        assert station.output.health().resent == 0


def test_two_stations_with_one_client_id_do_not_kick_each_other_without_end(
    mosquitto: Brokers, client: Clients, wait_until: Wait
) -> None:
    broker = mosquitto()
    line = client(broker.port, "#")
    other = settings(broker.port).model_copy(update={"prefix": "acme/plant1/packing/line4/vi"})
    with (
        rig(broker.port, backoff_max_s=5.0, protocol="5") as first,
        rig(broker.port, backoff_max_s=5.0, protocol="5", prefix=other.prefix) as second,
    ):
        # Mosquitto 2.0 closes the older connection without a word; MQTT 5 has a reason for it, newer ones give it.
        wait_until(
            lambda: any("client id 'station'" in text + cure for _, text, cure in [*first.troubles, *second.troubles])
        )
        start, before = time.monotonic(), first.output.health().connections + second.output.health().connections
        wait_until(lambda: time.monotonic() - start > 2.0)
        now = first.output.health().connections + second.output.health().connections
        assert now - before < 10, "their back-off must grow: this is the loop that wears brokers out"
    assert line.messages


def test_nodelay_is_set_on_our_socket(mosquitto: Brokers) -> None:
    session = Session(settings(mosquitto().port), None)
    try:
        session.connect()
        wire = session.client.wire
        assert wire is not None
        assert wire.inner.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    finally:
        session.close(politely=True)


def test_a_session_that_was_taken_over_is_named(wait_until: Wait) -> None:
    def behave(sock: socket.socket, kind: int, flags: int, body: bytes) -> None:
        accepting(connack_v5(20), acknowledge=False)(sock, kind, flags, body)
        if kind == PUBLISH:
            sock.sendall(b"\xe0\x01\x8e")

    with raw_broker(behave) as broker, rig(broker.port, protocol="5") as station:
        wait_until(lambda: "another client took over" in station.trouble("mqtt.connection"))
