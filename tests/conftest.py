"""What every test may use: the real images, waiting for a condition, and a check that nothing is left behind."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import HealthCheck, settings

DEEPPCB = "PARTSIGHT_DEEPPCB"
POLL_S = 0.005
GRACE_S = 3.0

# The tests start hundreds of processes. Where byte code is not kept, as images for containers like to have it, each of
# them compiles the whole source again, which is up to half of its start.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# The machine's speed is not what a property test is about; the same examples each time, so that a red build can be
# run again. HYPOTHESIS_PROFILE=search looks for new ones.
settings.register_profile(
    "ci", deadline=None, max_examples=50, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("search", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def _missing_images() -> str:
    """Why the real images are not here, or an empty string."""
    return "" if os.environ.get(DEEPPCB) else f"{DEEPPCB} is not set: it names the folder of the DeepPCB images"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what uses the real images, and skip it where they are not here."""
    reason = _missing_images()
    for item in items:
        if "deeppcb" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.deeppcb)
        if reason and item.get_closest_marker("deeppcb"):
            item.add_marker(pytest.mark.skip(reason=reason))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say loudly, once, that the tests on real images did not run."""
    if not _missing_images():
        return
    skipped = [r for r in terminalreporter.stats.get("skipped", []) if "deeppcb" in getattr(r, "keywords", ())]
    if not skipped:
        return
    terminalreporter.section("real images NOT tested", sep="!", red=True, bold=True)
    terminalreporter.write_line(f"{len(skipped)} tests on real images did not run. {_missing_images()}.", red=True)


@pytest.fixture(scope="session")
def deeppcb() -> Path:
    """The folder of the DeepPCB data set, the one that holds `PCBData/`. A wrong path fails, it does not skip."""
    folder = Path(os.environ[DEEPPCB])
    assert (folder / "PCBData" / "test.txt").is_file(), f"{DEEPPCB}={folder}: there is no PCBData/test.txt in it"
    return folder


@pytest.fixture(scope="session")
def wait_until() -> Callable[..., Any]:
    """`wait_until(condition, timeout_s=10.0, what="")`: the condition's first true value; fails after the time."""

    def wait(condition: Callable[[], Any], timeout_s: float = 10.0, what: str = "") -> Any:
        end = time.monotonic() + timeout_s
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > end:
                raise AssertionError(f"not within {timeout_s} s: {what or getattr(condition, '__name__', condition)}")
            time.sleep(POLL_S)

    return wait


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Fail a test that leaves a thread or a child process running, after a moment for them to end.

    What a module's or the session's fixture started counts as there before; daemon threads may stay. Nor may it leave
    its process at a lower priority, which every daemon of a later test would inherit.
    """
    threads, children = set(_threads()), set(_children())
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    yield
    end = time.monotonic() + GRACE_S
    while (left := [*(set(_threads()) - threads), *(set(_children()) - children)]) and time.monotonic() < end:
        time.sleep(POLL_S)
    for process in left:
        # So that the tests after this one start clean.
        if isinstance(process, psutil.Process):
            process.kill()
    assert not left, f"left running by the test: {left}"
    assert os.getpriority(os.PRIO_PROCESS, 0) == nice, "the test has changed its own process's priority"


def _threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if not t.daemon]


def _children() -> list[psutil.Process]:
    return [p for p in psutil.Process().children() if _counts(p)]


def _counts(process: psutil.Process) -> bool:
    """Ended processes do not count, nor does the tracker that multiprocessing keeps until Python ends."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE and "resource_tracker" not in " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return False
