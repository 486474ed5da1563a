"""What `partsight doctor` says of TensorRT and of engines."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.gpu.build_rig import MODULES
from tests.gpu.engine_folder import build_into, identity
from tests.gpu.pretend.driver import ROOT

from partsight.cli.engines import engines
from partsight.cli.observation import Level
from partsight.detectors.tensorrt.engines import EngineStore


def test_each_engine_is_told_with_what_it_is_of_or_why_it_is_refused(tmp_path: Path) -> None:
    store = EngineStore(tmp_path / "engines")
    build_into(store, identity(), b"good")
    build_into(store, identity(precision="fp32"), b"changed")
    record = store.folder / identity(precision="fp32").key / "meta.json"
    record.write_bytes(record.read_bytes().replace(b"a test", b"a lie?"))
    seen = {one.what: one for one in engines(tmp_path)}
    good, bad = seen[identity().key[:12]], seen[identity(precision="fp32").key[:12]]
    assert good.level is Level.OK
    assert "pcb fp16 on Orin, TensorRT 10.3.0.26, built 2026-01-01, p50 5.00 ms" in good.text
    assert bad.level is Level.NOTE
    assert "its signature is not this device's" in bad.text


def test_a_folder_that_others_may_write_is_told(tmp_path: Path) -> None:
    store = EngineStore(tmp_path / "engines")
    build_into(store, identity(), b"good")
    store.folder.chmod(0o777)
    (one,) = engines(tmp_path)
    assert "may be written by others" in one.text


def test_a_folder_without_engines_says_nothing(tmp_path: Path) -> None:
    assert list(engines(tmp_path)) == []
    assert not list(tmp_path.iterdir())


def test_tensorrt_is_tried_only_behind_the_driver(
    on_pretend_gpu: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    """Without a driver the library could end the process; here a broken driver is found before it is imported."""
    paths = {"PYTHONPATH": f"{MODULES}:{ROOT}:{ROOT / 'inspect'}", "PRETEND_TENSORRT": "10.7.0"}
    done = on_pretend_gpu("-m", "partsight.cli.trial", "tensorrt", env=paths)
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["ok"], told["text"]
    assert told["text"].startswith("10.7.0: Orin (pretend), compute capability 8.7, driver for CUDA 12.6, CUDA by ")
    broken = on_pretend_gpu("-m", "partsight.cli.trial", "tensorrt", env=paths | {"PRETEND_TENSORRT": "none"}, init=100)
    told = json.loads(broken.stdout.splitlines()[-1])
    assert not told["ok"]
    assert "driver" in told["text"]
    assert "none" not in told["text"]
