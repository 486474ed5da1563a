"""The checks of tests/conftest.py can fail: each is run in a pytest of its own, on a test that should fail it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

LEAKS = """
import os, subprocess, sys, threading
from hypothesis import given, strategies

forever = threading.Event()

def test_thread():
    threading.Thread(target=forever.wait, args=(10,), name="stray-thread").start()

def test_daemon_thread():
    threading.Thread(target=forever.wait, args=(10,), daemon=True).start()

def test_process():
    global process
    process = subprocess.Popen([sys.executable, "-c", "input()  # stray-process"], stdin=subprocess.PIPE)

def test_after():
    process.stdin.close()
    assert process.wait(10) != 0, "the check ends what a test left"
    forever.set()

def test_priority():
    os.nice(1)

@given(strategies.integers())
def test_property(number):
    assert number == number
"""

IMAGES = """
import pytest

def test_by_fixture(deeppcb):
    assert deeppcb.is_dir()

@pytest.mark.deeppcb
def test_by_mark():
    pass

def test_wait(wait_until):
    assert wait_until(lambda: 7) == 7
    with pytest.raises(AssertionError, match="not within 0.01 s: the impossible"):
        wait_until(lambda: 0, 0.01, "the impossible")
"""


def run_pytest(folder: Path, text: str, **environment: str) -> str:
    """What a pytest says that runs `text` under the project's conftest and settings."""
    (folder / "conftest.py").write_text((ROOT / "tests/conftest.py").read_text())
    (folder / "test_it.py").write_text(text)
    variables = {k: v for k, v in os.environ.items() if k != "PARTSIGHT_DEEPPCB"} | environment
    command = [sys.executable, "-m", "pytest", "-c", ROOT / "pyproject.toml", "--rootdir", folder, folder]
    command += ["-p", "no:cacheprovider"]
    run = subprocess.run(command, env=variables, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    return run.stdout + run.stderr


def test_what_a_test_leaves_running_fails_it(tmp_path: Path) -> None:
    output = run_pytest(tmp_path, LEAKS)
    assert "6 passed, 3 errors" in output
    assert "ERROR test_it.py::test_thread" in output
    assert "stray-thread" in output
    assert "ERROR test_it.py::test_process" in output
    assert "ERROR test_it.py::test_priority" in output


def test_missing_images_are_said_loudly(tmp_path: Path) -> None:
    output = run_pytest(tmp_path, IMAGES)
    assert "1 passed, 2 skipped" in output
    assert "real images NOT tested" in output
    assert "2 tests on real images did not run. PARTSIGHT_DEEPPCB is not set" in output


@pytest.mark.parametrize("made", [True, False])
def test_given_images_are_used_and_a_wrong_path_fails(tmp_path: Path, made: bool) -> None:
    folder = tmp_path / "images" / "PCBData"
    folder.mkdir(parents=True)
    if made:
        (folder / "test.txt").touch()
    output = run_pytest(tmp_path, IMAGES, PARTSIGHT_DEEPPCB=str(folder.parent))
    assert ("3 passed" if made else "there is no PCBData/test.txt in it") in output
    assert "NOT tested" not in output
