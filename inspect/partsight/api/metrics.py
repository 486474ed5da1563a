"""`/metrics` for Prometheus, made from the station's newest status at each scrape.

Counters begin anew with each start of the daemon (those of the stream with each start of this process), as Prometheus
expects. Times are seconds, sizes bytes, shares 0 to 1.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from partsight.api.channel import FrameMessage
from partsight.api.previews import Pictures
from partsight.api.stream import Hub
from partsight.api.upstream import FRESH_S, Upstream
from partsight.domain.status import Mode, StationState
from partsight.wire.screen.station import StationNote
from partsight.wire.screen.stream import EventNote

BUCKETS_S = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0)
MAX_FAULTS = 50
"""Keys of faults that are labels; the rest is only counted."""
Labels = Mapping[tuple[str, ...], float]


class Metrics:
    """A registry of its own. A `Listener` of the link."""

    def __init__(self, line: Upstream, hub: Hub, pictures: Pictures, connections: Callable[[], int]) -> None:
        """connections: how many are open."""
        self._registry = CollectorRegistry()
        self._latency = Histogram(
            "partsight_verdict_latency_seconds",
            "Trigger to verdict of the parts that this process was told of.",
            buckets=BUCKETS_S,
            registry=self._registry,
        )
        self._registry.register(_Station(line))
        self._registry.register(_Api(line, hub, pictures, connections))
        ProcessCollector(namespace="partsight_api", registry=self._registry)

    def text(self) -> bytes:
        """Prometheus' text format."""
        return generate_latest(self._registry)

    def on_status(self, status: StationNote) -> None:
        """Read at the scrape."""

    def on_frame(self, frame: FrameMessage) -> None:
        """Not counted here."""

    def on_event(self, note: EventNote) -> None:
        """The latency of each part."""
        if note.kind == "finished":
            took = note.data.get("verdict_ms")
            if isinstance(took, (int, float)):
                self._latency.observe(took / 1e3)


class _Station(Collector):
    """What the daemon says."""

    def __init__(self, line: Upstream) -> None:
        self._line = line

    def collect(self) -> Iterator[Metric]:
        """In one moment's figures."""
        status = self._line.status
        fresh = self._line.status_age_s <= FRESH_S
        yield _info(status)
        yield _gauge("up", "Whether the daemon has spoken within 3 s and all its loops tick.", fresh and status.alive)
        yield _gauge("ready", "Whether the station is ready, as the line sees it.", status.ready)
        yield _one_of("state", "The station's state.", status.state.value, (s.value for s in StationState))
        yield _one_of("mode", "What the verdicts are for.", status.mode.value, (m.value for m in Mode))
        yield _gauge("line_stop_requested", "Whether the line is asked to stop.", status.line_stop)
        yield from _parts(status)
        yield from _latency(status)
        yield from _faults(status)
        yield from _cameras(status)
        connected: Labels = {(o.name,): float(o.connected) for o in status.outputs}
        yield _gauges("output_connected", "Whether a way to the line is connected.", ("output",), connected)
        if status.disk is not None:
            yield _gauge("disk_free_bytes", "Free on the disk of the records.", status.disk.free_bytes)
            yield _gauge("records_bytes", "Size of the records.", status.disk.records_bytes)
            yield _gauge("images_bytes", "Size of the kept images.", status.disk.images_bytes)
            yield _gauge("images_budget_bytes", "What they may take.", status.disk.images_budget_bytes)
        yield _gauge("review_waiting", "Parts that wait for a person.", status.review_waiting)


class _Api(Collector):
    """Of this process."""

    def __init__(self, line: Upstream, hub: Hub, pictures: Pictures, connections: Callable[[], int]) -> None:
        self._line, self._hub, self._pictures = line, hub, pictures
        self._connections = connections
        self._started = time.time()

    def collect(self) -> Iterator[Metric]:
        """In one moment's figures."""
        yield _gauge("api_start_time_seconds", "When this process started, since 1970.", self._started)
        yield _counter("api_starts", "How often the daemon has started this process.", self._line.facts.starts)
        yield _gauge("api_status_age_seconds", "Since the daemon's last status.", self._line.status_age_s)
        yield _gauge("api_connections", "Open connections.", self._connections())
        yield _gauge("api_stream_clients", "Clients of the stream.", self._hub.screens)
        yield _counter("api_stream_clients_served", "Clients of the stream that were let in.", self._hub.served)
        yield _counter("api_events", "Events that this process has numbered.", self._line.events.last)
        yield _counter("api_pictures_encoded", "JPEGs that were made for screens.", self._pictures.encoded)
        told = "Pictures that were too late for a client of the stream."
        yield _counter("api_pictures_dropped", told, self._hub.dropped)


def _info(status: StationNote) -> Metric:
    labels = {
        "station": status.name,
        "software": status.software,
        "recipe": status.recipe,
        "model": status.model,
        "backend": status.backend,
        "simulated": str(status.simulated).lower(),
    }
    return InfoMetricFamily("partsight_station", "What runs here.", value=labels)


def _parts(status: StationNote) -> Iterator[Metric]:
    counters = status.counters
    yield _counter("triggers", "Triggers that were accepted.", counters.triggers)
    verdicts: Labels = {(name,): float(getattr(counters, name)) for name in ("ok", "ng", "review", "invalid")}
    yield _counters("parts", "Parts by verdict.", ("verdict",), verdicts)
    yield _gauge("parts_in_flight", "Accepted, without a verdict yet.", counters.in_flight)
    yield _counter("verdicts_late", "Model answers that came after the deadline had rejected the part.", counters.late)
    yield _counter("triggers_missed", "Triggers that could not be served; their parts are rejected.", counters.missed)
    yield _counter("frames_dropped", "Frames that free run passed over.", counters.frames_dropped)
    yield _counter("images_dropped", "Images that were not written.", counters.images_dropped)
    yield _counter(
        "previews_dropped", "Frames that the daemon did not hand to this process.", counters.previews_dropped
    )
    yield _gauge("verdicts_unacknowledged", "Verdicts that wait for the PLC.", status.unacknowledged)
    if status.yield_share is not None:
        yield _gauge("yield_ratio", "OK of all parts of this run.", status.yield_share)
    yield _gauge("epoch", "Boot counter of the station.", status.epoch)


def _latency(status: StationNote) -> Iterator[Metric]:
    latency = status.latency_ms
    quantiles = {"0.5": latency.p50, "0.95": latency.p95, "0.99": latency.p99, "1": latency.max}
    known: Labels = {(name,): value / 1e3 for name, value in quantiles.items() if value is not None}
    told = "Trigger to verdict over the newest parts."
    yield _gauges("verdict_latency_recent_seconds", told, ("quantile",), known)
    yield _gauge("deadline_seconds", "From the trigger to the last moment of a pass.", status.deadline_ms / 1e3)


def _faults(status: StationNote) -> Iterator[Metric]:
    yield _gauge("faults", "Faults that stand.", len(status.faults))
    standing: Labels = {(fault.key,): 1.0 for fault in status.faults[:MAX_FAULTS]}
    yield _gauges("fault", "A fault that stands.", ("key",), standing)


def _cameras(status: StationNote) -> Iterator[Metric]:
    states: Labels = {(c.name, c.state): 1.0 for c in status.cameras}
    yield _gauges("camera_state", "The camera's state.", ("camera", "state"), states)
    frames: Labels = {
        (c.name, outcome): float(getattr(c, outcome))
        for c in status.cameras
        for outcome in ("delivered", "dropped", "incomplete")
    }
    yield _counters("camera_frames", "Frames by what became of them.", ("camera", "outcome"), frames)
    again: Labels = {(c.name,): float(c.reconnects) for c in status.cameras}
    yield _counters("camera_reconnects", "How often the camera was opened again.", ("camera",), again)


def _gauge(name: str, told: str, value: float) -> Metric:
    return GaugeMetricFamily(f"partsight_{name}", told, value=float(value))


def _gauges(name: str, told: str, labels: tuple[str, ...], values: Labels) -> Metric:
    family = GaugeMetricFamily(f"partsight_{name}", told, labels=labels)
    for of, value in values.items():
        family.add_metric(of, value)
    return family


def _one_of(name: str, told: str, now: str, all_: Iterable[str]) -> Metric:
    return _gauges(name, told, (name,), {(one,): float(one == now) for one in all_})


def _counter(name: str, told: str, value: float) -> Metric:
    return CounterMetricFamily(f"partsight_{name}", told, value=float(value))


def _counters(name: str, told: str, labels: tuple[str, ...], values: Labels) -> Metric:
    family = CounterMetricFamily(f"partsight_{name}", told, labels=labels)
    for of, value in values.items():
        family.add_metric(of, value)
    return family
