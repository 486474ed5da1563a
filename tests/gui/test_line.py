"""The line view: verdict, figures, pictures, tiles and buttons, on constructed moments and on a real daemon."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPointF, QRect, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot
from tests.api.conftest import CALLED, PASSWORD, serve_station
from tests.gui.conftest import Line, Screen, camera_notes
from tests.gui.test_shell import live, log_in

from partsight.api.people import Author, People
from partsight.domain.status import StationState
from partsight.domain.verdict import Result
from partsight.gui.client import Link
from partsight.gui.line.page import LinePage
from partsight.gui.line.verdict import HEIGHT
from partsight.gui.signs import RESULT_SIGN, Sign
from partsight.wire.screen.people import Role
from partsight.wire.screen.station import CounterNumbers, DiskNote, LatencyNumbers, OutputNote

Open = Callable[..., Screen]
BOX = (40.0, 30.0, 80.0, 60.0)
FINDING = {"code": 1001, "text": "missing hole", "camera": "top", "score": 0.91, "box": BOX}
FOUND = {"label": "missing hole", "class_id": 1, "score": 0.91, "box": BOX}
COUNTERS = CounterNumbers(triggers=12_873, ok=12_644, ng=198, review=24, invalid=6, in_flight=1)
BUSY = {
    "cameras": camera_notes("top", "side", side="stalled"),
    "counters": COUNTERS,
    "yield_share": 0.9822,
    "rate_per_min": 118.4,
    "latency_ms": LatencyNumbers(count=1000, p50=22.94, p95=26.0, p99=31.36, max=50.0),
    "outputs": (OutputNote(name="mqtt", connected=True), OutputNote(name="modbus", connected=False, problem="alone")),
    "disk": DiskNote(free_bytes=213 * 10**9, records_bytes=10**8, images_bytes=38 * 10**9, images_budget_bytes=10**11),
    "recipe": "demo-board@7",
    "model": "pcb-any 1f2e3d4c5b6a",
}


def page_of(screen: Screen) -> LinePage:
    page = screen.window.page("line")
    assert isinstance(page, LinePage)
    return page


def picture(height: int = 120, width: int = 160) -> np.ndarray:
    """A grey ramp, which no JPEG bends much."""
    row = np.linspace(40, 220, width, dtype=np.uint8)
    return np.repeat(np.tile(row, (height, 1))[:, :, None], 3, axis=2)


@pytest.mark.parametrize("result", list(Result))
def test_the_verdict_is_a_word_and_a_shape_read_from_five_metres(
    result: Result, line: Line, open_screen: Open, qtbot: QtBot
) -> None:
    screen = open_screen(line.url)
    live(screen, qtbot)
    band = page_of(screen).verdict
    line.finish(result.value, code=200 if result is Result.INVALID else 0, reason="no verdict in time")
    qtbot.waitUntil(lambda: band.shown().word == result.value)
    assert band.shown().sign is RESULT_SIGN[result]
    assert band.height() >= HEIGHT
    # Without colour: each verdict's picture differs from all others' by shape alone.
    grey = band.grab().toImage().convertToFormat(band.grab().toImage().Format.Format_Grayscale8)
    ground = grey.pixelColor(band.width() - 20, 10).lightness()
    ink = sum(
        abs(grey.pixelColor(x, y).lightness() - ground) > 60 for x in range(0, 130, 4) for y in range(0, HEIGHT, 4)
    )
    assert ink > 60
    assert result.value in band.accessibleName()


def test_part_reason_and_latency_stand_beside_it(line: Line, open_screen: Open, qtbot: QtBot) -> None:
    screen = open_screen(line.url)
    live(screen, qtbot)
    band = page_of(screen).verdict
    part = line.finish("NG", code=1001, reason="missing hole 0.91")
    qtbot.waitUntil(lambda: band.shown().word == "NG")
    lines = "\n".join(band.shown().lines)
    for wanted in (str(part["part_id"]), "missing hole 0.91", "reject", "23 ms"):
        assert wanted in lines


@pytest.mark.parametrize("state", [StationState.HELD, StationState.ERROR, StationState.SUSPENDED, StationState.READY])
def test_no_old_verdict_is_shown_while_the_station_does_not_judge(
    state: StationState, line: Line, open_screen: Open, qtbot: QtBot
) -> None:
    screen = open_screen(line.url)
    live(screen, qtbot)
    band = page_of(screen).verdict
    line.finish("OK")
    qtbot.waitUntil(lambda: band.shown().word == "OK")
    line.say(state=state, error_text="why it is so")
    qtbot.waitUntil(lambda: band.shown().word != "OK")
    assert band.shown().colour is None
    assert "why it is so" in band.shown().lines


def test_no_verdict_is_shown_while_the_station_does_not_answer(line: Line, open_screen: Open, qtbot: QtBot) -> None:
    screen = open_screen(line.url)
    live(screen, qtbot)
    band = page_of(screen).verdict
    line.finish("OK")
    qtbot.waitUntil(lambda: band.shown().word == "OK")
    line.be_silent()
    qtbot.waitUntil(lambda: band.shown().word == "No answer", timeout=3000)
    assert band.shown().sign is Sign.BAD


def test_figures_are_those_of_one_snapshot(line: Line, open_screen: Open, qtbot: QtBot) -> None:
    screen = open_screen(line.url)
    line.say(**BUSY)
    numbers = page_of(screen).numbers
    qtbot.waitUntil(lambda: numbers.triggers.value.text() == "12,873")
    shown = {result: figure.value.text() for result, figure in numbers.results.items()}
    assert shown == {Result.OK: "12,644", Result.NG: "198", Result.REVIEW: "24", Result.INVALID: "6"}
    assert numbers.in_flight.value.text() == "1"
    assert numbers.share.value.text() == "98.2 %"
    assert numbers.rate.value.text() == "118"
    assert (numbers.p50.value.text(), numbers.p99.value.text()) == ("22.9", "31.4")


def test_everything_has_a_tile_with_a_word_and_a_shape(line: Line, open_screen: Open, qtbot: QtBot) -> None:
    screen = open_screen(line.url)
    line.say(**BUSY)
    tiles = page_of(screen).tiles
    qtbot.waitUntil(lambda: len(tiles.tiles) == 6)
    shown = {key: (tile.sign.sign(), tile.word.whole()) for key, tile in tiles.tiles.items()}
    assert shown == {
        "camera/top": (Sign.GOOD, "Streaming"),
        "camera/side": (Sign.WARN, "No pictures"),
        "model": (Sign.GOOD, "pcb-any"),
        "output/mqtt": (Sign.GOOD, "Connected"),
        "output/modbus": (Sign.BAD, "No connection"),
        "disk": (Sign.GOOD, "213.0 GB free"),
    }


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_one_to_four_cameras_share_the_room(count: int, line: Line, open_screen: Open, qtbot: QtBot) -> None:
    screen = open_screen(line.url, (1920, 1080))
    names = [f"camera{i}" for i in range(count)]
    line.say(cameras=camera_notes(*names))
    grid = page_of(screen).cameras
    qtbot.waitUntil(lambda: list(grid.views) == names and all(view.width() > 200 for view in grid.views.values()))

    def places() -> list[QRect]:
        return [view.geometry() for view in grid.views.values()]

    qtbot.waitUntil(lambda: not any(a.intersects(b) for i, a in enumerate(places()) for b in places()[i + 1 :]))
    assert sum(place.width() * place.height() for place in places()) > 0.7 * grid.width() * grid.height() * count / 4


def test_a_picture_with_its_boxes_where_they_belong(line: Line, open_screen: Open, qtbot: QtBot) -> None:
    screen = open_screen(line.url)
    line.say(cameras=camera_notes("top"))
    grid = page_of(screen).cameras
    qtbot.waitUntil(lambda: any("top" in wish for wish in line.wishes))
    line.show("top", picture(), sequence=1, result="NG", boxes=(FOUND,), findings=(FINDING,))
    view = grid.views["top"]
    qtbot.waitUntil(view.has_picture)
    rect = view.picture_rect()
    assert rect.width() / rect.height() == pytest.approx(4 / 3, abs=0.01)
    shot = view.grab().toImage()
    corner = view.to_widget(BOX[0], BOX[1])
    middle = view.to_widget((BOX[0] + BOX[2]) / 2, BOX[3])
    for point in (corner, QPointF(middle)):
        colour = shot.pixelColor(point.toPoint())
        assert colour.red() > 200
        assert colour.green() < 140
    inside = shot.pixelColor(view.to_widget(60, 45).toPoint())
    assert abs(inside.red() - inside.green()) < 30


def test_an_old_picture_is_marked_as_old(line: Line, open_screen: Open, qtbot: QtBot) -> None:
    screen = open_screen(line.url)
    line.say(cameras=camera_notes("top"))
    grid = page_of(screen).cameras
    qtbot.waitUntil(lambda: any("top" in wish for wish in line.wishes))
    line.show("top", picture())
    qtbot.waitUntil(grid.views["top"].has_picture)
    bright = grid.views["top"].grab().toImage().pixelColor(300, 200).lightness()
    qtbot.waitUntil(lambda: grid.views["top"].stale, timeout=3000)
    assert grid.views["top"].grab().toImage().pixelColor(300, 200).lightness() < bright * 0.7


def test_pictures_are_asked_for_while_they_are_seen_only(line: Line, open_screen: Open, qtbot: QtBot) -> None:
    screen = open_screen(line.url)
    line.say(cameras=camera_notes("top"))
    qtbot.waitUntil(lambda: bool(line.wishes) and "top" in line.wishes[-1])
    screen.window.open_page("faults")
    qtbot.waitUntil(lambda: line.wishes[-1] == {})
    screen.window.open_page("line")
    qtbot.waitUntil(lambda: "top" in line.wishes[-1])


def test_without_a_login_only_acknowledge_works_and_the_rest_says_why(
    line: Line, open_screen: Open, qtbot: QtBot
) -> None:
    screen = open_screen(line.url)
    live(screen, qtbot)
    actions = page_of(screen).actions_
    for made in (actions.start, actions.hold, actions.stop, actions.trigger):
        assert not made.isEnabled()
        assert "Operator" in made.toolTip()
    line.say(line_stop=True)
    qtbot.waitUntil(actions.acknowledge.isEnabled)
    qtbot.mouseClick(actions.acknowledge, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: [asked.args.get("command") for asked in line.requests] == ["reset"])


def test_an_operator_runs_the_line(staffed_line: Line, open_screen: Open, qtbot: QtBot) -> None:
    line = staffed_line
    screen = open_screen(line.url)
    log_in(screen, qtbot, "operator")
    actions = page_of(screen).actions_
    line.say(state=StationState.READY)
    qtbot.waitUntil(actions.start.isEnabled)
    assert not actions.hold.isEnabled()
    assert "Ready" in actions.hold.toolTip()
    for made, state, name in (
        (actions.start, StationState.READY, "start"),
        (actions.hold, StationState.RUNNING, "hold"),
        (actions.trigger, StationState.RUNNING, "trigger"),
        (actions.stop, StationState.RUNNING, "stop"),
    ):
        line.say(state=state)
        qtbot.waitUntil(made.isEnabled)
        qtbot.mouseClick(made, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda name=name: line.requests[-1].args.get("command") == name)
    assert {asked.who for asked in line.requests if asked.op == "command"} == {"operator"}


def test_what_the_station_refuses_is_shown_with_its_reason(staffed_line: Line, open_screen: Open, qtbot: QtBot) -> None:
    staffed_line.answers["command"] = lambda _: {"ok": False, "code": 1, "text": "no picture from camera side"}
    screen = open_screen(staffed_line.url)
    log_in(screen, qtbot, "operator")
    staffed_line.say(state=StationState.READY)
    actions = page_of(screen).actions_
    qtbot.waitUntil(actions.start.isEnabled)
    qtbot.mouseClick(actions.start, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: any("camera side" in text for text in screen.window.notices.texts()))


def test_a_real_station_from_first_part_to_a_killed_daemon(tmp_path: Path, open_screen: Open, qtbot: QtBot) -> None:
    with serve_station(tmp_path, trigger=CALLED) as served:
        People(served.data).add("boss", Role.ADMINISTRATOR, PASSWORD, Author("test", "test"))
        screen = open_screen(served.url)
        log_in(screen, qtbot, "boss")
        page = page_of(screen)
        qtbot.waitUntil(page.actions_.trigger.isEnabled, timeout=20_000)
        for count in (1, 2, 3):
            QTest.mouseClick(page.actions_.trigger, Qt.MouseButton.LeftButton)
            qtbot.waitUntil(lambda count=count: page.numbers.triggers.value.text() == str(count), timeout=10_000)
        qtbot.waitUntil(lambda: page.verdict.shown().word in {result.value for result in Result})
        qtbot.waitUntil(page.cameras.views["top"].has_picture)
        results = sum(int(figure.value.text()) for figure in page.numbers.results.values())
        assert results + int(page.numbers.in_flight.value.text()) == 3
        assert screen.window.banners.simulation.isVisible()
        served.run.process.kill()
        qtbot.waitUntil(screen.window.banners.gone.isVisible, timeout=3000)
        assert page.verdict.shown().colour is None
        assert not page.actions_.trigger.isEnabled()


@pytest.mark.parametrize("language", ["en", "de", "zh_CN"])
@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("size", [(1024, 768), (1920, 1080)])
def test_screens_for_people_to_look_at(
    size: tuple[int, int], theme: str, language: str, line: Line, qtbot: QtBot, *, open_screen: Open
) -> None:
    screen = open_screen(line.url, size, theme, language)
    line.say(**BUSY)
    grid = page_of(screen).cameras
    qtbot.waitUntil(lambda: any("top" in wish for wish in line.wishes))
    line.show("top", picture(480, 640), sequence=1, result="NG", boxes=(FOUND,), findings=(FINDING,))
    line.finish("NG", code=1001, reason="missing hole 0.91")
    qtbot.waitUntil(lambda: "top" in grid.views and grid.views["top"].has_picture())
    qtbot.waitUntil(lambda: page_of(screen).verdict.part() is not None)
    assert screen.client.link is Link.LIVE
    path = screen.shoot(f"line-{size[0]}-{theme}-{language}")
    assert path.stat().st_size > 20_000
