"""A whole line with the real link, and `link_child.py` at the API's end of it."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tests.station.kill_run import SIMULATED, write_station

from partsight.api.link import ApiLink
from partsight.api.process import start
from partsight.daemon.line import Line, open_line
from partsight.daemon.screens import make_api
from partsight.daemon.site import load_site
from partsight.domain.messages import Event, FaultCleared, FaultRaised, Finished
from partsight.outputs.records import RecordsReader

CHILD = Path(__file__).with_name("link_child.py")
QUICK = 'kind = "timer"\nperiod_ms = 15'


@dataclass
class Told:
    """What the station told in this process: the truth to hold the link against."""

    finished: list[int] = field(default_factory=list)
    pixels: dict[int, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        if isinstance(event, Finished):
            sequence = event.inspection.trigger.sequence
            for frame in event.frames:
                self.pixels[sequence] = hashlib.sha256(frame.pixels.data).hexdigest()
            self.finished.append(sequence)
        elif isinstance(event, FaultRaised):
            self.faults.append(f"+{event.fault.key}")
        elif isinstance(event, FaultCleared):
            self.faults.append(f"-{event.fault.key}")


@dataclass
class Linked:
    """A line that runs. log: where its API's processes write what they get."""

    line: Line
    link: ApiLink
    told: Told
    log: Path

    def got(self, kind: str = "") -> list[dict[str, Any]]:
        """Whole lines only: the last one may be half written."""
        if not self.log.exists():
            return []
        lines = self.log.read_text().split("\n")[:-1]
        found = [json.loads(line) for line in lines if line.endswith("}")]
        return [told for told in found if not kind or told["t"] == kind]

    def sequences(self) -> list[int]:
        """Of the finished parts that the API was told of, in its order."""
        return [told["data"]["sequence"] for told in self.got("event") if told["kind"] == "finished"]

    def reply(self, rid: int) -> dict[str, Any] | None:
        return next((told for told in self.got("reply") if told["rid"] == rid), None)

    def balanced(self) -> bool:
        """The accounting identity of rule 1, here and in all that the API was told."""
        rows = [told["status"]["counters"] for told in self.got("status")]
        return self.line.station.ledger.snapshot().balanced and all(
            row["triggers"] == row["ok"] + row["ng"] + row["review"] + row["invalid"] + row["in_flight"] for row in rows
        )


@contextmanager
def linked(
    folder: Path,
    mode: str = "good",
    requests: list[Mapping[str, Any]] | None = None,
    *,
    camera: str = SIMULATED,
    trigger: str = QUICK,
    silent_s: float = 5.0,
    **options: Any,
) -> Iterator[Linked]:
    """A line with an API that does what `mode` says; stopped at the end, and then the books balance."""
    config = write_station(folder, camera=camera, trigger=trigger, **options)
    with config.open("a") as file:
        file.write("[api]\nport = 0\n")
    log, told, died = folder / "api.log", Told(), []
    command = [sys.executable, str(CHILD), str(log), mode, *([json.dumps(requests)] if requests else [])]
    screens = partial(make_api, start=partial(start, command), silent_s=silent_s)
    line = open_line(load_site(config), fatal=lambda *why: died.append(why), tell=told, screens=screens)
    link = next(output for name, output in line.outputs if name == "api")
    assert isinstance(link, ApiLink)
    try:
        yield Linked(line, link, told, log)
    finally:
        survivors = line.close()
    assert not survivors
    assert not died
    counters = line.station.ledger.snapshot()
    assert counters.balanced
    assert counters.in_flight == 0
    with RecordsReader.open(line.site.config.station.data) as reader:
        assert reader.summary().total == counters.triggers, "every trigger has its record"
