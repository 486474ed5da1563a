"""The card of a model bundle, `card.toml`: what is in the folder, how to feed it, where it comes from."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

import tomlkit
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from tomlkit.exceptions import TOMLKitError

from partsight.domain.errors import BundleError, Mistake
from partsight.domain.model import OutputFormat

CARD = "card.toml"
MAX_CARD_BYTES = 1 << 20

Precision = Literal["fp32", "fp16", "bf16", "int8"]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Share = Annotated[float, Field(gt=0, lt=1)]
Text = Annotated[str, Field(min_length=1)]
Side = Annotated[int, Field(ge=32, le=8192, multiple_of=32)]


def _inside(name: str) -> str:
    """A file name that cannot leave the bundle's folder."""
    path = PurePosixPath(name)
    if not path.parts or path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name or "\0" in name:
        raise ValueError(f"{name!r} leaves the bundle's folder; name a file inside it")
    return name


FileName = Annotated[str, AfterValidator(_inside)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CardFile(_Table):
    """One model file."""

    sha256: Sha256
    precision: Precision


class CardInput(_Table):
    """How the model is fed: float NCHW, bytes times `scale`, the letterbox's border in grey `letterbox_pad`."""

    name: Text = "images"
    width: Side
    height: Side
    colour: Literal["RGB", "BGR"] = "RGB"
    layout: Literal["NCHW"] = "NCHW"
    scale: Annotated[float, Field(gt=0, le=1)] = 1 / 255
    letterbox_pad: Annotated[int, Field(ge=0, le=255)] = 114


class CardOutput(_Table):
    """How the model's output is read. `nms_iou` is for anchors only."""

    format: OutputFormat
    nms_iou: Share = 0.45
    max_detections: Annotated[int, Field(ge=1, le=3000)] = 300


class CardGolden(_Table):
    """A file that shows what the model must answer. `reference`: what the answer was made with."""

    file: FileName
    sha256: Sha256
    reference: str = ""


class Card(_Table):
    """Everything that the folder claims. `training` and `scores` are free tables for people to read.

    floor: boxes under this score are not kept; no threshold can lie below it.
    thresholds: one for each class, used where a recipe gives none.
    """

    schema_: Literal[1] = Field(alias="schema")
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    version: Text
    task: Literal["detect"]
    architecture: Text
    classes: Annotated[tuple[Text, ...], Field(min_length=1, max_length=1000)]
    licence: Text
    licence_note: str = ""
    floor: Share = 0.05
    files: Annotated[dict[FileName, CardFile], Field(min_length=1)]
    input: CardInput
    output: CardOutput
    thresholds: dict[str, Share]
    training: dict[str, Any] = Field(default_factory=dict)
    scores: dict[str, Any] = Field(default_factory=dict)
    golden: tuple[CardGolden, ...] = ()

    @model_validator(mode="after")
    def _fits_together(self) -> Card:
        problems = []
        if len(set(self.classes)) < len(self.classes):
            problems.append("classes: a name stands there twice")
        if missing := [name for name in self.classes if name not in self.thresholds]:
            problems.append(f"thresholds: none for {', '.join(missing)}")
        if strange := [name for name in self.thresholds if name not in self.classes]:
            problems.append(f"thresholds: {', '.join(strange)} is not among the classes")
        if low := [name for name, value in self.thresholds.items() if value < self.floor]:
            problems.append(f"thresholds: {', '.join(low)} lies under the floor {self.floor:g}")
        precisions = [one.precision for one in self.files.values()]
        if len(set(precisions)) < len(precisions):
            problems.append("files: two files have the same precision")
        if problems:
            raise ValueError("; ".join(problems))
        return self


def read_card(path: Path) -> Card:
    """Read `card.toml`. Raises BundleError with every mistake in it."""
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_CARD_BYTES + 1)
    except OSError as problem:
        raise BundleError(f"{path}: cannot be read: {problem}; a bundle is a folder with a {CARD}") from problem
    if len(content) > MAX_CARD_BYTES:
        raise BundleError(f"{path}: is larger than 1 MiB, which no card is; install the bundle again")
    try:
        table = tomlkit.parse(content.decode()).unwrap()
    except (TOMLKitError, ValueError, RecursionError) as problem:
        raise BundleError(f"{path}: is not TOML: {problem}; correct it or install the bundle again") from problem
    try:
        return Card.model_validate(table)
    except ValidationError as problem:
        # The values themselves stay out of the message where pydantic repeats them: its `msg` does not.
        mistakes = [Mistake(str(path), ".".join(map(str, one["loc"])), one["msg"]) for one in problem.errors()]
        raise BundleError("\n".join(map(str, mistakes))) from problem


def write_card(folder: Path, card: Card) -> Path:
    """Write `card.toml` into the folder, whole or not at all. Returns its path; raises OSError."""
    document = tomlkit.document()
    for key, value in _plain(card).items():
        document.add(key, value)
    target = folder / CARD
    handle, name = tempfile.mkstemp(dir=folder, prefix=".card-", suffix=".toml")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(tomlkit.dumps(document))
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(0o644)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return target


def _plain(card: Card) -> Mapping[str, Any]:
    """The card in the order of TOML: plain values first, then tables."""
    content = card.model_dump(mode="json", by_alias=True, exclude={"training", "scores"})
    # Free tables may hold dates, which JSON would turn into text.
    content |= {"training": card.training, "scores": card.scores}
    if not content["golden"]:
        del content["golden"]
    tables = {key: value for key, value in content.items() if isinstance(value, dict) or key == "golden"}
    return {key: value for key, value in content.items() if key not in tables} | tables
