"""The image archive: lossless originals, readable overlays, an exact budget, a slow lane that delays nobody."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from uuid import UUID

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from partsight.domain.detections import Detections, ModelRef
from partsight.domain.errors import ImageError, RecordsUnavailable
from partsight.domain.frame import Frame, Grab, PixelFormat, Pixels
from partsight.domain.inspection import Inspection, Timings
from partsight.domain.trigger import Trigger, TriggerKind
from partsight.domain.verdict import Action, Finding, RecipeRef, Result, Verdict
from partsight.domain.views import View
from partsight.outputs.images import ArchivePolicy, ImageArchive, draw_overlay, read_original
from partsight.outputs.images.archive import sampled
from partsight.outputs.images.overlay import RESULT_COLOURS
from partsight.outputs.images.shelf import RANKS, Rank, Shelf
from partsight.outputs.records import RecordsReader, SqliteRecords

MIB = 1 << 20
AT = datetime(2026, 5, 1, 23, 59, tzinfo=timezone.utc)


@dataclass
class Notebook:
    """An `ImageBook` in memory; `broken` makes it refuse, `gate` makes it wait."""

    paths: dict[int, tuple[str, ...]] = field(default_factory=dict)
    seen: frozenset[int] = frozenset()
    broken: bool = False
    gate: threading.Event | None = None
    reached: threading.Event = field(default_factory=threading.Event)

    def attach_images(self, sequence: int, paths: tuple[str, ...]) -> None:
        self.reached.set()
        if self.gate is not None:
            assert self.gate.wait(30)
        if self.broken:
            raise RecordsUnavailable("locked")
        self.paths[sequence] = paths

    def reviewed(self) -> frozenset[int]:
        return self.seen


def make_part(
    sequence: int, result: Result, pixels: Pixels | None = None, camera: str = "top"
) -> tuple[Inspection, Frame]:
    findings = () if result is Result.OK else (Finding(1001, "short", camera, 0.91, (20.0, 20.0, 40.0, 40.0)),)
    verdict = Verdict(result, Action.PASS if result is Result.OK else Action.REJECT, findings, RecipeRef("r", 1, "s"))
    trigger = Trigger(sequence, 1, 1, TriggerKind.CALL, AT, 0, 0)
    if pixels is None:
        pixels = np.random.default_rng(sequence).integers(0, 255, (48, 64), np.uint8)
    form = PixelFormat.BGR8 if pixels.ndim == 3 else PixelFormat.MONO8
    inspection = Inspection(UUID(int=sequence), trigger, verdict, (), Timings(), None)
    return inspection, Frame(trigger, camera, Grab(pixels, form), 0)


@pytest.fixture
def book() -> Notebook:
    return Notebook()


def run_archive(folder: Path, book: Notebook, policy: ArchivePolicy) -> Iterator[ImageArchive]:
    archive = ImageArchive(folder, book, policy)
    archive.start()
    assert archive.drain(20)
    yield archive
    assert archive.stop(20)


def store(archive: ImageArchive, sequence: int, result: Result, pixels: Pixels | None = None) -> bool:
    inspection, frame = make_part(sequence, result, pixels)
    taken = archive.offer(inspection, [frame])
    assert archive.drain(20)
    return taken


FREE = ArchivePolicy(ok_share=1.0, min_free_bytes=0)


@pytest.fixture
def archive(tmp_path: Path, book: Notebook) -> Iterator[ImageArchive]:
    yield from run_archive(tmp_path, book, FREE)


def bytes_on_disk(folder: Path) -> int:
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())


@pytest.mark.parametrize("form", list(PixelFormat))
def test_rule_7_originals_come_back_bit_for_bit(
    archive: ImageArchive, book: Notebook, tmp_path: Path, form: PixelFormat
) -> None:
    """Every pixel format, with its depth: so that the part can be judged again."""
    shape = (51, 67, 3) if form.channels == 3 else (51, 67)
    depth = 12 if form is PixelFormat.MONO16 else 8
    pixels = np.random.default_rng(1).integers(0, 2**depth, shape).astype(form.dtype)
    inspection, frame = make_part(5, Result.NG)
    frame = Frame(frame.trigger, "Kamera/öben 1", Grab(pixels, form, depth), 0)
    assert archive.offer(inspection, [frame])
    assert archive.drain(20)
    original, overlay = book.paths[5]
    assert original.startswith("images/2026-05-01/000000000005-NG-0-Kamera__ben_1")
    grab = read_original(tmp_path / original)
    assert (grab.format, grab.bit_depth) == (form, depth)
    np.testing.assert_array_equal(grab.pixels, pixels)
    assert cv2.imread(str(tmp_path / overlay)).shape[1] == 640


def test_paths_reach_the_record(tmp_path: Path) -> None:
    """With the real database: the way from a verdict to its picture."""
    with SqliteRecords.open(tmp_path, ballast_bytes=0) as records, RecordsReader.open(tmp_path) as reader:
        archive = ImageArchive(tmp_path, records, FREE)
        archive.start()
        inspection, frame = make_part(records.reserve(1), Result.REVIEW)
        records.commit(inspection)
        archive.offer(inspection, [frame, Frame(frame.trigger, "side", frame.grab, 0)])
        assert archive.stop(20)
        found = reader.inspection(inspection.trigger.sequence)
    assert found is not None
    assert len(found.images) == 4
    assert all((tmp_path / path).is_file() for path in found.images)


def test_records_that_cannot_be_written_are_told_later(archive: ImageArchive, book: Notebook) -> None:
    book.broken = True
    store(archive, 1, Result.NG)
    assert "records do not know" in archive.health().problem
    book.broken = False
    store(archive, 2, Result.NG)
    assert set(book.paths) == {1, 2}
    assert archive.health().problem == ""
    assert archive.health().dropped == {}


@pytest.mark.parametrize("result", [Result.NG, Result.REVIEW, Result.INVALID])
def test_parts_that_did_not_pass_are_always_kept(tmp_path: Path, book: Notebook, result: Result) -> None:
    for archive in run_archive(tmp_path, book, ArchivePolicy(ok_share=0.0, min_free_bytes=0)):
        assert store(archive, 1, result)
        assert store(archive, 2, Result.OK)
        assert set(book.paths) == {1}
        assert archive.health().not_sampled == 1
        assert archive.health().dropped == {}


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 1.0])
def test_ok_parts_are_sampled_evenly_and_repeatably(share: float) -> None:
    chosen = [sampled(s, share) for s in range(20_000)]
    assert abs(sum(chosen) / 20_000 - share) < 0.01
    assert chosen == [sampled(s, share) for s in range(20_000)]
    every_fourth = [sampled(s, share) for s in range(0, 80_000, 4)]
    assert abs(sum(every_fourth) / 20_000 - share) < 0.01


def test_rule_5_a_stuck_archive_delays_nobody_and_counts_its_losses(tmp_path: Path, book: Notebook) -> None:
    """The queue is bounded in parts and in bytes; OK parts leave half of it to the others (rule 6)."""
    book.gate = threading.Event()
    policy = ArchivePolicy(ok_share=1.0, min_free_bytes=0, queue_parts=8, queue_bytes=10 * 48 * 64)
    for archive in run_archive(tmp_path, book, policy):
        inspection, frame = make_part(0, Result.NG)
        archive.offer(inspection, [frame])
        assert book.reached.wait(20)  # the thread hangs in the book now
        taken = dict.fromkeys(Result, 0)
        for sequence in range(1, 11):
            inspection, frame = make_part(sequence, Result.OK)
            taken[Result.OK] += archive.offer(inspection, [frame])
        for sequence in range(11, 21):
            inspection, frame = make_part(sequence, Result.NG)
            taken[Result.NG] += archive.offer(inspection, [frame])
        assert (taken[Result.OK], taken[Result.NG]) == (4, 4)
        assert archive.health().dropped == {"queue full": 12}
        big = make_part(99, Result.NG, np.zeros((1000, 1000), np.uint8))
        assert not archive.offer(big[0], [big[1]])
        book.gate.set()
        assert archive.drain(20)
        assert archive.health().written == 9


def test_what_waits_at_the_stop_is_written_and_what_comes_after_is_counted(tmp_path: Path, book: Notebook) -> None:
    archive = ImageArchive(tmp_path, book, FREE)
    for sequence in range(5):
        inspection, frame = make_part(sequence, Result.NG)
        archive.offer(inspection, [frame])
    archive.start()
    assert archive.stop(20)
    assert len(book.paths) == 5
    assert not archive.offer(inspection, [frame])
    assert archive.health().dropped == {"stopped": 1}


def test_a_stop_that_takes_too_long_says_so(tmp_path: Path, book: Notebook) -> None:
    book.gate = threading.Event()
    archive = ImageArchive(tmp_path, book, FREE)
    archive.start()
    inspection, frame = make_part(1, Result.NG)
    archive.offer(inspection, [frame])
    assert not archive.stop(0.05)
    book.gate.set()
    assert archive.stop(20)


def test_eviction_order_and_rank(tmp_path: Path, book: Notebook) -> None:
    """OK goes first, oldest first; then INVALID and REVIEW; then NG; reviewed last. OK never pushes out NG."""
    sizes = ArchivePolicy(ok_share=1.0, min_free_bytes=0)
    for archive in run_archive(tmp_path / "probe", Notebook(), sizes):
        store(archive, 1, Result.NG)
        one = archive.health().bytes
    policy = ArchivePolicy(ok_share=1.0, min_free_bytes=0, budget_bytes=round(one * 4.5))
    for archive in run_archive(tmp_path, book, policy):

        def kept() -> list[int]:
            return sorted({int(p.name[:12]) for p in (tmp_path / "images").rglob("*.png")})

        for sequence, result in enumerate([Result.NG, Result.OK, Result.INVALID, Result.OK], start=1):
            store(archive, sequence, result)
        assert kept() == [1, 2, 3, 4]
        archive.mark_reviewed(1)
        store(archive, 5, Result.NG)
        assert kept() == [1, 3, 4, 5]
        store(archive, 6, Result.REVIEW)
        assert kept() == [1, 3, 5, 6]
        store(archive, 7, Result.NG)
        assert kept() == [1, 5, 6, 7]
        store(archive, 8, Result.NG)
        assert kept() == [1, 5, 7, 8]
        store(archive, 9, Result.INVALID)
        store(archive, 10, Result.OK)
        assert kept() == [1, 5, 7, 8]
        assert archive.health().dropped == {"over budget": 2}
        assert "taken by images that rank higher" in archive.health().problem
        store(archive, 11, Result.NG)
        assert kept() == [1, 7, 8, 11]
        assert archive.health().problem == ""
        for sequence in range(12, 16):
            store(archive, sequence, Result.NG)
        assert kept() == [1, 13, 14, 15]


def test_a_lowered_budget_is_met_at_the_next_start_and_half_files_go(tmp_path: Path) -> None:
    for archive in run_archive(tmp_path, Notebook(), FREE):
        for sequence in range(1, 9):
            store(archive, sequence, Result.NG)
        full = archive.health()
    day = tmp_path / "images" / "2026-05-01"
    (day / ".draft-000000000009-NG-0-top.png").write_bytes(b"half")
    (day / "000000000010-NG-0-top.png").write_bytes(b"")
    (day / "notes of the shift.txt").write_text("leave me alone")
    for archive in run_archive(tmp_path, Notebook(), FREE):
        assert (archive.health().files, archive.health().bytes) == (full.files, full.bytes)
    lowered = ArchivePolicy(min_free_bytes=0, budget_bytes=full.bytes // 2)
    for archive in run_archive(tmp_path, Notebook(seen=frozenset({1})), lowered):
        assert archive.health().bytes <= full.bytes // 2
        left = {p.name[:12] for p in day.glob("*.png")}
        assert "000000000001" in left
        assert "000000000002" not in left
        assert "000000000008" in left
    assert (day / "notes of the shift.txt").read_text() == "leave me alone"


def test_a_folder_that_cannot_be_counted_gets_no_images(tmp_path: Path) -> None:
    """Without stock-taking the budget could not hold: images wait for the cure, losses are counted."""
    (tmp_path / "images").write_text("a file where the folder should be")
    archive = ImageArchive(tmp_path, Notebook(), FREE)
    archive.start()
    assert not store_dropped(archive)
    (tmp_path / "images").unlink()
    assert store(archive, 2, Result.NG)
    assert archive.health().files == 2
    assert archive.health().problem == ""
    assert archive.stop(20)


def store_dropped(archive: ImageArchive) -> int:
    """Offer a part that cannot be written; how many files are there then."""
    store(archive, 1, Result.NG)
    assert archive.health().dropped == {"cannot write": 1}
    assert archive.health().problem
    return archive.health().files


def test_empty_days_disappear(tmp_path: Path) -> None:
    day = tmp_path / "2026-05-01"
    day.mkdir()
    path = day / "000000000001-OK-0-top.png"
    path.write_bytes(b"x" * 10 + b"IEND\xaeB`\x82")
    shelf = Shelf(tmp_path)
    shelf.scan()
    assert shelf.make_room(lambda freed: freed < 1, Rank.OK)
    assert not day.exists()
    assert shelf.bytes == shelf.files == 0


parts = st.lists(
    st.tuples(st.sampled_from(Result), st.integers(8, 400), st.booleans(), st.booleans()), min_size=1, max_size=40
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=parts, budget=st.integers(0, 1500))
def test_rule_6_the_budget_holds_after_every_image(
    tmp_path_factory: pytest.TempPathFactory, parts: list[tuple[Result, int, bool, bool]], budget: int
) -> None:
    """Whatever comes: never a byte over the budget, the count is what lies on the disk, a restart agrees,
    and nothing of a higher rank went while something of a lower one stayed."""
    folder = tmp_path_factory.mktemp("shelf")
    shelf, seen = Shelf(folder), set()
    for sequence, (result, size, reviewed, restart) in enumerate(parts, start=1):
        rank, room = RANKS[result], budget - shelf.bytes - size
        before = {(int(p.name[:12]), p) for p in folder.rglob("*.png")}
        if shelf.make_room(lambda freed, room=room: room + freed < 0, rank):
            day = folder / f"2026-05-{sequence % 3 + 1:02d}"
            day.mkdir(exist_ok=True)
            path = day / f"{sequence:012d}-{result.value}-0-top.png"
            path.write_bytes(b"IEND\xaeB`\x82".rjust(size, b"x"))
            shelf.put(sequence, rank, {path: size})
        assert bytes_on_disk(folder) == shelf.bytes <= budget
        after = {(int(p.name[:12]), p) for p in folder.rglob("*.png")}
        gone = before - after

        def rank_of(entry: tuple[int, Path]) -> Rank:
            return Rank.REVIEWED if entry[0] in seen else RANKS[Result(entry[1].name.split("-")[1])]

        stayed = before & after
        assert all((rank_of(g), g[0]) < (rank_of(s), s[0]) for g in gone for s in stayed)
        assert all(rank_of(g) <= rank for g in gone)
        if reviewed:
            seen.add(sequence)
            shelf.promote(sequence)
        if restart:
            shelf = Shelf(folder)
            shelf.scan(frozenset(seen))
            assert bytes_on_disk(folder) == shelf.bytes
    shutil.rmtree(folder)


def test_overlay_says_the_verdict_and_shows_the_place() -> None:
    """The banner lies above the image and has the verdict's colour; the finding's box is drawn, the ground kept."""
    ground = np.full((640, 640), 128, np.uint8)
    for result in Result:
        inspection, frame = make_part(3, result, ground)
        picture = draw_overlay(inspection, frame)
        banner = picture.shape[0] - 640
        assert banner >= 72
        assert tuple(picture[3, 3]) == RESULT_COLOURS[result]
        changed = np.argwhere((picture[banner:] != 128).any(2))
        if result is Result.OK:
            assert len(changed) == 0
        else:
            assert changed.min(0).tolist() >= [0, 10]
            assert changed.max() < 160
            assert (picture[banner + 25 : banner + 35, 25:35] == 128).all()  # the defect itself stays in sight


def test_overlay_draws_what_passed_in_grey() -> None:
    ground = np.full((640, 640), 255, np.uint8)
    inspection, frame = make_part(3, Result.OK, ground)
    box = np.array([[300, 300, 340, 340]], np.float32)
    found = Detections(box, np.array([0.1], np.float32), np.zeros(1, np.int32), ("x",), ModelRef("m", "", "", ""))
    plain = Inspection(inspection.uid, inspection.trigger, inspection.verdict, (View("top", found),), Timings(), None)
    picture = draw_overlay(plain, frame)
    banner = picture.shape[0] - 640
    assert picture[banner + 300, 320].tolist() == [150, 150, 150]


@pytest.mark.parametrize("shape", [(1, 1), (5, 3000, 3), (4000, 30), (2200, 3000, 3), (640, 640)])
def test_overlay_of_any_size(shape: tuple[int, ...]) -> None:
    inspection, frame = make_part(3, Result.NG, np.zeros(shape, np.uint8))
    picture = draw_overlay(inspection, frame)
    assert picture.dtype == np.uint8
    assert picture.shape[2] == 3
    assert 600 <= picture.shape[1] <= 1700
    assert picture.shape[0] <= 1800


def test_unreadable_original(tmp_path: Path) -> None:
    path = tmp_path / "000000000001-OK-0-top.png"
    with pytest.raises(ImageError, match="cannot be read"):
        read_original(path)
    for content in (b"", b"\x89PNG\r\n half"):
        path.write_bytes(content)
        with pytest.raises(ImageError, match="not a whole PNG"):
            read_original(path)


@pytest.mark.deeppcb
def test_a_real_board_is_archived_without_loss(
    deeppcb: Path, archive: ImageArchive, book: Notebook, tmp_path: Path
) -> None:
    source = next((deeppcb / "PCBData").rglob("*_test.jpg"))
    pixels = cv2.imread(str(source), cv2.IMREAD_GRAYSCALE)
    assert pixels is not None
    store(archive, 1, Result.NG, np.asarray(pixels, np.uint8))
    original, _ = book.paths[1]
    np.testing.assert_array_equal(read_original(tmp_path / original).pixels, pixels)
    assert (tmp_path / original).stat().st_size < pixels.size / 4
