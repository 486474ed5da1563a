"""A bundle with its model in more precisions, in a folder of its own: the bundle that it comes from stays as it is."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import onnxruntime as ort

from partsight.domain.errors import BundleError
from partsight.models.bundle import Bundle, hash_file, load
from partsight.models.card import CardFile, Precision, write_card
from partsight.models.precisions.graph import fixed, lint, opset_of
from partsight.models.precisions.half import half, watch
from partsight.models.precisions.quantised import Planes, quantised

IMAGES_LEAST = 16
"""Under this many images the largest activation is chance."""
IMAGES_WANTED = 500
"""NVIDIA's figure for convolutional networks."""
SOURCE: Precision = "fp32"


@dataclass(frozen=True, slots=True)
class Calibration:
    """The images that int8 takes its ranges from. `open` gives them anew, as the model is fed.

    name: what the card says they are. sha256: over the hashes of the files, in order.
    """

    name: str
    sha256: str
    count: int
    open: Callable[[], Iterable[Planes]]


def digest(files: Sequence[Path]) -> str:
    """One sha256 for these files' content, in order. Raises OSError."""
    whole = hashlib.sha256()
    for file in files:
        whole.update(bytes.fromhex(hash_file(file)))
    return whole.hexdigest()


def convert(
    bundle: Bundle,
    wanted: Sequence[Precision],
    target: Path,
    calibration: Calibration | None,
    *,
    samples: Callable[[], Iterable[Planes]],
    approve: Callable[[Bundle], None],
) -> Bundle:
    """Make the folder `target`, whole or not at all: the bundle's files, and one more for each precision wanted.

    calibration: needed for int8. samples: some images, to see how large values grow.
    approve: sees the new bundle before it gets its name, and raises to refuse it.
    Raises BundleError (no fp32 file, nothing TensorRT would take), OSError, FileExistsError, and what `samples`,
    `calibration.open` and `approve` raise.
    """
    if target.exists():
        raise FileExistsError(f"{target}: is there already")
    spec = bundle.spec(SOURCE)
    source = fixed(_read(spec.path, spec.sha256), spec)
    watch(source, samples(), str(spec.path))
    with _folder_beside(target) as folder:
        _copy(bundle, folder)
        card = bundle.card
        files, training = dict(card.files), dict(card.training)
        for precision in wanted:
            name = f"model-{precision}.onnx"
            model = _made(source, precision, calibration, str(spec.path))
            _write(folder / name, model.SerializeToString(deterministic=True))
            for old in [old for old, one in files.items() if one.precision == precision]:
                del files[old]
            files[name] = CardFile(sha256=hash_file(folder / name), precision=precision)
            training[precision] = _provenance(spec.sha256, opset_of(model), precision, calibration)
        for name in set(bundle.card.files) - set(files):
            (folder / name).unlink()
        write_card(folder, card.model_copy(update={"files": files, "training": training}))
        approve(load(folder))
    return load(target)


def _made(source: Any, precision: Precision, calibration: Calibration | None, where: str) -> Any:
    if precision == "int8":
        if calibration is None:
            raise BundleError(f"{where}: int8 needs images to take its ranges from; name a folder by --calibrate")
        source = quantised(source, calibration.open(), where)
    model = half(source, where)
    lint(model, where)
    return model


def _provenance(sha256: str, opset: int, precision: Precision, calibration: Calibration | None) -> dict[str, Any]:
    made: dict[str, Any] = {
        "from_sha256": sha256,
        "opset": opset,
        "made_with": f"onnx {onnx.__version__}, onnxruntime {ort.__version__}",
    }
    if precision == "int8" and calibration is not None:
        made |= {"images": calibration.count, "images_of": calibration.name, "images_sha256": calibration.sha256}
    return made


def _read(path: Path, sha256: str) -> bytes:
    """The bytes that the card's hash is of: what was checked is what is converted."""
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise BundleError(f"{path}: was changed while it was read; start again")
    return content


def _copy(bundle: Bundle, folder: Path) -> None:
    named = [*bundle.card.files, *(one.file for one in bundle.card.golden)]
    beside = [one.name for one in bundle.folder.iterdir() if one.is_file() and one.stem in ("LICENSE", "README")]
    for name in {*named, *beside}:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        _write(folder / name, (bundle.folder / name).read_bytes())


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


@contextmanager
def _folder_beside(target: Path) -> Iterator[Path]:
    """A hidden folder that gets the target's name at the end; nothing of it stays where something goes wrong."""
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        yield folder
        folder.chmod(0o755)
        folder.rename(target)
        parent = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(parent)
        finally:
            os.close(parent)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
