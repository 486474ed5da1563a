"""The installer with nothing pretended but the machine's own commands: real Python, real packages, the real product."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.deploy import machine as machines
from tests.deploy.machine import ROOT


def copy_of_the_house(folder: Path) -> Path:
    """The files that git knows or would add, as a release has them."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


@pytest.mark.proof
@pytest.mark.timeout(900)
def test_a_service_is_installed_and_judges_parts(tmp_path: Path, traces: Path) -> None:
    machine = machines.make(tmp_path, traces)
    (machine.root / "etc/nv_tegra_release").unlink()
    machine.set("packages", "python3-venv 1\nlibgl1 1\nlibglib2.0-0 1")
    release = copy_of_the_house(tmp_path / "release")
    station = machine.root / "etc/partsight/station.toml"
    station.parent.mkdir()
    config = (ROOT / "configs/demo.toml").read_text().replace("../demo-data", "../../var/lib/partsight/data")
    station.write_text(config.partition("[api]")[0])
    environment = {name: os.environ[name] for name in os.environ if name.startswith(("PIP_", "UV_", "SSL_"))}

    def install() -> str:
        done = subprocess.run(
            [release / "deploy/service/install.sh"],
            env=machine.environment() | environment | {"PYTHON": sys.executable},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert " runs\n" in install()
    assert "runs already" in install()
    program = machine.root / "opt/partsight/current/venv/bin/partsight"
    done = subprocess.run(
        [program, "run", station, "--parts", "5", "--json"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len([line for line in map(json.loads, done.stdout.splitlines()) if "verdict" in line]) >= 5
    assert (machine.root / "var/lib/partsight/data/records.db").exists()
    # With records there is something to back up; another version, and the one before is kept.
    (release / "inspect/partsight/__init__.py").write_text(
        (release / "inspect/partsight/__init__.py").read_text() + "\n# another version\n"
    )
    assert " runs\n" in install()
    assert len(list((machine.root / "opt/partsight/versions").iterdir())) == 2
    assert len(list((machine.root / "var/lib/partsight/backups").glob("*.tar.gz"))) == 1
