"""`partsight judge` as a user runs it: real files in, real process, its stdout, files and exit code out."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import polars
import pytest

from partsight.cameras.simulated import SimulatedCamera
from partsight.domain.frame import Grab, Truth

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("open", "short", "mousebite", "spur", "copper", "pin-hole")
IMAGES = 12
SEED = 4

RECIPE = """\
schema = 1
name = "belt"
revision = 3

[[views]]
camera = "*"

[[views.coverage]]
name = "board"
bright_above = 128
min = 0.2
"""


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


def judge(*arguments: str | Path) -> Ended:
    command = [sys.executable, "-m", "partsight", "judge", *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "inspect"), "COLUMNS": "120"}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=100, env=environment, stdin=subprocess.DEVNULL, check=False
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def grabs(count: int) -> list[tuple[Grab, Truth]]:
    camera = SimulatedCamera(SimulatedCamera.Settings(seed=SEED, rate_hz=0, defect_rate=0.5, empty_rate=0.15))
    camera.open(5.0)
    try:
        found = [camera.grab(5.0) for _ in range(count)]
    finally:
        camera.close()
    return [(grab, grab.truth) for grab in found if grab is not None and grab.truth is not None]


def label(truth: Truth, grab: Grab) -> str:
    width, height = grab.size
    lines = []
    for defect in truth.defects:
        x1, y1, x2, y2 = defect.box
        numbers = ((x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height)
        lines.append(f"{NAMES.index(defect.name)} " + " ".join(f"{n:.6f}" for n in numbers))
    return "\n".join(lines)


@pytest.fixture(scope="module")
def belt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Simulated boards in YOLO's form; empty and wrong places have no label, one image and one label are broken."""
    root = tmp_path_factory.mktemp("belt")
    (root / "recipe.toml").write_text(RECIPE)
    (root / "set/images").mkdir(parents=True)
    (root / "set/labels").mkdir()
    (root / "set/data.yaml").write_text("names:\n" + "".join(f"  {i}: {n}\n" for i, n in enumerate(NAMES)))
    for number, (grab, truth) in enumerate(grabs(IMAGES)):
        assert cv2.imwrite(str(root / f"set/images/{number:02}.png"), grab.pixels)
        if truth.place == "present":
            (root / f"set/labels/{number:02}.txt").write_text(label(truth, grab))
    (root / "set/labels/00.txt").write_text("0 0.5 0.5 0.1 0.1\n7 0.5 0.5 0.1 0.1\n")
    (root / "set/images/broken.png").write_bytes((root / "set/images/01.png").read_bytes()[:2000])
    (root / "set/labels/broken.txt").write_text("")
    (root / "set/images/notes.txt").write_text("a folder with other files in it")
    return root


@pytest.fixture(scope="module")
def run(belt: Path) -> Ended:
    out = belt / "out"
    return judge(
        belt / "set", "--model", "pcb", "--recipe", belt / "recipe.toml", "--backend", "onnx", "--json",
        "--csv", out / "parts.csv", "--parquet", out / "parts.parquet", "--overlays", out / "overlays",
    )  # fmt: skip


@pytest.fixture(scope="module")
def rows(belt: Path, run: Ended) -> list[dict[str, Any]]:
    assert run.code == 0, run.err
    return polars.read_parquet(belt / "out/parts.parquet").to_dicts()


def test_every_part_has_exactly_one_verdict(run: Ended, rows: list[dict[str, Any]]) -> None:
    assert run.told["parts"] == IMAGES + 1 == len(rows)
    assert sum(run.told["verdicts"].values()) == IMAGES + 1
    assert Counter(row["verdict"] for row in rows) == Counter(
        {name: count for name, count in run.told["verdicts"].items() if count}
    )


def test_what_cannot_be_judged_is_invalid_with_its_reason(run: Ended, rows: list[dict[str, Any]]) -> None:
    """rule_2: an unreadable image and an empty belt never pass, and the run goes on."""
    broken = next(row for row in rows if row["image"] == "images/broken.png")
    assert (broken["verdict"], broken["code"], broken["latency_ms"]) == ("INVALID", 6, None)
    assert "broken.png" in broken["reasons"]
    absent = [row for row in rows if row["code"] == 500]
    assert absent
    assert {row["verdict"] for row in absent} == {"INVALID"}
    assert all(row["truth"] is None for row in absent)
    assert run.told["reasons"]["500"] == len(absent)


def test_escapes_and_overkills_are_those_of_the_table(run: Ended, rows: list[dict[str, Any]]) -> None:
    for key, truth, failing in (
        ("escapes", "bad", lambda v: v == "OK"),
        ("overkills", "good", lambda v: v != "OK"),
    ):
        verdicts = [row["verdict"] for row in rows if row["truth"] == truth]
        rate = run.told[key]
        assert (rate["count"], rate["of"]) == (sum(map(failing, verdicts)), len(verdicts))
        assert rate["of"] >= 3, "the seed must give parts of both kinds"
        assert 0 <= rate["low"] <= rate["rate"] <= rate["high"] <= 1
        assert rate["low"] < rate["high"]
    by = run.told["overkills"]["by"]
    assert sum(by.values()) == run.told["overkills"]["count"]
    assert by["INVALID"] >= 1, "the broken image is labelled good"


def test_the_model_finds_simulated_defects(run: Ended) -> None:
    told = run.told
    assert told["iou"] == 0.33
    assert 0 < told["precision"] <= 1
    assert 0 < told["recall"] <= 1
    both = 2 * told["precision"] * told["recall"] / (told["precision"] + told["recall"])
    assert told["f_score"] == pytest.approx(both)
    assert set(told["ap"]) <= set(NAMES)
    assert told["map"] == pytest.approx(sum(told["ap"].values()) / len(told["ap"]))
    assert told["map"] > 0.2
    assert told["missed_defects"]["rate"] == pytest.approx(1 - told["recall"])


def test_a_wrong_annotation_is_named_and_its_part_is_never_good(run: Ended, rows: list[dict[str, Any]]) -> None:
    (mistake,) = run.told["annotations"]["mistakes"]
    assert mistake["file"].endswith("labels/00.txt")
    assert (mistake["line"], mistake["reason"]) == (2, "class is 7; 6 classes are known")
    assert next(row for row in rows if row["image"] == "images/00.png")["truth"] is None
    assert run.told["annotations"]["unannotated"] == sum(row["truth"] is None for row in rows)


def test_latency_is_told_in_order(run: Ended, rows: list[dict[str, Any]]) -> None:
    ms = run.told["latency_ms"]
    assert 0 < ms["p50"] <= ms["p95"] <= ms["p99"] <= ms["max"]
    assert ms["max"] == pytest.approx(max(row["latency_ms"] for row in rows if row["latency_ms"] is not None))


def test_csv_and_parquet_hold_the_same(belt: Path, rows: list[dict[str, Any]]) -> None:
    csv = polars.read_csv(belt / "out/parts.csv").to_dicts()
    assert [row["image"] for row in csv] == [row["image"] for row in rows]
    assert [row["verdict"] for row in csv] == [row["verdict"] for row in rows]
    assert [row["defects"] for row in csv] == [row["defects"] for row in rows]


def test_each_readable_part_has_an_overlay_that_names_its_verdict(belt: Path, rows: list[dict[str, Any]]) -> None:
    pictures = sorted((belt / "out/overlays").iterdir())
    expected = {
        f"{row['verdict']}-images__{Path(row['image']).stem}.jpg" for row in rows if row["latency_ms"] is not None
    }
    assert {picture.name for picture in pictures} == expected
    picture = cv2.imread(str(pictures[0]))
    assert picture is not None
    assert picture.shape[1] >= 640


def test_tables_for_people_say_the_same(belt: Path) -> None:
    ended = judge(belt / "set", "--recipe", belt / "recipe.toml", "--backend", "onnx", "--limit", "8")
    assert ended.code == 0, ended.err
    for word in ("8 parts judged by model pcb", "recipe belt revision 3", "escapes", "overkills", "mAP", "F-score"):
        assert word in ended.out
    assert re.search(r"labels/00\.txt:2: class is 7", ended.out)


def test_one_image_without_annotation(belt: Path) -> None:
    image = belt / "alone.png"
    image.write_bytes((belt / "set/images/03.png").read_bytes())
    ended = judge(image, "--recipe", belt / "recipe.toml", "--json", "--threads", "1")
    assert ended.code == 0, ended.err
    told = ended.told
    assert told["parts"] == 1
    for key in ("f_score", "precision", "recall", "ap", "map", "escapes", "overkills"):
        assert told[key] is None


def test_a_video_is_judged_frame_by_frame(belt: Path) -> None:
    path = belt / "line.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (640, 640))
    for number in (1, 2, 3):
        picture = cv2.imread(str(belt / f"set/images/{number:02}.png"))
        assert picture is not None
        writer.write(picture)
    writer.release()
    ended = judge(path, "--recipe", belt / "recipe.toml", "--json", "--backend", "onnx")
    assert ended.code == 0, ended.err
    assert ended.told["parts"] == 3
    assert ended.told["f_score"] is None


def test_nothing_that_can_be_read_ends_with_3(belt: Path, tmp_path: Path) -> None:
    empty = judge(tmp_path, "--recipe", belt / "recipe.toml", "--json", "--backend", "onnx")
    assert empty.code == 3
    assert "no image" in empty.err
    (tmp_path / "a.png").write_bytes(b"")
    broken = judge(tmp_path, "--recipe", belt / "recipe.toml", "--json", "--backend", "onnx")
    assert broken.code == 3
    assert broken.told["verdicts"]["INVALID"] == 1
    assert "could be judged" in broken.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "there is no such file or folder"),
        ([".", "--model", "nosuch"], "no model bundle"),
        ([".", "--recipe", "nosuch"], "there is no such recipe"),
        ([".", "--split", "nosuch"], "there is no such split"),
        ([".", "--backend", "nosuch"], "'nosuch' is unknown"),
    ],
)
def test_a_mistake_ends_with_2_and_its_cure(tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    source, *rest = arguments
    ended = judge(tmp_path / source, "--json", *rest)
    assert ended.code == 2
    assert message in ended.err
    assert ended.out == ""
    assert "Traceback" not in ended.err


@pytest.mark.deeppcb
def test_ten_real_boards(deeppcb: Path) -> None:
    """Defect boards and their templates with the real model and its ready recipe, as README tells it."""
    ended = judge(deeppcb, "--split", "test", "--limit", "20", "--json")
    assert ended.code == 0, ended.err
    told = ended.told
    assert told["parts"] == 20
    assert told["annotations"] == {"form": "deeppcb", "unannotated": 0, "scored": 10, "mistakes": []}
    assert told["escapes"]["of"] == told["overkills"]["of"] == 10
    assert told["f_score"] > 0.8
    assert told["map"] > 0.8
    assert told["escapes"]["groups"] == 1
