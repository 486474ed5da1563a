"""The daemon's end of the link: what the API is told, what it may ask for, and that no verdict waits for it."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from tests.api.link_rig import Linked, linked
from tests.station.kill_run import SIMULATED, station, write_station

from partsight.api.frames import FrameReader, FrameWriter
from partsight.domain.frame import Grab, PixelFormat
from partsight.domain.messages import Bypass, Stop
from partsight.domain.status import Mode, StationState
from partsight.outputs.records import RecordsReader
from partsight.outputs.records.audit import read_audit

# Every verdict must come by its deadline here, which a neighbour that takes the processor would spoil.
pytestmark = pytest.mark.timed

PARTS = 60
SILENT_S = 3.0
"""An API ticks once a second."""


def judge(it: Linked, wait_until: Any, parts: int = PARTS) -> None:
    """Let so many more parts have their verdict."""
    goal = len(it.told.finished) + parts
    wait_until(lambda: len(it.told.finished) >= goal, 30.0)


def children() -> list[psutil.Process]:
    return psutil.Process().children()


def test_the_api_is_told_of_every_part_in_order_and_of_the_station(tmp_path: Path, wait_until: Any) -> None:
    with linked(tmp_path) as it:
        wait_until(lambda: it.got("hello"), 20.0)
        judge(it, wait_until)
        it.line.station.command(Stop("test"))
        wait_until(lambda: it.line.station.ledger.snapshot().in_flight == 0)
        wait_until(lambda: any(s["status"]["state"] == "HALTED" for s in it.got("status")))
        wait_until(lambda: it.sequences() == it.told.finished)
        assert it.balanced(), "rule_1"
        hello, last = it.got("hello")[0], it.got("status")[-1]["status"]
        counters = it.line.station.ledger.snapshot()
        row = next(told["data"] for told in it.got("event") if told["kind"] == "finished")
    facts = hello["facts"]
    assert facts["cameras"] == [{"name": "top", "driver": "simulated", "mm_per_px": None}]
    assert (facts["name"], facts["data"], facts["model"]["classes"]) == ("cell", str(tmp_path / "data"), ["defect"])
    assert facts["model"]["card"]["name"] == "bright"
    assert facts["run"] == last["api_run"]
    assert last["yield_share"] == pytest.approx(counters.ok / counters.triggers, abs=0.5)
    assert last["latency_ms"]["count"] > 0
    assert 0 < last["latency_ms"]["p50"] <= last["latency_ms"]["p95"] <= last["latency_ms"]["p99"]
    assert last["rate_per_min"] >= PARTS
    assert last["disk"]["free_bytes"] > 0
    assert last["cameras"][0]["name"] == "top"
    with RecordsReader.open(tmp_path / "data") as reader:
        record = reader.inspection(row["sequence"])
    assert record is not None
    assert (row["result"], row["uid"]) == (record.verdict.result.value, str(record.uid))


def test_pixels_are_those_of_the_part_that_the_header_names(tmp_path: Path, wait_until: Any) -> None:
    with linked(tmp_path) as it:
        judge(it, wait_until)
        wait_until(lambda: len(it.got("frame")) > 10)
        frames = it.got("frame")
        wait_until(lambda: frames[-1]["header"]["sequence"] in it.told.pixels)
        whole = [frame for frame in frames if frame["sha256"] is not None]
        for frame in whole:
            assert frame["sha256"] == it.told.pixels[frame["header"]["sequence"]]
            assert frame["header"]["result"] in ("OK", "NG", "REVIEW", "INVALID")
        assert len(whole) > 5
        assert [f["stamp"] for f in frames] == sorted({f["stamp"] for f in frames})


def test_while_nothing_is_judged_the_camera_is_still_seen(tmp_path: Path, wait_until: Any) -> None:
    camera = SIMULATED.replace("seed = 3", "seed = 3\nrate_hz = 20.0")
    with linked(tmp_path, camera=camera, trigger='kind = "free-run"', line="autostart = false") as it:
        wait_until(lambda: it.line.station.state is StationState.READY, 20.0)
        wait_until(lambda: len(it.got("frame")) > 3, 20.0)
        assert all(frame["header"]["sequence"] is None for frame in it.got("frame"))
        assert any(frame["sha256"] for frame in it.got("frame"))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_rule_5_a_killed_or_stopped_api_delays_no_verdict_and_comes_back(
    tmp_path: Path, wait_until: Any, how: signal.Signals
) -> None:
    with linked(tmp_path, silent_s=SILENT_S) as it:
        wait_until(lambda: it.got("frame"), 20.0)
        (first,) = children()
        os.kill(first.pid, how)
        wait_until(lambda: it.line.station.faults.has("api"), 20.0)
        judge(it, wait_until)
        wait_until(lambda: "-api" in it.told.faults, 30.0, "the fault is over")
        assert it.link.health().starts == 2
        assert not first.is_running()
        judge(it, wait_until)
        newest = it.told.finished[-1]
        wait_until(lambda: newest in it.sequences(), 10.0, "the new one is told of the parts")
        runs = {hello["facts"]["run"] for hello in it.got("hello")}
        assert len(runs) == 2, "each life of the API has a name of its own"
        assert it.balanced()
        assert it.line.station.ledger.snapshot().late == 0


@pytest.mark.parametrize("mode", ["garbage", "flood", "deaf", "mute", "dies"])
def test_rule_5_whatever_the_api_does_verdicts_go_on_and_people_see_it(
    tmp_path: Path, wait_until: Any, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("partsight.api.link.STARTING_S", 3.0)
    with linked(tmp_path, mode, silent_s=SILENT_S) as it:
        wait_until(lambda: it.got("start"), 20.0)
        if mode == "deaf":
            wait_until(lambda: it.got("hello"), 20.0)
            for n in range(400):
                it.link.emit("filler", {"n": n, "text": "x" * 4000})
        wait_until(lambda: it.line.station.faults.has("api"), 30.0)
        judge(it, wait_until)
        wait_until(lambda: len(it.got("start")) > 1, 30.0, "started again")
        assert it.balanced()
        assert it.line.station.state is StationState.RUNNING
        assert it.line.station.ledger.snapshot().late == 0


def test_the_oldest_events_go_first_and_the_api_is_told_how_many(tmp_path: Path, wait_until: Any) -> None:
    with linked(tmp_path, trigger='kind = "call"', silent_s=60.0) as it:
        wait_until(lambda: it.got("hello"), 20.0)
        (api,) = children()
        api.suspend()
        for n in range(12_000):
            it.link.emit("filler", {"n": n, "text": "x" * 500})
        assert it.link.health().lost > 0
        api.resume()
        wait_until(lambda: any(told["data"].get("n") == 11_999 for told in it.got("event")[-50:]), 20.0)
        lost = [told["data"]["count"] for told in it.got("event") if told["kind"] == "dropped"]
        numbers = [told["data"]["n"] for told in it.got("event") if told["kind"] == "filler"]
        assert numbers == sorted(numbers)
        assert len(numbers) + sum(lost) == 12_000
        assert it.link.health().lost == sum(lost)


def test_the_daemon_refuses_and_carries_out_what_the_api_asks_for(tmp_path: Path, wait_until: Any) -> None:
    requests: list[dict[str, Any]] = [
        {"op": "ping"},
        {"op": "nonsense"},
        {"op": "command", "args": {"command": "explode"}},
        {"op": "command", "args": {"command": "stop", "now": True}},
        {"op": "command", "args": {"command": "stop"}, "who": "ann"},
        {"op": "command", "args": {"command": "hold"}, "who": "ann"},
        {"op": "command", "args": {"command": "trigger", "id": 99999}},
        {"op": "command", "args": {"command": "bypass", "on": True, "why": "set-up"}, "who": "eve"},
        {"op": "command", "args": {"command": "recipe", "name": "no-such"}, "who": "eve"},
        {"op": "faults", "args": {"history": 3}},
        {"op": "command", "args": {"command": "start"}, "who": "ann"},
    ]
    with linked(tmp_path, "good", requests, trigger='kind = "call"') as it:
        wait_until(lambda: len(it.got("reply")) == len(requests), 20.0)
        replies = [it.reply(rid) for rid in range(len(requests))]
        wait_until(lambda: any(s["status"]["bypass_since"] for s in it.got("status")))
        assert it.line.station.status().mode is Mode.BYPASS
        assert it.line.station.command(Bypass("test", False)).ok
        wait_until(lambda: it.got("status")[-1]["status"]["bypass_since"] is None)
    told = [(r["ok"], r["data"] if r["ok"] else r["error"]["status"]) for r in replies if r is not None]
    assert [ok for ok, _ in told] == [True, False, False, False, True, True, False, True, True, True, True]
    assert [status for ok, status in told if not ok] == [404, 422, 422, 422]
    assert told[0][1]["alive"] is True
    assert told[4][1] == {"ok": True, "code": 0, "text": "", "data": {}}
    assert (told[5][1]["ok"], told[5][1]["code"]) == (False, 1)
    assert "HALTED" in told[5][1]["text"]
    assert (told[8][1]["ok"], told[8][1]["code"]) == (False, 3)
    assert told[9][1]["standing"] == []
    rows = [(row.who, row.source, row.what) for row in read_audit(tmp_path / "data")]
    assert ("ann", "api test", "command stop") in rows
    assert ("eve", "api test", "command bypass") in rows
    assert ("eve", "api test", "command recipe") in rows
    assert not any(what == "command explode" for _, _, what in rows)


@pytest.mark.parametrize("stopped", [False, True])
def test_the_api_never_outlives_the_daemon(tmp_path: Path, wait_until: Any, stopped: bool) -> None:
    config = write_station(tmp_path, trigger='kind = "call"')
    with config.open("a") as file:
        file.write("[api]\nport = 0\n")
    with station(config) as run:
        daemon = psutil.Process(run.process.pid)
        (api,) = wait_until(daemon.children, 20.0)
        wait_until(lambda: api.num_threads() > 1, 20.0, "it has begun to serve")
        assert api.nice() == 5
        if stopped:
            api.suspend()
        daemon.kill()
        run.process.wait(10)
        wait_until(lambda: not api.is_running() or api.status() == psutil.STATUS_ZOMBIE, 10.0)


def test_a_twelve_megapixel_frame_is_whole_or_refused() -> None:
    """The writer comes back to a buffer while it is read: never half of one frame and half of the next."""
    writer = FrameWriter(["top", "side"])
    reader = FrameReader(os.dup(writer.fd), ["top", "side"], writer.slot_bytes)
    frames = [Grab(np.full((3000, 4000, 3), value, np.uint8), PixelFormat.BGR8) for value in range(6)]
    stamps: list[int] = []
    ended = threading.Event()

    def write() -> None:
        for n in range(24):
            stamps.append(writer.put("side", frames[n % 6]) or 0)  # noqa: PERF401 - the reader sees each one at once
        ended.set()

    thread = threading.Thread(target=write)
    thread.start()
    whole = refused = 0
    while not ended.is_set() or not whole:
        if not stamps:
            continue
        stamp = stamps[-1]
        pixels = reader.read("side", stamp, 4000, 3000, PixelFormat.BGR8)
        if pixels is None:
            refused += 1
            assert stamp != stamps[-1] or not ended.is_set(), "the newest frame is always there"
        else:
            whole += 1
            assert np.all(pixels == (stamp - 1) % 6)
    thread.join()
    assert stamps == list(range(1, 25))
    writer.close()


@pytest.mark.parametrize(
    ("shape", "dtype", "pixel_format"),
    [
        ((5, 7), np.uint8, PixelFormat.MONO8),
        ((5, 7), np.uint16, PixelFormat.MONO16),
        ((5, 7, 3), np.uint8, PixelFormat.BGR8),
    ],
)
def test_every_pixel_format_comes_back_as_it_was(shape: tuple[int, ...], dtype: Any, pixel_format: PixelFormat) -> None:
    writer = FrameWriter(["top"])
    reader = FrameReader(os.dup(writer.fd), ["top"], writer.slot_bytes)
    pixels = np.random.default_rng(1).integers(0, np.iinfo(dtype).max, shape, dtype)
    stamp = writer.put("top", Grab(pixels, pixel_format))
    assert stamp is not None
    got = reader.read("top", stamp, 7, 5, pixel_format)
    assert got is not None
    assert got.dtype == dtype
    assert np.array_equal(got, pixels)
    assert reader.read("top", stamp + 1, 7, 5, pixel_format) is None
    writer.close()


def test_a_frame_that_no_slot_holds_is_refused_and_the_other_process_cannot_take_the_memory_away() -> None:
    writer = FrameWriter(["top"], slot_bytes=1 << 16)
    assert writer.put("top", Grab(np.zeros((200, 200, 3), np.uint8), PixelFormat.BGR8)) is None
    with pytest.raises(PermissionError):
        os.ftruncate(writer.fd, 0)
    writer.close()
