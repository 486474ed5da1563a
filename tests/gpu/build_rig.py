"""`partsight` commands as processes on the pretend GPU with a pretend TensorRT."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
from tests.gpu.bundles import picture
from tests.gpu.pretend.driver import ROOT, PretendDriver

MODULES = Path(__file__).parent / "pretend/modules"
VERSION = "10.3.0"
LIMIT_S = 200.0
"""Some seconds on a quiet machine; on a loaded one each of a command's processes waits for its turn."""

STATION = """\
schema = 1
[station]
name = "cell"
data = "data"
recipe = "recipe.toml"
deadline_ms = 20000
[model]
bundle = "./bundle"
backend = "{backend}"
[[cameras]]
name = "top"
driver = "folder"
[cameras.settings]
path = "images"
[trigger]
kind = "folder"
[images]
enabled = false
"""

RECIPE = """\
schema = 1
name = "cells"
revision = 1
[[views]]
camera = "*"
[views.image]
frozen = false
[[views.coverage]]
name = "there"
bright_above = 1
min = 0.5
"""


@dataclass(frozen=True, slots=True)
class Bench:
    """A folder with a bundle, where commands run. version: of TensorRT, which is in `modules`; driver: None for a
    machine without one.
    """

    folder: Path
    driver: PretendDriver | None
    version: str = VERSION
    faults: dict[str, int] = field(default_factory=dict)
    modules: Path | None = MODULES

    @property
    def engines(self) -> Path:
        return self.folder / "data/engines"

    def environment(self) -> dict[str, str]:
        paths = [str(ROOT / "inspect"), str(ROOT)]
        if self.modules is not None:
            paths.insert(0, str(self.modules))
        gpu = self.driver.environment("eager", **self.faults) if self.driver is not None else {}
        return {**os.environ, **gpu, "PYTHONPATH": ":".join(paths), "PRETEND_TENSORRT": self.version}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "partsight", *arguments],
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, status: int = 0) -> tuple[str, str]:
        """stdout and stderr of a command that ends with this status."""
        process = self.start(*arguments)
        try:
            out, errors = process.communicate(timeout=LIMIT_S)
        except BaseException:
            process.kill()
            process.communicate()
            raise
        assert process.returncode == status, f"status {process.returncode}\n{out}\n{errors}"
        return out, errors

    def build(self, *arguments: str) -> dict[str, Any]:
        """What `partsight build --json` says."""
        out, _ = self.run("build", "./bundle", "--data", "data", "--json", *arguments)
        told: dict[str, Any] = json.loads(out)
        return told

    def failed_build(self, *arguments: str, status: int = 3) -> str:
        """What a build says that fails, on one line."""
        _, errors = self.run("build", "./bundle", "--data", "data", "--json", *arguments, status=status)
        return " ".join(errors.split())

    def station(self, backend: str, pictures: int = 3) -> Path:
        """A configuration that judges a few pictures and ends."""
        (self.folder / "images").mkdir()
        for number in range(pictures):
            cv2.imwrite(str(self.folder / f"images/{number}.png"), picture(number))
        (self.folder / "recipe.toml").write_text(RECIPE)
        path = self.folder / "station.toml"
        path.write_text(STATION.format(backend=backend))
        return path

    def left(self) -> list[str]:
        """Names in the folder of engines that a build in work has."""
        return sorted(path.name for path in self.engines.glob(".*"))
