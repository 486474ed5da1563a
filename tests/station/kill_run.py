"""A station in a process of its own, for tests that are cruel to it: a quick model, its configuration, its books.

The model says 'defect' for the brighter pictures of the simulated line, so that about every third part is NG; that
says nothing about parts, but it makes passes and rejects in an order that only the pictures decide.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from partsight.domain.inspection import Inspection
from partsight.domain.reasons import Reason
from partsight.domain.verdict import Action, Result
from partsight.models.card import Card, write_card
from partsight.outputs.records import RecordsReader
from partsight.outputs.records.latch import read_latch

ROOT = Path(__file__).resolve().parents[2]
SIDE = 64
BRIGHT = 0.655
"""Mean of a picture, 0..1, above which the model says 'defect'."""
LIMIT_S = 40.0

RECIPE = """\
schema = 1
name = "there"
revision = 1

[[views]]
camera = "*"

[views.image]
frozen = false

[[views.coverage]]
name = "board"
bright_above = 128
min = 0.2
"""

SIMULATED = """\
driver = "simulated"
[cameras.settings]
seed = 3
width = 128
height = 128
format = "Mono8"
defect_rate = 0.0
empty_rate = 0.05
shifted_rate = 0.0
rotated_rate = 0.0
wrong_rate = 0.0
"""

NO_STOPS = """\
rejects_in_a_row = 0
invalid_in_a_row = 0
reject_share = 0
"""
"""Rejects are what these tests make: they must not stop the line."""


def model_bytes(*, output: str = "output0", rows: int = 4, columns: int = 6, limit: float = BRIGHT) -> bytes:
    """An ONNX model (1, 3, 64, 64) -> (1, rows, columns): one box whose score is over 0.5 for bright pictures."""
    from onnx import TensorProto, helper, numpy_helper

    places = np.zeros((1, rows, columns), np.float32)
    places[0, 0, :4] = (8, 8, 24, 24)
    gain = np.zeros((1, rows, columns), np.float32)
    gain[0, 0, 4] = 8.0
    constants = {
        "places": places,
        "gain": gain,
        "limit": np.array(limit - 0.5 / 8, np.float32),
        "low": np.array(0, np.float32),
        "high": np.array(1, np.float32),
    }
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Sub", ["mean", "limit"], ["above"]),
        helper.make_node("Clip", ["above", "low", "high"], ["clipped"]),
        helper.make_node("Mul", ["gain", "clipped"], ["score"]),
        helper.make_node("Add", ["places", "score"], [output]),
    ]
    graph = helper.make_graph(
        nodes,
        "bright",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, [1, rows, columns])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    content: bytes = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    ).SerializeToString()
    return content


def write_bundle(folder: Path, content: bytes | None = None, sha256: str | None = None) -> Path:
    """A bundle around `content`; `sha256` for a card that does not tell the truth."""
    folder.mkdir(parents=True, exist_ok=True)
    content = model_bytes() if content is None else content
    (folder / "model.onnx").write_bytes(content)
    card = Card.model_validate(
        {
            "schema": 1,
            "name": "bright",
            "version": "1",
            "task": "detect",
            "architecture": "one mean",
            "classes": ["defect"],
            "licence": "Apache-2.0",
            "files": {"model.onnx": {"sha256": sha256 or hashlib.sha256(content).hexdigest(), "precision": "fp32"}},
            "input": {"width": SIDE, "height": SIDE},
            "output": {"format": "end2end"},
            "thresholds": {"defect": 0.5},
        }
    )
    write_card(folder, card)
    return folder


def write_station(
    folder: Path,
    *,
    camera: str = SIMULATED,
    trigger: str = 'kind = "timer"\nperiod_ms = 15',
    deadline_ms: float = 4000,
    data: Path | None = None,
    images: str = "enabled = false",
    line: str = NO_STOPS,
) -> Path:
    """A configuration with all that it names, in `folder`; the data folder is `folder`/data unless told otherwise."""
    if not (folder / "bundle").exists():
        write_bundle(folder / "bundle")
    (folder / "recipe.toml").write_text(RECIPE)
    config = folder / "station.toml"
    config.write_text(
        f'schema = 1\n[station]\nname = "cell"\ndata = "{data or "data"}"\nrecipe = "recipe.toml"\n'
        f"deadline_ms = {deadline_ms}\n"
        '[model]\nbundle = "./bundle"\nbackend = "onnx"\nthreads = 1\n'
        f'[[cameras]]\nname = "top"\n{camera}\n[trigger]\n{trigger}\n[images]\n{images}\n[line]\n{line}\n'
    )
    return config


@dataclass
class Run:
    """A `partsight run --json` that goes on. `verdicts`: what it has printed, in order."""

    process: subprocess.Popen[bytes]
    errors: Path
    verdicts: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    _came: threading.Condition = field(default_factory=threading.Condition)
    _ended: bool = False

    def read(self) -> None:
        """Collect its lines until it ends; a last line that was cut off by a kill is no line."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if not line.endswith(b"\n"):
                break
            told = json.loads(line)
            with self._came:
                if "summary" in told:
                    self.summary = told["summary"]
                else:
                    self.verdicts.append(told)
                self._came.notify_all()
        with self._came:
            self._ended = True
            self._came.notify_all()

    def wait_for_verdicts(self, count: int, limit_s: float = LIMIT_S) -> bool:
        """False where it ended before it had printed so many."""
        with self._came:
            came = self._came.wait_for(lambda: self._ended or len(self.verdicts) >= count, limit_s)
            assert came, f"only {len(self.verdicts)} of {count} verdicts in {limit_s} s: {self.told}"
            return len(self.verdicts) >= count

    def lives_for(self, seconds: float) -> bool:
        """Let it run on for so long; False where it ended meanwhile."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return True
        return False

    def ends(self, limit_s: float = LIMIT_S) -> int:
        """Its exit status, once every line of it is read."""
        code = self.process.wait(limit_s)
        with self._came:
            assert self._came.wait_for(lambda: self._ended, 10)
        return code

    def terminate(self, limit_s: float = LIMIT_S) -> int:
        """SIGTERM; its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.ends(limit_s)

    @property
    def told(self) -> str:
        """What it wrote on stderr so far."""
        return self.errors.read_text(errors="replace")

    @property
    def logs(self) -> list[dict[str, Any]]:
        """Its log lines; anything else on stderr fails here."""
        return [json.loads(line) for line in self.told.splitlines() if line.strip()]


def environment() -> dict[str, str]:
    """So that the process finds this checkout, and writes text without colours or breaks."""
    return {**os.environ, "PYTHONPATH": str(ROOT / "inspect"), "COLUMNS": "200"}


@contextmanager
def station(config: Path, *arguments: str, collect: bool = True, stdout: int = subprocess.PIPE) -> Iterator[Run]:
    """`partsight run CONFIG --json`, killed at the latest when the block is left.

    collect: read its lines; without it the test reads `process.stdout` itself, or nobody does.
    """
    errors = config.parent / f"stderr-{len(list(config.parent.glob('stderr-*')))}.log"
    command = [sys.executable, "-m", "partsight", "run", str(config), "--json", *arguments]
    with errors.open("wb") as err:
        process = subprocess.Popen(command, stdout=stdout, stderr=err, env=environment())
    run = Run(process, errors)
    reader = threading.Thread(target=run.read, daemon=True)
    if collect and stdout == subprocess.PIPE:
        reader.start()
    try:
        yield run
    finally:
        process.kill()
        process.wait(20)
        if reader.ident is not None:
            reader.join(20)
        if process.stdout is not None:
            process.stdout.close()


def partsight(*arguments: str | Path, limit_s: float = 60) -> subprocess.CompletedProcess[str]:
    """Any command, to its end. A traceback is never an answer."""
    command = [sys.executable, "-m", "partsight", *map(str, arguments)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=limit_s,
        env=environment(),
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert "Traceback" not in done.stderr + done.stdout, done.stderr
    return done


def records_of(data: Path) -> dict[int, Inspection]:
    """Every record by its sequence; the same sequence twice fails here."""
    with RecordsReader.open(data) as reader:
        records = reader.inspections(limit=10_000_000)
        assert reader.summary().total == len(records)
    by_sequence = {record.trigger.sequence: record for record in records}
    assert len(by_sequence) == len(records), "a sequence has two records"
    assert len({record.uid for record in records}) == len(records), "two records have one uid"
    return by_sequence


@dataclass
class Books:
    """What was seen over all runs on one data folder, held against the records after each run.

    latched: every sequence that was ever seen in the latch or on stdout.
    open_ones: sequences that a killed run left without a record, with the reject that had left (None: none had).
    """

    data: Path
    latched: set[int] = field(default_factory=set)
    printed: dict[int, dict[str, Any]] = field(default_factory=dict)
    open_ones: dict[int, int | None] = field(default_factory=dict)

    def after(self, run: Run) -> None:
        """Look at what an ended run has left, before the next one starts."""
        for line in run.verdicts:
            assert line["sequence"] not in self.printed, f"sequence {line['sequence']} was given twice"
            self.printed[line["sequence"]] = line
        self.latched |= {line["sequence"] for line in run.verdicts}
        self.latched |= set(read_latch(self.data))
        if not (self.data / "records.db").is_file():
            return  # killed before it had made one
        records = records_of(self.data)
        with RecordsReader.open(self.data) as reader:
            self.open_ones |= {entry.trigger.sequence: entry.code for entry in reader.open_triggers()}
        for sequence, line in self.printed.items():
            if line["action"] == "pass":
                assert sequence in records, f"a pass left before its record: {line}"
                assert records[sequence].verdict.result is Result(line["verdict"])

    def close(self) -> Counter[Result]:
        """After a clean last run nothing is open, and everything that was ever seen has its one record."""
        records = records_of(self.data)
        assert self.latched <= set(records), f"without a record: {sorted(self.latched - set(records))[:10]}"
        with RecordsReader.open(self.data) as reader:
            assert reader.open_triggers() == []
        for sequence, line in self.printed.items():
            verdict = records[sequence].verdict
            passed = verdict.action is Action.PASS
            assert passed == (line["action"] == "pass"), f"printed {line}, recorded {verdict}"
            assert (verdict.result.value, verdict.code) == (line["verdict"], line["code"])
        for sequence, record in records.items():
            if record.verdict.code == Reason.RESTART:
                assert sequence in self.open_ones, f"{sequence} was not open, and was closed as a restart"
                assert record.verdict.result is Result.INVALID
        for sequence, code in self.open_ones.items():
            # Its pass may have been committed in the moment of the kill: then that stands.
            verdict = records[sequence].verdict
            assert verdict.action is not Action.PASS
            assert verdict.code == (code or Reason.RESTART)
        counts = Counter(record.verdict.result for record in records.values())
        assert sum(counts.values()) == len(records)
        self._sequences_rise_with_epochs(records)
        return counts

    def _sequences_rise_with_epochs(self, records: dict[int, Inspection]) -> None:
        highest, epoch = 0, 0
        for sequence in sorted(records):
            trigger = records[sequence].trigger
            assert trigger.epoch >= epoch, f"sequence {sequence} of epoch {trigger.epoch} comes after epoch {epoch}"
            assert sequence > highest
            highest, epoch = sequence, trigger.epoch
