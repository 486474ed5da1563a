"""What the station says against a recipe, sorted by where it is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Sorted:
    """classes: by name. regions: of all views. others: of neither."""

    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    regions: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


def sort_mistakes(mistakes: Sequence[str], classes: Sequence[str]) -> Sorted:
    """A mistake reads `file: key: what is wrong (cure)`; the file's name means nothing to who uses the screen."""
    by_class: dict[str, list[str]] = {}
    regions: list[str] = []
    others: list[str] = []
    # The longest name first: one may begin with another.
    keys = {f"classes.{name}": name for name in sorted(classes, key=len, reverse=True)}
    for mistake in mistakes:
        key = next((key for key in keys if f"{key}." in mistake or f"{key}:" in mistake), "")
        if key:
            by_class.setdefault(keys[key], []).append(mistake[mistake.index(key) + len(key) + 1 :].strip())
        elif "regions." in mistake:
            regions.append(mistake[mistake.index("regions.") :])
        else:
            others.append(mistake)
    return Sorted({name: tuple(found) for name, found in by_class.items()}, tuple(regions), tuple(others))
