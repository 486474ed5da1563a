"""`partsight build`: a TensorRT engine for this device, built, checked, and only then used."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import structlog
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from partsight.cli.engines import DEFAULT_PRECISION, PRECISIONS, station_precision
from partsight.cli.logs import set_up_logs
from partsight.config.station import read_station
from partsight.daemon.places import find_bundle
from partsight.detectors.tensorrt.engines import ENGINES
from partsight.detectors.tensorrt.engines.store import foreign
from partsight.detectors.tensorrt.making import HeldOut, Made, Step, make_engine
from partsight.domain.errors import BundleError, ConfigError, DetectorError, Mistake
from partsight.models.bundle import Bundle, load

if TYPE_CHECKING:
    from partsight.daemon.site import Site

log = structlog.get_logger(__name__)

WAIT_S = 3 * 3600.0
LINE_EVERY_S = 10.0
DEFAULT_MODEL = "pcb"
_ENGINE_SUFFIXES = {".engine", ".plan", ".trt"}
_SAID = {
    "look": "looking at the GPU",
    "wait": "waiting",
    "build": "building",
    "check": "checking",
    "measure": "measuring",
    "soak": "running without a pause",
}


def build(
    model: Annotated[str | None, typer.Argument(help="Model bundle: its name or its folder.")] = None,
    *,
    precision: Annotated[str | None, typer.Option(help="fp16, fp32 or int8.")] = None,
    station: Annotated[Path | None, typer.Option(help="A station's configuration: its model and data folder.")] = None,
    data: Annotated[Path | None, typer.Option(help="The station's data folder, without --station.")] = None,
    held_out: Annotated[
        Path | None, typer.Option(help="Labelled pictures that no training has seen: int8 must pass on them.")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Build it even where it is there.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for another build instead of ending.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """Build the model's TensorRT engine on this device, check it, and put it where the station finds it.

    The engine that was there before stays until the new one has answered the golden frames. Exit status 2: a mistake in
    the call; 3: no GPU, no room, another build at work, or an engine that failed its check.
    """
    set_up_logs(quiet=True)
    bundle, wanted, engines = _order(model, precision, station, data)
    # The other precisions are held against the golden frames only.
    folder = held_out if wanted == "int8" else None
    gate = _gate(folder, bundle) if folder is not None else None
    with show_steps(quiet=as_json) as show:
        made = make_engine(
            bundle.spec(wanted), engines, show=show, again=again, wait_s=WAIT_S if wait else 0.0, held_out=gate
        )
    if as_json:
        sys.stdout.write(json.dumps(as_dict(made)) + "\n")
    else:
        _print(bundle, made)


def _gate(folder: Path, bundle: Bundle) -> HeldOut:
    from partsight.cli.build_gate import accuracy_gate

    return accuracy_gate(folder, bundle.spec())


def build_for(site: Site) -> None:
    """The engine that this station would run, before it starts. Raises BackendUnavailable, BundleError, DetectorError
    where the GPU is asked for by name; with backend "auto" the station then starts on the CPU.
    """
    model = site.config.model
    if model.backend not in ("auto", "tensorrt"):
        return
    try:
        spec = site.bundle.spec(station_precision(site.config))
        with show_steps() as show:
            made = make_engine(spec, site.config.station.data / ENGINES, show=show, wait_s=WAIT_S)
    except DetectorError as problem:
        if model.backend == "tensorrt":
            raise
        log.warning("no engine was built, the station starts without it", reason=str(problem))
        return
    log.info("engine ready", new=made.new, folder=str(made.folder), precision=spec.precision)


def as_dict(made: Made) -> dict[str, Any]:
    """For scripts."""
    about = made.meta.model_dump(mode="json", exclude={"schema_", "card_uuid"})
    return {"new": made.new, "folder": str(made.folder), **about}


@contextmanager
def show_steps(*, quiet: bool = False) -> Iterator[Any]:
    """A function that shows each `Step`: a bar on a terminal, now and then a line elsewhere. On stderr."""
    console = Console(stderr=True, quiet=quiet, highlight=False)
    if not console.is_terminal:
        yield _Lines(console).show
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("{task.fields[left]}"), console=console, transient=True) as bar:
        task = bar.add_task("", total=None, left="")
        begun: dict[str, float] = {}

        def show(step: Step) -> None:
            began = begun.setdefault(step.name, time.monotonic())
            text = f"{_SAID[step.name]} {step.text}"[:60]
            left = time_left(step, time.monotonic() - began)
            bar.update(task, description=text, completed=step.share or 0, total=1 if step.share else None, left=left)

        yield show


class _Lines:
    """For a journal: the start of each step, and how far it is every ten seconds."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._step, self._begun, self._last = "", 0.0, 0.0

    def show(self, step: Step) -> None:
        now = time.monotonic()
        if step.name != self._step:
            self._step, self._begun = step.name, now
        elif now - self._last < LINE_EVERY_S:
            return
        self._last = now
        share = f" {step.share:.0%}" if step.share else ""
        left = time_left(step, now - self._begun)
        told = f"{_SAID[step.name]}{share} {step.text} {left}".rstrip()
        self._console.print(told, markup=False, soft_wrap=True)


def time_left(step: Step, gone_s: float) -> str:
    """An estimate in words: from the last build of this model, else from the share that is done; "" without either."""
    if step.before_s is not None:
        left_s = step.before_s - gone_s
    elif step.share is not None and step.share > 0.02:
        left_s = gone_s * (1 - step.share) / step.share
    else:
        return "takes minutes on a Jetson" if step.name == "build" else ""
    return f"about {max(left_s, 1) / 60:.0f} min left" if left_s > 90 else f"about {max(left_s, 1):.0f} s left"


def _order(
    model: str | None, precision: str | None, station: Path | None, data: Path | None
) -> tuple[Bundle, str, Path]:
    """Bundle, precision and the engines' folder. Raises ConfigError with every mistake of the call."""
    config = read_station(station) if station is not None else None
    beside = station.resolve().parent if station is not None else Path.cwd()
    mistakes = []
    folder = data or (config.station.data if config is not None else None)
    if folder is None:
        cure = "name the station by --station FILE, or its data folder by --data"
        mistakes.append(Mistake("partsight build", "", "an engine belongs to a station", cure))
    wanted = precision or (station_precision(config) if config is not None else DEFAULT_PRECISION)
    if wanted not in PRECISIONS:
        mistakes.append(Mistake("--precision", "", f"{wanted!r} is unknown", f"one of {', '.join(PRECISIONS)}"))
    name = model or (config.model.bundle if config is not None else DEFAULT_MODEL)
    bundle = None
    try:
        refuse_engine_file(Path(name))
        bundle = load(find_bundle(name, beside))
        if wanted in PRECISIONS:
            bundle.spec(wanted)
    except BundleError as problem:
        mistakes.append(Mistake("MODEL", "", str(problem)))
    if mistakes or bundle is None or folder is None:
        raise ConfigError(mistakes)
    return bundle, wanted, folder / ENGINES


def refuse_engine_file(path: Path) -> None:
    """An engine from elsewhere is code from elsewhere. Raises BundleError for one, by its name or its first bytes."""
    if not path.is_file():
        return
    with path.open("rb") as file:
        told = foreign(file.read(1 << 20))
    if told or path.suffix.lower() in _ENGINE_SUFFIXES:
        raise BundleError(
            f"{path}: {told or 'is an engine, which was not built here: engines are code, only ONNX files travel'}; "
            "export the model to ONNX and make a bundle of it"
        )


def _print(bundle: Bundle, made: Made) -> None:
    out = Console(highlight=False)
    meta = made.meta
    about = f"{bundle.card.name} {bundle.card.version} in {meta.identity['precision']} on {meta.identity['gpu']}"
    if made.new:
        out.print(f"built in {meta.build_s:.0f} s: {about}", markup=False, soft_wrap=True)
    else:
        out.print(f"is there already, built {meta.built_at:%Y-%m-%d %H:%M} UTC: {about}", markup=False, soft_wrap=True)
    if meta.latency is not None:
        timed = f"p50 {meta.latency.p50_ms:.2f} ms, p99 {meta.latency.p99_ms:.2f} ms a frame"
        out.print(f"{meta.golden} golden frames answered as recorded; {timed}", markup=False, soft_wrap=True)
    out.print(f"in {made.folder}", markup=False, soft_wrap=True)
