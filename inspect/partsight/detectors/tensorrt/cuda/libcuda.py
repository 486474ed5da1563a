"""The driver's own library by ctypes: what a GPU is, the names of errors, and the calls that pycuda lacks.

Everything here works before and without a context but the graph calls, which belong to the thread that captures.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

from partsight.detectors.tensorrt.cuda.port import CudaError, DeviceFacts
from partsight.domain.errors import BackendUnavailable

LIBRARY = "libcuda.so.1"

# PTX 8.2, which the kernel is shipped as, came with CUDA 12.2.
OLDEST_DRIVER = 12020

MULTIPROCESSOR_COUNT, INTEGRATED, CAPABILITY_MAJOR, CAPABILITY_MINOR = 16, 18, 75, 76
CAPTURE_THREAD_LOCAL = 1
# CUresult has gaps; none lies above.
HIGHEST_CODE = 999


def load() -> ctypes.CDLL:
    """The driver's library. Raises BackendUnavailable where it cannot be loaded."""
    try:
        return ctypes.CDLL(LIBRARY)
    except OSError as problem:
        raise BackendUnavailable(
            f"there is no NVIDIA driver: {problem}; install it (on a Jetson it comes with JetPack; start a container "
            'with the NVIDIA runtime), or set backend = "auto", "openvino" or "onnx"'
        ) from problem


def call(library: ctypes.CDLL, name: str, *arguments: Any) -> None:
    """One driver call. Raises CudaError."""
    code = getattr(library, name)(*arguments)
    if code:
        raise CudaError(name, code, error_name(library, code))


def error_name(library: ctypes.CDLL, code: int) -> str:
    """The name in CUDA's headers; "" for a code that this driver does not know."""
    return _text(library.cuGetErrorName, code)


def error_texts(library: ctypes.CDLL) -> dict[str, tuple[int, str]]:
    """What cuGetErrorString says, to code and name: pycuda's exceptions carry that text alone."""
    codes = range(1, HIGHEST_CODE + 1)
    texts = ((_text(library.cuGetErrorString, code), code) for code in codes)
    return {text: (code, error_name(library, code)) for text, code in texts if text}


def _text(ask: Callable[..., int], code: int) -> str:
    answer = ctypes.c_char_p()
    if ask(code, ctypes.byref(answer)) or answer.value is None:
        return ""
    return answer.value.decode(errors="replace")


def driver_version(library: ctypes.CDLL) -> int:
    """The newest CUDA that the driver speaks, 12060 for 12.6."""
    version = ctypes.c_int()
    call(library, "cuDriverGetVersion", ctypes.byref(version))
    return version.value


def check_driver(version: int) -> None:
    """Raises BackendUnavailable for a driver that cannot take the kernel."""
    if version < OLDEST_DRIVER:
        raise BackendUnavailable(
            f"the NVIDIA driver is too old: it speaks CUDA {version // 1000}.{version % 1000 // 10}, and "
            f"{OLDEST_DRIVER // 1000}.{OLDEST_DRIVER % 1000 // 10} is needed; update to JetPack 6.1 or newer, on a "
            "desktop to driver 535 or newer"
        )


def device_facts(library: ctypes.CDLL, device: int) -> DeviceFacts:
    """Read a GPU's facts; cuInit was called. Raises CudaError, and BackendUnavailable where there is no such GPU."""
    count = ctypes.c_int()
    call(library, "cuDeviceGetCount", ctypes.byref(count))
    if not 0 <= device < count.value:
        raise BackendUnavailable(
            f"there is no GPU {device}: the NVIDIA driver sees {count.value}; correct `device`, or check the card and "
            "CUDA_VISIBLE_DEVICES"
        )
    handle = ctypes.c_int()
    call(library, "cuDeviceGet", ctypes.byref(handle), device)
    name = ctypes.create_string_buffer(256)
    call(library, "cuDeviceGetName", name, len(name), handle)
    total = ctypes.c_size_t()
    call(library, "cuDeviceTotalMem_v2", ctypes.byref(total), handle)
    major, minor, count_sm, integrated = (
        _attribute(library, which, handle)
        for which in (CAPABILITY_MAJOR, CAPABILITY_MINOR, MULTIPROCESSOR_COUNT, INTEGRATED)
    )
    return DeviceFacts(
        name=name.value.decode(errors="replace"),
        compute_capability=(major, minor),
        sm_count=count_sm,
        total_bytes=total.value,
        uuid=_uuid(library, handle),
        integrated=bool(integrated),
        driver_version=driver_version(library),
    )


def _attribute(library: ctypes.CDLL, which: int, device: ctypes.c_int) -> int:
    value = ctypes.c_int()
    call(library, "cuDeviceGetAttribute", ctypes.byref(value), which, device)
    return value.value


def _uuid(library: ctypes.CDLL, device: ctypes.c_int) -> str:
    raw = (ctypes.c_uint8 * 16)()
    if library.cuDeviceGetUuid(raw, device) or not any(raw):
        return ""
    digits = bytes(raw).hex()
    return f"GPU-{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def capture(library: ctypes.CDLL, stream: int, work: Callable[[], None]) -> int:
    """An executable graph of what `work` puts into the stream. Raises CudaError, and whatever `work` raises."""
    handle, graph, executable = ctypes.c_void_p(stream), ctypes.c_void_p(), ctypes.c_void_p()
    call(library, "cuStreamBeginCapture_v2", handle, CAPTURE_THREAD_LOCAL)
    try:
        work()
    except BaseException:
        # The stream must come out of capture, whatever happened; what `work` raised says more than this would.
        if library.cuStreamEndCapture(handle, ctypes.byref(graph)) == 0 and graph:
            library.cuGraphDestroy(graph)
        raise
    call(library, "cuStreamEndCapture", handle, ctypes.byref(graph))
    try:
        call(library, "cuGraphInstantiateWithFlags", ctypes.byref(executable), graph, ctypes.c_ulonglong(0))
    finally:
        library.cuGraphDestroy(graph)
    return int(executable.value or 0)


def launch_graph(library: ctypes.CDLL, graph: int, stream: int) -> None:
    """Put an executable graph into the stream. Raises CudaError."""
    call(library, "cuGraphLaunch", ctypes.c_void_p(graph), ctypes.c_void_p(stream))


def free_graph(library: ctypes.CDLL, graph: int) -> None:
    """Raises CudaError."""
    call(library, "cuGraphExecDestroy", ctypes.c_void_p(graph))
