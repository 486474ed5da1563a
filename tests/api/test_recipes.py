"""Recipes over the API, against a real daemon: saved, brought back, tried on the past, and the same after a restart."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import tomlkit
from tests.api.conftest import PICTURED, Served, Staffed
from tests.api.test_challenge import until
from tests.station.kill_run import SIMULATED

from partsight.wire.screen.people import Role

RECIPE = "/api/v1/recipes/there"
SETTING = {"threshold": 0.5, "review": None, "min_size": 0.0, "in_mm": False, "enabled": True}


class Editor:
    """An engineer at a station that judges ten parts a second."""

    def __init__(self, served: Served, client: httpx.Client) -> None:
        self.served = served
        self.client = client
        self.file = served.config.parent / "recipe.toml"

    def detail(self, name: str = "there") -> dict[str, Any]:
        answer = self.client.get(f"/api/v1/recipes/{name}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def put(self, base: int, expect: int = 200, **body: Any) -> dict[str, Any]:
        answer = self.client.put(RECIPE, json={"base": base, **body})
        assert answer.status_code == expect, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def threshold(self, base: int, value: float, expect: int = 200, **body: Any) -> dict[str, Any]:
        return self.put(base, expect, classes={"defect": {**SETTING, "threshold": value}}, **body)


@pytest.fixture
def camera() -> str:
    """Pictures of which none is bright enough to be NG."""
    return PICTURED


@pytest.fixture
def editor(tmp_path: Path, serving: Callable[..., Any], camera: str) -> Iterator[Editor]:
    with serving(tmp_path, camera=camera) as served:
        token = served.add_user("eve", Role.ADMINISTRATOR)
        with served.http(token) as client:
            yield Editor(served, client)


def test_recipes_are_listed_the_active_one_is_marked_and_a_broken_one_says_why(editor: Editor) -> None:
    own = editor.file.parent / "recipes"
    own.mkdir()
    (own / "broken.toml").write_text("schema = 1\nname = 7\n")
    rows = {row["name"]: row for row in editor.client.get("/api/v1/recipes").json()}
    assert rows["there"]["active"]
    assert rows["there"]["revision"] == 1
    assert "name" in rows["broken"]["problem"]
    assert "pin-hole" in rows["demo-board"]["problem"] or "class" in rows["demo-board"]["problem"]
    assert [name for name, row in rows.items() if row["active"]] == ["there"]


def test_a_saved_recipe_judges_at_once_keeps_its_comments_and_is_the_same_after_a_restart(
    tmp_path: Path, serving: Callable[..., Any]
) -> None:
    with serving(tmp_path) as served:
        token = served.add_user("eve", Role.ADMINISTRATOR)
        with served.http(token) as client:
            editor = Editor(served, client)
            editor.file.write_text("# ours\n" + editor.file.read_text())
            with served.stream(token) as stream:
                told = editor.threshold(1, 0.7, remark="fewer false alarms")
                event = stream.event("recipe")
            assert (told["revision"], told["selected"], told["text"]) == (2, True, "")
            assert event["data"]["recipe"] == "there@2"
            until(lambda: client.get("/api/v1/status").json()["recipe"] == "there@2")
            assert "# ours" in editor.file.read_text()
            versions = editor.detail()["versions"]
            newest = versions[0]
            assert (newest["revision"], newest["who"], newest["remark"]) == (2, "eve", "fewer false alarms")
            assert 1 in [v["revision"] for v in versions], "what was on the line before is kept"
            audited = [row for row in client.get("/api/v1/audit").json() if row["what"] == "recipe save"]
            assert '"threshold":0.5' in audited[0]["before"]
            assert '"threshold":0.7' in audited[0]["after"]
            sequence = until(lambda: client.get("/api/v1/records", params={"recipe": "there@2"}).json()["parts"])[0]
            part = client.get(f"/api/v1/records/{sequence['sequence']}").json()
            assert part["recipe_sha256"] == newest["sha256"]
        assert served.run.terminate() == 0
    with serving(tmp_path) as served, served.http(served.log_in("eve")) as client:
        # write_station has put the first recipe there again: what was saved must come back from its kept version
        editor = Editor(served, client)
        assert editor.detail()["revision"] == 1
        answer = client.post(f"{RECIPE}/restore", json={"revision": 2})
        assert answer.status_code == 200, answer.text
        assert answer.json()["revision"] == 3
        assert editor.detail()["classes"]["defect"]["threshold"] == 0.7


def test_a_restart_judges_by_what_was_saved(tmp_path: Path, serving: Callable[..., Any]) -> None:
    with serving(tmp_path) as served:
        token = served.add_user("eve", Role.ADMINISTRATOR)
        with served.http(token) as client:
            Editor(served, client).threshold(1, 0.66)
            sha256 = client.get(RECIPE).json()["versions"][0]["sha256"]
        from partsight.daemon.site import load_site

        site = load_site(served.config)
        assert (site.recipe.ref.revision, site.recipe.ref.sha256) == (2, sha256)


def test_somebody_elses_save_is_not_overwritten_and_all_mistakes_come_at_once(editor: Editor) -> None:
    editor.threshold(1, 0.6)
    assert "revision 2" in editor.threshold(1, 0.7, expect=409)["detail"]
    before = editor.file.read_bytes()
    region = {"name": "a", "kind": "inspect", "corners": [[0, 0], [9, 0], [9, 9]], "classes": ["ghost"]}
    told = editor.put(
        2,
        422,
        classes={"defect": {**SETTING, "threshold": 0.4, "review": 0.5}, "unknown": SETTING},
        regions={"nowhere": [], "*": [region]},
    )
    assert len(told["mistakes"]) == 4, told["mistakes"]
    assert editor.file.read_bytes() == before


def test_a_region_arrives_in_the_file_and_an_earlier_version_comes_back(editor: Editor) -> None:
    region = {"name": "edge", "kind": "ignore", "corners": [[0, 0], [320, 0], [320, 40]], "classes": []}
    editor.put(1, regions={"*": [region]})
    written = tomlkit.parse(editor.file.read_text()).unwrap()
    assert written["views"][0]["regions"] == [
        {"name": "edge", "kind": "ignore", "corners": [[0, 0], [320, 0], [320, 40]]}
    ]
    assert editor.detail()["regions"]["*"][0]["name"] == "edge"
    answer = editor.client.post(f"{RECIPE}/restore", json={"revision": 1, "remark": "too much left out"})
    assert answer.status_code == 200, answer.text
    assert (answer.json()["revision"], answer.json()["regions"]["*"]) == (3, [])
    assert editor.client.post(f"{RECIPE}/restore", json={"revision": 9}).status_code == 422


@pytest.mark.timed
@pytest.mark.parametrize("camera", [SIMULATED])
def test_rule_7_trying_the_recipe_as_it_is_changes_no_verdict_and_a_threshold_moves_them(editor: Editor) -> None:
    until(lambda: editor.client.get("/api/v1/summary").json()["counts"]["NG"] >= 2)
    same = editor.client.post(f"{RECIPE}/try", json={"parts": 200}).json()
    assert same["parts"] > 2
    assert (same["changes"], same["before"]) == ([], same["after"])
    high = {"parts": 200, "classes": {"defect": {**SETTING, "threshold": 1.0}}}
    began = time.monotonic()
    told = editor.client.post(f"{RECIPE}/try", json=high).json()
    assert time.monotonic() - began < 1.0
    assert told["after"]["NG"] <= told["before"]["NG"]
    assert all((c["before"], c["after"]) == ("NG", "OK") for c in told["changes"])
    assert editor.detail()["revision"] == 1, "nothing was saved"
    under = {"classes": {"defect": {**SETTING, "threshold": 0.01}}}
    answer = editor.client.post(f"{RECIPE}/try", json=under)
    assert (answer.status_code, "floor" in answer.text) == (422, True)


def test_a_recipe_that_is_not_on_the_line_is_saved_and_not_selected(editor: Editor) -> None:
    own = editor.file.parent / "recipes"
    own.mkdir()
    (own / "other.toml").write_text(editor.file.read_text().replace('"there"', '"other"'))
    answer = editor.client.put("/api/v1/recipes/other", json={"base": 1, "classes": {"defect": {**SETTING}}})
    assert answer.status_code == 200, answer.text
    assert (answer.json()["selected"], answer.json()["active"]) == (False, False)
    assert editor.client.get("/api/v1/status").json()["recipe"] == "there@1"
    assert editor.client.post("/api/v1/commands/recipe", json={"name": "other@2"}).status_code == 200


def test_the_station_may_refuse_a_saved_recipe_and_the_answer_says_so(editor: Editor) -> None:
    kit = {"parts": [{"name": "a", "bad": False}, {"name": "b", "bad": True}]}
    assert editor.client.put("/api/v1/challenge/kit", json=kit).status_code == 200
    assert editor.client.post("/api/v1/challenge/start", json={}).status_code == 200
    told = editor.threshold(1, 0.7)
    assert (told["selected"], told["revision"]) == (False, 2)
    assert "challenge test" in told["text"]


@pytest.mark.parametrize("name", ["unknown", "..%2Fstation", "%2Fetc%2Fpasswd", "a" * 120])
def test_a_name_that_is_no_recipe_is_not_found(station: Staffed, name: str) -> None:
    with station.http(Role.ADMINISTRATOR) as client:
        assert client.get(f"/api/v1/recipes/{name}").status_code == 404
        assert client.put(f"/api/v1/recipes/{name}", json={"base": 1}).status_code == 404


def test_who_may_save_try_and_see(station: Staffed) -> None:
    for role in (None, *Role):
        with station.http(role) as client:
            saved = client.put(RECIPE, json={"base": 99})
            restored = client.post(f"{RECIPE}/restore", json={"revision": 99})
            tried = client.post(f"{RECIPE}/try", json={})
            seen = client.get(RECIPE)
        may = role is not None and role.may(Role.ENGINEER)
        assert (saved.status_code, restored.status_code) == (
            (409, 422) if may else (saved.status_code, saved.status_code)
        )
        assert may or saved.status_code in (401, 403)
        assert (tried.status_code, seen.status_code) == ((200, 200) if role is not None else (401, 401))


def test_models_say_what_they_are_and_that_a_file_was_changed(editor: Editor) -> None:
    rows = editor.client.get("/api/v1/models").json()
    assert (rows[0]["name"], rows[0]["active"], rows[0]["classes"]) == ("bright", True, ["defect"])
    assert any(row["name"] == "pcb" and not row["active"] for row in rows) or len(rows) == 1
    file = editor.file.parent / "bundle" / "model.onnx"
    file.write_bytes(file.read_bytes() + b"\0")
    assert "was changed" in editor.client.get("/api/v1/models").json()[0]["problem"]
