"""What JetPack's own packages mean for ours: found when something hides them, and the product runs beside them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.deploy.machine import ROOT

from partsight.cli import jetpack
from partsight.cli.observation import Level
from partsight.outputs.records import RecordsReader

BIN = Path(sys.executable).parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "partsight"


# --- doctor's and the installer's look --------------------------------------------------------------


def put(folder: Path, module: str, package: str = "", version: str = "1.0") -> None:
    """A module, with the notes of the package that brought it."""
    (folder / module).mkdir(parents=True)
    (folder / module / "__init__.py").write_text("raise ImportError('nothing may be imported to find out')")
    if package:
        about = folder / f"{package.replace('-', '_')}-{version}.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")


@pytest.fixture
def device(tmp_path: Path) -> tuple[Path, Path, Path, Path]:
    """A JetPack 6: its root, then the packages of the environment, of pip as root, and of Debian, as on `sys.path`."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/nv_tegra_release").write_text("# R36 (release), REVISION: 4.3\n")
    venv = tmp_path / "opt/partsight/versions/1/venv/lib/python3.10/site-packages"
    local = tmp_path / "usr/local/lib/python3.10/dist-packages"
    debian = tmp_path / "usr/lib/python3/dist-packages"
    put(venv, "numpy", "numpy", "1.26.4")
    put(debian, "numpy", "numpy", "1.21.5")
    put(debian, "tensorrt", "tensorrt", "10.3.0")
    put(debian, "cv2")
    local.mkdir(parents=True)
    return tmp_path, venv, local, debian


def problems(device: tuple[Path, Path, Path, Path]) -> dict[str, str]:
    root, *path = device
    seen = list(jetpack.packages(root, [str(p) for p in path]))
    return {one.what: f"{one.text} -> {one.cure}" for one in seen if one.level is Level.PROBLEM}


def test_jetpacks_own_packages_are_good(device: tuple[Path, Path, Path, Path]) -> None:
    assert problems(device) == {}
    assert len(list(jetpack.packages(device[0], [str(p) for p in device[1:]]))) == 3


def test_nothing_is_said_where_this_is_no_jetson(tmp_path: Path) -> None:
    assert list(jetpack.packages(tmp_path, [])) == []


@pytest.mark.parametrize(
    ("place", "module", "package", "version"),
    [
        (1, "tensorrt", "tensorrt-cu13", "11.4.0"),
        (2, "tensorrt", "tensorrt", "10.7.0"),
        (1, "cv2", "opencv-python", "4.14.0.94"),
        (2, "cv2", "opencv-contrib-python", "4.11.0.86"),
        (2, "cv2", "opencv-python-headless", "5.0.0.1"),
    ],
)
def test_a_package_of_pip_that_hides_jetpacks(
    device: tuple[Path, Path, Path, Path], place: int, module: str, package: str, version: str
) -> None:
    put(device[place], module, package, version)
    told = problems(device)
    assert list(told) == [module]
    assert f"{package} of pip hides JetPack's: {device[place] / module}" in told[module]
    who = "sudo python3 -m pip" if place == 2 else f"sudo {sys.executable} -m pip"
    assert f"{who} uninstall {package}" in told[module]


def test_numpy_2_of_pip_is_found_wherever_it_comes_first(device: tuple[Path, Path, Path, Path], tmp_path: Path) -> None:
    home = tmp_path / "home/anna/.local/lib/python3.10/site-packages"
    put(home, "numpy", "numpy", "2.2.6")
    root, *path = device
    seen = jetpack.packages(root, [str(home), *(str(p) for p in path)])
    told = next(one for one in seen if one.what == "numpy")
    assert told.level is Level.PROBLEM
    assert "2.2.6" in told.text
    assert "cannot be loaded with it" in told.text
    assert told.cure.startswith(f"{sys.executable} -m pip uninstall numpy")


def test_an_opencv_that_was_built_by_hand_is_a_wish(device: tuple[Path, Path, Path, Path]) -> None:
    put(device[2], "cv2")
    assert problems(device) == {}


def test_what_is_not_there_at_all(device: tuple[Path, Path, Path, Path]) -> None:
    root = device[0]
    told = {one.what: one.cure for one in jetpack.packages(root, [])}
    assert told["tensorrt"] == "sudo apt-get install python3-libnvinfer"
    assert "libopencv-python" in told["cv2"]
    assert set(told) == {"tensorrt", "cv2", "numpy"}


def test_a_containers_own_tensorrt_hides_nothing(device: tuple[Path, Path, Path, Path]) -> None:
    """NVIDIA's images bring it by pip; the driver's runtime shows the host's release file in them."""
    put(device[2], "tensorrt", "tensorrt", "10.16.1")
    assert "tensorrt" in problems(device)
    (device[0] / ".dockerenv").write_text("")
    assert problems(device) == {}


def test_the_program_that_the_installer_runs() -> None:
    """Here nothing is hidden; what it says where something is, the tests above know."""
    done = subprocess.run(
        [sys.executable, "-m", "partsight.cli.jetpack"],
        env=os.environ | {"PYTHONPATH": str(ROOT / "inspect")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


# --- the locked lists -------------------------------------------------------------------------------


def pins(name: str) -> dict[str, str]:
    text = (ROOT / "requirements" / name).read_text()
    return dict(re.findall(r"^([\w.-]+)==(\S+)", text, re.M))


@pytest.mark.parametrize(("name", "cuda"), [("jetson-jp6.txt", "12."), ("jetson-jp7.txt", "13.")])
def test_lists_of_the_jetsons(name: str, cuda: str) -> None:
    have = pins(name)
    assert have["numpy"] == "1.26.4"
    assert have["pyside6-essentials"] == "6.8.0.2"
    assert have["cuda-bindings"].startswith(cuda), "its major is the driver's"
    assert not {p for p in have if p.startswith(("opencv", "tensorrt", "torch", "openvino", "ultralytics", "nvidia"))}
    if "jp6" in name:
        assert have["onnxruntime"] == "1.23.2", "the last with wheels for Python 3.10"
    # The rest is what runs everywhere else.
    everywhere = (ROOT / "requirements/screen.txt").read_text()
    different = {p for p, version in have.items() if f"{p}=={version}" not in everywhere}
    assert different <= {
        "numpy",
        "cuda-bindings",
        "cuda-pathfinder",
        "mako",
        "markupsafe",
        "pytools",
        "platformdirs",
        "siphash24",
    }


# --- the product beside JetPack's packages ----------------------------------------------------------

LEFT_OUT = re.compile(
    r"(numpy|opencv-python|onnxruntime|pyside6|shiboken6|pyqtgraph|pytest-qt|playwright|mypy|ruff|uv|schemathesis"
    r"|import-linter|grimp|shellcheck|tensorrt|nvidia|cuda|pycuda)"
)
JETPACKS = {
    6: {"numpy": "1.26.4", "opencv-python": "4.8.0.76", "onnxruntime": "1.23.2"},
    7: {"numpy": "1.26.4", "opencv-python": "4.6.0.66"},
}
"""JetPack 6 has OpenCV 4.8; Ubuntu 24.04, under JetPack 7, has 4.6."""
QUICK = (
    "unit/test_letterbox.py",
    "unit/test_yolo_golden.py",
    "unit/test_folder_camera.py",
    "unit/test_opencv_camera.py",
)


@pytest.fixture(scope="module")
def packages_of() -> Callable[[int], Path]:
    """`packages_of(jetpack)`: the Python of an environment with its numpy and OpenCV, kept outside the checkout."""

    def make(jetpack_major: int) -> Path:
        lines = (ROOT / "requirements/test.txt").read_text().splitlines()
        kept = [line for line in lines if line[:1].isalnum() and not LEFT_OUT.match(line)]
        wanted = {"onnxruntime": pins("jetson-jp7.txt")["onnxruntime"]} | JETPACKS[jetpack_major]
        text = "\n".join(kept + [f"{name}=={version}" for name, version in wanted.items()]) + "\n"
        key = hashlib.sha256((text + sys.version).encode()).hexdigest()[:12]
        folder = CACHE / f"jetpack{jetpack_major}-{key}"
        python = folder / "bin/python"
        if not (folder / "complete").exists():
            folder.parent.mkdir(parents=True, exist_ok=True)
            listed = folder.with_suffix(".txt")
            listed.write_text(text)
            uv = [str(BIN / "uv"), "--quiet"]
            for command in (
                ["venv", "--clear", "--python", sys.executable, str(folder)],
                ["pip", "install", "--python", str(python), "--only-binary", ":all:", "--no-deps", "-r", str(listed)],
            ):
                done = subprocess.run([*uv, *command], capture_output=True, text=True, timeout=300, check=False)
                assert done.returncode == 0, done.stderr
            (folder / "complete").write_text("")
        return python

    return make


def environment() -> dict[str, str]:
    """Without the tools that these tests were started with."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "QT"))}
    return kept | {"PYTHONPATH": str(ROOT / "inspect")}


def run_tests(python: Path, *tests: str, timeout: float) -> None:
    command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not proof"]
    done = subprocess.run(
        [*command, *(str(ROOT / "tests" / test) for test in tests)],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert re.search(r"^\d+ passed", done.stdout, re.M), done.stdout


@pytest.mark.timeout(300)
def test_preprocessing_decoding_and_cameras_beside_jetpack_6(packages_of: Callable[[int], Path]) -> None:
    run_tests(packages_of(6), *QUICK, timeout=200)


@pytest.mark.timeout(300)
def test_a_line_beside_jetpack_6(packages_of: Callable[[int], Path], tmp_path: Path) -> None:
    """numpy 1.26, OpenCV 4.8, ONNX Runtime 1.23: simulated boards through the real model, recipe and records."""
    python = packages_of(6)
    versions = "import cv2, numpy, onnxruntime as o; print(numpy.__version__, cv2.__version__, o.__version__)"
    told = subprocess.run([python, "-c", versions], capture_output=True, text=True, timeout=60, check=True).stdout
    assert told == "1.26.4 4.8.0 1.23.2\n"
    config = (ROOT / "configs/demo.toml").read_text()
    config = config.replace('backend = "auto"', 'backend = "onnx"').replace("deadline_ms = 2000", "deadline_ms = 60000")
    config = re.sub(r"^data = .*", f'data = "{tmp_path}/data"', config, flags=re.M)
    (tmp_path / "station.toml").write_text(config.partition("[api]")[0])
    shutil.copytree(ROOT / "configs/recipes", tmp_path / "recipes")
    done = subprocess.run(
        [python, "-m", "partsight", "run", tmp_path / "station.toml", "--parts", "12", "--json"],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    verdicts = [line["verdict"] for line in map(json.loads, done.stdout.splitlines()) if "verdict" in line]
    # The line's seed makes the same boards everywhere; here too the good ones pass and the bad ones do not.
    assert verdicts.count("OK") >= 6
    assert verdicts.count("NG") >= 1
    with RecordsReader.open(tmp_path / "data") as reader:
        assert reader.summary().total == len(verdicts)


@pytest.mark.proof
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("major", JETPACKS)
def test_the_product_beside_jetpacks_packages(packages_of: Callable[[int], Path], major: int) -> None:
    run_tests(packages_of(major), "unit", "contract", "station/test_rules.py", timeout=1400)
