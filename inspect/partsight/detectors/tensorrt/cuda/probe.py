"""Looks for a GPU in a child process: a broken driver can end or hang the process that loads it.

`python -m partsight.detectors.tensorrt.cuda.probe [DEVICE]` is that child.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict

from partsight.detectors.tensorrt.cuda import libcuda
from partsight.detectors.tensorrt.cuda.port import CudaError, DeviceFacts
from partsight.domain.errors import BackendUnavailable

TIMEOUT_S = 20.0
KILLED_S = 2.0
UNAVAILABLE = 3  # exit status of the child that found out why; its last line says it

ELSE_CPU = 'or set backend = "auto", "openvino" or "onnx"'


def probe(timeout_s: float = TIMEOUT_S, device: int = 0) -> DeviceFacts:
    """The GPU's facts. Raises BackendUnavailable with the reason and the cure; never hangs, never crashes."""
    command = [sys.executable, "-m", __name__, str(device)]
    child = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        output, errors = child.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        _end(child)
        raise BackendUnavailable(
            f"the NVIDIA driver did not answer within {timeout_s:g} s; look at `dmesg` for NVRM or nvgpu, restart the "
            f"machine, {ELSE_CPU}"
        ) from None
    except BaseException:
        _end(child)
        raise
    if child.returncode == UNAVAILABLE:
        raise BackendUnavailable(output.strip())
    if child.returncode < 0:
        raise BackendUnavailable(
            f"the NVIDIA driver ended the process that asked for the GPU ({_signal(-child.returncode)}); install the "
            f"driver anew, restart the machine, {ELSE_CPU}"
        )
    if child.returncode:
        raise BackendUnavailable(f"looking for the GPU failed: {(errors.strip() or output.strip()).splitlines()[-1:]}")
    facts = json.loads(output)
    return DeviceFacts(**{**facts, "compute_capability": tuple(facts["compute_capability"])})


def _end(child: subprocess.Popen[str]) -> None:
    child.kill()
    # A process that hangs inside the kernel's driver does not even die; nobody waits for it.
    with suppress(subprocess.TimeoutExpired):
        child.wait(KILLED_S)
    for pipe in (child.stdout, child.stderr):
        if pipe is not None:
            pipe.close()


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def look(device: int) -> DeviceFacts:
    """The same in this process. Raises BackendUnavailable."""
    library = libcuda.load()
    try:
        libcuda.check_driver(libcuda.driver_version(library))
        libcuda.call(library, "cuInit", 0)
        return libcuda.device_facts(library, device)
    except CudaError as problem:
        raise BackendUnavailable(
            f"the NVIDIA driver does not start: {problem}; after a driver update restart the machine; check the card, "
            f"and that this user may open the device (groups video and render), {ELSE_CPU}"
        ) from problem


def main(arguments: list[str]) -> int:
    """Prints the facts as JSON, or the reason why there are none."""
    try:
        facts = look(int(arguments[0]) if arguments else 0)
    except BackendUnavailable as reason:
        sys.stdout.write(f"{reason}\n")
        return UNAVAILABLE
    sys.stdout.write(json.dumps(asdict(facts)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
