"""Judged parts over HTTP: the API's own process, over a data folder that the station's code has written."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.api.rig import open_rig
from tests.unit.test_images import make_part as make_pictured
from tests.unit.test_records import START, make_inspection, open_records

from partsight.api.images import ScaledCache
from partsight.api.people import Author, People
from partsight.api.reading import csv_text
from partsight.domain.frame import PixelFormat
from partsight.domain.inspection import Inspection
from partsight.domain.reasons import Reason, defect_code
from partsight.domain.verdict import RecipeRef, Result
from partsight.domain.views import ImageFacts, View
from partsight.outputs.images import ArchivePolicy, ImageArchive
from partsight.outputs.records import SqliteRecords
from partsight.scoring.annotations import read_annotations
from partsight.wire.screen.parts import Part, PartPage, ReviewBox, ReviewRequest
from partsight.wire.screen.people import Role
from partsight.wire.screen.trends import Summary, Trends

PARTS = 40
PASSWORD = "correct horse 7"
PICTURED, RAW, GONE, LINKED, LINKED_DAY, NOT_KEPT, STRANGE = 101, 102, 103, 104, 105, 106, 107
FORMULA = '=HYPERLINK("http://evil")'


@dataclass(frozen=True)
class Shop:
    """A data folder with its API, and a client who may see."""

    folder: Path
    client: httpx.Client
    engineer: str

    def get(self, path: str, status: int = 200, **query: object) -> httpx.Response:
        answer = self.client.get(f"/api/v1{path}", params={k: str(v) for k, v in query.items()})
        assert answer.status_code == status, answer.text
        return answer

    def page(self, **query: object) -> list[int]:
        return [part.sequence for part in PartPage.model_validate_json(self.get("/records", **query).content).parts]


def viewed(inspection: Inspection) -> Inspection:
    """With a view that says how large the frame is."""
    facts = ImageFacts(width=64, height=48, level=1.0, saturated=0.0, sharpness=1.0)
    return replace(inspection, views=(View("top", make_inspection(1).views[0].detections, facts),))


def fill(records: SqliteRecords) -> None:
    for sequence in range(1, PARTS + 1):
        result = (Result.OK, Result.OK, Result.OK, Result.NG, Result.REVIEW)[sequence % 5]
        code = {Result.NG: defect_code(sequence % 3), Result.REVIEW: int(Reason.DOUBT)}.get(result, 0)
        part = make_inspection(sequence, result, code)
        part_id = FORMULA if sequence == 7 else f"P{sequence:03d}"
        recipe = replace(part.verdict, recipe=RecipeRef("pcb" if sequence <= 30 else "other", 3, "b"))
        records.commit(replace(part, trigger=replace(part.trigger, part_id=part_id), verdict=recipe))


def picture(records: SqliteRecords, folder: Path) -> None:
    """Parts with images, written by the archive itself; then what may happen to files in the years after."""
    archive = ImageArchive(folder, records, ArchivePolicy(min_free_bytes=0, ok_share=0.0))
    archive.start()
    for sequence in (PICTURED, RAW, GONE, LINKED, LINKED_DAY):
        inspection, frame = make_pictured(sequence, Result.NG)
        if sequence == RAW:
            frame = replace(frame, grab=replace(frame.grab, format=PixelFormat.BAYER_RG8))
        if sequence == LINKED_DAY:
            at = inspection.trigger.at + timedelta(days=1)
            inspection = replace(inspection, trigger=replace(inspection.trigger, at=at))
        records.commit(viewed(inspection))
        assert archive.offer(inspection, [frame])
        assert archive.drain(20)
    assert archive.stop(20)
    secret = folder.parent / "secret"
    secret.mkdir()
    for sequence in (GONE, LINKED, LINKED_DAY):
        for path in (folder / "images").glob(f"*/*{sequence}-NG*"):
            if sequence == GONE:
                path.unlink()
            elif sequence == LINKED:
                path.rename(secret / path.name)
                path.symlink_to(secret / path.name)
    day = next((folder / "images").glob(f"*/*{LINKED_DAY}-NG*")).parent
    day.rename(secret / day.name)
    day.symlink_to(secret / day.name)
    records.commit(viewed(make_pictured(NOT_KEPT, Result.OK)[0]))
    strange = viewed(make_pictured(STRANGE, Result.NG)[0])
    (folder / "users-of-the-os.png").write_text("secret")
    records.commit(replace(strange, images=("../secret/000000000107-NG-0-top.png", "/etc/000000000107-NG-0-top.png")))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("shop") / "data"
    with open_records(folder) as records:
        fill(records)
        picture(records, folder)
        box = ReviewBox(camera="top", label="short", box=(10, 20, 26, 32))
        records.review(PICTURED, ReviewRequest(judgement="right", is_ok=False, boxes=(box,)), "anna")
        records.review(RAW, ReviewRequest(judgement="wrong", is_ok=True, boxes=()), "anna")
        records.review(GONE, ReviewRequest(judgement="right", boxes=(box,)), "anna")
        records.review(3, ReviewRequest(judgement="right", remark="@SUM(1)"), "anna")
    with ExitStack() as stack:
        rig = stack.enter_context(open_rig(folder, anonymous="viewer"))
        client = stack.enter_context(rig.door.http())
        people = People(folder)
        for name, role in (("admin", Role.ADMINISTRATOR), ("eva", Role.ENGINEER)):
            people.add(name, role, PASSWORD, Author("test", "test"))
        token = client.post("/api/v1/login", json={"user": "eva", "password": PASSWORD}).json()["token"]
        yield Shop(folder, client, token)


# --- lists ------------------------------------------------------------------------------------------


def test_pages_hold_each_part_once_newest_first(shop: Shop) -> None:
    seen: list[int] = []
    before: dict[str, int] = {}
    while True:
        page = PartPage.model_validate_json(shop.get("/records", limit=9, **before).content)
        seen += [part.sequence for part in page.parts]
        if page.next_before is None:
            break
        before = {"before": page.next_before}
    assert seen == sorted({*range(1, PARTS + 1), *range(PICTURED, STRANGE + 1)}, reverse=True)


def test_each_filter(shop: Shop) -> None:
    since, until = START + timedelta(seconds=10), START + timedelta(seconds=20)
    assert shop.page(since=since.isoformat(), until=until.isoformat()) == list(range(19, 9, -1))
    assert shop.page(result="NG", before=100) == [38, 33, 28, 23, 18, 13, 8, 3]
    assert shop.page(part_id="P012") == [12]
    assert shop.page(recipe="other", limit=3) == [40, 39, 38]
    assert shop.page(recipe="pcb@3", limit=2) == [30, 29]
    assert shop.page(recipe="pcb@4") == []
    assert shop.page(code=defect_code(0)) == [33, 18, 3]
    assert shop.page(code=0, before=3) == [2, 1]
    assert shop.page(reviewed="true") == [GONE, RAW, PICTURED, 3]
    assert shop.page(reviewed="false", result="NG", recipe="pcb", before=20) == [18, 13, 8]


def test_a_row_says_what_people_say_and_where_its_images_are(shop: Shop) -> None:
    (row,) = shop.get("/records", part_id="P003").json()["parts"]
    assert (row["disposition"]["who"], row["disposition"]["judgement"]) == ("anna", "right")
    rows = {row["sequence"]: row for row in shop.get("/records", limit=7).json()["parts"]}
    kinds = {link["kind"]: link["path"] for link in rows[PICTURED]["images"]}
    assert kinds["original"] == f"/api/v1/records/{PICTURED}/images/top/original"
    assert rows[NOT_KEPT]["images"] == []


@pytest.mark.parametrize(
    "query",
    [
        *("limit=0", "limit=501", "limit=x", "before=-1", f"before={2**63}", "result=GOOD", "code=-1", "code=1e99"),
        *("since=yesterday", "since=2026-01-01T00:00:00", "until=0001-01-01T00:00:00%2B23:00", "reviewed=perhaps"),
        *("nonsense=1", f"part_id={'x' * 161}", "offset=5"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_its_place(shop: Shop, query: str) -> None:
    answer = shop.client.get(f"/api/v1/records?{query}")
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert query.split("=", maxsplit=1)[0] in answer.json()["mistakes"][0]


def test_one_part_with_everything(shop: Shop) -> None:
    part = Part.model_validate_json(shop.get(f"/records/{PICTURED}").content)
    assert (part.result, part.findings[0].text, part.views[0].width) == (Result.NG, "short", 64)
    assert part.disposition is not None
    assert part.disposition.boxes is not None
    assert part.disposition.boxes[0].box == (10, 20, 26, 32)
    told = shop.get("/records/999999", 404).json()
    assert "no record" in told["detail"]
    shop.get(f"/records/{2**63}", 422)


def test_the_summary_counts_what_fits(shop: Shop) -> None:
    found = Summary.model_validate_json(shop.get("/summary", until=(START + timedelta(hours=1)).isoformat()).content)
    assert (found.total, found.counts[Result.NG], found.counts[Result.REVIEW]) == (40, 8, 8)
    assert found.yield_share == pytest.approx(24 / 40)
    assert sum(bar.count for bar in found.pareto) == 16
    assert found.p50_ms == pytest.approx(20.5)
    assert shop.get("/summary", recipe="none").json()["yield_share"] is None


# --- CSV --------------------------------------------------------------------------------------------


def test_the_csv_has_every_part_and_no_formula(shop: Shop) -> None:
    answer = shop.get("/records.csv")
    assert answer.headers["content-disposition"].startswith("attachment")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == PARTS + 7
    by_number = {int(row["sequence"]): row for row in rows}
    assert by_number[7]["part_id"] == "'" + FORMULA
    assert (by_number[3]["remark"], by_number[3]["reviewed_by"]) == ("'@SUM(1)", "anna")
    assert [row["sequence"] for row in csv.DictReader(io.StringIO(shop.get("/records.csv", part_id="P012").text))] == [
        "12"
    ]


@given(st.lists(st.one_of(st.text(max_size=8), st.sampled_from(["=1", " +1", "\t=1", "-1", "@a", "\r=1", "\n-"]))))
def test_no_text_is_a_formula_in_a_spreadsheet(values: list[str]) -> None:
    text = csv_text([values])
    (row,) = csv.reader(io.StringIO(text, newline=""), strict=True) if values else ([],)
    for cell, value in zip(row, values, strict=True):
        assert (
            cell.removeprefix("'").replace("\r", "\n") == value.removeprefix("'").replace("\r", "\n") or cell == value
        )
        assert not cell.strip()[:1] or cell.strip()[0] not in "=+-@"


# --- images -----------------------------------------------------------------------------------------


def test_an_original_is_the_file_and_is_asked_for_once(shop: Shop) -> None:
    path = f"/records/{PICTURED}/images/top/original"
    answer = shop.get(path)
    (file,) = (shop.folder / "images").glob(f"*/*{PICTURED}-NG-0-top.png")
    assert (answer.content, answer.headers["content-type"]) == (file.read_bytes(), "image/png")
    assert "immutable" in answer.headers["cache-control"]
    again = shop.client.get(f"/api/v1{path}", headers={"If-None-Match": f'W/"x", {answer.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    small = shop.get(path, width=32)
    assert small.headers["etag"] != answer.headers["etag"]


@pytest.mark.parametrize(
    ("sequence", "kind", "whole"), [(PICTURED, "original", 64), (PICTURED, "overlay", 640), (RAW, "original", 64)]
)
def test_a_smaller_jpeg_of_any_image(shop: Shop, sequence: int, kind: str, whole: int) -> None:
    for width, expected in ((32, 32), (4096, whole)):
        answer = shop.get(f"/records/{sequence}/images/top/{kind}", width=width)
        image = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_UNCHANGED)
        assert image is not None
        assert answer.headers["content-type"] == "image/jpeg"
        assert (image.shape[1], image.shape[2]) == (expected, 3)
    shop.get(f"/records/{sequence}/images/top/{kind}", 422, width=8)


def test_an_image_that_is_not_there_says_why(shop: Shop) -> None:
    told = {
        sequence: shop.get(f"/records/{sequence}/images/top/original", 404).json()["detail"]
        for sequence in (GONE, NOT_KEPT, 999)
    }
    assert "was kept, and is gone: removed to keep the budget" in told[GONE]
    assert "no original of camera 'top' was kept" in told[NOT_KEPT]
    assert "no record" in told[999]
    assert "no original of camera 'side'" in shop.get(f"/records/{PICTURED}/images/side/original", 404).json()["detail"]


@pytest.mark.parametrize("sequence", [LINKED, LINKED_DAY])
def test_a_link_out_of_the_folder_is_not_followed(shop: Shop, sequence: int) -> None:
    for query in ({}, {"width": 32}):
        told = shop.get(f"/records/{sequence}/images/top/original", 404, **query).json()["detail"]
        assert "link to another place" in told


@pytest.mark.parametrize(
    "tail",
    [
        *("top/original/../../../../users.json", "..%2f..%2fusers.json/original", "top/users.json", "%00/original"),
        *(
            "../../../users-of-the-os.png",
            "%2e%2e%2f%2e%2e%2fusers.json",
            "top/original%00.png",
            "/original",
            "." * 300 + "/original",
        ),
    ],
)
def test_no_name_leads_out_of_the_folder(shop: Shop, tail: str) -> None:
    answer = shop.client.get(f"/api/v1/records/{PICTURED}/images/{tail}")
    assert answer.status_code in (404, 422)
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_record_that_names_other_files_gives_none(shop: Shop) -> None:
    assert shop.client.get(f"/api/v1/records/{STRANGE}/images/top/original").status_code == 404


def test_clients_that_go_away_leave_no_file_open(shop: Shop) -> None:
    for _ in range(20):
        with shop.client.stream("GET", f"/api/v1/records/{PICTURED}/images/top/original") as answer:
            assert answer.status_code == 200
    assert shop.get(f"/records/{PICTURED}/images/top/original").status_code == 200


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 60)), max_size=40))
def test_the_cache_never_holds_more_than_it_may(puts: list[tuple[int, int]]) -> None:
    cache = ScaledCache(100)
    for number, size in puts:
        cache.put(str(number), "tag", bytes(size))
        assert cache.get(str(number), "tag") == bytes(size)
        kept = [found for n in range(6) if (found := cache.get(str(n), "tag")) is not None]
        assert cache.held_bytes == sum(map(len, kept)) <= 100
    cache.put("large", "tag", bytes(101))
    assert cache.get("large", "tag") is None


# --- trends -----------------------------------------------------------------------------------------


def test_trends_as_json_and_as_a_table(shop: Shop) -> None:
    window = {"since": START.isoformat(), "until": (START + timedelta(seconds=41)).isoformat(), "bucket_s": 10}
    found = Trends.model_validate_json(shop.get("/trends", **window).content)
    assert [bucket.total for bucket in found.buckets] == [9, 10, 10, 10, 1]
    assert found.summary.total == 40
    assert found.latency[0].count >= 1
    rows = list(csv.DictReader(io.StringIO(shop.get("/trends.csv", **window).text)))
    assert [int(row["total"]) for row in rows] == [9, 10, 10, 10, 1]
    assert float(rows[1]["share_not_ok"]) == pytest.approx(0.4)
    today = Trends.model_validate_json(shop.get("/trends").content)
    assert (today.until - today.since, len(today.buckets)) == (timedelta(hours=24), 96)


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("bucket_s=1&since=2026-01-01T00:00:00Z&until=2026-02-01T00:00:00Z", "more than 2000 intervals"),
        ("since=2026-02-01T00:00:00Z&until=2026-01-01T00:00:00Z", "must be before"),
        ("until=0001-01-01T00:00:00Z", "must be before"),
        ("bucket_s=0", ""),
        ("bucket_s=nan", ""),
        ("bucket_s=inf", ""),
    ],
)
def test_trends_that_cannot_be_drawn(shop: Shop, query: str, told: str) -> None:
    answer = shop.client.get(f"/api/v1/trends?{query}")
    assert answer.status_code == 422
    assert told in answer.json()["detail"]


def test_a_year_of_trends_is_answered(shop: Shop) -> None:
    found = Trends.model_validate_json(
        shop.get("/trends", since="2025-06-01T00:00:00Z", until="2026-06-01T00:00:00Z").content
    )
    assert found.summary.total == PARTS + 7
    Trends.model_validate_json(shop.get("/trends", since="0001-01-01T00:00:00Z", until="9999-12-31T00:00:00Z").content)


# --- training data ----------------------------------------------------------------------------------


def test_what_was_reviewed_becomes_training_data_that_yolo_reads(shop: Shop, tmp_path: Path) -> None:
    assert shop.client.get("/api/v1/reviews/export").status_code in (401, 403)
    answer = shop.client.get("/api/v1/reviews/export", headers={"Authorization": f"Bearer {shop.engineer}"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert all(not name.startswith("/") and ".." not in name for name in archive.namelist())
        archive.extractall(tmp_path)
    assert f"{GONE} top: the original of part {GONE} was kept, and is gone" in (tmp_path / "missing.txt").read_text()
    found = read_annotations(tmp_path)
    assert (found.mistakes, found.names) == ((), ("short",))
    by_part = {int(sample.image.name.split("-")[0]): sample for sample in found.samples}
    assert set(by_part) == {PICTURED, RAW}
    boxes = by_part[PICTURED].boxes * ([64, 48, 64, 48] if by_part[PICTURED].relative else [1, 1, 1, 1])
    assert np.allclose(boxes, [[10, 20, 26, 32]], atol=0.01)
    assert len(by_part[RAW].boxes) == 0
    raw = cv2.imread(str(by_part[RAW].image), cv2.IMREAD_UNCHANGED)
    assert raw is not None
    assert raw.shape == (48, 64, 3), "raw pixels are made what every tool reads"


# --- when the records are not well ------------------------------------------------------------------


def test_records_that_are_gone_or_spoilt_are_said_so_and_come_back(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with open_records(folder) as records:
        fill(records)
    database = folder / "records.db"
    with open_rig(folder, anonymous="viewer") as rig, rig.door.http() as client:
        aside = database.rename(folder / "aside.db")
        for content in (None, b"no database at all, but long enough to be looked at" * 100):
            if content is not None:
                database.write_bytes(content)
            answer = client.get("/api/v1/records")
            assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
            assert "records.db" in answer.json()["detail"] or "there are no records" in answer.json()["detail"]
        aside.replace(database)
        assert len(json.loads(client.get("/api/v1/records").content)["parts"]) == PARTS
