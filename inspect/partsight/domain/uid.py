"""UUIDv7 (RFC 9562): unique, and in the order of time. Python 3.14 is the first to have it."""

from __future__ import annotations

import os
import time
from uuid import UUID


def uuid7(time_ns: int | None = None) -> UUID:
    """48 bits of milliseconds since 1970, 12 bits of their fraction (RFC 9562, 6.2, method 3), 62 random bits."""
    milliseconds, rest_ns = divmod(time.time_ns() if time_ns is None else time_ns, 1_000_000)
    fraction = rest_ns * 4096 // 1_000_000
    random_bits = int.from_bytes(os.urandom(8), "big") & (1 << 62) - 1
    return UUID(int=(milliseconds & (1 << 48) - 1) << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | random_bits)
