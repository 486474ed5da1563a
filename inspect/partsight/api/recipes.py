"""Recipes as screens see them; used by the API's process for what is read, and by the daemon for what was saved."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from partsight.api.channel import LineFacts
from partsight.api.line import ApiSite
from partsight.config.recipe import RecipeFile, read_recipe
from partsight.domain.errors import ConfigError
from partsight.domain.verdict import Result
from partsight.recipes.editing import ModelSide, class_settings, region_settings
from partsight.recipes.recipe import ANY_CAMERA, compile_recipe
from partsight.recipes.shelf import Shelf, Shelved
from partsight.recipes.trial import Rejudged
from partsight.recipes.versions import Versions
from partsight.wire.message import clean
from partsight.wire.screen.message import API_VERSION
from partsight.wire.screen.recipes import Change, RecipeDetail, RecipeRow, RecipeVersion, Trial


@dataclass(frozen=True, slots=True)
class Library:
    """All recipes of a station, read against its model. cameras: the station's."""

    shelf: Shelf
    versions: Versions
    model: ModelSide
    cameras: tuple[str, ...]

    def rows(self, active: str) -> list[RecipeRow]:
        """Every recipe; a broken one with its problem. active: `name@revision` of the one that judges."""
        return [self._row(one, active) for one in self.shelf.all()]

    def detail(self, name: str, active: str) -> RecipeDetail:
        """One with all its settings and versions. Raises ConfigError (there is none, or it cannot be read)."""
        one = self.shelf.find(name)
        # Read again where it cannot be: every mistake by itself.
        file = one.file or read_recipe(one.path)
        return RecipeDetail(
            **self._row(one, active).model_dump(),
            classes=class_settings(file, self.model),
            regions=region_settings(file),
            cameras=self._cameras(file),
            versions=self._versions(name),
            writable=self._writable(one),
            reference={camera: _reference_path(name, camera) for camera in self.references(file)},
            floor=self.model.floor,
        )

    def references(self, file: RecipeFile) -> dict[str, str]:
        """The picture of a whole good part by camera, as the recipe's file names it."""
        by_view = {view.camera: view.likeness.picture for view in file.views if view.likeness is not None}
        return {
            camera: by_view[view]
            for camera in self.cameras
            for view in [camera if any(v.camera == camera for v in file.views) else ANY_CAMERA]
            if view in by_view
        }

    def _row(self, one: Shelved, active: str) -> RecipeRow:
        if one.file is None:
            return RecipeRow(name=clean(one.name), revision=0, id=0, problem=clean(one.problem))
        return RecipeRow(
            name=one.name,
            revision=one.file.revision,
            id=one.file.id,
            description=clean(one.file.description),
            active=active.partition("@")[0] == one.name,
            problem=clean(self._problem(one, one.file)),
        )

    def _problem(self, one: Shelved, file: RecipeFile) -> str:
        try:
            compile_recipe(file, one.path, self.model.classes, self.model.thresholds)
        except ConfigError as error:
            return "; ".join(map(str, error.mistakes))[:2000]
        missing = sorted(set(self.cameras) - set(self._cameras(file)))
        return f"has no view for camera {', '.join(missing)}" if missing else ""

    def _cameras(self, file: RecipeFile) -> tuple[str, ...]:
        views = {view.camera for view in file.views}
        return tuple(camera for camera in self.cameras if camera in views or ANY_CAMERA in views)

    def _versions(self, name: str) -> tuple[RecipeVersion, ...]:
        return tuple(
            RecipeVersion(
                revision=v.note.revision, saved=v.note.saved, who=v.note.who, remark=v.note.remark, sha256=v.note.sha256
            )
            for v in self.versions.of(name)
        )

    def _writable(self, one: Shelved) -> bool:
        try:
            target = self.shelf.target(one)
            return one.file is not None and (not target.exists() or target.resolve() == one.path.resolve())
        except (ConfigError, OSError):
            return False


def library_of_facts(facts: LineFacts) -> Library:
    """In the API's process."""
    told = facts.model.card.get("thresholds")
    thresholds = (
        {name: float(v) for name, v in told.items() if isinstance(v, (int, float))} if isinstance(told, dict) else {}
    )
    shelf = Shelf(Path(facts.configuration), facts.recipe, tuple(map(Path, facts.recipe_folders)))
    model = ModelSide(facts.model.classes, thresholds, facts.model.floor)
    return Library(shelf, Versions(Path(facts.data)), model, tuple(camera.name for camera in facts.cameras))


def library_of_site(site: ApiSite) -> Library:
    """In the daemon."""
    card = site.bundle.card
    shelf = Shelf(site.file, site.config.station.recipe, site.recipe_folders)
    cameras = tuple(camera.name for camera in site.config.cameras)
    model = ModelSide(card.classes, card.thresholds, card.floor)
    return Library(shelf, Versions(site.config.station.data), model, cameras)


def trial_of(judged: Iterable[Rejudged], skipped: int) -> Trial:
    """Counts before and after, and every part whose verdict would be another."""
    before, after = dict.fromkeys(Result, 0), dict.fromkeys(Result, 0)
    changes: list[Change] = []
    parts = 0
    for one in judged:
        was, now = one.inspection.verdict.result, one.after.result
        parts, before[was], after[now] = parts + 1, before[was] + 1, after[now] + 1
        if was is not now:
            trigger, reasons = one.inspection.trigger, one.after.findings
            reason = clean(reasons[0].text) if reasons else ""
            part_id = clean(trigger.part_id)
            changes.append(Change(sequence=trigger.sequence, part_id=part_id, before=was, after=now, reason=reason))
    return Trial(parts=parts, skipped=skipped, before=before, after=after, changes=tuple(changes))


def _reference_path(name: str, camera: str) -> str:
    return f"/api/v{API_VERSION}/recipes/{quote(name, safe='')}/reference/{quote(camera, safe='')}"
