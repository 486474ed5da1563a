"""A first recipe from a picture of a good part, so that positive evidence is there from the start (rule 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import tomlkit

from partsight.cameras.folder import read_image
from partsight.config.recipe import RecipeFile
from partsight.domain.views import ImageFacts
from partsight.recipes import compile_recipe
from partsight.recipes.recipe import Grey
from partsight.station.facts import Measurer, check_size, grey8

COVERAGE_MARGIN = 0.2
"""How far a good part's share of bright pixels may be from the picture's, as a share of it."""
SHARPNESS_SHARE = 0.3
LIKENESS_MIN = 0.7
MIN_CONTRAST = 4.0
"""Standard deviation of grey values; a picture under it is all one grey and shows no part."""


@dataclass(frozen=True, slots=True)
class GoodPart:
    """What a picture of a good part shows. grey: (h, w) uint8. bright_above: between part and ground, 0..255."""

    name: str
    grey: Grey
    bright_above: float
    facts: ImageFacts

    @property
    def coverage(self) -> tuple[float, float, float]:
        """(least, measured, most) share of bright pixels, 0..1. Neither an all-dark nor an all-bright image fits."""
        share = self.facts.coverage["part"]
        return share * (1 - COVERAGE_MARGIN), share, min(share * (1 + COVERAGE_MARGIN), (1 + share) / 2)


def measure_good_part(path: Path) -> GoodPart:
    """Measured as the station measures. Raises ImageError, and ValueError for a picture that shows no part."""
    grab = read_image(path.expanduser())
    if grab.error is not None:
        raise grab.error
    check_size(grab)
    grey = grey8(grab)
    if float(np.std(grey)) < MIN_CONTRAST:
        raise ValueError(f"{path} is all one grey and shows no part; take a picture of a good part under the camera")
    between, _ = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    rule = {"name": "part", "bright_above": between, "min": 1e-6}
    file = RecipeFile.model_validate(
        {"schema": 1, "name": "first", "revision": 1, "views": [{"camera": "*", "coverage": [rule]}]}
    )
    facts = Measurer(compile_recipe(file, path, ()), "*").measure(grab)
    return GoodPart(path.name, grey, between, facts)


def recipe_files(part: GoodPart, name: str, classes: Sequence[str]) -> dict[Path, bytes]:
    """The recipe and its picture, by their paths below the configuration's folder."""
    encoded, png = cv2.imencode(".png", part.grey)
    assert encoded, "OpenCV writes every grey image as PNG"
    picture = f"{name}/part.png"
    text = _text(part, name, classes, picture)
    return {Path("recipes") / picture: png.tobytes(), Path("recipes") / f"{name}.toml": text.encode()}


def _text(part: GoodPart, name: str, classes: Sequence[str], picture: str) -> str:
    document = tomlkit.document()
    document.add(tomlkit.comment(f"First recipe, made by `partsight init` from {part.name!r}. Its limits are a start:"))
    document.add(tomlkit.comment("judge more good and bad parts (`partsight judge FOLDER --recipe THIS --csv FILE`)"))
    document.add(tomlkit.comment("and narrow them. Raise `revision` with each change."))
    document.add("schema", tomlkit.item(1))
    document.add("name", tomlkit.item(name))
    document.add("revision", tomlkit.item(1))
    document.add("id", tomlkit.item(1).comment("the number by which a PLC selects it"))
    document.add("description", tomlkit.item(f"From a picture of a good part, {part.name}"))
    document.add(tomlkit.nl())
    document.add("defaults", _defaults())
    document.add(tomlkit.nl())
    document.add(tomlkit.comment("A class of the model with limits of its own, as in"))
    document.add(tomlkit.comment(f"[classes.{tomlkit.item(classes[0]).as_string()}]"))
    document.add(tomlkit.comment("threshold = 0.5    # a defect from this score on; without it the model card's"))
    document.add(tomlkit.comment("review = 0.3       # doubtful (REVIEW) from this score on"))
    document.add(tomlkit.comment("min_size_px = 6    # smaller ones do not count"))
    document.add(tomlkit.comment(f"Classes of this model: {', '.join(classes)}"))
    document.add(tomlkit.nl())
    views = tomlkit.aot()
    views.append(_view(part, picture))
    document.add("views", views)
    return tomlkit.dumps(document)


def _defaults() -> tomlkit.items.Table:
    table = tomlkit.table()
    table.add("severity", tomlkit.item("major").comment("critical, major or minor; [severity] says how many make NG"))
    return table


def _view(part: GoodPart, picture: str) -> tomlkit.items.Table:
    facts = part.facts
    least, share, most = part.coverage
    view = tomlkit.table()
    view.add("camera", tomlkit.item("*").comment("for every camera; or a camera's name"))
    image = tomlkit.table()
    image.add("size", tomlkit.item([facts.width, facts.height]).comment("width, height; others are INVALID"))
    sharpness = tomlkit.item(round(facts.sharpness * SHARPNESS_SHARE, 1))
    image.add("sharpness_min", sharpness.comment(f"the picture has {facts.sharpness:.1f}; blurred under this"))
    view.add("image", image)
    coverage = tomlkit.table()
    coverage.add(tomlkit.comment("Positive evidence: an empty place has more or fewer bright pixels than a part."))
    coverage.add("name", "part")
    coverage.add("bright_above", tomlkit.item(float(part.bright_above)).comment("grey value between part and ground"))
    coverage.add("min", tomlkit.item(round(least, 4)).comment(f"the picture has {share:.4f}"))
    coverage.add("max", round(most, 4))
    rules = tomlkit.aot()
    rules.append(coverage)
    view.add("coverage", rules)
    likeness = tomlkit.table()
    likeness.add(
        tomlkit.comment("Positive evidence: another part, or a part out of its place, does not look like this.")
    )
    likeness.add(
        tomlkit.comment("Parts that lie a little differently each time need [views.alignment] with fiducials.")
    )
    likeness.add("picture", picture)
    likeness.add("min", LIKENESS_MIN)
    view.add("likeness", likeness)
    return view
