"""Modbus TCP connections: who may connect, and requests answered in order.

Frames and messages are pymodbus's. Its server class is not used: it keeps one request a connection, so that of two
in one packet the first is lost (3.16), and it does not say which peer asks.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from typing import Protocol, cast

import structlog
from pymodbus.constants import ExcCodes
from pymodbus.datastore import ModbusServerContext
from pymodbus.exceptions import ModbusException
from pymodbus.framer import FramerSocket
from pymodbus.pdu import DecodePDU, ExceptionResponse, ModbusPDU

log = structlog.get_logger(__name__)

HEADER_BYTES = 7
LONGEST_BYTES = 254
"""Unit, function and data, as the protocol bounds them."""
WAITING_BYTES = 2048
"""A peer that sends more without waiting for answers, or leaves more of them unread, is closed."""

READ_HOLDING, READ_INPUT, WRITE_ONE, WRITE_MANY, MASK_WRITE, READ_WRITE = 3, 4, 6, 16, 22, 23
SERVED = frozenset({READ_HOLDING, READ_INPUT, WRITE_ONE, WRITE_MANY, MASK_WRITE, READ_WRITE})


class Registers(Protocol):
    """What the connections read and write; None: there is no such register, or not for writing. Never raises."""

    def read(self, address: int, count: int) -> list[int] | None: ...

    def read_back(self, address: int, count: int) -> list[int] | None: ...

    def write(self, address: int, values: Sequence[int], peer: str) -> bool: ...


class _Context:
    """The registers as pymodbus's messages ask for them, for one peer."""

    def __init__(self, registers: Registers, peer: str) -> None:
        self._registers = registers
        self._peer = peer

    async def async_getValues(  # noqa: N802 - pymodbus's name
        self, _device_id: int, function: int, address: int, count: int = 1
    ) -> list[int] | ExcCodes:
        # What was written is read back by function 4, and by the writing functions themselves.
        holding = function in (READ_HOLDING, READ_WRITE)
        words = self._registers.read(address, count) if holding else self._registers.read_back(address, count)
        return ExcCodes.ILLEGAL_ADDRESS if words is None else words

    async def async_setValues(  # noqa: N802 - pymodbus's name
        self, _device_id: int, _function: int, address: int, values: Sequence[int]
    ) -> ExcCodes | None:
        return None if self._registers.write(address, values, self._peer) else ExcCodes.ILLEGAL_ADDRESS


class Connections:
    """Who is connected. One event loop calls all of it; the counts may be read from anywhere."""

    def __init__(
        self,
        registers: Registers,
        allows: Callable[[str], bool],
        most: int,
        *,
        on_refused: Callable[[str, str], None],
    ) -> None:
        self.registers = registers
        self.decoder = DecodePDU(True)
        self.refused = 0
        self.requests = 0
        self.garbage = 0
        self._allows = allows
        self._most = most
        self._on_refused = on_refused
        self._open: set[Connection] = set()

    def __len__(self) -> int:
        return len(self._open)

    def accept(self, connection: Connection) -> bool:
        """May it stay?"""
        why = ""
        if not self._allows(connection.peer):
            why = "its address is not in modbus.peers"
        elif len(self._open) >= self._most:
            why = f"{self._most} connections are open already (modbus.connections)"
        if why:
            self.refused += 1
            self._on_refused(connection.peer, why)
            return False
        self._open.add(connection)
        return True

    def forget(self, connection: Connection) -> None:
        """It is closed."""
        self._open.discard(connection)

    def close_all(self) -> None:
        """Hang up."""
        for connection in tuple(self._open):
            connection.hang_up()


class Connection(asyncio.Protocol):
    """One peer. Each request is answered before the next is looked at."""

    def __init__(self, connections: Connections) -> None:
        self.peer = ""
        self._connections = connections
        self._framer = FramerSocket(connections.decoder)
        self._transport: asyncio.Transport | None = None
        self._waiting = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let it in, or hang up before a byte is read."""
        self._transport = cast(asyncio.Transport, transport)
        self.peer = str((transport.get_extra_info("peername") or ("unknown",))[0])
        if not self._connections.accept(self):
            self._transport.abort()
            self._transport = None
            return
        _keep_alive(transport.get_extra_info("socket"))

    def connection_lost(self, exc: Exception | None) -> None:
        """The peer has gone away."""
        self._connections.forget(self)
        self._transport = None

    def hang_up(self) -> None:
        """Close it."""
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Answer every whole request that is there."""
        self._waiting += data
        while self._transport is not None and len(self._waiting) > HEADER_BYTES:
            protocol = int.from_bytes(self._waiting[2:4], "big")
            length = int.from_bytes(self._waiting[4:6], "big")
            if protocol or not 2 <= length <= LONGEST_BYTES:
                self._give_up("what it sends is not Modbus TCP")
            elif len(self._waiting) < length + 6:
                break
            else:
                frame = bytes(self._waiting[: length + 6])
                del self._waiting[: length + 6]
                self._transport.write(self._framer.buildFrame(self._answer(frame)))
        if len(self._waiting) > WAITING_BYTES or self._unread() > 16 * WAITING_BYTES:
            self._give_up("it sends without waiting for answers")

    def _unread(self) -> int:
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def _give_up(self, why: str) -> None:
        self._connections.garbage += 1
        log.warning("modbus connection closed", peer=self.peer, why=why)
        self._waiting.clear()
        if self._transport is not None:
            self._transport.abort()
        self._transport = None

    def _answer(self, frame: bytes) -> ModbusPDU:
        self._connections.requests += 1
        function, unit, number = frame[7], frame[6], int.from_bytes(frame[0:2], "big")
        response = self._response(frame, function & 0x7F)
        response.dev_id, response.transaction_id = unit, number
        return response

    def _response(self, frame: bytes, function: int) -> ModbusPDU:
        if function not in SERVED or frame[7] & 0x80:
            return ExceptionResponse(function, ExcCodes.ILLEGAL_FUNCTION)
        try:
            _, request = self._framer.handleFrame(frame, 0, 0)
        except ModbusException:
            return ExceptionResponse(function, ExcCodes.ILLEGAL_VALUE)
        if request is None:
            return ExceptionResponse(function, ExcCodes.ILLEGAL_VALUE)
        context = cast(ModbusServerContext, _Context(self._connections.registers, self.peer))
        return _run(request, context)


def _run(request: ModbusPDU, context: ModbusServerContext) -> ModbusPDU:
    """Carry it out at once: with our context none of these messages ever waits."""
    step = request.datastore_update(context, request.dev_id)
    try:
        step.send(None)
    except StopIteration as done:
        return cast(ModbusPDU, done.value)
    step.close()
    raise RuntimeError(f"a Modbus request of function {request.function_code} waits for something")


def quiet_pymodbus() -> None:
    """Its own lines would let any peer fill the log; what matters is counted and said by us."""
    logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)


def _keep_alive(connected: socket.socket) -> None:
    """Find out within half a minute that a PLC was unplugged, so that its place is free again."""
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, seconds in (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, option):
            connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), seconds)
