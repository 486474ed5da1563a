"""`partsight run CONFIG`: the station without a screen, until a signal or the end of its source."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer

from partsight.cli.build import build_for
from partsight.cli.lines import LineWriter
from partsight.cli.logs import set_up_logs
from partsight.cli.tables import account_as_dict
from partsight.daemon.run import run as run_station
from partsight.daemon.run import verdicts_given
from partsight.daemon.site import load_site
from partsight.domain.inspection import Inspection
from partsight.domain.messages import Event, FaultCleared, FaultRaised

log = structlog.get_logger(__name__)


class VerdictLines:
    """An output that prints one JSON line for each verdict on stdout, for scripts."""

    def __init__(self) -> None:
        self._lines = LineWriter(sys.stdout, "stdout", 1)

    def publish(self, inspection: Inspection) -> None:
        """Queue one line."""
        self._lines.put(json.dumps(verdict_as_dict(inspection)))

    def finish(self, summary: dict[str, Any]) -> None:
        """Print the last line, `summary` with the lines that were dropped, and wait a while until all is read."""
        last = {"summary": summary | {"lines_dropped": self._lines.dropped}}
        lost = self._lines.finish(json.dumps(last))
        if lost:
            log.warning("verdict lines were not read; every verdict is in the records", lines=lost)


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
    build: Annotated[
        bool, typer.Option("--build", help="First build the GPU's engine where there is none: minutes on a Jetson.")
    ] = False,
) -> None:
    """Run the station that CONFIG describes, until SIGTERM or Ctrl-C."""
    set_up_logs(verbose=verbose)
    site = load_site(config)
    if build:
        # Never without being asked: a line that waits for a build after each update stands still for minutes.
        build_for(site)
    lines = VerdictLines() if as_json else None
    status, line = run_station(site, until=verdicts_given(parts), outputs=[lines] if lines else [], tell=log_faults)
    if lines is not None:
        lines.finish(account_as_dict(line.tally.account(), line.station.ledger.snapshot()))
    raise typer.Exit(status)
