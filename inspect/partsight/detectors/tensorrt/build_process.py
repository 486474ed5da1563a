"""Builds in a process of their own: started, listened to, ended. Nothing of TensorRT or CUDA comes into this one."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, Literal

from pydantic import BaseModel, ConfigDict

from partsight.detectors.tensorrt.building import OPTIMIZATION_LEVEL, WORKSPACE_BYTES, BuildOptions
from partsight.domain.errors import BackendUnavailable, BundleError, DetectorError
from partsight.domain.model import ModelSpec

CHILD = "partsight.detectors.tensorrt.build_child"
BUILD_LIMIT_S = 3 * 3600.0
"""Longer than any build that was heard of: 44 minutes at the highest level."""
OTHER_LIMIT_S = 900.0
END_S = 5.0
_STDERR_SHOWN = 2000
_ERRORS: Mapping[str, type[DetectorError]] = {
    "bundle": BundleError,
    "backend": BackendUnavailable,
    "detector": DetectorError,
}


class Order(BaseModel):
    """What the child is to do. engines: the store's folder; draft: the folder in it that a build works in; without one
    `build` first asks for it, telling which engine belongs here; an empty answer means that none is needed.

    images: pictures whose detections `check` tells too, for the accuracy gate. soak_s: how long `measure` runs frames.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    op: Literal["look", "build", "check", "measure"]
    spec: ModelSpec
    workspace_bytes: int
    optimization_level: int
    engines: Path
    draft: Path | None = None
    images: tuple[Path, ...] = ()
    soak_s: float = 0.0

    @property
    def options(self) -> BuildOptions:
        """For `build_plan` and the engine's key."""
        return BuildOptions(self.spec, self.workspace_bytes, self.optimization_level)


def order_for(
    op: Literal["look", "build", "check", "measure"],
    spec: ModelSpec,
    engines: Path,
    *,
    draft: Path | None = None,
    images: tuple[Path, ...] = (),
    soak_s: float = 0.0,
    workspace_bytes: int = WORKSPACE_BYTES,
    optimization_level: int = OPTIMIZATION_LEVEL,
) -> Order:
    """An order that can be sent to the child. engines: absolute, or counted from this process's folder."""
    # The read-only view of the thresholds cannot be written as JSON.
    plain = replace(spec, thresholds=dict(spec.thresholds))
    return Order(
        op=op,
        spec=plain,
        engines=engines.resolve(),
        draft=draft,
        images=images,
        soak_s=soak_s,
        workspace_bytes=workspace_bytes,
        optimization_level=optimization_level,
    )


def carry_out(
    order: Order,
    hear: Callable[[Mapping[str, Any]], None] = lambda _: None,
    answer: Callable[[Mapping[str, Any]], str] = lambda _: "",
) -> dict[str, Any]:
    """Run one order; its result. hear: told every line before the last. answer: gives the line that the child asks for.

    The child ends with this call, whatever ends it (Ctrl-C too), and with this process. Raises what the child raised
    (BundleError, BackendUnavailable, DetectorError), and DetectorError where it was killed or did not end in time.
    """
    limit_s = BUILD_LIMIT_S if order.op == "build" else OTHER_LIMIT_S + order.soak_s
    reading, writing = os.pipe()
    with tempfile.TemporaryFile() as said, os.fdopen(reading, "rb", buffering=0) as pipe:
        try:
            child = _start(order, writing, said)
        finally:
            os.close(writing)
        # Who has said its last word may take a while to give the GPU back; who is cut off may not.
        patience_s = 0.0
        try:
            for message in _lines(pipe, limit_s, order.op):
                if message.get("event") == "ask":
                    _send(child, answer(message))
                    continue
                if message.get("event") == "done":
                    patience_s = END_S
                    return {key: value for key, value in message.items() if key != "event"}
                if message.get("event") == "error":
                    patience_s = END_S
                    raise _ERRORS.get(str(message.get("kind")), DetectorError)(str(message.get("text")))
                hear(message)
            raise DetectorError(_how_it_ended(order.op, child, said))
        finally:
            _end(child, patience_s)


def _start(order: Order, writing: int, said: IO[bytes]) -> subprocess.Popen[bytes]:
    child = subprocess.Popen(
        [sys.executable, "-m", CHILD, str(writing), str(os.getpid())],
        stdin=subprocess.PIPE,
        stdout=said,
        stderr=said,
        pass_fds=(writing,),
        # Ctrl-C at the terminal reaches this process only, which ends the child in order.
        start_new_session=True,
    )
    _send(child, order.model_dump_json())
    return child


def _send(child: subprocess.Popen[bytes], line: str) -> None:
    assert child.stdin is not None
    # Where it is dead already, the end of the other pipe says so.
    with suppress(BrokenPipeError):
        child.stdin.write(f"{line}\n".encode())
        child.stdin.flush()


def _lines(pipe: IO[bytes], limit_s: float, op: str) -> Iterator[dict[str, Any]]:
    """Until the child closes its end. Raises DetectorError where all that it was asked takes longer than the limit."""
    rest = b""
    until = time.monotonic() + limit_s
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while True:
            if not selector.select(max(until - time.monotonic(), 0.0)):
                raise DetectorError(
                    f"the process to {op} an engine did not end in time and was killed; look whether the GPU answers "
                    "(nvidia-smi, on a Jetson tegrastats), restart the machine if it does not"
                )
            chunk = pipe.read(65536)
            if not chunk:
                return
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                message = json.loads(line)
                began = time.monotonic()
                yield message
                # What who hears it takes (waiting for another build) is not the child's time.
                until += time.monotonic() - began


def _how_it_ended(op: str, child: subprocess.Popen[bytes], said: IO[bytes]) -> str:
    """It closed its pipe without a last word."""
    status = child.wait(END_S)
    if status < 0:
        how = f"was killed by {signal.Signals(-status).name}"
        cure = "where the kernel did it (dmesg says so) memory was short: close other programs, or add swap"
        if -status in (signal.SIGSEGV, signal.SIGABRT):
            cure = "TensorRT or the driver failed: `partsight doctor` shows both, install them again"
    else:
        how, cure = f"ended with status {status}", "`partsight doctor` shows what is missing"
    said.seek(max(said.seek(0, os.SEEK_END) - _STDERR_SHOWN, 0))
    last = said.read().decode("utf-8", "replace").strip()
    return f"the process to {op} an engine {how}; {cure}" + (f"\nIts last words: {last}" if last else "")


def _end(child: subprocess.Popen[bytes], patience_s: float) -> None:
    """Wait for it so long, then kill it with all that it started; it is gone when this returns."""
    assert child.stdin is not None
    with suppress(BrokenPipeError):
        child.stdin.close()
    for number, limit_s in ((None, patience_s), (signal.SIGTERM, END_S), (signal.SIGKILL, None)):
        if number is not None:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, number)
        try:
            child.wait(limit_s)
        except subprocess.TimeoutExpired:
            continue
        return
