"""The OPC UA server as an output: a thread of its own with an asyncio loop, fed by a bounded queue."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from partsight.domain.errors import ConfigError, Mistake
from partsight.domain.inspection import Inspection
from partsight.domain.messages import Event
from partsight.domain.ports import CommandSink
from partsight.outputs.opcua.desk import Audit, Desk
from partsight.outputs.opcua.settings import OpcUaSettings

if TYPE_CHECKING:
    from partsight.outputs.opcua.service import Service

QUEUE = 256
RETRY_S, LONGEST_RETRY_S = 2.0, 60.0
"""Between tries, doubling: building the address space costs seconds of a core."""

OnFault = Callable[[str, str, str], None]
"""Told `key`, `text` and `cure` of what stopped the server."""


@dataclass(frozen=True, slots=True)
class OpcUaHealth:
    """How the server is. problem: why it does not listen, "" else.

    clients: connections now. sent: result events. dropped: results that a full queue pushed out, the oldest first.
    certificate_days: until the server's own certificate runs out, None without one.
    """

    listening: bool = False
    clients: int = 0
    sent: int = 0
    dropped: int = 0
    certificate_days: int | None = None
    problem: str = ""


class OpcUaOutput:
    """VisionSystem on `opc.tcp://host:port/partsight`.

    `publish` leaves a result in a queue of 256 and never waits; the server's loop looks there every 20 ms. Results
    here are live news, not records: what a full queue drops is in the records.

    folder: keeps the server's certificate in `opcua/`. station: the name in the application's URI.
    configuration: hash of the station's configuration, shown as InternalConfigurationId.
    """

    def __init__(
        self,
        settings: OpcUaSettings,
        folder: Path,
        station: str,
        *,
        configuration: str = "",
        on_fault: OnFault | None = None,
        audit: Audit | None = None,
    ) -> None:
        if find_spec("asyncua") is None:
            raise ConfigError(
                [Mistake("", "opcua", "asyncua is not installed", "pip install 'partsight[opcua]', or remove [opcua]")]
            )
        self._settings, self._folder, self._station = settings, folder, station
        self._configuration, self._on_fault, self._audit = configuration, on_fault, audit
        self._sink: CommandSink | None = None
        self._results: deque[Inspection] = deque(maxlen=QUEUE)
        self._lock = threading.Lock()
        self._dropped = 0
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._health = OpcUaHealth()

    def attach(self, sink: CommandSink) -> None:
        """Where methods go and states come from. Before `start`."""
        self._sink = sink

    def start(self) -> None:
        """Begin to listen (it takes a second or two; see `health`).

        Raises ConfigError for certificates that cannot be used, RuntimeError without a sink.
        """
        if self._sink is None:
            raise RuntimeError("attach a station before the start")
        from partsight.outputs.opcua.service import Service

        # A stranger's garbage would fill the log with tracebacks; what concerns the station is in our health.
        logging.getLogger("asyncua").setLevel(logging.CRITICAL)
        service = Service(
            self._settings, self._folder / "opcua", self._station, self._configuration, Desk(self._sink, self._audit)
        )
        if service.until is not None:
            days = int((service.until.timestamp() - time.time()) // 86_400)
            self._note(certificate_days=days)
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, args=(service, self._sink), name="opcua", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> bool:
        """Close every connection. False where the thread did not end in time."""
        self._stopping.set()
        if self._thread is None:
            return True
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def publish(self, inspection: Inspection) -> None:
        """The result goes out as an event within some 20 ms."""
        with self._lock:
            self._dropped += len(self._results) == QUEUE
            self._results.append(inspection)

    def tell(self, event: Event) -> None:
        """States and faults are read from the status; nothing to note."""

    def health(self) -> OpcUaHealth:
        """A frozen snapshot."""
        return replace(self._health, dropped=self._dropped)

    # --- the server's thread ---------------------------------------------------------------------

    def _run(self, service: Service, sink: CommandSink) -> None:
        pause_s = RETRY_S
        while not self._stopping.is_set():
            try:
                asyncio.run(service.serve(sink, self._take, self._note, self._stopping))
            except OSError as problem:
                self._note(listening=False, problem=f"cannot listen on {service.url}: {problem.strerror or problem}")
            except Exception as defect:  # noqa: BLE001 - a thread's top: whatever it is, people must see it
                self._note(listening=False, problem=f"{type(defect).__name__}: {defect}")
                if self._on_fault is not None:
                    self._on_fault("opcua", f"the OPC UA server met an error: {defect!r}", "see the log; report it")
            self._note(listening=False, clients=0)
            self._stopping.wait(pause_s)
            pause_s = min(LONGEST_RETRY_S, pause_s * 2)

    def _take(self) -> Inspection | None:
        with self._lock:
            return self._results.popleft() if self._results else None

    def _note(self, **changes: Any) -> None:
        # Written by start() and then by the server's thread alone; readers get a frozen snapshot.
        self._health = replace(self._health, **changes)
