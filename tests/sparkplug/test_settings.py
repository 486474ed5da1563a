"""What a site writes under `[sparkplug]`, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from partsight.config.reading import validate
from partsight.domain.errors import ConfigError
from partsight.outputs.sparkplug import SparkplugSettings

LEAST: dict[str, Any] = {"servers": [{"host": "broker"}], "group": "plant-hall", "node": "line3-vision1"}


def test_the_least_that_must_be_written() -> None:
    settings = validate(SparkplugSettings, LEAST, "station.toml", "sparkplug")
    assert (settings.servers[0].port, settings.device, settings.primary_host) == (1883, "inspection", None)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"servers": []}, "sparkplug.servers"),
        ({"group": "a/b"}, "sparkplug.group"),
        ({"node": "line+3"}, "sparkplug.node"),
        ({"device": ""}, "sparkplug.device"),
        ({"primary_host": "#"}, "sparkplug.primary_host"),
        ({"interval_ms": 5}, "sparkplug.interval_ms"),
        ({"retain": True}, "not a key that partsight knows"),
        ({"password_env": "P"}, "needs a username"),
        ({"username": "u", "password_env": "P", "password_file": "p"}, "keep one"),
        ({"backoff_min_s": 9, "backoff_max_s": 1}, "is above"),
    ],
)
def test_mistakes_are_named(change: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        validate(SparkplugSettings, {**LEAST, **change}, "station.toml", "sparkplug")


def test_the_password_comes_from_the_environment_or_a_private_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def settings(**more: Any) -> SparkplugSettings:
        return validate(SparkplugSettings, {**LEAST, "username": "u", **more}, "station.toml")

    monkeypatch.setenv("SPARKPLUG_PASSWORD", "secret")
    assert settings(password_env="SPARKPLUG_PASSWORD").password() == "secret"
    monkeypatch.delenv("SPARKPLUG_PASSWORD")
    with pytest.raises(ConfigError, match="not set"):
        settings(password_env="SPARKPLUG_PASSWORD").password()
    file = tmp_path / "password"
    file.write_text("secret\n")
    file.chmod(0o644)
    with pytest.raises(ConfigError, match="read by others"):
        settings(password_file=str(file)).password()
    file.chmod(0o600)
    assert settings(password_file=str(file)).password() == "secret"
    assert settings().password() is None
