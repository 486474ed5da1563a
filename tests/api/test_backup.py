"""Backup and restore of a station that runs or not: whole or refused, and no number is ever given out twice."""

from __future__ import annotations

import gzip
import io
import json
import stat
import subprocess
import sys
import tarfile
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.station.kill_run import station as run_station
from tests.station.kill_run import write_station

from partsight.api.people import Author, People, read_users
from partsight.api.tokens import KEY
from partsight.cli import restore as restoring
from partsight.cli.backup import MANIFEST, make_backup
from partsight.cli.restore import put_back
from partsight.domain.errors import ConfigError, FolderInUse, PartsightError
from partsight.outputs.records import RecordsReader, SqliteRecords, inbox, read_audit, verify_audit
from partsight.wire.screen.people import Role

BY = Author("test", "here")
PASSWORD = "correct horse 7"


def open_records(folder: Path) -> SqliteRecords:
    return SqliteRecords.open(folder, ballast_bytes=0)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder of a stopped station: records, audit, a user, a key, an odd file."""
    folder = tmp_path / "data"
    with open_records(folder) as records:
        records.reserve(5)
        records.append_event("state", {"to": "x"}, datetime.now(timezone.utc))
        records.audit("anna", "here", "something")
    People(folder).add("anna", Role.ADMINISTRATOR, PASSWORD, BY)
    (folder / KEY).write_text("ab" * 32)
    (folder / KEY).chmod(0o600)
    (folder / "opcua").mkdir()
    (folder / "opcua" / "key.pem").write_text("a private key")
    (folder / "images" / "2026-11-24").mkdir(parents=True)
    (folder / "images" / "2026-11-24" / "one.png").write_bytes(b"pixels")
    return folder


def names_of(archive: Path) -> set[str]:
    with tarfile.open(archive) as tar:
        return set(tar.getnames())


def manifest_of(archive: Path) -> dict[str, Any]:
    with tarfile.open(archive) as tar:
        file = tar.extractfile(MANIFEST)
        assert file is not None
        found: dict[str, Any] = json.load(file)
        return found


def rewritten(archive: Path, change: Callable[[dict[str, bytes], list[tarfile.TarInfo]], None]) -> Path:
    """An archive as somebody has changed it; the manifest goes last."""
    with tarfile.open(archive) as tar:
        contents = {}
        for member in tar:
            file = tar.extractfile(member)
            assert file is not None
            contents[member.name] = file.read()
    extra: list[tarfile.TarInfo] = []
    change(contents, extra)
    changed = archive.with_name("changed.tar.gz")
    with tarfile.open(changed, "w:gz") as tar:
        for name in [n for n in contents if n != MANIFEST]:
            info = tarfile.TarInfo(name)
            info.size = len(contents[name])
            tar.addfile(info, io.BytesIO(contents[name]))
        for info in extra:
            tar.addfile(info, io.BytesIO(b"x" * info.size))
        if MANIFEST in contents:
            info = tarfile.TarInfo(MANIFEST)
            info.size = len(contents[MANIFEST])
            tar.addfile(info, io.BytesIO(contents[MANIFEST]))
    return changed


# --- a running station ------------------------------------------------------------------------------


def test_a_running_station_is_backed_up_restored_and_runs_on_with_new_numbers(
    tmp_path: Path, wait_until: Callable[..., Any]
) -> None:
    """The backup disturbs no part, and what comes back is a whole station."""
    here = tmp_path / "here"
    config = write_station(here)
    data = here / "data"
    with run_station(config) as run:

        def parts(least: int) -> bool:
            try:
                with RecordsReader.open(data) as reader:
                    return reader.summary().total >= least
            except PartsightError:
                return False

        wait_until(lambda: parts(20), 40, "twenty parts")
        command = [sys.executable, "-m", "partsight", "users", "add", "anna", "--role", "administrator"]
        command += ["--data", str(config), "--password-file", "-"]
        subprocess.run(command, input=f"{PASSWORD}\n", text=True, check=True, capture_output=True, timeout=60)
        command = [sys.executable, "-m", "partsight", "backup", str(config), str(tmp_path / "b.tar.gz")]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as backup:
            nice = psutil.Process(backup.pid).nice
            wait_until(lambda: nice() == 10, 40, "it may not take the line's core")
            _, told = backup.communicate(timeout=60)
        assert (backup.returncode, told) == (0, "")
        with RecordsReader.open(data) as reader:
            at_backup = reader.summary().total
        wait_until(lambda: parts(at_backup + 20), 40, "parts after the backup")
        assert run.process.poll() is None
    archive = tmp_path / "b.tar.gz"
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    manifest = manifest_of(archive)
    assert manifest["model"]["files"]
    assert {"configuration/station.toml", "data/records.db", "data/users.json"} <= names_of(archive)

    there = tmp_path / "there"
    command = [sys.executable, "-m", "partsight", "restore", str(archive), str(there / "data")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert set(read_users(there / "data")) == {"anna"}
    with RecordsReader.open(there / "data") as reader:
        assert 20 <= reader.summary().total <= at_backup
    with RecordsReader.open(data) as reader, open_records(there / "data") as restored:
        newest = reader.inspections(limit=1)[0]
        assert restored.reserve(1) > newest.trigger.sequence
        assert restored.epoch > newest.trigger.epoch
        restored.take_in_audit()
    assert verify_audit(there / "data").ok
    whats = [row.what for row in read_audit(there / "data", 20)]
    assert (whats[0], "user.add" in whats) == ("restore", True)
    assert not list(tmp_path.glob("**/.partsight-*"))


def test_a_station_that_writes_all_the_time_does_not_hold_up_its_backup(data: Path, tmp_path: Path) -> None:
    """Each commit would make SQLite begin anew, were the moment not held."""
    from threading import Event, Thread

    with open_records(data) as records:
        for _ in range(3):
            records.append_event("state", {"filling": "x" * 4_000_000}, datetime.now(timezone.utc))
        stop = Event()

        def write() -> None:
            while not stop.is_set():
                records.append_event("state", {"to": "x"}, datetime.now(timezone.utc))

        writer = Thread(target=write)
        writer.start()
        try:
            archive, _ = make_backup(data, tmp_path / "b.tar.gz")
        finally:
            stop.set()
            writer.join()
    put_back(archive, tmp_path / "there")
    with open_records(tmp_path / "there") as restored:
        assert [row.seq for row in restored.read_outbox(0, 4)] == [1, 2, 3, 4]


# --- numbers ----------------------------------------------------------------------------------------


def test_no_number_comes_twice_whatever_the_station_did_after_the_backup(data: Path, tmp_path: Path) -> None:
    archive, _ = make_backup(data, tmp_path / "b.tar.gz")
    with open_records(data) as records:
        last_part = records.reserve(900_000) + 900_000 - 1
        last_seq = records.append_event("state", {"to": "y"}, datetime.now(timezone.utc))
        last_epoch = records.epoch
    put_back(archive, tmp_path / "there")
    with open_records(tmp_path / "there") as restored:
        assert restored.reserve(1) > last_part
        assert restored.epoch > last_epoch
        assert restored.append_event("state", {"to": "z"}, datetime.now(timezone.utc)) > last_seq
    # Also where the copy of the numbers beside the database is lost before the first start.
    put_back(archive, tmp_path / "again")
    (tmp_path / "again" / "numbers.json").unlink()
    with open_records(tmp_path / "again") as restored:
        assert restored.reserve(1) > last_part
        assert restored.append_event("state", {"to": "z"}, datetime.now(timezone.utc)) > last_seq


def test_an_old_backup_skips_all_that_a_fast_line_could_have_judged_since(data: Path, tmp_path: Path) -> None:
    archive, _ = make_backup(data, tmp_path / "b.tar.gz")
    days = 30

    def a_month_older(contents: dict[str, bytes], _: list[tarfile.TarInfo]) -> None:
        manifest = json.loads(contents[MANIFEST])
        manifest["made"] = (datetime.now(timezone.utc) - timedelta(days=days)).isoformat()
        contents[MANIFEST] = json.dumps(manifest).encode()

    put_back(rewritten(archive, a_month_older), tmp_path / "there")
    with open_records(tmp_path / "there") as restored:
        assert restored.reserve(1) > days * 86_400 * 50


def test_over_the_old_folder_its_own_numbers_count_and_it_is_kept(data: Path, tmp_path: Path) -> None:
    archive, _ = make_backup(data, tmp_path / "b.tar.gz")
    with open_records(data) as records:
        last = records.reserve(5_000_000) + 5_000_000 - 1
    with pytest.raises(ConfigError, match="is not empty"):
        put_back(archive, data)
    with open_records(data), pytest.raises(FolderInUse):
        put_back(archive, data, force=True)
    done = put_back(archive, data, force=True)
    (old,) = done.kept
    with open_records(old) as records:
        assert records.reserve(1) > last
    with open_records(data) as restored:
        assert restored.reserve(1) > last


def test_a_clock_that_cannot_be_right_restores_nothing(data: Path, tmp_path: Path) -> None:
    archive, _ = make_backup(data, tmp_path / "b.tar.gz")

    def tomorrow(contents: dict[str, bytes], _: list[tarfile.TarInfo]) -> None:
        manifest = json.loads(contents[MANIFEST])
        manifest["made"] = (datetime.now(timezone.utc) + timedelta(days=1)).isoformat()
        contents[MANIFEST] = json.dumps(manifest).encode()

    with pytest.raises(ConfigError, match="set the clock"):
        put_back(rewritten(archive, tomorrow), tmp_path / "there")
    assert not (tmp_path / "there").exists()


# --- what is in it ----------------------------------------------------------------------------------


def test_keys_and_pictures_are_in_it_only_where_asked_for(data: Path, tmp_path: Path) -> None:
    plain, packed = make_backup(data, tmp_path / "plain.tar.gz")
    assert any("opcua/key.pem" in note for note in packed.notes)
    assert not {"data/opcua/key.pem", f"data/{KEY}", "data/images/2026-11-24/one.png"} & names_of(plain)
    full, _ = make_backup(data, tmp_path / "full.tar.gz", images=True, with_secrets=True)
    assert {"data/opcua/key.pem", "data/images/2026-11-24/one.png"} <= names_of(full)
    # Who may sign tokens is never carried on: a restored station must not let ended logins in.
    assert f"data/{KEY}" not in names_of(full)
    put_back(full, tmp_path / "there")
    assert (tmp_path / "there/images/2026-11-24/one.png").read_bytes() == b"pixels"
    for private in ("opcua/key.pem", "users.json"):
        assert stat.S_IMODE((tmp_path / "there" / private).stat().st_mode) == 0o600


def test_links_in_the_data_folder_are_not_followed(data: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("not ours")
    (data / "link").symlink_to(tmp_path / "outside")
    archive, _ = make_backup(data, tmp_path / "b.tar.gz")
    assert "data/link" not in names_of(archive)


def test_the_configuration_comes_back_with_its_recipes(tmp_path: Path) -> None:
    config = write_station(tmp_path / "here")
    with open_records(tmp_path / "here" / "data"):
        pass
    archive, _ = make_backup(config, tmp_path / "b.tar.gz")
    put_back(archive, tmp_path / "there" / "data", tmp_path / "there" / "site")
    for path in [config, *(config.parent / "recipes").glob("*")]:
        again = tmp_path / "there" / "site" / path.relative_to(config.parent)
        assert again.read_bytes() == path.read_bytes()


def test_audit_rows_that_wait_are_in_it(data: Path, tmp_path: Path) -> None:
    inbox.put(data, "anna", "here", "just now")
    archive, _ = make_backup(data, tmp_path / "b.tar.gz")
    put_back(archive, tmp_path / "there")
    assert "just now" in [row.what for row in read_audit(tmp_path / "there")]


def test_a_trail_that_was_cut_does_not_look_whole_after_a_restore(data: Path, tmp_path: Path) -> None:
    head = json.loads((data / "audit.json").read_text())
    (data / "audit.json").write_text(json.dumps({"n": head["n"] + 3, "hash": head["hash"]}))
    (data / inbox.INBOX).unlink()
    archive, packed = make_backup(data, tmp_path / "b.tar.gz")
    assert any("NOT whole" in note for note in packed.notes)
    put_back(archive, tmp_path / "there")
    with open_records(tmp_path / "there"):
        pass
    assert not verify_audit(tmp_path / "there").ok


@pytest.mark.parametrize("target", ["b.zip", "data/b.tar.gz", "nowhere/b.tar.gz"])
def test_a_target_that_cannot_be_is_refused(data: Path, tmp_path: Path, target: str) -> None:
    with pytest.raises(ConfigError):
        make_backup(data, tmp_path / target)


def test_nothing_is_overwritten(data: Path, tmp_path: Path) -> None:
    (tmp_path / "b.tar.gz").write_text("precious")
    with pytest.raises(ConfigError, match="is there already"):
        make_backup(data, tmp_path / "b.tar.gz")
    assert (tmp_path / "b.tar.gz").read_text() == "precious"


# --- archives that are not whole, or not ours -------------------------------------------------------


def refused(archive: Path, there: Path, words: str) -> None:
    """Nothing is put in place, and nothing is left beside it."""
    with pytest.raises(ConfigError, match=words):
        put_back(archive, there)
    assert not there.exists()
    assert not list(there.parent.glob(".partsight-*"))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_an_archive_that_is_cut_off_is_refused(data: Path, tmp_path: Path, share: float) -> None:
    archive, _ = make_backup(data, tmp_path / "b.tar.gz")
    content = archive.read_bytes()
    archive.write_bytes(content[: int(len(content) * share)])
    refused(archive, tmp_path / "there", "is cut off, or no backup")


def test_a_flipped_bit_is_found_wherever_it_is(data: Path, tmp_path: Path) -> None:
    archive, _ = make_backup(data, tmp_path / "b.tar.gz")
    content = gzip.decompress(archive.read_bytes())
    for place in range(600, len(content) - 20_000, len(content) // 12):
        changed = bytearray(content)
        changed[place] ^= 0x10
        archive.write_bytes(gzip.compress(bytes(changed), 1))
        refused(archive, tmp_path / "there", "use another backup")


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("/etc/evil", tarfile.REGTYPE, "leads out"),
        ("../evil", tarfile.REGTYPE, "leads out"),
        ("data/../../evil", tarfile.REGTYPE, "leads out"),
        ("elsewhere/evil", tarfile.REGTYPE, "leads out"),
        ("data\\..\\evil", tarfile.REGTYPE, "leads out"),
        ("data", tarfile.REGTYPE, "name of a folder"),
        ("data/evil", tarfile.SYMTYPE, "link or a device"),
        ("data/evil", tarfile.LNKTYPE, "link or a device"),
        ("data/evil", tarfile.CHRTYPE, "link or a device"),
        ("data/evil", tarfile.FIFOTYPE, "link or a device"),
        ("data/evil", tarfile.REGTYPE, "not in the manifest"),
        ("data/users.json", tarfile.REGTYPE, "in it twice"),
    ],
)
def test_tricks_in_an_archive_are_refused(data: Path, tmp_path: Path, name: str, kind: bytes, words: str) -> None:
    archive, _ = make_backup(data, tmp_path / "b.tar.gz")

    def add(_: dict[str, bytes], extra: list[tarfile.TarInfo]) -> None:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, "/etc/passwd"
        info.size = 3 if kind == tarfile.REGTYPE else 0
        extra.append(info)

    refused(rewritten(archive, add), tmp_path / "there", words)
    assert not (tmp_path / "evil").exists()


def test_files_that_fit_their_hash_and_are_not_what_they_should_be_are_refused(data: Path, tmp_path: Path) -> None:
    archive, _ = make_backup(data, tmp_path / "b.tar.gz")

    def with_content(name: str, content: bytes) -> Path:
        import hashlib

        def change(contents: dict[str, bytes], _: list[tarfile.TarInfo]) -> None:
            contents[name] = content
            manifest = json.loads(contents[MANIFEST])
            for entry in manifest["files"]:
                if entry["path"] == name:
                    entry |= {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            contents[MANIFEST] = json.dumps(manifest).encode()

        return rewritten(archive, change)

    refused(with_content("data/records.db", b"no database" * 500), tmp_path / "there", "database")
    refused(with_content("data/users.json", b"{}x"), tmp_path / "there", "is damaged")
    for entry in ("data/records.db", "data/users.json"):
        refused(rewritten(archive, lambda c, _, e=entry: c.pop(e)), tmp_path / "there", "is missing")  # type: ignore[misc]


def test_a_disk_that_is_too_small_is_told_before_it_is_full(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive, _ = make_backup(data, tmp_path / "b.tar.gz")
    monkeypatch.setattr(restoring, "KEEP_FREE", 1 << 60)
    refused(archive, tmp_path / "there", "more room")
