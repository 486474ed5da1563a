"""Rights at a real station: each route under its least role and at it, logins, tokens, and what is written down."""

from __future__ import annotations

import json
import sqlite3
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.station.kill_run import station as run_station

from partsight.api.people import USERS, Author, People
from partsight.api.tokens import KEY
from partsight.cli.mqtt_certificates import issue
from partsight.outputs.records import read_audit, verify_audit
from partsight.testing.broker import free_port
from partsight.wire.screen.people import Role

V1 = "/api/v1"
PASSWORD = "correct horse 7"
BY = Author("test", "test")
NOBODY = None
VIEWER, OPERATOR, ENGINEER, ADMINISTRATOR = Role

LOGIN = "login"
"""Any user who has logged in, for himself."""

LEAST: dict[tuple[str, str], Role | str | None] = {
    ("GET", f"{V1}/about"): NOBODY,
    ("POST", f"{V1}/login"): NOBODY,
    ("GET", f"{V1}/me"): NOBODY,
    ("POST", f"{V1}/logout"): LOGIN,
    ("POST", f"{V1}/renew"): LOGIN,
    ("POST", f"{V1}/password"): LOGIN,
    ("GET", f"{V1}/users"): ADMINISTRATOR,
    ("POST", f"{V1}/users"): ADMINISTRATOR,
    ("PATCH", f"{V1}/users/{{user}}"): ADMINISTRATOR,
    ("DELETE", f"{V1}/users/{{user}}"): ADMINISTRATOR,
    ("GET", f"{V1}/audit"): ENGINEER,
    ("GET", f"{V1}/status"): VIEWER,
    ("GET", f"{V1}/faults"): VIEWER,
    ("GET", f"{V1}/cameras"): VIEWER,
    ("GET", f"{V1}/models"): VIEWER,
    ("POST", f"{V1}/commands/start"): OPERATOR,
    ("POST", f"{V1}/commands/stop"): OPERATOR,
    ("POST", f"{V1}/commands/hold"): OPERATOR,
    ("POST", f"{V1}/commands/reset"): OPERATOR,
    ("POST", f"{V1}/commands/trigger"): OPERATOR,
    ("POST", f"{V1}/commands/recipe"): OPERATOR,
    ("POST", f"{V1}/commands/bypass"): ENGINEER,
    ("GET", f"{V1}/records"): VIEWER,
    ("GET", f"{V1}/records.csv"): VIEWER,
    ("GET", f"{V1}/records/{{sequence}}"): VIEWER,
    ("GET", f"{V1}/records/{{sequence}}/images/{{camera}}/{{kind}}"): VIEWER,
    ("GET", f"{V1}/summary"): VIEWER,
    ("GET", f"{V1}/trends"): VIEWER,
    ("GET", f"{V1}/trends.csv"): VIEWER,
    ("GET", f"{V1}/reviews/queue"): VIEWER,
    ("PUT", f"{V1}/records/{{sequence}}/review"): OPERATOR,
    ("DELETE", f"{V1}/records/{{sequence}}/review"): OPERATOR,
    ("GET", f"{V1}/reviews/export"): ENGINEER,
    ("GET", f"{V1}/recipes"): VIEWER,
    ("GET", f"{V1}/recipes/{{name}}"): VIEWER,
    ("GET", f"{V1}/recipes/{{name}}/reference/{{camera}}"): VIEWER,
    ("PUT", f"{V1}/recipes/{{name}}"): ENGINEER,
    ("POST", f"{V1}/recipes/{{name}}/restore"): ENGINEER,
    ("POST", f"{V1}/recipes/{{name}}/try"): VIEWER,
    ("GET", f"{V1}/challenge"): VIEWER,
    ("PUT", f"{V1}/challenge/kit"): ENGINEER,
    ("POST", f"{V1}/challenge/start"): OPERATOR,
    ("POST", f"{V1}/challenge/trigger"): OPERATOR,
    ("POST", f"{V1}/challenge/confirm"): OPERATOR,
    ("POST", f"{V1}/challenge/abort"): OPERATOR,
    ("GET", f"{V1}/challenge/reports"): VIEWER,
    ("GET", f"{V1}/challenge/suspects"): VIEWER,
    ("GET", "/"): NOBODY,
    ("GET", "/metrics"): VIEWER,
    ("GET", "/health/live"): NOBODY,
    ("GET", "/health/ready"): NOBODY,
}
"""The least role of each route. One that is not here has no test of its rights: add it, and think who may."""

FILLED = {"user": "nobody-at-all", "sequence": "1", "camera": "top", "kind": "original", "name": "no-such-recipe"}


def routes(client: httpx.Client) -> Iterator[tuple[str, str]]:
    """(method, path) of all that the station publishes."""
    for path, methods in client.get("/openapi.json").json()["paths"].items():
        for method in methods:
            yield method.upper(), path


def call(client: httpx.Client, method: str, path: str, **options: Any) -> httpx.Response:
    """Without a body: where one is needed, a client with the right is told so (422), one without it is not."""
    for name, value in FILLED.items():
        path = path.replace(f"{{{name}}}", value)
    return client.request(method, path, **options)


def test_every_route_is_refused_under_its_role_and_open_at_it(station: Any) -> None:
    tokens = dict(station.tokens)
    # `/logout` would end the others' logins, and `/commands` change what they find: each on its own below.
    with station.served.http() as client:
        published = sorted(routes(client))
        unknown = [route for route in published if route not in LEAST]
        assert not unknown, f"no test knows who may use {unknown}"
        assert len(published) >= 20
        for method, path in published:
            needed = LEAST[method, path]
            for role in (None, *Role):
                if needed == LOGIN and role is not None:
                    continue
                headers = {"Authorization": f"Bearer {tokens[role]}"} if role is not None else {}
                answer = call(client, method, path, headers=headers)
                may = needed is NOBODY or (isinstance(needed, Role) and role is not None and role.may(needed))
                expected = None if may else (401 if role is None else 403)
                if expected is None:
                    assert answer.status_code not in (401, 403), (method, path, role, answer.text)
                else:
                    assert answer.status_code == expected, (method, path, role, answer.text)
                    assert answer.headers["content-type"] == "application/problem+json"
                assert "Traceback" not in answer.text


def test_without_users_loopback_sees_and_acknowledges_and_nothing_more(station_without_users: Any) -> None:
    with station_without_users.http() as client:
        me = client.get(f"{V1}/me").json()
        assert (me["user"], me["role"], me["acknowledge"]) == ("", "viewer", True)
        about = client.get(f"{V1}/about").json()
        assert (about["users"], about["anonymous"]) == (False, "viewer")
        for method, path in routes(client):
            needed = LEAST[method, path]
            may = needed in (NOBODY, VIEWER) or path.endswith("/commands/reset")
            answer = call(client, method, path)
            if needed == LOGIN:
                assert answer.status_code in (401, 422)
            elif may:
                assert answer.status_code not in (401, 403), (method, path, answer.text)
            else:
                assert answer.status_code == 403, (method, path, answer.text)
                assert "partsight users add NAME --role administrator" in answer.json()["detail"]
        # What a proxy passes on may come from anywhere.
        passed_on = client.get(f"{V1}/status", headers={"X-Forwarded-For": "10.0.0.9"})
        assert passed_on.status_code == 403


def test_a_foreign_page_in_a_browser_gets_nothing(station_without_users: Any) -> None:
    """DNS rebinding, and requests from another site's page: the browser sits on the station's own machine."""
    port = station_without_users.port
    with station_without_users.http() as client:
        for headers in (
            {"Host": "evil.example"},
            {"Host": f"127.0.0.1.evil.example:{port}"},
            {"Origin": "http://evil.example"},
            {"Origin": "null"},
        ):
            answer = client.post(f"{V1}/commands/reset", headers=headers)
            assert answer.status_code == 421, headers
        assert client.get(f"{V1}/status", headers={"Host": f"localhost:{port}"}).status_code == 200
        own = {"Origin": f"http://127.0.0.1:{port}"}
        assert client.get(f"{V1}/status", headers=own).status_code == 200


def test_log_in_renew_and_log_out(station: Any) -> None:
    token = station.served.log_in("operator1")
    with station.served.http(token) as client:
        assert client.get(f"{V1}/me").json()["role"] == "operator"
        renewed = client.post(f"{V1}/renew").json()["token"]
        assert client.post(f"{V1}/logout").status_code == 204
        for old in (token, renewed):
            answer = client.get(f"{V1}/status", headers={"Authorization": f"Bearer {old}"})
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    whats = [(row.who, row.what) for row in read_audit(station.served.data, 10)]
    assert ("operator1", "logout") in whats
    assert ("operator1", "login") in whats


def test_an_administrator_manages_users_and_each_change_ends_the_users_logins(station: Any) -> None:
    with station.http(ADMINISTRATOR) as client:
        made = client.post(f"{V1}/users", json={"user": "carl", "role": "viewer", "password": PASSWORD})
        assert (made.status_code, made.json()["role"]) == (201, "viewer")
        again = client.post(f"{V1}/users", json={"user": "carl", "role": "viewer", "password": PASSWORD})
        assert again.status_code == 409
        token = station.served.log_in("carl")
        assert client.patch(f"{V1}/users/carl", json={"role": "engineer"}).json()["role"] == "engineer"
        with station.served.http(token) as carl:
            assert carl.get(f"{V1}/status").status_code == 401
        weak = client.patch(f"{V1}/users/carl", json={"password": "carl"})
        assert weak.status_code == 422
        assert "carl" not in weak.text.replace("/carl", "")
        mine = client.patch(f"{V1}/users/administrator1", json={"role": "viewer"})
        assert (mine.status_code, "last administrator" in mine.json()["detail"]) == (409, True)
        rows = {row["user"]: row for row in client.get(f"{V1}/users").json()}
        assert rows["carl"]["last_login"] is not None
        assert "hash" not in json.dumps(rows)
        assert client.delete(f"{V1}/users/carl").status_code == 204
        assert client.delete(f"{V1}/users/carl").status_code == 404
        trail = client.get(f"{V1}/audit", params={"limit": 50}).json()
    told = {(row["who"], row["what"], row["before"], row["after"]) for row in trail}
    viewer, engineer = ({"enabled": True, "role": role, "user": "carl"} for role in ("viewer", "engineer"))
    plain = {"sort_keys": True, "separators": (",", ":")}
    assert ("administrator1", "user.add", "", json.dumps(viewer, **plain)) in told
    changed = ("administrator1", "user.change", json.dumps(viewer, **plain), json.dumps(engineer, **plain))
    assert changed in told
    assert any(row["source"] == "api 127.0.0.1" for row in trail)
    assert verify_audit(station.served.data).ok


def test_one_changes_ones_own_password_with_the_old_one_only(station: Any) -> None:
    token = station.served.add_user("dora", OPERATOR)
    with station.served.http(token) as client:
        wrong = client.post(f"{V1}/password", json={"old": "not that one", "new": "another one 8"})
        assert wrong.status_code == 401
        done = client.post(f"{V1}/password", json={"old": PASSWORD, "new": "another one 8"})
        assert done.status_code == 200
        assert client.get(f"{V1}/status").status_code == 401
    with station.served.http(done.json()["token"]) as client:
        assert client.get(f"{V1}/status").status_code == 200
    station.served.log_in("dora", "another one 8")


def test_fifty_wrong_logins_are_slowed_down_told_and_forgiven(station: Any, wait_until: Callable[..., Any]) -> None:
    station.served.add_user("emil", VIEWER)
    before = len(read_audit(station.served.data, 1000))

    def guess(n: int) -> httpx.Response:
        with station.served.http() as client:
            return client.post(f"{V1}/login", json={"user": "emil", "password": f"guess number {n}"})

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(guess, range(50)))
    statuses = [answer.status_code for answer in answers]
    assert set(statuses) == {401, 429}
    assert statuses.count(401) <= 5
    waits = [int(answer.headers["retry-after"]) for answer in answers if answer.status_code == 429]
    assert min(waits) >= 1
    assert max(waits) <= 61
    # The others are not kept out, and he is let in when his wait is over.
    with station.http(OPERATOR) as client:
        assert client.get(f"{V1}/status").status_code == 200

    def let_in() -> bool:
        with station.served.http() as client:
            answer = client.post(f"{V1}/login", json={"user": "emil", "password": PASSWORD})
        return answer.status_code == 200

    wait_until(let_in, 20, "the wait is over")
    failed = [row for row in read_audit(station.served.data, 1000)[:-before] if row.what == "login.failed"]
    assert 1 <= len(failed) <= 6
    assert {(row.who, row.source) for row in failed} == {("emil", "api 127.0.0.1")}


def test_no_secret_is_in_the_logs_the_audit_trail_or_an_answer(station: Any) -> None:
    secret, typed_as_name = "very secret 12345", "secret-typed-as-a-name"
    token = station.served.add_user("frida", OPERATOR, secret)
    with station.served.http() as client:
        client.post(f"{V1}/login", json={"user": typed_as_name, "password": "x"})
        malformed = client.post(f"{V1}/login", json={"user": "frida", "password": secret, "more": secret})
        assert (malformed.status_code, secret in malformed.text) == (422, False)
        long = client.post(f"{V1}/login", json={"user": "frida", "password": secret * 100})
        assert (long.status_code, secret in long.text) == (422, False)
        client.get(f"{V1}/status", headers={"Authorization": f"Bearer {token}x"})
        client.get(f"{V1}/nothing-here?token={token}", headers={"Authorization": f"Bearer {token}"})
    data: Path = station.served.data
    hashes = [user.password_hash for user in People(data).users().values()]
    secrets = [secret, PASSWORD, typed_as_name, token, (data / KEY).read_text().strip(), *hashes]
    logs = [path.read_text(errors="replace") for path in data.parent.rglob("*.log")]
    assert any(logs), "nothing was logged: this test would prove nothing"
    rows = [str(row) for row in read_audit(data, 1000)]
    for text in (*logs, *rows):
        assert not [one for one in secrets if one in text]


def test_a_users_file_that_is_opened_to_others_lets_nobody_in(tmp_path: Path, serving: Callable[..., Any]) -> None:
    with serving(tmp_path) as served:
        token = served.add_user("anna", ADMINISTRATOR)
        with served.http(token) as client:
            (served.data / USERS).chmod(0o644)
            refused = client.get(f"{V1}/status")
            assert (refused.status_code, "chmod 600" in refused.text) == (503, True)
            assert client.post(f"{V1}/login", json={"user": "anna", "password": PASSWORD}).status_code == 503
            assert client.get("/health/live").status_code == 200
            (served.data / USERS).chmod(0o600)
            assert client.get(f"{V1}/status").status_code == 200


def test_a_token_expires_by_itself(tmp_path: Path, serving: Callable[..., Any], wait_until: Callable[..., Any]) -> None:
    with serving(tmp_path, api="idle_minutes = 0.03\ntoken_hours = 0.002") as served:
        token = served.add_user("anna", ADMINISTRATOR)
        with served.http(token) as client:
            assert client.get(f"{V1}/status").status_code == 200

            def refused() -> bool:
                return client.get(f"{V1}/status").status_code == 401

            wait_until(refused, 5, "the token has expired")
            assert client.post(f"{V1}/renew").status_code == 401


def test_anonymous_viewers_see_where_the_site_wants_it_and_do_nothing(
    tmp_path: Path, serving: Callable[..., Any]
) -> None:
    with serving(tmp_path, api='anonymous = "viewer"') as served:
        served.add_user("anna", ADMINISTRATOR)
        with served.http() as client:
            assert client.get(f"{V1}/status").status_code == 200
            for command in ("reset", "start", "bypass"):
                assert client.post(f"{V1}/commands/{command}", json={"on": True}).status_code == 401


# --- beyond loopback --------------------------------------------------------------------------------


def test_beyond_loopback_only_with_tls_and_an_administrator(tmp_path: Path, serving: Callable[..., Any]) -> None:
    """Refused at the check, before any device is opened; with both it is served, over TLS and not without."""
    issue(tmp_path / "tls", ["127.0.0.1", "localhost"], [], 30)
    api = 'host = "0.0.0.0"\n'
    tls = f'tls_certificate = "{tmp_path}/tls/broker.crt"\ntls_key = "{tmp_path}/tls/broker.key"\n'
    folder = tmp_path / "cell"
    folder.mkdir()
    with pytest.raises(AssertionError, match="has ended"), serving(folder, api=api):
        pass
    told = _check(folder / "station.toml")
    assert ("tls_certificate" in told, "partsight users add" in told) == (True, True)
    config = folder / "station.toml"
    _first_administrator(config)
    assert "partsight users add" not in _check(config)
    config.write_text(config.read_text() + tls)
    assert _check(config) == ""

    port = free_port()
    text = "\n".join(
        f"port = {port}" if line.startswith("port = ") else line for line in config.read_text().split("\n")
    )
    config.write_text(text)
    with run_station(config), httpx.Client(verify=_trusting(tmp_path / "tls/ca.crt"), trust_env=False) as client:
        answer = _first(client, f"https://127.0.0.1:{port}{V1}/about")
        assert answer.json()["users"] is True
        assert client.get(f"https://127.0.0.1:{port}{V1}/status").status_code == 401
        login = client.post(f"https://127.0.0.1:{port}{V1}/login", json={"user": "anna", "password": PASSWORD})
        assert login.status_code == 200
        with pytest.raises(httpx.TransportError):
            client.get(f"http://127.0.0.1:{port}{V1}/about")


def _first_administrator(config: Path) -> None:
    """As the message says."""
    command = [sys.executable, "-m", "partsight", "users", "add", "anna", "--role", "administrator"]
    command += ["--data", str(config), "--password-file", "-"]
    subprocess.run(command, input=f"{PASSWORD}\n", text=True, check=True, capture_output=True, timeout=60)


def _check(config: Path) -> str:
    """What `partsight check` says is wrong with the API."""
    command = [sys.executable, "-m", "partsight", "check", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return "\n".join(line for line in (done.stdout + done.stderr).splitlines() if "api." in line)


def _trusting(authority: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(authority))


def _first(client: httpx.Client, url: str) -> httpx.Response:
    end = time.monotonic() + 40
    while True:
        try:
            return client.get(url)
        except httpx.ConnectError:
            assert time.monotonic() < end
            time.sleep(0.02)


def test_the_database_holds_no_secret(station: Any) -> None:
    """Also not in tables that nobody reads."""
    db = sqlite3.connect(f"file:{station.served.data}/records.db?mode=ro", uri=True)
    try:
        dump = "\n".join(db.iterdump())
    finally:
        db.close()
    assert PASSWORD not in dump
    assert "argon2" not in dump
