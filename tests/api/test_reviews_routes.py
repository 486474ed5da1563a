"""Reviews at a running station: a real daemon judges, people say what they think of it, and nothing else changes."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from tests.api.conftest import CALLED, Served

from partsight.outputs.records import RecordsReader
from partsight.outputs.records.folder import DATABASE
from partsight.wire.screen.parts import Part, QueuePage
from partsight.wire.screen.people import Role

WHOLE = "/api/v1/records/{}"
REVIEW = "/api/v1/records/{}/review"


@dataclass(frozen=True)
class Cell:
    """A station that judges when it is asked to, whose good parts are all looked at. tokens: by role."""

    served: Served
    tokens: dict[Role, str]

    def ask(self, method: str, path: str, role: Role = Role.OPERATOR, **options: Any) -> Any:
        with self.served.http(self.tokens[role]) as client:
            return client.request(method, path, **options)

    def judged(self, wait_until: Callable[..., Any], part_id: str) -> Part:
        """A part that was just judged and whose images are kept."""
        told = self.ask("POST", "/api/v1/commands/trigger", json={"part_id": part_id})
        assert told.status_code == 200, told.text

        def kept() -> Part | None:
            rows = self.ask("GET", "/api/v1/records", params={"part_id": part_id}).json()["parts"]
            return Part.model_validate(self.whole(rows[0]["sequence"])) if rows and rows[0]["images"] else None

        found: Part = wait_until(kept, 20, f"the record of {part_id}")
        return found

    def whole(self, sequence: int) -> dict[str, Any]:
        told: dict[str, Any] = self.ask("GET", WHOLE.format(sequence)).json()
        return told

    def queue(self) -> QueuePage:
        return QueuePage.model_validate_json(self.ask("GET", "/api/v1/reviews/queue", params={"limit": 200}).content)


@pytest.fixture(scope="module")
def cell(tmp_path_factory: pytest.TempPathFactory, serving: Callable[..., Any]) -> Iterator[Cell]:
    with serving(tmp_path_factory.mktemp("cell"), api="review_share = 1.0", trigger=CALLED) as served:
        yield Cell(served, {role: served.add_user(f"{role.value}1", role) for role in reversed(Role)})


def counts(cell: Cell) -> dict[str, int]:
    found: dict[str, int] = cell.ask("GET", "/api/v1/status").json()["counters"]
    return found


def results_sent(cell: Cell) -> list[tuple[int, bytes]]:
    db = sqlite3.connect(f"file:{cell.served.data / DATABASE}?mode=ro", uri=True)
    try:
        return db.execute("SELECT seq, payload FROM outbox WHERE kind = 'result' ORDER BY seq").fetchall()
    finally:
        db.close()


def test_a_review_is_told_to_every_screen_and_changes_nothing_else(cell: Cell, wait_until: Callable[..., Any]) -> None:
    part = cell.judged(wait_until, "first")
    total = cell.ask("GET", "/api/v1/summary").json()["total"]
    wait_until(lambda: counts(cell)["triggers"] == total and not counts(cell)["in_flight"], what="a status of now")
    before = cell.whole(part.sequence), counts(cell), results_sent(cell)
    body = {
        "judgement": "wrong",
        "label": part_class(cell),
        "boxes": [{"camera": "top", "label": part_class(cell), "box": [10, 10, 60, 60]}],
        "remark": "a scratch",
    }
    with cell.served.stream(cell.tokens[Role.VIEWER]) as screen:
        said = cell.ask("PUT", REVIEW.format(part.sequence), json=body)
        assert said.status_code == 200, said.text
        event = screen.event("reviewed")
    assert (said.json()["who"], said.json()["boxes"]) == ("operator1", body["boxes"])
    assert (event["data"]["sequence"], event["data"]["disposition"]["judgement"]) == (part.sequence, "wrong")
    after = cell.whole(part.sequence)
    assert after.pop("disposition") == said.json()
    assert before[0].pop("disposition") is None
    assert (after, counts(cell), results_sent(cell)) == before
    undone = cell.ask("DELETE", REVIEW.format(part.sequence))
    assert (undone.status_code, undone.json()) == (200, None)
    assert cell.whole(part.sequence)["disposition"] is None
    assert cell.ask("DELETE", REVIEW.format(part.sequence)).status_code == 404


def part_class(cell: Cell) -> str:
    name: str = cell.ask("GET", "/api/v1/status").json()["classes"][0]
    return name


def test_the_queue_is_worked_off_oldest_first(cell: Cell, wait_until: Callable[..., Any]) -> None:
    parts = [cell.judged(wait_until, f"queued {n}") for n in range(3)]
    good = [part.sequence for part in parts if part.result in ("OK", "REVIEW")]
    page = cell.queue()
    waiting = [row.sequence for row in page.parts]
    assert waiting == sorted(waiting)
    assert set(good) <= set(waiting)
    assert page.waiting == len(waiting)
    for sequence in waiting:
        assert cell.ask("PUT", REVIEW.format(sequence), json={"judgement": "right"}).status_code == 200
    done = cell.queue()
    assert (done.parts, done.waiting, done.done_today) == ((), 0, page.done_today + len(waiting))
    wait_until(lambda: cell.ask("GET", "/api/v1/status").json()["review_waiting"] == 0, 10, "the status")
    if waiting:
        cell.ask("DELETE", REVIEW.format(waiting[0]))
        assert [row.sequence for row in cell.queue().parts] == waiting[:1]


def test_only_an_operator_may_review_and_only_an_engineer_takes_the_data(
    cell: Cell, wait_until: Callable[..., Any]
) -> None:
    part = cell.judged(wait_until, "rights")
    for method in ("PUT", "DELETE"):
        answer = cell.ask(method, REVIEW.format(part.sequence), Role.VIEWER, json={"judgement": "right"})
        assert (answer.status_code, "needs operator" in answer.json()["detail"]) == (403, True)
        with cell.served.http() as stranger:
            assert stranger.request(method, REVIEW.format(part.sequence), json={}).status_code == 401
    assert cell.ask("GET", "/api/v1/reviews/export").status_code == 403
    assert cell.ask("GET", "/api/v1/reviews/export", Role.ENGINEER).status_code == 200
    assert cell.whole(part.sequence)["disposition"] is None


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "judgement"),
        ({"judgement": "maybe"}, "judgement"),
        ({"judgement": "right", "verdict": "OK"}, "verdict"),
        ({"judgement": "right", "label": "no such class"}, "is no class of the model"),
        ({"judgement": "right", "boxes": [{"camera": "top", "label": "x", "box": [1, 2, 3]}]}, "box"),
        ({"judgement": "right", "boxes": [{"camera": "../top", "label": "x", "box": [1, 2, 3, 4]}]}, "no picture of"),
        ({"judgement": "right", "remark": "x" * 513}, "remark"),
        ({"judgement": "right", "boxes": [{"camera": "top", "label": "x", "box": [0, 0, 1, 1]}] * 501}, "boxes"),
    ],
)
def test_a_review_that_cannot_be_so_is_refused_with_its_mistakes(
    cell: Cell, wait_until: Callable[..., Any], body: dict[str, Any], told: str
) -> None:
    sequence = cell.ask("GET", "/api/v1/records", params={"limit": 1}).json()["parts"]
    number = sequence[0]["sequence"] if sequence else cell.judged(wait_until, "refused").sequence
    before = cell.whole(number)
    answer = cell.ask("PUT", REVIEW.format(number), json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert any(told in mistake for mistake in answer.json()["mistakes"]), answer.text
    assert cell.whole(number) == before


def test_numbers_that_are_not_finite_are_refused(cell: Cell, wait_until: Callable[..., Any]) -> None:
    part = cell.judged(wait_until, "finite")
    for number in ("NaN", "Infinity", "1e999", "-1e999"):
        text = f'{{"judgement":"right","boxes":[{{"camera":"top","label":"x","box":[0,0,1,{number}]}}]}}'
        answer = cell.ask(
            "PUT", REVIEW.format(part.sequence), content=text, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 422, answer.text


def test_a_part_that_is_not_there_cannot_be_reviewed(cell: Cell) -> None:
    for number, status in ((10**12, 404), (2**63, 422), (-1, 422)):
        assert cell.ask("PUT", REVIEW.format(number), json={"judgement": "right"}).status_code == status


def test_reviews_are_there_after_the_station_was_killed(
    tmp_path_factory: pytest.TempPathFactory, serving: Callable[..., Any], wait_until: Callable[..., Any]
) -> None:
    folder = tmp_path_factory.mktemp("killed")
    with serving(folder, trigger=CALLED) as served:
        cell = Cell(served, {role: served.add_user(f"{role.value}1", role) for role in reversed(Role)})
        part = cell.judged(wait_until, "kept")
        assert cell.ask("PUT", REVIEW.format(part.sequence), json={"judgement": "right"}).status_code == 200
        served.run.process.kill()
        served.run.process.wait(20)
    with RecordsReader.open(served.data) as reader:
        assert reader.dispositions([part.sequence])[part.sequence].who == "operator1"
