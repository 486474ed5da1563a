"""The application: routes, rights and errors. `server.py` runs it; `schema` describes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, WebSocket
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from partsight import __version__
from partsight.api.edge import PROBLEM, Edge, ProblemResponse, problem
from partsight.api.guard import Gate, HostCheck, Refused
from partsight.api.images import ScaledCache
from partsight.api.metrics import Metrics
from partsight.api.routes import api_routers, other_routers
from partsight.api.routes.models import Bundles
from partsight.api.stream import Hub
from partsight.api.upstream import Upstream
from partsight.wire.screen.message import API_VERSION, Problem

PREFIX = f"/api/v{API_VERSION}"
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "Why the request was refused",
        "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
}


@dataclass(frozen=True, slots=True)
class State:
    """All that the application works on."""

    line: Upstream
    gate: Gate
    hub: Hub
    metrics: Metrics


def make_app(state: State, crowded: Callable[[], bool] = lambda: False) -> FastAPI:
    """For one daemon. Handlers find `line`, `gate`, `hub` and `metrics` at `request.app.state`."""
    app = _app()
    app.state.line, app.state.gate = state.line, state.gate
    app.state.hub, app.state.metrics = state.hub, state.metrics
    app.state.scaled, app.state.bundles = ScaledCache(), Bundles()
    app.add_middleware(HostCheck, settings=state.gate.settings)
    app.add_middleware(Edge, crowded=crowded)  # the last is the outermost
    return app


def schema() -> dict[str, Any]:
    """The OpenAPI document, without a daemon."""
    return _app().openapi()


def _app() -> FastAPI:
    app = _Documented(
        title="partsight",
        version=__version__,
        description="What screens, browsers, scripts and Prometheus ask of a station. See docs/reference/api.md.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses=_PROBLEMS,
        generate_unique_id_function=_operation,
    )
    for router in api_routers():
        app.include_router(router, prefix=PREFIX)
    for router in other_routers():
        app.include_router(router)

    async def stream(socket: WebSocket) -> None:
        await socket.app.state.hub.serve(socket)

    app.add_api_websocket_route(f"{PREFIX}/stream", stream)
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    return app


class _Documented(FastAPI):
    """Says in its schema what `Problem` is, which no route returns by itself."""

    def openapi(self) -> dict[str, Any]:
        """Made once."""
        if self.openapi_schema is None:
            found = get_openapi(
                title=self.title, version=self.version, description=self.description, routes=self.routes
            )
            schemas = found.setdefault("components", {}).setdefault("schemas", {})
            schemas["Problem"] = Problem.model_json_schema(mode="serialization")
            self.openapi_schema = found
        return self.openapi_schema


def _operation(route: APIRoute) -> str:
    """Stable names for clients that are made from the schema."""
    return route.name


# --- errors -----------------------------------------------------------------------------------------


async def _refused(_: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, Refused)
    return ProblemResponse(error.problem(), error.headers())


async def _http_error(request: Request, error: Exception) -> ProblemResponse:
    """404, 405 and what the framework refuses by itself."""
    assert isinstance(error, HTTPException)
    detail = "" if error.detail == HTTPStatus(error.status_code).phrase else str(error.detail)
    if error.status_code == 404 and not detail:
        detail = f"there is nothing at {request.url.path[:200]}"
    headers = dict(error.headers) if error.headers is not None else None
    return ProblemResponse(problem(error.status_code, detail), headers)


async def _invalid(_: Request, error: Exception) -> ProblemResponse:
    """Each mistake with its place. What was sent is not repeated: it may be a password."""
    assert isinstance(error, RequestValidationError)
    mistakes = tuple(f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}"[:300] for e in error.errors()[:50])
    return ProblemResponse(problem(422, "the request does not hold what it must", mistakes))
