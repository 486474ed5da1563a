"""The API's process with the test at the daemon's end of the link: real framing, real memory, real sockets."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import JsonValue
from tests.api.conftest import Door, TlsDoor, wait_until_it_serves

from partsight.api.channel import (
    CameraFacts,
    Channel,
    EventMessage,
    FrameMessage,
    HelloMessage,
    LineFacts,
    ModelFacts,
    ReplyMessage,
    RequestMessage,
    StatusMessage,
    WatchMessage,
    pack,
    pair,
)
from partsight.api.frames import FrameWriter
from partsight.api.process import end, launch
from partsight.domain.frame import Grab
from partsight.domain.status import Mode, StationState
from partsight.testing.broker import free_port
from partsight.wire.screen.message import now
from partsight.wire.screen.station import StationNote
from partsight.wire.screen.stream import PreviewHeader

RUN = "run-1"
CAMERAS = ("top", "side")


def note(**changes: Any) -> StationNote:
    """Of a station that runs."""
    plain: dict[str, Any] = {
        "api_run": RUN,
        "software": "partsight test",
        "time": now(),
        "name": "cell",
        "epoch": 1,
        "state": StationState.RUNNING,
        "packml_name": "EXECUTE",
        "ready": True,
        "alive": True,
        "mode": Mode.PRODUCTION,
        "since": now(),
        "recipe": "there@1",
        "recipe_id": 1,
        "model": "told 000000000000",
        "backend": "test",
        "classes": ("defect",),
        "trigger": "call",
        "deadline_ms": 500.0,
    }
    return StationNote.model_validate({**plain, **changes})


@dataclass
class Rig:
    """The daemon's end. `tell` and `show` speak, `asked` and `wished` listen."""

    channel: Channel
    frames: FrameWriter
    process: subprocess.Popen[bytes]
    door: Door
    facts: LineFacts

    def tell(self, message: Any) -> None:
        self.channel.send(pack(message), 10.0)

    def status(self, **changes: Any) -> None:
        self.tell(StatusMessage(status=note(**changes)))

    def event(self, kind: str = "state", **data: JsonValue) -> None:
        self.tell(EventMessage(kind=kind, at=now(), data=data))

    def show(self, camera: str, grab: Grab, **header: Any) -> int:
        """A frame as the daemon hands it over; its stamp."""
        stamp = self.frames.put(camera, grab)
        assert stamp is not None
        width, height = grab.size
        shown = PreviewHeader(camera=camera, at=now(), width=width, height=height, **header)
        self.tell(
            FrameMessage(
                camera=camera,
                stamp=stamp,
                width=width,
                height=height,
                format=grab.format.value,
                bit_depth=grab.bit_depth,
                header=shown,
            )
        )
        return stamp

    def asked(self) -> RequestMessage:
        """The next request."""
        message = self._next(RequestMessage)
        assert isinstance(message, RequestMessage)
        return message

    def wished(self, cameras: dict[str, float]) -> None:
        """Wait until the screens wish to see this, and nothing else."""
        while (message := self._next(WatchMessage)) is not None:
            if message.cameras == cameras:
                return

    def _next(self, kind: type[RequestMessage | WatchMessage], limit_s: float = 10.0) -> Any:
        end = time.monotonic() + limit_s
        while True:
            message = self.channel.receive(max(0.0, end - time.monotonic()))
            if isinstance(message, kind):
                return message
            assert time.monotonic() < end, f"no {kind.__name__} within {limit_s} s"

    def reply(self, request: RequestMessage, data: JsonValue = None) -> None:
        self.tell(ReplyMessage(rid=request.rid, ok=True, data=data))


@contextmanager
def open_rig(folder: Path, ca: Path | None = None, **settings: JsonValue) -> Iterator[Rig]:
    """An API process that serves, ended when the block is left. settings: of its `[api]` table; ca: for TLS."""
    port = free_port()
    ours, theirs = pair()
    frames = FrameWriter(CAMERAS)
    with theirs:
        process = launch(theirs.fileno(), frames.fd)
    channel = Channel(ours)
    facts = LineFacts(
        run=RUN,
        software="partsight test",
        name="cell",
        epoch=1,
        settings={"port": port, **settings},
        data=str(folder),
        configuration=str(folder / "station.toml"),
        recipe_folders=(),
        model=ModelFacts(name="told", sha256="0" * 64, folder="", classes=(), floor=0.1, backend="", precision="fp32"),
        cameras=tuple(CameraFacts(name=name, driver="simulated") for name in CAMERAS),
        slot_bytes=frames.slot_bytes,
        trigger="call",
        deadline_ms=500.0,
        simulated=False,
        acknowledge=False,
        images=False,
    )
    rig = Rig(channel, frames, process, TlsDoor(port, ca) if ca is not None else Door(port), facts)
    try:
        rig.tell(HelloMessage(facts=facts, status=note()))
        wait_until_it_serves(rig.door, process)
        yield rig
    finally:
        end(process, politely=True)
        channel.close()
        frames.close()
