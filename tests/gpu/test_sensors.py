"""Temperatures, clocks and power: from the kernel's files and from NVIDIA's tools, in the form that they print."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from partsight.cli.sensors import Sensors, power_mode, read_tegrastats

ORIN = (
    "11-24-2026 10:00:01 RAM 2510/7620MB (lfb 3x4MB) SWAP 0/3810MB (cached 0MB) CPU [12%@1510,8%@1510,off,off] "
    "EMC_FREQ 4%@2133 GR3D_FREQ 51%@[624] NVDEC off cpu@48.031C soc2@47.5C soc0@46.968C gpu@49.25C tj@49.25C "
    "VDD_IN 7220mW/7100mW VDD_CPU_GPU_CV 2400mW/2300mW VDD_SOC 1500mW/1480mW"
)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """`tools(name, script)`: a tool of that name, and no other, is on the PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def put(name: str, script: str) -> None:
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)

    return put


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {
        "thermal/thermal_zone0/type": "gpu-thermal\n",
        "thermal/thermal_zone0/temp": "49250\n",
        "thermal/thermal_zone1/type": "cv0-thermal\n",
        "devfreq/17000000.gpu/cur_freq": "624750000\n",
    }
    for name, text in files.items():
        path = tmp_path / "sys/class" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_the_kernels_own_files(root: Path, tools: Callable[[str, str], None]) -> None:
    """A zone that is switched off has no temperature (on an Orin the cv zones)."""
    with Sensors(root) as sensors:
        now = sensors.read()
        assert sensors.sources == ("sysfs",)
    assert now.temperatures == {"gpu-thermal": 49.25}
    assert now.clocks_mhz == {"gpu": 624.75}


def test_a_line_of_tegrastats() -> None:
    now = read_tegrastats(ORIN)
    assert now.temperatures == {"cpu": 48.031, "soc2": 47.5, "soc0": 46.968, "gpu": 49.25, "tj": 49.25}
    assert now.clocks_mhz == {"EMC": 2133, "GR3D": 624}
    assert now.power_w == {"VDD_IN": 7.22, "VDD_CPU_GPU_CV": 2.4, "VDD_SOC": 1.5}


def test_tegrastats_runs_beside_and_ends(
    tmp_path: Path, tools: Callable[[str, str], None], wait_until: Callable[..., Any]
) -> None:
    tools("tegrastats", f"while :; do echo '{ORIN}'; /bin/sleep 0.01; done")
    with Sensors(tmp_path) as sensors:
        assert sensors.sources == ("sysfs", "tegrastats")
        wait_until(lambda: sensors.read().temperatures.get("tj") == 49.25)


def test_nvidia_smi_where_nothing_else_is(tmp_path: Path, tools: Callable[[str, str], None]) -> None:
    tools("nvidia-smi", "echo '61, 1965, 7001, 148.20, 0x0000000000000024'")
    with Sensors(tmp_path) as sensors:
        now = sensors.read()
    assert now.temperatures == {"gpu": 61}
    assert now.clocks_mhz == {"sm": 1965, "memory": 7001}
    assert now.power_w == {"gpu": 148.2}
    assert now.throttled == "power cap, temperature (software)"


@pytest.mark.parametrize("script", ["exit 9", "echo '[N/A], [N/A], [N/A], [N/A], [N/A]'", "echo what", ":"])
def test_a_tool_that_does_not_answer_is_no_reading(
    tmp_path: Path, tools: Callable[[str, str], None], script: str
) -> None:
    tools("nvidia-smi", script)
    with Sensors(tmp_path) as sensors:
        now = sensors.read()
    assert (now.temperatures, now.clocks_mhz, now.power_w, now.throttled) == ({}, {}, {}, "")


def test_the_power_mode_is_told_by_its_name(tools: Callable[[str, str], None]) -> None:
    assert power_mode() == ""
    tools("nvpmodel", "printf 'NV Power Mode: MAXN_SUPER\\n2\\n'")
    assert power_mode() == "MAXN_SUPER"
