"""What of a running line the API's end in the daemon may see and touch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from partsight.api.settings import ApiSettings
from partsight.config.station import StationConfig
from partsight.domain.ports import Clock
from partsight.models.bundle import Bundle
from partsight.outputs.images import ImageArchive
from partsight.outputs.records import SqliteRecords
from partsight.station.station import Station


class Link(Protocol):
    """An output that says of itself how it is (`health()` of mqtt, modbus, sparkplug and opcua)."""

    def health(self) -> object: ...


@dataclass(frozen=True, slots=True)
class ApiSite:
    """What the site wrote, as far as the API needs it.

    file: the configuration. recipe_folders: where recipes are looked for, in order.
    """

    config: StationConfig
    settings: ApiSettings
    file: Path
    bundle: Bundle
    recipe_folders: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class ApiLine:
    """The line's parts. outputs: the ways out to the line by name."""

    site: ApiSite
    station: Station
    records: SqliteRecords
    archive: ImageArchive | None
    clock: Clock
    outputs: tuple[tuple[str, Link], ...] = ()
