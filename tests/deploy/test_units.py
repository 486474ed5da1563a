"""systemd's own opinion of the units, and of how much they leave open; the README states the figures."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.deploy.machine import DEPLOY

pytestmark = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="needs systemd-analyze: apt-get install systemd"
)

UNITS = {
    "partsight.service": "partsight.service",
    "partsight-engine@.service": "partsight-engine@1.0.0-12345678.service",
    "partsight-settle.service": "partsight-settle.service",
    "partsight-power.service": "partsight-power.service",
    "partsight-camera-nic@.service": "partsight-camera-nic@eth1.service",
}
PROGRAMS = (
    "current/venv/bin/partsight",
    "current/deploy/jetson/power-mode.sh",
    "current/deploy/camera/camera-nic.sh",
    "previous/deploy/install.sh",
    "versions/1.0.0-12345678/venv/bin/partsight",
)


def analyze(*arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        ["systemd-analyze", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"LANG": "C.UTF-8"},
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with the units, what they start, and systemd's own units."""
    root = tmp_path_factory.mktemp("root")
    (root / "usr/lib/systemd").mkdir(parents=True)
    (root / "etc/systemd/system").mkdir(parents=True)
    shutil.copytree("/usr/lib/systemd/system", root / "usr/lib/systemd/system", symlinks=True)
    # A user's units cannot be looked at without a session: with the target that they name they are read as others.
    shutil.copy("/usr/lib/systemd/user/graphical-session.target", root / "usr/lib/systemd/system")
    shutil.copy(DEPLOY / "systemd/partsight-gui.service", root / "etc/systemd/system")
    for name, unit in UNITS.items():
        shutil.copy(DEPLOY / "systemd" / name, root / "etc/systemd/system" / name)
        shutil.copy(DEPLOY / "systemd" / name, root / "etc/systemd/system" / unit) if unit != name else None
    for name in PROGRAMS:
        program = root / "opt/partsight" / name
        program.parent.mkdir(parents=True)
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    return root


def test_every_unit_is_looked_at() -> None:
    assert {f.name for f in (DEPLOY / "systemd").glob("*.service")} == {*UNITS, "partsight-gui.service"}


def test_units_hold_no_mistake(root: Path) -> None:
    """No unknown setting, no missing program, no cycle; a word of systemd is a failure."""
    assert analyze("verify", f"--root={root}", "--man=no", *UNITS.values(), "partsight-gui.service") == (0, "")


def test_verify_finds_a_mistake(root: Path, tmp_path: Path) -> None:
    """The check can fail."""
    unit = tmp_path / "spoilt.service"
    unit.write_text((root / "etc/systemd/system/partsight.service").read_text().replace("WatchdogSec", "WachdogSec"))
    assert "'WachdogSec' in section" in analyze("verify", "--man=no", str(unit))[1]


@pytest.mark.parametrize("name", UNITS)
def test_what_a_unit_leaves_open_is_what_the_readme_says(root: Path, name: str) -> None:
    """0 is closed, 10 open. Other versions of systemd count a little differently."""
    output = analyze("security", "--offline=true", f"--root={root}", UNITS[name])[1]
    found = re.search(r"exposure level for \S+: ([\d.]+)", output)
    assert found is not None, output
    stated = re.search(rf"^\| `{re.escape(name)}` \| ([\d.]+) \|", (DEPLOY / "README.md").read_text(), re.M)
    assert stated is not None, f"deploy/README.md does not state it: {found[0]}"
    assert abs(float(found[1]) - float(stated[1])) <= 0.3, output


def test_the_daemon_is_no_root_and_is_started_for_ever() -> None:
    """What the design asks of the unit, in the words that systemd reads."""
    lines = set((DEPLOY / "systemd/partsight.service").read_text().splitlines())
    assert lines >= {
        "Type=notify",
        "WatchdogSec=10",
        "Restart=always",
        "RestartSec=2",
        "StartLimitIntervalSec=0",
        "User=partsight",
        "ProtectSystem=strict",
        "CapabilityBoundingSet=",
        "NoNewPrivileges=yes",
        "DevicePolicy=closed",
        "StateDirectory=partsight",
    }
    # An engine is never built where the line starts.
    assert not [line for line in lines if line.startswith(("ExecStartPre", "Requires=")) or "partsight build" in line]


def test_log_of_the_journal_has_a_limit() -> None:
    text = (DEPLOY / "systemd/journald.conf").read_text()
    assert re.search(r"^SystemMaxUse=\d+M$", text, re.M)
    assert re.search(r"^SystemKeepFree=\d+G$", text, re.M)
