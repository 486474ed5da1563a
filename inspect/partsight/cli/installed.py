"""What is installed: Python, libraries, inference backends, camera libraries. Nothing optional is imported here."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import Distribution, PackageNotFoundError, distributions, version
from importlib.util import find_spec
from pathlib import Path

from partsight import __version__
from partsight.cli.devices import video_devices
from partsight.cli.observation import Observation, note, ok, problem
from partsight.cli.trial import Outcome, run_trial
from partsight.detectors.auto import has_driver

LIBRARIES = ("numpy", "opencv-python", "onnxruntime", "pydantic", "tomlkit", "typer", "rich", "structlog", "polars")
LIBRARIES_ONLY_SOME_NEED = {"imagesize": "the folder camera and judge", "openvino": "the openvino backend"}
INSTALL_AGAIN = "install partsight again: python -m pip install --upgrade partsight"
AT_ONCE = 2
"""Trials side by side: each loads a large library."""


def python() -> Iterator[Observation]:
    """Python and the libraries that a station needs, with their versions."""
    text = f"Python {platform.python_version()} at {sys.executable}, partsight {__version__}"
    yield ok("python", "Python", text)
    there, missing = [], []
    for name in LIBRARIES:
        found = _version(name)
        # A system's own OpenCV (as on a Jetson) is no Python package and has no version to ask for.
        if found is None and not (name == "opencv-python" and find_spec("cv2") is not None):
            missing.append(name)
        there.append(f"{name} {found or 'of the system'}")
    for name, purpose in LIBRARIES_ONLY_SOME_NEED.items():
        if (found := _version(name)) is not None:
            there.append(f"{name} {found}")
        elif name != "openvino" or platform.machine() in {"x86_64", "AMD64"}:
            yield note("python", name, f"is not installed; {purpose} cannot run", INSTALL_AGAIN)
    if missing:
        yield problem("python", "libraries", f"not installed: {', '.join(missing)}", INSTALL_AGAIN)
    else:
        yield ok("python", "libraries", ", ".join(there))
    yield _cv2_wheels()


def _cv2_wheels() -> Observation:
    """Packages that bring a cv2 folder overwrite each other's files, and neither pip nor an import says so."""
    # packages_distributions() of Python 3.10 sees only packages with a top_level.txt, so the files are looked at.
    packages = sorted({about.name for about in distributions() if _brings(about, "cv2")})
    if len(packages) > 1:
        cure = f"python -m pip uninstall -y {' '.join(packages)} && python -m pip install opencv-python"
        return problem("python", "cv2", f"{len(packages)} packages share one cv2 folder: {', '.join(packages)}", cure)
    if packages:
        return ok("python", "cv2", f"from one package, {packages[0]}")
    if find_spec("cv2") is not None:
        return ok("python", "cv2", "of the system")
    return problem("python", "cv2", "is not installed", "python -m pip install opencv-python")


def _brings(about: Distribution, package: str) -> bool:
    return any(file.parts[0] == package and len(file.parts) > 1 for file in about.files or ())


def backends() -> Iterator[Observation]:
    """OpenCV and the inference backends, each tried in a process of its own."""
    wanted = ["cv2", "onnxruntime"]
    wanted += [name for name in ("openvino", "tensorrt") if find_spec(name) is not None]
    outcomes = _try(wanted)
    yield _of_cv2(outcomes["cv2"])
    working = 0
    for name in wanted[1:]:
        outcome = outcomes[name]
        working += outcome.good and name != "tensorrt"
        if outcome.good:
            yield ok("backends", name, outcome.text)
        elif name == "tensorrt":
            cure = "the message says what to install; the other backends run without it"
            yield note("backends", name, outcome.text, cure)
        else:
            yield note("backends", name, outcome.text, f"python -m pip install --force-reinstall {name}")
    if "tensorrt" not in wanted and has_driver():
        cure = "on a Jetson: apt-get install python3-libnvinfer; else: python -m pip install 'partsight[tensorrt]'"
        yield note("backends", "tensorrt", "there is an NVIDIA driver, and TensorRT is not installed", cure)
    if not working:
        yield problem("backends", "inference", "no backend works: no model can run", INSTALL_AGAIN)


def _of_cv2(outcome: Outcome) -> Observation:
    if outcome.good:
        return ok("backends", "cv2", outcome.text)
    if library := re.search(r"lib[\w.+-]+\.so[\w.]*", outcome.text):
        cure = f"a system library is missing ({library[0]}): apt-get install libgl1 libglib2.0-0"
    else:
        cure = "python -m pip install --force-reinstall opencv-python"
    return problem("backends", "cv2", outcome.text, cure)


def cameras(root: Path = Path("/")) -> Iterator[Observation]:
    """Devices of the kernel, and libraries for industrial cameras. Nothing is opened."""
    devices = video_devices(root)
    for device in devices:
        if device.usable:
            yield ok("cameras", device.path, device.name)
        else:
            cure = "add the user to the group: usermod -aG video USER, then log in again"
            yield note("cameras", device.path, f"{device.name}: may not be opened by this user", cure)
    if not devices:
        cure = "connect the camera (lsusb shows it); containers need --device /dev/video0"
        yield note("cameras", "V4L2", "no /dev/video device; network streams, folders and simulation work", cure)
    modules = {"aravis": "gi", "pylon": "pypylon", "harvesters": "harvesters"}
    extras = {"aravis": "aravis", "pylon": "pylon", "harvesters": "genicam"}
    present = [name for name, module in modules.items() if find_spec(module) is not None]
    outcomes = _try(present)
    for name, extra in extras.items():
        cure = f"only for GenICam cameras: python -m pip install 'partsight[{extra}]'"
        if name not in outcomes:
            yield note("cameras", name, "is not installed", cure)
        elif outcomes[name].good:
            yield ok("cameras", name, outcomes[name].text)
        else:
            yield note("cameras", name, outcomes[name].text, cure)


def _try(names: list[str]) -> dict[str, Outcome]:
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="trial") as pool:
        return dict(zip(names, pool.map(run_trial, names), strict=True))


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
