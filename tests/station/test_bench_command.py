"""`partsight bench` as a user runs it: a real process, the real model, real records. Nothing here is about speed."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from partsight.domain.errors import DetectorError
from partsight.models.bundle import find, load

ROOT = Path(__file__).resolve().parents[2]
KEYS = {
    *("backend", "imgsz", "bare_ms", "frame_to_verdict_ms", "overhead_ms", "ratio_p50", "peers", "peer_runs"),
    *("stages_ms", "threads", "parts", "images", "model", "recipe", "machine"),
}
STAGES = ["accept", "preprocess", "infer", "decode", "judge", "record", "rest"]
ROUNDING_MS = 0.005


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def told(self) -> dict[str, Any]:
        """The one object on stdout: anything beside it fails here."""
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found


def bench(*arguments: str | Path) -> Ended:
    command = [sys.executable, "-m", "partsight", "bench", *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "inspect"), "COLUMNS": "120"}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=100, env=environment, stdin=subprocess.DEVNULL, check=False
    )
    return Ended(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def five(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ended, Path]:
    """Five simulated boards with `auto`, their records below a folder of our own."""
    disk = tmp_path_factory.mktemp("disk")
    return bench("--parts", 5, "--data", disk, "--json"), disk


def test_json_is_one_object_with_exactly_these_keys(five: tuple[Ended, Path]) -> None:
    ended, _ = five
    assert ended.code == 0, ended.err
    told = ended.told
    assert set(told) == KEYS
    assert list(told["stages_ms"]) == STAGES
    times = [told[name] for name in ("bare_ms", "frame_to_verdict_ms", "overhead_ms")]
    for values in (*times, *told["stages_ms"].values()):
        assert list(values) == ["p50", "p95", "p99", "max"]


def test_what_it_says_of_itself_is_what_was_asked(five: tuple[Ended, Path]) -> None:
    told = five[0].told
    spec = load(find("pcb")).spec()
    assert (told["parts"], told["images"], told["imgsz"]) == (5, 5, spec.width)
    assert told["model"] == {"name": "pcb", "sha256": spec.sha256, "precision": "fp32"}
    assert told["backend"] in {"onnx", "openvino"}
    assert told["recipe"] == "demo-board"
    assert (told["peers"], told["peer_runs"]) == ({}, [])
    assert told["threads"] == len(os.sched_getaffinity(0)) == told["machine"]["cores"]
    assert told["machine"]["cpu"]
    assert told["machine"]["disk"] not in {"", "unknown"}


def test_percentiles_rise_and_the_whole_is_more_than_its_steps(five: tuple[Ended, Path]) -> None:
    told = five[0].told
    for values in (told["bare_ms"], told["frame_to_verdict_ms"], told["overhead_ms"], *told["stages_ms"].values()):
        assert 0 <= values["p50"] <= values["p95"] <= values["p99"] <= values["max"]
    assert told["bare_ms"]["p50"] > 0.1  # a model of millions of weights was really run
    assert told["stages_ms"]["record"]["p50"] > 0.01  # and something really written
    assert told["frame_to_verdict_ms"]["max"] > told["overhead_ms"]["max"]


def test_records_were_temporary(five: tuple[Ended, Path]) -> None:
    assert list(five[1].iterdir()) == []


def test_one_part_adds_up(tmp_path: Path) -> None:
    """With a single part every percentile is that part, so the sums must hold to the rounding."""
    rng = np.random.default_rng(3)
    cv2.imwrite(str(tmp_path / "board.png"), rng.integers(0, 256, (200, 300, 3), dtype=np.uint8))
    (tmp_path / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n torn")
    (tmp_path / "notes.txt").write_text("no image", encoding="utf-8")
    options = ("--images", tmp_path, "--imgsz", 320, "--backend", "onnx", "--threads", 1)
    ended = bench(*options, "--parts", 1, "--json")
    assert ended.code == 0, ended.err
    told = ended.told
    assert (told["backend"], told["imgsz"], told["threads"], told["images"]) == ("onnx", 320, 1, 1)
    assert told["recipe"] == "pcb-any"
    for values in (told["bare_ms"], told["frame_to_verdict_ms"], told["overhead_ms"], *told["stages_ms"].values()):
        assert len(set(values.values())) == 1
    steps = {name: values["p50"] for name, values in told["stages_ms"].items()}
    whole, overhead = told["frame_to_verdict_ms"]["p50"], told["overhead_ms"]["p50"]
    assert whole == pytest.approx(sum(steps.values()), abs=ROUNDING_MS)
    assert overhead == pytest.approx(whole - steps["infer"], abs=ROUNDING_MS)
    assert told["ratio_p50"] == pytest.approx(whole / told["bare_ms"]["p50"], abs=0.01)


def test_table_names_machine_and_model(tmp_path: Path) -> None:
    ended = bench("--parts", 1, "--imgsz", 320, "--backend", "onnx")
    assert ended.code == 0, ended.err
    for words in ("frame to verdict", "model alone", "all but inference", "pcb at 320 on onnx", "records on"):
        assert words in ended.out


def test_mistakes_come_all_at_once() -> None:
    ended = bench("--backend", "quantum", "--imgsz", 100, "--peer-weights", "nowhere.pt", "--json")
    assert (ended.code, ended.out) == (2, "")
    for words in ("3 mistakes", "'quantum'", "100 is no multiple of 32", "nowhere.pt"):
        assert words in ended.err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--model", "no-such-model"), 2, "no-such-model"),
        (("--recipe", "no-such-recipe"), 2, "no-such-recipe"),
        (("--images", "no-such-folder"), 3, "no-such-folder"),
        (("--data", "no-such-folder", "--parts", 1), 2, "no-such-folder"),
    ],
)
def test_what_is_not_there_is_named(arguments: tuple[str, ...], code: int, words: str) -> None:
    ended = bench(*arguments, "--json")
    assert (ended.code, ended.out) == (code, "")
    assert words in ended.err
    assert "Traceback" not in ended.err


def test_folder_without_a_single_good_image(tmp_path: Path) -> None:
    (tmp_path / "torn.png").write_bytes(b"torn")
    ended = bench("--images", tmp_path)
    assert ended.code == 2
    assert "can be judged" in ended.err


@pytest.mark.skipif(importlib.util.find_spec("ultralytics") is not None, reason="ultralytics is here")
def test_peers_without_ultralytics_say_how_to_get_it() -> None:
    ended = bench("--peers")
    assert ended.code == 3
    assert "ultralytics" in ended.err
    assert "make bench" in ended.err


def test_a_closed_detector_runs_nothing() -> None:
    from partsight.detectors.onnx import OnnxDetector

    detector = OnnxDetector(load(find("pcb")).spec())
    assert detector.run_bare() > 0
    detector.close()
    with pytest.raises(DetectorError, match="was closed"):
        detector.run_bare()
