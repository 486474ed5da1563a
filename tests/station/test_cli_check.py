"""`partsight check` as a user runs it: every mistake of every file at once, before any device opens (rule 9)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from partsight.cli.app import main

ROOT = Path(__file__).resolve().parents[2]

STATION = """\
schema = 1

[station]
name = "cell"
data = "data"
recipe = "recipe.toml"
deadline_ms = "soon"
dead_line = 3

[model]
bundle = "./bundle"
backend = "cuda9"

[[cameras]]
name = "top"
driver = "opencv"
[cameras.settings]
source = "{source}"
width = "wide"
exposure = 3

[[cameras]]
name = "side"
driver = "webcam"

[trigger]
kind = "timer"
"""

RECIPE = """\
schema = 1
name = "part"
revision = 1

[classes.scratch]
threshold = 0.5

[[views]]
camera = "*"

[views.alignment]
fiducials = [{ picture = "missing.png", at = [10.0, 10.0] }]

[views.image]
colour = "red"

[[views.regions]]
name = "edge"
kind = "ignore"
corners = [[0.0, 0.0], [10.0, 0.0]]
"""

MISTAKES = {
    ("station.toml", "station.deadline_ms"),
    ("station.toml", "station.dead_line"),
    ("station.toml", "model.backend"),
    ("station.toml", "cameras[1].settings.width"),
    ("station.toml", "cameras[1].settings.exposure"),
    ("station.toml", "cameras[2].driver"),
    ("station.toml", "model.bundle"),
    ("recipe.toml", "classes.scratch"),
    ("recipe.toml", "views[1].alignment.fiducials[1].picture"),
    ("recipe.toml", "views[1].image.colour"),
    ("recipe.toml", "views[1].regions[1].corners"),
}


@dataclass(frozen=True)
class Site:
    """A folder with a configuration, its recipe, its bundle and a pipe that stands for a device."""

    config: Path
    device: Path


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Mistakes in three files: the station's, the recipe's, and a bundle whose model is not what its card says."""
    device = tmp_path / "device"
    os.mkfifo(device)
    bundle = tmp_path / "bundle"
    shutil.copytree(ROOT / "models/pcb", bundle)
    (bundle / "model.onnx").write_bytes(b"another model")
    config = tmp_path / "station.toml"
    config.write_text(STATION.format(source=device))
    (tmp_path / "recipe.toml").write_text(RECIPE)
    return Site(config, device)


def check(*arguments: str | Path) -> tuple[int, str, str]:
    environment = os.environ | {
        "PYTHONPATH": f"{ROOT / 'inspect'}:{os.environ.get('PYTHONPATH', '')}",
        "COLUMNS": "200",
    }
    command = [sys.executable, "-m", "partsight", "check", *map(str, arguments)]
    # A device that were opened here would hang: nobody writes to the pipe.
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False)
    return done.returncode, done.stdout, done.stderr


def in_process(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str | Path
) -> tuple[int, str]:
    monkeypatch.setattr(sys, "argv", ["partsight", "check", *map(str, arguments)])
    capfd.readouterr()
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capfd.readouterr()
    return int(ended.value.code or 0), out + err


def test_rule_9_all_mistakes_in_three_files_at_once(site: Site) -> None:
    code, out, err = check(site.config, "--json")
    assert code == 2
    assert err == ""
    told = json.loads(out)
    assert told["ok"] is False
    found = [(Path(m["file"]).name, m["key"]) for m in told["mistakes"]]
    assert sorted(found) == sorted(MISTAKES), "each is told once"
    by_key = {m["key"]: m for m in told["mistakes"]}
    assert "model.onnx" in by_key["model.bundle"]["problem"]
    assert "open" in by_key["classes.scratch"]["cure"], "the cure names the classes that the model has"
    assert all(m["problem"] for m in told["mistakes"])


def test_rule_9_people_read_the_same(
    site: Site, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, text = in_process(capfd, monkeypatch, site.config)
    assert code == 2
    for file, key in MISTAKES:
        assert f"{file}: {key}" in text, key
    assert f"{len(MISTAKES)} mistakes" in text


def test_no_device_is_opened_and_what_is_missing_now_is_a_note(site: Site) -> None:
    text = (ROOT / "configs/one-camera-usb.toml").read_text()
    site.config.write_text(text.replace("source = 0", f'source = "{site.device}"'))
    code, out, _ = check(site.config, "--json")
    assert (code, json.loads(out)) == (0, {"ok": True, "mistakes": [], "notes": []})

    site.device.unlink()
    code, out, _ = check(site.config, "--json")
    told = json.loads(out)
    assert (code, told["ok"]) == (0, True)
    assert [str(site.device) in note for note in told["notes"]] == [True]


def test_a_data_folder_that_cannot_be_is_a_note(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    config = tmp_path / "station.toml"
    config.write_text((ROOT / "configs/demo.toml").read_text().replace("../demo-data", "file/data"))
    code, text = in_process(capfd, monkeypatch, config)
    assert code == 0
    assert "cannot be written" in text


@pytest.mark.parametrize("content", [None, "schema = [", "", "cameras = 3\nmodel = 'x'\nstation = [1]\n"])
def test_a_file_that_is_no_configuration(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    config = tmp_path / "station.toml"
    if content is not None:
        config.write_text(content)
    code, text = in_process(capfd, monkeypatch, config)
    assert code == 2
    assert "station.toml" in text
    assert "Traceback" not in text
