"""The API's process from start to end: the link to the daemon, one uvicorn server, an exit status that means something.

Exit statuses: 0 told to end, or the daemon is gone; 73 the port cannot be opened; 74 the link is no link; 78 a file of
the site cannot be used (certificate, users, keys); anything else is a defect. The daemon starts it again.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import ssl
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import structlog
import uvicorn

from partsight.api.app import State, make_app
from partsight.api.channel import AsyncChannel, ChannelError, socket_from_fd
from partsight.api.frames import FrameReader
from partsight.api.guard import Gate
from partsight.api.metrics import Metrics
from partsight.api.previews import Pictures
from partsight.api.settings import ApiSettings
from partsight.api.sockets import MAX_CONNECTIONS, BoundedHttp, BoundedWebSocket
from partsight.api.stream import Hub
from partsight.api.upstream import Upstream
from partsight.domain.errors import ConfigError

log = structlog.get_logger(__name__)

EXIT_PORT = 73
EXIT_LINK = 74
EXIT_SITE = 78
KEEP_ALIVE_S = 10
STOP_S = 2
MAX_FRAME = 64 << 10
"""Bytes of a WebSocket message that is read at all; over 4 KiB it is answered as too long."""


def serve(link_fd: int, frames_fd: int, *, verbose: bool = False, quiet: bool = False) -> int:
    """Until SIGTERM or the daemon's end. The exit status."""
    _set_up_logs(logging.DEBUG if verbose else logging.WARNING if quiet else logging.INFO)
    try:
        return asyncio.run(_serve(link_fd, frames_fd))
    except ConfigError as error:
        log.error("the API cannot start", mistakes=[str(m) for m in error.mistakes])
        return EXIT_SITE
    except ChannelError as error:
        log.error("the link to the daemon cannot be used", error=str(error))
        return EXIT_LINK


async def _serve(link_fd: int, frames_fd: int) -> int:
    try:
        channel = await AsyncChannel.open(socket_from_fd(link_fd))
    except OSError as problem:
        raise ChannelError(f"file descriptor {link_fd} is no socket to a daemon: {problem.strerror}") from problem
    line = await Upstream.open(channel)
    facts = line.facts
    settings = ApiSettings.model_validate(facts.settings)
    gate = Gate.open(settings, Path(facts.data))
    pictures = Pictures(FrameReader(frames_fd, [camera.name for camera in facts.cameras], facts.slot_bytes))
    hub = Hub(line, gate, pictures)
    server: Server | None = None

    def connections() -> int:
        return len(server.server_state.connections) if server is not None else 0

    metrics = Metrics(line, hub, pictures, connections)
    line.listeners += [hub, metrics]
    app = make_app(State(line, gate, hub, metrics), lambda: connections() > MAX_CONNECTIONS)
    try:
        listening = _listen(settings)
        server = Server(_config(app, settings))
    except (OSError, ValueError) as problem:
        log.error("the API cannot listen", host=settings.host, port=settings.port, error=str(problem))
        return EXIT_SITE if isinstance(problem, (ssl.SSLError, ValueError, FileNotFoundError)) else EXIT_PORT
    log.info("the API listens", host=settings.host, port=listening.getsockname()[1], tls=settings.tls)
    with listening:
        await _until_one_ends(server, listening, line.run(), hub.watch_logins())
    pictures.close()
    await channel.close()
    return 0


async def _until_one_ends(server: Server, listening: socket.socket, *others: Any) -> None:
    """The server ends by a signal; with one of the others it ends too. Raises what one of them raised."""
    tasks = [asyncio.create_task(other) for other in others]
    for task in tasks:
        task.add_done_callback(lambda _: server.end())
    await server.serve(sockets=[listening])
    for task in tasks:
        task.cancel()
    for ended in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(ended, Exception):
            raise ended


class Server(uvicorn.Server):
    """Ends by SIGTERM. Ctrl-C reaches the whole group of processes, and then the daemon says when it is time."""

    def end(self) -> None:
        """Soon."""
        self.should_exit = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Without uvicorn's raising of the signal again, so that the exit status says that all was well."""
        if sig == signal.SIGTERM:
            self.end()


def _listen(settings: ApiSettings) -> socket.socket:
    """Raises OSError."""
    family = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0][0]
    return socket.create_server((settings.host, settings.port), family=family, backlog=MAX_CONNECTIONS)


def _config(app: Any, settings: ApiSettings) -> uvicorn.Config:
    """Raises OSError, ValueError: the certificate cannot be used."""
    context = settings.context() if settings.tls else None
    factory: Callable[..., ssl.SSLContext] | None = (lambda *_: context) if context is not None else None
    return uvicorn.Config(
        app,
        loop="asyncio",
        http=BoundedHttp,
        ws=BoundedWebSocket,
        ws_max_size=MAX_FRAME,
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        access_log=False,
        # What a proxy says of the client is never believed: loopback has rights.
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=STOP_S,
        ssl_context_factory=factory,
    )


# --- logs -------------------------------------------------------------------------------------------


def _set_up_logs(level: int) -> None:
    """JSON lines on stderr, which is the daemon's; also what libraries have to say, from warnings up."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )
    root = logging.getLogger()
    root.handlers = [_Handler(logging.WARNING)]
    root.setLevel(logging.WARNING)


class _Handler(logging.Handler):
    """From Python's logging to ours."""

    def emit(self, record: logging.LogRecord) -> None:
        """A library's line."""
        log.log(record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info)
