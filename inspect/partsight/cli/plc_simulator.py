"""`partsight plc-simulator`: a line controller for stations that have no PLC at hand, and for gates to be tested."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from partsight.domain.errors import ConfigError, Mistake
from partsight.testing.plc.controller import LineController
from partsight.testing.plc.link import Link, LinkUnavailable
from partsight.testing.plc.plan import LinePlan
from partsight.testing.plc.score import Score, Truth, planned_truth, recorded_truth
from partsight.testing.plc.tracking import Policy

EXIT_ESCAPE = 1
"""A bad part was let out."""
PASSWORD = "PARTSIGHT_PLC_PASSWORD"  # noqa: S105 - the variable's name
REFRESH_S = 0.2
RESULTS = {0: "", 1: "OK", 2: "NG", 3: "not decided"}


def plc_simulator(
    *,
    mqtt: Annotated[str, typer.Option(metavar="HOST:PORT", help="The broker.")] = "",
    modbus: Annotated[str, typer.Option(metavar="HOST:PORT", help="The station's Modbus server.")] = "",
    prefix: Annotated[str, typer.Option(help="Of the station's topics.")] = "site/area/line/station/vi",
    parts: Annotated[int, typer.Option(min=1, help="End after so many.")] = 100,
    rate: Annotated[float, typer.Option(min=0.1, max=100, help="Parts a second.")] = 5.0,
    gate_ms: Annotated[float, typer.Option(min=1, help="From camera to gate, less the actuator's lead.")] = 500.0,
    policy: Annotated[Policy, typer.Option(help="What opens the gate; only pass-only is right.")] = Policy.PASS_ONLY,
    no_ack: Annotated[bool, typer.Option("--no-ack", help="Acknowledge nothing.")] = False,
    no_heartbeat: Annotated[bool, typer.Option("--no-heartbeat", help="Send no heartbeat.")] = False,
    no_infeed_stop: Annotated[
        bool, typer.Option("--no-infeed-stop", help="Parts go on coming while the station is not heard.")
    ] = False,
    lose_confirmation: Annotated[int, typer.Option(min=0, help="The n-th reject is not seen by its sensor.")] = 0,
    operator_s: Annotated[
        float, typer.Option(min=0, help="After a stop somebody acknowledges and starts so much later; 0: nobody.")
    ] = 2.0,
    truth: Annotated[
        Path | None, typer.Option(help="The station's data folder: its records say what each part really was.")
    ] = None,
    world: Annotated[
        Path | None, typer.Option(help="The station's configuration: the simulated camera's seed says it.")
    ] = None,
    wait_s: Annotated[float, typer.Option(min=0, help="For broker and station, at the start.")] = 30.0,
    user: Annotated[str, typer.Option(help=f"For the broker; the password is in {PASSWORD}.")] = "",
    ca: Annotated[Path | None, typer.Option(help="The broker's authority: TLS.")] = None,
    certificate: Annotated[Path | None, typer.Option(help="The controller's certificate.")] = None,
    key: Annotated[Path | None, typer.Option(help="Its key.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="No table; one JSON object at the end.")] = False,
) -> None:
    """Run a line against a station: trigger, track, pass or reject, and score what was let out.

    Status 1 where a bad part was let out; known with --truth or --world only.
    """
    plan = LinePlan(
        parts=parts,
        rate_hz=rate,
        gate_ms=gate_ms,
        policy=policy,
        acknowledges=not no_ack,
        beats=not no_heartbeat,
        infeed_stops=not no_infeed_stop,
        lose_confirmation=lose_confirmation,
        operator_s=operator_s,
        # Numbers that an earlier run did not use: the records are searched by them.
        first_number=int(time.time()) % 1_000_000 * 1000 + 1,
    )
    known = _truth(truth, world)
    link = _link(mqtt, modbus, prefix, user, (ca, certificate, key))
    link.open(wait_s)
    controller = LineController(plan, link)
    try:
        finished = _run(controller, wait_s, shown=not as_json)
    finally:
        link.close()
    if not finished:
        heard = "heard" if controller.view.trusted else "not heard"
        raise LinkUnavailable(
            f"the line stood still for {wait_s:g} s at part {controller.view.entered} of {parts} (heartbeat {heard}, "
            f"PackML state {controller.view.packml}): is the station running? See `partsight mqtt listen` or register 2"
        )
    score = Score.of(controller.passages, known)
    if as_json:
        sys.stdout.write(json.dumps(_as_dict(controller, score)) + "\n")
    else:
        _print(controller, score, known is not None)
    raise typer.Exit(EXIT_ESCAPE if score.escapes else 0)


def _truth(data: Path | None, world: Path | None) -> Truth | None:
    if data is not None and world is not None:
        raise ConfigError([Mistake("", "--truth, --world", "both are given", "give one of them")])
    if data is not None:
        return recorded_truth(data)
    if world is None:
        return None
    from partsight.cameras.simulated import SimulatedCamera
    from partsight.config.station import read_station

    cameras = [camera for camera in read_station(world).cameras if camera.driver == "simulated"]
    if not cameras:
        raise ConfigError([Mistake(str(world), "cameras", "there is no simulated camera", "use --truth")])
    return planned_truth(SimulatedCamera.Settings.model_validate(cameras[0].settings))


def _link(mqtt: str, modbus: str, prefix: str, user: str, files: tuple[Path | None, ...]) -> Link:
    if bool(mqtt) == bool(modbus):
        raise ConfigError([Mistake("", "--mqtt, --modbus", "give one of them", "such as --mqtt 127.0.0.1:1883")])
    if modbus:
        from partsight.testing.plc.modbus import ModbusLink

        return ModbusLink(*_address(modbus, 5020))
    from partsight.testing.plc.mqtt import Login, MqttLink

    login = Login(user, os.environ.get(PASSWORD, ""), *files)
    return MqttLink(*_address(mqtt, 1883), prefix, login)


def _address(text: str, port: int) -> tuple[str, int]:
    found = re.fullmatch(r"\[?([^\[\]]+?)\]?(?::(\d{1,5}))?", text)
    if found is None or int(found[2] or port) > 65535:
        raise ConfigError([Mistake("", text, "is not an address", "write HOST:PORT")])
    return found[1], int(found[2] or port)


def _run(controller: LineController, wait_s: float, *, shown: bool) -> bool:
    """False where the line stood still for so long: the station was not heard, or not ready."""
    moved = (0, time.monotonic())

    def go_on() -> bool:
        nonlocal moved
        if controller.view.entered != moved[0] or controller.view.entered == controller.plan.parts:
            moved = (controller.view.entered, time.monotonic())
        return time.monotonic() - moved[1] < wait_s

    console = Console(highlight=False)
    if not (shown and console.is_terminal):
        controller.run(go_on)
        return controller.finished
    with Live(console=console, auto_refresh=False, transient=True) as live:
        last = 0.0

        def show() -> bool:
            nonlocal last
            if time.monotonic() - last >= REFRESH_S:
                last = time.monotonic()
                live.update(_table(controller), refresh=True)
            return go_on()

        controller.run(show)
    return controller.finished


def _table(controller: LineController) -> Table:
    view = controller.view
    heard = "heard" if view.trusted else "[red]NOT HEARD: everything is rejected[/red]"
    infeed = "runs" if view.infeed else "stands"
    title = (
        f"station {heard}, epoch {view.epoch}, {'ready' if view.ready else 'not ready'}, infeed {infeed}"
        f"{', LINE STOP' if view.line_stop else ''}: {view.gone} of {controller.plan.parts} parts"
    )
    table = Table(title=title, title_justify="left")
    for column in ("part", "id", "gate", "why"):
        table.add_column(column)
    for passage in list(view.newest):
        gate = "[green]pass[/green]" if passage.passed else "[red]reject[/red]"
        table.add_row(str(passage.number), str(passage.id or "none"), gate, passage.why)
    return table


def _as_dict(controller: LineController, score: Score) -> dict[str, Any]:
    view = controller.view
    times = sorted(controller.verdict_ms)
    return {
        "policy": controller.plan.policy.value,
        "parts": score.parts,
        "good": score.good,
        "bad": score.bad,
        "escapes": [{"part": p.number, "epoch": p.epoch, "id": p.id} for p in score.escapes],
        "passed_good": score.passed_good,
        "rejected_bad": score.rejected_bad,
        "good_rejected": score.good_rejected,
        "good_rejected_why": dict(score.overkill),
        "unknown_passed": score.unknown_passed,
        "unknown_rejected": dict(score.unknown_rejected),
        "verdicts": dict(view.verdicts),
        "verdict_ms": {"p50": _share(times, 0.5), "p99": _share(times, 0.99)},
        "confirmations_lost": view.confirmations_lost,
        "stops": view.stops,
    }


def _share(times: list[float], share: float) -> float | None:
    return round(times[min(int(len(times) * share), len(times) - 1)], 2) if times else None


def _print(controller: LineController, score: Score, known: bool) -> None:
    console = Console(highlight=False)
    figures = _as_dict(controller, score)
    table = Table(title=f"{score.parts} parts, policy {figures['policy']}", title_justify="left", show_header=False)
    if known:
        table.add_row(
            "bad parts let out", f"[{'red' if score.escapes else 'green'}]{len(score.escapes)}[/] of {score.bad}"
        )
        table.add_row("good parts rejected", f"{score.good_rejected} of {score.good} {_reasons(score.overkill)}")
        table.add_row(
            "never judged, rejected", f"{sum(score.unknown_rejected.values())} {_reasons(score.unknown_rejected)}"
        )
        if score.unknown_passed:
            table.add_row("passed, truth unknown", f"[red]{score.unknown_passed}[/]")
    else:
        table.add_row("passed", str(score.unknown_passed))
        table.add_row("rejected", f"{sum(score.unknown_rejected.values())} {_reasons(score.unknown_rejected)}")
    table.add_row("trigger to verdict, ms", f"p50 {figures['verdict_ms']['p50']}, p99 {figures['verdict_ms']['p99']}")
    for why, count in sorted(figures["verdicts"].items()):
        table.add_row(f"verdicts: {why}", str(count))
    table.add_row("rejects not confirmed", str(figures["confirmations_lost"]))
    table.add_row("stops that a person ended", str(figures["stops"]))
    console.print(table)
    if not known:
        console.print("what the parts really were is not known: give --truth DATA or --world CONFIG")


def _reasons(counts: Any) -> str:
    return f"({', '.join(f'{why}: {n}' for why, n in counts.most_common())})" if counts else ""
