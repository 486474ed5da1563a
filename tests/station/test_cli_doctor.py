"""`partsight doctor` as a user runs it, and what it reads of machines that are not this one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from partsight.cli import installed, machine
from partsight.cli.observation import Level, Observation
from partsight.cli.trial import run_trial
from partsight.models.bundle import hash_file

ROOT = Path(__file__).resolve().parents[2]
PCB = ROOT / "models/pcb"

XEON = """\
processor : 0
model name : Intel(R) Xeon(R) Platinum 8488C
flags : fpu avx2 avx512f avx512_bf16 amx_bf16 avx512_vnni
processor : 1
model name : Intel(R) Xeon(R) Platinum 8488C
flags : fpu avx2 avx512f avx512_bf16 amx_bf16 avx512_vnni
"""
ORIN = """\
processor : 0
Features : fp asimd asimdhp asimddp bf16 i8mm
CPU implementer : 0x41
"""


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def seen(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Observations by area and name."""
        return {(one["area"], one["what"]): one for one in json.loads(self.out)["observations"]}


def doctor(*arguments: object, path: Path | None = None) -> Ended:
    places = [str(path)] if path else []
    places += [str(ROOT / "inspect"), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(places), "COLUMNS": "120"}
    command = [sys.executable, "-m", "partsight", "doctor", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, env=environment, check=False)
    return Ended(done.returncode, done.stdout, done.stderr)


def test_what_is_here_with_the_data_folders_disk_and_the_models(tmp_path: Path) -> None:
    ended = doctor("--data", tmp_path / "data", "--json")
    assert ended.code == 0, ended.out
    assert ended.err == ""
    seen = ended.seen
    assert {area for area, _ in seen} == {"hardware", "python", "backends", "cameras", "clock", "disk", "models"}
    assert {one["level"] for one in seen.values()} <= {"ok", "note"}
    assert "CPUExecutionProvider" in seen["backends", "onnxruntime"]["text"]
    assert "p95" in seen["disk", "flush"]["text"]
    assert str(tmp_path) in seen["disk", "room"]["text"]
    assert "opencv-python" in seen["python", "cv2"]["text"]
    model = next(one for (area, what), one in seen.items() if area == "models" and what.startswith("pcb"))
    assert "hashes hold" in model["text"]
    assert "3 golden frames" in model["text"]
    assert all(one["cure"] for one in seen.values() if one["level"] == "note" and one["what"] != "NVIDIA")
    assert list(tmp_path.iterdir()) == [], "it leaves nothing behind and makes no folder"


def test_what_stops_a_station_is_a_problem_with_its_cure(tmp_path: Path) -> None:
    """Two cv2 wheels, a library that ends the process which imports it, and a model that was changed."""
    site = tmp_path / "site-packages"
    for name, file in (("opencv_python_headless", "cv2/__init__.py"), ("tensorrt", "tensorrt/__init__.py")):
        about = site / f"{name}-10.0.dist-info"
        about.mkdir(parents=True)
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: 10.0\n")
        (about / "RECORD").write_text(f"{file},,\n")
    (site / "tensorrt").mkdir()
    (site / "pypylon").mkdir()
    for name in ("tensorrt", "pypylon"):
        (site / name / "__init__.py").write_text("import os\nos.abort()\n")
    bundle = tmp_path / "bundle"
    shutil.copytree(PCB, bundle)
    (bundle / "model.onnx").write_bytes(b"another model")
    config = tmp_path / "station.toml"
    text = (ROOT / "configs/demo.toml").read_text()
    config.write_text(text.replace('bundle = "pcb"', 'bundle = "./bundle"').replace("../demo-data", "data"))

    ended = doctor(config, "--json", path=site)
    assert ended.code == 1
    seen = ended.seen
    problems = {what for (_, what), one in seen.items() if one["level"] == "problem"}
    assert problems == {"cv2", "bundle"}
    wheels = seen["python", "cv2"]
    assert "opencv-python, opencv-python-headless" in wheels["text"]
    assert "pip uninstall -y opencv-python opencv-python-headless" in wheels["cure"]
    assert "sha256" in seen["models", "bundle"]["text"]
    assert seen["backends", "tensorrt"]["level"] == "note"
    assert "no NVIDIA driver" in seen["backends", "tensorrt"]["text"], "without one it is not even imported"
    assert seen["cameras", "pylon"]["level"] == "note"
    assert "ended with -6" in seen["cameras", "pylon"]["text"]
    assert str(tmp_path) in seen["disk", "room"]["text"], "the configuration's data folder"

    ended = doctor(config, path=site)
    assert ended.code == 1
    assert "✖ problem" in ended.out
    assert "→ python -m pip uninstall -y opencv-python" in ended.out
    assert "2 problems" in ended.out.splitlines()[-1]


def test_a_model_that_answers_otherwise_is_found(tmp_path: Path) -> None:
    """Every hash holds, but the model's first golden answer lies elsewhere than what it says here."""
    folder = tmp_path / "bundle"
    shutil.copytree(PCB, folder)
    answer, card = folder / "golden/board0.json", folder / "card.toml"
    before = hash_file(answer)
    told = json.loads(answer.read_text())
    told["boxes"] = [[value + 6.0 for value in box] for box in told["boxes"]]
    answer.write_text(json.dumps(told))
    assert before in card.read_text()
    card.write_text(card.read_text().replace(before, hash_file(answer)))
    outcome = run_trial("model", str(folder))
    assert not outcome.good
    assert "board0.json" in outcome.text
    assert "not found again" in outcome.text


def test_a_library_that_hangs_does_not_hang_the_doctor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gi.py").write_text("import threading\nthreading.Event().wait()\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(ROOT / "inspect")]))
    outcome = run_trial("aravis", time_limit_s=1.0)
    assert not outcome.good
    assert "did not answer within 1 s" in outcome.text


# --- other machines -------------------------------------------------------------------------------


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def by_name(seen: list[Observation]) -> dict[str, Observation]:
    return {one.what: one for one in seen}


def test_a_server_with_bf16_a_limit_and_a_graphics_card(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "proc/cpuinfo": XEON,
            "proc/meminfo": "MemTotal: 16000000 kB\nMemAvailable: 12000000 kB\n",
            "proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.86\nGCC version:\n",
            "dev/nvidia0": "",
            "sys/fs/cgroup/cpu.max": "150000 100000\n",
            "sys/fs/cgroup/memory.max": "209715200\n",
        },
    )
    seen = by_name(list(machine.hardware(root)))
    assert "Xeon" in seen["processor"].text
    assert "limited to 1.5" in seen["processor"].text
    assert "avx512_bf16 amx_bf16" in seen["processor"].text
    assert "; bf16 in hardware" in seen["processor"].text
    assert seen["memory"].level is Level.NOTE, "200 MiB are not enough for a station"
    assert "570.86; devices: nvidia0" in seen["NVIDIA driver"].text


def test_a_jetson(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "proc/cpuinfo": ORIN,
            "proc/meminfo": "MemTotal: 8000000 kB\nMemAvailable: 5000000 kB\n",
            "proc/device-tree/model": "NVIDIA Jetson Orin Nano Developer Kit\0",
            "etc/nv_tegra_release": "# R36 (release), REVISION: 4.3, GCID: 38968081\n",
        },
    )
    seen = by_name(list(machine.hardware(root)))
    assert "Orin Nano" in seen["processor"].text
    assert "; bf16 in hardware" in seen["processor"].text
    assert "R36 (release), REVISION: 4.3" in seen["Jetson"].text
    assert "NVIDIA" not in seen, "no advice about a driver that JetPack brings"


def test_cameras_have_the_kernels_names_and_their_metadata_nodes_are_left_out(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "dev/video0": "",
            "dev/video1": "",
            "dev/video10": "",
            "dev/video2": "",
            "sys/class/video4linux/video0/name": "HD Pro Webcam C920\n",
            "sys/class/video4linux/video0/index": "0\n",
            "sys/class/video4linux/video1/name": "HD Pro Webcam C920\n",
            "sys/class/video4linux/video1/index": "1\n",
            "sys/class/video4linux/video10/name": "See3CAM\n",
            "sys/class/video4linux/video10/index": "0\n",
        },
    )
    found = [one for one in installed.cameras(root) if "video" in one.what]
    assert [(Path(one.what).name, one.text) for one in found] == [
        ("video0", "HD Pro Webcam C920"),
        ("video2", "unnamed"),
        ("video10", "See3CAM"),
    ]


@pytest.mark.parametrize(
    ("kind", "what", "level"),
    [("ext4", "room", Level.OK), ("tmpfs", "kind", Level.NOTE), ("nfs4", "kind", Level.PROBLEM)],
)
def test_the_kind_of_disk(tmp_path: Path, kind: str, what: str, level: Level) -> None:
    root = write(tmp_path / "root", {"proc/mounts": f"disk / ext4 rw 0 0\nother {tmp_path} {kind} rw 0 0\n"})
    seen = by_name(list(machine.disk(tmp_path / "data", root)))
    assert kind in seen[what].text
    if what == "kind":
        assert seen[what].level is level
        assert seen[what].cure


def test_a_data_folder_that_cannot_be_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    seen = list(machine.disk(tmp_path / "file/data"))
    assert [(one.level, bool(one.cure)) for one in seen] == [(Level.PROBLEM, True)]
