"""`make demo` and `make test` do their own set-up: scripts/setup.sh, run for real."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SETUP = ROOT / "scripts/setup.sh"
SHELLCHECK = Path(sys.executable).parent / "shellcheck"


def run(*command: str | Path, cwd: Path = ROOT, timeout: float = 60, **environment: str) -> tuple[int, str]:
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
    )
    return done.returncode, done.stdout


def copy_of_the_house(folder: Path) -> Path:
    """The files that git knows or would add, without `.venv`, as a fresh clone has them."""
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    for name in names:
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


@pytest.mark.skipif(not SHELLCHECK.exists(), reason="shellcheck has no wheel for this machine")
def test_scripts_pass_shellcheck() -> None:
    code, output = run(SHELLCHECK, *(ROOT / "scripts").glob("*.sh"), ROOT / ".ci/run")
    assert code == 0, output


def test_scripts_can_be_run() -> None:
    for script in (*(ROOT / "scripts").glob("*.sh"), ROOT / ".ci/run"):
        assert os.access(script, os.X_OK), f"chmod +x {script.name}"


def test_an_unknown_word_says_what_is_known() -> None:
    code, output = run(SETUP, "everything")
    assert (code, output) == (1, "set-up: say what to set up: demo, test, training or where\n")


def test_training_environment_can_be_moved(tmp_path: Path) -> None:
    assert run(SETUP, "where", PARTSIGHT_TRAINING_ENV=str(tmp_path / "here"))[1].strip() == str(tmp_path / "here")
    code, output = run("make", "-n", "test-training", PARTSIGHT_TRAINING_ENV=str(tmp_path / "a b"))
    assert code == 0, output
    assert f'"{tmp_path}/a b/bin/python" -m pytest tests/training' in output


def test_a_folder_that_is_no_environment_is_never_emptied(tmp_path: Path) -> None:
    house = copy_of_the_house(tmp_path / "house")
    precious = tmp_path / "data"
    precious.mkdir()
    (precious / "records.sqlite").write_text("precious")
    code, output = run(house / "scripts/setup.sh", "training", PARTSIGHT_TRAINING_ENV=str(precious))
    assert code == 1
    assert f"{precious} is in the way" in output
    assert (precious / "records.sqlite").read_text() == "precious"


def test_a_python_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    house = copy_of_the_house(tmp_path / "house")
    code, output = run(house / "scripts/setup.sh", "demo", PYTHON="/bin/false")
    assert code == 1
    assert "PYTHON=/bin/false is not a Python from 3.10 to 3.14" in output
    assert not (house / ".venv").exists()


def test_a_failed_installation_is_shown_and_not_taken_for_done(tmp_path: Path) -> None:
    house = copy_of_the_house(tmp_path / "house")
    (house / "requirements/runtime.txt").write_text("./there-is-no-such.whl\n")
    for _ in range(2):
        code, output = run(house / "scripts/setup.sh", "demo", PYTHON=sys.executable)
        assert code == 1
        assert "there-is-no-such.whl" in output
        assert "failed:" in output


@pytest.mark.proof
@pytest.mark.timeout(900)
def test_fresh_clone_runs_and_the_second_time_is_quick(tmp_path: Path) -> None:
    house = copy_of_the_house(tmp_path / "house")
    code, output = run("make", "demo", "ARGS=--parts 5", cwd=house, timeout=600)
    assert code == 0, output
    code, output = run(house / "scripts/setup.sh", "demo", timeout=5)
    assert (code, output) == (0, "")
    # A checkout that was moved makes its environment anew: the old one's scripts start the old place's Python.
    moved = house.rename(tmp_path / "moved")
    code, output = run("make", "demo", "ARGS=--parts 5", cwd=moved, timeout=600)
    assert code == 0, output
    assert f"making {moved}/.venv" in output


@pytest.mark.proof
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to hide a library in a mount namespace")
@pytest.mark.timeout(600)
def test_missing_system_library_prints_the_line_to_run() -> None:
    """An ordinary user gets the one line; libGL is hidden from this process tree only."""
    library = next(Path("/usr/lib").glob("*/libGL.so.1"))
    # pytest's own folders are closed to other users.
    with tempfile.TemporaryDirectory() as folder:
        house = copy_of_the_house(Path(folder) / "house")
        for path in (Path(folder), *Path(folder).rglob("*")):
            os.chown(path, 65534, 65534)
        script = f"mount --bind /dev/null {library} && exec setpriv --reuid=65534 --regid=65534 --clear-groups "
        script += f"env HOME={house} PYTHON=/usr/bin/python3 {house}/scripts/setup.sh demo"
        code, output = run("unshare", "--mount", "sh", "-c", script, timeout=500)
    assert code == 1, output
    assert output.endswith("    sudo apt-get install -y libgl1 libglib2.0-0\n"), output
