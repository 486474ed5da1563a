"""A controller's side of the line over Modbus TCP: polls the map, as a PLC's master does."""

from __future__ import annotations

import time

from pymodbus.client import ModbusTcpClient
from pymodbus.exceptions import ModbusException

from partsight.outputs.modbus.registers import (
    LAST_READ,
    MAP_VERSION,
    RESULTS,
    RING,
    RING_WORDS,
    Control,
    Read,
    Status,
    Write,
    two_words,
)
from partsight.outputs.modbus.server import quiet_pymodbus
from partsight.testing.plc.link import Beat, Heard, Latch, LinkUnavailable, StationWord
from partsight.testing.plc.tracking import Answered

AGAIN_S = 0.2
ANSWER_S = 0.3


class ModbusLink:
    """One connection, opened again where it was lost. The id of a part is the station's (register 4)."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._client = ModbusTcpClient(host, port=port, timeout=ANSWER_S, retries=0)
        self._again_at = 0.0
        self._up = False
        self._control = Control.TRIGGER_ENABLE | Control.RUN
        self._beats = 0
        self._confirmed = 0
        self._ring: list[tuple[int, ...]] = [()] * RESULTS
        self._latches: list[Heard] = []

    def open(self, timeout_s: float) -> None:
        """Connect, and see that it is the map that we know. Raises LinkUnavailable."""
        quiet_pymodbus()
        end = time.monotonic() + timeout_s
        while not self._connect():
            if time.monotonic() > end:
                raise LinkUnavailable(
                    f"no Modbus server at {self._host}:{self._port}: is [modbus] enabled there, and this machine "
                    "among its peers?"
                )
            time.sleep(0.05)
        version = self._read(Read.VERSION, 1)
        if version != [MAP_VERSION]:
            self.close()
            raise LinkUnavailable(f"{self._host}:{self._port} has register map {version}, {MAP_VERSION} is known here")

    def poll(self) -> list[Heard]:
        """One read of the first registers, and one of the ring where a result has come."""
        if not self._connect():
            return []
        heard, self._latches = self._latches, []
        words = self._read(0, LAST_READ + 1)
        if words is None:
            return heard
        status, epoch = Status(words[Read.STATUS]), words[Read.EPOCH]
        ready = Status.ONLINE in status and Status.READY in status
        heard.append(Beat(epoch, words[Read.HEARTBEAT], ready, words[Read.PACKML], words[Read.TRIGGER_ID]))
        heard.append(StationWord(Status.ERROR in status, Status.LINE_STOP in status))
        heard += self._results(epoch)
        return heard

    def trigger(self, number: int, id_: int, encoder: int) -> int:
        """Edge, id, edge back: three requests of a fraction of a millisecond each."""
        if not self._up:
            return 0
        high = self._control | Control.TRIGGER
        sent = self._write(Write.PART, *two_words(number), *two_words(encoder)) and self._write(Write.CONTROL, high)
        words = self._read(Read.STATUS, 3) if sent else None
        self._write(Write.CONTROL, self._control)
        if words is None:
            return 0
        given = words[2]
        if given:
            self._latches.append(Latch(given, Status.TRIGGER_ACK in Status(words[0])))
        return given

    def acknowledge(self, id_: int) -> None:
        """Id first, then the edge."""
        self._pulse(Control.RESULT_ACK, id_)

    def beat(self) -> None:
        """Count on."""
        self._beats = (self._beats + 1) & 0xFFFF
        self._write(Write.HEARTBEAT, self._beats)

    def confirm_reject(self, id_: int, *, confirmed: bool) -> None:
        """The map has a count of confirmed rejects only: a missing one shows by its absence."""
        if confirmed:
            self._confirmed = (self._confirmed + 1) & 0xFFFF
            self._write(Write.REJECTS_CONFIRMED, self._confirmed)

    def operator(self, *, error: bool) -> None:
        """Acknowledge, then a new edge of Run."""
        if error:
            self._pulse(Control.CLEAR_ERROR)
        self._write(Write.CONTROL, self._control & ~Control.RUN)
        self._write(Write.CONTROL, self._control)

    def close(self) -> None:
        """Hang up."""
        self._client.close()  # type: ignore[no-untyped-call]  # pymodbus leaves it untyped
        self._up = False

    def _results(self, epoch: int) -> list[Heard]:
        ring = self._read(RING, RESULTS * RING_WORDS)
        if ring is None:
            return []
        fresh = []
        for slot in range(RESULTS):
            entry = tuple(ring[slot * RING_WORDS : (slot + 1) * RING_WORDS])
            # All but its age and flags: an acknowledged result is still the same one.
            key = entry[:6]
            if entry[0] and key != self._ring[slot]:
                fresh.append((entry[6], Answered(epoch, entry[0], entry[2], entry[1], entry[3])))
            self._ring[slot] = key
        return [answered for _, answered in sorted(fresh, key=lambda f: -f[0])]

    def _connect(self) -> bool:
        """Connected now? A lost server is tried again a few times a second."""
        if self._up:
            return True
        if time.monotonic() < self._again_at:
            return False
        self._again_at = time.monotonic() + AGAIN_S
        self.close()
        if not self._client.connect():  # type: ignore[no-untyped-call]  # pymodbus leaves it untyped
            return False
        self._up = True
        # What a server held before is of another life; the hand-shake begins with every bit low but these.
        self._ring = [()] * RESULTS
        return self._write(Write.CONTROL, Control(0)) and self._write(Write.CONTROL, self._control)

    def _pulse(self, bit: Control, id_: int | None = None) -> None:
        words = [int(self._control | bit)] + ([] if id_ is None else [id_])
        self._write(Write.CONTROL, *words)
        self._write(Write.CONTROL, self._control)

    def _read(self, address: int, count: int) -> list[int] | None:
        try:
            answer = self._client.read_holding_registers(address, count=count)
        except (ModbusException, OSError):
            self.close()
            return None
        return None if answer.isError() else list(answer.registers)

    def _write(self, address: int, *words: int) -> bool:
        if not self._up:
            return False
        try:
            return not self._client.write_registers(address, [int(word) for word in words]).isError()
        except (ModbusException, OSError):
            self.close()
            return False
