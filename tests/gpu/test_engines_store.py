"""Only an engine that this device built and signed for is loaded (rule 8); anything else is refused with its reason."""

from __future__ import annotations

import json
import os
import shutil
import stat
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gpu.engine_folder import build_into, identity, meta

from partsight.detectors.tensorrt.engines import EngineRefused, EngineStore
from partsight.detectors.tensorrt.engines.signing import KEY_BYTES, KEY_FILE
from partsight.detectors.tensorrt.engines.store import PLAN, RECORD, TIMING_CACHE
from partsight.domain.errors import BackendUnavailable

PLAN_BYTES = b"ptrt" + bytes(range(256)) * 8
HEADER = json.dumps({"stride": 32, "names": {"0": "open"}}).encode()
ULTRALYTICS = struct.pack("<i", len(HEADER)) + HEADER + PLAN_BYTES


@pytest.fixture
def store(tmp_path: Path) -> EngineStore:
    return EngineStore(tmp_path / "data" / "engines")


@pytest.fixture
def place(store: EngineStore) -> Path:
    """A folder with a good engine."""
    build_into(store, identity(), PLAN_BYTES, timing=b"how quick each tactic was")
    return store.folder / identity().key


def test_a_built_engine_is_loaded_and_is_for_nobody_else(store: EngineStore, place: Path) -> None:
    engine = store.ready(identity())
    assert engine.plan == PLAN_BYTES
    assert engine.meta.latency is not None
    assert {path.name for path in place.iterdir()} == {PLAN, RECORD, TIMING_CACHE}
    for path in (store.folder, place, *place.iterdir(), store.folder / KEY_FILE):
        assert not path.stat().st_mode & 0o077, path
    assert store.timing(identity()) == b"how quick each tactic was"
    assert not list(store.folder.glob(".*")), "nothing of the build is left"


def test_no_engine_says_what_to_do(store: EngineStore, tmp_path: Path) -> None:
    with pytest.raises(BackendUnavailable, match=r"there is no engine for model 'pcb' in fp16.*`partsight build`"):
        store.ready(identity())
    assert not (tmp_path / "data").exists(), "who only looks writes nothing"


def test_after_an_update_it_says_what_changed(store: EngineStore, place: Path) -> None:
    with pytest.raises(BackendUnavailable, match=r"tensorrt is 10\.7\.0\.23, the engine's 10\.3\.0\.26"):
        store.ready(identity("10.7.0.23"))


@pytest.mark.parametrize(
    ("name", "change", "told"),
    [
        (PLAN, lambda b: b[:-1], "cut off"),
        (PLAN, lambda b: b"", "cut off"),
        (PLAN, lambda b: b + b"\0", "was changed"),
        (PLAN, lambda b: b[:7] + bytes([b[7] ^ 1]) + b[8:], "was changed"),
        (PLAN, lambda b: ULTRALYTICS, "an engine of Ultralytics"),
        (RECORD, lambda b: b[: len(b) // 2], "damaged"),
        (RECORD, lambda b: b"", "damaged"),
        (RECORD, lambda b: b"[]", "damaged"),
        (RECORD, lambda b: b"[" * 100_000, "damaged"),
        (RECORD, lambda b: b.replace(b"fp16", b"fp32"), "signature"),
        (RECORD, lambda b: b.replace(b'{\\"schema', b'{ \\"schema'), "signature"),
        (RECORD, lambda b: b'{"hmac": "\\u00e9", "meta": "{}"}', "signature"),
        (RECORD, lambda b: b'{"hmac": null, "meta": "{}"}', "damaged"),
    ],
)
def test_what_was_changed_is_refused(
    store: EngineStore, place: Path, name: str, change: Callable[[bytes], bytes], told: str
) -> None:
    before = (place / name).read_bytes()
    (place / name).write_bytes(change(before))
    assert (place / name).read_bytes() != before
    with pytest.raises(EngineRefused, match=told):
        store.ready(identity())
    build_into(store, identity(), PLAN_BYTES)
    assert store.ready(identity()).plan == PLAN_BYTES, "a new build takes its place"


@given(st.sampled_from([PLAN, RECORD, KEY_FILE]), st.integers(0, 10**6), st.integers(1, 255))
def test_no_byte_can_be_changed(
    tmp_path_factory: pytest.TempPathFactory, name: str, position: int, difference: int
) -> None:
    store = EngineStore(tmp_path_factory.mktemp("data") / "engines")
    build_into(store, identity(), PLAN_BYTES)
    path = store.folder / (KEY_FILE if name == KEY_FILE else f"{identity().key}/{name}")
    content = bytearray(path.read_bytes())
    content[position % len(content)] ^= difference
    path.write_bytes(content)
    with pytest.raises(BackendUnavailable):
        store.ready(identity())


def test_a_record_of_another_engine_is_refused(store: EngineStore, place: Path) -> None:
    """Both are ours and signed; each stays in its own folder."""
    other = identity(precision="fp32")
    build_into(store, other, PLAN_BYTES + b"32")
    shutil.rmtree(place)
    shutil.copytree(store.folder / other.key, place)
    with pytest.raises(EngineRefused, match="precision is fp16, the engine's fp32"):
        store.ready(identity())


def test_a_whole_folder_from_another_device_is_refused(store: EngineStore, place: Path, tmp_path: Path) -> None:
    other = EngineStore(tmp_path / "other" / "engines")
    build_into(other, identity(), b"another device's code")
    shutil.rmtree(place)
    shutil.copytree(other.folder / identity().key, place)
    with pytest.raises(EngineRefused, match="not this device's"):
        store.ready(identity())


@pytest.mark.parametrize(("content", "told"), [(PLAN_BYTES, "is not signed"), (ULTRALYTICS, "Ultralytics")])
def test_an_unsigned_engine_is_refused(store: EngineStore, content: bytes, told: str) -> None:
    store.prepare(1000)
    place = store.folder / identity().key
    place.mkdir(mode=0o700)
    (place / PLAN).write_bytes(content)
    with pytest.raises(EngineRefused, match=told):
        store.ready(identity())


def test_an_engine_that_was_never_checked_is_not_for_a_line(store: EngineStore) -> None:
    store.prepare(1000)
    draft = store.draft(identity())
    store.write(draft, PLAN_BYTES, meta(identity(), PLAN_BYTES, checked=False))
    with pytest.raises(EngineRefused, match="never checked"):
        store.activate(draft, identity())
    assert store.verified(draft, identity(), unchecked=True).plan == PLAN_BYTES


def test_int8_that_passed_no_gate_is_not_for_a_line(store: EngineStore) -> None:
    of = identity(precision="int8")
    with pytest.raises(EngineRefused, match="accuracy gate"):
        build_into(store, of, PLAN_BYTES)
    draft = store.draft(of)
    store.write(draft, PLAN_BYTES, meta(of, PLAN_BYTES, gate={"images": 500}))
    assert store.activate(draft, of).meta.gate == {"images": 500}


@pytest.mark.parametrize("name", [".", "KEY", f"KEY/{PLAN}", f"KEY/{RECORD}", KEY_FILE])
@pytest.mark.parametrize("mode", [0o020, 0o002])
def test_what_others_may_write_is_refused(store: EngineStore, place: Path, name: str, mode: int) -> None:
    path = store.folder / name.replace("KEY", place.name)
    path.chmod(stat.S_IMODE(path.stat().st_mode) | mode)
    with pytest.raises(EngineRefused, match=r"may be written by others.*chmod"):
        store.ready(identity())


def test_a_key_that_others_may_read_is_no_key(store: EngineStore, place: Path) -> None:
    (store.folder / KEY_FILE).chmod(0o640)
    with pytest.raises(EngineRefused, match=r"may be read by others.*chmod 600"):
        store.ready(identity())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")
@pytest.mark.parametrize("name", [".", "KEY", f"KEY/{PLAN}", f"KEY/{RECORD}", KEY_FILE])
def test_what_belongs_to_another_user_is_refused(store: EngineStore, place: Path, name: str) -> None:
    """Root is no exception: another user's engine would run as root."""
    os.chown(store.folder / name.replace("KEY", place.name), 12345, 12345)
    with pytest.raises(EngineRefused, match="belongs to user 12345"):
        store.ready(identity())


@pytest.mark.parametrize("name", ["KEY", f"KEY/{PLAN}", f"KEY/{RECORD}", KEY_FILE])
def test_links_are_refused(store: EngineStore, place: Path, tmp_path: Path, name: str) -> None:
    path = store.folder / name.replace("KEY", place.name)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(EngineRefused, match="symbolic link"):
        store.ready(identity())


def test_what_is_no_file_is_refused_at_once(store: EngineStore, place: Path) -> None:
    """A pipe would otherwise be waited for, and the station with it."""
    (place / PLAN).unlink()
    os.mkfifo(place / PLAN, 0o600)
    with pytest.raises(EngineRefused, match="not a plain file"):
        store.ready(identity())


def test_a_timing_cache_that_is_not_ours_is_not_used(store: EngineStore, place: Path) -> None:
    content = (place / TIMING_CACHE).read_bytes()
    (place / TIMING_CACHE).write_bytes(content[:-1] + b"?")
    assert store.timing(identity()) == b""
    assert store.ready(identity()).plan == PLAN_BYTES


def test_a_timing_cache_serves_every_model_on_this_device(store: EngineStore, place: Path) -> None:
    assert store.timing(identity(sha256="c" * 64)) == b"how quick each tactic was"
    assert store.timing(identity("10.7.0.23")) == b"", "another TensorRT measures anew"


def test_the_engine_before_is_kept_and_older_ones_are_not(store: EngineStore) -> None:
    """To roll back to: the version before, of each model in each precision."""
    versions = [identity(f"10.{minor}.0.1") for minor in (3, 5, 7)]
    build_into(store, identity(name="other"), b"another model's")
    for day, of in enumerate(versions):
        build_into(store, of, PLAN_BYTES + bytes([day]), day=day)
    with pytest.raises(BackendUnavailable, match="no engine"):
        store.ready(versions[0])
    assert [store.ready(of).plan[-1] for of in versions[1:]] == [1, 2]
    assert store.ready(identity(name="other")).plan == b"another model's"


def test_a_lost_key_costs_a_build_and_nothing_else(store: EngineStore, place: Path) -> None:
    (store.folder / KEY_FILE).unlink()
    with pytest.raises(BackendUnavailable, match="partsight build"):
        store.ready(identity())
    assert [kept.meta for kept in store.kept()] == [None]
    build_into(store, identity(), PLAN_BYTES)
    assert store.ready(identity()).plan == PLAN_BYTES
    assert len((store.folder / KEY_FILE).read_bytes()) == KEY_BYTES


def test_no_room_is_said_before_anything_is_built(store: EngineStore) -> None:
    with pytest.raises(BackendUnavailable, match=r"MB are free, a build needs .* MB; free space first"):
        store.prepare(1 << 50)
    assert not list(store.folder.iterdir())


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(BackendUnavailable, match=r"cannot be made.*may write"):
        EngineStore(tmp_path / "data" / "engines").prepare(1000)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give folders to others")
def test_root_builds_nothing_for_another_user(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    os.chown(tmp_path / "data", 12345, 12345)
    with pytest.raises(BackendUnavailable, match="sudo -u '#12345' partsight build"):
        EngineStore(tmp_path / "data" / "engines").prepare(1000)
    assert not list((tmp_path / "data").iterdir())
