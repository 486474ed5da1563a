"""`partsight run CONFIG`: the station without a screen, until a signal or the end of its source."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections import deque
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer

from partsight.cli.logs import set_up_logs
from partsight.cli.tables import account_as_dict
from partsight.daemon.run import run as run_station
from partsight.daemon.run import verdicts_given
from partsight.daemon.site import load_site
from partsight.domain.inspection import Inspection
from partsight.domain.messages import Event, FaultCleared, FaultRaised

log = structlog.get_logger(__name__)

LINES_WAITING = 10_000
"""Lines that wait for a slow reader at most; a line that finds no room is dropped and counted."""
LAST_LINES_S = 2.0
"""How long the end of the program waits for its reader."""


class VerdictLines:
    """An output that prints one JSON line for each verdict on stdout, for scripts.

    A thread of its own writes: a reader that is slow, hangs or has gone away delays no verdict (rule 5).
    """

    def __init__(self) -> None:
        # Past Python's buffer, whose lock a thread that hangs in a write would keep until after the end.
        self._handle = sys.stdout.fileno()
        self._change = threading.Condition()
        self._lines: deque[bytes] = deque()
        self._dropped = 0
        self._torn = False
        self._ended = False
        self._thread = threading.Thread(target=self._write_all, name="stdout", daemon=True)
        self._thread.start()

    def publish(self, inspection: Inspection) -> None:
        """Queue one line."""
        line = json.dumps(verdict_as_dict(inspection)).encode() + b"\n"
        with self._change:
            if len(self._lines) >= LINES_WAITING or self._ended:
                self._dropped += 1
                return
            self._lines.append(line)
            self._change.notify()

    def finish(self, summary: dict[str, Any]) -> None:
        """Print the last line, `summary` with the lines that were dropped, and wait a while until all is read."""
        with self._change:
            last = {"summary": summary | {"lines_dropped": self._dropped}}
            self._lines.append(json.dumps(last).encode() + b"\n")
            self._ended = True
            self._change.notify()
        self._thread.join(LAST_LINES_S)
        with self._change:
            lost = self._dropped + len(self._lines)
        if lost or self._thread.is_alive():
            log.warning("verdict lines were not read; every verdict is in the records", lines=lost)

    def _write_all(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._lines or self._ended)
                if not self._lines:
                    return
                line = self._lines.popleft()
            try:
                self._write(line)
            except OSError:
                # Its reader has gone away, or it is a file on a full disk: no reason to stop judging.
                with self._change:
                    self._dropped += 1

    def _write(self, line: bytes) -> None:
        rest = b"\n" + line if self._torn else line
        while rest:
            written = os.write(self._handle, rest)
            rest = rest[written:]
            self._torn = bool(rest)


def verdict_as_dict(inspection: Inspection) -> dict[str, Any]:
    """What a script needs of one part."""
    trigger, verdict = inspection.trigger, inspection.verdict
    return {
        "sequence": trigger.sequence,
        "id": trigger.id,
        "epoch": trigger.epoch,
        "part": trigger.part_id,
        "verdict": verdict.result.value,
        "action": verdict.action.name.lower(),
        "code": verdict.code,
        "reasons": [finding.text for finding in verdict.findings],
        "verdict_ms": inspection.timings.verdict_ms,
    }


def log_faults(event: Event) -> None:
    """Without a screen the log is where people see that something is wrong, and what to do."""
    if isinstance(event, FaultRaised):
        fault = event.fault
        log.error("fault", key=fault.key, text=fault.text, cure=fault.cure, latched=fault.latched)
    elif isinstance(event, FaultCleared):
        log.info("fault is over", key=event.fault.key, since=event.fault.since.isoformat())


def run(
    config: Annotated[Path, typer.Argument(help="The station's configuration (TOML).")],
    parts: Annotated[int | None, typer.Option(min=1, help="End after so many verdicts.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="A JSON line for each verdict, a summary at the end.")
    ] = False,
    verbose: Annotated[bool, typer.Option(help="Log everything.")] = False,
) -> None:
    """Run the station that CONFIG describes, until SIGTERM or Ctrl-C."""
    set_up_logs(verbose=verbose)
    site = load_site(config)
    lines = VerdictLines() if as_json else None
    status, line = run_station(site, until=verdicts_given(parts), outputs=[lines] if lines else [], tell=log_faults)
    if lines is not None:
        lines.finish(account_as_dict(line.tally.account(), line.station.ledger.snapshot()))
    raise typer.Exit(status)
