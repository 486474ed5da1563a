"""Kills builds: `python killed_build.py FOLDER same|update`. Prints how many steps there were; fails where one loses
the engine that was there.

A build is killed (SIGKILL, by itself) right before its n-th change of the file system, for every n.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

from tests.gpu.engine_folder import build_into, identity

from partsight.detectors.tensorrt.engines import EngineStore, Identity

OLD, NEW = b"the engine that was there", b"the new one, which is another"
CHANGES = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "shutil.rmtree"}


def killed(store: EngineStore, of: Identity, step: int) -> bool:
    """Build in a process that is killed at this step; False where it was done before."""
    child = os.fork()
    if child == 0:
        left = step

        def count(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal left
            if event in CHANGES and str(store.folder) in str(arguments[0]):
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        build_into(store, of, NEW, day=1, timing=b"cache")
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the build failed by itself"
    return os.WIFSIGNALED(status)


def main(folder: Path, kind: str) -> None:
    before = identity()
    after = before if kind == "same" else identity("10.7.0.23")
    step, saw = 0, set()
    while True:
        step += 1
        store = EngineStore(folder / str(step) / "engines")
        build_into(store, before, OLD)
        died = killed(store, after, step)
        plan = store.ready(before).plan
        saw.add(plan)
        assert plan in ((OLD, NEW) if after is before else (OLD,)), f"step {step}"
        # The next build ends what was begun, and leaves nothing behind.
        build_into(store, after, NEW, day=2)
        assert store.ready(after).plan == NEW, f"step {step}"
        assert not list(store.folder.glob(".*")), f"step {step}: {list(store.folder.glob('.*'))}"
        shutil.rmtree(folder / str(step))
        if not died:
            break
    assert saw == ({OLD, NEW} if after is before else {OLD})
    sys.stdout.write(f"{step - 1}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
