"""`partsight build` as a user runs it, in real processes: an engine is used only after it has proved itself."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import psutil
import pytest
from tests.gpu.build_rig import LIMIT_S, Bench
from tests.gpu.bundles import NAMES, SIDE, bundle, picture
from tests.gpu.pretend.driver import PretendDriver

from partsight.cli.app import main
from partsight.detectors.tensorrt.engines import EngineStore

pytestmark = pytest.mark.timeout(300)


@dataclass(frozen=True, slots=True)
class Ready:
    """A bundle, and a data folder with its fp16 engine. told: what the command said that built it."""

    folder: Path
    told: dict[str, Any]


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory, pretend_driver: PretendDriver) -> Ready:
    folder = tmp_path_factory.mktemp("ready")
    bundle(folder / "bundle")
    (folder / "data").mkdir()
    return Ready(folder, Bench(folder, pretend_driver).build())


@pytest.fixture
def bench(tmp_path: Path, pretend_driver: PretendDriver, ready: Ready) -> Bench:
    """With an empty data folder."""
    shutil.copytree(ready.folder / "bundle", tmp_path / "bundle")
    (tmp_path / "data").mkdir()
    return Bench(tmp_path, pretend_driver)


@pytest.fixture
def built(bench: Bench, ready: Ready) -> Bench:
    """With the engine."""
    shutil.copytree(ready.folder / "data", bench.folder / "data", dirs_exist_ok=True)
    return bench


Said = Callable[..., str]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Said:
    """What a command that ends with this status says on stderr, on one line; in this process, without a GPU."""

    def run(status: int, *arguments: str) -> str:
        monkeypatch.setattr("sys.argv", ["partsight", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == status
        return " ".join(capsys.readouterr().err.split())

    return run


def active(bench: Bench) -> dict[str, str]:
    """Key and plan of each engine that a line would load."""
    store = EngineStore(bench.engines)
    found = {}
    for kept in store.kept():
        assert kept.meta is not None, kept.why
        identity = kept.meta.told_identity()
        assert identity is not None
        found[kept.folder.name] = EngineStore.hash(store.ready(identity).plan)
    return found


def test_an_engine_is_built_once_and_checked(built: Bench, ready: Ready) -> None:
    first = ready.told
    assert (first["new"], first["golden"], first["identity"]["precision"]) == (True, 2, "fp16")
    assert first["latency"]["runs"] >= 20
    assert 0 < first["latency"]["p50_ms"] <= first["latency"]["p99_ms"]
    assert first["identity"]["tensorrt"] == built.version
    assert active(built) == {first["key"]: first["plan_sha256"]}
    assert built.build() == first | {"new": False, "folder": str(Path("data/engines") / first["key"])}
    assert built.left() == []


@pytest.mark.proof
def test_an_update_builds_anew_and_keeps_the_one_before(built: Bench, ready: Ready) -> None:
    """To roll back to, and the old one is for nobody else's TensorRT."""
    new = replace(built, version="10.7.0").build()
    assert (new["new"], new["identity"]["tensorrt"]) == (True, "10.7.0")
    assert active(built) == {one["key"]: one["plan_sha256"] for one in (ready.told, new)}


def test_a_build_whose_answers_are_wrong_is_not_used(built: Bench, ready: Ready) -> None:
    """Rule 8: the AGX Orin of one published table ran broken engines at full speed. The engine before stays."""
    shutil.rmtree(built.folder / "bundle")
    bundle(built.folder / "bundle", gains={"fp16": 0.7})
    assert "is not found again by tensorrt here" in built.failed_build()
    assert active(built) == {ready.told["key"]: ready.told["plan_sha256"]}


@pytest.mark.proof
def test_a_failed_new_build_of_the_same_engine_keeps_the_old_one(built: Bench, ready: Ready) -> None:
    assert "cannot run the engine" in replace(built, faults={"oom_at": 1}).failed_build("--again")
    assert active(built) == {ready.told["key"]: ready.told["plan_sha256"]}


@pytest.mark.proof
def test_a_model_that_nothing_can_check_is_not_built(bench: Bench) -> None:
    shutil.rmtree(bench.folder / "bundle")
    bundle(bench.folder / "bundle", golden=0)
    assert "has no golden frames" in bench.failed_build()


@pytest.mark.proof
def test_tampering_is_found_and_a_build_cures_it(built: Bench, ready: Ready) -> None:
    plan = built.engines / ready.told["key"] / "engine.plan"
    content = plan.read_bytes()
    plan.write_bytes(content[:-1] + b"?")
    assert built.build()["new"] is True
    assert plan.read_bytes() == content
    assert len(active(built)) == 1


@pytest.mark.parametrize("name", ["best.engine", "model.plan"])
def test_an_engine_from_elsewhere_is_refused(tmp_path: Path, name: str, said: Said) -> None:
    told = json.dumps({"stride": 32}).encode()
    content = len(told).to_bytes(4, "little") + told + b"ptrt" if name == "best.engine" else b"ptrt"
    (tmp_path / name).write_bytes(content)
    text = said(2, "build", str(tmp_path / name), "--data", str(tmp_path))
    assert "engines are code, only ONNX files travel" in text
    assert ("Ultralytics" in text) == (name == "best.engine")


def test_every_mistake_of_the_call_is_told(said: Said) -> None:
    text = said(2, "build", "./nothing", "--precision", "fp8")
    assert "3 mistakes" in text
    for problem in ("--station FILE", "'fp8' is unknown", "no model bundle './nothing'"):
        assert problem in text


def test_int8_without_held_out_pictures_is_refused(bench: Bench, said: Said) -> None:
    folder = str(bench.folder)
    text = said(3, "build", f"{folder}/bundle", "--data", folder, "--precision", "int8")
    assert "accuracy gate, which needs labelled pictures" in text


@pytest.mark.parametrize(
    ("faults", "told"),
    [
        ({"init": 100}, "driver"),
        pytest.param({"version": 11040}, "12.2", marks=pytest.mark.proof),
        pytest.param({"init_crashes": 1}, "ended the process", marks=pytest.mark.proof),
    ],
)
def test_a_gpu_that_cannot_be_used_is_said_with_the_cure(bench: Bench, faults: dict[str, int], told: str) -> None:
    assert told in replace(bench, faults=faults).failed_build()
    assert not bench.engines.exists()


@pytest.mark.parametrize("version", ["8.6.2", "10.2.0"])
@pytest.mark.proof
def test_a_tensorrt_that_is_too_old_is_said_with_the_cure(bench: Bench, version: str) -> None:
    """As JetPack 6.0 brings it."""
    modules = bench.folder / "modules"
    modules.mkdir()
    (modules / "tensorrt.py").write_text(f"__version__ = {version!r}\n")
    text = replace(bench, modules=modules).failed_build()
    assert f"TensorRT {version} cannot be used" in text


def test_without_a_driver_there_is_nothing_to_build_for(bench: Bench) -> None:
    said = replace(bench, driver=None).failed_build()
    assert "libcuda.so.1" in said


# --- cut off ------------------------------------------------------------------------------------------


def building(bench: Bench, wait_until: Callable[..., Any]) -> tuple[subprocess.Popen[str], list[psutil.Process]]:
    """A build whose draft is there, with the processes that it started."""
    process = bench.start("build", "./bundle", "--data", "data", "--again")
    wait_until(lambda: any(name.startswith(".build-") for name in bench.left()), 60, "the draft is there")
    return process, psutil.Process(process.pid).children(recursive=True)


def test_ctrl_c_ends_the_build_and_its_process(built: Bench, ready: Ready, wait_until: Callable[..., Any]) -> None:
    bench, old = built, ready.told
    process, children = building(bench, wait_until)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=LIMIT_S)
    assert process.returncode != 0
    assert "Traceback" not in errors
    assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    assert bench.left() in ([], [f".build-{old['key']}"]), "at most the timing cache stays"
    assert active(bench) == {old["key"]: old["plan_sha256"]}


def test_a_killed_build_leaves_no_process_and_no_half_engine(
    built: Bench, ready: Ready, wait_until: Callable[..., Any]
) -> None:
    bench, old = built, ready.told
    process, children = building(bench, wait_until)
    process.kill()
    process.communicate(timeout=LIMIT_S)
    wait_until(lambda: not [child for child in children if child.is_running()], 20, "the kernel kills its children")
    assert active(bench) == {old["key"]: old["plan_sha256"]}
    store = EngineStore(bench.engines)
    store.clean()
    assert bench.left() in ([], [f".build-{old['key']}"]), "at most the timing cache stays"


def test_a_build_process_that_is_killed_is_an_error_with_its_cause(
    bench: Bench, wait_until: Callable[..., Any]
) -> None:
    """As the kernel does it where memory is short."""
    process, _ = building(bench, wait_until)
    child = next(one for one in psutil.Process(process.pid).children() if "build_child" in " ".join(one.cmdline()))
    child.kill()
    _, errors = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 3
    assert "was killed by SIGKILL" in " ".join(errors.split())
    assert not [path for path in bench.engines.iterdir() if len(path.name) == 32]


def test_two_builders_at_once(bench: Bench, wait_until: Callable[..., Any]) -> None:
    """The second says who builds; one that waits finds the engine there."""
    process, children = building(bench, wait_until)
    for child in children:
        child.suspend()
    assert f"process {process.pid} builds cells fp16 since" in bench.failed_build()
    waiting = bench.start("build", "./bundle", "--data", "data", "--wait", "--json")
    for child in children:
        if child.is_running():
            child.resume()
    out, errors = waiting.communicate(timeout=LIMIT_S)
    assert waiting.returncode == 0, errors
    first, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0
    assert "built in" in first
    assert json.loads(out)["new"] is False


@pytest.mark.proof
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_full_disk_is_said_before_the_build(bench: Bench) -> None:
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m,mode=0700", "tmpfs", str(bench.folder / "data")],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.decode()}")
    try:
        assert "free space first" in bench.failed_build()
    finally:
        subprocess.run(["umount", str(bench.folder / "data")], check=True)


# --- int8 ---------------------------------------------------------------------------------------------


def label(folder: Path, count: int) -> Path:
    """Pictures with YOLO labels of each cell whose mean is over the threshold."""
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    for number in range(100, 100 + count):
        pixels = picture(number)
        cv2.imwrite(str(folder / f"images/{number}.png"), pixels)
        rows = [
            f"{kind} {(column + 4) / SIDE} {(row + 4) / SIDE} {8 / SIDE} {8 / SIDE}"
            for kind, channel in enumerate((2, 0))
            for row in range(0, SIDE, 8)
            for column in range(0, SIDE, 8)
            if pixels[row : row + 8, column : column + 8, channel].mean() / 255 > 0.85
        ]
        (folder / f"labels/{number}.txt").write_text("\n".join(rows))
    (folder / "data.yaml").write_text(f"names: {list(NAMES)}\ntrain: images\nval: images\n")
    return folder


@pytest.mark.proof
def test_int8_that_finds_the_same_is_built(bench: Bench) -> None:
    label(bench.folder / "held", 6)
    built = bench.build("--precision", "int8", "--held-out", "held")
    assert built["gate"]["images"] == 6
    assert {one["name"]: one["reference"] == one["candidate"] for one in built["gate"]["classes"]} == {
        "red": True,
        "blue": True,
    }
    assert list(active(bench)) == [built["key"]]


def test_int8_that_misses_defects_is_refused(bench: Bench) -> None:
    """Each step of the gate's own is in tests/unit/test_candidate.py."""
    shutil.rmtree(bench.folder / "bundle")
    bundle(bench.folder / "bundle", gains={"int8": 0.91})
    label(bench.folder / "held", 6)
    told = bench.failed_build("--precision", "int8", "--held-out", "held")
    assert "did not pass the accuracy gate" in told
    assert "recall falls by" in told
    assert not [path for path in bench.engines.iterdir() if len(path.name) == 32]
