"""`partsight init` as a user runs it, the ready configurations, and the commands of docs/how-to/first-station.md."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib import import_module
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tomlkit
import typer

from partsight.cameras.simulated import SimulatedCamera
from partsight.cli.app import COMMANDS, main
from partsight.daemon.site import load_site
from partsight.domain.detections import Detections, ModelRef
from partsight.domain.frame import Grab, PixelFormat, Pixels
from partsight.domain.verdict import Result
from partsight.domain.views import View
from partsight.recipes import decide
from partsight.station.facts import Measurer

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


Call = Callable[..., Ended]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    """The command line in this process, from `tmp_path`: arguments and what is typed in, exit code and output out."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str | Path, typed: str = "") -> Ended:
        monkeypatch.setattr(sys, "argv", ["partsight", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        return Ended(int(ended.value.code or 0), out, err)

    return run


def process(*arguments: str | Path, folder: Path) -> Ended:
    environment = os.environ | {
        "PYTHONPATH": f"{ROOT / 'inspect'}:{os.environ.get('PYTHONPATH', '')}",
        "COLUMNS": "200",
    }
    command = [sys.executable, "-m", "partsight", *map(str, arguments)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=90,
        env=environment,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def boards(count: int, **rates: float) -> list[Pixels]:
    zero = {"defect_rate": 0.0, "empty_rate": 0.0, "shifted_rate": 0.0, "rotated_rate": 0.0, "wrong_rate": 0.0}
    camera = SimulatedCamera(SimulatedCamera.Settings(seed=3, rate_hz=0, **(zero | rates)))
    camera.open(5.0)
    try:
        grabs = [camera.grab(5.0) for _ in range(count)]
    finally:
        camera.close()
    return [grab.pixels for grab in grabs if grab is not None]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """good-part.png, and line.avi: two good boards, one with defects, one empty place."""
    folder = tmp_path_factory.mktemp("pictures")
    good = boards(3)
    assert cv2.imwrite(str(folder / "good-part.png"), good[0])
    film = cv2.VideoWriter(str(folder / "line.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 5, (640, 640))
    for frame in (*good[1:], *boards(1, defect_rate=1.0), *boards(1, empty_rate=1.0)):
        film.write(frame)
    film.release()
    return folder


def left_over(folder: Path) -> list[str]:
    return [file.name for file in folder.rglob(".*")]


def test_all_defaults_give_a_commented_configuration_that_check_accepts(call: Call, tmp_path: Path) -> None:
    ended = call("init", "--yes", "--driver", "simulated")
    assert ended.code == 0
    assert "wrote station.toml" in ended.out
    text = (tmp_path / "station.toml").read_text()
    assert text.count("#") > 8, "it is commented"
    site = load_site(tmp_path / "station.toml")
    assert site.config.station.data == tmp_path / "station-data"
    assert call("check", "station.toml").code == 0
    assert left_over(tmp_path) == []


def test_a_file_that_is_there_is_never_overwritten(call: Call, tmp_path: Path, pictures: Path) -> None:
    mine = tmp_path / "station.toml"
    mine.write_text("# mine\n")
    ended = call("init", "--yes", "--driver", "simulated")
    assert ended.code == 2
    assert "station.toml" in ended.err
    assert "--force" in ended.err
    assert mine.read_text() == "# mine\n"

    # A recipe in the way: nothing at all is written.
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes/part.toml").write_text("# my recipe\n")
    picture = ("--picture", pictures / "good-part.png", "--recipe", "part")
    ended = call("init", "new.toml", "--yes", "--driver", "simulated", *picture)
    assert ended.code == 2
    assert "part.toml" in ended.err
    assert not (tmp_path / "new.toml").exists()
    assert (tmp_path / "recipes/part.toml").read_text() == "# my recipe\n"

    assert call("init", "--yes", "--driver", "simulated", "--force", *picture).code == 0
    assert load_site(mine).recipe.ref.name == "part"
    assert left_over(tmp_path) == []


def test_a_bad_answer_is_asked_again_with_the_reason(call: Call, tmp_path: Path) -> None:
    answers = [
        *("bad name!", "cell-7"),
        *("webcam", "simulated"),
        "side",
        *("fast", "2.5"),
        *("-1", "0.05"),
        *("sometimes", "timer"),
        *("0", "250"),
        *("soon", "750"),
        *("no-such-model", "pcb"),
        *("gpu", "onnx"),
        "my-data",
        *("missing.png", ""),
        *("no-such-recipe", "demo-board"),
    ]
    ended = call("init", "cell.toml", typed="\n".join(answers) + "\n")
    assert ended.code == 0, ended.err
    config = load_site(tmp_path / "cell.toml").config
    assert (config.station.name, config.station.deadline_ms, config.station.recipe) == ("cell-7", 750, "demo-board")
    assert (config.cameras[0].name, config.cameras[0].driver, config.cameras[0].mm_per_px) == (
        "side",
        "simulated",
        0.05,
    )
    assert config.cameras[0].settings == {"rate_hz": 2.5}
    assert (config.trigger.kind.value, config.trigger.period_ms) == ("timer", 250)
    assert (config.model.backend, config.station.data) == ("onnx", tmp_path / "my-data")
    for reason in ("is not a plain name", "webcam", "no-such-model", "'gpu' is not one of", "no such recipe"):
        assert reason in ended.err, reason
    assert ended.err.count("Error:") == 11


def test_all_wrong_options_are_told_at_once(call: Call, tmp_path: Path) -> None:
    wrong = ("--name", "a b", "--deadline-ms", "-5", "--trigger", "maybe", "--backend", "gpu", "--driver", "webcam")
    ended = call("init", "--yes", *wrong, "--picture", "missing.png")
    assert ended.code == 2
    for option in (*wrong[::2], "--picture"):
        assert f"{option}:" in ended.err, option
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["grey", "broken"])
def test_a_picture_that_shows_no_part_is_refused(call: Call, tmp_path: Path, kind: str) -> None:
    picture = tmp_path / f"{kind}.png"
    assert cv2.imwrite(str(picture), np.full((200, 200), 90, np.uint8))
    if kind == "broken":
        picture.write_bytes(picture.read_bytes()[:60])
    ended = call("init", "--yes", "--driver", "simulated", "--picture", picture)
    assert ended.code == 2
    assert f"{kind}.png" in ended.err
    assert not (tmp_path / "station.toml").exists()


def test_the_recipe_of_a_picture_has_positive_evidence(call: Call, tmp_path: Path, pictures: Path) -> None:
    """Rule 2: by the first recipe a good part is OK; empty places, dark or bright, and a wrong part are INVALID."""
    ended = call(
        *("init", "--yes", "--driver", "simulated", "--picture", pictures / "good-part.png"),
        *("--recipe", "widget", "--json"),
    )
    assert ended.code == 0
    told = json.loads(ended.out)
    assert told["recipe"] == "widget"
    assert {Path(file).name for file in told["files"]} == {"part.png", "widget.toml", "station.toml"}
    recipe = load_site(tmp_path / "station.toml").recipe
    measurer = Measurer(recipe, "top")
    nothing = Detections.none(("open",), ModelRef("none", "", "", ""))

    def verdict(pixels: Pixels) -> Result:
        facts = measurer.measure(Grab(pixels, PixelFormat.BGR8))
        return decide([View("top", nothing, facts)], recipe).result

    assert [verdict(board) for board in boards(4)[1:]] == [Result.OK] * 3
    bright = np.full((640, 640, 3), 230, np.uint8)
    bright[::2, ::2] = 200  # not over-exposed, and as sharp as it gets
    for name, pixels in {"bright": bright, "empty": boards(1, empty_rate=1.0)[0]}.items():
        assert verdict(pixels) is Result.INVALID, name
    assert verdict(boards(1, wrong_rate=1.0)[0]) is Result.INVALID


def edited(name: str, folder: Path, old: str, new: str) -> Path:
    """A ready configuration with its one line edited."""
    text = (ROOT / "configs" / name).read_text()
    assert text.count(old) == 1
    path = folder / name
    path.write_text(text.replace(old, new))
    return path


def test_the_ready_configurations_work_after_one_edited_line(call: Call, tmp_path: Path, pictures: Path) -> None:
    (tmp_path / "site").mkdir()
    usb = edited("one-camera-usb.toml", tmp_path / "site", "source = 0", f'source = "{pictures / "line.avi"}"')
    assert call("check", usb, "--json").code == 0
    folder = edited("folder.toml", tmp_path / "site", 'path = "../images"', f'path = "{tmp_path / "images"}"')
    (tmp_path / "images").mkdir()
    for number, board in enumerate(boards(2)):
        assert cv2.imwrite(str(tmp_path / f"images/{number}.png"), board)
    ended = process("run", folder, "--json", folder=tmp_path)
    assert ended.code == 0, ended.err
    summary = json.loads(ended.out.splitlines()[-1])["summary"]
    assert (summary["triggers"], summary["in_flight"]) == (2, 0)
    assert (tmp_path / "folder-data/records.db").is_file()


def how_to_commands() -> list[str]:
    text = (ROOT / "docs/how-to/first-station.md").read_text()
    blocks = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line for line in lines if line.strip()]


def test_the_how_to_works_as_written(tmp_path: Path, pictures: Path) -> None:
    """Every command of the page, in order, in a folder that holds the two files which the page says are yours."""
    commands = how_to_commands()
    assert [shlex.split(line)[1] for line in commands] == ["doctor", "init", "check", "run", "show", "show", "judge"]
    for name in ("good-part.png", "line.avi"):
        os.link(pictures / name, tmp_path / name)
    for line in commands:
        words = shlex.split(line)
        assert words[0] == "partsight"
        ended = process(*words[1:], folder=tmp_path)
        assert ended.code == 0, (line, ended.out, ended.err)
    config = tomlkit.parse((tmp_path / "cell.toml").read_text()).unwrap()
    assert config["cameras"][0]["driver"] == "opencv"
    rows = (tmp_path / "parts.csv").read_text().splitlines()
    assert len(rows) == 1 + 4, "every frame of the recording was a part"
    assert datetime.now(timezone.utc).strftime("%Y-") in rows[1]


def test_the_reference_names_every_option_of_every_command() -> None:
    page = (ROOT / "docs/reference/cli.md").read_text()
    for name, where in COMMANDS.items():
        section = page.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        assert section, f"docs/reference/cli.md has no section {name}"
        if name == "judge":
            section += (ROOT / "docs/reference/judge.md").read_text()
        module, _, function = where.partition(":")
        for command in _commands(getattr(import_module(module), function)):
            for option in command.params:
                # A flag's --no- form says nothing new.
                flags = [flag for flag in option.opts + option.secondary_opts if not flag.startswith("--no-")]
                for flag in flags:
                    if flag.startswith("--") and flag not in {"--help", "--install-completion", "--show-completion"}:
                        assert re.search(rf"(?<![\w-]){flag}(?![\w-])", section), f"{name} {flag}"


def _commands(found: Any) -> list[Any]:
    """The command itself, or those of a group."""
    if isinstance(found, typer.Typer):
        return list(typer.main.get_command(found).commands.values())
    app = typer.Typer()
    app.command()(found)
    return [typer.main.get_command(app)]
