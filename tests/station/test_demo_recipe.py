"""The demo's recipe is still that of the simulated board, and every ready configuration passes `check`."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

from partsight.cameras.simulated import SimulatedCamera
from partsight.cameras.simulated.world import World, reference
from partsight.cli.app import main
from partsight.config.recipe import read_recipe
from partsight.domain.detections import Detections, ModelRef
from partsight.domain.frame import Grab, PixelFormat
from partsight.domain.reasons import Reason
from partsight.domain.verdict import Result, Verdict
from partsight.domain.views import View
from partsight.recipes import decide, load_recipe
from partsight.station.facts import Measurer

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / "configs"
RECIPE = CONFIGS / "recipes/demo-board.toml"
CLASSES = ("open", "short", "mousebite", "spur", "copper", "pin-hole")
NOTHING_FOUND = Detections.none(CLASSES, ModelRef("none", "0" * 64, "none", "fp32"))
PARTS = 40
REASONS = {
    "empty": {Reason.PART_ABSENT},
    "shifted": {Reason.PART_SHIFTED, Reason.PART_ABSENT},
    "rotated": {Reason.PART_ROTATED, Reason.PART_SHIFTED, Reason.PART_ABSENT},
    "wrong": {Reason.WRONG_PART, Reason.FEATURE_COUNT},
}
"""A part that is turned or moved far is not found at all."""


def script() -> ModuleType:
    """scripts/make_demo_recipe.py, which says how the pictures were made."""
    spec = importlib.util.spec_from_file_location("make_demo_recipe", ROOT / "scripts/make_demo_recipe.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_pictures_are_those_of_the_simulated_board() -> None:
    pictures = script().pictures(reference("A"))
    folder = RECIPE.with_suffix("")
    assert {path.name for path in folder.iterdir()} == set(pictures)
    for name, picture in pictures.items():
        stored = cv2.imread(str(folder / name), cv2.IMREAD_UNCHANGED)
        assert stored is not None
        assert np.array_equal(stored, picture), f"{name}: run scripts/make_demo_recipe.py again"


def test_the_places_are_those_of_the_simulated_board() -> None:
    part = reference("A")
    (view,) = read_recipe(RECIPE).views
    assert view.alignment is not None
    assert [mark.at for mark in view.alignment.fiducials] == list(part.fiducials)
    (holes,) = view.features
    assert sorted(holes.places) == sorted(part.holes)
    assert holes.min_count == len(part.holes)
    assert view.image.size == part.picture.shape[::-1]


def verdicts(**rates: float) -> list[Verdict]:
    """What the recipe says of simulated parts in which the detector has found nothing."""
    none = {f"{name}_rate": 0.0 for name in ("defect", "empty", "shifted", "rotated", "wrong")}
    world = World(SimulatedCamera.Settings.model_validate({**none, "seed": 23, **rates}))
    recipe = load_recipe(RECIPE, CLASSES)
    measurer = Measurer(recipe, "top")
    grabs = (Grab(world.render(n, colour=True)[0], PixelFormat.BGR8) for n in range(PARTS))
    return [decide([View("top", NOTHING_FOUND, measurer.measure(grab))], recipe) for grab in grabs]


def test_every_good_board_is_in_its_place() -> None:
    assert {verdict.result for verdict in verdicts()} == {Result.OK}


def test_defects_do_not_make_a_board_a_wrong_part() -> None:
    """With a detector that finds nothing each would pass: the evidence is about place and kind, not defects."""
    assert {verdict.result for verdict in verdicts(defect_rate=1.0)} == {Result.OK}


@pytest.mark.parametrize("kind", REASONS)
def test_rule_2_what_is_not_the_board_in_its_place_is_invalid(kind: str) -> None:
    told = verdicts(**{f"{kind}_rate": 1.0})
    assert {verdict.result for verdict in told} == {Result.INVALID}
    assert {verdict.code for verdict in told} <= REASONS[kind]


@pytest.mark.parametrize("name", sorted(path.name for path in CONFIGS.glob("*.toml")))
def test_ready_configurations_pass_check(
    name: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Those that need a device or a folder of images say so in a note; that is no mistake."""
    monkeypatch.setattr(sys, "argv", ["partsight", "check", str(CONFIGS / name), "--json"])
    capfd.readouterr()
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capfd.readouterr()
    assert not ended.value.code, out
    assert json.loads(out)["mistakes"] == []
    assert err == ""
