"""Brokers that refuse, stall, drop, answer wrongly or forget: the station goes on, and the records wait."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from tests.mqtt.raw_broker import CONNACK_V3, CONNECT, accepting, raw_broker
from tests.mqtt.rig import PREFIX, Client, Outbox, inspection, rig, settings

from partsight.outputs.mqtt.session import ConnectionEnded, Session
from partsight.testing.broker import MosquittoBroker, free_port

Wait = Callable[..., Any]
Clients = Callable[..., Client]
Brokers = Callable[..., MosquittoBroker]


def _say(what: bytes, *, close: bool = False) -> Callable[[socket.socket, int, int, bytes], None]:
    def behave(sock: socket.socket, kind: int, _flags: int, _body: bytes) -> None:
        if kind == CONNECT:
            sock.sendall(what)
            if close:
                sock.shutdown(socket.SHUT_RDWR)

    return behave


@pytest.mark.parametrize(
    ("what", "close", "told"),
    [
        (b"", True, "closed the connection before it answered"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", False, "does not answer CONNECT"),
        (b"\x20\x02\x00\x05", False, "does not allow this client"),
        (b"\x20\x02\x00\x01", False, "closed the connection|does not speak MQTT"),
        (b"\x20\x02\x00\x04", False, "refuses user name or password"),
        (b"\x20\xff\xff\xff\xff\xff\xff", False, "closed the connection|is not MQTT"),
        (b"\x20\x01", False, "does not answer CONNECT"),
    ],
)
def test_a_broker_that_answers_wrongly_is_told_by_its_reason(what: bytes, close: bool, told: str) -> None:
    with raw_broker(_say(what, close=close)) as broker:
        session = Session(settings(broker.port, connect_timeout_s=0.5), None)
        with pytest.raises(ConnectionEnded, match=told):
            session.connect()
        session.close(politely=False)


@pytest.mark.timed
def test_nobody_listens(wait_until: Wait) -> None:
    with rig(free_port()) as station:
        wait_until(lambda: len(station.troubles) >= 3)
        assert "nothing listens at 127.0.0.1" in station.trouble("mqtt.connection")
        start = time.monotonic()
        for n in range(2000):
            station.output.publish(inspection(n % 65535 + 1))
        assert time.monotonic() - start < 2.0, "verdicts must not wait for a broker"
        assert station.output.health().verdicts_refused > 0
    assert not station.faults


def test_garbage_in_the_middle_of_a_connection(wait_until: Wait) -> None:
    def behave(sock: socket.socket, kind: int, flags: int, body: bytes) -> None:
        accepting(CONNACK_V3, acknowledge=True)(sock, kind, flags, body)
        if kind == 3 and b"/count" in body:
            sock.sendall(b"\x30\x03\xff\xff\xff" + b"\x00" * 32)

    with raw_broker(behave) as broker, rig(broker.port) as station:
        wait_until(lambda: station.output.health().connections >= 3)
        assert not station.faults, "what a broker sends is no fault of the station's own"


def test_a_broker_that_stands_still_delays_no_verdict_and_replays_none(
    mosquitto: Brokers, client: Clients, wait_until: Wait
) -> None:
    broker = mosquitto()
    line = client(broker.port, f"{PREFIX}/#")
    outbox = Outbox()
    with rig(broker.port, outbox=outbox) as station:
        wait_until(lambda: line.of("hb"))
        broker.pause()
        try:
            wait_until(lambda: station.troubles, 15.0)
            assert "acknowledged anything" in station.trouble("mqtt.connection")
            # These wait for a connection and expire there.
            for n in range(100):
                station.output.publish(inspection(1000 + n, deadline_s=0.05))
            outbox.add(20)
            wait_until(lambda: station.output.health().verdicts_expired == 100)
        finally:
            broker.resume()
        wait_until(lambda: station.output.health().connected and len(set(line.seqs())) == 20, 15.0)
        station.output.publish(inspection(5))
        wait_until(lambda: line.of("verdict"))
        assert [json.loads(m.payload)["id"] for m in line.of("verdict")] == [5]
        wait_until(lambda: json.loads(line.of("conn")[-1].payload)["online"])


def test_a_socket_that_is_full_holds_verdicts_where_they_can_expire(wait_until: Wait) -> None:
    stop_reading, release = threading.Event(), threading.Event()

    def behave(sock: socket.socket, kind: int, flags: int, body: bytes) -> None:
        accepting(CONNACK_V3, acknowledge=True)(sock, kind, flags, body)
        if kind == 3 and b"/count" in body:
            stop_reading.set()
            release.wait(10)

    with raw_broker(behave) as broker, rig(broker.port) as station:
        try:
            wait_until(stop_reading.is_set)

            # More than the kernel takes: what does not fit must wait with us, and not in paho.
            def fill() -> bool:
                for _ in range(500):
                    station.output.publish(inspection(1, deadline_s=0.5))
                session = station.output._session
                return session is None or session.congested

            wait_until(fill)
            session = station.output._session
            assert session is None or len(session.client._out_packet) <= 1
            wait_until(lambda: station.output.health().verdicts_expired > 0)
        finally:
            release.set()


def test_a_broker_that_comes_back_empty_is_told_everything_again(
    mosquitto: Brokers, client: Clients, wait_until: Wait
) -> None:
    broker = mosquitto()
    outbox = Outbox()
    outbox.add(10)
    with rig(broker.port, outbox=outbox):
        wait_until(lambda: outbox.acks.get("broker") == 10)
        broker.kill()
        broker.start()
        line = client(broker.port, f"{PREFIX}/#")
        wait_until(lambda: all(line.of(leaf) for leaf in ("conn", "info", "state", "recipe", "count")))
        assert json.loads(line.of("conn")[-1].payload)["online"]


def test_consumer_mode_loses_nothing_although_the_broker_forgets(
    mosquitto: Brokers, client: Clients, wait_until: Wait
) -> None:
    broker = mosquitto(max_queued=5)
    outbox = Outbox()
    stored: set[int] = set()

    def connect() -> Client:
        line = client(broker.port, f"{PREFIX}/result")

        def store(message: Any) -> None:
            stored.add(json.loads(message.payload)["seq"])
            contiguous = next(n for n in range(10**6) if n + 1 not in stored)
            line.publish("ack/mes", str(contiguous).encode())

        line.on_each = store
        return line

    line = connect()
    with rig(broker.port, outbox=outbox, delivery="consumer", consumers=("mes",)) as station:
        outbox.add(200)
        wait_until(lambda: outbox.acks.get("mes") == 200)
        line.close()
        outbox.add(300)  # the broker takes and forgets them: nobody subscribes
        wait_until(lambda: station.output.health().last == 500)
        broker.kill()
        broker.start()
        connect()
        outbox.add(100)
        wait_until(lambda: outbox.acks.get("mes") == 600, 20.0)
        assert stored == set(range(1, 601))
        wait_until(lambda: station.output.health().backlog == 0)


def test_broker_mode_goes_on_behind_the_last_acknowledgement(
    mosquitto: Brokers, client: Clients, wait_until: Wait
) -> None:
    broker = mosquitto(persistence=True)
    line = client(broker.port, f"{PREFIX}/result", durable="mes")
    outbox = Outbox()
    with rig(broker.port, outbox=outbox):
        for n in range(2):
            outbox.add(300)
            wait_until(lambda n=n: len(line.seqs()) > 350 * n + 20)
            broker.stop()
            outbox.add(50)
            broker.start()
        wait_until(lambda: outbox.acks.get("broker") == 700, 20.0)
        wait_until(lambda: set(line.seqs()) == set(range(1, 701)))
        firsts = list(dict.fromkeys(line.seqs()))
        assert firsts == list(range(1, 701)), "each number came for the first time in its order"


def test_a_right_that_is_missing_is_told(mosquitto: Brokers, wait_until: Wait, tmp_path: Any) -> None:
    rights = tmp_path / "acl"
    rights.write_text(f"topic write {PREFIX}/hb\ntopic read {PREFIX}/cmd/#\n")
    broker = mosquitto(extra=f"acl_file {rights}")
    outbox = Outbox()
    outbox.add(3)
    with rig(broker.port, outbox=outbox, protocol="5") as station:
        wait_until(lambda: "not allow" in station.trouble("mqtt.refused"))
        assert station.output.health().refused_by_broker > 0
        assert outbox.acks.get("broker", 0) == 0, "a record that was refused is not delivered"
    assert not station.faults
