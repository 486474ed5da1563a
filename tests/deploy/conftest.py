"""Scratch machines, and the trace of every line of shell that the tests ran."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.deploy import machine as machines
from tests.deploy.machine import Machine


@pytest.fixture(scope="session")
def traces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """trace.sh is read by each bash (BASH_ENV) and makes it write every line it runs to `lines`; `said`: all output."""
    folder = tmp_path_factory.mktemp("traces")
    (folder / "trace.sh").write_text(
        f"exec {{BASH_XTRACEFD}}>>'{folder}/lines'\nPS4='+ @${{BASH_SOURCE}}:${{LINENO}}@ '\nset -x\n"
    )
    (folder / "said").write_text("")
    return folder


@pytest.fixture
def ran(request: pytest.FixtureRequest, traces: Path) -> None:
    """Notes that this test ran in this process: what it did is in the trace."""
    with (traces / "ran").open("a") as file:
        file.write(f"{request.function.__name__}\n")


@pytest.fixture
def make_machine(tmp_path: Path, traces: Path, ran: None) -> Callable[..., Machine]:
    """`make_machine(release)`: release is the first line of /etc/nv_tegra_release."""
    return lambda release=machines.JP62: machines.make(tmp_path, traces, release)


@pytest.fixture
def orin(make_machine: Callable[..., Machine]) -> Machine:
    """An Orin Nano with JetPack 6.2, nothing of ours on it."""
    return make_machine()


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory, traces: Path) -> Path:
    """A machine that `line` copies: nothing in it knows where it lies."""
    machine = machines.make(tmp_path_factory.mktemp("installed"), traces)
    machine.write_station()
    machine.write_records()
    done = machine.install()
    assert done.code == 0, done.output
    machine.calls()
    return machine.folder


@pytest.fixture
def line(installed: Path, tmp_path: Path, traces: Path, ran: None) -> Machine:
    """An Orin Nano where version 1.0.0 runs a station, with records."""
    shutil.copytree(installed, tmp_path / "machine", symlinks=True)
    return Machine(tmp_path / "machine", traces)
