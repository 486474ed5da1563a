"""The way to the screens: what the API's process is told of this station, and the link to it."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import TypeAdapter

from partsight import __version__
from partsight.api.channel import CameraFacts, LineFacts, ModelFacts
from partsight.api.frames import SLOT_BYTES
from partsight.api.line import ApiLine, ApiSite
from partsight.api.link import SILENT_S, ApiLink
from partsight.api.process import Launch, launch
from partsight.daemon.outputs import FaultRelay, RunningOutput
from partsight.daemon.places import recipe_folders
from partsight.daemon.site import Site
from partsight.domain.ports import Clock
from partsight.outputs.images import ImageArchive
from partsight.outputs.records import SqliteRecords
from partsight.station.station import Station

_CARD: TypeAdapter[object] = TypeAdapter(object)


def make_api(
    site: Site,
    records: SqliteRecords,
    archive: ImageArchive | None,
    clock: Clock,
    *,
    relay: FaultRelay,
    outputs: Sequence[tuple[str, RunningOutput]],
    start: Launch = launch,
    silent_s: float = SILENT_S,
) -> ApiLink:
    """The link, not started. outputs: those to the line, whose state screens show. Needs `site.api`.

    start: makes the API's process. silent_s: how long it may say nothing.
    """
    assert site.api is not None
    folders = tuple(recipe_folders(site.file.resolve().parent))
    ways_out = tuple(outputs)
    records.review_share = site.api.review_share
    of_site = ApiSite(site.config, site.api, site.file.resolve(), site.bundle, folders)

    def line_of(station: Station) -> ApiLine:
        return ApiLine(of_site, station, records, archive, clock, ways_out)

    def facts(run: str, station: Station) -> LineFacts:
        return line_facts(of_site, records.epoch, run, station)

    return ApiLink(line_of, facts, on_trouble=relay.trouble, on_clear=relay.clear, start=start, silent_s=silent_s)


def line_facts(site: ApiSite, epoch: int, run: str, station: Station) -> LineFacts:
    """What does not change while one API runs."""
    config, card, running = site.config, site.bundle.card, station.model
    return LineFacts(
        run=run,
        software=f"partsight {__version__}",
        name=config.station.name,
        epoch=epoch,
        settings=site.settings.model_dump(mode="json"),
        data=str(config.station.data.resolve()),
        configuration=str(site.file),
        recipe_folders=tuple(map(str, site.recipe_folders)),
        recipe=config.station.recipe,
        model=ModelFacts(
            name=running.name,
            sha256=running.sha256,
            folder=str(site.bundle.folder.resolve()),
            classes=card.classes,
            floor=card.floor,
            backend=running.backend,
            precision=running.precision,
            card=_CARD.dump_python(card.model_dump(by_alias=True), mode="json"),
        ),
        cameras=tuple(CameraFacts(name=c.name, driver=c.driver, mm_per_px=c.mm_per_px) for c in config.cameras),
        slot_bytes=SLOT_BYTES,
        trigger=config.trigger.kind.value,
        deadline_ms=config.station.deadline_ms,
        simulated=station.conduct.is_simulated,
        acknowledge=config.line.acknowledge == "required",
        images=config.images.enabled,
    )
