"""The recipe that people have chosen at run time judges again after a restart, and never another one in silence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.api.conftest import TIMER, Served, serve_station
from tests.station.kill_run import RECIPE, partsight

from partsight.daemon.site import load_site
from partsight.domain.errors import ConfigError
from partsight.outputs.records.audit import read_audit
from partsight.recipes.choice import choice_file
from partsight.wire.screen.people import Role

Wait = Callable[..., object]
OTHER = RECIPE.replace('name = "there"', 'name = "other"').replace("revision = 1", "revision = 7")


@contextmanager
def serving(folder: Path) -> Iterator[Served]:
    (folder / "recipes").mkdir(exist_ok=True)
    with serve_station(folder, trigger=TIMER) as served:
        yield served


def choose(served: Served, token: str, name: str) -> int:
    with served.http(token) as client:
        return client.post("/api/v1/commands/recipe", json={"name": name}).status_code


def judges_by(served: Served, token: str, recipe: str, wait_until: Wait) -> None:
    """The API tells the newest status that it has been sent, which is some tenths of a second old."""
    with served.http(token) as client:
        wait_until(lambda: client.get("/api/v1/status").json()["recipe"] == recipe, 10.0, f"judged by {recipe}")


def audited(folder: Path) -> list[str]:
    return [row.what for row in read_audit(folder / "data")]


def test_what_was_chosen_judges_after_a_kill_until_the_configuration_names_another(
    tmp_path: Path, wait_until: Wait
) -> None:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "other.toml").write_text(OTHER)
    with serving(tmp_path) as served:
        token = served.add_user("root1", Role.ADMINISTRATOR)
        judges_by(served, token, "there@1", wait_until)
        assert choose(served, token, "other") == 200
        judges_by(served, token, "other@7", wait_until)
        served.run.process.kill()
        served.run.process.wait(20)
    with serving(tmp_path) as served:
        token = served.log_in("root1")
        judges_by(served, token, "other@7", wait_until)
        assert "recipe chosen before the start" in audited(tmp_path)
        assert choose(served, token, "there") == 200
        # The configured one again: nothing is left to keep.
        assert not choice_file(tmp_path / "data").exists()
        assert choose(served, token, "other") == 200
        assert served.run.terminate(30) == 0

    # Whoever writes another recipe into the configuration has chosen last.
    (tmp_path / "recipes" / "third.toml").write_text(OTHER.replace('"other"', '"third"'))
    config = tmp_path / "station.toml"
    config.write_text(config.read_text().replace('recipe = "recipe.toml"', 'recipe = "third"'))
    site = load_site(config)
    assert site.recipe.ref.name == "third"
    assert site.dropped is not None
    assert partsight("run", config, "--parts", "1").returncode == 0
    assert "recipe choice dropped" in audited(tmp_path)
    assert not choice_file(tmp_path / "data").exists()


def test_a_chosen_recipe_that_is_gone_is_a_mistake_and_no_other_judges_instead(tmp_path: Path) -> None:
    other = tmp_path / "recipes" / "other.toml"
    other.parent.mkdir()
    other.write_text(OTHER)
    with serving(tmp_path) as served:
        token = served.add_user("root1", Role.ADMINISTRATOR)
        assert choose(served, token, "other") == 200
        assert served.run.terminate(30) == 0
    other.unlink()
    ended = partsight("run", tmp_path / "station.toml", "--parts", "1")
    assert ended.returncode == 2
    assert "chosen.json" in ended.stderr
    assert "root1" in ended.stderr
    choice_file(tmp_path / "data").write_text("{")
    with pytest.raises(ConfigError) as caught:
        load_site(tmp_path / "station.toml")
    assert [mistake.file for mistake in caught.value.mistakes] == [str(choice_file(tmp_path / "data"))]
    choice_file(tmp_path / "data").unlink()
    assert load_site(tmp_path / "station.toml").recipe.ref.name == "there"


def test_an_operator_chooses_by_name_and_never_by_a_path(tmp_path: Path, wait_until: Wait) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mild.toml").write_text(OTHER.replace('"other"', '"mild"'))
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "file-name.toml").write_text(OTHER)
    with serving(tmp_path) as served:
        root = served.add_user("root1", Role.ADMINISTRATOR)
        operator = served.add_user("op1", Role.OPERATOR)
        for path in (str(elsewhere / "mild.toml"), "elsewhere/mild.toml", "../elsewhere/mild", "~/mild.toml"):
            for token in (operator, root):
                assert choose(served, token, path) == 409
        judges_by(served, operator, "there@1", wait_until)
        # By the name of its file, as a PLC's program may have it.
        assert choose(served, operator, "file-name") == 200
        judges_by(served, operator, "other@7", wait_until)
