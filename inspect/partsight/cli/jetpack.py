"""On a Jetson: whether TensorRT, OpenCV and numpy are those that JetPack's own libraries were built for.

JetPack brings TensorRT's Python module and an OpenCV with GStreamer as Debian packages. A package of pip with the same
name comes before them on the path, and nothing says so: `pip install ultralytics` is enough to bring an OpenCV without
CSI cameras and a numpy that JetPack's OpenCV cannot be loaded with. The installer then ends, and doctor says so.

`python -m partsight.cli.jetpack` says the problems alone; exit status 1 where there are any.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import PathFinder
from importlib.metadata import Distribution, distributions
from pathlib import Path

from partsight.cli.observation import Level, Observation, ok, problem

RELEASE = "etc/nv_tegra_release"
SYSTEM = "usr/lib"
"""Where Debian's packages put Python modules; pip, also as root, puts them elsewhere."""
APT = {"tensorrt": "python3-libnvinfer", "cv2": "python3-opencv (JetPack 6: libopencv-python)"}


def packages(root: Path = Path("/"), path: Sequence[str] | None = None) -> Iterator[Observation]:
    """What hides JetPack's packages; nothing where this is no Jetson. root, path: the machine's `/` and `sys.path`."""
    if not (root / RELEASE).is_file():
        return
    path = list(sys.path) if path is None else path
    for module in ("tensorrt", "cv2"):
        yield _of_the_system(module, root, path)
    yield _numpy(path)


def _of_the_system(module: str, root: Path, path: Sequence[str]) -> Observation:
    place = _found(module, path)
    if place is None:
        return problem("jetpack", module, "is not installed", f"sudo apt-get install {APT[module]}")
    owner = _owner(module, place.parent)
    # An OpenCV that was built by hand lies in /usr/local and belongs to no package: that is somebody's wish.
    by_hand = module == "cv2" and owner is None
    # NVIDIA's images bring TensorRT by pip, and its container runtime shows the host's release file in them.
    in_image = module == "tensorrt" and (root / ".dockerenv").exists()
    if place.is_relative_to(root / SYSTEM) or by_hand or in_image:
        return ok("jetpack", module, f"JetPack's own, or this machine's: {place}")
    name = owner.name if owner is not None else module
    cure = f"{_pip(place)} uninstall {name}; then JetPack's is seen again ({APT[module]})"
    return problem("jetpack", module, f"{name} of pip hides JetPack's: {place}", cure)


def _numpy(path: Sequence[str]) -> Observation:
    place = _found("numpy", path)
    if place is None:
        return problem("jetpack", "numpy", "is not installed", "run the installer again")
    owner = _owner("numpy", place.parent)
    version = owner.version if owner is not None else "of unknown version"
    if version.split(".")[0] == "1":
        return ok("jetpack", "numpy", f"{version}: {place}")
    text = f"{version} at {place}: JetPack's OpenCV and TensorRT were built for numpy 1 and cannot be loaded with it"
    return problem("jetpack", "numpy", text, f"{_pip(place)} uninstall numpy, and run the installer again")


def _found(module: str, path: Sequence[str]) -> Path | None:
    """Its folder, or its file, as an import would find it; nothing is imported."""
    spec = PathFinder.find_spec(module, list(path))
    if spec is None:
        return None
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations)))
    return Path(spec.origin) if spec.origin else None


def _owner(module: str, folder: Path) -> Distribution | None:
    """The package of pip (or Debian) in this folder that brings `module`."""
    for one in distributions(path=[str(folder)]):
        if one.name.replace("_", "-").lower().startswith("opencv-" if module == "cv2" else module):
            return one
    return None


def _pip(place: Path) -> str:
    """The pip that put it there."""
    text = str(place)
    if ".local" in text:
        return f"{sys.executable} -m pip"
    return "sudo python3 -m pip" if "dist-packages" in text else f"sudo {sys.executable} -m pip"


def main() -> None:
    """Say the problems, for the installer."""
    bad = [one for one in packages() if one.level is Level.PROBLEM]
    for one in bad:
        sys.stderr.write(f"{one.what}: {one.text}\n  -> {one.cure}\n")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
