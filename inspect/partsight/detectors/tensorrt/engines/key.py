"""What an engine depends on. Another value of any of it is another engine, in another folder.

An engine is never portable: not across GPU types, TensorRT releases (all four numbers), drivers, or operating systems.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from partsight.detectors.tensorrt.api import STRONG_TYPING
from partsight.detectors.tensorrt.api import version as version_of
from partsight.detectors.tensorrt.building import BuildOptions
from partsight.detectors.tensorrt.cuda.port import DeviceFacts

SCHEMA = 1
"""Of engine folders; raised where an older partsight's engines must not be loaded any more."""
GIB = 1 << 30
_CUDA_PACKAGES = ("nvidia-cuda-runtime", "nvidia-cuda-runtime-cu13", "nvidia-cuda-runtime-cu12")


@dataclass(frozen=True, slots=True)
class Identity:
    """One engine's dependencies, plain values only.

    model_sha256: of the ONNX file that is built, and so of its input's type and batch too.
    tensorrt: all four numbers. runtime: "tensorrt", or "tensorrt-rtx", whose engines are another kind.
    memory_gib: rounded, since on a Jetson the kernel takes a little more or less of it with each release.
    board: of a Jetson, "" elsewhere. l4t: its release, "" elsewhere. driver: the kernel's; cuda_driver: 12060 for 12.6.
    """

    model: str
    model_version: str
    model_sha256: str
    precision: str
    input_name: str
    input_height: int
    input_width: int
    runtime: str
    tensorrt: str
    flags: tuple[str, ...]
    optimization_level: int
    workspace_bytes: int
    gpu: str
    compute_capability: str
    sm_count: int
    memory_gib: int
    board: str
    driver: str
    cuda_driver: int
    cuda_runtime: str
    l4t: str
    system: str
    machine: str
    dla_core: int | None = None
    schema: int = SCHEMA

    @property
    def key(self) -> str:
        """32 hex digits of the SHA-256 of these values as canonical JSON: the name of the engine's folder."""
        plain = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(plain.encode("ascii")).hexdigest()[:32]

    @property
    def device(self) -> tuple[object, ...]:
        """What a timing cache depends on: the same for every model on this device with this TensorRT."""
        return (self.runtime, self.tensorrt, self.gpu, self.compute_capability, self.sm_count, self.machine)

    def of(self, options: BuildOptions) -> Identity:
        """Of another model, file or way to build on the same device."""
        return replace(self, **_model(options, self.tensorrt))

    def differs(self, other: Identity) -> tuple[str, ...]:
        """In words, what is not the same: `tensorrt is 10.3.0.26, the engine's 10.7.0.23`."""
        pairs = ((field.name, getattr(self, field.name), getattr(other, field.name)) for field in fields(self))
        return tuple(f"{name} is {here}, the engine's {there}" for name, here, there in pairs if here != there)


def identify(
    options: BuildOptions,
    facts: DeviceFacts,
    tensorrt: str,
    *,
    runtime: str = "tensorrt",
    root: Path = Path("/"),
) -> Identity:
    """The identity of this engine on this device; tensorrt: the module's `__version__`.

    A card of the same kind in its place has the same identity: it must not stop a line for a build. Which one it was
    stands in the engine's record. root: where `etc`, `proc` and `usr` lie.
    """
    major, minor = facts.compute_capability
    return Identity(
        **_model(options, tensorrt),
        runtime=runtime,
        tensorrt=tensorrt,
        gpu=facts.name,
        compute_capability=f"{major}.{minor}",
        sm_count=facts.sm_count,
        memory_gib=round(facts.total_bytes / GIB),
        board=_text(root / "proc/device-tree/model"),
        driver=kernel_driver(root),
        cuda_driver=facts.driver_version,
        cuda_runtime=_cuda_runtime(root),
        l4t=l4t_release(root),
        system=_system(root),
        machine=platform.machine(),
    )


def _model(options: BuildOptions, tensorrt: str) -> dict[str, Any]:
    """What does not come from the device."""
    spec = options.spec
    return {
        "model": spec.name,
        "model_version": spec.version,
        "model_sha256": spec.sha256,
        "precision": spec.precision,
        "input_name": spec.input_name,
        "input_height": spec.height,
        "input_width": spec.width,
        "flags": _flags(tensorrt, spec.precision),
        "optimization_level": options.optimization_level,
        "workspace_bytes": options.workspace_bytes,
    }


def _flags(tensorrt: str, precision: str) -> tuple[str, ...]:
    """TensorRT's own names for what `building` sets, never its numbers, which moved between releases."""
    if version_of(tensorrt) >= STRONG_TYPING:
        return ("STRONGLY_TYPED",)
    return {"fp16": ("FP16",), "int8": ("FP16", "INT8")}.get(precision, ())


def kernel_driver(root: Path = Path("/")) -> str:
    """NVIDIA's kernel driver, as 570.124.06; "" where there is none or it does not say."""
    return _text(root / "sys/module/nvidia/version")


def l4t_release(root: Path = Path("/")) -> str:
    """A Jetson's Linux for Tegra, as `R36 REVISION: 4.3`; "" elsewhere."""
    first = _text(root / "etc/nv_tegra_release").partition("\n")[0].lstrip("# ")
    parts = [part.strip() for part in first.split(",")]
    release = [part.replace(" (release)", "") for part in parts if "release" in part or part.startswith("REVISION")]
    return " ".join(release)


def _cuda_runtime(root: Path) -> str:
    """The toolkit's version, or the wheel's; "" where neither is here (TensorRT then brings its own)."""
    try:
        told = json.loads((root / "usr/local/cuda/version.json").read_text("utf-8"))
        return str(told["cuda"]["version"])
    except (OSError, ValueError, KeyError, TypeError):
        return _installed(_CUDA_PACKAGES)


def _installed(packages: Sequence[str]) -> str:
    for package in packages:
        try:
            return version(package)
        except PackageNotFoundError:
            continue
    return ""


def _system(root: Path) -> str:
    """As `ubuntu 22.04`."""
    lines = _text(root / "etc/os-release").splitlines()
    told = {key: value.strip("\"'") for key, _, value in (line.partition("=") for line in lines)}
    return f"{told.get('ID', platform.system().lower())} {told.get('VERSION_ID', '')}".strip()


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip("\0 \n\t")
    except OSError:
        return ""
