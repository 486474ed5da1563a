"""Reads the map as fast as it goes and says how often it was torn. Arguments: port, results to see."""

from __future__ import annotations

import json
import sys
import time

from pymodbus.client import ModbusTcpClient


def words_of(id_: int) -> list[int]:
    """What the publisher writes for an id: result, action, code, defects, part (2), encoder (2)."""
    bad = id_ % 3 == 0
    encoder = id_ * 65_537
    return [
        2 if bad else 1,
        1 if bad else 0,
        1000 + id_ % 6 if bad else 0,
        1 if bad else 0,
        0,
        id_,
        encoder >> 16,
        encoder & 0xFFFF,
    ]


def main(port: int, last: int) -> None:
    client = ModbusTcpClient("127.0.0.1", port=port, timeout=5, retries=0)
    client.connect()
    seen: set[int] = set()
    torn: list[str] = []
    toggles = 0
    before: tuple[int, int] | None = None
    reads = 0
    end = time.monotonic() + 20
    while time.monotonic() < end:
        words = client.read_holding_registers(0, count=28).registers
        ring = client.read_holding_registers(64, count=64).registers
        reads += 1
        id_, toggle = words[5], words[2] >> 6 & 1
        if id_ and words[6:14] != words_of(id_):
            torn.append(f"shown {id_}: {words[6:14]}")
        if before is not None and id_ == before[0] and toggle != before[1]:
            torn.append(f"toggle changed under {id_}")
        toggles += before is not None and toggle != before[1]
        before = (id_, toggle)
        for slot in range(0, 64, 8):
            entry = ring[slot : slot + 8]
            expected = words_of(entry[0])
            if entry[0] and entry[1:6] != [*expected[:3], *expected[6:8]]:
                torn.append(f"ring {entry}")
            seen.add(entry[0])
        if id_ == last:
            break
    print(json.dumps({"reads": reads, "seen": len(seen - {0}), "toggles": toggles, "torn": torn[:5]}))


main(int(sys.argv[1]), int(sys.argv[2]))
