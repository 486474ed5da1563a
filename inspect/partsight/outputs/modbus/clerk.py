"""Carries out what may take its time: a change of recipe waits for the part in the lane, an audit row for the disk.

The event loop must not: a heartbeat that stands for 500 ms stops the line.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import structlog

from partsight.domain.messages import Challenge, Reset, SelectRecipe, Start, Stop
from partsight.domain.ports import CommandSink
from partsight.outputs.modbus.sparing import Audit

log = structlog.get_logger(__name__)

WAITING = 64
ClerksCommand = Start | Stop | Reset | SelectRecipe | Challenge


@dataclass(frozen=True, slots=True)
class Errand:
    """A command, its name in the audit, and what to do when it is (first: done only where it was carried out)."""

    command: ClerksCommand
    what: str
    then: tuple[Callable[[], None] | None, Callable[[], None]]


class Clerk:
    """One thread, one command after the other, in the order of their edges; one too many is refused."""

    def __init__(self, audit: Audit, on_fault: Callable[[str, str], None]) -> None:
        self._audit = audit
        self._on_fault = on_fault
        self._sink: CommandSink | None = None
        self._work: queue.Queue[tuple[str, Callable[[], None]] | None] = queue.Queue(WAITING)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="modbus-commands", daemon=True)
        self.given = 0
        self.finished = 0
        self.failed = 0
        self.done = 0
        self.refused = 0

    def attach(self, sink: CommandSink) -> None:
        """Who carries the commands out."""
        self._sink = sink

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """What waits is not begun any more. False where a command did not end in time."""
        self._stopping.set()
        try:
            self._work.put_nowait(None)
        except queue.Full:
            log.warning("modbus commands are given up", waiting=self._work.qsize())
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def give(self, errand: Errand) -> bool:
        """False where too many wait."""
        return self._put(errand.what, partial(self._carry_out, errand))

    def note(self, source: str, what: str) -> None:
        """Write into the audit. Where even this waits for too much it goes to the log alone."""
        if not self._put("audit", partial(self._audit, source, what)):
            log.warning("not in the audit: too much waits to be written", source=source, what=what)

    def _put(self, name: str, work: Callable[[], None]) -> bool:
        try:
            self._work.put_nowait((name, work))
        except queue.Full:
            return False
        self.given += 1
        return True

    def _run(self) -> None:
        while not self._stopping.is_set():
            taken = self._work.get()
            if taken is None or self._stopping.is_set():
                return
            name, work = taken
            try:
                work()
            except Exception as error:  # the thread's top: this one fails, the next may not
                self.failed += 1
                text = f"a Modbus command could not be carried out: {name}: {error!r}"
                self._on_fault(text, "the log has the whole error; report it")
                log.exception("modbus command failed", command=name)
            self.finished += 1

    def _carry_out(self, errand: Errand) -> None:
        source = errand.command.source
        if self._sink is None:
            self.refused += 1
            self._audit(source, f"{errand.what}: no station is attached")
            return
        reply = self._sink.command(errand.command)
        when_done, always = errand.then
        if reply.ok:
            self.done += 1
            if when_done is not None:
                when_done()
        else:
            self.refused += 1
        always()
        outcome = "done" if reply.ok else f"{reply.code.name.lower().replace('_', ' ')}: {reply.text}"
        self._audit(source, f"{errand.what}: {outcome}")
