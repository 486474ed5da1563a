"""`partsight bench`: from the frame to the recorded verdict on this machine, beside the model alone."""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from partsight import registry
from partsight.cli.bench_peers import Duel, cores, duel, load_ultralytics, open_peer
from partsight.cli.bench_rig import STAGES, Part, Rig, percentiles
from partsight.cli.logs import set_up_logs
from partsight.daemon.places import find_bundle, find_recipe
from partsight.detectors.auto import choose
from partsight.domain.detections import ModelRef
from partsight.domain.errors import BundleError, ConfigError, EndOfStream, Mistake
from partsight.domain.frame import Grab
from partsight.domain.model import ModelSpec
from partsight.domain.ports import Records
from partsight.models.bundle import load
from partsight.outputs.records import SqliteRecords
from partsight.recipes import Recipe, load_recipe
from partsight.station.facts import MIN_SIDE_PX

CAMERA = "bench"
IMAGES_KEPT = 32
"""Images in memory that take turns: more than a processor's own caches hold at 640 x 640."""
GRAB_TIMEOUT_S = 30.0
SEED = 7
PEERS = ("onnx", "openvino", "pytorch")


@dataclass(frozen=True, slots=True)
class Order:
    """What the command line asked for, all of it found and checked.

    live: the images pass for a sensor's, so that frozen frames are looked for.
    """

    spec: ModelSpec
    recipe: Recipe
    backend: str
    threads: int
    parts: int
    grabs: tuple[Grab, ...]
    camera: str
    live: bool
    peers: tuple[str, ...]
    peer_weights: Path | None
    quiet: bool


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured. bare: milliseconds of the model alone, one for each part."""

    parts: tuple[Part, ...]
    bare: tuple[float, ...]
    model: ModelRef
    duels: tuple[Duel, ...]
    disk: str
    load: tuple[float, float]

    @property
    def ratio_p50(self) -> float:
        """Median over all parts of frame to verdict over the model alone, which ran just before or after."""
        return median(part.verdict / bare for part, bare in zip(self.parts, self.bare, strict=True))


def bench(
    *,
    model: Annotated[str, typer.Option(help="Model bundle: its name or its folder.")] = "pcb",
    recipe: Annotated[
        str | None,
        typer.Option(help="Recipe: its name or its file. Without it: demo-board, with --images MODEL-any."),
    ] = None,
    images: Annotated[
        Path | None, typer.Option(help="A folder of images, or one image. Without it: simulated boards.")
    ] = None,
    imgsz: Annotated[
        int | None, typer.Option(min=32, max=8192, help="Side of the model's input in pixels; the card's without it.")
    ] = None,
    backend: Annotated[str, typer.Option(help="onnx, openvino, or auto for the quickest here.")] = "auto",
    threads: Annotated[int, typer.Option(min=0, max=256, help="Threads of the detector; 0: all cores.")] = 0,
    parts: Annotated[int, typer.Option(min=1, help="So many parts.")] = 200,
    peers: Annotated[bool, typer.Option("--peers", help="Also race ultralytics' predict(), where it is here.")] = False,
    peer_weights: Annotated[
        Path | None, typer.Option(help="The model's PyTorch file (.pt), to race PyTorch too; implies --peers.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Write the records below this folder: its disk is part of what is measured.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """Measure how long a part takes from its frame to its recorded verdict, and how long the model alone takes."""
    set_up_logs(quiet=True)
    order = _order(
        model=model,
        recipe=recipe,
        images=images,
        imgsz=imgsz,
        backend=backend,
        threads=threads,
        parts=parts,
        peers=peers,
        weights=peer_weights,
        quiet=as_json,
    )
    figures = _measure(order, data)
    if as_json:
        sys.stdout.write(json.dumps(as_dict(order, figures)) + "\n")
    else:
        _show(order, figures)


# --- what to measure --------------------------------------------------------------------------------


def _order(
    *,
    model: str,
    recipe: str | None,
    images: Path | None,
    imgsz: int | None,
    backend: str,
    threads: int,
    parts: int,
    peers: bool,
    weights: Path | None,
    quiet: bool,
) -> Order:
    """Everything that may be wrong is found before the clock starts. Raises ConfigError, CameraError, DetectorError."""
    mistakes = []
    if backend not in ("auto", *registry.detector_names()):
        known = ", ".join(("auto", *registry.detector_names()))
        mistakes.append(Mistake("--backend", "", f"{backend!r} is unknown", f"one of {known}"))
    if weights is not None and not weights.is_file():
        mistakes.append(Mistake("--peer-weights", "", f"there is no file {weights}", "name the model's .pt file"))
    if imgsz is not None and imgsz % 32:
        mistakes.append(Mistake("--imgsz", "", f"{imgsz} is no multiple of 32", "try 320 or 640"))
    if mistakes:
        raise ConfigError(mistakes)
    try:
        spec = load(find_bundle(model, Path.cwd())).spec()
    except BundleError as problem:
        raise ConfigError([Mistake("--model", "", str(problem))]) from problem
    if imgsz is not None:
        spec = replace(spec, width=imgsz, height=imgsz)
    name = recipe or ("demo-board" if images is None else f"{spec.name}-any")
    rules = load_recipe(find_recipe(name, Path.cwd()), spec.classes, spec.thresholds)
    if peers or weights is not None:
        load_ultralytics()
    raced = PEERS if weights is not None else PEERS[:2] if peers else ()
    grabs, live = _grabs(images, min(parts, IMAGES_KEPT))
    camera = CAMERA if rules.view(CAMERA) is not None else next(iter(rules.views))
    return Order(spec, rules, backend, threads, parts, grabs, camera, live, raced, weights, quiet)


def _grabs(images: Path | None, count: int) -> tuple[tuple[Grab, ...], bool]:
    """Images that can be judged, and whether they pass for a sensor's. Raises CameraError, ConfigError."""
    driver = registry.camera_driver("simulated" if images is None else "folder")
    table: dict[str, Any] = {"seed": SEED, "rate_hz": 0} if images is None else {"path": images, "patterns": ("**/*",)}
    camera = driver(driver.Settings(**table))
    info = camera.open(GRAB_TIMEOUT_S)
    found: list[Grab] = []
    try:
        while len(found) < count:
            grab = camera.grab(GRAB_TIMEOUT_S)
            if grab is not None and grab.error is None and min(grab.size) >= MIN_SIDE_PX:
                found.append(grab)
    except EndOfStream:
        pass
    finally:
        camera.close()
    if not found:
        raise ConfigError([Mistake("--images", "", f"no image in {images} can be judged", "name another folder")])
    return tuple(found), info.live


# --- measuring --------------------------------------------------------------------------------------


def _measure(order: Order, data: Path | None) -> Figures:
    before = _load()
    try:
        place = tempfile.TemporaryDirectory(prefix="partsight-bench-", dir=data)
    except OSError as problem:
        cure = "name a folder that is there and can be written to"
        raise ConfigError([Mistake("--data", "", f"{data}: {problem.strerror}", cure)]) from problem
    with place as name, SqliteRecords.open(Path(name) / "records") as records:
        disk = _file_system(Path(name))
        with _progress(order) as stage:
            parts, bare, model = _in_turns(order, records, stage("frame to verdict"))
            duels = tuple(_duel(peer, order, records, Path(name), stage(f"against {peer}")) for peer in order.peers)
    return Figures(parts, bare, model, duels, disk, (before, _load()))


def _in_turns(
    order: Order, records: Records, tick: Callable[[], None]
) -> tuple[tuple[Part, ...], tuple[float, ...], ModelRef]:
    """Each part and the model alone, one after the other; which comes first changes with each part."""
    parts: list[Part] = []
    bare: list[float] = []
    with _rig(order, order.backend, records) as rig:
        rig.warm_up(order.grabs)
        for number in range(order.parts):
            grab = order.grabs[number % len(order.grabs)]
            if number % 2:
                bare.append(rig.bare())
                parts.append(rig.part(grab))
            else:
                parts.append(rig.part(grab))
                bare.append(rig.bare())
            tick()
        return tuple(parts), tuple(bare), rig.detector.model


def _duel(name: str, order: Order, records: Records, folder: Path, tick: Callable[[], None]) -> Duel:
    """PyTorch is raced by what `auto` chooses, each other runtime by itself."""
    place = folder / name
    place.mkdir()
    weights = order.peer_weights if name == "pytorch" else None
    peer = open_peer(name, order.spec, weights, order.threads, place)
    with _rig(order, "auto" if name == "pytorch" else name, records) as rig:
        rig.warm_up(order.grabs)
        return duel(peer, rig, order.grabs, order.parts, tick)


@contextmanager
def _rig(order: Order, backend: str, records: Records) -> Iterator[Rig]:
    with closing(choose(order.spec, backend, {"threads": order.threads})) as detector:
        yield Rig(detector, order.recipe, records, camera=order.camera, live=order.live)


@contextmanager
def _progress(order: Order) -> Iterator[Callable[[str], Callable[[], None]]]:
    """Gives a function that starts a bar and returns what moves it on."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # Few redraws: they run in a thread of this process.
    with Progress(
        *columns, console=Console(stderr=True), transient=True, disable=order.quiet, refresh_per_second=1
    ) as bars:

        def stage(text: str) -> Callable[[], None]:
            task = bars.add_task(text, total=order.parts)
            return lambda: bars.advance(task)

        yield stage


# --- what is told -----------------------------------------------------------------------------------


def as_dict(order: Order, figures: Figures) -> dict[str, Any]:
    """The one JSON object; docs/performance.md says what each key means."""
    parts = figures.parts
    return {
        "backend": figures.model.backend,
        "imgsz": order.spec.width,
        "bare_ms": percentiles(figures.bare),
        "frame_to_verdict_ms": percentiles([part.verdict for part in parts]),
        "overhead_ms": percentiles([part.overhead for part in parts]),
        "ratio_p50": round(figures.ratio_p50, 4),
        "peers": {one.peer: one.ratio for one in figures.duels},
        "peer_runs": [asdict(one) for one in figures.duels],
        "stages_ms": {stage: percentiles([getattr(part, stage) for part in parts]) for stage in STAGES},
        "threads": order.threads or cores(),
        "parts": len(parts),
        "images": len(order.grabs),
        "model": {"name": order.spec.name, "sha256": figures.model.sha256, "precision": figures.model.precision},
        "recipe": order.recipe.ref.name,
        "machine": machine(figures),
    }


def machine(figures: Figures) -> dict[str, Any]:
    """Where it was measured. load: how many processes wanted a core, before and after (1-minute mean)."""
    packages = {"onnx": "onnxruntime"}
    backend = figures.model.backend
    return {
        "cpu": _cpu(),
        "cores": cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "runtime": _version(packages.get(backend, backend)),
        "opencv": _version("opencv-python"),
        "disk": figures.disk,
        "load": list(figures.load),
    }


def _show(order: Order, figures: Figures) -> None:
    console = Console(highlight=False)
    told = as_dict(order, figures)
    where = told["machine"]
    table = Table("milliseconds", "p50", "p95", "p99", "max")
    rows = {"frame to verdict": told["frame_to_verdict_ms"], "model alone": told["bare_ms"]}
    rows["all but inference"] = told["overhead_ms"]
    for name, values in [*rows.items(), *((f"  {stage}", told["stages_ms"][stage]) for stage in STAGES)]:
        table.add_row(name, *(f"{value:.2f}" for value in values.values()))
    console.print(table)
    share = told["overhead_ms"]["p50"] / told["bare_ms"]["p50"]
    console.print(
        f"all but inference: {share:.1%} of the model alone; frame to verdict is {told['ratio_p50']:.2f} of it"
    )
    if figures.duels:
        console.print(_race(figures.duels))
    console.print(
        f"{order.spec.name} at {told['imgsz']} on {told['backend']} {where['runtime']}, {told['threads']} threads, "
        f"{told['parts']} parts, recipe {told['recipe']}; {where['cpu']}, {where['cores']} cores, "
        f"records on {where['disk']}, load {where['load'][0]} to {where['load'][1]}",
        soft_wrap=True,
    )


def _race(duels: Sequence[Duel]) -> Table:
    table = Table(
        "ultralytics predict()", "partsight ms", "predict() ms", "ratio", "quartiles", "to boxes only", "same boxes"
    )
    for one in duels:
        low, high = one.ratio_quartiles
        table.add_row(
            f"{one.peer} (partsight: {one.backend})",
            f"{one.ours_ms:.1f}",
            f"{one.peer_ms:.1f}",
            f"{one.ratio:.2f}",
            f"{low:.2f} to {high:.2f}",
            f"{one.detect_ratio:.2f}",
            f"{one.agreed} of {one.boxes}",
        )
    return table


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    found = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return found or platform.processor() or platform.machine()


def _file_system(folder: Path) -> str:
    """The kind of file system that the records are on: a flush to a RAM disk costs nothing and shows nothing."""
    try:
        mounts = [line.split() for line in Path("/proc/self/mounts").read_text("utf-8").splitlines()]
    except OSError:
        return "unknown"
    around = [(len(point), kind) for _, point, kind, *_ in mounts if folder.resolve().is_relative_to(point)]
    return max(around)[1] if around else "unknown"


def _load() -> float:
    return round(os.getloadavg()[0], 1)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
