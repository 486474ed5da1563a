"""The scrape token: it opens `/metrics` for Prometheus, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.api.conftest import CALLED
from tests.station.kill_run import partsight, write_station

from partsight.wire.screen.people import Role

TOKEN = "0123456789abcdef" * 4
NEWER = "fedcba9876543210" * 4
SETTING = 'metrics_token_file = "scrape"'


def write(path: Path, token: str, mode: int = 0o600) -> None:
    path.write_text(f"{token}\n")
    path.chmod(mode)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_it_opens_metrics_and_nothing_else(tmp_path: Path, serving: Callable[..., Any]) -> None:
    write(tmp_path / "scrape", TOKEN)
    with serving(tmp_path, api=SETTING, trigger=CALLED) as served:
        login = served.add_user("root", Role.ADMINISTRATOR)
        with served.http() as client:
            scraped = client.get("/metrics", headers=bearer(TOKEN))
            assert scraped.status_code == 200
            assert "\npartsight_up 1.0" in scraped.text
            assert client.get("/metrics", headers=bearer(login)).status_code == 200
            for wrong in (TOKEN[:-1], TOKEN + "0", TOKEN.upper(), "", NEWER, "x"):
                assert client.get("/metrics", headers=bearer(wrong) if wrong else {}).status_code == 401
            for method, path in (("GET", "status"), ("GET", "me"), ("POST", "commands/reset"), ("POST", "renew")):
                assert client.request(method, f"/api/v1/{path}", headers=bearer(TOKEN)).status_code == 401, path
            with served.socket() as stream:
                stream.send(f'{{"type":"hello","token":"{TOKEN}"}}')
                assert '"status":401' in stream.recv(timeout=10)

            # Replaced while the station runs.
            write(tmp_path / "scrape", NEWER)
            assert client.get("/metrics", headers=bearer(NEWER)).status_code == 200
            assert client.get("/metrics", headers=bearer(TOKEN)).status_code == 401

            # A file that others may read is no secret any more; people still get in.
            (tmp_path / "scrape").chmod(0o644)
            refused = client.get("/metrics", headers=bearer(NEWER))
            assert (refused.status_code, "chmod 600" in refused.text, NEWER in refused.text) == (503, True, False)
            assert client.get("/metrics", headers=bearer(login)).status_code == 200
            (tmp_path / "scrape").unlink()
            assert client.get("/metrics", headers=bearer(NEWER)).status_code == 503
        assert TOKEN not in served.run.told
        assert NEWER not in served.run.told


def test_without_the_setting_there_is_no_such_token(tmp_path: Path, serving: Callable[..., Any]) -> None:
    write(tmp_path / "scrape", TOKEN)
    with serving(tmp_path, trigger=CALLED) as served, served.http() as client:
        served.add_user("root", Role.ADMINISTRATOR)
        assert client.get("/metrics", headers=bearer(TOKEN)).status_code == 401


@pytest.mark.parametrize(
    ("token", "mode", "said"),
    [
        (None, 0o600, "cannot be read"),
        (TOKEN, 0o644, "may be read by others"),
        ("short", 0o600, "holds no token"),
        ("with spaces " * 4, 0o600, "holds no token"),
        ("x" * 600, 0o600, "holds no token"),
        (TOKEN, 0o600, ""),
    ],
)
def test_rule_9_the_file_is_checked_before_the_start(tmp_path: Path, token: str | None, mode: int, said: str) -> None:
    config = write_station(tmp_path)
    with config.open("a") as file:
        file.write(f"[api]\n{SETTING}\n")
    if token is not None:
        write(tmp_path / "scrape", token, mode)
    done = partsight("check", config)
    told = "".join((done.stdout + done.stderr).split())
    assert (done.returncode == 0) == (not said), told
    assert said.replace(" ", "") in told
    assert token is None or len(token) < 10 or token not in told
