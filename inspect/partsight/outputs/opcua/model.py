"""The address space: types and objects with the names and structure of OPC 40100-1, built by hand.

Modelled on the specification, not certified against it, and in a namespace of our own: what bears the OPC
Foundation's namespace must be its whole nodeset. Type numbers are the nodeset's where it has them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from asyncua import Node, Server, ua
from asyncua.common.structures104 import new_struct, new_struct_field

from partsight.outputs.opcua.states import AUTOMATIC, OUTER

NAMESPACE = "urn:partsight:machine-vision:1"
SYSTEM = "VisionSystem"
SYSTEM_ID = 10_000

_STRING = ua.VariantType.String
_BINARY_ID = (
    ("Id", _STRING, False),
    ("Version", _STRING, True),
    ("Hash", ua.VariantType.ByteString, True),
    ("HashAlgorithm", _STRING, True),
    ("Description", ua.VariantType.LocalizedText, True),
)
_ID = (("Id", _STRING, False),)
_DESCRIBED_ID = (*_ID, ("Description", ua.VariantType.LocalizedText, True))

STRUCTURES: Mapping[str, tuple[int, tuple[tuple[str, ua.VariantType, bool], ...]]] = {
    "RecipeIdExternalDataType": (3002, _BINARY_ID),
    "ProductIdDataType": (3003, _DESCRIBED_ID),
    "PartIdDataType": (3004, _DESCRIBED_ID),
    "ProcessingTimesDataType": (
        3005,
        (
            ("StartTime", ua.VariantType.DateTime, False),
            ("EndTime", ua.VariantType.DateTime, False),
            ("AcquisitionDuration", ua.VariantType.Double, True),
            ("ProcessingDuration", ua.VariantType.Double, True),
        ),
    ),
    "ConfigurationIdDataType": (3008, _BINARY_ID),
    "RecipeIdInternalDataType": (3013, _BINARY_ID),
    "MeasIdDataType": (3015, _DESCRIBED_ID),
    "JobIdDataType": (3016, _ID),
    "ResultIdDataType": (3021, _ID),
}
"""Data types with their number and fields: name, type, optional."""

RESULT_READY: Mapping[str, ua.VariantType | str] = {
    "ResultId": "ResultIdDataType",
    "IsPartial": ua.VariantType.Boolean,
    "IsSimulated": ua.VariantType.Boolean,
    "ResultState": ua.VariantType.Int32,
    "MeasId": "MeasIdDataType",
    "PartId": "PartIdDataType",
    "ExternalRecipeId": "RecipeIdExternalDataType",
    "InternalRecipeId": "RecipeIdInternalDataType",
    "ProductId": "ProductIdDataType",
    "InternalConfigurationId": "ConfigurationIdDataType",
    "JobId": "JobIdDataType",
    "CreationTime": ua.VariantType.DateTime,
    "ProcessingTimes": "ProcessingTimesDataType",
    "ResultContent": ua.VariantType.String,
}
"""Properties of ResultReadyEventType; ResultContent is an array."""

PART_RESULT: Mapping[str, ua.VariantType] = {
    "ResultEvaluation": ua.VariantType.Byte,
    "Action": ua.VariantType.Int32,
    "ReasonCode": ua.VariantType.Int32,
    "TriggerId": ua.VariantType.UInt16,
    "Epoch": ua.VariantType.UInt32,
}
"""What our subtype adds, flat, for controllers that read no structures."""

STATION: Mapping[str, tuple[Any, ua.VariantType]] = {
    "Ready": (False, ua.VariantType.Boolean),
    "Alive": (False, ua.VariantType.Boolean),
    "PackMLState": (0, ua.VariantType.Int32),
    "PackMLName": ("", _STRING),
    "Mode": ("", _STRING),
    "ErrorCode": (0, ua.VariantType.Int32),
    "ErrorText": ("", _STRING),
    "LineStopRequest": (False, ua.VariantType.Boolean),
    "ChallengeDue": (False, ua.VariantType.Boolean),
    "Total": (0, ua.VariantType.Int64),
    "Ok": (0, ua.VariantType.Int64),
    "NotOk": (0, ua.VariantType.Int64),
    "Undecided": (0, ua.VariantType.Int64),
    "Model": ("", _STRING),
    "ActiveRecipe": ("", _STRING),
    "LastReply": ("", _STRING),
}
"""Variables of the object `Station`: ours, not the specification's."""

Method = Callable[..., Awaitable[list[ua.Variant]]]


@dataclass(frozen=True, slots=True)
class Model:
    """The nodes that change, and the generator of result events."""

    system: Node
    outer: Node
    outer_id: Node
    automatic: Node
    automatic_id: Node
    station: Mapping[str, Node]
    state_ids: Mapping[str, ua.NodeId]
    result_ready: Any


async def build(server: Server, methods: Mapping[str, Method]) -> Model:
    """Build everything. `methods`: a coroutine for each of the specification's methods that are there."""
    index = await server.register_namespace(NAMESPACE)
    types = await _types(server, index)
    # The server numbers what it numbers itself from here on, clear of the specification's numbers.
    system = await server.nodes.objects.add_object(
        _id(SYSTEM_ID, index), f"{index}:{SYSTEM}", types["VisionSystemType"]
    )
    kinds = await _structures(server, index)
    machine = await _machine(system, index, "VisionStateMachine", types["VisionStateMachineType"])
    automatic = await _machine(
        machine, index, "AutomaticModeStateMachine", types["VisionAutomaticModeStateMachineType"]
    )
    state_ids = {**await _states(machine, index, OUTER), **await _states(automatic, index, AUTOMATIC)}
    recipes = await system.add_object(_id(0, index), f"{index}:RecipeManagement", types["RecipeManagementType"])
    await system.add_object(_id(0, index), f"{index}:ConfigurationManagement", types["ConfigurationManagementType"])
    await _methods(index, methods, kinds, {"machine": machine, "automatic": automatic, "recipes": recipes})
    station = await system.add_object(_id(0, index), f"{index}:Station")
    variables = {
        name: await station.add_variable(_id(0, index), f"{index}:{name}", value, kind)
        for name, (value, kind) in STATION.items()
    }
    await server.load_data_type_definitions()
    event = await _event_type(server, index, kinds)
    generator = await server.get_event_generator(event, system.nodeid)
    # Clients that know no vision system listen at the Server object; it must let them.
    await server.nodes.server.set_event_notifier([ua.EventNotifier.SubscribeToEvents])
    return Model(
        system,
        *await _current(machine),
        *await _current(automatic),
        station=variables,
        state_ids=state_ids,
        result_ready=generator,
    )


def _id(number: int, index: int) -> ua.NodeId:
    """Number 0 lets the server choose one."""
    return ua.NodeId(number, index)


async def _structures(server: Server, index: int) -> dict[str, ua.NodeId]:
    kinds: dict[str, ua.NodeId] = {}
    for name, (number, fields) in STRUCTURES.items():
        made = [new_struct_field(field, kind, optional=optional) for field, kind, optional in fields]
        node, _ = await new_struct(server, _id(number, index), ua.QualifiedName(name, index), made)
        kinds[name] = node.nodeid
    return kinds


async def _types(server: Server, index: int) -> dict[str, ua.NodeId]:
    base, machine = server.nodes.base_object_type, server.get_node(ua.NodeId(ua.ObjectIds.FiniteStateMachineType))
    wanted = {
        "VisionSystemType": (1003, base),
        "RecipeManagementType": (1004, base),
        "ConfigurationManagementType": (1006, base),
        "VisionStateMachineType": (1017, machine),
        "VisionAutomaticModeStateMachineType": (1021, machine),
    }
    return {
        name: (await parent.add_object_type(_id(number, index), f"{index}:{name}")).nodeid
        for name, (number, parent) in wanted.items()
    }


async def _machine(parent: Node, index: int, name: str, kind: ua.NodeId) -> Node:
    return await parent.add_object(_id(0, index), f"{index}:{name}", kind, instantiate_optional=False)


async def _current(machine: Node) -> tuple[Node, Node]:
    current = await machine.get_child("0:CurrentState")
    return current, await current.get_child("0:Id")


async def _states(machine: Node, index: int, states: Mapping[str, int]) -> dict[str, ua.NodeId]:
    ids: dict[str, ua.NodeId] = {}
    for name, number in states.items():
        state = await machine.add_object(
            _id(0, index), f"{index}:{name}", ua.NodeId(ua.ObjectIds.StateType), instantiate_optional=False
        )
        await (await state.get_child("0:StateNumber")).write_value(ua.Variant(number, ua.VariantType.UInt32))
        ids[name] = state.nodeid
    return ids


def _argument(name: str, kind: ua.NodeId, rank: int = -1) -> ua.Argument:
    return ua.Argument(Name=name, DataType=kind, ValueRank=rank)


async def _methods(
    index: int, methods: Mapping[str, Method], kinds: Mapping[str, ua.NodeId], places: Mapping[str, Node]
) -> None:
    number, text, flag = (ua.NodeId(i) for i in (ua.ObjectIds.Int32, ua.ObjectIds.String, ua.ObjectIds.Boolean))
    error = _argument("Error", number)
    cause = [_argument("Cause", number), _argument("CauseDescription", text)]
    job = [
        _argument("MeasId", kinds["MeasIdDataType"]),
        _argument("PartId", kinds["PartIdDataType"]),
        _argument("RecipeId", kinds["RecipeIdExternalDataType"]),
        _argument("ProductId", kinds["ProductIdDataType"]),
        _argument("Parameters", ua.NodeId(ua.ObjectIds.BaseDataType), 1),
    ]
    external = _argument("ExternalId", kinds["RecipeIdExternalDataType"])
    given = _argument("InternalIdIn", kinds["RecipeIdInternalDataType"])
    internal = _argument("InternalIdOut", kinds["RecipeIdInternalDataType"])
    job_id = _argument("JobId", kinds["JobIdDataType"])
    shape: dict[str, tuple[str, list[ua.Argument], list[ua.Argument]]] = {
        "Halt": ("machine", cause, [error]),
        "Reset": ("machine", cause, [error]),
        "SelectModeAutomatic": ("machine", cause, [error]),
        "ConfirmAll": ("machine", cause, [error]),
        "StartSingleJob": ("automatic", job, [job_id, error]),
        "StartContinuous": ("automatic", job, [job_id, error]),
        "Stop": ("automatic", cause, [error]),
        "Abort": ("automatic", cause, [error]),
        "PrepareRecipe": ("recipes", [external, given], [internal, _argument("IsCompleted", flag), error]),
        "UnprepareRecipe": ("recipes", [external, given], [internal, error]),
    }
    for name, (place, inputs, outputs) in shape.items():
        await places[place].add_method(_id(0, index), f"{index}:{name}", methods[name], inputs, outputs)


async def _event_type(server: Server, index: int, kinds: Mapping[str, ua.NodeId]) -> Node:
    base = server.get_node(ua.NodeId(ua.ObjectIds.BaseEventType))
    ready = await base.add_object_type(_id(1024, index), f"{index}:ResultReadyEventType")
    for name, kind in RESULT_READY.items():
        if isinstance(kind, str):
            empty = ua.Variant(None, ua.VariantType.ExtensionObject)
            await ready.add_property(_id(0, index), f"{index}:{name}", empty, datatype=kinds[kind])
        elif name == "ResultContent":
            many = ua.Variant([], kind, is_array=True)
            await ready.add_property(_id(0, index), f"{index}:{name}", many, datatype=ua.NodeId(kind.value))
        else:
            await ready.add_property(_id(0, index), f"{index}:{name}", ua.get_default_value(kind), kind)
    ours = await ready.add_object_type(_id(0, index), f"{index}:PartResultReadyEventType")
    for name, kind in PART_RESULT.items():
        await ours.add_property(_id(0, index), f"{index}:{name}", ua.get_default_value(kind), kind)
    return ours
