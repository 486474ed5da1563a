"""Changing a recipe's text as a screen asks: what was asked, nothing else, comments kept, and kept versions."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partsight.config.reading import validate
from partsight.config.recipe import RecipeFile
from partsight.domain.errors import ConfigError
from partsight.recipes.editing import ModelSide, class_settings, edited, region_settings, values_of
from partsight.recipes.saving import Saver, Stale
from partsight.recipes.shelf import Shelf
from partsight.recipes.versions import By, Versions
from partsight.wire.screen.recipes import ClassSetting, RecipeSettings, RegionSetting

MODEL = ModelSide(("open", "short", "spur"), {"open": 0.3, "short": 0.4, "spur": 0.5}, floor=0.05)
TEXTS = (
    """\
# A comment at the top.
schema = 1
name = "board"   # beside a key
revision = 4

[defaults]
threshold = 0.4
review = 0.25
min_size_px = 3.0

[classes.open]
severity = "critical" # stays

[[views]]
camera = "*"
[[views.coverage]]
name = "there"
min = 0.3
[[views.regions]]
name = "rim"
kind = "ignore"
corners = [[0, 0], [10, 0], [10, 10]]
""",
    """\
schema = 1
name = "board"
revision = 4
classes = { open = { threshold = 0.6, min_size_mm = 0.5 } }
views = [{ camera = "*", coverage = [{ name = "there", min = 0.3 }] }]
""",
    """\
schema = 1
name = "board"
revision = 4
classes.short.enabled = false
[[views]]
camera = "top"
coverage = [{ name = "there", min = 0.3 }]
[[views]]
camera = "*"
coverage = [{ name = "there", min = 0.3 }]
""",
)


def parsed(text: str) -> RecipeFile:
    return validate(RecipeFile, values_of(text, "x.toml"), "x.toml")


@st.composite
def settings(draw: st.DrawFn) -> ClassSetting:
    threshold = draw(st.floats(0.05, 1))
    review = draw(st.none() | st.floats(0.05, 1).map(lambda share: 0.05 + (threshold - 0.05) * share))
    return ClassSetting(
        threshold=threshold,
        review=review if review is None or review <= threshold else threshold,
        min_size=draw(st.sampled_from([0.0, 1.5, 40.0])),
        in_mm=draw(st.booleans()),
        enabled=draw(st.booleans()),
    )


corners = st.tuples(st.floats(0, 90), st.floats(0, 90)).map(
    lambda at: ((at[0], at[1]), (at[0] + 9, at[1]), (at[0] + 9, at[1] + 9))
)
regions = st.lists(
    st.builds(
        RegionSetting,
        name=st.sampled_from(["a", "b", "c", "rim"]),
        kind=st.sampled_from(["inspect", "ignore"]),
        corners=corners,
        classes=st.lists(st.sampled_from(MODEL.classes), unique=True, max_size=2).map(tuple),
    ),
    unique_by=lambda region: region.name,
    max_size=3,
).map(tuple)


@given(
    text=st.sampled_from(TEXTS),
    classes=st.dictionaries(st.sampled_from(MODEL.classes), settings()),
    several=st.none() | regions,
)
def test_what_comes_out_says_what_was_asked_and_nothing_else_has_changed(
    text: str, classes: dict[str, ClassSetting], several: tuple[RegionSetting, ...] | None
) -> None:
    asked = RecipeSettings(classes=classes, regions={} if several is None else {"*": several})
    before, after = parsed(text), parsed(edited(text, asked, MODEL, 5, "x.toml"))
    assert after.revision == 5
    was, now = class_settings(before, MODEL), class_settings(after, MODEL)
    for name in MODEL.classes:
        wanted = classes.get(name, was[name])
        no_band = wanted.review is None or wanted.review >= wanted.threshold
        assert now[name] == wanted.model_copy(update={"review": None if no_band else wanted.review})
    assert region_settings(after)["*"] == (region_settings(before)["*"] if several is None else several)
    assert [v.coverage for v in after.views] == [v.coverage for v in before.views]


@pytest.mark.parametrize("text", TEXTS)
def test_asking_for_what_is_there_changes_the_revision_alone(text: str) -> None:
    file = parsed(text)
    asked = RecipeSettings(classes=class_settings(file, MODEL), regions=region_settings(file))
    assert edited(text, asked, MODEL, 5, "x.toml") == text.replace("revision = 4", "revision = 5")


def test_comments_stay() -> None:
    changed = edited(TEXTS[0], RecipeSettings(classes={"open": ClassSetting(threshold=0.8)}), MODEL, 5, "x.toml")
    assert all(comment in changed for comment in ("# A comment at the top.", "# beside a key", "# stays"))


def test_every_mistake_is_named_with_its_place() -> None:
    flat = RegionSetting(name="flat", kind="inspect", corners=((0, 0), (5, 5), (9, 9)))
    asked = RecipeSettings(
        classes={"ghost": ClassSetting(threshold=0.5), "open": ClassSetting(threshold=0.01, review=0.5)},
        regions={"side": (), "*": (flat,)},
    )
    with pytest.raises(ConfigError) as raised:
        edited(TEXTS[0], asked, MODEL, 5, "x.toml")
    assert {m.key for m in raised.value.mistakes} == {
        "classes.ghost",
        "classes.open.review",
        "classes.open.threshold",
        "regions.side",
        "regions.*[1].corners",
    }


def picture(path: Path, grey: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((16, 16), grey, np.uint8))


LIKE = TEXTS[0] + '[views.likeness]\npicture = "parts/whole.png"\n'


@pytest.fixture
def shipped(tmp_path: Path) -> Shelf:
    folder = tmp_path / "shipped" / "recipes"
    picture(folder / "parts" / "whole.png", 90)
    (folder / "board.toml").write_text(LIKE)
    (tmp_path / "site").mkdir()
    return Shelf(tmp_path / "site" / "station.toml", "board", (tmp_path / "site" / "recipes", folder))


def test_a_recipe_that_comes_with_partsight_is_saved_as_the_stations_own_with_its_pictures(
    tmp_path: Path, shipped: Shelf
) -> None:
    versions = Versions(tmp_path / "data")
    asked = RecipeSettings(classes={"open": ClassSetting(threshold=0.8)})
    saved = Saver(shipped, versions, MODEL).save("board", asked, 4, By("eve"))
    assert saved.path == shipped.own / "board.toml"
    assert (shipped.folders[1] / "board.toml").read_text() == LIKE, "never changed where it comes from"
    assert shipped.find("board").path == saved.path, "and it is the one that is found from now on"
    assert (shipped.own / "parts" / "whole.png").is_file()
    assert [v.note.revision for v in versions.of("board")] == [5, 4]
    with pytest.raises(Stale):
        Saver(shipped, versions, MODEL).save("board", asked, 4, By("eve"))


def test_an_earlier_version_comes_back_with_the_picture_that_it_had(tmp_path: Path, shipped: Shelf) -> None:
    versions = Versions(tmp_path / "data")
    saver = Saver(shipped, versions, MODEL)
    first = saver.save("board", RecipeSettings(), 4, By("eve"))
    picture(shipped.own / "parts" / "whole.png", 200)  # another recipe of the site uses it by now
    again = saver.restore("board", 5, By("eve"))
    (old,), (new,) = first.recipe.pictures.values(), again.recipe.pictures.values()
    assert np.array_equal(old, new)
    others = cv2.imread(str(shipped.own / "parts" / "whole.png"), 0)
    assert others is not None
    assert others[0, 0] == 200, "and the other's is as it was"


def test_a_station_that_runs_a_shipped_configuration_cannot_save(tmp_path: Path, shipped: Shelf) -> None:
    own = shipped.folders[1]
    demo = Shelf(own.parent / "demo.toml", "board", (own, own))
    with pytest.raises(ConfigError, match="comes with partsight"):
        Saver(demo, Versions(tmp_path / "data"), MODEL).save("board", RecipeSettings(), 4, By("eve"))


def test_a_damaged_kept_version_hides_no_other(tmp_path: Path, shipped: Shelf) -> None:
    versions = Versions(tmp_path / "data")
    Saver(shipped, versions, MODEL).save("board", RecipeSettings(), 4, By("eve"))
    (tmp_path / "data" / "recipes" / "board" / "4.json").write_bytes(os.urandom(40))
    assert [v.note.revision for v in versions.of("board")] == [5]
