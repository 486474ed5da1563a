"""Sparkplug B payloads: the scalar part of the protobuf message, encoded and decoded without a protobuf library.

Field numbers are those of `org.eclipse.tahu.protobuf.Payload`: 1 timestamp, 2 metrics, 3 seq; in a metric 1 name,
2 alias, 3 timestamp, 4 datatype, 5 is_historical, 7 is_null, 10 int, 11 long, 12 float, 13 double, 14 boolean,
15 string, 16 bytes. Data sets, templates and property sets are skipped: the station neither sends nor takes them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum, unique

from partsight.domain.errors import PartsightError

MAX_BYTES = 64 * 1024
MAX_METRICS = 512

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_U64 = (1 << 64) - 1

Value = bool | int | float | str | bytes | None


class PayloadError(PartsightError):
    """Bytes that are not a Sparkplug B payload, or one that is too large."""


@unique
class DataType(IntEnum):
    """Sparkplug's numbers of the scalar types."""

    INT8 = 1
    INT16 = 2
    INT32 = 3
    INT64 = 4
    UINT8 = 5
    UINT16 = 6
    UINT32 = 7
    UINT64 = 8
    FLOAT = 9
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12
    DATE_TIME = 13
    TEXT = 14
    UUID = 15
    BYTES = 17


_SMALL = frozenset({DataType.INT8, DataType.INT16, DataType.INT32, DataType.UINT8, DataType.UINT16, DataType.UINT32})
_LARGE = frozenset({DataType.INT64, DataType.UINT64, DataType.DATE_TIME})
_TEXT = frozenset({DataType.STRING, DataType.TEXT, DataType.UUID})
_SIGNED = {DataType.INT8: 8, DataType.INT16: 16, DataType.INT32: 32, DataType.INT64: 64}


@dataclass(frozen=True, slots=True)
class Metric:
    """One tag. type: None where a decoded message leaves it out. value: None is Sparkplug's null. at_ms: UTC."""

    name: str
    type: DataType | None
    value: Value
    at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Payload:
    """One message. seq: None in an NDEATH and in commands."""

    at_ms: int | None
    metrics: tuple[Metric, ...]
    seq: int | None = None


def encode(payload: Payload, *, types: bool) -> bytes:
    """The payload's bytes. types: births state each metric's datatype, data messages leave it out.

    Raises ValueError where a metric has no type (its value could not be encoded).
    """
    out = bytearray()
    if payload.at_ms is not None:
        out += _key(1, _VARINT) + _varint(payload.at_ms)
    for metric in payload.metrics:
        out += _delimited(2, _metric(metric, types=types))
    if payload.seq is not None:
        out += _key(3, _VARINT) + _varint(payload.seq)
    return bytes(out)


def decode(data: bytes) -> Payload:
    """The payload of `data`. Raises PayloadError."""
    if len(data) > MAX_BYTES:
        raise PayloadError(f"a payload of {len(data)} bytes is too large; {MAX_BYTES} are read")
    at_ms: int | None = None
    seq: int | None = None
    metrics: list[Metric] = []
    for field, value in _fields(data):
        if field == 1 and isinstance(value, int):
            at_ms = value
        elif field == 3 and isinstance(value, int):
            seq = value
        elif field == 2 and isinstance(value, bytes):
            if len(metrics) == MAX_METRICS:
                raise PayloadError(f"a payload with more than {MAX_METRICS} metrics is too large")
            metrics.append(_read_metric(value))
    return Payload(at_ms, tuple(metrics), seq)


def _metric(metric: Metric, *, types: bool) -> bytes:
    if metric.type is None:
        raise ValueError(f"metric {metric.name!r} has no type; its value cannot be encoded")
    out = bytearray(_delimited(1, metric.name.encode()))
    if metric.at_ms is not None:
        out += _key(3, _VARINT) + _varint(metric.at_ms)
    if types:
        out += _key(4, _VARINT) + _varint(int(metric.type))
    return bytes(out) + _value(metric.type, metric.value)


def _value(kind: DataType, value: Value) -> bytes:
    if value is None:
        return _key(7, _VARINT) + b"\x01"
    if isinstance(value, str):
        if kind in _TEXT:
            return _delimited(15, value.encode())
    elif isinstance(value, bytes):
        if kind is DataType.BYTES:
            return _delimited(16, value)
    elif kind is DataType.BOOLEAN:
        return _key(14, _VARINT) + (b"\x01" if value else b"\x00")
    elif kind is DataType.FLOAT:
        return _key(12, _FIXED32) + struct.pack("<f", value)
    elif kind is DataType.DOUBLE:
        return _key(13, _FIXED64) + struct.pack("<d", value)
    elif kind in _SMALL:
        # int_value is a uint32: a negative number stands there as its two's complement of 32 bits.
        return _key(10, _VARINT) + _varint(int(value) & 0xFFFF_FFFF)
    elif kind in _LARGE:
        return _key(11, _VARINT) + _varint(int(value) & _U64)
    raise ValueError(f"{value!r} is not a value of the Sparkplug type {kind.name}")


def _read_metric(data: bytes) -> Metric:
    name, at_ms, number = "", None, None
    null, value = False, None
    for field, raw in _fields(data):
        if field == 1 and isinstance(raw, bytes):
            name = _text(raw)
        elif field == 3 and isinstance(raw, int):
            at_ms = raw
        elif field == 4 and isinstance(raw, int):
            number = raw
        elif field == 7:
            null = bool(raw)
        elif field in _READERS:
            value = _READERS[field](raw)
    kind = DataType(number) if number in _KINDS else None
    if kind in _SIGNED and isinstance(value, int):
        bits = _SIGNED[kind]
        value &= (1 << bits) - 1
        value -= (value >> (bits - 1)) << bits
    return Metric(name, kind, None if null else value, at_ms)


def _integer(raw: int | bytes) -> int:
    if isinstance(raw, bytes):
        raise PayloadError("a metric's integer is not encoded as one")
    return raw


def _boolean(raw: int | bytes) -> bool:
    return bool(_integer(raw))


def _float(raw: int | bytes) -> float:
    return _unpack("<f", raw)


def _double(raw: int | bytes) -> float:
    return _unpack("<d", raw)


def _unpack(form: str, raw: int | bytes) -> float:
    if not isinstance(raw, bytes) or len(raw) != struct.calcsize(form):
        raise PayloadError("a metric's floating-point number is not encoded as one")
    return float(struct.unpack(form, raw)[0])


def _string(raw: int | bytes) -> str:
    if not isinstance(raw, bytes):
        raise PayloadError("a metric's text is not encoded as one")
    return _text(raw)


def _octets(raw: int | bytes) -> bytes:
    if not isinstance(raw, bytes):
        raise PayloadError("a metric's bytes are not encoded as such")
    return raw


_KINDS = {int(kind) for kind in DataType}
_READERS: dict[int, Callable[[int | bytes], Value]] = {
    10: _integer,
    11: _integer,
    12: _float,
    13: _double,
    14: _boolean,
    15: _string,
    16: _octets,
}


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise PayloadError(f"a name or a text is not UTF-8: {error}") from error


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Every field of a message: its number, and an integer (varint) or bytes (all other wire types)."""
    at = 0
    while at < len(data):
        key, at = _read_varint(data, at)
        field, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, at = _read_varint(data, at)
            yield field, value
            continue
        if wire == _BYTES:
            size, at = _read_varint(data, at)
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
        else:
            raise PayloadError(f"not protobuf: field {field} has wire type {wire}")
        if at + size > len(data):
            raise PayloadError(f"not protobuf: field {field} ends {at + size - len(data)} bytes behind the message")
        yield field, data[at : at + size]
        at += size


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise PayloadError("not protobuf: a number does not end")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & _U64, at
        shift += 7


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _key(field: int, wire: int) -> bytes:
    return _varint(field << 3 | wire)


def _delimited(field: int, data: bytes) -> bytes:
    return _key(field, _BYTES) + _varint(len(data)) + data
