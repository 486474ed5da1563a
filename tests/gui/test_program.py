"""`partsight gui` as a program: it starts, ends in order, and says plainly why it cannot."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.gui.conftest import Line

Wait = Callable[..., object]
PROGRAM = [sys.executable, "-m", "partsight", "gui"]


def environment(folder: Path, **more: str) -> dict[str, str]:
    """Without a display of its own, and without this person's settings."""
    kept = {key: value for key, value in os.environ.items() if key not in {"DISPLAY", "WAYLAND_DISPLAY"}}
    source = str(Path(__file__).parents[2] / "inspect")
    return {**kept, "PYTHONPATH": source, "XDG_CONFIG_HOME": str(folder), **more}


def test_it_runs_and_ends_by_a_signal(line: Line, tmp_path: Path, wait_until: Wait) -> None:
    settings = environment(tmp_path, QT_QPA_PLATFORM="offscreen")
    with subprocess.Popen([*PROGRAM, line.url, "--language", "de", "--theme", "light"], env=settings) as process:
        # It has connected and asks for pictures: the window is up.
        line.say(cameras=[{"name": "top", "state": "streaming"}])
        wait_until(lambda: any("top" in wish for wish in line.wishes), 30.0, "the screen asks for pictures")
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


@pytest.mark.parametrize("platform", ["", "xcb"])
def test_without_a_display_it_says_so(platform: str, tmp_path: Path) -> None:
    ran = subprocess.run(
        PROGRAM,
        env=environment(tmp_path, QT_QPA_PLATFORM=platform),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 3
    assert "no display" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_without_pyside_it_names_the_extra(tmp_path: Path) -> None:
    code = "import sys; sys.modules['PySide6'] = None; from partsight.__main__ import main; main()"
    ran = subprocess.run(
        [sys.executable, "-c", code, "gui"],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 3
    assert "partsight[gui]" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_wrong_address_is_a_message(tmp_path: Path) -> None:
    settings = environment(tmp_path, QT_QPA_PLATFORM="offscreen")
    ran = subprocess.run(
        [*PROGRAM, "ftp://cell"], env=settings, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 3
    assert "http://127.0.0.1:8787" in ran.stderr
    assert "Traceback" not in ran.stderr
