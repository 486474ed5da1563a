"""The tests of the installer leave no line of it unrun, and no message unsaid.

Counts what `test_install.py` did (its bash wrote a trace), so it runs after it and only where all of it ran.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.deploy import test_install
from tests.deploy.machine import DEPLOY

pytestmark = pytest.mark.xdist_group("deploy")

SCRIPTS = sorted(DEPLOY.rglob("*.sh"))
STRUCTURE = re.compile(r"(fi|done|esac|else|then|do|;;|\{|\}|\)|[\w-]+\(\) \{)( *<.*)?$|[^(=]*\)( ;;)?$")
"""Lines without a command of their own; the last: a pattern of `case`."""
SAID = re.compile(r'\b(?:die|warn|say) "((?:[^"\\]|\\.)*)"')


@pytest.fixture
def all_ran(traces: Path) -> None:
    ran = set((traces / "ran").read_text().split()) if (traces / "ran").exists() else set()
    wanted = {name for name in vars(test_install) if name.startswith("test_")}
    if missing := wanted - ran:
        pytest.skip(f"known only where all of test_install.py ran in this process: {len(missing)} tests did not")


def commands(script: Path) -> list[range]:
    """The lines of each command. After `||` comes another one; after `\\`, `|` or an open bracket it goes on."""
    found: list[range] = []
    goes_on = False
    for number, line in enumerate(script.read_text().splitlines(), 1):
        text = line.strip()
        if goes_on:
            found[-1] = range(found[-1].start, number + 1)
        elif text and text[0] != "#" and not STRUCTURE.match(text):
            found.append(range(number, number + 1))
        else:
            continue
        so_far = "\n".join(script.read_text().splitlines()[found[-1].start - 1 : number])
        in_brackets = "=(" in so_far and so_far.count("(") > so_far.count(")")
        goes_on = text.endswith(("\\", " |")) or in_brackets or (text.endswith("&&") and text.startswith("[["))
    return found


def test_every_line_was_run(all_ran: None, traces: Path) -> None:
    ran: dict[str, set[int]] = {}
    for file, line in re.findall(r"^\++ @(\S+?):(\d+)@", (traces / "lines").read_text(errors="replace"), re.M):
        ran.setdefault(file.rpartition("/deploy/")[2], set()).add(int(line))
    unrun = []
    for script in SCRIPTS:
        name = str(script.relative_to(DEPLOY))
        lines = script.read_text().splitlines()
        # Of a command over several lines bash names the first or the last.
        missed = [one for one in commands(script) if not ran.get(name, set()).intersection(one)]
        unrun += [f"{name}:{one.start}: {lines[one.start - 1].strip()}" for one in missed]
    assert not unrun, "\n".join(unrun)


def test_every_message_was_said(all_ran: None, traces: Path) -> None:
    said = (traces / "said").read_text()
    unsaid = []
    for script in SCRIPTS:
        for text in SAID.findall(script.read_text()):
            # What is put in at run time may be anything.
            parts = re.split(r"\$\{[^}]*\}|\$\([^)]*\)|\$[\w*]+", text.replace("\\`", "`"))
            pattern = ".*".join(re.escape(part) for part in parts)
            if not re.search(pattern, said):
                unsaid.append(f"{script.name}: {text}")
    assert not unsaid, "\n".join(unsaid)
