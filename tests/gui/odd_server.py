"""A server that answers what a station never should: another version, garbage, half a picture. Real sockets."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus

from tests.api.rig import note
from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from partsight.wire.screen.stream import StatusNote, Welcome

ABOUT = {"api": 1, "software": "partsight odd", "station": "cell", "users": False, "anonymous": "viewer"}
ME = {"user": "", "role": "viewer", "acknowledge": True}


def welcome(**changes: object) -> str:
    """Of a station that lets in everybody."""
    return Welcome(api=1, run="odd", first=1, last=0, status=note()).model_copy(update=changes).model_dump_json()


def status(**changes: object) -> str:
    """Of a station that runs."""
    return StatusNote(status=note(**changes)).model_dump_json()


@contextmanager
def odd_server(
    talk: Callable[[ServerConnection], None], about: object = ABOUT, about_status: HTTPStatus = HTTPStatus.OK
) -> Iterator[str]:
    """Its URL. talk: after the client's hello; the connection ends with it."""

    def plain(connection: ServerConnection, request: Request) -> Response | None:
        path = request.path.partition("?")[0]
        if path == "/api/v1/stream":
            return None
        known = {"/api/v1/about": (about_status, about), "/api/v1/me": (HTTPStatus.OK, ME)}
        code, body = known.get(path, (HTTPStatus.NOT_FOUND, {"status": 404, "title": "Not here"}))
        data = json.dumps(body).encode()
        headers = Headers([("Content-Length", str(len(data))), ("Connection", "close")])
        return Response(code, code.phrase, headers, data)

    def handle(connection: ServerConnection) -> None:
        connection.recv(timeout=5)
        talk(connection)

    with serve(handle, "127.0.0.1", 0, process_request=plain, compression=None) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        server.shutdown()
        thread.join()
