"""`partsight selftest --gpu` whole, on the pretend GPU: a report for each device, and nothing in it of whose it is."""

from __future__ import annotations

import getpass
import json
import platform
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.gpu.build_rig import Bench
from tests.gpu.bundles import bundle
from tests.gpu.pretend.driver import PretendDriver

from partsight.cli.selftest_report import GpuReport, scrub
from partsight.models.card import CARD, read_card, write_card

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def bench(tmp_path: Path, pretend_driver: PretendDriver) -> Bench:
    bundle(tmp_path / "bundle")
    return Bench(tmp_path, pretend_driver)


def name_only(folder: Path, precisions: tuple[str, ...]) -> None:
    """Take the other files out of the card; the golden answers stay those of fp32."""
    card = read_card(folder / CARD)
    write_card(
        folder, card.model_copy(update={"files": {k: v for k, v in card.files.items() if v.precision in precisions}})
    )


def selftest(bench: Bench, *options: str, status: int = 0) -> tuple[GpuReport, str]:
    """The report, and what was printed."""
    out, _ = bench.run("selftest", "--gpu", "--model", "./bundle", "--report", "out.json", *options, status=status)
    return GpuReport.model_validate_json((bench.folder / "out.json").read_text()), out


@pytest.mark.parametrize(
    "precisions", [("fp16",), pytest.param(("fp16", "fp32", "int8"), marks=pytest.mark.proof)], ids=len
)
def test_the_whole_self_test(bench: Bench, precisions: tuple[str, ...]) -> None:
    name_only(bench.folder / "bundle", precisions)
    report, out = selftest(bench, "--soak-s", "1.5")
    assert report.passed, report.findings
    assert tuple(one.precision for one in report.precisions) == precisions
    for one in report.precisions:
        assert (one.golden_frames, one.golden_boxes, one.error) == (2, 44, "")
        assert one.graph is not None
        assert (one.graph.used, one.graph.frames, one.graph.identical) == (True, 100, 100)
        assert one.graph.boxes > 100
        assert set(one.stages) == {"preprocess", "infer", "decode", "all", "engine"}
        assert one.stages["all"].p50 > 0
    assert report.soak is not None
    assert report.soak.seconds >= 1.5
    assert report.soak.frames > 3
    assert report.soak.changed == 0
    assert len(report.soak.samples) >= 1
    assert (report.gpu.name, report.gpu.compute_capability) == ("Orin (pretend)", "8.7")
    assert report.versions["tensorrt"] == bench.version
    assert "report: out.json" in out
    text = (bench.folder / "out.json").read_text()
    for secret in (platform.node(), getpass.getuser(), str(bench.folder), "GPU-", "/"):
        assert secret not in text.replace("FP16/", ""), f"{secret!r} is in the report"


@pytest.mark.proof
def test_what_fails_is_in_the_report_and_the_rest_goes_on(bench: Bench) -> None:
    bundle(bench.folder / "bundle", gains={"fp16": 0.7})
    name_only(bench.folder / "bundle", ("fp16", "fp32"))
    report, out = selftest(bench, "--soak-s", "0", status=1)
    assert not report.passed
    assert "is not found again by tensorrt here" in report.findings[0]
    first, second = report.precisions
    assert "is not found again" in first.error
    assert first.build_s is not None
    assert second.graph is not None
    assert second.error == ""
    assert "not as it should be" in out


def test_without_a_gpu_it_says_so_and_writes_nothing(bench: Bench) -> None:
    nothing = replace(bench, driver=None, modules=None)
    _, errors = nothing.run("selftest", "--gpu", "--model", "./bundle", "--report", "out.json", status=3)
    assert "libcuda.so.1" in errors
    assert not (bench.folder / "out.json").exists()


def test_what_tells_whose_machine_it_is_goes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(platform, "node", lambda: "press-7")
    monkeypatch.setenv("USER", "anna")
    monkeypatch.setenv("HOME", str(tmp_path / "anna"))
    told: Any = {
        "error": "/home/anna/secret project/model-fp16.onnx: TensorRT refuses it on press-7 (GPU-1f2e3d4c-0000-1111)",
        "list": ["anna", 3, None, {"press-7": "bananas of anna's"}],
    }
    text = json.dumps(scrub(told))
    for secret in ("press-7", "secret project", "/home", "1f2e3d4c", '"anna"', "anna's"):
        assert secret not in text
    assert "model-fp16.onnx: TensorRT refuses it" in text
    assert "bananas" in text, "only whole words go"
