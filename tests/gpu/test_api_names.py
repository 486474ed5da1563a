"""Every name of TensorRT that the source uses is there in all six versions, or is asked for first; none by number."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.gpu.pretend.tensorrt.module import VERSIONS, manifest

import partsight.detectors.tensorrt as package
from partsight.detectors.tensorrt.api import check_version, strongly_typed, version
from partsight.domain.errors import BackendUnavailable

SOURCES = sorted(Path(package.__file__).parent.rglob("*.py"))
TREES = [(path, ast.parse(path.read_text())) for path in SOURCES]

# Objects by the names that the source gives them, and their class.
OBJECTS = {
    "builder": "Builder",
    "network": "INetworkDefinition",
    "config": "IBuilderConfig",
    "parser": "OnnxParser",
    "error": "ParserError",
    "tensor": "ITensor",
    "engine": "ICudaEngine",
    "_engine": "ICudaEngine",
    "_runtime": "Runtime",
    "_context": "IExecutionContext",
}
FILES = {"building.py", "api.py", "lane.py"}
# Of the module itself, not in the dump of its classes and enumerations.
FUNCTIONS = {"nptype", "__version__"}
# Only where the version has them, which `strongly_typed` asks; see building._allow_precision.
ASKED_FOR = {("BuilderFlag", "FP16"), ("BuilderFlag", "INT8")}


def chains() -> Iterator[tuple[Path, int, tuple[str, ...]]]:
    """Each `trt.A.B` as (A, B)."""
    for path, tree in TREES:
        for node in ast.walk(tree):
            names: list[str] = []
            inner: ast.expr | ast.AST = node
            while isinstance(inner, ast.Attribute):
                names.insert(0, inner.attr)
                inner = inner.value
            if isinstance(inner, ast.Name) and inner.id == "trt" and names:
                yield path, node.lineno, tuple(names)  # type: ignore[attr-defined]  # an Attribute has one


def test_the_source_is_seen() -> None:
    """The names that this test must find, or it would look at nothing."""
    found = {names for _, _, names in chains()}
    assert {("BuilderFlag", "FP16"), ("TensorIOMode", "INPUT"), ("Runtime",), ("IProgressMonitor",)} <= found


@pytest.mark.parametrize("name", VERSIONS)
def test_names_of_the_module(name: str) -> None:
    known = manifest(name)
    for path, line, names in chains():
        first = names[0]
        if first in FUNCTIONS or names[:2] in ASKED_FOR:
            continue
        members = known["enums"].get(first, known["classes"].get(first))
        assert members is not None, f"{path.name}:{line}: TensorRT {name} has no {first}"
        if len(names) > 1 and names[1] != "__init__":
            assert names[1] in members, f"{path.name}:{line}: TensorRT {name} has no {first}.{names[1]}"


@pytest.mark.parametrize("name", VERSIONS)
def test_names_of_its_objects(name: str) -> None:
    known, seen = manifest(name)["classes"], set()
    for path, tree in TREES:
        if path.name not in FILES:
            continue
        for node in ast.walk(tree):
            if not isinstance(node, ast.Attribute):
                continue
            owner = node.value
            called = owner.attr if isinstance(owner, ast.Attribute) else owner.id if isinstance(owner, ast.Name) else ""
            kind = OBJECTS.get(called)
            if kind is None:
                continue
            seen.add((kind, node.attr))
            assert node.attr in known[kind], f"{path.name}:{node.lineno}: {kind} of TensorRT {name} has no {node.attr}"
    assert {("IExecutionContext", "execute_async_v3"), ("IBuilderConfig", "progress_monitor")} <= seen
    assert {kind for kind, _ in seen} == set(OBJECTS.values())


def test_what_only_some_versions_have_is_asked_for() -> None:
    """The names let through above are really missing somewhere, and are used behind the question alone."""
    for owner, name in ASKED_FOR:
        present = [name in manifest(one)["enums"][owner] for one in VERSIONS]
        assert any(present)
        assert not all(present)
    functions = [
        (path.name, function.name)
        for path, tree in TREES
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute) and node.attr in {"FP16", "INT8"}
    ]
    assert set(functions) == {("building.py", "_allow_precision")}
    guarded = [
        node
        for _, tree in TREES
        for node in ast.walk(tree)
        if isinstance(node, ast.If)
        and ast.unparse(node.test) == "not strong"
        and "_allow_precision" in ast.unparse(node)
    ]
    assert len(guarded) == 1


def test_no_enumeration_by_its_number() -> None:
    """They moved in version 11. A flag is `1 << int(trt.X.Y)`; a shift by a literal would be a number."""
    for path, tree in TREES:
        for node in ast.walk(tree):
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.LShift) and path.name in FILES - {"building.py"}:
                assert not isinstance(node.right, ast.Constant), f"{path.name}:{node.lineno}"
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                name, numbers = node.func.attr, [a for a in node.args if isinstance(a, ast.Constant)]
                wanted = {"set_flag", "clear_flag", "set_memory_pool_limit", "create_network", "set_preview_feature"}
                assert name not in wanted or not numbers, f"{path.name}:{node.lineno}: {ast.unparse(node)}"
            if isinstance(node, ast.Compare) and "get_tensor_mode" in ast.unparse(node.left):
                assert "trt.TensorIOMode" in ast.unparse(node.comparators[0]), f"{path.name}:{node.lineno}"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("8.6.2.3", "JetPack 6.1"),
        ("10.0.1", "10.3 or later"),
        ("10.2.0", "10.2 is known for wrong YOLO engines"),
        ("12.0.0", "newer partsight"),
        ("", "another module named tensorrt"),
        ("unknown", "another module named tensorrt"),
    ],
)
def test_a_version_that_cannot_be_used_is_refused_by_name(text: str, says: str) -> None:
    with pytest.raises(BackendUnavailable, match=r"10\.3 to 11\.x") as caught:
        check_version(text)
    assert says in str(caught.value)
    assert text in str(caught.value)


@pytest.mark.parametrize("text", [*VERSIONS, "10.3.0.26", "11.4.1", "10.16.1.11"])
def test_versions_that_can_be_used(text: str) -> None:
    check_version(text)


def test_precision_is_the_files_from_10_12_on() -> None:
    """Below, a flag allows it; above, a flag is an error."""

    class Flags:
        FP16 = 0

    class Module:
        BuilderFlag: Any = Flags
        __version__ = ""

    for text, strong in {"10.3.0": False, "10.11.0": False, "10.12.0": True, "10.16.1.11": True}.items():
        Module.__version__ = text
        assert strongly_typed(Module) is strong
    Module.BuilderFlag, Module.__version__ = object(), "1.7.1"  # TensorRT-RTX
    assert strongly_typed(Module)
    assert version("10.16.1.11") == (10, 16)
