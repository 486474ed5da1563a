"""The composition root: one function puts a station together, one takes it apart in reverse."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import time, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from partsight import registry
from partsight.config.recipe import read_recipe
from partsight.daemon.outputs import FaultRelay, RunningOutput, make_outputs
from partsight.daemon.places import find_recipe, recipe_shelf
from partsight.daemon.screens import make_api
from partsight.daemon.site import Site, cross_check
from partsight.detectors.absent import AbsentDetector
from partsight.detectors.auto import GPU, choose
from partsight.detectors.tensorrt.engines import ENGINES
from partsight.detectors.tensorrt.losses import GpuLeftAlone
from partsight.domain.errors import ConfigError, Mistake, RecordsError
from partsight.domain.messages import Event, SelectRecipe
from partsight.domain.ports import Camera, Clock, Detector, Output
from partsight.outputs.images import ArchivePolicy, ImageArchive
from partsight.outputs.records import Durability, SqliteRecords
from partsight.outputs.records.store import BALLAST_BYTES
from partsight.recipes import Recipe, load_recipe
from partsight.recipes.choice import Choice, keep_choice
from partsight.recipes.shelf import Shelf
from partsight.recipes.versions import By, Versions
from partsight.station.clock import SystemClock
from partsight.station.judge import Judge
from partsight.station.line_rules import LineRules
from partsight.station.station import Station, StationPlan
from partsight.station.tally import Tally

log = structlog.get_logger(__name__)

MB = 1_000_000
BUSY_TIMEOUT_S = 0.2
"""How long a commit waits for another program's lock: longer would hold up the parts behind it."""
CHOICE_FAULT = "recipe/choice"


@dataclass(slots=True)
class Line:
    """A station with what it owns."""

    site: Site
    station: Station
    records: SqliteRecords
    archive: ImageArchive | None
    detector: Detector
    tally: Tally
    outputs: list[tuple[str, RunningOutput]]

    def close(self, timeout_s: float = 10.0) -> tuple[str, ...]:
        """Stop in reverse; the names of what did not end in time."""
        survivors = list(self.station.stop(timeout_s))
        survivors += [name for name, output in reversed(self.outputs) if not output.stop(timeout_s)]
        if self.archive is not None and not self.archive.stop(timeout_s):
            survivors.append("archive")
        if "inference" not in survivors:
            self.detector.close()
            self.records.close()
        for name in survivors:
            log.error("did not end in time", thread=name)
        return tuple(survivors)


def open_line(
    site: Site,
    *,
    fatal: Callable[[int, str], None],
    tell: Callable[[Event], None] = lambda _: None,
    outputs: Sequence[Output] = (),
    clock: Clock | None = None,
    screens: Callable[..., RunningOutput] = make_api,
) -> Line:
    """Put a station together and start it. What was opened is closed again where a later step fails.

    screens: makes the link to the API's process, as `make_api` does.

    Raises FolderInUse, RecordsUnavailable, DetectorError.
    """
    config = site.config
    clock = clock or SystemClock()
    with ExitStack() as undo:
        records = _open_records(site)
        undo.callback(records.close)
        if site.recipe_file is not None:
            _keep_version(site, site.recipe_file, site.recipe)
        relay = FaultRelay()
        detector = _open_detector(site, relay)
        undo.callback(detector.close)
        archive = _open_archive(site, records)
        if archive is not None:
            archive.start()
            undo.callback(archive.stop, 5.0)
        tally = Tally(site.bundle.card.classes)
        _state_choice(site, records, relay)
        running = make_outputs(site, records, clock, relay)
        if site.api is not None:
            running.append(("api", screens(site, records, archive, clock, relay=relay, outputs=running)))

        def tell_all(event: Event) -> None:
            for _, output in running:
                output.tell(event)
            tell(event)

        station = Station(
            _plan(site, records.epoch, _cameras(site)),
            Judge(detector, site.recipe, {camera.name: camera.mm_per_px for camera in config.cameras}),
            records,
            clock,
            outputs=(*(output for _, output in running), tally, *outputs),
            archive=archive,
            tell=tell_all,
            find_recipe=partial(_find_recipe, site, clock, relay),
            challenges=records.challenges,
            fatal=fatal,
        )
        relay.attach(station)
        for _, output in running:
            output.attach(station)
            output.start()
            undo.callback(output.stop, 5.0)
        station.start()
        undo.pop_all()
    return Line(site, station, records, archive, detector, tally, running)


def _open_records(site: Site) -> SqliteRecords:
    table = site.config.records
    records = SqliteRecords.open(
        site.config.station.data,
        busy_timeout_s=BUSY_TIMEOUT_S,
        durability=Durability(table.durability),
        keep=timedelta(days=table.keep_days) if table.keep_days else None,
        station=site.config.station.name,
        max_bytes=int(table.max_mb * MB) or None,
    )
    if records.recovered:
        log.warning("parts that a killed process left open are closed as INVALID", parts=len(records.recovered))
    return records


def _find_recipe(site: Site, clock: Clock, relay: FaultRelay, command: SelectRecipe) -> Recipe:
    """The recipe that a command names, among those beside the configuration and those that come with partsight.

    It is kept as what was chosen before the line takes it: a process that dies in between starts with it.
    """
    name, _, revision = command.name.partition("@")
    path = _recipe_path(recipe_shelf(site.file, site.config), name, command.id)
    recipe = load_recipe(path, site.bundle.card.classes, site.bundle.card.thresholds)
    if revision and revision != str(recipe.ref.revision):
        text = f"has revision {recipe.ref.revision}, not {revision}"
        raise ConfigError([Mistake(str(path), "revision", text, "select the revision that is there")])
    mistakes = cross_check(site.config, recipe, site.file)
    if mistakes:
        raise ConfigError(mistakes)
    _keep_version(site, path, recipe)
    configured = find_recipe(site.config.station.recipe, site.file.resolve().parent)
    choice = Choice(
        recipe=recipe.ref.name, configured=site.config.station.recipe, source=command.source, at=clock.utc()
    )
    try:
        keep_choice(site.config.station.data, None if path.samefile(configured) else choice)
    except OSError as error:
        text = f"that {recipe.ref.name} was chosen cannot be kept: {error}; a restart would judge by another recipe"
        relay.trouble(CHOICE_FAULT, text, "see the disk of the records, then choose the recipe again")
    else:
        relay.clear(CHOICE_FAULT)
    return recipe


def _state_choice(site: Site, records: SqliteRecords, relay: FaultRelay) -> None:
    """Into the log and the audit trail: why not the configured recipe judges, or why what was chosen counts no more."""
    choice, configured = site.choice or site.dropped, {"recipe": site.config.station.recipe}
    if choice is None:
        return
    what = "recipe chosen before the start" if site.choice is not None else "recipe choice dropped"
    log.warning(what, **choice.model_dump(mode="json"), now_configured=site.config.station.recipe)
    try:
        if site.choice is not None:
            records.audit("station", "start", what, configured, choice.model_dump(mode="json"))
        else:
            # The configuration names another recipe than it did then: whoever wrote that has chosen last.
            keep_choice(site.config.station.data, None)
            records.audit("station", "start", what, choice.model_dump(mode="json"), configured)
    except (OSError, RecordsError) as error:
        relay.trouble(CHOICE_FAULT, f"{what}, and this cannot be written down: {error}", "see the disk of the records")


def _recipe_path(shelf: Shelf, name: str, recipe_id: int | None) -> Path:
    """By the name that it says of itself first: what is selected so is what the screens list. Else by its file's name.

    Never by a path: who may choose a recipe may not make the station read any file. Raises ConfigError.
    """
    if not name:
        return shelf.find_id(recipe_id or 0).path
    try:
        return shelf.find(name).path
    except ConfigError:
        for one in shelf.all():
            if one.path.stem == name:
                return one.path
        raise


def _keep_version(site: Site, path: Path, recipe: Recipe) -> None:
    """Every version that was on the line is kept. Where that fails the line goes on: its records hold the hash."""
    try:
        with (versions := Versions(site.config.station.data)).locked():
            versions.keep(read_recipe(path), path, recipe.ref.sha256, By("", "on the line"))
    except (OSError, ConfigError) as error:
        log.warning("the recipe's version cannot be kept", recipe=recipe.ref.name, error=str(error))


def _open_detector(site: Site, relay: FaultRelay) -> Detector:
    """A GPU that is there and not used is told to people as well: parts are judged, more slowly."""

    def passed_over(backend: str, reason: str) -> None:
        if backend == GPU:
            cure = 'the line runs on the processor; do what it says, then start again, or set model.backend = "onnx"'
            relay.trouble("detector.gpu", f"the GPU is not used: {reason}", cure)

    model, bundle = site.config.model, site.bundle
    # Only what the site wrote: what it left open each backend knows best.
    settings: dict[str, Any] = {
        name: getattr(model, name) for name in ("threads", "precision") if name in model.model_fields_set
    }
    if model.backend in ("auto", "tensorrt"):
        settings["engines"] = site.config.station.data / ENGINES
    files = [bundle.spec(one) for one in bundle.precisions]
    try:
        return choose(bundle.spec(), model.backend, settings, files, passed_over)
    except GpuLeftAlone as problem:
        # Asked for by name, so no other may judge. A station that is there and rejects says more than one that is not.
        log.error("no part is judged: the GPU is left alone", reason=str(problem))
        return AbsentDetector(bundle.spec(), model.backend, str(problem), problem.until)


def _open_archive(site: Site, records: SqliteRecords) -> ImageArchive | None:
    images = site.config.images
    if not images.enabled:
        return None
    policy = ArchivePolicy(
        budget_bytes=int(images.budget_mb * MB),
        # Never less than the ballast: what it frees on a full disk is for records, not for more images (rule 5).
        min_free_bytes=max(int(images.keep_free_mb * MB), BALLAST_BYTES),
        ok_share=images.ok_share,
    )
    return ImageArchive(site.config.station.data, records, policy)


def _cameras(site: Site) -> dict[str, Camera]:
    return {
        table.name: registry.camera_driver(table.driver)(site.camera_settings[table.name])
        for table in site.config.cameras
    }


def _plan(site: Site, epoch: int, cameras: dict[str, Camera]) -> StationPlan:
    config = site.config
    return StationPlan(
        name=config.station.name,
        epoch=epoch,
        cameras=cameras,
        frame_timeouts_ms={table.name: table.frame_timeout_ms for table in config.cameras},
        trigger=config.trigger.kind,
        period_ms=config.trigger.period_ms,
        queue=config.trigger.queue,
        deadline_ms=config.station.deadline_ms,
        stuck_after=config.station.stuck_after_deadlines,
        rules=LineRules(
            rejects_in_a_row=config.line.rejects_in_a_row,
            reject_share=config.line.reject_share,
            invalid_in_a_row=config.line.invalid_in_a_row,
            challenge_after=config.line.challenge_after,
            shift_starts=tuple(time.fromisoformat(start) for start in config.line.shift_starts),
            challenge_on_change=config.line.challenge_on_change,
            challenge_required=config.line.challenge_required,
            acknowledge=config.line.acknowledge == "required",
            plc_timeout_s=config.line.plc_timeout_ms / 1e3,
            self_test_parts=config.line.self_test_parts,
            latency_share=config.line.latency_share,
        ),
        autostart=config.line.autostart,
        set_up=_set_up(site),
    )


def _set_up(site: Site) -> str:
    """Of model and cameras: another hash means that a passed challenge test says nothing any more."""
    cameras = [table.model_dump(mode="json") for table in site.config.cameras]
    told = json.dumps([site.bundle.card_sha256, site.config.model.model_dump(mode="json"), cameras], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:16]
