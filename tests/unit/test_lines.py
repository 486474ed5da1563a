"""Lines for stdout and stderr: what is written late, or with nobody there, harms no other file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from partsight.cli.lines import LineWriter
from partsight.outputs.records import Durability, RecordsReader, SqliteRecords
from partsight.outputs.records.folder import DATABASE


def take_up_to(number: int) -> list[int]:
    """Open files until `number` and all below it are taken; what was opened."""
    taken = [os.open(os.devnull, os.O_RDONLY)]
    while taken[-1] < number:
        taken.append(os.open(os.devnull, os.O_RDONLY))
    return taken


def test_rule_5_a_line_for_a_stream_that_was_closed_lands_in_no_record(tmp_path: Path) -> None:
    """rule_5: by then its file number is that of the database, which such lines have destroyed before."""
    for_the_lock = os.open(os.devnull, os.O_RDONLY)
    stream = (tmp_path / "stderr").open("w", encoding="utf-8")
    number = stream.fileno()
    taken = take_up_to(number)
    writer = LineWriter(stream, "stderr", 2)
    stream.close()
    os.close(for_the_lock)
    with SqliteRecords.open(tmp_path / "data", durability=Durability.PROCESS, ballast_bytes=0) as records:
        assert Path(f"/proc/self/fd/{number}").readlink().name == DATABASE, "the test proves nothing otherwise"
        writer.put("a line that comes late " * 10)
        assert writer.finish() == 0
        records.audit("somebody", "test", "is recorded")
    for other in taken:
        os.close(other)
    with RecordsReader.open(tmp_path / "data") as reader:
        assert reader.summary().total == 0
    with SqliteRecords.open(tmp_path / "data", ballast_bytes=0) as records:
        assert records.audit_head().n == 1


def test_rule_5_a_program_started_without_streams_gives_their_numbers_to_no_file(tmp_path: Path) -> None:
    """rule_5: whatever prints to 1 or 2, also a library in C, would print into the first files that were opened."""
    code = (
        "import os, sys; from partsight.cli.lines import LineWriter, fill_standard_streams; fill_standard_streams(); "
        "file = open(sys.argv[1], 'w'); print('lost'); sys.stderr.write('lost'); os.write(1, b'lost'); "
        "os.write(2, b'lost'); lines = LineWriter(sys.stdout, 'stdout', 1); lines.put('lost'); lost = lines.finish(); "
        "import json; json.dump({'number': file.fileno(), 'lost': lost}, file)"
    )
    # A shell, since Python's own way of closing would need code between fork and exec.
    command = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", sys.executable, "-c", code, str(tmp_path / "first")]
    subprocess.run(command, check=True, timeout=60)
    told = json.loads((tmp_path / "first").read_text("utf-8"))
    assert told["number"] > 2
    assert told["lost"] == 0
