"""A whole session against a real Mosquitto, heard by a host application. Each test names the statements it checks."""

from __future__ import annotations

import gc
import json
import os
import socket
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from partsight.domain.messages import StateChanged
from partsight.domain.status import StationState
from partsight.domain.verdict import Result
from partsight.outputs.sparkplug import SparkplugOutput, SparkplugSettings
from partsight.testing.broker import MosquittoBroker, free_port

Run = Callable[..., SparkplugOutput]


def _numbers(host: Any, verb: str) -> list[int]:
    return [h.value("bdSeq") for h in host.of(verb)]


def test_births_come_first_and_data_by_exception(run: Run, plant: Any, make_part: Any, wait_until: Any) -> None:
    """tck-id-message-flow-edge-node-birth-publish-nbirth-topic, -nbirth-payload-bdSeq, -nbirth-qos, -nbirth-retained;
    message-flow-device-birth-publish-dbirth-topic, -dbirth-qos, -dbirth-retained, -dbirth-match-edge-node-topic;
    payloads-ddata-qos, -ddata-retain, -ddata-order.
    """
    broker, host, station = plant.broker, plant.host, plant.station
    output = run(broker.port)
    wait_until(lambda: host.of("DBIRTH"))
    assert [h.verb for h in host.heard] == ["NBIRTH", "DBIRTH"]
    birth = host.heard[1]
    assert (birth.value("state/packml"), birth.value("state/ready")) == (6, True)
    assert (birth.value("recipe/name"), birth.value("model/version")) == ("pcb@14", "yolo 3f2c00000000")
    assert birth.value("result/id") is None
    station.count(triggers=4, ok=2, ng=1, invalid=1)
    output.publish(make_part(41, Result.NG))
    wait_until(lambda: any("result/id" in h.names for h in host.of("DDATA")))
    told = {name: h.value(name) for h in host.of("DDATA") for name in h.names}
    assert told == {
        "result/eval": 2, "result/id": 42, "result/defect_code": 1012, "count/total": 4, "count/ok": 2, "count/nok": 1,
        "count/undecided": 1, "kpi/ppm_nok": 250_000,
    }  # fmt: skip
    assert [h.seq for h in host.heard] == list(range(len(host.heard)))
    assert {h.qos for h in host.heard} == {0}
    wait_until(lambda: output.health().sent == len(host.heard))
    late = type(host)(broker.port, "late")
    output.tell(StateChanged(StationState.RUNNING, StationState.RUNNING, "", datetime.now(timezone.utc)))
    station.count(triggers=5, ok=3, ng=1, invalid=1)
    wait_until(lambda: late.heard)
    late.close()
    assert not any(h.retain for h in late.heard)
    assert late.heard[0].verb == "DDATA"  # nothing was retained


@pytest.mark.parametrize("case", [("OK", 1), ("NG", 2), ("REVIEW", 3), ("INVALID", 3)])
def test_every_result_has_its_number(
    run: Run, plant: Any, make_part: Any, wait_until: Any, case: tuple[str, int]
) -> None:
    host, (result, number) = plant.host, case
    run(plant.broker.port).publish(make_part(8, Result(result)))
    wait_until(lambda: any(h.value("result/eval") == number for h in host.heard if "result/eval" in h.names))


def test_the_will_is_the_death_certificate(run: Run, listener: socket.socket, read_connect: Any) -> None:
    """tck-id-message-flow-edge-node-birth-publish-will-message, -will-message-topic, -will-message-payload-bdSeq,
    -will-message-qos, -will-message-will-retained; principles-persistence-clean-session-311;
    bdSeq is 0 in the first CONNECT and one more in each that follows.
    """
    run(listener.getsockname()[1], backoff_max_s=0.1)
    for number in range(3):
        connect = read_connect(listener)
        assert (connect["protocol"], connect["level"], connect["clean"]) == (b"MQTT", 4, True)
        assert (connect["will"], connect["will_qos"], connect["will_retain"]) == (True, 1, False)
        assert connect["topic"] == "spBv1.0/plant/NDEATH/line3"
        assert [(m.name, m.long_value) for m in connect["payload"].metrics] == [("bdSeq", number)]
        assert not connect["payload"].HasField("seq")


def test_a_lost_connection_sends_the_will_and_the_next_birth_has_the_next_bdseq(
    run: Run, broker: MosquittoBroker, host: Any, wait_until: Any
) -> None:
    """tck-id-payloads-ndeath-will-message, topics-nbirth-bdseq-matching, -bdseq-increment."""
    run(broker.port)
    wait_until(lambda: host.of("DBIRTH"))
    # A second client with the same id: the broker drops ours without a DISCONNECT, as a cut cable does.
    thief = socket.create_connection(("127.0.0.1", broker.port))
    name = b"plant-line3"
    body = b"\x00\x04MQTT\x04\x02\x00\x3c" + len(name).to_bytes(2, "big") + name
    thief.sendall(bytes([0x10, len(body)]) + body)
    wait_until(lambda: len(host.of("NBIRTH")) == 2)
    thief.close()
    assert _numbers(host, "NDEATH")[:1] == [0]
    assert _numbers(host, "NBIRTH") == [0, 1]


def test_an_intended_stop_is_a_death_and_a_disconnect(
    run: Run, broker: MosquittoBroker, host: Any, wait_until: Any
) -> None:
    """tck-id-operational-behavior-edge-node-intentional-disconnect-ndeath, -packet;
    payloads-ndeath-will-message-publisher, -publisher-disconnect-mqtt311.
    """
    output = run(broker.port)
    wait_until(lambda: host.of("DBIRTH"))
    assert output.stop(5)
    host.send("spBv1.0/plant/NDATA/marker", b"")  # after whatever the broker had to say
    wait_until(lambda: host.of("NDATA"))
    # Exactly one: the broker got a DISCONNECT and kept the will to itself.
    assert [(h.value("bdSeq"), h.seq, h.qos) for h in host.of("NDEATH")] == [(0, None, 1)]
    assert not output.health().connected


def test_bdseq_goes_on_after_a_restart_and_wraps(
    run: Run, broker: MosquittoBroker, host: Any, wait_until: Any, tmp_path: Path
) -> None:
    """tck-id-message-flow-edge-node-birth-publish-will-message-payload-bdSeq: 255 is followed by 0."""
    (tmp_path / "sparkplug.json").write_text('{"bdSeq": 254}')
    for number in (255, 0):
        output = run(broker.port)
        wait_until(lambda n=number: n in _numbers(host, "NBIRTH"))
        assert output.stop(5)
    assert json.loads((tmp_path / "sparkplug.json").read_text()) == {"bdSeq": 0}


def test_a_connect_that_was_never_sent_takes_no_number(run: Run, tmp_path: Path, wait_until: Any) -> None:
    port = free_port()
    output = run(port)
    wait_until(lambda: "no connection" in output.health().problem)
    with MosquittoBroker(tmp_path / "late", port=port) as late:
        wait_until(lambda: output.health().born)
        assert json.loads((tmp_path / "sparkplug.json").read_text()) == {"bdSeq": 0}
        assert output.stop(5)
        late.stop()


@pytest.mark.parametrize("kept", ["", "{}", "[1]", '{"bdSeq": 999}', '{"bdSeq": "x"}', "\x00\x01"])
def test_an_unreadable_bdseq_begins_with_0(
    run: Run, listener: socket.socket, read_connect: Any, tmp_path: Path, kept: str
) -> None:
    (tmp_path / "sparkplug.json").write_text(kept)
    run(listener.getsockname()[1])
    assert read_connect(listener)["payload"].metrics[0].long_value == 0


def test_a_rebirth_request_is_obeyed(run: Run, broker: MosquittoBroker, host: Any, wait_until: Any) -> None:
    """tck-id-message-flow-edge-node-ncmd-subscribe; operational-behavior-data-commands-rebirth-action-1, -2, -3."""
    output = run(broker.port)
    wait_until(lambda: host.of("DBIRTH"))
    host.ask_rebirth(value=False)
    host.send("spBv1.0/plant/NCMD/line3", b"rebirth, please")
    host.send("spBv1.0/plant/NCMD/line3", os.urandom(70_000))
    host.ask_rebirth()
    wait_until(lambda: len(host.of("DBIRTH")) == 2)
    assert [h.verb for h in host.heard if h.verb != "DDATA"] == ["NBIRTH", "DBIRTH"] * 2
    assert [h.seq for h in host.of("NBIRTH") + host.of("DBIRTH")] == [0, 0, 1, 1]
    assert _numbers(host, "NBIRTH") == [0, 0]
    assert output.health().rebirths == 1
    assert output.health().refused == 2


def test_a_retained_rebirth_request_is_ignored(
    run: Run, broker: MosquittoBroker, host: Any, station: Any, wait_until: Any
) -> None:
    """tck-id-payloads-ncmd-retain: a command that the broker kept is not given now."""
    host.ask_rebirth(retain=True)
    output = run(broker.port)
    wait_until(lambda: host.of("DBIRTH"))
    time_out = time.monotonic() + 1.2  # longer than rebirths are held back
    wait_until(lambda: time.monotonic() > time_out)
    assert len(host.of("NBIRTH")) == 1
    assert output.health().rebirths == 0


def test_a_flood_of_rebirth_requests_becomes_one_a_second(
    run: Run, broker: MosquittoBroker, host: Any, wait_until: Any
) -> None:
    output = run(broker.port)
    wait_until(lambda: host.of("DBIRTH"))
    for _ in range(200):
        host.ask_rebirth()
    wait_until(lambda: output.health().rebirths)
    assert output.health().rebirths <= 2


def test_the_device_dies_with_the_stations_loops_and_is_born_again(
    run: Run, broker: MosquittoBroker, host: Any, station: Any, wait_until: Any
) -> None:
    """tck-id-operational-behavior-device-ddeath; payloads-ddeath-timestamp, -ddeath-seq, topics-ddeath-mqtt."""
    run(broker.port)
    wait_until(lambda: host.of("DBIRTH"))
    station.beating = False
    wait_until(lambda: host.of("DDEATH"))
    death = host.of("DDEATH")[0]
    assert (death.topic, death.qos, death.names) == ("spBv1.0/plant/DDEATH/line3/inspection", 0, [])
    assert death.payload.timestamp > 0
    station.count(triggers=9, ok=9)
    host.ask_rebirth()  # of the node alone: its device is dead
    wait_until(lambda: len(host.of("NBIRTH")) == 2)
    station.beating = True
    wait_until(lambda: len(host.of("DBIRTH")) == 2)
    assert host.of("DBIRTH")[1].value("count/ok") == 9
    assert not any("count/ok" in h.names for h in host.of("DDATA"))


def test_births_wait_for_the_primary_host_and_end_with_it(
    run: Run, broker: MosquittoBroker, host: Any, wait_until: Any
) -> None:
    """tck-id-message-flow-edge-node-birth-publish-phid-wait, -phid-wait-online, -phid-offline;
    operational-behavior-edge-node-termination-host-offline, -edge-node-birth-sequence-wait.
    """
    output = run(broker.port, primary_host="scada")
    wait_until(lambda: output.health().connected)
    host.state(online=False, at_ms=1_000)
    wait_until(lambda: output.health().host_online is False)
    host.send("spBv1.0/STATE/scada", b"ONLINE")  # the form of version 2
    wait_until(lambda: output.health().refused == 1)
    assert not host.heard
    host.state(online=True, at_ms=1_001)
    wait_until(lambda: host.of("DBIRTH"))
    host.state(online=False, at_ms=1_000)  # older: a message that was overtaken
    host.ask_rebirth()
    wait_until(lambda: len(host.of("DBIRTH")) == 2)
    assert not host.of("NDEATH")
    host.state(online=False, at_ms=1_001)
    wait_until(lambda: host.of("NDEATH"))
    wait_until(lambda: output.health().host_online is False and output.health().connected)
    assert _numbers(host, "NDEATH") == [0]
    births = len(host.of("NBIRTH"))
    host.state(online=True, at_ms=1_002)
    wait_until(lambda: len(host.of("NBIRTH")) == births + 1)
    assert _numbers(host, "NBIRTH")[-1] == 1


def test_the_node_walks_to_the_server_that_has_the_primary_host(
    run: Run, broker: MosquittoBroker, host: Any, tmp_path: Path, wait_until: Any
) -> None:
    """tck-id-operational-behavior-primary-application-state-with-multiple-servers-walk, -single-server;
    edge-node-termination-host-offline-reconnect.
    """
    with MosquittoBroker(tmp_path / "second") as second:
        there = type(host)(second.port, "scada")
        host.state(online=False, at_ms=5)
        there.state(online=True, at_ms=5)
        run(broker.port, second.port, primary_host="scada")
        wait_until(lambda: there.of("DBIRTH"))
        assert not host.of("NBIRTH")
        host.state(online=True, at_ms=6)
        there.state(online=False, at_ms=6)
        wait_until(lambda: host.of("DBIRTH"))
        assert _numbers(there, "NDEATH") == _numbers(there, "NBIRTH")
        there.close()


def test_publish_returns_at_once_while_the_broker_stands_still(
    run: Run, plant: Any, make_part: Any, wait_until: Any
) -> None:
    broker, host = plant.broker, plant.host
    output = run(broker.port, keepalive_s=60)
    wait_until(lambda: host.of("DBIRTH"))
    broker.pause()
    parts = [make_part(n) for n in range(20_000)]
    gc.collect()
    took = []
    for part in parts:
        began = time.perf_counter_ns()
        output.publish(part)
        took.append(time.perf_counter_ns() - began)
    broker.resume()
    took.sort()
    assert took[len(took) // 2] < 20_000, f"median {took[len(took) // 2]} ns"
    assert took[int(len(took) * 0.99)] < 200_000, f"p99 {took[int(len(took) * 0.99)]} ns"
    newest = parts[-1].trigger.id
    wait_until(lambda: any(h.value("result/id") == newest for h in host.of("DDATA") if "result/id" in h.names))
    shown = sum("result/id" in h.names for h in host.of("DDATA"))
    # Sampled, not queued: what is not shown was replaced by a newer one and is counted.
    assert 0 < output.health().dropped <= 20_000 - 1
    assert shown <= 20_000 - output.health().dropped


def test_a_broker_that_stalls_for_good_is_left(run: Run, broker: MosquittoBroker, host: Any, wait_until: Any) -> None:
    output = run(broker.port)
    wait_until(lambda: output.health().born)
    broker.pause()
    wait_until(lambda: not output.health().connected, timeout_s=15)
    assert output.health().problem
    broker.resume()
    wait_until(lambda: output.health().born, timeout_s=15)
    assert output.health().problem == ""


def test_a_broker_that_restarts_gets_new_births(
    run: Run, broker: MosquittoBroker, station: Any, tmp_path: Path, wait_until: Any
) -> None:
    output = run(broker.port)
    wait_until(lambda: output.health().born)
    broker.kill()
    wait_until(lambda: not output.health().connected)
    broker.start()
    wait_until(lambda: output.health().born)


def test_a_refused_password_or_access_list_is_said(run: Run, tmp_path: Path, wait_until: Any) -> None:
    with MosquittoBroker(tmp_path / "strict", anonymous=False) as strict:
        output = run(strict.port)
        wait_until(lambda: "refused the connection" in output.health().problem)
        assert "Not authorized" in output.health().problem
        assert output.stop(5)


def test_a_defect_of_ours_becomes_a_fault_and_the_thread_lives_on(
    run: Run, broker: MosquittoBroker, host: Any, station: Any, wait_until: Any
) -> None:
    faults: list[tuple[str, str, str]] = []
    whole = station.now
    output = run(broker.port, on_fault=lambda *fault: faults.append(fault))
    wait_until(lambda: host.of("DBIRTH"))
    station.now = None  # tags cannot be read from that
    wait_until(lambda: faults)
    assert faults[0][0] == "sparkplug"
    assert "AttributeError" in faults[0][1]
    station.now = whole
    wait_until(lambda: output.health().born)
    assert _numbers(host, "NDEATH")[0] == 0


def test_a_clock_that_jumps_back_stops_nothing(
    run: Run, broker: MosquittoBroker, host: Any, station: Any, wait_until: Any
) -> None:
    now = [1_795_488_000_000]
    run(broker.port, utc_ms=lambda: now[0])
    wait_until(lambda: host.of("DBIRTH"))
    now[0] -= 3_600_000
    station.count(triggers=1, ok=1)
    wait_until(lambda: any("count/ok" in h.names for h in host.of("DDATA")))
    data = next(h for h in host.of("DDATA") if "count/ok" in h.names)
    assert data.payload.timestamp == now[0]


def test_tls_verifies_the_broker(run: Run, tmp_path: Path, wait_until: Any, certificates: Any) -> None:
    tls = certificates("127.0.0.1")
    with MosquittoBroker(tmp_path / "tls", tls=tls) as secure:
        good = run(secure.port, folder=_made(tmp_path / "good"), tls={"ca": str(tls.ca)})
        wait_until(lambda: good.health().born)
        assert good.stop(5)
    other = certificates("another-host")
    with MosquittoBroker(tmp_path / "other", tls=other) as wrong:
        bad = run(wrong.port, folder=_made(tmp_path / "bad"), tls={"ca": str(other.ca)})
        wait_until(lambda: "certificate" in bad.health().problem.lower())
        assert not bad.health().connected
        assert bad.stop(5)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


@pytest.mark.timed
def test_stop_is_quick_without_a_broker(run: Run, wait_until: Any) -> None:
    output = run(free_port(), backoff_min_s=5, backoff_max_s=60)
    wait_until(lambda: output.health().problem)
    began = time.monotonic()
    assert output.stop(5)
    assert time.monotonic() - began < 2


def test_an_output_without_a_station_does_not_start(tmp_path: Path) -> None:
    settings = SparkplugSettings.model_validate({"servers": [{"host": "h"}], "group": "g", "node": "n"})
    output = SparkplugOutput(settings, tmp_path)
    with pytest.raises(RuntimeError, match="attach"):
        output.start()
    assert output.stop()
