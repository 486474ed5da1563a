"""Our encoder and decoder against Google's, in both directions, and against bytes that are neither."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partsight.outputs.sparkplug.payload import (
    MAX_BYTES,
    MAX_METRICS,
    DataType,
    Metric,
    Payload,
    PayloadError,
    decode,
    encode,
)

MS = st.integers(0, 2**63 - 1)
BOUNDS = {
    DataType.INT8: (-(2**7), 2**7 - 1), DataType.INT16: (-(2**15), 2**15 - 1), DataType.INT32: (-(2**31), 2**31 - 1),
    DataType.INT64: (-(2**63), 2**63 - 1), DataType.UINT8: (0, 2**8 - 1), DataType.UINT16: (0, 2**16 - 1),
    DataType.UINT32: (0, 2**32 - 1), DataType.UINT64: (0, 2**64 - 1), DataType.DATE_TIME: (0, 2**63 - 1),
}  # fmt: skip


def _values(kind: DataType) -> st.SearchStrategy[Any]:
    if kind in BOUNDS:
        return st.integers(*BOUNDS[kind])
    if kind is DataType.FLOAT:
        return st.floats(width=32, allow_nan=False)
    if kind is DataType.DOUBLE:
        return st.floats(allow_nan=False)
    if kind is DataType.BOOLEAN:
        return st.booleans()
    return st.binary(max_size=300) if kind is DataType.BYTES else st.text(max_size=100)


METRICS = st.sampled_from(DataType).flatmap(
    lambda kind: st.builds(Metric, st.text(max_size=40), st.just(kind), st.none() | _values(kind), st.none() | MS)
)
PAYLOADS = st.builds(
    Payload, st.none() | MS, st.lists(METRICS, max_size=20).map(tuple), st.none() | st.integers(0, 255)
)
FIELD_OF = {
    **dict.fromkeys(BOUNDS, "int_value"), DataType.INT64: "long_value", DataType.UINT64: "long_value",
    DataType.DATE_TIME: "long_value", DataType.FLOAT: "float_value", DataType.DOUBLE: "double_value",
    DataType.BOOLEAN: "boolean_value", DataType.STRING: "string_value", DataType.TEXT: "string_value",
    DataType.UUID: "string_value", DataType.BYTES: "bytes_value",
}  # fmt: skip


@given(PAYLOADS)
def test_google_reads_what_we_write(google: Any, payload: Payload) -> None:
    """tck-id-payloads-metric-datatype-value, -value-type, topics: the payload is Sparkplug protobuf."""
    read = google.FromString(encode(payload, types=True))
    assert (read.timestamp if read.HasField("timestamp") else None) == payload.at_ms
    assert (read.seq if read.HasField("seq") else None) == payload.seq
    assert len(read.metrics) == len(payload.metrics)
    for theirs, ours in zip(read.metrics, payload.metrics, strict=True):
        assert (theirs.name, theirs.datatype, theirs.is_null) == (ours.name, ours.type, ours.value is None)
        if ours.value is not None:
            assert theirs.WhichOneof("value") == FIELD_OF[ours.type]
            value = getattr(theirs, FIELD_OF[ours.type])
            bits = 64 if FIELD_OF[ours.type] == "long_value" else 32
            assert value == (ours.value % 2**bits if ours.type in BOUNDS else ours.value)


@given(PAYLOADS)
def test_we_read_what_google_writes(google: Any, payload: Payload) -> None:
    theirs = google()
    theirs.ParseFromString(encode(payload, types=True))
    for metric in theirs.metrics:
        metric.alias = 7  # what we do not use is passed over
    theirs.uuid, theirs.body = "u", b"b"
    assert decode(theirs.SerializeToString()) == payload


@given(PAYLOADS)
def test_data_messages_leave_the_datatype_out(google: Any, payload: Payload) -> None:
    """tck-id-payloads-metric-datatype-not-req."""
    assert not any(m.HasField("datatype") for m in google.FromString(encode(payload, types=False)).metrics)


def _read(data: bytes) -> Payload | str:
    """What was read, or why not; any other exception is the defect that the tests look for."""
    try:
        return decode(data)
    except PayloadError as error:
        return str(error)


@given(st.binary(max_size=200))
def test_bytes_that_are_no_payload_are_refused_and_nothing_else_happens(data: bytes) -> None:
    assert _read(data)


@given(PAYLOADS, st.data())
def test_a_payload_that_is_cut_or_flipped_never_breaks_the_reader(payload: Payload, draw: st.DataObject) -> None:
    data = bytearray(encode(payload, types=True))
    if data:
        data[draw.draw(st.integers(0, len(data) - 1))] ^= draw.draw(st.integers(1, 255))
        del data[draw.draw(st.integers(0, len(data))) :]
    assert _read(bytes(data))


def test_a_payload_that_is_too_large_is_refused(google: Any) -> None:
    with pytest.raises(PayloadError, match="too large"):
        decode(b"\x12" + b"\x00" * MAX_BYTES)
    crowd = google()
    for _ in range(MAX_METRICS + 1):
        crowd.metrics.add(name="m")
    with pytest.raises(PayloadError, match="more than 512"):
        decode(crowd.SerializeToString())


def test_a_value_that_does_not_fit_its_type_is_a_mistake_of_ours() -> None:
    for kind, value in ((DataType.STRING, 3), (DataType.INT32, "3"), (DataType.BOOLEAN, b"x")):
        with pytest.raises(ValueError, match="is not a value of"):
            encode(Payload(None, (Metric("m", kind, value),)), types=True)
    with pytest.raises(ValueError, match="has no type"):
        encode(Payload(None, (Metric("m", None, 3),)), types=True)
