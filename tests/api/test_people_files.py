"""The users' file, passwords, attempts and the audit inbox: what the command line and the API share."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partsight.api.people import USERS, Author, People, UserProblem, read_users
from partsight.api.settings import ApiSettings
from partsight.api.tokens import ENDED, KEY, LONGEST_WAIT_S, MAX_KEPT, Attempts, TokenProblem, Tokens
from partsight.domain.errors import ConfigError
from partsight.outputs.records import SqliteRecords, inbox, read_audit, verify_audit
from partsight.wire.screen.people import Role

BY = Author("test", "here")
PASSWORD = "correct horse 7"


class Clock:
    """A clock that a test sets."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def people(tmp_path: Path) -> People:
    found = People(tmp_path)
    found.add("anna", Role.ADMINISTRATOR, PASSWORD, BY)
    return found


def open_records(folder: Path) -> SqliteRecords:
    return SqliteRecords.open(folder, ballast_bytes=0)


def cli(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "partsight", "users", *arguments]
    return subprocess.run(command, input=given, capture_output=True, text=True, check=False, timeout=60)


# --- the file ---------------------------------------------------------------------------------------


def test_the_file_is_private_and_holds_no_password(people: People, tmp_path: Path) -> None:
    path = tmp_path / USERS
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert PASSWORD not in path.read_text()
    assert "$argon2id$" in path.read_text()
    assert people.verify("anna", PASSWORD) is not None
    assert people.verify("anna", PASSWORD + "x") is None
    assert people.verify("nobody", PASSWORD) is None


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o602])
def test_a_file_that_others_may_read_or_write_is_refused_with_the_cure(
    people: People, tmp_path: Path, mode: int
) -> None:
    assert people.users()
    (tmp_path / USERS).chmod(mode)
    with pytest.raises(ConfigError, match=f"chmod 600 {tmp_path / USERS}"):
        people.users()
    with pytest.raises(ConfigError, match="chmod 600"):
        people.add("bob", Role.VIEWER, PASSWORD, BY)
    (tmp_path / USERS).chmod(0o600)
    assert set(people.users()) == {"anna"}


def test_a_link_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    People(elsewhere).add("eve", Role.ADMINISTRATOR, PASSWORD, BY)
    here = tmp_path / "here"
    here.mkdir()
    (here / USERS).symlink_to(elsewhere / USERS)
    with pytest.raises(ConfigError, match="cannot be opened"):
        People(here).users()


@given(st.binary(max_size=200))
def test_a_damaged_file_is_never_read_as_no_users(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """No users would mean rights for whoever sits at the station."""
    folder = tmp_path_factory.mktemp("users")
    (folder / USERS).write_bytes(content)
    (folder / USERS).chmod(0o600)
    with pytest.raises(ConfigError, match="is damaged"):
        read_users(folder)


def test_a_damaged_file_is_told_without_its_hashes(people: People, tmp_path: Path) -> None:
    path = tmp_path / USERS
    path.write_text(path.read_text().replace("administrator", "king"))
    with pytest.raises(ConfigError) as refused:
        people.users()
    assert "argon2" not in str(refused.value)


def test_the_last_administrator_stays(people: People) -> None:
    people.add("bob", Role.ENGINEER, PASSWORD, BY)
    for change in ({"role": Role.ENGINEER}, {"enabled": False}):
        with pytest.raises(UserProblem, match="last administrator"):
            people.change("anna", BY, **change)  # type: ignore[arg-type]  # one of both
    with pytest.raises(UserProblem, match="last administrator"):
        people.remove("anna", BY)
    people.change("bob", BY, role=Role.ADMINISTRATOR)
    people.remove("anna", BY)
    assert set(people.users()) == {"bob"}


def test_the_first_user_is_an_administrator(tmp_path: Path) -> None:
    with pytest.raises(UserProblem, match="administrator"):
        People(tmp_path).add("bob", Role.OPERATOR, PASSWORD, BY)
    assert People(tmp_path).empty()


@pytest.mark.parametrize("weak", ["short 7", "", "aaaaaaaaaa", "Anna.Schmidt", "tdimhcS.annA", "x" * 257])
def test_weak_passwords_are_refused(people: People, weak: str) -> None:
    with pytest.raises(UserProblem, match="password"):
        people.add("anna.schmidt", Role.VIEWER, weak, BY)
    assert set(people.users()) == {"anna"}


def test_a_password_is_the_same_however_a_keyboard_composes_it(people: People) -> None:
    people.add("zoe", Role.VIEWER, "Fu\u0308\u00dfe-und-Zoe\u0308", BY)
    assert people.verify("zoe", "F\u00fc\u00dfe-und-Zo\u00eb") is not None
    assert people.verify("zoe", "\ud800 lone surrogate") is None


def test_names_that_differ_in_case_only_are_one_too_many(people: People) -> None:
    with pytest.raises(UserProblem, match="already"):
        people.add("Anna", Role.VIEWER, PASSWORD, BY)


def test_many_who_change_the_file_at_once_lose_nothing(people: People, tmp_path: Path) -> None:
    names = [f"user{n}" for n in range(6)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda name: People(tmp_path).add(name, Role.VIEWER, PASSWORD, BY), names))
    assert set(people.users()) == {"anna", *names}


# --- tokens -----------------------------------------------------------------------------------------


def tokens_of(folder: Path, clock: Clock) -> Tokens:
    return Tokens(folder, hours=8, idle_minutes=30, clock=clock)


def test_a_token_ends_after_idling_and_at_the_end_of_the_login(people: People, tmp_path: Path) -> None:
    clock = Clock()
    tokens = tokens_of(tmp_path, clock)
    session = tokens.issue("anna", people.users()["anna"])
    clock.now += 29 * 60
    assert tokens.check(session.token, people).role is Role.ADMINISTRATOR
    renewed = tokens.renew(session.token, people)
    clock.now += 2 * 60
    with pytest.raises(TokenProblem, match="expired"):
        tokens.check(session.token, people)
    began = clock.now - 31 * 60
    while clock.now - began < 8 * 3600:
        assert tokens.check(renewed.token, people).user == "anna"
        renewed = tokens.renew(renewed.token, people)
        clock.now += 20 * 60
    with pytest.raises(TokenProblem, match="expired"):
        tokens.renew(renewed.token, people)


@pytest.mark.parametrize("jump_s", [-86_400.0, -60.0, 86_400.0])
def test_a_clock_that_jumps_ends_logins_and_never_prolongs_them(people: People, tmp_path: Path, jump_s: float) -> None:
    clock = Clock()
    tokens = tokens_of(tmp_path, clock)
    session = tokens.issue("anna", people.users()["anna"])
    clock.now += jump_s
    with pytest.raises(TokenProblem, match="expired"):
        tokens.check(session.token, people)
    assert tokens.check(tokens.issue("anna", people.users()["anna"]).token, people).user == "anna"


def test_log_out_holds_after_a_restart_and_a_clock_that_jumps_ahead_and_back(people: People, tmp_path: Path) -> None:
    clock = Clock()
    tokens = tokens_of(tmp_path, clock)
    first, other = (tokens.issue("anna", people.users()["anna"]) for _ in range(2))
    renewed = tokens.renew(first.token, people)
    tokens.end(first.token, people)
    clock.now += 12 * 3600
    tokens.end(tokens.issue("anna", people.users()["anna"]).token, people)
    clock.now -= 12 * 3600
    again = tokens_of(tmp_path, clock)
    for token in (first.token, renewed.token):
        with pytest.raises(TokenProblem, match="ended"):
            again.check(token, people)
    assert again.check(other.token, people).user == "anna"
    assert stat.S_IMODE((tmp_path / ENDED).stat().st_mode) == 0o600


def test_each_change_of_a_user_ends_his_tokens(people: People, tmp_path: Path) -> None:
    people.add("bob", Role.OPERATOR, PASSWORD, BY)
    tokens = tokens_of(tmp_path, Clock())
    for change in ({"role": Role.ENGINEER}, {"password": "another one 8"}, {"enabled": False}, {"enabled": True}):
        token = tokens.issue("bob", people.users()["bob"]).token
        people.change("bob", BY, **change)  # type: ignore[arg-type]  # one of them
        with pytest.raises(TokenProblem, match="ended"):
            tokens.check(token, people)
    token = tokens.issue("bob", people.users()["bob"]).token
    people.remove("bob", BY)
    with pytest.raises(TokenProblem, match="ended"):
        tokens.check(token, people)


@given(st.text(max_size=80) | st.from_regex(r"[A-Za-z0-9_-]{1,40}\.[A-Za-z0-9_-]{1,40}\.[A-Za-z0-9_-]{0,40}"))
def test_what_is_no_token_is_refused_and_nothing_else(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.getbasetemp() / "tokens"
    folder.mkdir(exist_ok=True)
    with pytest.raises(TokenProblem):
        tokens_of(folder, Clock()).check(text, People(folder))


def test_tokens_of_another_key_or_without_a_signature_are_refused(people: People, tmp_path: Path) -> None:
    import jwt

    clock = Clock()
    tokens = tokens_of(tmp_path, clock)
    good = tokens.issue("anna", people.users()["anna"]).token
    claims = jwt.decode(good, options={"verify_signature": False})
    for forged in (jwt.encode(claims, None, "none"), jwt.encode(claims, "0" * 32, "HS256")):
        with pytest.raises(TokenProblem, match="no token"):
            tokens.check(forged, people)
    with pytest.raises(TokenProblem, match="no token"):
        tokens.check(good + "A" * 4000, people)


def test_the_key_is_private_made_once_and_refused_where_it_is_open(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: tokens_of(tmp_path, Clock())._key, range(8)))
    assert len(made) == 1
    assert stat.S_IMODE((tmp_path / KEY).stat().st_mode) == 0o600
    (tmp_path / KEY).chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        tokens_of(tmp_path, Clock())
    (tmp_path / KEY).chmod(0o600)
    (tmp_path / KEY).write_text("")
    with pytest.raises(ConfigError, match="is damaged"):
        tokens_of(tmp_path, Clock())


# --- attempts ---------------------------------------------------------------------------------------


def test_wrong_passwords_make_each_next_try_slower(tmp_path: Path) -> None:
    clock = Clock(0)
    attempts = Attempts(clock)
    waits = []
    for _ in range(12):
        while (wait := attempts.begin("anna", "10.0.0.9")) > 0:
            waits.append(wait)
            clock.now += wait
    assert waits == sorted(waits)
    assert waits[0] == 1
    assert waits[-1] == LONGEST_WAIT_S


def test_guessing_from_elsewhere_does_not_lock_a_user_out_of_his_own_screen() -> None:
    clock = Clock(0)
    attempts = Attempts(clock)
    assert attempts.begin("anna", "127.0.0.1") == 0
    attempts.succeeded("anna", "127.0.0.1")
    while attempts.begin("anna", "10.0.0.9") == 0:
        pass
    assert attempts.begin("anna", "10.0.0.10") > 0
    assert attempts.begin("anna", "127.0.0.1") == 0


def test_many_names_from_one_address_are_slowed_too_and_memory_is_bounded() -> None:
    clock = Clock(0)
    attempts = Attempts(clock)
    assert sum(attempts.begin(f"user{n}", "fd00::1:2:3:4") == 0 for n in range(100)) == 10
    # Of one /64 a machine may have any address.
    assert attempts.begin("user101", "fd00::9:9:9:9") > 0
    for n in range(2 * MAX_KEPT):
        attempts.begin("x", f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}")
        attempts.begin(f"name{n}", f"11.{n >> 16}.{n >> 8 & 255}.{n & 255}")
    assert len(attempts) <= MAX_KEPT


# --- the audit inbox --------------------------------------------------------------------------------


def test_rows_of_the_inbox_are_taken_in_once_with_their_time(tmp_path: Path) -> None:
    inbox.put(tmp_path, "system:anna", "command line", "user.add", after={"user": "bob"})
    with open_records(tmp_path) as records:
        inbox.put(tmp_path, "bob", "api 10.0.0.9", "login")
        assert records.take_in_audit() == 2
        assert records.take_in_audit() == 0
    newest, oldest = read_audit(tmp_path)
    assert (newest.who, newest.source, newest.what) == ("bob", "api 10.0.0.9", "login")
    assert (oldest.what, oldest.after) == ("user.add", '{"user":"bob"}')
    assert verify_audit(tmp_path).ok
    assert not inbox.waiting(tmp_path)


def test_a_station_killed_before_the_file_went_takes_no_row_twice(tmp_path: Path) -> None:
    inbox.put(tmp_path, "anna", "here", "login")
    with open_records(tmp_path) as records:
        ((number, path),) = inbox.claim(tmp_path, 0)
        kept = path.read_bytes()
        assert records.take_in_audit() == 1
        path.write_bytes(kept)  # as the kill leaves it: committed, and the file still there
    assert number == 1
    with open_records(tmp_path) as records:
        inbox.put(tmp_path, "anna", "here", "logout")
        assert records.take_in_audit() == 1
    assert [row.what for row in read_audit(tmp_path)] == ["logout", "login"]


@given(st.lists(st.binary(max_size=60), max_size=5))
def test_a_broken_inbox_loses_no_good_row_and_stops_nothing(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]
) -> None:
    folder = tmp_path_factory.mktemp("inbox")
    inbox.put(folder, "anna", "here", "first")
    with (folder / inbox.INBOX).open("ab") as file:
        file.write(b"\n".join(lines))
    inbox.put(folder, "anna\ud800", "here", "last", after={"x": "\ud800"})
    with open_records(folder) as records:
        records.take_in_audit()
        whats = [row.what for row in read_audit(folder)]
    assert (whats[-1], whats[0]) == ("first", "last")
    assert set(whats[1:-1]) <= {inbox.BROKEN_LINE}
    assert verify_audit(folder).ok


def test_many_writers_and_the_station_lose_no_row(tmp_path: Path) -> None:
    with open_records(tmp_path) as records, ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(inbox.put, tmp_path, "w", "here", f"row{n}") for n in range(60)]
        while not all(job.done() for job in jobs):
            records.take_in_audit()
        records.take_in_audit()
    assert sorted(row.what for row in read_audit(tmp_path, 200)) == sorted(f"row{n}" for n in range(60))
    assert all(job.exception() is None for job in jobs)


def test_a_change_of_users_that_cannot_be_audited_is_not_made(people: People, tmp_path: Path) -> None:
    (tmp_path / inbox.INBOX).unlink()
    (tmp_path / inbox.INBOX).mkdir()
    before = (tmp_path / USERS).read_bytes()
    with pytest.raises(OSError, match=r"audit-inbox|directory"):
        people.add("bob", Role.VIEWER, PASSWORD, BY)
    assert (tmp_path / USERS).read_bytes() == before


# --- the command line -------------------------------------------------------------------------------


def test_the_command_line_makes_shows_changes_and_removes_users(tmp_path: Path) -> None:
    at = ("--data", str(tmp_path))
    with open_records(tmp_path):
        pass  # a station has run here
    made = cli("add", "anna", "--role", "administrator", "--password-file", "-", *at, given=f"{PASSWORD}\n")
    assert (made.returncode, made.stderr) == (0, "")
    secret = tmp_path / "secret"
    secret.write_text("another one 8\n")
    refused = cli("add", "bob", "--password-file", str(secret), *at)
    secret.chmod(0o600)
    assert (refused.returncode, "may be read by others" in refused.stderr) == (2, True)
    assert cli("add", "bob", "--password-file", str(secret), *at).returncode == 0
    assert cli("set", "bob", "--role", "engineer", "--disable", *at).returncode == 0
    rows = {row["user"]: row for row in json.loads(cli("list", "--json", *at).stdout)}
    assert (rows["bob"]["role"], rows["bob"]["enabled"]) == ("engineer", False)
    assert "hash" not in json.dumps(rows)
    assert cli("remove", "anna", *at).returncode == 2
    assert cli("remove", "bob", *at).returncode == 0
    assert set(read_users(tmp_path)) == {"anna"}
    # Nothing ran: the command itself has taken the rows in, and no secret is among them.
    trail = read_audit(tmp_path)
    assert [row.what for row in trail] == ["user.remove", "user.change", "user.add", "user.add"]
    assert all(row.who.startswith("system:") for row in trail)
    told = json.dumps([(row.before, row.after) for row in trail])
    assert not any(word in told for word in (PASSWORD, "another one 8", "argon2"))
    assert verify_audit(tmp_path).ok


@pytest.mark.parametrize(
    ("arguments", "given_text", "status", "told"),
    [
        (("add", "anna", "--role", "administrator"), "", 2, "no terminal"),
        (("add", "anna", "--role", "administrator", "--password-file", "-"), "\n", 2, "is empty"),
        (("add", "anna", "--role", "administrator", "--password-file", "-"), "short\n", 2, "8 characters"),
        (("add", "../x", "--role", "administrator", "--password-file", "-"), f"{PASSWORD}\n", 2, "no name for a user"),
        (("add", "bob", "--password-file", "-"), f"{PASSWORD}\n", 2, "administrator"),
        (("set", "anna"), "", 2, "nothing to change"),
        (("set", "anna", "--disable"), "", 2, "there is no user anna"),
        (("remove", "anna"), "", 2, "there is no user anna"),
    ],
)
def test_mistakes_in_the_call_have_a_status_and_a_cure(
    tmp_path: Path, arguments: tuple[str, ...], given_text: str, status: int, told: str
) -> None:
    done = cli(*arguments, "--data", str(tmp_path), given=given_text)
    assert done.returncode == status
    assert told in done.stderr
    assert not (tmp_path / USERS).exists()


def test_a_folder_that_is_not_there_is_not_made_by_a_slip_of_the_keyboard(tmp_path: Path) -> None:
    done = cli("list", "--data", str(tmp_path / "nowhere"))
    assert (done.returncode, (tmp_path / "nowhere").exists()) == (3, False)


# --- who may be let in ------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "station.plant", "::ffff:192.0.2.1"])
def test_other_addresses_than_loopback_need_tls_and_an_administrator(tmp_path: Path, host: str) -> None:
    settings = ApiSettings(host=host)
    first, second = settings.problems(tmp_path, "station.toml")
    assert ("unencrypted" in first.problem, "administrator" in second.problem) == (True, True)
    assert "partsight users add" in second.cure
    People(tmp_path).add("anna", Role.ADMINISTRATOR, PASSWORD, BY)
    assert len(settings.problems(tmp_path)) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost", "::ffff:127.0.0.1"])
def test_loopback_needs_nothing(tmp_path: Path, host: str) -> None:
    assert ApiSettings(host=host).problems(tmp_path) == []


def test_a_users_file_that_is_open_to_others_stops_the_start(people: People, tmp_path: Path) -> None:
    os.chmod(tmp_path / USERS, 0o666)  # noqa: PTH101 - as a careless script does it
    (mistake,) = ApiSettings().problems(tmp_path)
    assert "chmod 600" in mistake.cure
