"""The station's live tags on Sparkplug B: one thread that owns the connection, fed by a note of the newest."""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from partsight.domain.errors import PartsightError
from partsight.domain.inspection import Inspection
from partsight.domain.messages import Event, FaultCleared, FaultRaised, StateChanged
from partsight.domain.ports import CommandSink
from partsight.outputs.sparkplug.link import Arrived, Link, LinkLost
from partsight.outputs.sparkplug.node import WRAP, EdgeNode, HostState, wants_rebirth
from partsight.outputs.sparkplug.payload import PayloadError
from partsight.outputs.sparkplug.settings import Server, SparkplugSettings
from partsight.outputs.sparkplug.tags import tag_values

FILE = "sparkplug.json"
REBIRTH_PAUSE_S = 1.0
"""Rebirths closer together than this become one: a host that asks in a loop cannot flood the broker through us."""
PUMP_S = 0.05

OnFault = Callable[[str, str, str], None]
"""Told `key`, `text` and `cure` of what stopped the connection's thread."""


class _HostOffline(PartsightError):
    """The primary host went offline, or another server may have it."""


@dataclass(frozen=True, slots=True)
class SparkplugHealth:
    """How the connection is. problem: why there is none, "" else.

    born: NBIRTH is out. host_online: None where no primary host is configured or it has not spoken.
    sent: messages. dropped: inspections that a newer one replaced before the next sample.
    rebirths: carried out. refused: messages from the broker that were not what they must be.
    """

    connected: bool = False
    born: bool = False
    host_online: bool | None = None
    sent: int = 0
    dropped: int = 0
    rebirths: int = 0
    refused: int = 0
    problem: str = ""


class SparkplugOutput:
    """An edge node whose device is the station's inspection.

    `publish` and `tell` only leave a note (latest only, drops counted) and never wait. The device is dead while
    the station's loops do not tick: its tags would be stale.

    folder: keeps bdSeq over restarts. on_fault: called from the connection's thread if that meets a defect of ours;
    the thread goes on with a fresh connection.
    """

    def __init__(
        self,
        settings: SparkplugSettings,
        folder: Path,
        *,
        on_fault: OnFault | None = None,
        utc_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._settings = settings
        self._file = folder / FILE
        self._on_fault = on_fault
        self._utc_ms = utc_ms
        self._sink: CommandSink | None = None
        self._newest: deque[Inspection] = deque(maxlen=1)
        self._replaced = 0
        # Held for nanoseconds by both sides: never around anything that can wait.
        self._lock = threading.Lock()
        self._shown: Inspection | None = None
        self._urgent = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._health = SparkplugHealth()
        self._bd_seq = self._read_bd_seq()

    def attach(self, sink: CommandSink) -> None:
        """Where the tags are read from. Before `start`."""
        self._sink = sink

    def start(self) -> None:
        """Connect, and keep connected. Raises RuntimeError without a sink, ConfigError for certificates or password."""
        if self._sink is None:
            raise RuntimeError("attach a station before the start")
        self._settings.password()
        if self._settings.tls is not None:
            self._settings.tls.context(self._settings.table)
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, args=(self._sink,), name="sparkplug", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> bool:
        """NDEATH and goodbye. False where the thread did not end in time."""
        self._stopping.set()
        if self._thread is None:
            return True
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def publish(self, inspection: Inspection) -> None:
        """The newest result; it goes out with the next sample."""
        with self._lock:
            self._replaced += len(self._newest)
            self._newest.append(inspection)

    def tell(self, event: Event) -> None:
        """A change of state or a fault brings the next sample forward."""
        if isinstance(event, (StateChanged, FaultRaised, FaultCleared)):
            self._urgent.set()

    def health(self) -> SparkplugHealth:
        """A frozen snapshot."""
        return replace(self._health, dropped=self._replaced)

    # --- the connection's thread -----------------------------------------------------------------

    def _run(self, sink: CommandSink) -> None:
        turn, failures = 0, 0
        while not self._stopping.is_set():
            server = self._settings.servers[turn % len(self._settings.servers)]
            began = time.monotonic()
            try:
                self._session(sink, server)
            except (LinkLost, _HostOffline) as problem:
                self._note(problem=str(problem))
            except Exception as defect:  # noqa: BLE001 - a thread's top: whatever it is, people must see it
                self._note(problem=f"{type(defect).__name__}: {defect}")
                if self._on_fault is not None:
                    self._on_fault("sparkplug", f"Sparkplug met an error: {defect!r}", "see the log; report it")
            self._note(connected=False, born=False, host_online=None)
            turn += 1
            failures = 0 if time.monotonic() - began > self._settings.backoff_max_s else failures + 1
            self._stopping.wait(self._pause_s(failures))

    def _pause_s(self, failures: int) -> float:
        longest = min(self._settings.backoff_max_s, self._settings.backoff_min_s * 2 ** min(failures, 16))
        # Jitter spreads a plant's stations over time when its broker is back.
        return random.uniform(self._settings.backoff_min_s, max(self._settings.backoff_min_s, longest))  # noqa: S311

    def _session(self, sink: CommandSink, server: Server) -> None:
        bd_seq = (self._bd_seq + 1) % WRAP
        self._write_bd_seq(bd_seq)
        node = EdgeNode(self._settings.group, self._settings.node, self._settings.device, bd_seq)
        link = Link(self._settings, server, node.death())
        try:
            link.connect()
            self._bd_seq = bd_seq  # only what was in a CONNECT counts
            host = HostState(self._settings.primary_host) if self._settings.primary_host else None
            link.open((node.command_topic, host.topic) if host else (node.command_topic,))
            self._note(connected=True, problem="")
            self._serve(sink, link, node, host)
        except LinkLost:
            link.close()
            raise
        except BaseException:
            link.leave(node.death())
            raise
        link.leave(node.death())

    def _serve(self, sink: CommandSink, link: Link, node: EdgeNode, host: HostState | None) -> None:
        due = born_at = -float("inf")
        wanted = True  # a birth
        give_up = time.monotonic() + self._settings.host_wait_s
        while not self._stopping.is_set():
            for arrived in link.pump(PUMP_S if self._settings.interval_ms >= 50 else 0.01):
                wanted |= self._take(arrived, node, host)
            now = time.monotonic()
            self._heed_host(host, give_up, now)
            if not link.can_send or (host is not None and not host.online):
                continue
            if wanted:
                if now - born_at >= REBIRTH_PAUSE_S:
                    self._birth(sink, link, node, again=born_at > 0)
                    wanted, born_at = False, now
                    due = now + self._settings.interval_ms / 1000
            elif now >= due or self._urgent.is_set():
                self._sample(sink, link, node)
                due = now + self._settings.interval_ms / 1000

    def _take(self, arrived: Arrived, node: EdgeNode, host: HostState | None) -> bool:
        """Whether this message asks for a rebirth."""
        try:
            if arrived.topic == node.command_topic:
                # A command that the broker kept is one that nobody gives now.
                return not arrived.retained and wants_rebirth(arrived.payload)
            if host is not None:
                host.observe(arrived.topic, arrived.payload)
                self._note(host_online=host.online)
        except PayloadError:
            self._note(refused=self._health.refused + 1)
        return False

    def _heed_host(self, host: HostState | None, give_up: float, now: float) -> None:
        if host is None or host.online:
            return
        if self._health.born:
            raise _HostOffline(f"primary host {self._settings.primary_host} has gone offline")
        if len(self._settings.servers) > 1 and (host.online is False or now > give_up):
            raise _HostOffline(f"primary host {self._settings.primary_host} is not online on this server")

    def _birth(self, sink: CommandSink, link: Link, node: EdgeNode, *, again: bool) -> None:
        messages = node.births(self._values(sink), self._utc_ms(), device=sink.alive())
        for message in messages:
            link.send(message)
        self._note(
            born=True, sent=self._health.sent + len(messages), rebirths=self._health.rebirths + (1 if again else 0)
        )

    def _sample(self, sink: CommandSink, link: Link, node: EdgeNode) -> None:
        self._urgent.clear()
        alive, at_ms = sink.alive(), self._utc_ms()
        if alive:
            values = self._values(sink)
            message = node.data(values, at_ms) if node.device_born else node.device_birth(values, at_ms)
        else:
            message = node.device_death(at_ms) if node.device_born else None
        if message is not None:
            link.send(message)
            self._note(sent=self._health.sent + 1)

    def _values(self, sink: CommandSink) -> dict[str, bool | int | float | str | bytes | None]:
        with self._lock:
            if self._newest:
                self._shown = self._newest.popleft()
        return tag_values(sink.status(), self._shown)

    def _note(self, **changes: bool | int | str | None) -> None:
        # Only this thread writes; readers get a frozen snapshot.
        self._health = replace(self._health, **changes)  # type: ignore[arg-type]  # mypy cannot match ** to fields

    # --- bdSeq over restarts ---------------------------------------------------------------------

    def _read_bd_seq(self) -> int:
        """Of the last CONNECT; -1, so that the first is 0, where nothing readable is kept."""
        try:
            kept = json.loads(self._file.read_text(encoding="utf-8"))["bdSeq"]
        except (OSError, ValueError, KeyError, TypeError):
            return -1
        return kept if isinstance(kept, int) and 0 <= kept < WRAP else -1

    def _write_bd_seq(self, bd_seq: int) -> None:
        """Kept before CONNECT, so that a killed station cannot use a number twice. A full disk stops no tags."""
        fresh = self._file.with_suffix(".new")
        try:
            with fresh.open("w", encoding="utf-8") as file:
                json.dump({"bdSeq": bd_seq}, file)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._file)
        except OSError as problem:
            self._note(problem=f"{self._file}: bdSeq cannot be kept: {problem}")
