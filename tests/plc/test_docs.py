"""The guide for integrators says what the code does, and its examples keep the receiver's rules when they run."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from enum import IntEnum, IntFlag
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partsight.outputs.modbus.registers import Control, Read, Status, Write

DOCS = Path(__file__).parents[2] / "docs" / "plc"
GATE = 1000
WORD = 1 << 32


def rows(section: str) -> dict[str, int]:
    """Name to number, from the table below a heading or a table's first line."""
    text = (DOCS / "modbus.md").read_text().partition(section)[2]
    table = text[text.index("| ---") :].split("\n\n")[0]
    found = re.findall(r"^\| (\d+)[^|]* \| ([A-Z_]+) \|", table, flags=re.MULTILINE)
    return {name: int(number) for number, name in found}


@pytest.mark.parametrize(
    ("section", "members"),
    [("## Read", Read), ("## Written", Write), ("| bit of 2 ", Status), ("| bit of 101 ", Control)],
)
def test_the_guides_register_map_is_the_codes(section: str, members: type[IntEnum] | type[IntFlag]) -> None:
    flags = issubclass(members, IntFlag)
    expected = {m.name: m.value.bit_length() - 1 if flags else m.value for m in members}
    assert rows(section) == expected


def flow() -> list[dict[str, Any]]:
    return list(json.loads((DOCS / "node-red.json").read_text()))


def test_every_wire_of_the_node_red_flow_ends_at_a_node() -> None:
    nodes = {node["id"]: node for node in flow()}
    assert len(nodes) == len(flow())
    for node in nodes.values():
        for end in (end for wire in node.get("wires", []) for end in wire):
            assert end in nodes, f"{node['id']} is wired to {end}"
        if node["type"].startswith("mqtt "):
            assert nodes[node["broker"]]["type"] == "mqtt-broker"
    assert len(nodes["track"]["wires"]) == nodes["track"]["outputs"]


RUN = """
const fs = require('fs'), store = {};
const context = { get: k => store[k], set: (k, v) => { store[k] = v; } };
const code = new Function('msg', 'context', fs.readFileSync(process.argv[1], 'utf8'));
const out = JSON.parse(fs.readFileSync(0, 'utf8')).map(m => code(m, context));
process.stdout.write(JSON.stringify(out));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed: the flow's function cannot be run")
def test_the_node_red_function_passes_a_part_by_its_own_pass_only(tmp_path: Path) -> None:
    source = tmp_path / "track.js"
    source.write_text(next(node["func"] for node in flow() if node["id"] == "track"))
    said: list[dict[str, Any]] = []

    def say(now: int, topic: str, **body: Any) -> None:
        retain = body.pop("retain", False)
        said.append({"topic": topic, "payload": body, "now": now, "retain": retain})

    for n in range(20):
        say(1000 + n * 100, "p/hb", e=5, n=n, rdy=1)
        if n < 8:
            say(1010 + n * 100, "sensor")
    answers = [
        (1, {"e": 5, "id": 1, "a": 0}),  # its own
        (2, {"e": 5, "id": 2, "a": 1}),
        (3, {"e": 4, "id": 3, "a": 0}),  # another life
        (4, {"e": 5, "id": 4, "a": False}),
        (6, {"e": 5, "id": 6, "a": 0, "retain": True}),
        (7, {"e": 5, "id": 7, "a": 0}),
        (7, {"e": 5, "id": 7, "a": 1}),
        (8, {"e": 5, "id": 8, "a": 2}),
    ]
    for id_, body in answers:
        say(1050 + (id_ - 1) * 100, "p/verdict", **body)
    say(1500 + 290, "p/verdict", e=5, id=5, a=0)  # behind its gate
    for now in range(1000, 3000, 10):
        say(now + 5, "scan")
    said.sort(key=lambda m: m["now"])
    run = subprocess.run(
        ["node", "-e", RUN, str(source)],
        input=json.dumps(said),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    gates = [g["payload"] for out in json.loads(run.stdout) if out and out[1] for g in out[1]]
    assert [g["id"] for g in gates] == list(range(1, 9))
    assert [g["id"] for g in gates if g["pass"]] == [1]


# --- Structured Text, carried out --------------------------------------------------------------------


class Rising:
    """R_TRIG."""

    def __init__(self) -> None:
        self.Q = False
        self._was = False

    def __call__(self, CLK: bool) -> None:  # noqa: N803 - IEC's name
        self.Q, self._was = CLK and not self._was, CLK


class OnDelay:
    """TON, in milliseconds of the scan's clock."""

    def __init__(self, clock: list[int]) -> None:
        self.Q = False
        self._clock = clock
        self._since: int | None = None

    def __call__(self, IN: bool, PT: int) -> None:  # noqa: N803 - IEC's names
        self._since = (self._clock[0] if self._since is None else self._since) if IN else None
        self.Q = self._since is not None and self._clock[0] - self._since >= PT


KEYWORDS = {"AND": "and", "OR": "or", "NOT": "not", "MOD": "%", "TRUE": "True", "FALSE": "False"}


def expression(text: str, local: set[str]) -> str:
    """An expression in Python. Unsigned differences turn round as UDINT does."""
    text = re.sub(r"nEncoder - ([\w.\[\]]+)", r"SUB(nEncoder, \1)", text)
    text = re.sub(r"T#(\d+)MS", r"\1", text)
    text = text.replace("<>", "!=")
    text = re.sub(r"(?<![:<>!=])=(?!=)", "==", text)

    def name(found: re.Match[str]) -> str:
        word = found[0]
        if word in KEYWORDS or word == "SUB" or word in local:
            return KEYWORDS.get(word, word)
        return f"self.{word}"

    return re.sub(r"(?<![\w.])[A-Za-z]\w*", name, text)


def statements(body: str, local: set[str]) -> list[str]:
    """Structured Text, one statement a line, as Python."""
    out, depth = [], 1
    for line in re.sub(r"\(\*.*?\*\)", "", body, flags=re.DOTALL).splitlines():
        text = line.strip().rstrip(";")
        if not text:
            continue
        if text.startswith(("END_IF", "END_WHILE")):
            depth -= 1
            continue
        if text.startswith("ELS"):
            depth -= 1
        if match := re.fullmatch(r"(IF|ELSIF|WHILE) (.*) (?:THEN|DO)", text):
            word = {"IF": "if", "ELSIF": "elif", "WHILE": "while"}[match[1]]
            out.append("    " * depth + f"{word} {expression(match[2], local)}:")
            depth += 1
        elif text == "ELSE":
            out.append("    " * depth + "else:")
            depth += 1
        elif match := re.fullmatch(r"(\w+)\((.*)\)", text):
            arguments = [part.split(" := ") for part in match[2].split(", ")]
            given = ", ".join(f"{key}={expression(value, local)}" for key, value in arguments)
            out.append("    " * depth + f"self.{match[1]}({given})")
        else:
            target, value = text.split(" := ")
            out.append("    " * depth + f"{expression(target, local)} = {expression(value, local)}")
    return out


def function_block() -> str:
    return (DOCS / "structured-text" / "PartsightLine.st").read_text().partition("FUNCTION_BLOCK FB_PsLine")[2]


def compiled() -> dict[str, Any]:
    """The block's body and methods as Python functions."""
    source = function_block()
    body, _, methods = source.partition("END_FUNCTION_BLOCK")
    code = ["def scan(self):", *statements(body.rpartition("END_VAR")[2], set())]
    for name, text in re.findall(r"METHOD (\w+) : BOOL\n(.*?)END_METHOD", methods, flags=re.DOTALL):
        inputs = re.findall(r"^    (\w+) +:", text.partition("END_VAR")[0], flags=re.MULTILINE)
        local = {*inputs, name}
        code += [f"def {name}(self, {', '.join(inputs)}):", *statements(text.partition("END_VAR")[2], local)]
        code.append(f"    return {name}")
    names: dict[str, Any] = {"SUB": lambda a, b: (a - b) % WORD}
    exec(compile("\n".join(code), "PartsightLine.st", "exec"), names)
    return names


CODE = compiled()


def block(clock: list[int]) -> SimpleNamespace:
    """An instance, every variable at its first value."""
    fresh = SimpleNamespace()
    makers = {"R_TRIG": Rising, "TON": lambda: OnDelay(clock), "BOOL": lambda: False}
    declared = re.findall(r"^    (\w+) +: ([\w.\[\] ]+?)(?: := (\d+))?;", function_block(), flags=re.MULTILINE)
    for name, kind, first in declared:
        if kind.startswith("ARRAY"):
            value: Any = [SimpleNamespace(nEncoder=0, nEpoch=0, nId=0, nVerdict=0) for _ in range(64)]
        else:
            value = int(first) if first else makers.get(kind, lambda: 0)()
        setattr(fresh, name, value)
    fresh.nGateCounts, fresh.nWindowCounts, fresh.xReady, fresh.xOwnIds = GATE, 100, True, True
    return fresh


def test_the_structured_text_passes_a_good_part_and_acknowledges_it() -> None:
    clock = [0]
    line = block(clock)
    line.nEpoch, line.nBeat, line.xPartSensor, line.nEncoder = 5, 1, True, WORD - 10
    CODE["scan"](line)
    assert (line.xTrigger, line.nTriggerId, line.xInfeed) == (True, 1, True)
    line.xPartSensor = False
    assert CODE["TakeVerdict"](line, 5, 1, 0)
    line.nEncoder, line.nBeat = 0, 2
    CODE["scan"](line)
    assert not line.xPass
    assert line.nAckId == 1
    line.nEncoder, line.nBeat = GATE, 3
    CODE["scan"](line)
    assert (line.xPass, line.nPassed, line.nRejected) == (True, 1, 0)
    line.nEncoder = GATE + 95
    CODE["scan"](line)
    assert not line.xPass, "the window is over"


def test_the_structured_text_rejects_without_heartbeat_and_takes_the_stations_ids() -> None:
    clock = [0]
    line = block(clock)
    line.xOwnIds, line.nEpoch, line.nBeat, line.xPartSensor = False, 5, 1, True
    CODE["scan"](line)
    assert CODE["GiveId"](line, 77)
    assert CODE["TakeVerdict"](line, 5, 77, 0)
    clock[0] = 10
    CODE["scan"](line)
    clock[0], line.nEncoder = 600, GATE
    CODE["scan"](line)
    assert (line.xPass, line.xInfeed, line.xHeard, line.nRejected) == (False, False, False, 1)


@pytest.mark.parametrize(
    ("epoch", "id_", "actions", "encoder"),
    [
        (5, 1, [1], 500),
        (5, 1, [2], 500),
        (5, 1, [0, 2], 500),
        (5, 1, [1, 0], 500),
        (4, 1, [0], 500),
        (6, 1, [0], 500),
        (5, 2, [0], 500),
        (5, 0, [0], 500),
        (5, 1, [0], GATE),
        (5, 1, [], 500),
    ],
)
def test_the_structured_text_rejects_whatever_is_not_the_parts_own_pass(
    epoch: int, id_: int, actions: list[int], encoder: int
) -> None:
    line = block([0])
    line.nEpoch, line.nBeat, line.xPartSensor = 5, 1, True
    CODE["scan"](line)
    line.nEncoder = encoder
    for action in actions:
        CODE["TakeVerdict"](line, epoch, id_, action)
    line.nEncoder, line.nBeat = GATE, 2
    CODE["scan"](line)
    assert (line.xPass, line.nPassed, line.nRejected) == (False, 0, 1)


STEP = st.one_of(
    st.tuples(st.just("part")),
    st.tuples(st.just("verdict"), st.integers(4, 7), st.integers(0, 12), st.integers(0, 2)),
    st.tuples(st.just("move"), st.integers(0, 400), st.integers(1, 300)),
    st.tuples(st.just("epoch"), st.integers(4, 7)),
    st.tuples(st.just("silent"), st.booleans()),
)


@given(st.lists(STEP, max_size=50), st.integers(0, WORD - 1))
def test_the_structured_text_passes_no_part_without_its_own_pass(steps: list[tuple[Any, ...]], start: int) -> None:
    """As the simulator's shift register, with a book of its own."""
    clock = [0]
    line = block(clock)
    line.nEpoch, moved, silent = 5, 0, False
    parts: list[tuple[int, int, int, int]] = []  # epoch, id, moved, moment
    heard: list[tuple[int, int, int, int, int]] = []
    for moment, step in enumerate([*steps, ("move", 3 * GATE, 1)]):
        match step:
            case ("verdict", epoch, id_, action):
                CODE["TakeVerdict"](line, epoch, id_, action)
                heard.append((epoch, id_, action, moved, moment))
            case ("move", counts, milliseconds):
                moved += counts
                clock[0] += milliseconds
            case ("epoch", epoch):
                line.nEpoch = epoch
            case ("silent", now):
                silent = now
        line.nEncoder = (start + moved) % WORD
        line.nBeat += not silent
        decided, passed = line.nPassed + line.nRejected, line.nPassed
        for level in (False, step[0] == "part"):
            line.xPartSensor = level
            before = line.nCount
            CODE["scan"](line)
            if level and line.nCount > before:
                cell = line.aParts[(line.nFirst + line.nCount - 1) % 64]
                parts.append((cell.nEpoch, cell.nId, moved, moment))
        gone = line.nPassed + line.nRejected - decided
        own = [p for p in parts[:gone] if _may_pass(p, heard)]
        assert line.nPassed - passed <= len(own)
        if line.xPass and gone:
            assert _may_pass(parts[gone - 1], heard)
        del parts[:gone]
    assert line.nCount == 0


def _may_pass(part: tuple[int, int, int, int], heard: list[tuple[int, int, int, int, int]]) -> bool:
    epoch, id_, at, since = part
    own = [h for h in heard if h[:2] == (epoch, id_) and h[4] > since and h[3] - at < GATE]
    return id_ != 0 and any(h[2] == 0 for h in own) and all(h[2] == 0 for h in own)
