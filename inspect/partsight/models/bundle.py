"""A bundle on disk: found by name or path, checked against its card, then given to a detector."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from partsight.domain.errors import BundleError, Mistake
from partsight.domain.model import GoldenFrame, ModelSpec
from partsight.models.card import CARD, Card, read_card

CHUNK = 1 << 20
CURE = "install the bundle again, or make a new card for the new file"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A folder whose files were what its card says when it was loaded.

    card_sha256: of card.toml itself, for the record.
    """

    folder: Path
    card: Card
    card_sha256: str

    @property
    def precisions(self) -> tuple[str, ...]:
        """The precisions that a file is there for."""
        return tuple(one.precision for one in self.card.files.values())

    def spec(self, precision: str = "fp32") -> ModelSpec:
        """How to load, feed and read the file of this precision. Raises BundleError where there is none."""
        for name, one in self.card.files.items():
            if one.precision == precision:
                return self._spec(self.folder / name, one.sha256, precision)
        raise BundleError(
            f"{self.folder / CARD}: there is no {precision} file; choose one of {', '.join(self.precisions)}"
        )

    def golden(self) -> tuple[Path, ...]:
        """The files that show what the model must answer."""
        return tuple(self.folder / one.file for one in self.card.golden)

    def _golden_frames(self) -> tuple[GoldenFrame, ...]:
        """`NAME.json` with `NAME.png` beside it."""
        known = {one.file: one.sha256 for one in self.card.golden}
        pairs = [(PurePosixPath(name).with_suffix(".png"), name) for name in known if name.endswith(".json")]
        return tuple(
            GoldenFrame(self.folder / picture, known[str(picture)], self.folder / answer, known[answer])
            for picture, answer in pairs
            if str(picture) in known
        )

    def _spec(self, path: Path, sha256: str, precision: str) -> ModelSpec:
        card = self.card
        thresholds: Mapping[str, float] = MappingProxyType(dict(card.thresholds))
        return ModelSpec(
            name=card.name,
            version=card.version,
            path=path,
            sha256=sha256,
            precision=precision,
            classes=card.classes,
            width=card.input.width,
            height=card.input.height,
            output=card.output.format,
            thresholds=thresholds,
            input_name=card.input.name,
            colour=card.input.colour,
            scale=card.input.scale,
            pad=card.input.letterbox_pad,
            floor=card.floor,
            nms_iou=card.output.nms_iou,
            max_detections=card.output.max_detections,
            golden=self._golden_frames(),
        )


def load(folder: Path) -> Bundle:
    """Read the card and check the hash of every file that it names, before anything parses one.

    Raises BundleError with every file that is missing, changed, or outside the folder.
    """
    path = folder / CARD
    if not folder.is_dir():
        raise BundleError(f"{folder}: is not a folder; a bundle is a folder with a {CARD}")
    card = read_card(path)
    wanted = {name: one.sha256 for name, one in card.files.items()} | {one.file: one.sha256 for one in card.golden}
    mistakes = [mistake for name, sha256 in wanted.items() if (mistake := _mistake(folder, name, sha256))]
    if mistakes:
        raise BundleError("\n".join(map(str, mistakes)))
    return Bundle(folder, card, hash_file(path))


def find(name_or_path: str | Path, search: Sequence[Path] | None = None) -> Path:
    """The folder of a bundle: a path, or a name that is looked up in `search` (default: `places()`).

    Raises BundleError that names every place where it looked.
    """
    text = str(name_or_path)
    try:
        path = Path(text).expanduser()
    except RuntimeError:
        raise BundleError(f"{text}: there is no such user, or no home folder; give a bundle's name or folder") from None
    if isinstance(name_or_path, str) and "/" not in text and "\\" not in text and text not in {"", ".", ".."}:
        looked = [place / text for place in (places() if search is None else search)]
    else:
        looked = []
    try:
        for candidate in (*looked, path):
            if (candidate / CARD).is_file():
                return candidate
        # A path to the card itself, or to a file beside it, means the bundle around it.
        if path.is_file() and (path.parent / CARD).is_file():
            return path.parent
    except OSError as problem:  # a name that is too long, a folder that may not be entered
        raise BundleError(
            f"there is no model bundle {text!r}: {problem.strerror}; give a bundle's name or its folder"
        ) from problem
    tried = ", ".join(str(candidate) for candidate in (*looked, path))
    raise BundleError(f"there is no model bundle {text!r}: no {CARD} in {tried}; give a bundle's name or its folder")


def places() -> tuple[Path, ...]:
    """Where bundles lie that come with partsight: in an installed package, or in a checkout of its source."""
    package = Path(__file__).resolve().parents[1]
    known = [package / "_data" / "models"]
    if package.parent.name == "inspect":
        known.append(package.parent.parent / "models")
    return tuple(place for place in known if place.is_dir())


def hash_file(path: Path) -> str:
    """sha256 of a file's bytes, in hex. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _mistake(folder: Path, name: str, sha256: str) -> Mistake | None:
    path = folder / name
    # A link may lead out of the folder although its name does not.
    if not path.resolve().is_relative_to(folder.resolve()):
        return Mistake(str(path), "", "is a link that leaves the bundle's folder", "put the file itself there")
    if not path.is_file():
        return Mistake(str(path), "", f"is missing; {CARD} names it", CURE)
    try:
        found = hash_file(path)
    except OSError as problem:
        return Mistake(str(path), "", f"cannot be read: {problem.strerror}", "check its permissions and the disk")
    if found != sha256:
        return Mistake(str(path), "", f"sha256 is {found}, {CARD} says {sha256}: the file was changed", CURE)
    return None
