"""Image files: their names, and pixels written and read without loss.

    images/2026-11-24/000000000123-NG-0-top.png             the original
    images/2026-11-24/000000000123-NG-0-top.BayerRG8-8.png  raw Bayer pixels, never demosaiced here
    images/2026-11-24/000000000123-NG-0-top.overlay.jpg     what a person looks at

The date is the trigger's, in UTC. A file is written under a name that starts with a dot and then renamed.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import cv2
import numpy as np

from partsight.domain.errors import ImageError
from partsight.domain.frame import Frame, Grab, PixelFormat, Pixels
from partsight.domain.reasons import Reason
from partsight.domain.verdict import Result

DRAFT = ".draft-"
_NAME = re.compile(r"^(\d{12,})-(OK|NG|REVIEW|INVALID)-(\d+)-([\w.-]*?)(\.overlay\.jpg|(?:\.(\w+)-(\d+))?\.png)$", re.A)
_PLAIN = {PixelFormat.BGR8: 8, PixelFormat.MONO8: 8}
_PNG_END = b"IEND\xaeB`\x82"
_JPEG_END = b"\xff\xd9"


def original_name(sequence: int, result: Result, position: int, frame: Frame) -> str:
    """The file name of a frame; says the pixel format where the PNG itself cannot."""
    pixels = frame.grab
    plain = _PLAIN.get(pixels.format) == pixels.bit_depth
    form = "" if plain else f".{pixels.format.value}-{pixels.bit_depth}"
    return f"{stem(sequence, result, position, frame.camera)}{form}.png"


def overlay_name(sequence: int, result: Result, position: int, camera: str) -> str:
    return f"{stem(sequence, result, position, camera)}.overlay.jpg"


def stem(sequence: int, result: Result, position: int, camera: str) -> str:
    """Sorts by sequence; the position keeps two cameras apart whose names differ in odd characters only."""
    return f"{sequence:012d}-{result.value}-{position}-{safe_name(camera)}"


def safe_name(camera: str) -> str:
    """A camera's name as it stands in file names."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", camera)[:40]


def parse_name(name: str) -> tuple[int, Result] | None:
    """(sequence, result) of a file that this archive wrote, None for any other."""
    found = _NAME.match(name)
    return (int(found[1]), Result(found[2])) if found else None


def image_in(name: str) -> tuple[int, str, bool] | None:
    """(position, camera's safe name, whether it is the overlay) of a file that this archive wrote."""
    found = _NAME.match(name)
    return (int(found[3]), found[4], found[5] == ".overlay.jpg") if found else None


def encode_original(pixels: Pixels, level: int) -> bytes:
    """PNG at a compression level of 0 to 9: 8 or 16 bits, one channel or BGR."""
    _, encoded = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, level])
    return encoded.tobytes()


def read_original(path: Path) -> Grab:
    """The pixels of an original, bit for bit as the camera gave them. Raises ImageError."""
    try:
        content = path.read_bytes()
    except OSError as problem:
        raise ImageError(Reason.UNREADABLE, f"{path} cannot be read: {problem.strerror}") from problem
    return decode_original(content, str(path))


def decode_original(content: bytes, path: str) -> Grab:
    """The pixels of a file of this archive. path: where it lies; its name says the pixel format. Raises ImageError."""
    name = path.rpartition("/")[2]
    raw = np.frombuffer(content, np.uint8)
    found = cv2.imdecode(raw, cv2.IMREAD_UNCHANGED) if raw.size else None
    if found is None:
        raise ImageError(Reason.UNREADABLE, f"{path} is not a whole PNG file; it cannot be judged again")
    pixels: Pixels = np.ascontiguousarray(found, np.uint16 if found.dtype == np.uint16 else np.uint8)
    named = _NAME.match(name)
    if named and named[6]:
        return Grab(pixels, PixelFormat(named[6]), int(named[7]), name=name)
    return Grab(pixels, PixelFormat.BGR8 if pixels.ndim == 3 else PixelFormat.MONO8, name=name)


def write_whole(path: Path, content: bytes) -> None:
    """All of the file or none of it. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(DRAFT + path.name)
    try:
        draft.write_bytes(content)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def is_whole(path: Path) -> bool:
    """Whether the file ends as its format must: after a power loss its name can be there without its bytes."""
    end = _JPEG_END if path.suffix == ".jpg" else _PNG_END
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        if size < len(end):
            return False
        file.seek(size - len(end))
        return file.read() == end
