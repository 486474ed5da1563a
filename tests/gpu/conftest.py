"""Tests on the pretend GPU run in processes of their own, one for each module and variant; README.md tells how.

A test that takes the fixture `gpu` becomes four: two CUDA packages, eager and deferred. Here, in the process that
collects, such tests are not run: a child pytest runs them with the pretend driver as its libcuda.so.1 (pycuda links to
that name when it is imported), and its reports are passed on as if they were this process's own.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from tests.gpu.build_rig import Bench
from tests.gpu.bundles import bundle
from tests.gpu.pretend import driver
from tests.gpu.pretend.gpu import PretendGpu

from partsight.detectors.tensorrt.cuda.choose import Package

INSIDE, REPORTS = "PARTSIGHT_TEST_PRETEND_GPU", "PARTSIGHT_TEST_PRETEND_REPORTS"
VARIANTS = tuple(f"{package}+{mode}" for package in driver.PACKAGES for mode in driver.MODES)
DEFAULT_TIMEOUT_S = 120.0
OUTPUT_KEPT = 6000

_finished: dict[tuple[str, str], dict[str, list[Any]]] = {}
_config: list[pytest.Config] = []


def pytest_configure(config: pytest.Config) -> None:
    _config.append(config)
    config.addinivalue_line("markers", "gpu_variants(*names): of the variants of `gpu`, only these, as 'pycuda+eager'")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test a variant."""
    if "gpu" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("gpu_variants")
        variants = marker.args if marker else VARIANTS
        assert set(variants) <= set(VARIANTS), f"variants of gpu are {', '.join(VARIANTS)}"
        metafunc.parametrize("gpu", variants, indirect=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what cannot be built or installed here."""
    for item in items:
        if not (variant := _variant(item)) and "pretend_driver" not in getattr(item, "fixturenames", ()):
            continue
        reason = driver.missing() or (driver.missing_package(variant.partition("+")[0]) if variant else "")
        if reason:
            item.add_marker(pytest.mark.skip(reason=reason))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say loudly, once, what of the GPU's tests did not run."""
    skipped = {r.longrepr[2] for r in terminalreporter.stats.get("skipped", []) if isinstance(r.longrepr, tuple)}
    reasons = [driver.missing(), *map(driver.missing_package, driver.PACKAGES)]
    not_run = sorted(reason for reason in reasons if reason and any(reason in text for text in skipped))
    if not_run:
        terminalreporter.section("GPU path NOT fully tested", sep="!", red=True, bold=True)
        for reason in not_run:
            terminalreporter.write_line(reason, red=True)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Outside: pass a child's reports on. Inside the child: as ever."""
    variant = _variant(item)
    if not variant or os.environ.get(INSIDE) or item.get_closest_marker("skip"):
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for report in _reports(item, variant):
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    # What the tests before set up is taken down here, as their own teardown would have it.
    cast(Any, item.session)._setupstate.teardown_exact(nextitem)
    return True


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Inside the child: write each report down."""
    if path := os.environ.get(REPORTS):
        data = _config[0].hook.pytest_report_to_serializable(config=_config[0], report=report)
        with Path(path).open("a") as file:
            file.write(json.dumps(data) + "\n")


def _variant(item: pytest.Item) -> str:
    callspec = getattr(item, "callspec", None)
    return str(callspec.params.get("gpu", "")) if callspec else ""


def _reports(item: pytest.Item, variant: str) -> list[Any]:
    key = (str(item.path), variant)
    if key not in _finished:
        group = [i for i in item.session.items if (str(i.path), _variant(i)) == key]
        _finished[key] = _run_child(item, variant, [i.nodeid for i in group])
    found = _finished[key].get(item.nodeid, [])
    if any(report.when == "teardown" for report in found):
        return found
    said = _finished[key].get("", ["it said nothing"])[0]
    lost = pytest.TestReport(
        item.nodeid,
        item.location,
        {},
        "failed",
        f"the process on the pretend GPU ended before this test did\n{said}",
        "call",
    )
    return [*found, lost]


def _run_child(item: pytest.Item, variant: str, nodeids: list[str]) -> dict[str, list[Any]]:
    """Reports of each test by its id; what the child printed under ""."""
    marker = item.get_closest_marker("timeout")
    limit_s = 0.9 * float(marker.args[0] if marker and marker.args else DEFAULT_TIMEOUT_S)
    _, _, mode = variant.partition("+")
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as file:
        environment = {**os.environ, **driver.build().environment(mode), INSIDE: variant, REPORTS: file.name}
        unused = (f"-pno:{plugin}" for plugin in ("cacheprovider", "xdist", "pytest-qt", "schemathesis"))
        command = [sys.executable, "-m", "pytest", *unused, "-q", *nodeids]
        try:
            done = subprocess.run(
                command,
                cwd=item.config.rootpath,
                env={**environment, "PYTEST_ADDOPTS": ""},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=limit_s,
                check=False,
            )
            said = f"exit status {done.returncode}\n{done.stdout.decode(errors='replace')[-OUTPUT_KEPT:]}"
        except subprocess.TimeoutExpired as late:
            said = f"not done after {limit_s:g} s\n{(late.stdout or b'').decode(errors='replace')[-OUTPUT_KEPT:]}"
        lines = Path(file.name).read_text().splitlines()
    found: dict[str, list[Any]] = {"": [said]}
    for line in lines:
        report = item.config.hook.pytest_report_from_serializable(config=item.config, data=json.loads(line))
        found.setdefault(report.nodeid, []).append(report)
    return found


@pytest.fixture
def gpu(request: pytest.FixtureRequest) -> Iterator[PretendGpu]:
    """The pretend GPU of this process: fresh counters, no faults. Mistakes and leaks fail the test that made them."""
    package, _, mode = request.param.partition("+")
    device = PretendGpu.of_this_process(cast(Package, package), mode)
    device.reset()
    before = device.living()
    yield device
    mistakes = device.mistakes()
    if device.allows_leaks:
        gc.collect()  # what objects of this test still give back is not to be laid to the next one's account
    device.reset()
    assert not mistakes, f"the driver counted mistakes: {mistakes}"
    assert device.allows_leaks or device.living() == before, f"left alive: {device.living()}; before: {before}"


@pytest.fixture(scope="session")
def pretend_driver() -> driver.PretendDriver:
    """For processes that a test starts itself: `env={**os.environ, **pretend_driver.environment(oom_at=3)}`."""
    return driver.build()


@pytest.fixture
def on_pretend_gpu(pretend_driver: driver.PretendDriver) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`on_pretend_gpu("-m", "partsight", "check", mode="eager", env={...}, oom_at=3)`: Python with these arguments."""

    def run(
        *arguments: str, mode: str = "eager", timeout_s: float = 60, env: dict[str, str] | None = None, **faults: int
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            env={**os.environ, **pretend_driver.environment(mode, **faults), **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def ready(tmp_path_factory: pytest.TempPathFactory, pretend_driver: driver.PretendDriver) -> Path:
    """A bundle, and a data folder with its engine."""
    folder = tmp_path_factory.mktemp("ready")
    bundle(folder / "bundle")
    (folder / "data").mkdir()
    Bench(folder, pretend_driver).build()
    return folder
