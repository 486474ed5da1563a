"""Another value of anything that an engine depends on is another engine."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.gpu.engine_folder import FACTS, identity, spec

from partsight.detectors.tensorrt.building import BuildOptions
from partsight.detectors.tensorrt.engines import Identity, identify
from partsight.detectors.tensorrt.engines.record import identity_table

NAMES = [field.name for field in dataclasses.fields(Identity)]


def _other(value: Any) -> st.SearchStrategy[Any]:
    if value is None or isinstance(value, int):
        return st.integers(0, 1 << 40).filter(lambda other: other != value)
    if isinstance(value, tuple):
        return st.lists(st.text(max_size=8), max_size=3).map(tuple).filter(lambda other: other != value)
    return st.text(max_size=20).filter(lambda other: other != value)


@given(st.data())
def test_each_value_changes_the_key(data: st.DataObject) -> None:
    """Rule 8: an engine runs only for the model, the device and the TensorRT that it was built for."""
    one = identity()
    name = data.draw(st.sampled_from(NAMES))
    other = dataclasses.replace(one, **{name: data.draw(_other(getattr(one, name)))})
    assert other.key != one.key
    assert [told.split(" ")[0] for told in one.differs(other)] == [name]


def test_the_key_is_the_same_in_every_process_and_after_json() -> None:
    one = identity()
    told = json.loads(json.dumps(identity_table(one)))
    assert Identity(**(told | {"flags": tuple(told["flags"])})) == one
    assert one.key == identity().key
    assert len(one.key) == 32


def test_model_device_and_tensorrt_change_the_key() -> None:
    keys = {
        identity().key,
        identity(sha256="b" * 64).key,
        identity(precision="fp32").key,
        identity(width=96).key,
        identity(input_name="x").key,
        identity("10.3.0.27").key,
        identity(facts=dataclasses.replace(FACTS, name="Thor")).key,
        identity(facts=dataclasses.replace(FACTS, compute_capability=(8, 9))).key,
        identity(facts=dataclasses.replace(FACTS, sm_count=16)).key,
        identity(facts=dataclasses.replace(FACTS, total_bytes=16 << 30)).key,
        identity(facts=dataclasses.replace(FACTS, driver_version=13000)).key,
        identify(BuildOptions(spec(), workspace_bytes=1 << 20), FACTS, "10.3.0.26").key,
        identify(BuildOptions(spec(), optimization_level=5), FACTS, "10.3.0.26").key,
        identify(BuildOptions(spec()), FACTS, "10.3.0.26", runtime="tensorrt-rtx").key,
    }
    assert len(keys) == 14


def test_a_card_of_the_same_kind_in_its_place_needs_no_build() -> None:
    """Its uuid is another, and on a Jetson the kernel's share of the memory is with each release."""
    same = dataclasses.replace(FACTS, uuid="GPU-9999", total_bytes=FACTS.total_bytes - (90 << 20))
    assert identity(facts=same) == identity()


def test_a_jetson_is_read_from_its_own_files(tmp_path: Path) -> None:
    files = {
        "etc/nv_tegra_release": "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64\n",
        "proc/device-tree/model": "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super\0",
        "sys/module/nvidia/version": "540.4.0\n",
        "usr/local/cuda/version.json": '{"cuda": {"version": "12.6.11"}}',
        "etc/os-release": 'ID=ubuntu\nVERSION_ID="22.04"\n',
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = identify(BuildOptions(spec()), FACTS, "10.3.0.26", root=tmp_path)
    assert found.l4t == "R36 REVISION: 4.3"
    assert found.board == "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super"
    assert (found.driver, found.cuda_runtime, found.system) == ("540.4.0", "12.6.11", "ubuntu 22.04")
    assert found.flags == ("FP16",)
    assert identify(BuildOptions(spec()), FACTS, "10.13.3.9").flags == ("STRONGLY_TYPED",)
    assert identify(BuildOptions(spec()), FACTS, "11.4.0.1").flags == ("STRONGLY_TYPED",)
    later = (("4.3", "4.7"), ("Nano", "NX"), ("40.4", "41.0"), ("12.6", "12.8"), ("22.04", "24.04"))
    for (name, text), change in zip(files.items(), later, strict=True):
        (tmp_path / name).write_text(text.replace(*change))
        assert identify(BuildOptions(spec()), FACTS, "10.3.0.26", root=tmp_path).key != found.key, name
        (tmp_path / name).write_text(text)
    assert identify(BuildOptions(spec()), FACTS, "10.3.0.26", root=tmp_path) == found
