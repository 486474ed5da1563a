"""A bundle loads only if it is what its card says; every mistake is told at once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from hypothesis import given
from hypothesis import strategies as st

from partsight.domain.errors import BundleError
from partsight.domain.model import OutputFormat
from partsight.models.bundle import find, load, places
from partsight.models.card import CARD, Card, write_card

MODEL = b"not really a model: nothing parses it before its hash is checked"
GOLDEN = b"golden"


def table() -> dict[str, Any]:
    return {
        "schema": 1,
        "name": "demo",
        "version": "1",
        "task": "detect",
        "architecture": "yolo26n",
        "classes": ["open", "pin-hole"],
        "licence": "AGPL-3.0-only",
        "floor": 0.05,
        "files": {"model.onnx": {"sha256": hashlib.sha256(MODEL).hexdigest(), "precision": "fp32"}},
        "input": {"width": 640, "height": 384, "scale": 1 / 255, "letterbox_pad": 100, "colour": "BGR"},
        "output": {"format": "anchors"},
        "thresholds": {"open": 0.5, "pin-hole": 0.6},
        "training": {"data": "drawn", "epochs": 3, "on": True, "by": {"class": [1, 2]}},
        "scores": {"f_score": 0.9},
        "golden": [{"file": "golden/a.npz", "sha256": hashlib.sha256(GOLDEN).hexdigest(), "reference": "onnx"}],
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "demo"
    (folder / "golden").mkdir(parents=True)
    (folder / "model.onnx").write_bytes(MODEL)
    (folder / "golden" / "a.npz").write_bytes(GOLDEN)
    write_card(folder, Card.model_validate(table()))
    return folder


def rewrite(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    content = table()
    change(content)
    (folder / CARD).write_text(tomlkit.dumps(content))


def test_a_good_bundle_becomes_a_spec(folder: Path) -> None:
    bundle = load(folder)
    spec = bundle.spec()
    assert (spec.name, spec.width, spec.height, spec.pad, spec.colour) == ("demo", 640, 384, 100, "BGR")
    assert spec.output is OutputFormat.ANCHORS
    assert spec.classes == ("open", "pin-hole")
    assert dict(spec.thresholds) == {"open": 0.5, "pin-hole": 0.6}
    assert spec.path.read_bytes() == MODEL
    assert spec.sha256 == hashlib.sha256(MODEL).hexdigest()
    assert bundle.golden() == (folder / "golden" / "a.npz",)
    assert bundle.card_sha256 == hashlib.sha256((folder / CARD).read_bytes()).hexdigest()


def test_a_written_card_says_what_was_meant(folder: Path) -> None:
    card = Card.model_validate(table())
    assert load(folder).card == card
    text = (folder / CARD).read_text()
    assert text.startswith("schema = 1\n")
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


def test_the_demos_bundle_is_whole() -> None:
    bundle = load(find("pcb"))
    assert bundle.card.classes == ("open", "short", "mousebite", "spur", "copper", "pin-hole")
    assert "fp32" in bundle.precisions


def test_a_precision_that_is_not_there_is_named_with_those_that_are(folder: Path) -> None:
    with pytest.raises(BundleError, match="no int8 file; choose one of fp32"):
        load(folder).spec("int8")


@given(place=st.integers(0, len(MODEL) - 1), bit=st.integers(0, 7))
def test_one_changed_bit_is_seen(tmp_path_factory: pytest.TempPathFactory, place: int, bit: int) -> None:
    folder = tmp_path_factory.mktemp("bit")
    content = table()
    del content["golden"]
    (folder / CARD).write_text(tomlkit.dumps(content))
    changed = bytearray(MODEL)
    changed[place] ^= 1 << bit
    (folder / "model.onnx").write_bytes(changed)
    with pytest.raises(BundleError, match="the file was changed"):
        load(folder)


def test_every_bad_file_is_told_at_once(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(MODEL[:-1])
    (folder / "golden" / "a.npz").unlink()
    with pytest.raises(BundleError) as caught:
        load(folder)
    first, second = str(caught.value).splitlines()
    assert "model.onnx" in first
    assert "install the bundle again" in first
    assert "a.npz" in second
    assert "is missing" in second


def test_every_mistake_in_a_card_is_told_at_once(folder: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        content["schema"] = 2
        content["colour"] = "red"
        content["input"]["width"] = 641
        content["input"]["letterbox_pad"] = 256
        content["output"]["format"] = "masks"
        content["files"]["model.onnx"]["sha256"] = "short"
        content["floor"] = 0
        del content["licence"]

    rewrite(folder, change)
    with pytest.raises(BundleError) as caught:
        load(folder)
    text = str(caught.value)
    for key in ("schema", "colour", "input.width", "input.letterbox_pad", "output.format", "sha256", "floor"):
        assert key in text
    assert "licence" in text
    assert len(text.splitlines()) == 8
    assert all(line.startswith(str(folder / CARD)) for line in text.splitlines())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda c: c["thresholds"].pop("open"), "none for open"),
        (lambda c: c["thresholds"].update(hole=0.5), "hole is not among the classes"),
        (lambda c: c["thresholds"].update(open=0.01), "open lies under the floor"),
        (lambda c: c.update(classes=["open", "open", "pin-hole"]), "stands there twice"),
        (lambda c: c["files"].update({"b.onnx": c["files"]["model.onnx"]}), "the same precision"),
        (lambda c: c.update(files={}), "files"),
        (lambda c: c.update(classes=[]), "classes"),
        (lambda c: c.update(name="../x"), "name"),
    ],
)
def test_a_card_that_contradicts_itself_is_refused(folder: Path, change: Any, says: str) -> None:
    rewrite(folder, change)
    with pytest.raises(BundleError, match=says):
        load(folder)


@pytest.mark.parametrize("name", ["../model.onnx", "/etc/passwd", "a/../../b", "..\\b", "C:/b", "", ".", "a\0b"])
def test_a_file_name_cannot_leave_the_folder(folder: Path, name: str) -> None:
    rewrite(folder, lambda c: c.update(files={name: c["files"]["model.onnx"]}))
    with pytest.raises(BundleError, match="name a file inside it"):
        load(folder)
    rewrite(folder, lambda c: c["golden"][0].update(file=name))
    with pytest.raises(BundleError, match="name a file inside it"):
        load(folder)


def test_a_link_cannot_leave_the_folder(folder: Path) -> None:
    outside = folder.parent / "outside.onnx"
    outside.write_bytes(MODEL)
    (folder / "model.onnx").unlink()
    (folder / "model.onnx").symlink_to(outside)
    with pytest.raises(BundleError, match="link that leaves"):
        load(folder)


@pytest.mark.parametrize("content", [b"", b"name = ", b"\xff\xfe\x00", b"[[[", b"x" * (2 << 20), b"a = 1\na = 2\n"])
def test_a_card_that_is_no_card_is_refused(folder: Path, content: bytes) -> None:
    (folder / CARD).write_bytes(content)
    with pytest.raises(BundleError, match=r"card\.toml"):
        load(folder)


@given(st.binary(max_size=200))
def test_any_bytes_as_a_card_give_a_clear_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / CARD).write_bytes(content)
    with pytest.raises(BundleError, match=r"card\.toml"):
        load(folder)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="is not a folder"):
        load(tmp_path / "absent")
    with pytest.raises(BundleError, match="cannot be read"):
        load(tmp_path)


def test_a_bundle_is_found_by_name_and_by_path(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find("demo", [folder.parent]) == folder
    assert find(str(folder), []) == folder
    assert find(folder, []) == folder
    assert find(folder / CARD, []) == folder
    monkeypatch.chdir(folder.parent)
    assert find("demo", []).resolve() == folder
    assert find("./demo", []).resolve() == folder


def test_a_bundle_that_is_nowhere_names_where_it_was_sought(tmp_path: Path) -> None:
    with pytest.raises(BundleError) as caught:
        find("absent", [tmp_path / "one", tmp_path / "two"])
    assert str(tmp_path / "one" / "absent") in str(caught.value)
    assert str(tmp_path / "two" / "absent") in str(caught.value)


def test_bundles_that_come_along_are_found() -> None:
    assert any((place / "pcb" / CARD).is_file() for place in places())
