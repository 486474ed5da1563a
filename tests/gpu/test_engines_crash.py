"""Builds that are killed, that find no room, that meet each other: the last good engine stays loadable throughout."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.gpu.engine_folder import build_into, identity, meta

from partsight.detectors.tensorrt.engines import EngineStore
from partsight.detectors.tensorrt.engines.lock import build_lock
from partsight.detectors.tensorrt.engines.signing import device_key
from partsight.domain.errors import BackendUnavailable

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{ROOT / 'inspect'}:{ROOT}"}

HOLDER = """
import sys
from pathlib import Path
from partsight.detectors.tensorrt.engines.lock import build_lock
with build_lock(Path(sys.argv[1]), "pcb fp16"):
    print("held", flush=True)
    sys.stdin.read()
"""

KEY_MAKER = """
import sys
from pathlib import Path
from partsight.detectors.tensorrt.engines.signing import device_key
sys.stdin.readline()
print(device_key(Path(sys.argv[1]), make=True).sign(b"", b"one"))
"""


@pytest.mark.parametrize("kind", ["same", "update"])
def test_a_build_killed_at_any_step_loses_no_engine(tmp_path: Path, kind: str) -> None:
    """Rule 8, and the power may go at any time: of the same engine's new build, and of one after an update."""
    script = Path(__file__).with_name("killed_build.py")
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path), kind],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout) > 15, "the build changes the file system in many steps"


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """As a disk that is full after so many bytes of a file: the kernel cuts the write off in the middle."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_is_full_in_the_middle_keeps_the_old_engine(tmp_path: Path) -> None:
    store = EngineStore(tmp_path / "engines")
    build_into(store, identity(), b"old")
    with largest_file(100_000), pytest.raises(OSError, match="too large") as caught:
        build_into(store, identity(), bytes(200_000))
    assert caught.value.errno == errno.EFBIG
    assert store.ready(identity()).plan == b"old"
    build_into(store, identity(), bytes(200_000))
    assert store.ready(identity()).plan == bytes(200_000)
    assert not list(store.folder.glob(".*"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    """A disk of 1 MB: the new plan does not fit beside the old one."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs", str(tmp_path)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.decode()}")
    try:
        store = EngineStore(tmp_path / "engines")
        with pytest.raises(BackendUnavailable, match="free space first"):
            store.prepare(1000)
        old, new = bytes(600_000), b"\1" * 600_000
        store.folder.mkdir(mode=0o700, exist_ok=True)
        device_key(store.folder, make=True)
        draft = store.draft(identity())
        store.write(draft, old, meta(identity(), old))
        store.activate(draft, identity())
        draft = store.draft(identity())
        with pytest.raises(OSError, match="No space left"):
            store.write(draft, new, meta(identity(), new))
        store.abandon(draft)
        assert store.ready(identity()).plan == old
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


@contextmanager
def holder(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that builds."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)],
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_second_builder_is_told_who_builds(tmp_path: Path) -> None:
    with holder(tmp_path) as other, pytest.raises(BackendUnavailable) as caught, build_lock(tmp_path, "x"):
        pass
    assert f"process {other.pid} builds pcb fp16 since" in str(caught.value)


def test_a_second_builder_waits_and_goes_on_when_the_first_is_killed(
    tmp_path: Path, wait_until: Callable[..., Any]
) -> None:
    told: list[str] = []
    got = threading.Event()

    def second() -> None:
        with build_lock(tmp_path, "x", wait_s=60, waiting=told.append):
            got.set()

    with holder(tmp_path) as other:
        waiter = threading.Thread(target=second)
        waiter.start()
        wait_until(lambda: told, what="it says that it waits")
        assert not got.is_set()
        other.send_signal(signal.SIGKILL)
        assert got.wait(20)
        waiter.join()
    assert told == [f"process {other.pid} builds pcb fp16 since {told[0].split(' ')[-1]}"]


def test_two_that_make_the_key_at_once_have_the_same(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", KEY_MAKER, str(tmp_path)],
            env=ENVIRONMENT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    signatures = {process.communicate(timeout=60)[0] for process in processes}
    assert len(signatures) == 1
    assert len(signatures.pop().strip()) == 64
    assert [path.name for path in tmp_path.iterdir()] == ["device.key"]
