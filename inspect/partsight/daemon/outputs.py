"""From the configuration's tables to outputs that run; each is imported only where a table names it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, Protocol

from partsight import __version__
from partsight.daemon.site import Site
from partsight.domain.messages import Event
from partsight.domain.ports import Clock, CommandSink, Output
from partsight.domain.reasons import Reason
from partsight.outputs.records import SqliteRecords
from partsight.station.station import Station


class RunningOutput(Output, Protocol):
    """An output with a life of its own."""

    def attach(self, sink: CommandSink) -> None: ...

    def tell(self, event: Event) -> None: ...

    def start(self) -> None: ...

    def stop(self, timeout_s: float) -> bool: ...

    def health(self) -> object:
        """A frozen snapshot, for screens; never waits."""


@dataclass(slots=True)
class FaultRelay:
    """Passes the outputs' faults on to the station, which is made after them."""

    _station: Station | None = None
    _before: list[tuple[str, str, str, bool]] = field(default_factory=list)

    def attach(self, station: Station) -> None:
        """From here on faults are the station's."""
        self._station = station
        for key, text, cure, latched in self._before:
            self._raise(key, text, cure, latched=latched)
        self._before.clear()

    def failed(self, key: str, text: str, cure: str) -> None:
        """An output failed in a way that nobody foresaw: the station becomes ERROR."""
        self._raise(key, text, cure, latched=True)

    def trouble(self, key: str, text: str, cure: str) -> None:
        """Something is missing that comes back by itself: people must know, the line goes on."""
        self._raise(key, text, cure, latched=False)

    def clear(self, key: str) -> None:
        """It is back."""
        if self._station is not None:
            self._station.faults.clear(key)

    def _raise(self, key: str, text: str, cure: str, *, latched: bool) -> None:
        if self._station is None:
            self._before.append((key, text, cure, latched))
            return
        self._station.faults.raise_(key, text, cure, code=Reason.OUTPUT_FAILED, latched=latched)
        if latched:
            self._station.conduct.settle()


def make_outputs(
    site: Site, records: SqliteRecords, clock: Clock, relay: FaultRelay
) -> list[tuple[str, RunningOutput]]:
    """The outputs that the configuration names, in its order, not started. Raises ConfigError, RecordsError."""
    makers = {"mqtt": _mqtt, "modbus": _modbus, "sparkplug": _sparkplug, "opcua": _opcua}
    made: list[tuple[str, RunningOutput]] = []
    for name, settings in site.output_settings.items():
        if getattr(settings, "enabled", True):
            made.append((name, makers[name](site, settings, records, clock, relay)))
    return made


def configuration_hash(site: Site) -> str:
    """sha256 of what the site wrote, the recipe and the model: another hash is another behaviour."""
    text = site.config.model_dump_json(by_alias=True)
    return hashlib.sha256(f"{text}{site.recipe.ref.sha256}{site.bundle.card_sha256}".encode()).hexdigest()


def _mqtt(site: Site, settings: Any, records: SqliteRecords, clock: Clock, relay: FaultRelay) -> RunningOutput:
    from partsight.outputs.mqtt import About, MqttOutput
    from partsight.wire.station import InfoModel, InfoRecipe

    spec, ref = site.bundle.spec(), site.recipe.ref
    about = About(
        software=f"partsight {__version__}",
        configuration_sha256=configuration_hash(site),
        model=InfoModel(name=spec.name, sha256=spec.sha256, backend=site.config.model.backend),
        recipes=(InfoRecipe(name=ref.name, rev=ref.revision, id=site.recipe.id, sha256=ref.sha256),),
    )
    return MqttOutput(
        settings,
        site.config.station.name,
        records,
        clock,
        about=about,
        acknowledge=site.config.line.acknowledge == "required",
        on_fault=relay.failed,
        on_trouble=relay.trouble,
        on_clear=relay.clear,
    )


def _modbus(site: Site, settings: Any, records: SqliteRecords, clock: Clock, relay: FaultRelay) -> RunningOutput:
    from partsight.outputs.modbus import ModbusOutput

    def audit(source: str, what: str) -> None:
        records.audit("plc", source, what)

    return ModbusOutput(
        settings,
        acknowledge=site.config.line.acknowledge == "required",
        configuration=configuration_hash(site),
        audit=audit,
        on_fault=relay.failed,
        on_trouble=relay.trouble,
        on_clear=relay.clear,
        monotonic_ns=clock.monotonic_ns,
    )


def _sparkplug(site: Site, settings: Any, records: SqliteRecords, clock: Clock, relay: FaultRelay) -> RunningOutput:
    from partsight.outputs.sparkplug import SparkplugOutput

    return SparkplugOutput(settings, site.config.station.data, on_fault=relay.failed)


def _opcua(site: Site, settings: Any, records: SqliteRecords, clock: Clock, relay: FaultRelay) -> RunningOutput:
    from partsight.outputs.opcua import OpcUaOutput

    def audit(who: str, source: str, what: str) -> None:
        records.audit(who, source, what)

    return OpcUaOutput(
        settings,
        site.config.station.data,
        site.config.station.name,
        configuration=configuration_hash(site),
        on_fault=relay.failed,
        audit=audit,
    )
