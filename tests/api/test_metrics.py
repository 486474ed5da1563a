"""What Prometheus reads: names by its conventions, and figures that are those of the records."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from tests.api.conftest import CALLED, Staffed
from tests.api.rig import open_rig

from partsight.domain.verdict import Result
from partsight.outputs.records import RecordsReader
from partsight.wire.screen.people import Role


def read(text: str) -> dict[str, dict[tuple[str, ...], float]]:
    """Samples by name and label values."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            assert sample.labels is not None
            labels = tuple(sample.labels.values())
            assert labels not in found.setdefault(sample.name, {}), f"{sample.name} {labels} stands there twice"
            found[sample.name][labels] = sample.value
    return found


def test_counters_are_those_of_the_records(tmp_path: Path, serving: Callable[..., Any], wait_until: Any) -> None:
    """rule_1, at Prometheus: the identity holds, and every part of the records is counted once."""
    with serving(tmp_path, trigger=CALLED) as served:
        token = served.add_user("root", Role.ADMINISTRATOR)
        with served.http(token) as client:
            for number in range(5):
                assert client.post("/api/v1/commands/trigger", json={"part_id": f"SN{number}"}).status_code == 200

            def scraped() -> Any:
                found = read(client.get("/metrics").text)
                whole = found["partsight_verdict_latency_seconds_count"][()] == 5
                ended = found["partsight_parts_in_flight"][()] == 0
                return found if found["partsight_triggers_total"][()] == 5 and whole and ended else None

            found = wait_until(scraped)
            with RecordsReader.open(served.data) as reader:
                counts = reader.summary().counts
        parts = found["partsight_parts_total"]
        assert {result: parts[(result.value.lower(),)] for result in Result} == counts
        assert sum(parts.values()) == 5
        assert found["partsight_up"][()] == 1
        assert sum(found["partsight_state"].values()) == 1
        assert found["partsight_state"][("RUNNING",)] == 1
        assert found["partsight_verdict_latency_seconds_sum"][()] < 5


def test_names_have_units_and_help(station: Staffed) -> None:
    with station.http(Role.VIEWER) as client:
        answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    for family in text_string_to_metric_families(answer.text):
        assert family.name.startswith("partsight_"), family.name
        assert family.documentation, family.name
        if family.type == "counter":
            assert all(s.name.endswith("_total") for s in family.samples), family.name
        assert "_ms" not in family.name, "seconds are the base unit"


def test_odd_names_cannot_break_the_text(tmp_path: Path) -> None:
    """Labels come from configurations and drivers."""
    odd = 'a "quoted"\nname\\'
    with open_rig(tmp_path) as rig, rig.door.http() as client:
        fault = {"key": odd, "text": odd, "cure": odd, "since": "2026-01-01T00:00:00Z"}
        rig.status(name=odd, why="odd", faults=(fault, *({**fault, "key": f"k{n}"} for n in range(200))))
        while client.get("/api/v1/status").json()["why"] != "odd":
            pass
        found = read(client.get("/metrics").text)
    assert found["partsight_fault"][(odd,)] == 1
    assert found["partsight_faults"][()] == 201
    assert len(found["partsight_fault"]) == 50, "the number of labels is bounded"


def test_who_may_not_see_may_not_scrape(station: Staffed) -> None:
    with station.http() as client:
        assert client.get("/metrics").status_code == 401
        assert client.get("/health/live").status_code == 200


def test_a_silent_daemon_is_down(tmp_path: Path, wait_until: Callable[..., Any]) -> None:
    with open_rig(tmp_path) as rig, rig.door.http() as client:
        rig.status()
        wait_until(lambda: read(client.get("/metrics").text)["partsight_up"][()] == 1)
        wait_until(lambda: read(client.get("/metrics").text)["partsight_up"][()] == 0, 5)
