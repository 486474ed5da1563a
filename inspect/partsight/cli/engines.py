"""What `doctor` sees of engines: which are there, which are refused and why, and whether the line has one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from partsight.cli.observation import Observation, note, ok, problem
from partsight.config.station import StationConfig
from partsight.detectors.auto import has_driver
from partsight.detectors.tensorrt.engines import ENGINES, EngineStore
from partsight.detectors.tensorrt.engines.store import Kept
from partsight.detectors.tensorrt.making import look_here
from partsight.domain.errors import BackendUnavailable, DetectorError
from partsight.models.bundle import load

GPU_BACKENDS = ("auto", "tensorrt")
PRECISIONS = ("fp16", "fp32", "int8")
DEFAULT_PRECISION = "fp16"


def station_precision(config: StationConfig) -> str:
    """What the site wrote, where a GPU runs it; else the GPU's default."""
    written = config.model.precision if "precision" in config.model.model_fields_set else DEFAULT_PRECISION
    return written if written in PRECISIONS else DEFAULT_PRECISION


def engines(data: Path, station: StationConfig | None = None, config: Path | None = None) -> Iterator[Observation]:
    """data: the folder that holds a station's records. Nothing is built or changed."""
    store = EngineStore(data / ENGINES)
    try:
        for kept in store.kept():
            yield _kept(kept)
    except BackendUnavailable as refused:
        yield note("engines", "folder", str(refused), "no engine is loaded from it; models run on the processor")
        return
    if station is None or config is None or station.model.backend not in GPU_BACKENDS:
        return
    if has_driver():
        yield _ready(store, station, config)
    elif station.model.backend == "tensorrt":
        cure = 'install the driver (on a Jetson: JetPack), or set model.backend = "auto"'
        yield problem("engines", "model.backend", 'is "tensorrt", and there is no NVIDIA driver here', cure)


def _kept(kept: Kept) -> Observation:
    if kept.meta is None:
        return note("engines", kept.folder.name[:12], kept.why)
    meta = kept.meta
    about = {name: meta.identity.get(name, "?") for name in ("model", "precision", "gpu", "tensorrt")}
    timed = f", p50 {meta.latency.p50_ms:.2f} ms" if meta.latency is not None else ""
    text = f"{about['model']} {about['precision']} on {about['gpu']}, TensorRT {about['tensorrt']}"
    return ok("engines", kept.folder.name[:12], f"{text}, built {meta.built_at:%Y-%m-%d}{timed}")


def _ready(store: EngineStore, station: StationConfig, config: Path) -> Observation:
    """Whether the line would start on the GPU."""
    # It brings OpenCV, which doctor tries in a process of its own first.
    from partsight.daemon.places import find_bundle

    named = station.model.backend == "tensorrt"
    try:
        bundle = load(find_bundle(station.model.bundle, config.resolve().parent))
        spec = bundle.spec(station_precision(station))
        identity, _ = look_here(spec, store.folder)
        store.ready(identity)
    except DetectorError as reason:
        cure = f"partsight build --station {config}"
        if named:
            return problem("engines", "for the line", str(reason), cure)
        return note("engines", "for the line", f"the line starts on the processor: {reason}", cure)
    return ok("engines", "for the line", f"{spec.name} in {spec.precision} is ready for this GPU")
