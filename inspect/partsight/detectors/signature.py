"""What a model file really takes and gives, held against its card before a part is judged with it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from partsight.domain.errors import BundleError
from partsight.domain.model import ModelSpec, OutputFormat

FLOATS = ("float32", "float16")
"""Element types of inputs and outputs that are fed and read."""


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output of a loaded model. dtype by numpy's names; a dimension is None where it is free."""

    name: str
    dtype: str
    shape: tuple[int | None, ...]

    def __str__(self) -> str:
        shape = ", ".join("?" if n is None else str(n) for n in self.shape)
        return f"{self.name!r} {self.dtype} ({shape})"


def read_checked(spec: ModelSpec) -> bytes:
    """The model file's bytes, which are what the card's hash says. Raises BundleError.

    A backend parses these bytes and never the file: what was checked is what runs.
    """
    try:
        content = spec.path.read_bytes()
    except OSError as problem:
        raise BundleError(f"{spec.path}: cannot be read: {problem}; install the bundle again") from problem
    found = hashlib.sha256(content).hexdigest()
    if found != spec.sha256:
        raise BundleError(
            f"{spec.path}: sha256 is {found}, the card says {spec.sha256}; the file was changed or cut off: "
            "install the bundle again"
        )
    return content


def check_ports(spec: ModelSpec, inputs: tuple[Port, ...], outputs: tuple[Port, ...]) -> int:
    """The number of images that the model takes at once, 1 where it is free. Raises BundleError."""
    if len(inputs) != 1 or len(outputs) != 1:
        raise BundleError(
            f"{spec.path}: has inputs {_listed(inputs)} and outputs {_listed(outputs)}; one of each is needed. "
            "Export the detection model without its masks or other heads"
        )
    port = inputs[0]
    wanted = (port.shape[0] if port.shape else None, 3, spec.height, spec.width)
    fits = len(port.shape) == 4 and all(n is None or n == m for n, m in zip(port.shape, wanted, strict=True))
    if port.name != spec.input_name or port.dtype not in FLOATS or not fits:
        raise BundleError(
            f"{spec.path}: the input is {port}, the card says {spec.input_name!r} float32 or float16 "
            f"(n, 3, {spec.height}, {spec.width}); correct [input] in the card or export the model again"
        )
    if outputs[0].dtype not in FLOATS:
        raise BundleError(
            f"{spec.path}: the output is {outputs[0]}; float32 or float16 is needed: export the model again"
        )
    return port.shape[0] or 1


def check_output(spec: ModelSpec, shape: tuple[int, ...], batch: int) -> None:
    """Hold the shape of a real output against the card. Raises BundleError."""
    rows = 4 + len(spec.classes)
    end2end = len(shape) == 3 and shape[0] == batch and shape[2] == 6
    anchors = len(shape) == 3 and shape[0] == batch and shape[1] == rows
    if end2end if spec.output is OutputFormat.END2END else anchors:
        return
    wanted = f"({batch}, boxes, 6)" if spec.output is OutputFormat.END2END else f"({batch}, {rows}, anchors)"
    other = "anchors" if anchors else "end2end" if end2end else ""
    cure = f"set output.format = {other!r} in the card" if other else "correct the card's classes or export again"
    says = f"{spec.output.value!r} with {len(spec.classes)} classes is {wanted}"
    raise BundleError(f"{spec.path}: the output is {shape}; by the card {says}: {cure}")


def _listed(ports: tuple[Port, ...]) -> str:
    return ", ".join(map(str, ports)) or "none"
