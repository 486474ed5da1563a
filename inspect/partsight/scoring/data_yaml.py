"""The few keys of YOLO's data.yaml that scoring needs; no YAML library."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from partsight.domain.errors import ConfigError, Mistake

SPLITS = ("train", "val", "test")
_KEY = re.compile(r"^([A-Za-z_]\w*)\s*:\s*(.*)$")
_ENTRY = re.compile(r"^(\d+)\s*:\s*(.+)$")


@dataclass(frozen=True, slots=True)
class DataYaml:
    """base: the folder that the splits' paths start from."""

    file: Path
    base: Path
    names: tuple[str, ...]
    splits: dict[str, tuple[str, ...]]


def read_data_yaml(path: Path) -> DataYaml:
    """Read `path`, `train`, `val`, `test` and `names`, each a scalar, a list or a map of one level.

    All other keys are passed over. Raises ConfigError with the line.
    """
    blocks = _blocks(path)
    base = path.parent
    if "path" in blocks and (text := _scalar(blocks["path"][0][1])) and (path.parent / text).is_dir():
        base = path.parent / text
    splits = {key: tuple(values) for key in SPLITS if key in blocks and (values := _values(path, key, blocks[key]))}
    names = tuple(_values(path, "names", blocks["names"])) if "names" in blocks else ()
    return DataYaml(path, base, names, splits)


def _blocks(path: Path) -> dict[str, list[tuple[int, str]]]:
    """Key to its lines (line number, text); the first is what stands beside the key, perhaps empty."""
    blocks: dict[str, list[tuple[int, str]]] = {}
    current: list[tuple[int, str]] = []
    for number, raw in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        line = _without_comment(raw)
        if not line.strip() or line.strip() in ("---", "..."):
            continue
        if (match := _KEY.match(line)) is not None:
            current = blocks.setdefault(match[1], [])
            current.append((number, match[2].strip()))
        elif current:
            current.append((number, line.strip()))
    return blocks


def _without_comment(line: str) -> str:
    quote = ""
    for place, char in enumerate(line):
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif char == "#" and (place == 0 or line[place - 1].isspace()):
            return line[:place].rstrip()
    return line.rstrip()


def _values(path: Path, key: str, lines: list[tuple[int, str]]) -> list[str]:
    """The values of a key in order; a map's by its numbers, which must count from 0 without a gap."""
    inline = " ".join(text for _, text in lines).strip()
    if inline[:1] in ("[", "{"):
        if inline[-1] != {"[": "]", "{": "}"}[inline[0]]:
            raise _wrong(path, lines[0][0], key, "the bracket is not closed")
        items = [(lines[0][0], item.strip()) for item in _split(inline[1:-1]) if item.strip()]
        mapped = inline[0] == "{"
    elif lines[0][1]:
        return [_scalar(lines[0][1])]
    else:
        items = [(number, text.removeprefix("-").strip()) for number, text in lines[1:]]
        mapped = bool(lines[1:]) and not lines[1][1].startswith("-")
    return _mapped(path, key, items) if mapped else [_scalar(text) for _, text in items]


def _mapped(path: Path, key: str, items: list[tuple[int, str]]) -> list[str]:
    found: dict[int, str] = {}
    for number, text in items:
        match = _ENTRY.match(text)
        if match is None:
            raise _wrong(path, number, key, f"expected `number: name`, found {text[:60]!r}")
        found[int(match[1])] = _scalar(match[2])
    if sorted(found) != list(range(len(found))):
        raise _wrong(path, items[0][0] if items else 0, key, f"class numbers {sorted(found)} do not count from 0")
    return [found[place] for place in range(len(found))]


def _split(text: str) -> list[str]:
    """At commas outside quotes."""
    return re.findall(r"""(?:"[^"]*"|'[^']*'|[^,])+""", text)


def _scalar(text: str) -> str:
    text = text.strip()
    quoted = len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'"
    return text[1:-1] if quoted else text


def _wrong(path: Path, line: int, key: str, problem: str) -> ConfigError:
    return ConfigError([Mistake(f"{path}:{line}", key, problem, "names: [a, b] or one `0: a` a line")])
