"""The session's numbers, message by message, without a network. Each test names the statements it checks."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partsight.outputs.sparkplug.node import MAX_STATE_BYTES, EdgeNode, HostState, Message, wants_rebirth
from partsight.outputs.sparkplug.payload import DataType, PayloadError
from partsight.outputs.sparkplug.tags import TAGS

FIRST = {
    name: {DataType.BOOLEAN: False, DataType.STRING: "a"}.get(kind, 0) if not name.startswith("result/") else None
    for name, kind in TAGS.items()
}


@pytest.fixture
def node() -> EdgeNode:
    return EdgeNode("plant", "line3", "inspection", 5)


def test_the_death_certificate(node: EdgeNode, google: Any) -> None:
    """tck-id-payloads-ndeath-seq, -ndeath-bdseq, -ndeath-will-message-qos, topics-ndeath-payload.

    Also message-flow-edge-node-birth-publish-will-message-topic, -payload, -payload-bdSeq.
    """
    death = node.death()
    payload = google.FromString(death.payload)
    assert (death.topic, death.qos) == ("spBv1.0/plant/NDEATH/line3", 1)
    assert not payload.HasField("seq")
    assert [(m.name, m.datatype, m.long_value) for m in payload.metrics] == [("bdSeq", int(DataType.INT64), 5)]


def test_the_births(node: EdgeNode, google: Any) -> None:
    """tck-id-payloads-nbirth-seq, -nbirth-bdseq, -nbirth-bdseq-repeat, -nbirth-rebirth-req, -nbirth-timestamp.

    Also operational-behavior-data-commands-rebirth-name, -name-aliases, -datatype, -value;
    data-publish-nbirth, -nbirth-values, -dbirth, -dbirth-values; payloads-dbirth-seq, -dbirth-seq-inc,
    -dbirth-order, -dbirth-timestamp;
    payloads-metric-datatype-req, -name-requirement, -name-birth-data-requirement.
    """
    births = node.births(FIRST, 1_000)
    assert [(m.topic, m.qos) for m in births] == [
        ("spBv1.0/plant/NBIRTH/line3", 0),
        ("spBv1.0/plant/DBIRTH/line3/inspection", 0),
    ]
    nbirth, dbirth = (google.FromString(m.payload) for m in births)
    assert (nbirth.seq, dbirth.seq) == (0, 1)
    assert nbirth.HasField("seq")
    assert nbirth.timestamp == dbirth.timestamp == 1_000
    bd_seq, rebirth = nbirth.metrics
    assert (bd_seq.name, bd_seq.datatype, bd_seq.long_value) == ("bdSeq", int(DataType.INT64), 5)
    assert (rebirth.name, rebirth.datatype, rebirth.boolean_value) == ("Node Control/Rebirth", 11, False)
    assert rebirth.WhichOneof("value") == "boolean_value"
    assert not rebirth.HasField("alias")
    assert {m.name: m.datatype for m in dbirth.metrics} == TAGS
    for metric in (*nbirth.metrics, *dbirth.metrics):
        assert metric.timestamp == 1_000
        assert metric.is_null or metric.WhichOneof("value")


def test_data_holds_only_what_has_changed(node: EdgeNode, google: Any) -> None:
    """tck-id-operational-behavior-data-publish-dbirth-change, -dbirth-order; payloads-ddata-timestamp, -ddata-seq."""
    node.births(FIRST, 1_000)
    assert node.data(FIRST, 1_010) is None
    message = node.data({**FIRST, "count/ok": 1, "result/id": 9}, 1_020)
    assert message is not None
    data = google.FromString(message.payload)
    assert (message.topic, message.qos) == ("spBv1.0/plant/DDATA/line3/inspection", 0)
    assert (data.seq, data.timestamp) == (2, 1_020)
    assert {m.name: m.timestamp for m in data.metrics} == {"count/ok": 1_020, "result/id": 1_020}
    assert node.data({**FIRST, "count/ok": 1, "result/id": 9}, 1_030) is None


@given(st.lists(st.sampled_from(["data", "death", "rebirth"]), min_size=1, max_size=400))
def test_seq_rises_by_one_over_node_and_device_and_wraps(google: Any, steps: list[str]) -> None:
    """tck-id-payloads-sequence-num-incrementing, -sequence-num-always-included, -sequence-num-req-nbirth,
    -ddata-seq-inc, -dbirth-seq-inc, -ddeath-seq, -ddeath-seq-inc; message-flow-device-birth-publish-nbirth-wait.
    """
    node = EdgeNode("plant", "line3", "inspection", 5)
    messages: list[Message] = list(node.births(FIRST, 0))
    for number, step in enumerate(steps, 1):
        if step == "rebirth":
            messages += node.births(FIRST, number)
        elif step == "death" and node.device_born:
            messages.append(node.device_death(number))
        elif not node.device_born:
            messages.append(node.device_birth(FIRST, number))
        elif (message := node.data({**FIRST, "count/ok": number}, number)) is not None:
            messages.append(message)
    expected = 0
    for message in messages:
        payload = google.FromString(message.payload)
        assert payload.HasField("seq")
        expected = 0 if "/NBIRTH/" in message.topic else expected
        assert payload.seq == expected
        expected = (expected + 1) % 256


def test_300_messages_pass_255_and_go_on_with_0(node: EdgeNode, google: Any) -> None:
    """tck-id-payloads-sequence-num-incrementing."""
    node.births(FIRST, 0)
    seqs = [google.FromString(node.data({**FIRST, "count/ok": n}, n).payload).seq for n in range(1, 300)]  # type: ignore[union-attr]
    assert seqs[252:256] == [254, 255, 0, 1]


def test_a_rebirth_repeats_bdseq(node: EdgeNode, google: Any) -> None:
    """tck-id-operational-behavior-data-commands-rebirth-action-2, -action-3."""
    first, again = (google.FromString(node.births(FIRST, at)[0].payload) for at in (1, 2))
    assert first.metrics[0].long_value == again.metrics[0].long_value == 5


def test_what_counts_as_a_rebirth_request(google: Any) -> None:
    """tck-id-operational-behavior-data-commands-ncmd-rebirth-name, -ncmd-rebirth-value."""

    def command(name: str, **value: Any) -> bytes:
        body = google()
        metric = body.metrics.add(name=name)
        for key, item in value.items():
            setattr(metric, key, item)
        return body.SerializeToString()

    assert wants_rebirth(command("Node Control/Rebirth", boolean_value=True))
    assert not wants_rebirth(command("Node Control/Rebirth", boolean_value=False))
    assert not wants_rebirth(command("Node Control/Rebirth", int_value=1))
    assert not wants_rebirth(command("Node Control/Reboot", boolean_value=True))
    with pytest.raises(PayloadError):
        wants_rebirth(b"rebirth!")


def _state(online: Any, at_ms: Any) -> bytes:
    return json.dumps({"online": online, "timestamp": at_ms}).encode()


def test_the_primary_hosts_state_is_heard_unless_it_is_older(wait_until: Any) -> None:
    """tck-id-message-flow-edge-node-birth-publish-phid-wait-id, -phid-wait-online, -phid-wait-timestamp.

    Also operational-behavior-edge-node-termination-host-offline-timestamp.
    """
    host = HostState("scada")
    assert host.topic == "spBv1.0/STATE/scada"
    assert host.online is None
    host.observe(host.topic, _state(True, 100))
    host.observe(host.topic, _state(False, 99))
    assert host.online is True
    host.observe(host.topic, _state(False, 100))
    assert host.online is False
    with pytest.raises(PayloadError, match="is not the primary host's topic"):
        host.observe("spBv1.0/STATE/other", _state(True, 200))
    assert host.online is False


@pytest.mark.parametrize(
    "body",
    [b"ONLINE", b"", b"[]", b"null", b'{"online": 1, "timestamp": 5}', b'{"online": true}', b"\xff\xfe", b"[" * 4000,
     b'{"online": true, "timestamp": true}', b'{"online": true, "timestamp": "5"}', b" " * (MAX_STATE_BYTES + 1)],
)  # fmt: skip
def test_a_state_that_is_none_changes_nothing(body: bytes) -> None:
    host = HostState("scada")
    with pytest.raises(PayloadError):
        host.observe(host.topic, body)
    assert host.online is None
