"""What a person has changed of a recipe and not yet saved. No Qt here but the shelf that keeps drafts.

A draft outlives its page (another language, another size, a lost connection): the shelf hangs on the client.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TypeVar
from urllib.parse import quote

from PySide6.QtCore import QObject

from partsight.wire.screen.recipes import ClassSetting, RecipeDetail, RecipeSave, RecipeTry, RegionSetting

Regions = tuple[RegionSetting, ...]
MOST_STEPS = 200
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Settings:
    """All that a screen can change. classes: by name; regions: by camera."""

    classes: Mapping[str, ClassSetting]
    regions: Mapping[str, Regions]


def settings_of(detail: RecipeDetail) -> Settings:
    """As the station has them."""
    return Settings(MappingProxyType(dict(detail.classes)), MappingProxyType(dict(detail.regions)))


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not alike. key: `classes.open.threshold`, `regions.top`; the values are ready to be read."""

    key: str
    before: str
    after: str


@dataclass(slots=True)
class Draft:
    """`now` is what the page shows. Changes of one control in a row are one step of `undo`, until `seal`."""

    base: RecipeDetail
    now: Settings
    _undo: list[Settings] = field(default_factory=list)
    _redo: list[Settings] = field(default_factory=list)
    _open: str = ""

    @staticmethod
    def of(detail: RecipeDetail) -> Draft:
        """Without changes."""
        return Draft(detail, settings_of(detail))

    # Changing

    def set_class(self, name: str, setting: ClassSetting, what: str) -> None:
        """what: which control, so that a slider's way is one step."""
        self._step(f"{name}.{what}", replace(self.now, classes=_with(self.now.classes, name, setting)))

    def set_regions(self, camera: str, regions: Regions, what: str = "") -> None:
        """what: as for `set_class`; "" is a step of its own."""
        self._step(what and f"{camera}.{what}", replace(self.now, regions=_with(self.now.regions, camera, regions)))

    def seal(self) -> None:
        """The control was let go: its next change is a new step."""
        self._open = ""

    def _step(self, key: str, settings: Settings) -> None:
        if settings == self.now:
            return
        if not key or key != self._open:
            self._undo.append(self.now)
            del self._undo[:-MOST_STEPS]
        self._redo.clear()
        self.now, self._open = settings, key

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to take back."""
        return bool(self._undo)

    @property
    def can_redo(self) -> bool:
        """Whether a step was taken back."""
        return bool(self._redo)

    def undo(self) -> None:
        """One step back."""
        if self._undo:
            self._redo.append(self.now)
            self.now, self._open = self._undo.pop(), ""

    def redo(self) -> None:
        """One step forth."""
        if self._redo:
            self._undo.append(self.now)
            self.now, self._open = self._redo.pop(), ""

    # What it means

    @property
    def changed_classes(self) -> dict[str, ClassSetting]:
        """Those that are not as the station has them."""
        return {name: one for name, one in self.now.classes.items() if one != self.base.classes.get(name)}

    @property
    def changed_regions(self) -> dict[str, Regions]:
        """The lists that are not as the station has them."""
        return {camera: several for camera, several in self.now.regions.items() if several != self._regions(camera)}

    def _regions(self, camera: str) -> Regions:
        return self.base.regions.get(camera, ())

    @property
    def dirty(self) -> bool:
        """Whether anything would be lost."""
        return bool(self.changed_classes or self.changed_regions)

    def save(self, remark: str) -> RecipeSave:
        """What is sent to the station."""
        return RecipeSave(
            base=self.base.revision, remark=remark, classes=self.changed_classes, regions=self.changed_regions
        )

    def trial(self, parts: int) -> RecipeTry:
        """What is tried on the last parts."""
        return RecipeTry(parts=parts, classes=self.changed_classes, regions=self.changed_regions)

    def seen(self, detail: RecipeDetail) -> Draft:
        """The same draft; what the station says of the same revision may be newer (active, versions)."""
        self.base = detail
        return self

    def onto(self, newer: RecipeDetail) -> Draft:
        """The same changes on a newer version; what this draft left alone is as the newer one has it."""
        classes = {**newer.classes, **{n: one for n, one in self.changed_classes.items() if n in newer.classes}}
        regions = {**newer.regions, **{c: one for c, one in self.changed_regions.items() if c in newer.regions}}
        return Draft(newer, Settings(MappingProxyType(classes), MappingProxyType(regions)))


def _with(mapping: Mapping[str, _Value], key: str, value: _Value) -> Mapping[str, _Value]:
    return MappingProxyType({**mapping, key: value})


def differences(before: Settings, after: Settings) -> tuple[Difference, ...]:
    """What is not alike, class by class and view by view."""
    found: list[Difference] = []
    for name, one in after.classes.items():
        old = before.classes.get(name)
        for key in ("threshold", "review", "min_size", "enabled"):
            was, now = getattr(old, key, None), getattr(one, key)
            if was != now:
                found.append(Difference(f"classes.{name}.{key}", _words(was), _words(now)))
    for camera, several in after.regions.items():
        was_regions = before.regions.get(camera, ())
        if was_regions != several:
            found.append(Difference(f"regions.{camera}", _named(was_regions), _named(several)))
    return tuple(found)


def _words(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "✓", False: "✕", None: "–"}[value]
    return f"{value:g}" if isinstance(value, float) else str(value)


def _named(regions: Regions) -> str:
    return ", ".join(f"{region.name} ({region.kind}, {len(region.corners)})" for region in regions) or "–"


class Drafts(QObject):
    """Every draft of this screen. chosen: the recipe that the page shows, "" for the active one. tab: which part."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.setObjectName("drafts")
        self.by_name: dict[str, Draft] = {}
        self.chosen = ""
        self.tab = 0

    @staticmethod
    def on(client: QObject) -> Drafts:
        """The client's, made where it has none yet."""
        return client.findChild(Drafts, "drafts") or Drafts(client)

    @property
    def dirty(self) -> tuple[str, ...]:
        """Names of the recipes with changes that are not saved."""
        return tuple(name for name, draft in self.by_name.items() if draft.dirty)


def recipe_path(name: str, *more: str) -> str:
    """Under the API's `recipes`, whatever the name holds."""
    return "/".join(["recipes", quote(name, safe=""), *more])
