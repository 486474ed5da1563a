"""`partsight init [PATH]`: a first configuration from questions, and a first recipe from a picture of a good part."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from partsight import registry
from partsight.cli.devices import VideoDevice, video_devices
from partsight.cli.first_recipe import GoodPart, measure_good_part, recipe_files
from partsight.cli.first_station import Plan, as_written, refuse_existing, write_station
from partsight.cli.questions import Questions, field_of, one_of, optional
from partsight.config.station import CameraTable, StationTable, TriggerTable
from partsight.daemon.places import configuration_places, find_bundle, find_recipe
from partsight.domain.errors import ConfigError, PartsightError
from partsight.domain.trigger import TriggerKind
from partsight.models import bundle as bundles
from partsight.models.bundle import Bundle
from partsight.recipes import load_recipe

_STATION = {"name": "x", "data": "x", "recipe": "x"}
_CAMERA = {"name": "x", "driver": "x"}


@dataclass(frozen=True, slots=True)
class Given:
    """The options; None where a question is open."""

    name: str | None
    driver: str | None
    camera: str | None
    source: str | None
    width: int | None
    height: int | None
    fps: float | None
    rate_hz: float | None
    loop: bool | None
    mm_per_px: float | None
    trigger: str | None
    period_ms: float | None
    deadline_ms: float | None
    model: str | None
    backend: str | None
    data: str | None
    recipe: str | None
    picture: str | None


def init(
    path: Annotated[Path, typer.Argument(help="The configuration to write.")] = Path("station.toml"),
    *,
    name: Annotated[str | None, typer.Option(help="The station's name.")] = None,
    driver: Annotated[str | None, typer.Option(help="Camera driver: simulated, folder, opencv, ...")] = None,
    camera: Annotated[str | None, typer.Option(help="The camera's name.")] = None,
    source: Annotated[
        str | None, typer.Option(help="folder: the images. opencv: device number, video file or URL.")
    ] = None,
    width: Annotated[int | None, typer.Option(help="opencv device: pixels.")] = None,
    height: Annotated[int | None, typer.Option(help="opencv device: pixels.")] = None,
    fps: Annotated[float | None, typer.Option(help="opencv device: frames a second.")] = None,
    rate_hz: Annotated[float | None, typer.Option(help="simulated, folder: parts a second, 0 for no limit.")] = None,
    loop: Annotated[bool | None, typer.Option("--loop/--once", help="folder, video file: start again.")] = None,
    mm_per_px: Annotated[float | None, typer.Option(help="The camera's scale.")] = None,
    trigger: Annotated[str | None, typer.Option(help="free-run, timer, folder or call.")] = None,
    period_ms: Annotated[float | None, typer.Option(help="For --trigger timer.")] = None,
    deadline_ms: Annotated[float | None, typer.Option(help="From the trigger to the last moment of a pass.")] = None,
    model: Annotated[str | None, typer.Option(help="Model bundle: its name or its folder.")] = None,
    backend: Annotated[str | None, typer.Option(help="auto, onnx or openvino.")] = None,
    data: Annotated[str | None, typer.Option(help="Folder for records and images.")] = None,
    recipe: Annotated[
        str | None, typer.Option(help="A ready recipe's name or file; with --picture the name of the new one.")
    ] = None,
    picture: Annotated[str | None, typer.Option(help="Make a first recipe from this picture of a good part.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing, take the defaults.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that are there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """Write a first configuration to PATH, from questions; every question has an option too.

    Exit status 2: an answer is wrong, or a file is in the way (it is not touched).
    """
    refuse_existing([path], force=force)
    given = Given(
        name,
        driver,
        camera,
        source,
        width,
        height,
        fps,
        rate_hz,
        loop,
        mm_per_px,
        trigger,
        period_ms,
        deadline_ms,
        model,
        backend,
        data,
        recipe,
        picture,
    )
    plan, recipe_content = _Interview(given, path, Questions(ask=not yes)).hold()
    written = write_station(path, plan, recipe_content, force=force)
    if as_json:
        files = [str(file) for file in written]
        sys.stdout.write(json.dumps({"config": str(path), "files": files, "recipe": plan.recipe}) + "\n")
        return
    console = Console(highlight=False)
    for file in written:
        console.print(f"wrote {file}", markup=False, soft_wrap=True)
    console.print(f"next: partsight check {path}    partsight run {path}", markup=False, soft_wrap=True)


class _Interview:
    """The questions in their order; later ones have defaults that depend on earlier answers."""

    def __init__(self, given: Given, path: Path, questions: Questions) -> None:
        self._given = given
        self._path = path
        self._folder = path.resolve().parent
        self._questions = questions
        self._devices: list[VideoDevice] = video_devices()

    def hold(self) -> tuple[Plan, Mapping[Path, bytes]]:
        """The answers, and the files of the new recipe where one is wanted. Raises ConfigError."""
        ask, given = self._questions.answer, self._given
        name = ask("--name", "Station name", "station-1", field_of(StationTable, "name", _STATION), given.name)
        driver = self._driver()
        camera = ask("--camera", "Camera name", "top", field_of(CameraTable, "name", _CAMERA), given.camera)
        settings = self._settings(driver)
        a_scale = optional(field_of(CameraTable, "mm_per_px", _CAMERA))
        scale = ask("--mm-per-px", "Scale, mm a pixel (empty: unknown)", "", a_scale, given.mm_per_px)
        finite = driver == "folder" or (driver == "opencv" and Path(str(settings["source"])).is_file())
        kind, period_ms = self._trigger(TriggerKind.FOLDER if finite else TriggerKind.FREE_RUN)
        deadline = field_of(StationTable, "deadline_ms", _STATION)
        deadline_ms = ask("--deadline-ms", "Deadline, ms after the trigger", "500", deadline, given.deadline_ms)
        bundle_text, bundle = ask("--model", "Model bundle", "pcb", self._bundle, given.model)
        known = ("auto", *registry.detector_names())
        backend = ask("--backend", f"Backend ({', '.join(known)})", "auto", one_of(known), given.backend)
        data = ask("--data", "Data folder", str(self._path.parent / f"{self._path.stem}-data"), _named, given.data)
        recipe, content = self._recipe(name, driver, bundle)
        self._questions.finish()
        plan = Plan(
            name=name,
            data=as_written(data, self._folder),
            recipe=recipe,
            deadline_ms=deadline_ms,
            bundle=bundle_text,
            backend=backend,
            camera=camera,
            driver=driver,
            trigger=kind,
            period_ms=period_ms,
            mm_per_px=scale,
            settings=settings,
        )
        return plan, content

    # --- camera ---------------------------------------------------------------------------------

    def _driver(self) -> str:
        usable = [device for device in self._devices if device.usable]
        if self._questions.asks and self._given.driver is None:
            typer.echo("Cameras that were found here:", err=True)
            for device in self._devices:
                why = "" if device.usable else " (may not be opened by this user: add it to the group 'video')"
                typer.echo(f"  {device.path}  {device.name}{why}", err=True)
            if not self._devices:
                typer.echo("  none on USB; a network stream, a folder of images or the simulation still work", err=True)
        known = registry.camera_names()
        text = f"Camera driver ({', '.join(known)})"
        return self._questions.answer(
            "--driver", text, "opencv" if usable else "simulated", _importable, self._given.driver
        )

    def _settings(self, driver: str) -> dict[str, Any]:
        """The driver's own table; a driver that others add keeps its defaults."""
        if driver == "simulated":
            return self._asked(driver, {}, ("rate_hz", "Parts a second", "5", self._given.rate_hz))
        if driver == "folder":
            text = "Folder of images"
            images = self._questions.answer("--source", text, ".", _existing, self._given.source)
            path = {"path": as_written(images, self._folder)}
            rate = ("rate_hz", "Images a second (0: as fast as they are judged)", "0", self._given.rate_hz)
            return path | self._asked(driver, path, rate, self._loop())
        if driver == "opencv":
            return self._opencv()
        return {}

    def _opencv(self) -> dict[str, Any]:
        first = next((str(device.number) for device in self._devices if device.usable), "0")
        text = "Source (device number, video file, rtsp:// or http:// URL)"
        source: int | str = self._questions.answer("--source", text, first, _source, self._given.source)
        chosen: dict[str, Any] = {"source": source}
        given = self._given
        if isinstance(source, int) or source.startswith("/dev/"):
            size = "as the device gives it" if not self._questions.asks else "empty: as the device gives it"
            wanted = [
                ("width", f"Width in pixels ({size})", "", given.width),
                ("height", f"Height in pixels ({size})", "", given.height),
                ("fps", f"Frames a second ({size})", "", given.fps),
            ]
            return chosen | self._asked("opencv", chosen, *wanted)
        if "://" not in source:
            return chosen | self._asked("opencv", chosen, self._loop())
        return chosen

    def _loop(self) -> tuple[str, str, str, str | None]:
        loop = self._given.loop
        return "loop", "Start again at the end (true, false)", "false", None if loop is None else str(loop)

    def _asked(
        self, driver: str, others: Mapping[str, Any], *wanted: tuple[str, str, str, str | float | None]
    ) -> dict[str, Any]:
        """Each (key, question, default, option) checked by the driver's settings; empty ones are left out."""
        table = registry.camera_driver(driver).Settings
        answers = {}
        for key, text, default, given in wanted:
            check = optional(field_of(table, key, others))
            value = self._questions.answer(f"--{key.replace('_', '-')}", text, default, check, given)
            if value is not None:
                answers[key] = value
        return answers

    # --- trigger, model, recipe -------------------------------------------------------------------

    def _trigger(self, default: TriggerKind) -> tuple[TriggerKind, float]:
        given = self._given
        kinds = ", ".join(kind.value for kind in TriggerKind)
        check = field_of(TriggerTable, "kind", {})
        kind = self._questions.answer("--trigger", f"Trigger ({kinds})", default.value, check, given.trigger)
        period = field_of(TriggerTable, "period_ms", {})
        if kind is not TriggerKind.TIMER:
            return kind, float(period("200"))
        return kind, self._questions.answer("--period-ms", "Period, ms", "200", period, given.period_ms)

    def _bundle(self, text: str) -> tuple[str, Bundle]:
        """What the configuration has, and the bundle, whose files hold what its card says."""
        folder = find_bundle(text, Path.cwd())
        bundle = bundles.load(folder)
        by_name = "/" not in text and folder.resolve() != Path(text).resolve()
        return (text if by_name else str(folder.resolve())), bundle

    def _recipe(self, station: str, driver: str, bundle: Bundle) -> tuple[str, Mapping[Path, bytes]]:
        """The recipe's name or file, and the files of a new one."""
        ready, given = self._ready_recipe(driver, bundle), self._given
        ask = self._questions.answer

        def picture_of(text: str) -> GoodPart | None:
            if text:
                return measure_good_part(Path(text))
            if ready is None and given.recipe is None:
                raise ValueError(
                    f"no ready recipe fits the classes of model {bundle.card.name}: give a picture of a good part, "
                    "or a recipe by --recipe"
                )
            return None

        part = ask("--picture", "Picture of a good part (empty: a ready recipe)", "", picture_of, given.picture)
        if part is not None:
            check = field_of(StationTable, "name", _STATION)
            name = ask("--recipe", "Name of the new recipe", station, check, given.recipe)
            return name, recipe_files(part, name, bundle.card.classes)

        def fits(text: str) -> str:
            file = self._find_recipe(text)
            load_recipe(file, bundle.card.classes, bundle.card.thresholds)
            return as_written(str(file), self._folder) if Path(text).suffix == ".toml" else text

        return ask("--recipe", "Recipe", ready or "", fits, given.recipe), {}

    def _find_recipe(self, text: str) -> Path:
        """A file counts from where the person is, a name from the configuration's folder."""
        here = Path(text).expanduser()
        return here if here.suffix == ".toml" and here.is_file() else find_recipe(text, self._folder)

    def _ready_recipe(self, driver: str, bundle: Bundle) -> str | None:
        """The name of a recipe that comes with partsight and fits the model; None where none does.

        The demo's recipe is for the simulated board only.
        """
        names = {file.stem for place in configuration_places() for file in (place / "recipes").glob("*.toml")}
        demo = {"demo-board"} & names
        for name in sorted(demo if driver == "simulated" else names - demo):
            try:
                load_recipe(find_recipe(name, self._folder), bundle.card.classes, bundle.card.thresholds)
            except ConfigError:
                continue
            return name
        return None


def _importable(name: str) -> str:
    try:
        registry.camera_driver(name)
    except PartsightError as problem:
        raise ValueError(str(problem)) from problem
    return name


def _named(text: str) -> str:
    if not text:
        raise ValueError("a name is needed")
    if Path(text).expanduser().is_file():
        raise ValueError(f"{text} is a file; name a folder")
    return text


def _existing(text: str) -> str:
    if not text or not Path(text).expanduser().exists():
        raise ValueError(f"there is no folder or file {text!r}")
    return text


def _source(text: str) -> int | str:
    """A device number, a device's path, a URL as it is, or a file by its absolute path.

    A relative one would count from wherever the station is started.
    """
    if text.isdigit():
        return int(text)
    if "://" in text or text.startswith("/dev/"):
        return text
    return str(Path(_existing(text)).expanduser().resolve())
