"""The published schema: current, complete, and what the server does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)
from tests.api.conftest import Served, serve_station

from partsight.cli.api import document
from partsight.wire.screen.people import Role

PUBLISHED = Path(__file__).parents[2] / "docs" / "api" / "openapi.json"
OPEN = {"/api/v1/about", "/api/v1/login", "/api/v1/me", "/health/live", "/health/ready", "/"}
"""Served to everybody. `me` says who one is, also if nobody."""
SELF = {"/api/v1/logout", "/api/v1/renew", "/api/v1/password"}
"""Change the login that the fuzzing needs."""


def no_defect(_context: Any, response: Any, _case: Any) -> None:
    """503 and 504 say that the station cannot do it now; 500 is a defect of the program."""
    assert response.status_code != 500, response.text


CHECKS = [
    no_defect,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    ignored_auth,
    unsupported_method,
]


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in json.loads(document())["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def test_the_published_schema_is_current() -> None:
    """Made anew by `partsight api schema --out docs/api/openapi.json`."""
    assert document() == PUBLISHED.read_text(encoding="utf-8")


def test_every_operation_asks_who_it_is_for() -> None:
    """A route without a guard fails here."""
    unguarded = {path for _, path, operation in operations() if not operation.get("security")}
    assert unguarded <= OPEN


def test_every_operation_says_what_its_errors_are() -> None:
    for method, path, operation in operations():
        errors = operation["responses"]["default"]["content"]
        assert list(errors) == ["application/problem+json"], f"{method} {path}"
        assert "422" not in operation["responses"], f"{method} {path}"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve_station(tmp_path_factory.mktemp("station")) as opened:
        yield opened


@pytest.fixture(scope="module")
def token(served: Served) -> str:
    return served.add_user("root", Role.ADMINISTRATOR)


schema = schemathesis.openapi.from_dict(json.loads(document())).exclude(path=sorted(SELF))


@schema.parametrize()
@settings(
    max_examples=6,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
    deadline=None,
)
def test_the_server_does_what_the_schema_says(case: Any, served: Served, token: str) -> None:
    """Valid and invalid requests to each operation: no error of the server, and each answer in the published form."""
    checks = [check for check in CHECKS if check is not ignored_auth or case.path not in OPEN]
    case.call_and_validate(served.url, headers={"Authorization": f"Bearer {token}"}, checks=checks)
    assert served.run.process.poll() is None
