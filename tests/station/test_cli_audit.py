"""`partsight audit` and `partsight mqtt schema` as a person calls them."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from partsight.cli.audit import app
from partsight.cli.schema import schema
from partsight.domain.errors import ConfigError, RecordsUnavailable
from partsight.outputs.records import Durability, SqliteRecords
from partsight.outputs.records.folder import DATABASE


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    with SqliteRecords.open(folder, durability=Durability.PROCESS, ballast_bytes=0) as records:
        records.audit("anna", "screen", "recipe", before="pcb@13", after="pcb@14")
        records.audit("[red]mes", "mqtt", "command start", after={"rid": "r-1"})
    return folder


def call(*arguments: str) -> tuple[int, str]:
    found = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    return found.exit_code, found.stdout


def test_a_whole_trail_exits_0_and_gives_its_digest(data: Path) -> None:
    status, said = call("verify", str(data))
    assert status == 0
    assert "whole: 2 rows, digest 2:" in said
    digest = said.split("digest ")[1].strip()
    assert call("verify", str(data), "--digest", digest)[0] == 0
    status, said = call("verify", str(data), "--digest", "1:" + "0" * 64)
    assert status == 1
    assert "row 1 is not the one of the digest" in said


def test_a_changed_trail_exits_1_and_says_where(data: Path) -> None:
    db = sqlite3.connect(data / DATABASE, isolation_level=None)
    db.execute("DROP TRIGGER audit_no_update")
    db.execute("UPDATE audit SET who = 'bob' WHERE n = 1")
    db.close()
    status, said = call("verify", str(data))
    assert status == 1
    assert "NOT whole" in said
    assert "row 1 was changed" in said
    status, said = call("verify", str(data), "--json")
    assert status == 1
    told = json.loads(said)
    assert (told["ok"], told["rows"]) == (False, 2)
    assert "row 1 was changed" in told["problems"]


def test_show_prints_what_was_audited(data: Path) -> None:
    status, said = call("show", str(data), "--json")
    assert status == 0
    newest, oldest = json.loads(said)
    assert (newest["who"], newest["source"], newest["after"]) == ("[red]mes", "mqtt", '{"rid":"r-1"}')
    assert (oldest["n"], oldest["before"], oldest["after"]) == (1, '"pcb@13"', '"pcb@14"')
    status, said = call("show", str(data), "--limit", "1")
    assert status == 0
    assert "[red]" in said  # as it was sent, not as a colour
    assert "anna" not in said


def test_mistakes_in_the_call(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is no digest"):
        call("verify", str(data), "--digest", "2:abc")
    with pytest.raises(RecordsUnavailable, match="is not there"):
        call("verify", str(tmp_path / "nothing"))
    with pytest.raises(RecordsUnavailable, match="no records"):
        call("show", str(tmp_path))


def test_the_schema_is_printed_for_a_prefix_of_ones_own_or_written(tmp_path: Path) -> None:
    command = typer.Typer()
    command.command()(schema)
    found = CliRunner().invoke(command, ["--prefix", "plant/press2/vi"], catch_exceptions=False)
    document = json.loads(found.stdout)
    assert document["channels"]["state"]["address"] == "plant/press2/vi/state"
    found = CliRunner().invoke(command, ["--out", str(tmp_path / "wire")], catch_exceptions=False)
    assert found.exit_code == 0
    assert json.loads((tmp_path / "wire" / "schemas" / "verdict.json").read_text())["title"] == "VerdictMessage"
    with pytest.raises(ConfigError, match="prefix"):
        CliRunner().invoke(command, ["--prefix", "a/#"], catch_exceptions=False)
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        CliRunner().invoke(command, ["--out", str(tmp_path / "file")], catch_exceptions=False)
