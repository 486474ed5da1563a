"""What a client sees and does on an open server of this machine."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from asyncua import Client, ua

from partsight.domain.messages import (
    Answer,
    Hold,
    Reply,
    Reset,
    SelectRecipe,
    Start,
    Stop,
    TriggerPart,
)
from partsight.domain.status import Counters, Mode, StationState
from partsight.domain.verdict import Result
from partsight.outputs.opcua.model import NAMESPACE

AUTOMATIC = ("VisionStateMachine", "AutomaticModeStateMachine")
EMPTY = ua.Variant([], ua.VariantType.String, is_array=True)


class Listener:
    """Keeps the events of a subscription."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def event_notification(self, event: Any) -> None:
        self.events.append(event)


async def _listen(client: Client, node: Any) -> Listener:
    index = await client.get_namespace_index(NAMESPACE)
    kind = await client.nodes.base_event_type.get_child(f"{index}:ResultReadyEventType")
    ours = await kind.get_child(f"{index}:PartResultReadyEventType")
    listener = Listener()
    subscription = await client.create_subscription(20, listener)
    await subscription.subscribe_events(node, ours)
    return listener


async def _state(client: Client, find: Any, *path: str) -> str:
    value = (await (await find(client, *path, "0:CurrentState")).read_data_value(raise_on_bad_status=False)).Value
    # A machine that is not active has no value, only the status that says so.
    return "" if value.Value is None else value.Value.Text


@pytest.mark.parametrize(
    "case",
    [
        (StationState.PREOPERATIONAL, "Preoperational", ""),
        (StationState.INITIALIZED, "Operational", "Initialized"),
        (StationState.READY, "Operational", "Ready"),
        (StationState.RUNNING, "Operational", "ContinuousExecution"),
        (StationState.HELD, "Operational", "Ready"),
        (StationState.SUSPENDED, "Operational", "Ready"),
        (StationState.HALTED, "Halted", ""),
        (StationState.ERROR, "Error", ""),
    ],
)
def test_the_state_machines_follow_the_station(
    operator: Any, play: Any, find: Any, until: Any, case: tuple[StationState, str, str]
) -> None:
    ours, outer, inner = case

    async def scenario() -> None:
        async with operator.client() as client:
            operator.station.begin(ours)

            async def shown() -> bool:
                machine = "VisionStateMachine"
                now = (
                    await _state(client, find, machine),
                    await _state(client, find, *AUTOMATIC),
                )
                return now == (outer, inner)

            await until(shown)
            number = await find(client, "VisionStateMachine", outer, "0:StateNumber")
            assert await number.read_value() in (1, 2, 3, 4)
            state_id = await (await find(client, "VisionStateMachine", "0:CurrentState", "0:Id")).read_value()
            assert state_id == (await find(client, "VisionStateMachine", outer)).nodeid
            packml = await find(client, "Station", "PackMLState")
            await until(lambda: _reads(packml, ours.packml))

    play(scenario())


async def _reads(node: Any, value: Any) -> bool:
    return bool(await node.read_value() == value)


def test_the_stations_variables_follow(operator: Any, play: Any, find: Any, until: Any) -> None:
    async def scenario() -> None:
        async with operator.client() as client:
            operator.station.begin(StationState.RUNNING)
            operator.station.now = replace(
                operator.station.now, counters=Counters(triggers=10, ok=4, ng=3, review=2, invalid=1), mode=Mode.BYPASS,
                ready=False, line_stop=True, error=201, error_text="too many parts",
            )  # fmt: skip
            wanted = {
                "Total": 10, "Ok": 4, "NotOk": 3, "Undecided": 3, "Mode": "BYPASS", "Ready": False, "Alive": True,
                "LineStopRequest": True, "ErrorCode": 201, "ErrorText": "too many parts", "Model": "yolo 3f2c00000000",
                "ActiveRecipe": "pcb@14", "PackMLName": "EXECUTE",
            }  # fmt: skip
            for name, value in wanted.items():
                node = await find(client, "Station", name)
                await until(lambda n=node, v=value: _reads(n, v))

    play(scenario())


def test_a_result_arrives_as_an_event_with_every_field(
    operator: Any, play: Any, find: Any, until: Any, make_part: Callable[..., Any]
) -> None:
    async def scenario() -> None:
        async with operator.client() as client:
            operator.station.begin(StationState.RUNNING)
            listener = await _listen(client, await find(client))
            part = make_part(41, Result.NG, simulated=True)
            operator.output.publish(part)
            await until(lambda: listener.events)
            event = listener.events[0]
            assert event.ResultId.Id == str(part.uid)
            assert (event.PartId.Id, event.TriggerId, event.Epoch) == ("SN41", 41, 7)
            assert (event.IsPartial, event.IsSimulated, event.ResultState) == (False, True, 1)
            assert (event.ResultEvaluation, event.Action, event.ReasonCode) == (2, 1, 1012)
            assert (event.ExternalRecipeId.Id, event.InternalRecipeId.Id) == ("pcb", "pcb@14")
            assert event.InternalRecipeId.Hash == bytes.fromhex("ab" * 32)
            assert event.InternalConfigurationId.Id == "hall3"
            assert event.InternalConfigurationId.Hash == bytes.fromhex("cd" * 32)
            assert (event.CreationTime - part.trigger.at).total_seconds() == 0.052
            assert event.ProcessingTimes.StartTime == part.trigger.at
            assert (event.ProcessingTimes.AcquisitionDuration, event.ProcessingTimes.ProcessingDuration) == (8.0, 42.0)
            told = json.loads(event.ResultContent[0])
            assert (told["verdict"], told["action"], told["mode"]) == ("NG", 1, "PRODUCTION")
            assert told["findings"] == [
                {"code": 1012, "text": "scratch", "camera": "top", "score": 0.91, "box_px": [1, 2, 3, 4], "rule": "any"}
            ]

    play(scenario())


def test_every_result_in_order_at_both_places_where_clients_listen(
    operator: Any, play: Any, find: Any, until: Any, make_part: Callable[..., Any]
) -> None:
    results = (Result.OK, Result.NG, Result.REVIEW, Result.INVALID)

    async def scenario() -> None:
        async with operator.client() as client:
            system, server = await _listen(client, await find(client)), await _listen(client, client.nodes.server)
            for number in range(1, 101):
                operator.output.publish(make_part(number, results[number % 4]))
            for listener in (system, server):
                await until(lambda heard=listener: len(heard.events) == 100)
                assert [e.TriggerId for e in listener.events] == list(range(1, 101))
                assert [e.ResultEvaluation for e in listener.events] == [(1, 2, 3, 3)[n % 4] for n in range(1, 101)]
                assert {e.ResultState for e in listener.events if e.TriggerId % 4 == 3} == {4}
            assert [e.EventId for e in system.events] == [e.EventId for e in server.events]

    play(scenario())


@pytest.mark.parametrize(
    "case",
    [
        (("VisionStateMachine",), "Halt", Stop),
        (("VisionStateMachine",), "Reset", Reset),
        (("VisionStateMachine",), "ConfirmAll", Reset),
        (("VisionStateMachine",), "SelectModeAutomatic", None),
        (("VisionStateMachine", "AutomaticModeStateMachine"), "Stop", Hold),
        (("VisionStateMachine", "AutomaticModeStateMachine"), "Abort", Hold),
    ],
)
def test_methods_become_commands(operator: Any, play: Any, find: Any, case: tuple[tuple[str, ...], str, Any]) -> None:
    place, method, command = case

    async def scenario() -> None:
        async with operator.client() as client:
            operator.station.begin(StationState.RUNNING)
            node = await find(client, *place)
            name = f"{node.nodeid.NamespaceIndex}:{method}"
            assert await node.call_method(name, ua.Variant(3, ua.VariantType.Int32), "because") == 0
            sent = operator.station.commands
            assert [type(c) for c in sent] == ([command] if command else [])
            assert all(c.source == "opcua anonymous" for c in sent)
            assert operator.audited[-1] == ("anonymous", "opcua", operator.audited[-1][2])
            assert operator.audited[-1][2].startswith(f"{method}: DONE")
            if command is not None:
                operator.station.refuse = Reply(Answer.NOT_NOW, "the camera is lost")
                assert await node.call_method(name, ua.Variant(0, ua.VariantType.Int32), "") == int(Answer.NOT_NOW)
                assert operator.audited[-1][2] == f"{method}: NOT_NOW: the camera is lost"

    play(scenario())


async def _start(client: Client, find: Any, method: str, part: str = "SN9", recipe: str = "") -> tuple[str, int]:
    node = await find(client, "VisionStateMachine", "AutomaticModeStateMachine")
    types = ua.MeasIdDataType, ua.PartIdDataType, ua.RecipeIdExternalDataType, ua.ProductIdDataType
    given = [kind(Id=text) for kind, text in zip(types, ("m1", part, recipe, "prod"), strict=True)]
    job, error = await node.call_method(f"{node.nodeid.NamespaceIndex}:{method}", *given, EMPTY)
    return job.Id, error


def test_a_single_job_starts_judges_one_part_and_holds(
    operator: Any, play: Any, find: Any, until: Any, make_part: Callable[..., Any]
) -> None:
    async def scenario() -> None:
        async with operator.client() as client:
            operator.station.begin(StationState.READY)
            listener = await _listen(client, await find(client))
            job, error = await _start(client, find, "StartSingleJob", recipe="pcb")
            assert (job, error) == (f"7-{operator.station.next_id}", 0)
            assert [type(c) for c in operator.station.commands] == [Start, TriggerPart]
            assert operator.station.commands[1].part_id == "SN9"

            async def single() -> bool:
                return (
                    await _state(client, find, "VisionStateMachine", "AutomaticModeStateMachine") == "SingleExecution"
                )

            await until(single)
            operator.output.publish(make_part(operator.station.next_id - 50, Result.OK))  # another part's result
            operator.output.publish(make_part(operator.station.next_id, Result.OK))
            await until(lambda: isinstance(operator.station.commands[-1], Hold))
            await until(lambda: len(listener.events) == 2)
            assert listener.events[1].JobId.Id == job
            assert (listener.events[1].MeasId.Id, listener.events[1].ProductId.Id) == ("m1", "prod")
            assert listener.events[0].JobId.Id != job

    play(scenario())


def test_a_continuous_run_names_its_results(
    operator: Any, play: Any, find: Any, until: Any, make_part: Callable[..., Any]
) -> None:
    async def scenario() -> None:
        async with operator.client() as client:
            operator.station.begin(StationState.READY)
            listener = await _listen(client, await find(client))
            job, error = await _start(client, find, "StartContinuous")
            assert error == 0
            assert [type(c) for c in operator.station.commands] == [Start]
            single, error = await _start(client, find, "StartSingleJob")  # a trigger inside the run
            assert error == 0
            for number in (900, operator.station.next_id):
                operator.output.publish(make_part(number))
            await until(lambda: len(listener.events) == 2)
            assert [e.JobId.Id for e in listener.events] == [job, single]
            assert [type(c) for c in operator.station.commands] == [Start, TriggerPart]

    play(scenario())


def test_recipes_are_prepared_by_name_or_number_and_jobs_want_the_prepared_one(
    operator: Any, play: Any, find: Any
) -> None:
    async def scenario() -> None:
        async with operator.client() as client:
            operator.station.begin(StationState.READY)
            node = await find(client, "RecipeManagement")
            index = node.nodeid.NamespaceIndex
            external, internal = ua.RecipeIdExternalDataType, ua.RecipeIdInternalDataType
            for outside, inside, command in (
                ("cap", "", SelectRecipe("opcua anonymous", name="cap")),
                ("", "cap@2", SelectRecipe("opcua anonymous", name="cap@2")),
                ("7", "", SelectRecipe("opcua anonymous", id=7)),
            ):
                answer = await node.call_method(f"{index}:PrepareRecipe", external(Id=outside), internal(Id=inside))
                assert (answer[1], answer[2]) == (True, 0)
                assert answer[0].Id == "pcb@14"
                assert operator.station.commands[-1] == command
            before = len(operator.station.commands)
            for outside in ("", "x" * 200, "a\nb"):
                answer = await node.call_method(f"{index}:PrepareRecipe", external(Id=outside), internal(Id=""))
                assert answer[1:] == [False, int(Answer.INVALID)]
            answer = await node.call_method(f"{index}:UnprepareRecipe", external(Id="pcb"), internal(Id=""))
            assert answer[1] == int(Answer.NOT_ALLOWED)
            answer = await node.call_method(f"{index}:UnprepareRecipe", external(Id="cap"), internal(Id=""))
            assert answer[1] == int(Answer.UNKNOWN)
            assert await _start(client, find, "StartSingleJob", recipe="cap") == ("", int(Answer.NOT_NOW))
            assert await _start(client, find, "StartSingleJob", part="x" * 500) == ("", int(Answer.INVALID))
            assert len(operator.station.commands) == before

    play(scenario())


def test_odd_arguments_are_answered(operator: Any, play: Any, find: Any) -> None:
    async def scenario() -> None:
        async with operator.client() as client:
            operator.station.begin(StationState.RUNNING)
            node = await find(client, "VisionStateMachine", "AutomaticModeStateMachine")
            name = f"{node.nodeid.NamespaceIndex}:StartSingleJob"
            number = ua.Variant(5, ua.VariantType.Int32)
            assert (await node.call_method(name, number, number, number, number))[1] == int(Answer.INVALID)
            assert operator.station.commands == []
            # Fewer than there should be: what is missing is null.
            assert (await node.call_method(name))[1] == 0
            stop = f"{node.nodeid.NamespaceIndex}:Stop"
            assert await node.call_method(stop, *[EMPTY] * 20) == 0

    play(scenario())


def test_nobody_writes_or_changes_the_address_space(operator: Any, play: Any, find: Any) -> None:
    async def scenario() -> None:
        async with operator.client() as client:
            ready = await find(client, "Station", "Ready")
            with pytest.raises(ua.UaStatusCodeError, match="BadUserAccessDenied"):
                await ready.write_value(True)
            with pytest.raises(ua.UaStatusCodeError, match="BadUserAccessDenied"):
                await client.nodes.objects.add_folder(2, "mine")
            with pytest.raises(ua.UaStatusCodeError, match="BadUserAccessDenied"):
                await client.delete_nodes([ready])
            assert await ready.read_value() in (True, False)

    play(scenario())


def test_the_types_bear_the_names_of_the_specification(operator: Any, play: Any, find: Any) -> None:
    async def scenario() -> None:
        async with operator.client() as client:
            expected = {
                (): "VisionSystemType",
                ("VisionStateMachine",): "VisionStateMachineType",
                ("VisionStateMachine", "AutomaticModeStateMachine"): "VisionAutomaticModeStateMachineType",
                ("RecipeManagement",): "RecipeManagementType",
                ("ConfigurationManagement",): "ConfigurationManagementType",
            }
            for path, name in expected.items():
                kind = client.get_node(await (await find(client, *path)).read_type_definition())
                assert (await kind.read_browse_name()).Name == name

    play(scenario())
