"""The challenge test as a person with gloves goes through it, on a real station; rights; BYPASS."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot
from tests.api.conftest import CALLED, Served, serve_station
from tests.gui.conftest import Line, Screen
from tests.gui.test_shell import live, log_in
from tests.gui.test_trends import enter
from tests.station.kill_run import SIMULATED

from partsight.domain.status import Mode
from partsight.domain.verdict import Result
from partsight.gui.challenge.kit import KitDialog
from partsight.gui.challenge.page import ChallengePage
from partsight.gui.challenge.reports import SuspectsDialog
from partsight.wire.screen.challenge import ChallengeReport, ChallengeState, ChallengeStep, KitPart
from partsight.wire.screen.message import now
from partsight.wire.screen.people import Role

Open = Callable[..., Screen]
LEFT = Qt.MouseButton.LeftButton
PARTS = 24
KIT = (
    KitPart(name="A-01", bad=False),
    KitPart(name="B-07", bad=True, defect="missing hole"),
    KitPart(name="B-12", bad=True, defect="short between two tracks"),
    KitPart(name="A-02", bad=False),
)


def page_of(screen: Screen) -> ChallengePage:
    page = screen.window.page("challenge")
    assert isinstance(page, ChallengePage)
    return page


def called_parts(served: Served, token: str, count: int) -> list[Result]:
    """What the simulated line sends, part by part."""
    with served.http(token) as client:
        for n in range(1, count + 1):
            assert client.post("/api/v1/commands/trigger", json={}).status_code == 200
            assert served.run.wait_for_verdicts(n)
        rows = client.get("/api/v1/records", params={"limit": count}).json()["parts"]
    return [Result(row["result"]) for row in reversed(rows)]


def until_both(results: list[Result]) -> int:
    """How many parts there must be for a good and a bad one to be among them."""
    return next(n for n in range(2, len(results)) if len({r is Result.OK for r in results[:n]}) == 2)


def make_kit(screen: Screen, qtbot: QtBot, kit: list[KitPart]) -> None:
    """In the engineer's dialog, by keys."""
    page = page_of(screen)
    qtbot.waitUntil(page.edit.isEnabled)
    qtbot.mouseClick(page.edit, LEFT)
    dialog = next(d for d in screen.window.findChildren(KitDialog) if d.isVisible())
    for row in list(dialog.rows):
        row.removed.emit(row)
    for part in kit:
        row = dialog.add_part()
        qtbot.keyClicks(row.name, part.name)
        row.kind.setCurrentIndex(int(part.bad))
        qtbot.keyClicks(row.defect, part.defect)
    qtbot.mouseClick(dialog.save, LEFT)
    qtbot.waitUntil(lambda: [p.name for p in page.state.kit] == [p.name for p in kit], timeout=10_000)


def go_through(page: ChallengePage, qtbot: QtBot, kit: list[KitPart], rights: list[bool]) -> None:
    """Every part in, its verdict read, confirmed."""
    qtbot.mouseClick(page.start, LEFT)
    for n, (part, right) in enumerate(zip(kit, rights, strict=True), 1):
        qtbot.waitUntil(lambda n=n: f"part {n}" in page.guide.ask.word, timeout=10_000)
        assert part.name in page.guide.ask.word
        if part.bad:
            assert part.defect in page.guide.kind.word
        qtbot.waitUntil(page.guide.here.isEnabled, timeout=10_000)
        qtbot.mouseClick(page.guide.here, LEFT)
        qtbot.waitUntil(page.guide.yes.isVisible, timeout=10_000)
        assert page.guide.kind.word == ("Right" if right else "WRONG")
        qtbot.mouseClick(page.guide.yes, LEFT)
    qtbot.waitUntil(page.report.isVisible, timeout=10_000)


def test_a_test_that_passes_and_one_that_fails(tmp_path: Path, open_screen: Open, qtbot: QtBot) -> None:
    with serve_station(tmp_path / "foretold", camera=SIMULATED, trigger=CALLED) as served:
        coming = called_parts(served, served.add_user("root", Role.ADMINISTRATOR), PARTS)
    with serve_station(tmp_path / "real", camera=SIMULATED, trigger=CALLED) as served:
        token = served.add_user("root", Role.ADMINISTRATOR)
        served.add_user("engineer1", Role.ENGINEER)
        screen = open_screen(served.url)
        enter(screen, qtbot, "engineer1")
        screen.window.open_page("challenge")
        page = page_of(screen)
        count = until_both(coming)
        kit = [
            KitPart(name=f"K-{n}", bad=r is not Result.OK, defect="hole" if r is not Result.OK else "")
            for n, r in enumerate(coming[:count])
        ]
        make_kit(screen, qtbot, kit)
        go_through(page, qtbot, kit, [True] * count)
        assert page.report.outcome.word == "Passed"
        assert page.report.report is not None
        assert [step.result for step in page.report.report.steps] == coming[:count]
        rest = coming[count:]

        # Production until a part has left as good; then the same test with a station that judges all of it wrongly.
        with served.http(token) as client:
            while rest.pop(0) is not Result.OK:
                client.post("/api/v1/commands/trigger", json={})
            client.post("/api/v1/commands/trigger", json={})
        assert served.run.wait_for_verdicts(PARTS - len(rest))
        count = until_both(rest)
        kit = [
            KitPart(name=f"W-{n}", bad=r is Result.OK, defect="hole" if r is Result.OK else "")
            for n, r in enumerate(rest[:count])
        ]
        qtbot.mouseClick(page.report.back, LEFT)
        make_kit(screen, qtbot, kit)
        go_through(page, qtbot, kit, [False] * count)
        assert page.report.outcome.word == "Failed"
        qtbot.waitUntil(page.failed.isVisible, timeout=10_000)
        qtbot.waitUntil(lambda: screen.client.note is not None and not screen.client.note.ready, timeout=10_000)
        qtbot.waitUntil(lambda: page.reports.table.rowCount() == 2, timeout=10_000)
        save_suspects(screen, page, qtbot, tmp_path / "suspects.csv")


def save_suspects(screen: Screen, page: ChallengePage, qtbot: QtBot, path: Path) -> None:
    """The list of what left as good since the passed test: one part."""
    qtbot.mouseClick(page.report.suspects, LEFT)
    dialog = screen.window.findChild(SuspectsDialog)
    assert dialog is not None
    qtbot.waitUntil(dialog.csv.isEnabled, timeout=10_000)
    dialog.export_csv(path)
    (row,) = csv.DictReader(io.StringIO(path.read_text()))
    assert row["result"] == "OK"
    assert int(row["sequence"]) == dialog.found[0].sequence


# --- on constructed moments -------------------------------------------------------------------------


def state(**changes: Any) -> ChallengeState:
    return ChallengeState(kit=KIT, **changes)


def running(judged: int, waiting_for: str, *, right: bool = True, call: bool = False) -> ChallengeState:
    """A test in which `judged` parts have their verdict."""
    steps = []
    for n, part in enumerate(KIT):
        result = (Result.NG if part.bad else Result.OK) if n < judged else None
        confirmed = n < judged - (waiting_for == "confirmation")
        steps.append(
            ChallengeStep(
                part=part,
                sequence=100 + n,
                result=result,
                reason=part.defect if n < judged else "",
                right=None if result is None else right or n < judged - 1,
                confirmed=confirmed,
            )
        )
    current = judged - 1 if waiting_for == "confirmation" else judged
    return state(running=tuple(steps), current=current, waiting_for=waiting_for, call=call)


def report(passed: bool = True, **changes: Any) -> ChallengeReport:
    steps = running(4, "confirmation", right=passed).running
    plain: dict[str, Any] = {
        "number": 12,
        "began": now() - timedelta(minutes=4),
        "ended": now(),
        "who": "meier",
        "why": "shift",
        "passed": passed,
        "failed": not passed,
        "recipe": "demo-board@7",
        "model": "pcb-any 1f2e3d4c5b6a",
        "steps": steps,
        "last_passed": now() - timedelta(hours=8),
        "suspects": 0 if passed else 1284,
    }
    return ChallengeReport(**{**plain, **changes})


def test_it_says_why_a_test_is_due_and_what_that_means(line: Line, open_screen: Open, qtbot: QtBot) -> None:
    screen = open_screen(line.url)
    live(screen, qtbot)
    screen.window.open_page("challenge")
    page = page_of(screen)
    assert not page.due.isVisible()
    line.say(challenge=state(due="shift", required=True))
    qtbot.waitUntil(page.due.isVisible)
    assert "start of the shift" in page.due.text.text()
    assert "Ready stays 0" in page.due.text.text()


def test_a_test_that_the_line_has_begun_is_only_followed(line: Line, open_screen: Open, qtbot: QtBot) -> None:
    screen = open_screen(line.url)
    live(screen, qtbot)
    screen.window.open_page("challenge")
    page = page_of(screen)
    line.say(challenge=state(running=running(2, "part").running))
    qtbot.waitUntil(page.guide.isVisible)
    assert "The line sends the parts" in page.guide.ask.word
    assert not page.guide.here.isVisible()
    line.say(challenge=state(last=report()))
    qtbot.waitUntil(page.report.isVisible)


def test_no_is_said_with_its_remark_and_a_test_can_be_broken_off(
    staffed_line: Line, open_screen: Open, qtbot: QtBot
) -> None:
    line = staffed_line
    told = running(2, "confirmation").model_dump(mode="json")
    for op in ("challenge.confirm", "challenge.abort"):
        line.answers[op] = lambda _request: told
    screen = open_screen(line.url)
    log_in(screen, qtbot, "operator")
    screen.window.open_page("challenge")
    page = page_of(screen)
    line.say(challenge=running(2, "confirmation"))
    qtbot.waitUntil(page.guide.no.isVisible)
    qtbot.keyClicks(page.guide.remark, "the ejector missed it")
    qtbot.mouseClick(page.guide.no, LEFT)
    qtbot.mouseClick(page.guide.abort, LEFT)
    qtbot.waitUntil(lambda: {r.op for r in line.requests} >= {"challenge.confirm", "challenge.abort"})
    said = next(r for r in line.requests if r.op == "challenge.confirm")
    assert said.args == {"ok": False, "remark": "the ejector missed it"}
    assert said.who == "operator"


@pytest.mark.parametrize(
    ("user", "starts", "edits"), [("viewer", False, False), ("operator", True, False), ("engineer", True, True)]
)
def test_who_may_what(
    user: str, starts: bool, edits: bool, staffed_line: Line, *, open_screen: Open, qtbot: QtBot
) -> None:
    screen = open_screen(staffed_line.url)
    log_in(screen, qtbot, user)
    screen.window.open_page("challenge")
    page = page_of(screen)
    staffed_line.say(challenge=state())
    qtbot.waitUntil(lambda: page.state.kit == KIT)
    page.bypass.why.setText("the ejector is being mended")
    assert page.start.isEnabled() is starts
    assert page.edit.isEnabled() is edits
    assert page.bypass.switch.isEnabled() is edits
    if not starts:
        assert "Operator" in page.start.toolTip()


def test_bypass_asks_why_and_is_shown_for_as_long_as_it_lasts(
    staffed_line: Line, open_screen: Open, qtbot: QtBot
) -> None:
    line = staffed_line
    line.answers["bypass"] = lambda _request: {"ok": True, "code": 0, "text": ""}
    screen = open_screen(line.url)
    log_in(screen, qtbot, "engineer")
    screen.window.open_page("challenge")
    bypass = page_of(screen).bypass
    qtbot.waitUntil(bypass.why.isEnabled)
    assert not bypass.switch.isEnabled()
    qtbot.keyClicks(bypass.why, "ejector is mended")
    qtbot.mouseClick(bypass.switch, LEFT)
    qtbot.waitUntil(lambda: any("bypass" in str(r.args) or r.op == "bypass" for r in line.requests))
    line.say(mode=Mode.BYPASS, bypass_since=now() - timedelta(minutes=3))
    qtbot.waitUntil(bypass.is_on)
    assert "3 min" in bypass.text.text()
    assert bypass.switch.isEnabled()
    line.say()
    qtbot.waitUntil(lambda: not bypass.is_on())


SHOTS = {
    "home": {"challenge": state(due="shift", required=True, last=report())},
    "ask": {"challenge": running(1, "part", call=True), "mode": Mode.CHALLENGE},
    "right": {"challenge": running(2, "confirmation"), "mode": Mode.CHALLENGE},
    "wrong": {"challenge": running(3, "confirmation", right=False), "mode": Mode.CHALLENGE},
}


@pytest.mark.parametrize(
    ("size", "theme", "language"),
    [((1024, 768), "dark", "en"), ((1024, 768), "light", "de"), ((1920, 1080), "light", "zh_CN")],
)
def test_screens_for_people_to_look_at(
    size: tuple[int, int], theme: str, language: str, *, line: Line, open_screen: Open, qtbot: QtBot
) -> None:
    screen = open_screen(line.url, size, theme, language)
    live(screen, qtbot)
    screen.window.open_page("challenge")
    page = page_of(screen)
    page.reports.show_reports([report(), report(False, number=11, who="schulz"), report(number=10, why="change")])
    for name, told in SHOTS.items():
        line.say(**told)
        wanted = told["challenge"]
        qtbot.waitUntil(lambda wanted=wanted: page.state == wanted)
        screen.window.notices.hide()
        screen.shoot(f"challenge-{name}-{size[0]}-{theme}-{language}")
        assert page.stack.width() <= screen.window.width()
    line.say(challenge=state(failed=True, last=report(False)))
    qtbot.waitUntil(lambda: page.report.isVisible() and page.failed.isVisible())
    screen.shoot(f"challenge-report-{size[0]}-{theme}-{language}")
