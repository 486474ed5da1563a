"""Reviewed parts as training data in YOLO's form, written as a zip archive piece by piece.

    data.yaml                     classes and where the images are
    images/000000000123-9f3c01ab-0-top.png
    labels/000000000123-9f3c01ab-0-top.txt    class cx cy w h, relative to the image
    missing.txt                   images that are not kept any more, if there are any

An empty label file says that nothing is wrong in the picture. Only parts whose boxes a person has looked at are in it.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

import cv2

from partsight.api.images import open_image
from partsight.api.parts import image_files
from partsight.domain.errors import ImageError, UnknownRecord
from partsight.domain.frame import Frame
from partsight.domain.inspection import Inspection
from partsight.outputs.images.files import decode_original, safe_name
from partsight.outputs.images.overlay import to_bgr8
from partsight.wire.screen.message import Box
from partsight.wire.screen.parts import Disposition

_PNG = b"\x89PNG\r\n\x1a\n"


class _Sink(io.RawIOBase):
    """Takes what the archive writes until it is fetched. It cannot be sought: the archive is read as it comes."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, piece: object) -> int:
        content = bytes(memoryview(piece))  # type: ignore[arg-type]  # whatever has a buffer, as the base class says
        self._pieces.append(content)
        return len(content)

    def fetch(self) -> bytes:
        content = b"".join(self._pieces)
        self._pieces.clear()
        return content


class Dataset:
    """An archive under way. Holds one image at a time, and some 300 bytes of each file that is in it.

    classes: of the model, whose numbers the labels have; a class that only an earlier model knew comes after them.
    """

    def __init__(self, folder: Path, classes: Sequence[str]) -> None:
        self._folder = folder
        self._numbers = {name: number for number, name in enumerate(classes)}
        self._missing: list[str] = []
        self._sink = _Sink()
        self._zip = zipfile.ZipFile(self._sink, "w", zipfile.ZIP_STORED)

    def add(self, inspection: Inspection, said: Disposition, camera: str) -> bytes:
        """One camera's picture and label; the next piece of the archive."""
        place = [c for c, kind in image_files(inspection) if kind == "original"].index(camera)
        sequence = inspection.trigger.sequence
        try:
            image, (width, height) = self._image(inspection, camera)
        except (UnknownRecord, ImageError) as problem:
            self._missing.append(f"{sequence} {camera}: {problem}")
            return b""
        boxes = [box for box in said.boxes or () if box.camera == camera]
        lines = [_line(self._numbers.setdefault(b.label, len(self._numbers)), b.box, width, height) for b in boxes]
        stem = f"{sequence:012d}-{inspection.uid.hex[-8:]}-{place}-{safe_name(camera)}"
        self._put(f"images/{stem}.png", image, said)
        self._put(f"labels/{stem}.txt", "".join(lines).encode(), said)
        return self._sink.fetch()

    def finish(self) -> bytes:
        """The last piece."""
        names = "".join(f"  {number}: {json.dumps(name)}\n" for name, number in self._numbers.items())
        told = "# val is the same folder: split it as you need\n"
        self._zip.writestr("data.yaml", f"path: .\ntrain: images\nval: images\n{told}names:\n{names}")
        if self._missing:
            self._zip.writestr("missing.txt", "\n".join(self._missing) + "\n")
        self._zip.close()
        return self._sink.fetch()

    def _image(self, inspection: Inspection, camera: str) -> tuple[bytes, tuple[int, int]]:
        """A PNG that every tool reads, and its (width, height). Raises UnknownRecord, ImageError."""
        kept = open_image(self._folder, inspection, camera, "original")
        with kept.file:
            content = kept.file.read()
        if kept.name.count(".") == 1 and content[:8] == _PNG:
            return content, (int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big"))
        # Raw pixels of a camera: as the detector gets them.
        image = to_bgr8(Frame(inspection.trigger, camera, decode_original(content, kept.name), 0))
        _, encoded = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 1])
        return encoded.tobytes(), (image.shape[1], image.shape[0])

    def _put(self, name: str, content: bytes, said: Disposition) -> None:
        at = said.at
        info = zipfile.ZipInfo(name, (max(at.year, 1980), at.month, at.day, at.hour, at.minute, at.second))
        self._zip.writestr(info, content)


def _line(number: int, box: Box, width: int, height: int) -> str:
    x1, y1, x2, y2 = box
    values = ((x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height)
    return f"{number} " + " ".join(f"{value:.6f}" for value in values) + "\n"
