"""The Modbus output: verdicts into registers, the PLC's words into commands.

Threads: `publish` and `tell` come from the station's and return in microseconds; a thread of ours runs the event
loop, which answers the PLC and counts the heartbeat; another carries out the commands that take their time. The lock
is held for memory only, never for a command.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from partsight.domain.inspection import Inspection
from partsight.domain.messages import Event, Exposed, Latched, Missed
from partsight.domain.ports import CommandSink
from partsight.outputs.modbus.clerk import Clerk
from partsight.outputs.modbus.desk import Desk
from partsight.outputs.modbus.image import Image
from partsight.outputs.modbus.server import Connection, Connections, quiet_pymodbus
from partsight.outputs.modbus.settings import ModbusSettings
from partsight.outputs.modbus.sparing import Audit, Sparing

log = structlog.get_logger(__name__)

BEAT_S = 0.1
RETRY_S = 2.0
FAULT_EVERY_S = 1.0
TROUBLE, FAULT = "modbus", "modbus/failed"

Report = Callable[[str, str, str], None]


@dataclass(frozen=True, slots=True)
class ModbusHealth:
    """listening: the port is open. beats: what register 1 has counted since the start. late: passes that came here
    after their deadline and were shown as rejects. overruns: results that found no free slot."""

    listening: bool
    connections: int
    requests: int
    refused: int
    garbage: int
    beats: int
    commands: int
    commands_refused: int
    commands_waiting: int
    overruns: int
    late: int
    problem: str = ""
    cure: str = ""


class ModbusOutput:
    """An `Output` that also takes commands.

    acknowledge: the PLC takes each result (`[line] acknowledge`): eight that it has not taken end Ready, and none is
        overwritten.
    configuration: text whose CRC-16 a PLC may compare (the configuration's hash).
    audit: told (source, what was asked and what came of it), for all but triggers, acknowledgements and heartbeats.
    on_fault(key, text, cure): something failed for a reason that nobody foresaw; the station must become ERROR.
    on_trouble(key, text, cure), on_clear(key): the port cannot be opened, and is open again; without on_trouble that
        is a fault too. All of them come from threads of ours.
    """

    def __init__(
        self,
        settings: ModbusSettings,
        *,
        acknowledge: bool = False,
        configuration: str = "",
        clock_ok: Callable[[], bool] = lambda: True,
        audit: Audit = lambda _source, _what: None,
        on_fault: Report = lambda _key, _text, _cure: None,
        on_trouble: Report | None = None,
        on_clear: Callable[[str], None] = lambda _key: None,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._settings = settings
        self._on_fault = on_fault
        self._on_trouble = on_trouble or on_fault
        self._on_clear = on_clear
        self._image = Image(acknowledge, configuration, clock_ok, monotonic_ns)
        self._clerk = Clerk(audit, self._fault)
        self._sparing = Sparing(self._clerk.note, monotonic_ns)
        self._desk = Desk(settings, self._image, self._clerk, self._sparing, acknowledge=acknowledge)
        self._connections = Connections(self, settings.allows, settings.connections, on_refused=self._on_refused)
        self._sink: CommandSink | None = None
        self._thread = threading.Thread(target=self._run, name="modbus", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._settled = threading.Event()
        self._stop_asked = threading.Event()
        self._port = 0
        self._problem = ("", "")
        self._last_fault = ("", 0.0)

    # --- what the station calls -----------------------------------------------------------------

    def attach(self, sink: CommandSink) -> None:
        """Whose status is shown and who takes the commands; before that, register 2 says not online."""
        self._sink = sink
        self._image.attach(sink)
        self._desk.attach(sink)
        self._clerk.attach(sink)

    def publish(self, inspection: Inspection) -> None:
        """Show a verdict. All of its words change in one step as seen by any read."""
        self._image.publish(inspection)
        self._desk.note(inspection)

    def tell(self, event: Event) -> None:
        """Follow the hand-shake of the part under the cameras."""
        if isinstance(event, Latched):
            self._image.latched(event.trigger.id)
        elif isinstance(event, Exposed):
            self._image.exposed(event.trigger.id)
        elif isinstance(event, Missed):
            self._image.missed(event.trigger.id)

    def start(self, wait_s: float = 2.0) -> None:
        """Begin to listen; returns when the port is open or was found taken (then it is tried again)."""
        quiet_pymodbus()
        self._clerk.start()
        self._thread.start()
        self._settled.wait(wait_s)

    def stop(self, timeout_s: float = 5.0) -> bool:
        """Say not online, hang up. False where the thread did not end in time."""
        self._image.go_offline()
        self._stop_asked.set()
        loop, stopping = self._loop, self._stopping
        if loop is not None and stopping is not None and not loop.is_closed():
            try:
                loop.call_soon_threadsafe(stopping.set)
            except RuntimeError:  # it closed in this very moment
                log.debug("the modbus loop had ended")
        end = time.monotonic() + timeout_s
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        ended = self._clerk.stop(max(end - time.monotonic(), 0.0))
        return ended and not self._thread.is_alive()

    @property
    def port(self) -> int:
        """The port that is listened on, 0 while none is."""
        return self._port

    @property
    def line_speed_mm_s(self) -> int:
        """What the PLC said last."""
        return self._desk.line_speed_mm_s

    def health(self) -> ModbusHealth:
        """Counts since the start."""
        connections, image, desk = self._connections, self._image, self._desk
        return ModbusHealth(
            listening=self._port != 0,
            connections=len(connections),
            requests=connections.requests,
            refused=connections.refused,
            garbage=connections.garbage,
            beats=image.beats,
            commands=desk.done + self._clerk.done,
            commands_refused=desk.refused + self._clerk.refused,
            commands_waiting=self._clerk.given - self._clerk.finished,
            overruns=image.overruns,
            late=image.late,
            problem=self._problem[0],
            cure=self._problem[1],
        )

    # --- what the connections call (Registers), in the event loop ----------------------------------

    def read(self, address: int, count: int) -> list[int] | None:
        """Words of the map, from one moment."""
        return self._image.read(address, count) or self.read_back(address, count)

    def read_back(self, address: int, count: int) -> list[int] | None:
        """What the PLC wrote."""
        return self._desk.words(address, count)

    def write(self, address: int, values: Sequence[int], peer: str) -> bool:
        """Take the PLC's words and do what their edges ask for."""
        return self._desk.write(address, values, f"modbus/{peer}")

    # --- the thread -------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:  # the thread's top
            self._port = 0
            self._fault(f"the Modbus server ended: {error!r}", "restart the station; the log has the whole error")
            log.exception("the Modbus server ended")
        finally:
            self._settled.set()

    async def _serve(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        self._loop.set_exception_handler(self._on_loop_error)
        while not (self._stopping.is_set() or self._stop_asked.is_set()):
            listening = await self._listen()
            self._settled.set()
            if listening is None:
                await _within(self._stopping, RETRY_S)
                continue
            try:
                await self._beat()
            finally:
                self._port = 0
                listening.close()
                self._connections.close_all()
        await asyncio.sleep(0)  # the hung-up connections close in this step

    async def _listen(self) -> asyncio.Server | None:
        settings = self._settings
        try:
            address = settings.address()
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            bound = socket.create_server((address, settings.port), family=family, backlog=16)
        except OSError as error:
            self._trouble(
                f"Modbus cannot listen at {settings.interface}, port {settings.port}: {error}",
                "see that the interface is up and no other program has the port; it is tried again by itself",
            )
            return None
        assert self._loop is not None
        server = await self._loop.create_server(lambda: Connection(self._connections), sock=bound)
        self._port = int(bound.getsockname()[1])
        if self._problem[0]:
            self._problem = ("", "")
            self._on_clear(TROUBLE)
        log.info("modbus listens", address=address, port=self._port)
        return server

    async def _beat(self) -> None:
        """Ten a second, while the station lives; a hung loop of ours does not count either."""
        assert self._stopping is not None
        due = time.monotonic()
        while not self._stopping.is_set():
            sink = self._sink
            if sink is not None and sink.alive():
                self._image.beat()
            due = max(due + BEAT_S, time.monotonic())
            await _within(self._stopping, due - time.monotonic())

    def _on_loop_error(self, _: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        """asyncio ends the connection and goes on where a request raised: people must know all the same."""
        error = context.get("exception") or context.get("message")
        self._fault(f"a Modbus request could not be carried out: {error!r}", "the log has the whole error; report it")
        log.error("modbus request failed", error=repr(error))

    def _on_refused(self, peer: str, why: str) -> None:
        if self._sparing(f"modbus/{peer}", f"connection refused: {why}"):
            log.warning("modbus connection refused", peer=peer, why=why)

    def _fault(self, text: str, cure: str) -> None:
        """At most once a second for the same: a PLC polls a hundred times, and each may fail."""
        now = time.monotonic()
        if text == self._last_fault[0] and now - self._last_fault[1] < FAULT_EVERY_S:
            return
        self._last_fault = (text, now)
        self._on_fault(FAULT, text, cure)

    def _trouble(self, text: str, cure: str) -> None:
        if self._problem[0] != text:
            self._problem = (text, cure)
            self._on_trouble(TROUBLE, text, cure)


async def _within(event: asyncio.Event, seconds: float) -> bool:
    """Wait for the event; False where the time was over first."""
    try:
        await asyncio.wait_for(event.wait(), max(seconds, 0.001))
    except (asyncio.TimeoutError, TimeoutError):
        return False
    return True
