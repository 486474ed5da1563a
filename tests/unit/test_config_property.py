"""rule_9: whatever a site writes gives a valid configuration, or a ConfigError that names file and key."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from hypothesis import example, given, settings
from hypothesis import strategies as st

from partsight.config.reading import MAX_FILE_BYTES, validate
from partsight.config.recipe import RecipeFile, read_recipe
from partsight.config.station import StationConfig, read_station
from partsight.daemon.site import Site, load_site
from partsight.domain.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
STATION_TEXT = (ROOT / "configs/demo.toml").read_text()
RECIPE_TEXT = (ROOT / "configs/recipes/demo-board.toml").read_text()
STATION = tomlkit.parse(STATION_TEXT).unwrap()
RECIPE = tomlkit.parse(RECIPE_TEXT).unwrap()

Read = Callable[[Path], Any]

# TOML has no lone surrogates, and its integers have 64 bits.
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | texts
    | st.datetimes()
    | st.sampled_from(
        ["", "~no-such-user/x", "\0", "x" * 300, "../..", "/", "NaN", "simulated", "folder", "opencv", "*"]
    )
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=8
)
in_toml = values.filter(lambda value: "None" not in repr(value))


def outcome(read: Callable[[], Any], file: str) -> ConfigError | None:
    """What a user would meet: nothing, or mistakes that each say where and what; anything else is a traceback."""
    try:
        read()
    except ConfigError as error:
        refused = error
    else:
        return None
    assert refused.mistakes
    for mistake in refused.mistakes:
        assert mistake.file
        assert mistake.problem
        assert mistake.file != file or mistake.key or "cannot be read" in str(mistake) or "TOML" in str(mistake)
    return refused


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place inside nested tables and arrays."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, one in inner for place in places(one, (*path, key)))]


@st.composite
def spoilt(draw: st.DrawFn, whole: dict[str, Any], new: st.SearchStrategy[Any]) -> dict[str, Any]:
    """A good file with one to three places taken out, replaced, or given a key that nobody knows."""
    copied = copy.deepcopy(whole)
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from(places(copied)[1:]))
        parent = copied
        for step in way:
            parent = parent[step]
        what = draw(st.sampled_from(["remove", "replace", "add"]))
        if what == "remove" and isinstance(parent, dict):
            del parent[last]
        elif what == "add" and isinstance(parent, dict):
            parent[draw(texts)] = draw(new)
        else:
            parent[last] = draw(new)
        if len(places(copied)) < 2:
            break
    return copied


@given(spoilt(STATION, values))
def test_any_change_to_a_station(content: dict[str, Any]) -> None:
    outcome(lambda: validate(StationConfig, content, "station.toml"), "station.toml")


@given(spoilt(RECIPE, values))
def test_any_change_to_a_recipe(content: dict[str, Any]) -> None:
    outcome(lambda: validate(RecipeFile, content, "recipe.toml"), "recipe.toml")


@given(st.dictionaries(texts, values, max_size=6))
def test_any_table_at_all_is_refused_with_keys(content: dict[str, Any]) -> None:
    for model in (StationConfig, RecipeFile):
        error = outcome(lambda model=model: validate(model, content, "file.toml"), "file.toml")
        assert error is not None
        assert {m.key for m in error.mistakes} >= {"schema"} - content.keys()


@pytest.mark.parametrize("read", [read_station, read_recipe])
@given(st.data())
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, read: Read, data: st.DataObject) -> None:
    """Anything, or a good file with a piece cut out or overwritten."""
    good = (STATION_TEXT if read is read_station else RECIPE_TEXT).encode()
    begin = data.draw(st.integers(0, len(good)))
    end = data.draw(st.integers(begin, len(good)))
    noise = data.draw(st.binary(max_size=60) | texts.map(str.encode))
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(noise if data.draw(st.booleans()) else good[:begin] + noise + good[end:])
    outcome(lambda: read(path), str(path))


@settings(max_examples=25)  # each reads the whole model
@given(spoilt(STATION, in_toml))
@example(STATION | {"station": STATION["station"] | {"recipe": "x" * 300}})
@example(STATION | {"station": STATION["station"] | {"recipe": "~no-such-user/x"}})
@example(STATION | {"station": STATION["station"] | {"data": "~no-such-user/x"}})
@example(STATION | {"station": STATION["station"] | {"data": "a\0b"}})
@example(STATION | {"model": {"bundle": "x" * 300}})
@example(STATION | {"model": {"bundle": "~no-such-user/x"}})
@example(STATION | {"cameras": [{"name": "top", "driver": "folder", "settings": {"path": "~no-such-user/x"}}]})
def test_a_whole_site(tmp_path_factory: pytest.TempPathFactory, content: dict[str, Any]) -> None:
    """With the recipe, the model and the cameras that it names."""
    path = tmp_path_factory.getbasetemp() / "site.toml"
    path.write_text(tomlkit.dumps(content))
    read: list[Site] = []
    error = outcome(lambda: read.append(load_site(path)), "")
    assert (error is None) == bool(read)


@settings(max_examples=25)
@given(spoilt(RECIPE, in_toml))
@example(RECIPE | {"revision": 2**62})
@example(RECIPE | {"views": [{"camera": "*", "likeness": {"picture": "a\0b"}}]})
@example(RECIPE | {"views": [{"camera": "*", "likeness": {"picture": ""}}]})
@example(RECIPE | {"views": [{"camera": "*", "likeness": {"picture": "../recipes"}}]})
def test_a_site_with_any_recipe(tmp_path_factory: pytest.TempPathFactory, content: dict[str, Any]) -> None:
    base = tmp_path_factory.getbasetemp()
    (base / "any-recipe.toml").write_text(tomlkit.dumps(content))
    path = base / "site-of-recipe.toml"
    path.write_text(STATION_TEXT.replace('recipe = "demo-board"', 'recipe = "any-recipe.toml"'))
    outcome(lambda: load_site(path), "")


@pytest.mark.parametrize(
    ("text", "key", "says"),
    [
        ("a = " + "[" * 100_000, "", "is not TOML"),
        ("a = " + "{b=" * 5000, "", "is not TOML"),
        ("a" + ".a" * 5000 + " = 1", "", "is not TOML"),
        ("x = 1\n" * (MAX_FILE_BYTES // 6 + 1), "", "larger than 1 MiB"),
        (STATION_TEXT.replace("budget_mb = 200", "budget_mb = 1e308"), "images.budget_mb", "less than or equal"),
        (STATION_TEXT.replace("budget_mb = 200", "budget_mb = nan"), "images.budget_mb", "finite"),
        (STATION_TEXT.replace("../demo-data", "~no-such-user/x"), "station.data", "no such user"),
        (STATION_TEXT.replace("../demo-data", "a\\u0000b"), "station.data", "NUL"),
    ],
    ids=["nested", "nested tables", "dotted", "large", "petabytes", "nan", "no home", "nul"],
)
def test_a_trap_is_named(tmp_path: Path, text: str, key: str, says: str) -> None:
    assert text != STATION_TEXT
    path = tmp_path / "station.toml"
    path.write_text(text)
    error = outcome(lambda: read_station(path), "")
    assert error is not None
    assert [m.key for m in error.mistakes] == [key]
    assert says in str(error)


def test_a_mark_of_a_windows_editor_is_no_mistake(tmp_path: Path) -> None:
    path = tmp_path / "station.toml"
    path.write_bytes(STATION_TEXT.replace("\n", "\r\n").encode("utf-8-sig"))
    assert read_station(path).station.name == "demo"


def test_what_is_no_file(tmp_path: Path) -> None:
    error = outcome(lambda: read_station(tmp_path), "")
    assert error is not None
    assert "cannot be read" in str(error)
    endless = outcome(lambda: read_station(Path("/dev/zero")), "")
    assert endless is not None
    assert "larger than 1 MiB" in str(endless)


def test_a_folder_that_may_not_be_entered(tmp_path: Path) -> None:
    """Root may enter all: what is tried there is only that the name is refused by its own length."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o000)
    recipe = f"{closed}/recipe.toml" if os.geteuid() else "x" * 300
    path = tmp_path / "station.toml"
    path.write_text(STATION_TEXT.replace('recipe = "demo-board"', f'recipe = "{recipe}"'))
    error = outcome(lambda: load_site(path), "")
    closed.chmod(0o700)
    assert error is not None
    assert "there is no such recipe" in str(error)
