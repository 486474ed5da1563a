"""One try in a process of its own, since a library without its driver may end the process that imports it.

`python -m partsight.cli.trial NAME [FOLDER]` prints one JSON object: `{"ok": true, "text": ...}` or
`{"ok": false, "text": why}`. `doctor` starts it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TIME_LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a trial ended. text: what it found, or why it failed. data: what else it told."""

    good: bool
    text: str
    data: dict[str, Any]


def run_trial(name: str, argument: str = "", time_limit_s: float = TIME_LIMIT_S) -> Outcome:
    """Run a trial in a child process; a crash or a hang is an outcome, not an error."""
    command = [sys.executable, "-m", __name__, name, *([argument] if argument else [])]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=time_limit_s, check=False)
    except subprocess.TimeoutExpired:
        return Outcome(False, f"did not answer within {time_limit_s:g} s", {})
    except OSError as problem:
        return Outcome(False, f"cannot be tried: {problem}", {})
    lines = done.stdout.strip().splitlines()
    if done.returncode == 0 and lines:
        try:
            told = json.loads(lines[-1])
        except ValueError:
            told = None
        if isinstance(told, dict) and {"ok", "text"} <= told.keys():
            return Outcome(bool(told["ok"]), str(told["text"]), told)
    last = (done.stderr.strip().splitlines() or ["nothing was said"])[-1]
    return Outcome(False, f"the process that tried it ended with {done.returncode}: {last}", {})


def _cv2() -> dict[str, Any]:
    import cv2

    info = cv2.getBuildInformation()
    has = {line.split(":")[0].strip(): line.split(":", 1)[1].strip() for line in info.splitlines() if ":" in line}
    video = [name for name in ("FFMPEG", "GStreamer", "v4l/v4l2") if has.get(name, "NO").startswith("YES")]
    return {"text": f"{cv2.__version__}, video: {', '.join(video) or 'none'}, from {Path(cv2.__file__).parent}"}


def _onnxruntime() -> dict[str, Any]:
    import onnxruntime

    return {"text": f"{onnxruntime.__version__}: {', '.join(onnxruntime.get_available_providers())}"}


def _openvino() -> dict[str, Any]:
    import openvino

    core = openvino.Core()
    devices = [f"{name} ({core.get_property(name, 'FULL_DEVICE_NAME')})" for name in core.available_devices]
    return {"text": f"{openvino.__version__.split('-')[0]}: {', '.join(devices) or 'no device'}"}


def _tensorrt() -> dict[str, Any]:
    from partsight.detectors.tensorrt.api import load_tensorrt
    from partsight.detectors.tensorrt.cuda.choose import open_port
    from partsight.detectors.tensorrt.cuda.probe import probe

    facts = probe()
    trt = load_tensorrt(facts)
    port = open_port()
    port.close()
    major, minor = facts.compute_capability
    driver = f"CUDA {facts.driver_version // 1000}.{facts.driver_version % 1000 // 10}"
    about = f"{facts.name}, compute capability {major}.{minor}, driver for {driver}, CUDA by {port.package}"
    return {"text": f"{trt.__version__}: {about}"}


def _aravis() -> dict[str, Any]:
    import gi  # type: ignore[import-not-found, import-untyped, unused-ignore] # an extra

    gi.require_version("Aravis", "0.8")
    from gi.repository import Aravis  # type: ignore[import-not-found, import-untyped, unused-ignore] # an extra

    Aravis.update_device_list()
    names = [str(Aravis.get_device_id(number)) for number in range(Aravis.get_n_devices())]
    return {"text": f"0.8, cameras: {', '.join(names) or 'none answers'}"}


def _pylon() -> dict[str, Any]:
    from pypylon import pylon  # type: ignore[import-not-found, import-untyped, unused-ignore] # an extra

    names = [device.GetFriendlyName() for device in pylon.TlFactory.GetInstance().EnumerateDevices()]
    return {"text": f"cameras: {', '.join(names) or 'none answers'}"}


def _harvesters() -> dict[str, Any]:
    from harvesters.core import Harvester  # type: ignore[import-not-found, import-untyped, unused-ignore] # an extra

    return {"text": f"{Harvester.__name__} can be imported"}


def _model(folder: str) -> dict[str, Any]:
    from partsight.cli.golden import answer_golden

    return {"text": answer_golden(Path(folder))}


TRIALS: dict[str, Callable[[], dict[str, Any]]] = {
    "cv2": _cv2,
    "onnxruntime": _onnxruntime,
    "openvino": _openvino,
    "tensorrt": _tensorrt,
    "aravis": _aravis,
    "pylon": _pylon,
    "harvesters": _harvesters,
}


def _main(name: str, argument: str) -> dict[str, Any]:
    try:
        found = _model(argument) if name == "model" else TRIALS[name]()
    except Exception as problem:  # noqa: BLE001 - the edge to libraries that raise whatever they like
        return {"ok": False, "text": f"{type(problem).__name__}: {problem}"}
    return {"ok": True} | found


if __name__ == "__main__":
    told = _main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "")
    sys.stdout.write(json.dumps(told) + "\n")
