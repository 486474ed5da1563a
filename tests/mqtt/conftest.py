"""Brokers for the tests, each on a port of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.mqtt.rig import Client

from partsight.testing.broker import IotcoreBroker, MosquittoBroker


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Callable[..., MosquittoBroker]]:
    """`mosquitto(**options)`: a running one, stopped at the end."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(MosquittoBroker(tmp_path / "mosquitto", **options))


@pytest.fixture
def iotcore(tmp_path: Path) -> Iterator[IotcoreBroker]:
    with IotcoreBroker(tmp_path / "iotcore") as broker:
        yield broker


@pytest.fixture
def client() -> Iterator[Callable[..., Client]]:
    """`client(port, *topics, v5=…)`: a connected client, closed at the end."""
    with ExitStack() as stack:

        def make(port: int, *topics: str, **options: Any) -> Client:
            made = Client(port, *topics, **options)
            stack.callback(made.close)
            return made

        yield make
