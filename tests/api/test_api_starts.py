"""An API that was killed is started again, and the metrics say how often that was."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil
from tests.api.conftest import Served, serve_station

Wait = Callable[..., object]


def starts(served: Served) -> float | None:
    """None while nothing answers."""
    try:
        with served.http() as client:
            lines = client.get("/metrics").text.splitlines()
    except httpx.TransportError:
        return None
    return next(float(line.split()[1]) for line in lines if line.startswith("partsight_api_starts_total "))


def test_the_metrics_count_the_starts_of_the_api(tmp_path: Path, wait_until: Wait) -> None:
    with serve_station(tmp_path) as served:
        assert starts(served) == 1
        (api,) = psutil.Process(served.run.process.pid).children()
        os.kill(api.pid, signal.SIGKILL)
        wait_until(lambda: starts(served) == 2, 40.0, "the API is back")
