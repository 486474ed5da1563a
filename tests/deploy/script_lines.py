"""Which commands and messages the installer's scripts have, to see that none goes unrun or unsaid."""

from __future__ import annotations

import re
from pathlib import Path

from tests.deploy.machine import DEPLOY

SCRIPTS = sorted(DEPLOY.rglob("*.sh"))
STRUCTURE = re.compile(r"(fi|done|esac|else|then|do|;;|\{|\}|\)|[\w-]+\(\) \{)( *<.*)?$|[^(=]*\)( ;;)?$")
"""Lines without a command of their own; the last: a pattern of `case`."""
SAID = re.compile(r'\b(?:die|warn|say) "((?:[^"\\]|\\.)*)"')


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
