"""The house stands as it was designed: folders, import graph, what the wheel carries, a test for each rule."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "inspect"

PACKAGES = (
    *("cli", "testing", "daemon", "gui", "training", "api", "station"),
    *("cameras", "detectors", "recipes", "outputs", "models", "scoring"),
    *("config", "wire", "domain"),
)

# What always holds (docs/index.md); each needs a test whose name or docstring says rule_N.
RULES = {
    1: "one verdict a trigger",
    2: "fail-safe",
    3: "a verdict belongs to its part",
    4: "recorded first, lost never",
    5: "the fast lane is alone",
    6: "nothing is dropped in silence",
    7: "the same part judges the same",
    8: "only what was checked runs",
    9: "all mistakes in a configuration are shown at once",
}


def python(code: str, **environment: str) -> str:
    """What `code` prints in a fresh interpreter that finds the source by PYTHONPATH."""
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(SOURCE), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


def test_the_source_root_holds_the_package_and_nothing_else() -> None:
    """A stray `inspect/__init__.py` would shadow Python's own `inspect`, and no linter says so."""
    assert {p.name for p in SOURCE.iterdir()} - {"__pycache__"} == {"partsight"}


def test_inspect_is_the_standard_librarys() -> None:
    found = Path(python("import inspect; print(inspect.__file__)"))
    assert ROOT not in found.parents
    assert python("import inspect, dataclasses; print(inspect.signature(dataclasses.dataclass).parameters['cls'])")


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_of_the_design_is_in_its_place(package: str) -> None:
    assert (SOURCE / "partsight" / package / "__init__.py").is_file()


def test_no_package_is_outside_the_design() -> None:
    folders = {p.name for p in (SOURCE / "partsight").iterdir() if p.is_dir()} - {"__pycache__"}
    assert folders == set(PACKAGES)


@pytest.mark.parametrize("module", ["daemon", "api", "cli", "station"])
def test_what_runs_on_the_line_imports_no_torch(module: str) -> None:
    """Every module of the package, not only what its `__init__` happens to import."""
    loaded = python(
        f"import sys, pkgutil, importlib, partsight.{module} as package\n"
        "for found in pkgutil.walk_packages(package.__path__, package.__name__ + '.'):\n"
        "    importlib.import_module(found.name)\n"
        "print(*sys.modules)"
    ).split()
    assert f"partsight.{module}" in loaded
    roots = {name.partition(".")[0] for name in loaded}
    assert not roots & {"torch", "torchvision", "ultralytics", "PySide6"}
    assert not [name for name in loaded if name.startswith("partsight.training")]


def test_the_command_line_starts_without_the_heavy_libraries() -> None:
    """`partsight --help` must answer at once: each command's libraries are loaded when it is called."""
    loaded = python("import sys, partsight.__main__; print(*sys.modules)").split()
    roots = {name.partition(".")[0] for name in loaded}
    assert not roots & {"cv2", "onnxruntime", "openvino", "polars"}


def test_the_wheel_carries_model_and_configurations_and_no_tests(tmp_path: Path) -> None:
    uv = Path(sys.executable).parent / "uv"
    run = subprocess.run(
        [uv, "build", "--wheel", "--quiet", "--out-dir", tmp_path, ROOT],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    names = set(zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist())
    shipped = [p for folder in ("models", "configs") for p in (ROOT / folder).rglob("*") if p.is_file()]
    assert {f"partsight/_data/{p.relative_to(ROOT).as_posix()}" for p in shipped} <= names
    assert "partsight/_data/models/pcb/card.toml" in names
    assert any(n.startswith("partsight/_data/configs/") and n.endswith(".toml") for n in names)
    assert any(n.endswith("/licenses/LICENSE") for n in names)
    tops = {n.partition("/")[0] for n in names}
    assert [t for t in sorted(tops) if not t.endswith(".dist-info")] == ["partsight"]
    assert not [n for n in names if Path(n).name.startswith(("test_", "conftest"))]


def named_rules() -> dict[int, list[str]]:
    """The tests that name each rule, by number: rule_N in a test's name or docstring, or in its class's or file's."""
    found: dict[int, list[str]] = {number: [] for number in RULES}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        if path == Path(__file__):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                text = f"{node.name} {ast.get_docstring(node) or ''}"
                for number in re.findall(r"rule[_ ](\d)\b|rule_(\d)(?=_)", text):
                    found.setdefault(int("".join(number)), []).append(f"{path.name}::{node.name}")
    return found


def test_rules_are_named_by_tests() -> None:
    found = named_rules()
    missing = [f"rule_{number} ({RULES[number]})" for number in RULES if not found[number]]
    assert not missing, f"no test under tests/ names {', '.join(missing)}"
    assert set(found) == set(RULES), f"tests name rules that do not exist: {set(found) - set(RULES)}"
