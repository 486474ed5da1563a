"""`partsight run CONFIG`: the station without a screen, until a signal or the end of its source."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from typing import Annotated, Any

import typer

from partsight.cli.logs import set_up_logs
from partsight.cli.tables import account_as_dict
from partsight.daemon.run import run as run_station
from partsight.daemon.site import load_site
from partsight.domain.inspection import Inspection


class VerdictLines:
    """An output that prints one JSON line for each verdict on stdout, flushed, for scripts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def publish(self, inspection: Inspection) -> None:
        """One line; a reader that has gone away is no reason to stop judging."""
        line = json.dumps(verdict_as_dict(inspection))
        with self._lock:
            try:
                sys.stdout.write(line + "\n")
                sys.stdout.flush()
            except (BrokenPipeError, ValueError):
                return


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
    status, line = run_station(site, parts=parts, outputs=[VerdictLines()] if as_json else [])
    if as_json:
        summary = {"summary": account_as_dict(line.tally.account(), line.station.ledger.snapshot())}
        sys.stdout.write(json.dumps(summary) + "\n")
        sys.stdout.flush()
    raise typer.Exit(status)
