"""`partsight users`: who may log in at a station, with which role. The station may run or not."""

from __future__ import annotations

import getpass
import json
import os
import pwd
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.table import Table

from partsight.api.people import Author, People, UserProblem
from partsight.cli.inspections import local
from partsight.config.station import read_station
from partsight.domain.errors import ConfigError, Mistake, RecordsUnavailable
from partsight.outputs.broker_login import refuse_readable
from partsight.outputs.records import inbox
from partsight.wire.screen.people import Role, UserName, UserRow

app = typer.Typer(no_args_is_help=True, help="Who may log in at a station, with which role.")
_NAME: TypeAdapter[str] = TypeAdapter(UserName)
SOURCE = "command line"

Name = Annotated[str, typer.Argument(metavar="NAME", help="Letters, digits, _ . @ and -.")]
Data = Annotated[
    Path, typer.Option("--data", metavar="PATH", help="The station's data folder, or its configuration file.")
]
PasswordFile = Annotated[
    str | None,
    typer.Option(
        metavar="FILE", help="The password is the first line of this file; - is standard input. Else it is asked for."
    ),
]


@app.command()
def add(
    name: Name,
    *,
    data: Data,
    role: Annotated[Role, typer.Option(help="What he may do; the first user is an administrator.")] = Role.OPERATOR,
    password_file: PasswordFile = None,
) -> None:
    """Add a user. The password is asked for twice, never given as an argument."""
    people = _people(data)
    with _changing(people, name):
        made = people.add(name, role, _password(name, password_file), _me())
    _say(f"{made.user} may log in as {made.role.value}")


@app.command(name="list")
def list_(*, data: Data, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show all users."""
    rows = _people(data, make=False).rows()
    if as_json:
        sys.stdout.write(json.dumps([row.model_dump(mode="json") for row in rows]) + "\n")
        return
    if not rows:
        _say("no users yet: partsight users add NAME --role administrator")
        return
    Console(highlight=False).print(_table(rows))


@app.command(name="set")
def set_(
    name: Name,
    *,
    data: Data,
    role: Annotated[Role | None, typer.Option(help="A new role.")] = None,
    password: Annotated[bool, typer.Option("--password", help="Ask for a new password.")] = False,
    password_file: PasswordFile = None,
    enabled: Annotated[
        bool | None, typer.Option("--enable/--disable", help="Whether he may log in; nothing is forgotten.")
    ] = None,
) -> None:
    """Change a user. All his logins end."""
    if role is None and enabled is None and not password and password_file is None:
        cure = "give --role, --password, --password-file, --enable or --disable"
        raise ConfigError([Mistake("users set", "", "there is nothing to change", cure)])
    people = _people(data)
    with _changing(people, name):
        if name not in people.users():
            raise UserProblem(404, f"there is no user {name}")
        new = _password(name, password_file) if password or password_file is not None else None
        changed = people.change(name, _me(), role=role, password=new, enabled=enabled)
    _say(f"{changed.user} is {changed.role.value}{'' if changed.enabled else ', and may not log in'}")


@app.command()
def remove(name: Name, *, data: Data) -> None:
    """Remove a user. All his logins end."""
    people = _people(data)
    with _changing(people, name):
        people.remove(name, _me())
    _say(f"{name} is removed")


# --- inside -----------------------------------------------------------------------------------------


def data_folder(source: Path, *, make: bool) -> Path:
    """A configuration's data folder, or the folder itself. make: also one that the station has not made yet.

    Raises ConfigError, RecordsUnavailable.
    """
    if source.is_file():
        folder = read_station(source).station.data
        if make:
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as problem:
                raise RecordsUnavailable(f"the data folder {folder} cannot be made: {problem.strerror}") from problem
        return folder
    if not source.is_dir():
        raise RecordsUnavailable(f"{source} is not there; name the data folder of a station, or its configuration")
    return source


def system_user() -> str:
    """For the audit trail: a name of the machine, never to be taken for a user of the station."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    asked = os.environ.get("SUDO_USER", "")
    return f"system:{asked} as {name}" if asked and asked != name else f"system:{name}"


def _people(source: Path, *, make: bool = True) -> People:
    return People(data_folder(source, make=make))


def _me() -> Author:
    return Author(system_user(), SOURCE)


@contextmanager
def _changing(people: People, name: str) -> Iterator[None]:
    """Refusals as a mistake in the call; then the audit trail takes the row in, here or in the station that runs."""
    try:
        _NAME.validate_python(name)
        yield
    except ValidationError:
        cure = "letters, digits, _ . @ and -, at most 64"
        raise ConfigError([Mistake(name[:80], "", "is no name for a user", cure)]) from None
    except UserProblem as problem:
        raise ConfigError([Mistake(f"user {name}", "", str(problem))]) from problem
    except OSError as problem:
        told = problem.strerror or str(problem)
        raise RecordsUnavailable(f"nothing was changed: {people.folder} cannot be written: {told}") from problem
    try:
        inbox.take_in_offline(people.folder)
    except (RecordsUnavailable, OSError) as problem:
        # The row is safe in the inbox; the station takes it in when it starts.
        Console(stderr=True, highlight=False).print(f"[yellow]note:[/yellow] the audit trail waits: {problem}")


def _password(name: str, file: str | None) -> str:
    if file == "-":
        return _first_line(sys.stdin.readline(), "standard input")
    if file is not None:
        path = Path(file)
        refuse_readable(path, "--password-file")
        try:
            with path.open(encoding="utf-8") as lines:
                return _first_line(lines.readline(4096), file)
        except (OSError, UnicodeDecodeError) as problem:
            raise ConfigError([Mistake(file, "--password-file", f"cannot be read: {problem}")]) from problem
    if not sys.stdin.isatty():
        cure = "use --password-file FILE, or --password-file - for standard input"
        raise ConfigError([Mistake("password", "", "there is no terminal to ask on", cure)])
    first = getpass.getpass(f"Password for {name}: ")
    if getpass.getpass("Once more: ") != first:
        raise ConfigError([Mistake("password", "", "the two are not the same", "try again")])
    return first


def _first_line(text: str, place: str) -> str:
    found = text.rstrip("\r\n")
    if not found:
        raise ConfigError([Mistake(place, "", "is empty: no password there")])
    return found


def _say(text: str) -> None:
    Console(highlight=False).print(text, markup=False, soft_wrap=True)


def _table(rows: list[UserRow]) -> Table:
    table = Table(show_edge=False)
    for name in ("user", "role", "may log in", "created", "last login"):
        table.add_column(name, no_wrap=True)
    for row in rows:
        last = local(row.last_login) if row.last_login is not None else ""
        table.add_row(row.user, row.role.value, "yes" if row.enabled else "no", local(row.created), last)
    return table
