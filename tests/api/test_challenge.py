"""The challenge test over the API, against a real daemon: guided runs that pass and fail, rights, and restarts."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.api.conftest import CALLED, Served, Staffed
from tests.station.kill_run import NO_STOPS, SIMULATED

from partsight.wire.screen.people import Role

DARK = SIMULATED.replace("empty_rate = 0.05", "empty_rate = 0.0")
KIT = {"parts": [{"name": "good-1", "bad": False}, {"name": "bad-1", "bad": True, "defect": "hole is missing"}]}
ASK = "/api/v1/challenge"
Ask = Callable[..., dict[str, Any]]


def until(condition: Callable[[], Any], limit_s: float = 15.0) -> Any:
    end = time.monotonic() + limit_s
    while not (value := condition()):
        assert time.monotonic() < end, f"not within {limit_s} s"
        time.sleep(0.02)
    return value


class Bench:
    """An operator at a station whose parts come when they are called for."""

    def __init__(self, served: Served, client: httpx.Client) -> None:
        self.served = served
        self.client = client
        self.reported = 0

    def begin_anew(self) -> None:
        """As it is after the start, whatever the test before has left: no test, no bypass, Ready."""
        if self.state()["running"]:
            self.say("abort")
        if self.status()["mode"] == "BYPASS":
            answer = self.client.post("/api/v1/commands/bypass", json={"on": False, "why": "over"})
            assert answer.status_code == 200, answer.text
        if self.state()["failed"]:
            self.kit_for(["OK", "NG"])
            self.reset()
            self.pass_a_test()
        until(lambda: self.status()["ready"])
        self.reported = len(self.reports())

    def reports(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.client.get(f"{ASK}/reports").json()
        return found

    def report(self) -> dict[str, Any]:
        """Of the test that has ended."""
        found: list[dict[str, Any]] = until(lambda: len(r := self.reports()) > self.reported and r)
        return found[0]

    def reset(self) -> None:
        assert self.client.post("/api/v1/commands/reset").status_code == 200
        until(lambda: self.status()["state"] == "INITIALIZED")

    def pass_a_test(self) -> None:
        """Again and again, until the kit fits what the model says of the pictures that come."""
        for _ in range(12):
            self.say("start", {})
            first = self.part()
            self.say("confirm", {"ok": True})
            second = self.part()
            self.say("confirm", {"ok": True})
            if first["right"] and second["right"]:
                return
            self.reset()
        raise AssertionError("the pictures never fit the kit")

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = self.client.get(ASK).json()
        return found

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.client.get("/api/v1/status").json()
        return found

    def say(self, what: str, body: Any = None, expect: int = 200) -> dict[str, Any]:
        answer = self.client.post(f"{ASK}/{what}", json=body)
        assert answer.status_code == expect, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def part(self) -> dict[str, Any]:
        """Show the part that is asked for; its step once it is judged."""
        step = self.say("trigger")["current"]
        state = until(lambda: (s := self.state())["waiting_for"] == "confirmation" and s)
        assert state["current"] == step
        found: dict[str, Any] = state["running"][step]
        return found

    def plain(self) -> dict[str, Any]:
        """A part of production; its record."""
        answer = self.client.post("/api/v1/commands/trigger", json={"part_id": "plain"})
        assert answer.status_code == 200, answer.text
        sequence = answer.json()["data"]["sequence"]
        found = until(lambda: (r := self.client.get(f"/api/v1/records/{sequence}")).status_code == 200 and r)
        record: dict[str, Any] = found.json()
        return record

    def kit_for(self, results: list[str]) -> None:
        """A kit whose parts are as the model will judge the next pictures."""
        parts = [{"name": f"part-{n}", "bad": result != "OK"} for n, result in enumerate(results, 1)]
        answer = self.client.put(f"{ASK}/kit", json={"parts": parts})
        assert answer.status_code == 200, answer.text


@pytest.fixture(scope="module")
def shared_bench(tmp_path_factory: pytest.TempPathFactory, serving: Callable[..., Any]) -> Iterator[Bench]:
    with serving(tmp_path_factory.mktemp("bench"), camera=DARK, trigger=CALLED, line=NO_STOPS) as served:
        token = served.add_user("eve", Role.ADMINISTRATOR)
        with served.http(token) as client:
            until(lambda: client.get("/api/v1/status").json()["state"] == "RUNNING")
            yield Bench(served, client)


@pytest.fixture
def bench(shared_bench: Bench) -> Bench:
    """A station for all tests that leave it as they found it."""
    shared_bench.begin_anew()
    return shared_bench


def run_through(bench: Bench, ok: bool = True) -> list[dict[str, Any]]:
    """Every part of the kit; each as it was judged."""
    steps = []
    while (state := bench.state())["running"]:
        steps.append(bench.part())
        bench.say("confirm", {"ok": ok, "remark": "" if ok else "the ejector missed it"})
        until(lambda: (s := bench.state())["current"] == len(steps) or not s["running"])
        assert state["waiting_for"] == "part"
    return steps


def test_a_guided_test_passes_and_is_kept_with_every_step(bench: Bench) -> None:
    # The pictures depend on the trigger's number alone: a first test shows what the model says of them.
    bench.kit_for(["OK", "NG"])
    with bench.served.stream(bench.served.log_in("eve")) as stream:
        state = bench.say("start", {"why": "a try"})
        assert (state["waiting_for"], state["current"], state["call"]) == ("part", 0, False)
        assert not until(lambda: (s := bench.status())["mode"] == "CHALLENGE" and s)["ready"], "Ready is 0 meanwhile"
        steps = run_through(bench)
        report = bench.report()
        told = stream.event("challenge")
    assert [s["result"] for s in report["steps"]] == [s["result"] for s in steps]
    right = [s["result"] == ("NG" if s["part"]["bad"] else "OK") for s in steps]
    assert [s["right"] for s in steps] == right
    assert all(s["confirmed"] for s in report["steps"])
    assert (report["passed"], told["data"]["passed"]) == (all(right), all(right))
    assert (report["who"], report["why"], report["recipe"]) == ("eve", "a try", "there@1")
    modes = [bench.client.get(f"/api/v1/records/{s['sequence']}").json()["mode"] for s in steps]
    assert modes == ["CHALLENGE"] * 2
    audited = [row["what"] for row in bench.client.get("/api/v1/audit").json()]
    assert {"challenge kit", "challenge start", "challenge confirm"} <= set(audited)


def test_rule_2_after_a_failed_test_ready_stays_0_through_reset_and_restart_until_one_has_passed(
    tmp_path: Path, serving: Callable[..., Any]
) -> None:
    with serving(tmp_path, camera=DARK, trigger=CALLED, line=NO_STOPS) as served:
        token = served.add_user("eve", Role.ADMINISTRATOR)
        with served.http(token) as client:
            bench = Bench(served, client)
            until(lambda: bench.status()["ready"])
            passed = [record for _ in range(6) if (record := bench.plain())["result"] == "OK"]
            bench.kit_for(["OK", "NG"])
            bench.say("start", {"why": ""})
            run_through(bench, ok=False)
            until(lambda: bench.status()["state"] == "ERROR")
            assert bench.state()["failed"]
            assert client.post("/api/v1/commands/reset").status_code == 200
            status = until(lambda: (s := bench.status())["state"] == "INITIALIZED" and s)
            assert not status["ready"]
            record = bench.plain()
            assert (record["result"], record["action"], record["mode"]) == ("INVALID", "reject", "SIMULATION")
            report = bench.report()
            assert (report["passed"], report["failed"], report["suspects"]) == (False, True, len(passed))
            assert report["steps"][0]["remark"] == "the ejector missed it"
            suspects = client.get(f"{ASK}/suspects").json()
            assert [s["sequence"] for s in suspects] == [r["sequence"] for r in reversed(passed)]
        assert served.run.terminate() == 0
    with serving(tmp_path, camera=DARK, trigger=CALLED, line=NO_STOPS) as served:
        token = served.log_in("eve")
        with served.http(token) as client:
            bench = Bench(served, client)
            status = until(lambda: (s := bench.status())["state"] == "INITIALIZED" and s)
            assert not status["ready"]
            assert "challenge test has failed" in status["why"]
            bench.pass_a_test()
            status = until(lambda: (s := bench.status())["ready"] and s)
            assert (status["state"], bench.state()["failed"]) == ("RUNNING", False)
            assert bench.plain()["result"] in ("OK", "NG")


def test_a_part_that_was_not_called_for_is_rejected_and_not_taken_for_a_known_one(bench: Bench) -> None:
    bench.kit_for(["OK", "NG"])
    bench.say("start", {})
    bench.part()
    between = bench.plain()
    assert (between["result"], between["mode"]) == ("INVALID", "SIMULATION")
    assert "has not called for" in between["reason"]
    state = bench.state()
    assert (state["current"], state["waiting_for"]) == (0, "confirmation"), "and the test waits as before"
    assert bench.say("trigger", expect=409)["detail"]


def test_an_aborted_test_counts_as_not_passed_and_fails_only_where_a_wrong_verdict_was_seen(bench: Bench) -> None:
    bench.kit_for(["OK", "NG"])
    bench.say("start", {})
    bench.say("abort")
    report = bench.report()
    assert (report["passed"], report["failed"], report["aborted"]) == (False, False, True)
    until(lambda: bench.status()["ready"])
    bench.say("abort", expect=409)
    while True:
        bench.say("start", {})
        step = bench.part()
        if not step["right"]:
            break
        bench.say("abort")
    bench.say("abort")
    until(lambda: bench.status()["state"] == "ERROR")
    assert bench.state()["failed"]


def test_a_test_that_a_killed_process_broke_off_counts_as_failed(tmp_path: Path, serving: Callable[..., Any]) -> None:
    with serving(tmp_path, camera=DARK, trigger=CALLED, line=NO_STOPS) as served:
        token = served.add_user("eve", Role.ADMINISTRATOR)
        with served.http(token) as client:
            bench = Bench(served, client)
            until(lambda: bench.status()["ready"])
            bench.kit_for(["OK", "NG"])
            bench.say("start", {})
        served.run.process.send_signal(signal.SIGKILL)
        served.run.process.wait(10)
    again = serving(tmp_path, camera=DARK, trigger=CALLED, line=NO_STOPS)
    with again as served, served.http(served.log_in("eve")) as client:
        bench = Bench(served, client)
        until(lambda: bench.status()["state"] == "INITIALIZED")
        assert not bench.status()["ready"]
        last = bench.state()["last"]
        assert (last["failed"], "restarted" in last["note"]) == (True, True)


def test_while_a_test_is_due_and_required_no_part_passes(tmp_path: Path, serving: Callable[..., Any]) -> None:
    line = NO_STOPS + "challenge_on_change = true\nchallenge_required = true"
    with serving(tmp_path, camera=DARK, trigger=CALLED, line=line) as served:
        token = served.add_user("eve", Role.ADMINISTRATOR)
        with served.http(token) as client:
            bench = Bench(served, client)
            status = until(lambda: (s := bench.status())["state"] == "INITIALIZED" and s)
            assert (status["ready"], bench.state()["due"]) == (False, "change")
            assert bench.plain()["action"] == "reject"


def test_parts_that_come_by_themselves_are_known_ones_only_after_the_call(
    tmp_path: Path, serving: Callable[..., Any]
) -> None:
    with serving(tmp_path, camera=DARK, line=NO_STOPS) as served:
        token = served.add_user("eve", Role.ADMINISTRATOR)
        with served.http(token) as client:
            bench = Bench(served, client)
            until(lambda: bench.status()["ready"])
            bench.kit_for(["OK", "NG"])
            assert bench.say("start", {})["call"]
            before = bench.status()["counters"]["triggers"]
            until(lambda: bench.status()["counters"]["triggers"] > before + 3)
            state = bench.state()
            assert (state["current"], state["running"][0]["sequence"]) == (0, None), "passing parts are not consumed"
            step = bench.part()
            record = client.get(f"/api/v1/records/{step['sequence']}").json()
            assert record["mode"] == "CHALLENGE"


def test_a_test_and_a_bypass_or_a_change_of_recipe_exclude_each_other(bench: Bench) -> None:
    bench.kit_for(["OK", "NG"])
    bench.say("start", {})
    bypass = bench.client.post("/api/v1/commands/bypass", json={"on": True, "why": "a try"})
    recipe = bench.client.post("/api/v1/commands/recipe", json={"name": "there"})
    assert (bypass.status_code, recipe.status_code) == (409, 409)
    bench.say("abort")
    assert bench.client.post("/api/v1/commands/bypass", json={"on": True, "why": "a try"}).status_code == 200
    assert "bypass" in bench.say("start", {}, expect=409)["detail"]


@pytest.mark.parametrize("what", ["start", "trigger", "confirm", "abort", "kit"])
def test_each_role_may_what_it_may(station: Staffed, what: str) -> None:
    body: Any = {"start": {}, "confirm": {"ok": True}, "kit": {"parts": []}}.get(what)
    needed = Role.ENGINEER if what == "kit" else Role.OPERATOR
    for role in (None, *Role):
        with station.http(role) as client:
            verb = client.put if what == "kit" else client.post
            answer = verb(f"{ASK}/{what}", json=body)
            if role is None or not role.may(needed):
                assert answer.status_code in (401, 403), (role, answer.text)
            else:
                assert answer.status_code in (409, 422), (role, answer.text)


def test_a_kit_that_proves_nothing_is_refused_with_why(station: Staffed) -> None:
    with station.http(Role.ADMINISTRATOR) as client:
        for parts, word in (
            ([{"name": "a", "bad": True}, {"name": "b", "bad": True}], "good part"),
            ([{"name": "a", "bad": False}, {"name": "b", "bad": False}], "blind"),
            ([{"name": "a", "bad": False}, {"name": "a", "bad": True}], "name a"),
        ):
            answer = client.put(f"{ASK}/kit", json={"parts": parts})
            assert answer.status_code == 422
            assert word in answer.json()["detail"]
        answer = client.post(f"{ASK}/start", json={})
        assert (answer.status_code, "no kit" in answer.json()["detail"]) == (409, True)
