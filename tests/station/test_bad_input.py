"""Bad input as a user meets it: each gets a clear error or an INVALID verdict with its reason, and nothing hangs."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.station.kill_run import (
    Books,
    model_bytes,
    partsight,
    records_of,
    station,
    write_bundle,
    write_station,
)

from partsight.cameras.folder import read_image
from partsight.cli.app import main
from partsight.domain.frame import PixelFormat
from partsight.domain.verdict import Result

GREY = np.full((128, 128), 150, np.uint8)
FOLDER = 'driver = "folder"\n[cameras.settings]\npath = "images"'
BY_FOLDER = 'kind = "folder"'

OK, WRONG_SIZE, UNREADABLE = 0, 5, 6
JUDGED = {
    "good.png": OK,
    "deep.png": OK,
    "one-channel.png": OK,
    "four-channels.png": OK,
    "colour.jpg": OK,
    "part 部品 [red]x.png": OK,
    "pixel.png": WRONG_SIZE,
    "100-megapixels.png": WRONG_SIZE,
    "a-lie.bmp": WRONG_SIZE,
    "empty.png": UNREADABLE,
    "cut-off.png": UNREADABLE,
    "cut-off.jpg": UNREADABLE,
    "text.png": UNREADABLE,
}
"""Reason code by file name."""


def encoded(end: str, pixels: np.ndarray) -> bytes:
    good, data = cv2.imencode(end, pixels)
    assert good
    return data.tobytes()


def bmp_header(side: int) -> bytes:
    """A bitmap that promises side x side pixels and holds a hundred bytes."""
    return (
        b"BM"
        + struct.pack("<IHHI", 154, 0, 0, 54)
        + struct.pack("<IiiHHIIiiII", 40, side, side, 1, 24, 0, 0, 0, 0, 0, 0)
        + bytes(100)
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder camera over images of every bad kind, with other things beside them."""
    root = tmp_path_factory.mktemp("bad")
    images = root / "images"
    images.mkdir()
    colour = np.dstack([GREY, GREY, GREY])
    png, jpg = encoded(".png", GREY), encoded(".jpg", colour)
    contents = {
        "good.png": png,
        "deep.png": encoded(".png", GREY.astype(np.uint16) * 257),
        "one-channel.png": png,
        "four-channels.png": encoded(".png", np.dstack([GREY, GREY, GREY, GREY])),
        "colour.jpg": jpg,
        "part 部品 [red]x.png": png,
        "pixel.png": encoded(".png", GREY[:1, :1]),
        "100-megapixels.png": encoded(".png", np.zeros((10_000, 10_000), np.uint8)),
        "a-lie.bmp": bmp_header(30_000),
        "empty.png": b"",
        "cut-off.png": png[:-30],
        "cut-off.jpg": jpg[: len(jpg) // 2],
        "text.png": b"no image at all",
    }
    assert contents.keys() == JUDGED.keys()
    for name, content in contents.items():
        (images / name).write_bytes(content)
    (images / "notes.txt").write_text("a folder with other files in it")
    (images / "folder.png").mkdir()
    (images / "nowhere.png").symlink_to("gone")
    (images / "itself.png").symlink_to("itself.png")
    os.mkfifo(images / "pipe.png")
    write_station(root, camera=FOLDER, trigger=BY_FOLDER)
    return root


def test_judge_gives_each_its_verdict(site: Path) -> None:
    table = site / "parts.csv"
    done = partsight(
        "judge", site / "images", "--model", site / "bundle", "--recipe", site / "recipe.toml",
        "--backend", "onnx", "--json", "--csv", table, "--overlays", site / "overlays",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    codes = {row["image"]: int(row["code"]) for row in csv_rows(table)}
    assert codes == JUDGED
    assert told["parts"] == len(JUDGED)
    assert told["verdicts"]["OK"] == sum(code == OK for code in JUDGED.values())
    assert told["verdicts"]["INVALID"] == sum(code != OK for code in JUDGED.values())


def csv_rows(path: Path) -> list[dict[str, Any]]:
    import polars

    return polars.read_csv(path).to_dicts()


def test_rule_2_a_station_gives_each_its_verdict(site: Path) -> None:
    with station(site / "station.toml") as run:
        assert run.ends() == 0, run.told
    assert {line["part"]: line["code"] for line in run.verdicts} == JUDGED
    for line in run.verdicts:
        assert (line["verdict"], line["action"]) == (("OK", "pass") if line["code"] == OK else ("INVALID", "reject"))
        if line["code"] in (WRONG_SIZE, UNREADABLE) and line["part"] != "pixel.png":
            assert line["part"] in line["reasons"][0], "the reason names the file"
    assert run.logs, "log lines and nothing else"
    books = Books(site / "data")
    books.after(run)
    books.close()
    assert {record.trigger.part_id for record in records_of(site / "data").values()} == set(JUDGED)


def test_a_name_that_is_no_text_is_recorded_like_any_other(tmp_path: Path) -> None:
    """Linux allows any bytes in a name; neither the part nor those after it may stay without a record."""
    config = write_station(tmp_path, camera=FOLDER, trigger=BY_FOLDER)
    images = tmp_path / "images"
    images.mkdir()
    for number, content in enumerate((encoded(".png", GREY), b"broken", encoded(".png", GREY))):
        Path(os.fsdecode(os.fsencode(images) + b"/%d-\xff\xfe.png" % number)).write_bytes(content)
    (images / "9.png").write_bytes(b"broken")
    with station(config) as run:
        assert run.ends() == 0, run.told
    assert [line["verdict"] for line in run.verdicts] == ["OK", "INVALID", "OK", "INVALID"]
    books = Books(tmp_path / "data")
    books.after(run)
    assert books.close() == {Result.OK: 2, Result.INVALID: 2}


SOURCES = [
    encoded(end, pixels)
    for pixels in (GREY[:24, :40], np.dstack([GREY[:24, :40]] * 3), GREY[:24, :40].astype(np.uint16) * 257)
    for end in (
        ".png",
        ".tif",
        ".ppm" if pixels.ndim == 3 else ".pgm",
        *([".jpg", ".bmp", ".webp"] * (pixels.itemsize == 1)),
    )
]


@settings(max_examples=300)
@given(st.sampled_from(SOURCES), st.data())
def test_bytes_that_are_almost_an_image(tmp_path_factory: pytest.TempPathFactory, source: bytes, data: Any) -> None:
    """Cut, overwritten or with bytes of their own: a Grab with pixels that fit their format, or with its error."""
    content = bytearray(source[: data.draw(st.integers(0, len(source)))] if data.draw(st.booleans()) else source)
    for _ in range(data.draw(st.integers(0, 4))):
        if content:
            # Headers lie at the start: most changes should hit them.
            at = data.draw(st.integers(0, min(len(content) - 1, data.draw(st.sampled_from([63, 100_000])))))
            content[at] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "almost.png"
    path.write_bytes(bytes(content))
    grab = read_image(path, max_megapixels=4)
    if grab.error is None:
        width, height = grab.size
        assert 0 < width * height <= 4_000_000
        assert grab.pixels.dtype == grab.format.dtype
        assert grab.pixels.ndim == (3 if grab.format is PixelFormat.BGR8 else 2)
    else:
        assert grab.pixels.size == 0
        assert "almost.png" in str(grab.error)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("labels/good.txt", "0 0.5 0.5 nonsense 0.1\n", "nonsense"),
        ("labels/good.txt", "0 0.5 0.5\n", "good.txt"),
        ("labels/good.txt", "0 0.5 0.5 inf 0.1\n", "good.txt"),
        ("labels/good.txt", "\0\1\2\3\xff", "good.txt"),
    ],
)
def test_an_annotation_that_does_not_parse(tmp_path: Path, name: str, text: str, told: str) -> None:
    write_station(tmp_path)
    (tmp_path / "set/images").mkdir(parents=True)
    (tmp_path / "set/labels").mkdir()
    (tmp_path / "set/images/good.png").write_bytes(encoded(".png", GREY))
    (tmp_path / "set/data.yaml").write_text("names: [defect]\n")
    (tmp_path / "set" / name).write_text(text, encoding="latin-1")
    done = partsight(
        "judge", tmp_path / "set", "--model", tmp_path / "bundle", "--recipe", tmp_path / "recipe.toml",
        "--backend", "onnx", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["parts"] == 1
    (mistake,) = answer["annotations"]["mistakes"]
    assert told in f"{mistake['file']} {mistake['reason']}"
    assert answer["annotations"]["unannotated"] == 1, "a part whose truth cannot be read is neither good nor bad"


MODELS = {
    "cut off": (lambda: model_bytes()[:-300], None, "cannot load it"),
    "empty": (lambda: b"", None, "cannot load it"),
    "other outputs": (lambda: model_bytes(columns=7), None, "the output is (1, 4, 7)"),
    "a wrong hash": (model_bytes, "0" * 64, "sha256"),
}


@pytest.mark.parametrize("kind", MODELS)
def test_rule_8_a_model_that_is_not_what_its_card_says(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A wrong hash is a mistake in the site's files (2); what only loading can show is a model that is not here (3)."""
    content, sha256, told = MODELS[kind]
    write_bundle(tmp_path / "bundle", content(), sha256)
    config = write_station(tmp_path)
    code, err = in_process(monkeypatch, capfd, "run", config)
    assert code == (2 if sha256 else 3), err
    assert told in err
    assert "model.onnx" in err
    assert not (tmp_path / "data/records.db").exists() or records_of(tmp_path / "data") == {}


def in_process(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], *arguments: str | Path
) -> tuple[int, str]:
    """A command without the second that a new Python takes; its exit status and its stderr."""
    monkeypatch.setattr(sys, "argv", ["partsight", *map(str, arguments)])
    monkeypatch.setenv("COLUMNS", "200")
    capfd.readouterr()
    with pytest.raises(SystemExit) as ended:
        main()
    err = capfd.readouterr().err
    assert "Traceback" not in err
    return int(ended.value.code or 0), err


def test_a_video_that_ends(tmp_path: Path) -> None:
    video = tmp_path / "line.avi"
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*"MJPG"), 10, (128, 128))
    for _ in range(5):
        writer.write(np.dstack([GREY, GREY, GREY]))
    writer.release()
    camera = f'driver = "opencv"\n[cameras.settings]\nsource = "{video}"'
    config = write_station(tmp_path, camera=camera, trigger=BY_FOLDER)
    with station(config) as run:
        assert run.ends() == 0, run.told
    assert [line["verdict"] for line in run.verdicts] == ["OK"] * 5
    assert run.summary["in_flight"] == 0
    assert len(records_of(tmp_path / "data")) == 5


def test_rule_2_a_camera_that_is_not_there(tmp_path: Path, wait_until: Callable[..., Any]) -> None:
    """The station goes on without it, says so, rejects what it is asked for, and ends when it is told to."""
    camera = 'driver = "opencv"\n[cameras.settings]\nsource = "/dev/video-that-is-not-there"'
    config = write_station(tmp_path, camera=camera, trigger='kind = "timer"\nperiod_ms = 50')
    with station(config) as run:
        wait_until(lambda: [line for line in run.logs if line["event"] == "fault"], 20)
        assert run.terminate(5) == 0, run.told
    (fault,) = [line for line in run.logs if line["event"] == "fault"]
    assert fault["key"] == "camera/top"
    assert "video-that-is-not-there" in fault["text"]
    assert "check cable" in fault["cure"]
    assert {line["verdict"] for line in run.verdicts} <= {"INVALID"}
    books = Books(tmp_path / "data")
    books.after(run)
    books.close()


def test_rule_5_a_database_that_is_locked_rejects_in_time_and_records_later(
    tmp_path: Path, wait_until: Callable[..., Any]
) -> None:
    config = write_station(tmp_path, trigger='kind = "timer"\nperiod_ms = 40')
    with station(config) as run:
        assert run.wait_for_verdicts(5), run.told
        other = sqlite3.connect(tmp_path / "data/records.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        before = len(run.verdicts)
        assert run.wait_for_verdicts(before + 12), run.told
        told = [line for line in run.logs if line["event"] == "fault"]
        other.execute("ROLLBACK")
        other.close()
        wait_until(
            lambda: [line for line in run.logs if line["event"] == "fault is over" and line["key"] == "records"], 20
        )
        assert run.wait_for_verdicts(len(run.verdicts) + 5), run.told
        assert run.terminate() == 0, run.told
    assert "locked by another program" in told[0]["text"]
    # The lock came while a part may have been on its way: nothing passed while it was held.
    assert {line["verdict"] for line in run.verdicts[before + 2 : before + 12]} <= {"INVALID", "NG"}
    books = Books(tmp_path / "data")
    books.after(run)
    books.close()
    assert set(records_of(tmp_path / "data")) == {line["sequence"] for line in run.verdicts}


@pytest.mark.parametrize("kind", ["no database at all", "pages of noise", "cut off"])
def test_a_damaged_database_is_kept_and_named(
    recorded: Path, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    config = write_station(tmp_path)
    shutil.copytree(recorded, tmp_path / "data")
    database = tmp_path / "data/records.db"
    content = database.read_bytes()
    database.write_bytes(
        {
            "no database at all": b"this is a letter, not a database" * 200,
            "pages of noise": content[:8192] + np.random.default_rng(1).bytes(len(content) - 8192),
            "cut off": content[: len(content) // 2],
        }[kind]
    )
    before = database.read_bytes()
    code, err = in_process(monkeypatch, capfd, "run", config)
    assert code == 3
    assert "records.db is damaged" in err
    assert "it was not touched" in err
    assert database.read_bytes() == before


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a station that has run."""
    root = tmp_path_factory.mktemp("recorded")
    with station(write_station(root), "--parts", "20") as run:
        assert run.ends() == 0, run.told
    return root / "data"


def test_a_second_station_on_the_same_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    config = write_station(tmp_path)
    with station(config) as run:
        assert run.wait_for_verdicts(5), run.told
        code, err = in_process(monkeypatch, capfd, "run", config)
        assert code == 3
        assert f"process {run.process.pid}" in err
        assert run.wait_for_verdicts(len(run.verdicts) + 10), run.told
        assert run.terminate() == 0, run.told
    books = Books(tmp_path / "data")
    books.after(run)
    assert books.close()[Result.OK] > 5
    assert {record.trigger.epoch for record in records_of(tmp_path / "data").values()} == {1}
