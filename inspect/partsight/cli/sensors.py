"""Temperatures, clocks and power of the machine while it works: sysfs, tegrastats on a Jetson, NVML on a desktop."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any

TIME_LIMIT_S = 5.0
TEGRASTATS_MS = 1000
_SMI = ("temperature.gpu", "clocks.sm", "clocks.mem", "power.draw", "clocks_throttle_reasons.active")


@dataclass(frozen=True, slots=True)
class Reading:
    """One moment. temperatures: degrees Celsius by sensor. clocks_mhz: by unit. power_w: by rail.

    throttled: what holds the clocks down, in the tool's words; "" where nothing does, or nobody says.
    """

    temperatures: dict[str, float] = field(default_factory=dict)
    clocks_mhz: dict[str, float] = field(default_factory=dict)
    power_w: dict[str, float] = field(default_factory=dict)
    throttled: str = ""


class Sensors:
    """Read now and then, by one thread; tegrastats runs beside it until it is closed. `sources` says what there is."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._tegrastats = _start_tegrastats()
        self._nvml = None if self._tegrastats is not None else _open_nvml()
        self._smi = shutil.which("nvidia-smi") if self._tegrastats is None and self._nvml is None else None
        self._last = ""

    @property
    def sources(self) -> tuple[str, ...]:
        """Where readings come from here."""
        there = {"tegrastats": self._tegrastats, "NVML": self._nvml, "nvidia-smi": self._smi}
        return ("sysfs", *(name for name, one in there.items() if one is not None))

    def read(self) -> Reading:
        """What can be read now; what cannot is left out."""
        found = [Reading(dict(_zones(self._root)), dict(_devfreq(self._root)))]
        if self._tegrastats is not None:
            found.append(self._of_tegrastats())
        if self._nvml is not None:
            found.append(_of_nvml(self._nvml))
        if self._smi is not None:
            found.append(_of_smi(self._smi))
        merged = Reading({}, {}, {}, "; ".join(one.throttled for one in found if one.throttled))
        for one in found:
            merged.temperatures.update(one.temperatures)
            merged.clocks_mhz.update(one.clocks_mhz)
            merged.power_w.update(one.power_w)
        return merged

    def close(self) -> None:
        """End tegrastats."""
        if self._tegrastats is not None:
            self._tegrastats.kill()
            self._tegrastats.wait()
            assert self._tegrastats.stdout is not None
            self._tegrastats.stdout.close()
            self._tegrastats = None

    def __enter__(self) -> Sensors:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _of_tegrastats(self) -> Reading:
        """Of the newest whole line; it writes one a second."""
        assert self._tegrastats is not None
        assert self._tegrastats.stdout is not None
        with suppress(BlockingIOError):
            while chunk := os.read(self._tegrastats.stdout.fileno(), 65536):
                self._last = (self._last + chunk.decode("utf-8", "replace"))[-16384:]
        lines = self._last.splitlines(keepends=True)
        whole = [line for line in lines if line.endswith("\n")]
        return read_tegrastats(whole[-1]) if whole else Reading()


def read_tegrastats(line: str) -> Reading:
    """`... EMC_FREQ 4%@3199 GR3D_FREQ 51%@[1019] ... gpu@49.2C ... VDD_IN 7220mW/7100mW`."""
    temperatures = {name: float(value) for name, value in re.findall(r"(\w+)@(-?\d+(?:\.\d+)?)C\b", line)}
    clocks = {name: float(value) for name, value in re.findall(r"(\w+)_FREQ \d+%@\[?(\d+)", line)}
    power = {name: int(value) / 1000 for name, value in re.findall(r"(V\w+) (\d+)mW/", line)}
    return Reading(temperatures, clocks, power)


def power_mode() -> str:
    """A Jetson's, by its name, as `15W`; "" elsewhere."""
    told = _output(["nvpmodel", "-q"])
    found = re.search(r"NV Power Mode:\s*(.+)", told)
    return found[1].strip() if found else ""


def _zones(root: Path) -> Iterator[tuple[str, float]]:
    for zone in sorted((root / "sys/class/thermal").glob("thermal_zone*")):
        kind, value = _text(zone / "type"), _text(zone / "temp")
        if kind and value.lstrip("-").isdigit():
            yield kind, int(value) / 1000


def _devfreq(root: Path) -> Iterator[tuple[str, float]]:
    """Of the GPU and others that scale their clock; the name carries an address, which is left out."""
    for device in sorted((root / "sys/class/devfreq").glob("*")):
        value = _text(device / "cur_freq")
        if value.isdigit():
            yield device.name.partition(".")[2] or device.name, int(value) / 1e6


def _start_tegrastats() -> subprocess.Popen[bytes] | None:
    tool = shutil.which("tegrastats")
    if tool is None:
        return None
    command = [tool, "--interval", str(TEGRASTATS_MS)]
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
        )
    except OSError:
        return None
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    return process


def _open_nvml() -> Any:
    """nvidia-ml-py's module, started, where it and the driver's library are there."""
    try:
        nvml = import_module("pynvml")
    except ImportError:
        return None
    try:
        nvml.nvmlInit()
    except nvml.NVMLError:
        return None
    return nvml


def _of_nvml(nvml: Any) -> Reading:
    try:
        device = nvml.nvmlDeviceGetHandleByIndex(0)
        temperature = float(nvml.nvmlDeviceGetTemperature(device, nvml.NVML_TEMPERATURE_GPU))
        clocks = {
            "sm": float(nvml.nvmlDeviceGetClockInfo(device, nvml.NVML_CLOCK_SM)),
            "memory": float(nvml.nvmlDeviceGetClockInfo(device, nvml.NVML_CLOCK_MEM)),
        }
        power = {"gpu": nvml.nvmlDeviceGetPowerUsage(device) / 1000}
        reasons = int(nvml.nvmlDeviceGetCurrentClocksThrottleReasons(device))
    except nvml.NVMLError:
        return Reading()
    return Reading({"gpu": temperature}, clocks, power, _throttled(reasons))


def _of_smi(tool: str) -> Reading:
    told = _output([tool, f"--query-gpu={','.join(_SMI)}", "--format=csv,noheader,nounits"]).splitlines()
    values = [value.strip() for value in told[0].split(",")] if told else []
    if len(values) != len(_SMI):
        return Reading()
    number = {name: float(value) for name, value in zip(_SMI, values, strict=True) if re.fullmatch(r"[\d.]+", value)}
    clocks = {"sm": number.get("clocks.sm"), "memory": number.get("clocks.mem")}
    reasons = int(values[-1], 16) if re.fullmatch(r"0x[0-9a-fA-F]+", values[-1]) else 0
    return Reading(
        {"gpu": number["temperature.gpu"]} if "temperature.gpu" in number else {},
        {name: value for name, value in clocks.items() if value is not None},
        {"gpu": number["power.draw"]} if "power.draw" in number else {},
        _throttled(reasons),
    )


def _throttled(reasons: int) -> str:
    """By the bits of NVML's nvmlClocksThrottleReasons; bit 0, nothing to do, is no throttling."""
    names = {
        0x4: "power cap",
        0x8: "hardware slowdown",
        0x20: "temperature (software)",
        0x40: "temperature (hardware)",
        0x80: "power brake",
    }
    return ", ".join(name for bit, name in names.items() if reasons & bit)


def _output(command: list[str]) -> str:
    """Empty where the tool is not there, fails, or does not answer in time."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIME_LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip("\0 \n\t")
    except OSError:
        return ""
