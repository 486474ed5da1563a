"""`[api]` in a station's configuration: its mistakes are shown with all others, before anything opens (rule_9)."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.station.kill_run import write_station

from partsight.daemon.site import load_site
from partsight.domain.errors import ConfigError


def mistakes(folder: Path, api: str, *, spoil: str = "") -> dict[str, str]:
    """By key; empty where the configuration holds. spoil: a line of `[station]` that does not hold."""
    config = write_station(folder)
    text = config.read_text().replace("[station]\n", f"[station]\n{spoil}\n")
    config.write_text(f"{text}[api]\n{api}\n")
    try:
        load_site(config)
    except ConfigError as error:
        return {mistake.key: str(mistake) for mistake in error.mistakes}
    return {}


def test_without_the_table_there_is_no_api_and_with_it_its_defaults(tmp_path: Path) -> None:
    config = write_station(tmp_path)
    assert load_site(config).api is None
    config.write_text(config.read_text() + "[api]\n")
    settings = load_site(config).api
    assert settings is not None
    assert (settings.host, settings.port) == ("127.0.0.1", 8787)


@pytest.mark.parametrize(
    ("api", "key"),
    [
        ("prot = 8787", "api.prot"),
        ("port = 70000", "api.port"),
        ('anonymous = "operator"', "api.anonymous"),
        ('host = "0.0.0.0"', "api.host"),
    ],
)
def test_rule_9_what_does_not_hold_is_named(tmp_path: Path, api: str, key: str) -> None:
    assert key in mistakes(tmp_path, api)


def test_rule_9_another_mistake_hides_none_of_the_api(tmp_path: Path) -> None:
    found = mistakes(tmp_path, "port = -1", spoil="colour = 1")
    assert {"api.port", "station.colour"} <= set(found)
