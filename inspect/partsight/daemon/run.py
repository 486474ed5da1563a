"""The daemon's main thread: signals, the watchdog, upkeep of the records, and an exit status that means something."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from types import FrameType

import structlog

from partsight.daemon.line import Line, open_line
from partsight.daemon.notify import notify, watchdog_period_s
from partsight.daemon.site import Site
from partsight.domain.messages import Event
from partsight.domain.ports import Output
from partsight.domain.reasons import Reason

log = structlog.get_logger(__name__)

LOOP_S = 0.1
MAINTAIN_S = 1.0
LAST_WORDS_S = 0.5
EXIT_OK = 0
EXIT_SURVIVORS = 75
"""A thread did not end at stop."""


def run(
    site: Site,
    *,
    until: Callable[[Line], bool] = lambda _: False,
    outputs: Sequence[Output] = (),
    tell: Callable[[Event], None] = lambda _: None,
    each_loop: Callable[[Line], None] = lambda _: None,
) -> tuple[int, Line]:
    """Run a station until a signal, the end of its source, or `until` says so. The exit status, and the closed line.

    each_loop: called about ten times a second in the main thread, to show what goes on.
    """
    stop = threading.Event()

    def on_signal(number: int, _: FrameType | None) -> None:
        log.info("stopping", signal=signal.Signals(number).name)
        stop.set()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        line = open_line(site, fatal=_end_process, tell=tell, outputs=outputs)
        upkeep = threading.Thread(target=_upkeep, args=(line, stop), name="upkeep", daemon=True)
        upkeep.start()
        notify("READY=1")
        _loop(line, stop, until, each_loop)
        notify("STOPPING=1")
        stop.set()
        survivors = line.close()
        each_loop(line)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return (EXIT_SURVIVORS if survivors else EXIT_OK), line


def verdicts_given(parts: int | None) -> Callable[[Line], bool]:
    """For `run`: until so many parts have their verdict; None never ends."""

    def ended(line: Line) -> bool:
        counters = line.station.ledger.snapshot()
        return parts is not None and counters.triggers - counters.in_flight >= parts

    return ended


def _loop(line: Line, stop: threading.Event, until: Callable[[Line], bool], each_loop: Callable[[Line], None]) -> None:
    feed_s = watchdog_period_s()
    fed = time.monotonic()
    while not stop.is_set():
        late = line.station.pulse.late()
        if late:
            log.error("a loop does not tick", loops=late)
        elif feed_s is not None and time.monotonic() - fed >= min(feed_s, 1.0):
            notify("WATCHDOG=1")
            fed = time.monotonic()
        each_loop(line)
        if line.station.source_ended or until(line):
            return
        stop.wait(LOOP_S)


def _upkeep(line: Line, stop: threading.Event) -> None:
    """A slow lane: checkpoints and retention of the records, and what disk and archive have to say as faults."""
    while not stop.wait(MAINTAIN_S):
        try:
            line.records.maintain()
            line.records.take_in_audit()
        except Exception as error:  # noqa: BLE001 - the thread's top
            line.station.faults.raise_("records/upkeep", str(error), "see the log; records are still written")
        else:
            line.station.faults.clear("records/upkeep")
        _state_health(line)


def _state_health(line: Line) -> None:
    faults = line.station.faults
    records = line.records.health()
    if records.problem:
        faults.raise_("disk", records.problem, records.cure, code=Reason.RECORD_FAILED if records.full else 0)
    else:
        faults.clear("disk")
    line.station.conduct.missing("records", records.problem if records.full else "")
    if line.archive is None:
        return
    images = line.archive.health()
    line.station.ledger.set_images_lost(sum(images.dropped.values()))
    if images.problem:
        faults.raise_("images", images.problem, images.cure)
    else:
        faults.clear("images")


def _end_process(status: int, why: str) -> None:
    """Only a new process can help: threads that hang cannot be ended. The latch file closes what was open."""
    log.critical("ending the process", why=why, status=status)
    notify(f"STATUS={why}")
    time.sleep(LAST_WORDS_S)  # the log has a thread of its own
    os._exit(status)
