"""Camera devices on this machine, by the names that the kernel gives them; none is opened."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

_DEVICE = re.compile(r"video(\d+)\Z")


@dataclass(frozen=True, slots=True)
class VideoDevice:
    """A V4L2 device. `usable`: this user may read and write it."""

    number: int
    path: str
    name: str
    usable: bool


def video_devices(root: Path = Path("/")) -> list[VideoDevice]:
    """/dev/video* that give pictures, in order. A camera's further nodes (metadata) are left out.

    root: where `dev` and `sys` lie.
    """
    found = []
    for device in (root / "dev").glob("video*"):
        match = _DEVICE.match(device.name)
        about = root / "sys/class/video4linux" / device.name
        if match is None or _text(about / "index") not in {"", "0"}:
            continue
        usable = os.access(device, os.R_OK | os.W_OK)
        found.append(VideoDevice(int(match[1]), str(device), _text(about / "name") or "unnamed", usable))
    return sorted(found, key=lambda one: one.number)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return ""
