"""The machine as the kernel describes it: processor, memory, accelerators, clock, disk. Files and system calls only."""

from __future__ import annotations

import ctypes
import math
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from partsight.cli.observation import Observation, note, ok, problem

MB = 1_000_000
MIB = 1 << 20
_INTERESTING = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
_INTERESTING_ARM = ("asimd", "asimdhp", "asimddp", "bf16", "i8mm", "sve")
STATION_MIB = 400
"""Resident memory that a running station may take."""
DISK_STOPS_MB, DISK_LOW_MB = 50, 1000
SLOW_FLUSH_MS = 20.0
FLUSHES = 40
COMMIT_BYTES = 16 * 1024
"""What one commit adds to SQLite's log: three or four pages of 4 KiB."""
_FLUSH_LIMIT_S = 3.0
_STA_UNSYNC = 0x40
_LOCAL_RAM = {"tmpfs", "ramfs"}
_NETWORK = {"nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p"}


def hardware(root: Path = Path("/")) -> Iterator[Observation]:
    """Processor, memory and accelerators. root: where `proc`, `sys`, `dev` and `etc` lie."""
    yield _processor(root)
    yield from _memory(root)
    yield from _accelerators(root)


def _processor(root: Path) -> Observation:
    fields = _fields(root / "proc/cpuinfo")
    name = fields.get("model name") or fields.get("Model") or _text(root / "proc/device-tree/model") or "unnamed"
    flags = set((fields.get("flags") or fields.get("Features") or "").split())
    known = _INTERESTING if "flags" in fields else _INTERESTING_ARM
    has = [flag for flag in known if flag in flags]
    cores = len(os.sched_getaffinity(0))
    quota = _text(root / "sys/fs/cgroup/cpu.max").split()
    limit = ""
    if len(quota) == 2 and quota[0].isdigit() and quota[1].isdigit():
        limit = f", limited to {int(quota[0]) / int(quota[1]):g} by a control group"
    bf16 = "bf16 in hardware" if {"avx512_bf16", "amx_bf16", "bf16"} & flags else "no bf16 in hardware"
    text = f"{name}, {platform.machine()}, {cores} cores{limit}; {' '.join(has) or 'no vector extensions'}; {bf16}"
    return ok("hardware", "processor", text)


def _memory(root: Path) -> Iterator[Observation]:
    fields = _fields(root / "proc/meminfo")
    kib = {key: int(value.split()[0]) for key, value in fields.items() if value and value.split()[0].isdigit()}
    if "MemTotal" not in kib:
        yield note("hardware", "memory", "the kernel does not say how much there is")
        return
    total, free = kib["MemTotal"] // 1024, kib.get("MemAvailable", 0) // 1024
    text = f"{total} MiB, {free} MiB available"
    limit = _text(root / "sys/fs/cgroup/memory.max")
    if limit.isdigit():
        text += f", limited to {int(limit) // MIB} MiB by a control group"
        free = min(free, int(limit) // MIB)
    if free < STATION_MIB:
        yield note("hardware", "memory", text, f"a station takes up to {STATION_MIB} MiB: end other programs")
    else:
        yield ok("hardware", "memory", text)


def _accelerators(root: Path) -> Iterator[Observation]:
    jetson = _text(root / "etc/nv_tegra_release").splitlines()
    if jetson:
        model = _text(root / "proc/device-tree/model") or "Jetson"
        yield ok("hardware", "Jetson", f"{model}, {jetson[0].lstrip('# ')}")
    driver = _text(root / "proc/driver/nvidia/version").splitlines()
    devices = sorted(device.name for device in (root / "dev").glob("nvidia[0-9]*"))
    if driver:
        yield ok("hardware", "NVIDIA driver", f"{driver[0]}; devices: {', '.join(devices) or 'none'}")
    elif not jetson:
        yield note("hardware", "NVIDIA", "no driver here; models run on the processor")
    if driver and not devices and not jetson:
        cure = "run nvidia-smi as root once, or start the container with its GPUs"
        yield note("hardware", "NVIDIA devices", "the driver is loaded, but /dev/nvidia0 is missing", cure)


# --- clock ------------------------------------------------------------------------------------------


class _Timex(ctypes.Structure):
    """The head of the kernel's struct timex, with room for the rest (adjtimex(2))."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 512),
    )


def clock() -> Observation:
    """Whether the kernel's clock follows a reference: records of several stations are compared by it."""
    cure = "start chrony or systemd-timesyncd; records keep their order without it, their times may be wrong"
    try:
        adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError):
        return note("clock", "synchronised", "this system does not say", cure)
    state = _Timex()  # modes = 0 only reads
    if adjtimex(ctypes.byref(state)) < 0:
        return note("clock", "synchronised", f"cannot be read: {os.strerror(ctypes.get_errno())}", cure)
    if state.status & _STA_UNSYNC:
        return note("clock", "synchronised", "no: the clock follows no reference", cure)
    return ok("clock", "synchronised", f"yes, at most {state.maxerror / 1000:.1f} ms off")


# --- disk -------------------------------------------------------------------------------------------


def disk(data: Path, root: Path = Path("/")) -> Iterator[Observation]:
    """The data folder's disk: room, kind, and how long a commit waits for it. Leaves nothing behind."""
    there = next(folder for folder in (data.resolve(), *data.resolve().parents) if folder.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        cure = "choose another data folder, or change its rights: no station can record there"
        yield problem("disk", "data folder", f"{there} cannot be written by this user", cure)
        return
    free = shutil.disk_usage(there).free / MB
    kind = _file_system(there, root)
    text = f"{there}: {free:,.0f} MB free, {kind or 'unknown file system'}"
    if free < DISK_STOPS_MB:
        yield problem("disk", "room", text, "free space: records cannot be written")
    elif free < DISK_LOW_MB:
        yield note("disk", "room", text, "images stop at images.keep_free_mb; free space or lower it")
    else:
        yield ok("disk", "room", text)
    if kind in _LOCAL_RAM:
        yield note("disk", "kind", f"{kind} is memory: records are gone with the power", "use a folder on a disk")
    elif kind in _NETWORK:
        cure = "use a folder on a local disk: SQLite's log needs locks and shared memory that networks do not give"
        yield problem("disk", "kind", f"{kind} is a network file system", cure)
    yield _flush(there)


def _flush(folder: Path) -> Observation:
    """A few commits' worth of writes, each waited for as SQLite does."""
    times: list[float] = []
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-") as file:
            until = time.monotonic() + _FLUSH_LIMIT_S
            while len(times) < FLUSHES and (not times or time.monotonic() < until):
                began = time.perf_counter()
                file.write(os.urandom(COMMIT_BYTES))
                file.flush()
                os.fsync(file.fileno())
                times.append((time.perf_counter() - began) * 1000)
    except OSError as error:
        cure = "look at the disk (dmesg, smartctl): no station can record there"
        return problem("disk", "flush", f"a write of {COMMIT_BYTES} bytes failed: {error.strerror}", cure)
    times.sort()
    p50, p95 = (times[math.ceil(share * len(times)) - 1] for share in (0.5, 0.95))
    text = f"p50 {p50:.2f} ms, p95 {p95:.2f} ms, max {times[-1]:.2f} ms of {len(times)} commits of {COMMIT_BYTES} bytes"
    if p95 > SLOW_FLUSH_MS:
        cure = "every OK verdict waits for this; a disk with power-loss protection (or a quieter one) is quicker"
        return note("disk", "flush", text, cure)
    return ok("disk", "flush", text)


def _file_system(folder: Path, root: Path) -> str:
    """Type of the mount that holds `folder`, "" where it cannot be told."""
    best, kind = -1, ""
    for line in _text(root / "proc/mounts").splitlines():
        fields = line.split()
        if len(fields) < 3:
            continue
        mount = Path(fields[1].replace("\\040", " "))
        # Later lines lie over earlier ones at the same place.
        if folder.is_relative_to(mount) and len(mount.parts) >= best:
            best, kind = len(mount.parts), fields[2]
    return kind


def _fields(path: Path) -> dict[str, str]:
    """`key : value` lines; of repeated keys the first."""
    found: dict[str, str] = {}
    for line in _text(path).splitlines():
        key, colon, value = line.partition(":")
        if colon:
            found.setdefault(key.strip(), value.strip())
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip("\0 \n\t")
    except OSError:
        return ""
