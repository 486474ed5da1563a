"""A process at the API's end of the link, for tests of the daemon's end. What it gets goes to a file, a line each.

    link_child.py LOG MODE [REQUESTS] --link FD --frames FD

MODE: good; deaf (ticks, and never reads again after the hello); garbage (sends no messages but bytes); flood (sends as
many requests as it can, and never reads); dies (ends at once with status 3); mute (says nothing, ever).
REQUESTS: JSON, a list of {"op", "args", "who"} that a good one sends. It watches all cameras.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import signal
import sys
from pathlib import Path
from typing import Any

from partsight.api.channel import (
    AsyncChannel,
    ChannelClosed,
    FrameMessage,
    HelloMessage,
    RequestMessage,
    WatchMessage,
    socket_from_fd,
)
from partsight.api.frames import FrameReader
from partsight.api.process import die_with_daemon
from partsight.domain.frame import PixelFormat

WATCHED_HZ = 30.0


async def serve(log: Path, mode: str, requests: list[dict[str, Any]], link: int, frames: int) -> None:
    """Until the daemon is gone."""
    channel = await AsyncChannel.open(socket_from_fd(link))
    hello = await channel.receive()
    assert isinstance(hello, HelloMessage)
    names = [camera.name for camera in hello.facts.cameras]
    reader = FrameReader(frames, names, hello.facts.slot_bytes)
    with log.open("a") as file:
        write(file, hello.model_dump(mode="json"))
        if mode == "deaf":
            await asyncio.Event().wait()
        await channel.send(WatchMessage(cameras=dict.fromkeys(names, WATCHED_HZ)))
        for rid, request in enumerate(requests):
            await channel.send(RequestMessage(rid=rid, source="api test", **request))
        rid = len(requests)
        while mode == "flood":
            await channel.send(RequestMessage(rid=rid, op="ping"))
            rid += 1
        while True:
            try:
                message = await channel.receive()
            except ChannelClosed:
                return
            told = message.model_dump(mode="json")
            if isinstance(message, FrameMessage):
                pixels = reader.read(
                    message.camera, message.stamp, message.width, message.height, PixelFormat(message.format)
                )
                told["sha256"] = hashlib.sha256(pixels.data).hexdigest() if pixels is not None else None
            write(file, told)


def write(file: Any, told: dict[str, Any]) -> None:
    file.write(json.dumps(told) + "\n")
    file.flush()


def main() -> None:
    die_with_daemon()
    log, mode = Path(sys.argv[1]), sys.argv[2]
    requests = json.loads(sys.argv[3]) if sys.argv[3] != "--link" else []
    link, frames = int(sys.argv[-3]), int(sys.argv[-1])
    with log.open("a") as file:
        write(file, {"t": "start", "mode": mode})
    if mode == "dies":
        sys.exit(3)
    if mode == "mute":
        signal.pause()
    if mode == "garbage":
        with socket_from_fd(link) as sock:
            while True:
                sock.sendall(b"\x00\x00\x00\x07garbage" * 1000)
    asyncio.run(serve(log, mode, requests, link, frames))


if __name__ == "__main__":
    main()
