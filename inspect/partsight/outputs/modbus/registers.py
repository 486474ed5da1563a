"""The register map (docs/plc/modbus.md), version 1: addresses, bits, and numbers of more than one word.

All are holding registers of 16 bits; a number of 32 bits has its high word first.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag, unique

MAP_VERSION = 1
RESULTS = 8
"""Results that the ring holds."""
RING = 64
RING_WORDS = 8
"""Words of one result in the ring: id, result, action, code, encoder (2), age in ms, flags."""
FIRST_WRITTEN, LAST_WRITTEN = 100, 109
LAST_READ = 27


@unique
class Read(IntEnum):
    """What the station says."""

    VERSION = 0
    HEARTBEAT = 1
    STATUS = 2
    PACKML = 3
    TRIGGER_ID = 4
    RESULT_ID = 5
    RESULT = 6
    ACTION = 7
    CODE = 8
    DEFECTS = 9
    PART = 10
    ENCODER = 12
    VERDICT_TIME = 14
    ERROR = 15
    RECIPE = 16
    MODEL_CRC = 17
    CONFIGURATION_CRC = 18
    EPOCH = 19
    TOTAL = 20
    OK = 22
    NG = 24
    UNDECIDED = 26


@unique
class Write(IntEnum):
    """What the PLC says."""

    HEARTBEAT = 100
    CONTROL = 101
    ACKNOWLEDGED = 102
    RECIPE = 103
    PART = 104
    ENCODER = 106
    REJECTS_CONFIRMED = 108
    LINE_SPEED = 109


@unique
class Status(IntFlag):
    """Bits of register 2."""

    ONLINE = 1 << 0
    READY = 1 << 1
    TRIGGER_ACK = 1 << 2
    EXPOSURE_COMPLETE = 1 << 3
    BUSY = 1 << 4
    RESULT_VALID = 1 << 5
    RESULT_TOGGLE = 1 << 6
    OVERRUN = 1 << 7
    ERROR = 1 << 8
    RECIPE_VALID = 1 << 9
    LINE_STOP = 1 << 10
    CHALLENGE_DUE = 1 << 11
    BYPASS = 1 << 12
    SIMULATED = 1 << 13
    CLOCK_OK = 1 << 14


@unique
class Control(IntFlag):
    """Bits of register 101; each acts on its rising edge, RUN on both."""

    TRIGGER_ENABLE = 1 << 0
    TRIGGER = 1 << 1
    RESULT_ACK = 1 << 2
    CLEAR_ERROR = 1 << 3
    RESET = 1 << 4
    RECIPE_STROBE = 1 << 5
    RUN = 1 << 6
    CHALLENGE = 1 << 7


@unique
class Flag(IntFlag):
    """Bits of a ring entry's last word."""

    ACKNOWLEDGED = 1 << 0
    LATE = 1 << 1
    SIMULATED = 1 << 2
    BYPASS = 1 << 3


def two_words(number: int) -> tuple[int, int]:
    """High and low word of `number` modulo 2**32."""
    return (number >> 16) & 0xFFFF, number & 0xFFFF


def from_two_words(high: int, low: int) -> int:
    """The number of which these are the words."""
    return (high << 16) | low


def one_word(number: float) -> int:
    """`number` held inside 0..65535: a figure too large for its word stays at the top and never wraps."""
    return max(0, min(0xFFFF, int(number)))
