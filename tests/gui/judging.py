"""A real station for the pages that show judged parts: every third or so is in doubt, the good ones are sampled."""

from __future__ import annotations

import hashlib
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtWidgets import QApplication
from tests.api.conftest import CALLED, Served, wait_until_it_serves
from tests.station.kill_run import NO_STOPS, ROOT, SIDE, SIMULATED, model_bytes, write_station
from tests.station.kill_run import station as run_station

from partsight.domain.verdict import Result
from partsight.models.card import Card, write_card
from partsight.testing.broker import free_port
from partsight.wire.screen.parts import Part, PartRow, QueuePage
from partsight.wire.screen.people import Role

CONFIGS = ROOT / "configs"
CLASSES = ("scratch", "missing hole", "short")
SQUARE = SIMULATED.replace("width = 128\nheight = 128", "width = 320\nheight = 320")
BAND = """
[defaults]
threshold = {threshold}
review = 0.45
"""


def write_bundle(folder: Path) -> None:
    """The quick model, which knows three classes."""
    folder.mkdir(parents=True)
    content = model_bytes()
    (folder / "model.onnx").write_bytes(content)
    card = {
        "schema": 1,
        "name": "bright",
        "version": "1",
        "task": "detect",
        "architecture": "one mean",
        "classes": list(CLASSES),
        "licence": "Apache-2.0",
        "files": {"model.onnx": {"sha256": hashlib.sha256(content).hexdigest(), "precision": "fp32"}},
        "input": {"width": SIDE, "height": SIDE},
        "output": {"format": "end2end"},
        "thresholds": dict.fromkeys(CLASSES, 0.5),
    }
    write_card(folder, Card.model_validate(card))


@contextmanager
def judging(folder: Path, *, threshold: float = 1.0, camera: str = SQUARE) -> Iterator[Served]:
    """A station that judges when asked to. threshold: what scores less is REVIEW (from 0.45), more is NG."""
    write_bundle(folder / "bundle")
    port = free_port()
    config = write_station(folder, camera=camera, trigger=CALLED, images="ok_share = 1.0\nkeep_free_mb = 1")
    recipe = folder / "recipe.toml"
    recipe.write_text(recipe.read_text() + BAND.format(threshold=threshold))
    with config.open("a") as file:
        file.write(f"[api]\nport = {port}\nreview_share = 1.0\n")
    with run_station(config) as run:
        served = Served(port, run, config, folder / "data")
        wait_until_it_serves(served, run.process)
        yield served


@contextmanager
def demonstrating(folder: Path) -> Iterator[Served]:
    """The demo's line with its real model, bad parts for the most part; judges when asked to."""
    port = free_port()
    text = (CONFIGS / "demo.toml").read_text()
    text = text[: text.index("[trigger]")].replace("../demo-data", str(folder / "data"))
    for rate, value in (("defect", 0.7), ("empty", 0.05), ("shifted", 0.05), ("rotated", 0.0), ("wrong", 0.0)):
        text = re.sub(rf"{rate}_rate = .*", f"{rate}_rate = {value}", text)
    text += f"[trigger]\n{CALLED}\n[line]\n{NO_STOPS}\n[images]\nok_share = 1.0\nkeep_free_mb = 1\n"
    text += f"[api]\nport = {port}\nreview_share = 1.0\n"
    recipes = folder / "recipes"
    shutil.copytree(CONFIGS / "recipes", recipes)
    config = folder / "station.toml"
    config.write_text(text.replace('recipe = "demo-board"', 'recipe = "recipes/demo-board.toml"'))
    with run_station(config) as run:
        served = Served(port, run, config, folder / "data")
        wait_until_it_serves(served, run.process)
        yield served


class Hand:
    """Someone at the station who asks the API, beside the screen that is tested."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.tokens = {role: served.add_user(role.value, role) for role in reversed(Role)}
        self._open = ExitStack()
        self._clients = {role: self._open.enter_context(served.http(token)) for role, token in self.tokens.items()}

    def close(self) -> None:
        self._open.close()

    def ask(self, method: str, path: str, role: Role = Role.ENGINEER, **options: Any) -> Any:
        answer = self._clients[role].request(method, f"/api/v1/{path}", **options)
        assert answer.status_code < 400, answer.text
        return answer

    def judge(self, count: int, name: str = "P") -> list[PartRow]:
        """So many parts, one after the other, with their pictures kept; oldest first."""
        for number in range(1, count + 1):
            self.ask("POST", "commands/trigger", json={"part_id": f"{name}{number:03d}"})
            until(partial(self._are, name, number))
        until(lambda: all(row.images or row.result is Result.INVALID for row in self.rows(name)))
        return self.rows(name)

    def _are(self, name: str, count: int) -> bool:
        return len(self.rows(name)) == count

    def rows(self, name: str = "") -> list[PartRow]:
        """Of the parts whose name begins so, oldest first."""
        parts = self.ask("GET", "records", params={"limit": 500}).json()["parts"]
        rows = [PartRow.model_validate(part) for part in parts]
        return [row for row in rows[::-1] if row.part_id.startswith(name)]

    def judge_until(self, wanted: Callable[[PartRow], bool], count: int, name: str) -> list[PartRow]:
        """Parts until so many are as `wanted` says; those, oldest first."""
        for number in range(200):
            rows = self.judge(1, f"{name}{number:03d}-")
            if wanted(rows[0]):
                count -= 1
            if not count:
                break
        return [row for row in self.rows(name) if wanted(row)]

    def part(self, sequence: int) -> Part:
        return Part.model_validate(self.ask("GET", f"records/{sequence}").json())

    def queue(self) -> list[PartRow]:
        return list(QueuePage.model_validate(self.ask("GET", "reviews/queue", params={"limit": 200}).json()).parts)


def until(condition: Callable[[], bool], limit_s: float = 20.0) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "not in time"
        QApplication.processEvents()
        time.sleep(0.01)


__all__ = ["CLASSES", "Hand", "demonstrating", "judging", "until"]
