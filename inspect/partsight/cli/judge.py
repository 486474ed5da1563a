"""`partsight judge`: a folder, an image or a video at full speed, judged as the station would judge it."""

from __future__ import annotations

import math
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import islice
from pathlib import Path
from typing import Annotated

import structlog
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from partsight import registry
from partsight.cameras.folder import read_image
from partsight.cli import report
from partsight.cli.logs import set_up_logs
from partsight.daemon.places import configuration_places, find_bundle, find_recipe
from partsight.detectors.auto import choose
from partsight.domain.errors import BundleError, CameraLost, ConfigError, EndOfStream, Mistake
from partsight.domain.frame import Frame, Grab
from partsight.domain.inspection import Inspection, Timings
from partsight.domain.model import ModelSpec
from partsight.domain.trigger import Trigger, TriggerKind
from partsight.domain.uid import uuid7
from partsight.models.bundle import load
from partsight.outputs.images.overlay import draw_overlay, encode_overlay
from partsight.recipes import Recipe, load_recipe
from partsight.scoring.annotations import AnnotatedSet, Sample, read_annotations
from partsight.scoring.matching import DEEPPCB_IOU
from partsight.scoring.samples import unannotated
from partsight.scoring.summary import ScoredPart, summarise
from partsight.station.judge import Judge

log = structlog.get_logger(__name__)

VIDEO_SUFFIXES = frozenset({".mp4", ".avi", ".mkv", ".mov", ".webm", ".m4v", ".mpg", ".mpeg"})
READ_AHEAD = 6
"""Decoded images that wait for the detector at most: enough to keep it busy, little memory."""
VIDEO_TIMEOUT_S = 5.0
VIDEO_PATIENCE = 3
"""A video that gives nothing for this many time-outs is given up."""
OVERLAY_NAME_BYTES = 200
OVERLAY_QUALITY = 90
"""JPEG, 0 to 100."""

EXIT_NOTHING_READ = 3


@dataclass(frozen=True, slots=True)
class Order:
    """What the command line asked for."""

    source: Path
    model: str
    precision: str
    recipe: str | None
    split: str | None
    backend: str
    threads: int
    iou: float
    camera: str | None
    mm_per_px: float | None
    csv: Path | None
    parquet: Path | None
    overlays: Path | None
    limit: int | None
    quiet: bool

    @property
    def video(self) -> bool:
        """True where the source is a video file."""
        return self.source.is_file() and self.source.suffix.lower() in VIDEO_SUFFIXES


def judge(
    source: Annotated[Path, typer.Argument(help="A folder of images, one image, a video, or a DeepPCB folder.")],
    *,
    model: Annotated[str, typer.Option(help="Model bundle: its name or its folder.")] = "pcb",
    precision: Annotated[str, typer.Option(help="The bundle's file of this precision: fp32, fp16, int8.")] = "fp32",
    recipe: Annotated[
        str | None,
        typer.Option(help="Recipe: its name or its file. Without it: the one named like the annotations or the model."),
    ] = None,
    split: Annotated[str | None, typer.Option(help="Part of an annotated set: test, trainval, val, train.")] = None,
    backend: Annotated[str, typer.Option(help="onnx, openvino, or auto for the quickest here.")] = "auto",
    threads: Annotated[int, typer.Option(min=0, max=256, help="Threads of the detector; 0: all cores.")] = 0,
    iou: Annotated[float, typer.Option(min=0.0, max=0.99, help="A box is right above this overlap.")] = DEEPPCB_IOU,
    camera: Annotated[str | None, typer.Option(help="Judge as this camera of the recipe.")] = None,
    mm_per_px: Annotated[float | None, typer.Option(min=0.000001, help="The camera's scale.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Write one line a part to this CSV file.")] = None,
    parquet: Annotated[Path | None, typer.Option(help="Write one row a part to this Parquet file.")] = None,
    overlays: Annotated[Path | None, typer.Option(help="Write a picture of each part to this folder.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Judge the first so many parts only.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """Judge images at full speed; with annotations beside them, say how well.

    Ends with 0: judged; 2: a mistake in what was asked or configured; 3: nothing could be read, or something
    that is needed (the backend's library, the video) is not there.
    """
    set_up_logs(quiet=True)
    messages = Console(stderr=True)
    order = Order(
        source=source,
        model=model,
        precision=precision,
        recipe=recipe,
        split=split,
        backend=backend,
        threads=threads,
        iou=iou,
        camera=camera,
        mm_per_px=mm_per_px,
        csv=csv,
        parquet=parquet,
        overlays=overlays,
        limit=limit,
        quiet=json,
    )
    told, rows = _carry_out(order, messages)
    if not rows:
        raise _nothing(messages, f"there is no frame in {source}")
    _write(order, rows)
    if json:
        report.print_json(told)
    else:
        report.print_tables(told)
    if told.summary.latency_ms is None:
        raise _nothing(messages, f"none of {len(rows)} images in {source} could be judged; their reasons are above")


def _nothing(messages: Console, text: str) -> typer.Exit:
    messages.print(f"[red]error:[/red] {escape(text)}", highlight=False, soft_wrap=True)
    return typer.Exit(EXIT_NOTHING_READ)


def _write(order: Order, rows: Sequence[report.Row]) -> None:
    try:
        report.write_table(rows, order.csv, order.parquet)
    except OSError as problem:
        named = str(order.csv or order.parquet)
        raise ConfigError([Mistake(named, "", f"cannot be written: {problem}", "name another file")]) from problem


def _carry_out(order: Order, messages: Console) -> tuple[report.Told, list[report.Row]]:
    """Everything that may be wrong is found before the first image. Raises ConfigError, DetectorError, CameraError."""
    _check_outputs(order)
    spec = _spec_of(order)
    annotations = _annotations_of(order, spec.classes)
    if not order.video and not annotations.samples:
        raise _nothing(messages, f"there is no image in {order.source}: name a folder that holds some")
    if order.backend not in ("auto", *registry.detector_names()):
        known = ", ".join(("auto", *registry.detector_names()))
        raise ConfigError([Mistake("--backend", "", f"{order.backend!r} is unknown", f"one of {known}")])
    rules = load_recipe(_find_recipe(order.recipe, annotations.form, spec.name), spec.classes, spec.thresholds)
    seat = order.camera or _only_camera(rules)
    with closing(choose(spec, order.backend, {"threads": order.threads})) as detector:
        detector.warm_up()
        run = _Run(Judge(detector, rules, {seat: order.mm_per_px}), seat, order)
        scored, rows = _judge_all(order, annotations, run, messages)
        reference = detector.model
    summary = summarise(scored, spec.classes, thresholds_of(rules), order.iou)
    return report.Told(summary, order.iou, reference, rules.ref, annotations, spec.classes), rows


def thresholds_of(recipe: Recipe) -> list[float]:
    """By class id: the score from which a box is a defect; infinity for classes that are none in this recipe."""
    counted = {f.class_name for view in recipe.views.values() for f in view.features if f.class_name is not None}
    return [rule.threshold if rule.enabled and rule.name not in counted else math.inf for rule in recipe.rules]


# --- what to judge, and by what -------------------------------------------------------------------


def _check_outputs(order: Order) -> None:
    """Make the folders that will be written to now: a long run must not end in a missing folder."""
    mistakes = []
    for folder in (order.csv and order.csv.parent, order.parquet and order.parquet.parent, order.overlays):
        try:
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            mistakes.append(Mistake(str(folder), "", f"cannot be made: {problem}", "name another place"))
    if mistakes:
        raise ConfigError(mistakes)


def _annotations_of(order: Order, classes: Sequence[str]) -> AnnotatedSet:
    if order.video:
        return AnnotatedSet("none", (), ())
    return read_annotations(order.source, order.split, classes)


def _spec_of(order: Order) -> ModelSpec:
    """The checked model. A wrong name or a wrong bundle is a mistake of the call, as it is in a configuration."""
    try:
        return load(find_bundle(order.model, Path.cwd())).spec(order.precision)
    except BundleError as problem:
        raise ConfigError([Mistake("--model", "", str(problem))]) from problem


def _find_recipe(wanted: str | None, form: str, model: str) -> Path:
    """The recipe that was asked for, or the ready one for annotations of this form or for this model."""
    if wanted is not None:
        return find_recipe(wanted, Path.cwd())
    names = (f"{form}.toml", f"{model}-any.toml", f"{model}.toml")
    for place in configuration_places():
        for name in names:
            if (place / "recipes" / name).is_file():
                return place / "recipes" / name
    problem = f"model {model} has no ready recipe of its own ({', '.join(names)})"
    raise ConfigError([Mistake("--recipe", "", problem, "name one: a ready one's name, or a file")])


def _only_camera(recipe: Recipe) -> str:
    if "*" in recipe.views:
        return "camera"
    if len(recipe.views) == 1:
        return next(iter(recipe.views))
    cure = f"name one by --camera: {', '.join(recipe.views)}"
    raise ConfigError([Mistake("--camera", "", f"recipe {recipe.ref.name} has views for several cameras", cure)])


# --- pixels in ------------------------------------------------------------------------------------


def _read_ahead(samples: Sequence[Sample]) -> Iterator[tuple[Sample, Grab]]:
    """Each sample with its image, in order; decoding runs ahead in a thread, so that inference sets the pace."""
    coming = iter(samples)
    waiting: deque[tuple[Sample, Future[Grab]]] = deque()
    with ThreadPoolExecutor(1, thread_name_prefix="decode") as pool:
        try:
            while True:
                for sample in islice(coming, READ_AHEAD - len(waiting)):
                    waiting.append((sample, pool.submit(read_image, sample.image)))
                if not waiting:
                    return
                sample, image = waiting.popleft()
                yield sample, image.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _video(path: Path) -> Iterator[tuple[Sample, Grab]]:
    """The frames of a video file to its end. Raises CameraUnavailable; CameraLost where not one frame came."""
    driver = registry.camera_driver("opencv")
    camera = driver(driver.Settings(source=str(path)))
    camera.open(VIDEO_TIMEOUT_S)
    number = silent = 0
    try:
        while True:
            grab = camera.grab(VIDEO_TIMEOUT_S)
            silent = silent + 1 if grab is None else 0
            if silent >= VIDEO_PATIENCE:
                raise CameraLost(f"{path}: no frame in {silent * VIDEO_TIMEOUT_S:g} s; is it still being written?")
            if grab is not None:
                number += 1
                yield unannotated(Path(f"{path}#{number}"), path.name), grab
    except EndOfStream:
        return
    except CameraLost as problem:
        if number == 0:
            raise
        log.warning("the video ended early; what came before is judged", frames=number, reason=str(problem))
    finally:
        camera.close()


# --- judging --------------------------------------------------------------------------------------


class _Run:
    """Judges one part after another, and writes its overlay."""

    def __init__(self, judge: Judge, camera: str, order: Order) -> None:
        self._judge = judge
        self._camera = camera
        self._overlays = order.overlays
        self._source = order.source
        self._limits = thresholds_of(judge.recipe)

    def part(self, sequence: int, sample: Sample, grab: Grab) -> tuple[ScoredPart, report.Row]:
        """The verdict of one image, as figures and as a row of the table."""
        arrived_ns = time.perf_counter_ns()
        trigger = Trigger(
            sequence=sequence,
            id=(sequence - 1) % 65535 + 1,
            epoch=0,
            kind=TriggerKind.FOLDER,
            at=datetime.now(timezone.utc),
            at_ns=arrived_ns,
            deadline_ns=sys.maxsize,
        )
        frame = Frame(trigger, self._camera, grab, arrived_ns)
        judged = self._judge.judge([frame])
        latency_ms = (time.perf_counter_ns() - arrived_ns) / 1e6
        verdict, view = judged.verdict, judged.views[0]
        found = view.detections
        size = grab.size if found is not None else None
        if self._overlays is not None and grab.error is None:
            timings = Timings(infer_ms=judged.infer_ms, detect_ms=judged.detect_ms, verdict_ms=latency_ms)
            model = self._judge.detector.model
            self._draw(Inspection(uuid7(), trigger, verdict, judged.views, timings, model), frame, sample)
        part = ScoredPart(sample, verdict.result, verdict.code, found, size, None if found is None else latency_ms)
        return part, report.row_of(self._name(sample), part, verdict, self._limits)

    def _name(self, sample: Sample) -> str:
        image = sample.image
        name = str(image.relative_to(self._source)) if image.is_relative_to(self._source) else str(image)
        return name.encode("utf-8", "replace").decode()  # a file name may hold bytes that no table can

    def _draw(self, inspection: Inspection, frame: Frame, sample: Sample) -> None:
        assert self._overlays is not None
        name = Path(self._name(sample)).with_suffix("").as_posix().replace("/", "__").replace("#", "-").lstrip(".")
        name = name.encode()[-OVERLAY_NAME_BYTES:].decode(errors="ignore")  # the end tells files apart
        path = self._overlays / f"{inspection.verdict.result.value}-{name}.jpg"
        picture = encode_overlay(draw_overlay(inspection, frame), OVERLAY_QUALITY)
        try:
            path.write_bytes(picture)
        except OSError as problem:
            cure = "make room, or name another folder by --overlays"
            raise ConfigError([Mistake(str(path), "", f"cannot be written: {problem}", cure)]) from problem


def _judge_all(
    order: Order, annotations: AnnotatedSet, run: _Run, messages: Console
) -> tuple[list[ScoredPart], list[report.Row]]:
    samples = annotations.samples[: order.limit]
    images = islice(_video(order.source), order.limit) if order.video else _read_ahead(samples)
    total = order.limit if order.video else len(samples)
    scored: list[ScoredPart] = []
    rows: list[report.Row] = []
    columns = (
        TextColumn("judging"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("elapsed"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=messages, transient=True, disable=order.quiet) as progress:
        task = progress.add_task("judging", total=total)
        for sequence, (sample, grab) in enumerate(images, 1):
            part, row = run.part(sequence, sample, grab)
            scored.append(part)
            rows.append(row)
            progress.advance(task)
    return scored, rows
