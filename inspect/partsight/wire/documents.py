"""The contract as documents that other people's tools read: JSON Schema and AsyncAPI 3.0, made from the wire types.

`json_schemas() -> {name: schema}`, `asyncapi(prefix) -> document`.
"""

from __future__ import annotations

import json
import re
from typing import Any

from partsight.wire.commands import COMMANDS
from partsight.wire.examples import examples
from partsight.wire.message import MAX_INT64, Message
from partsight.wire.topics import TOPICS, Topic, Way

VERSION = "1.0.0"
"""Of the contract, not of partsight: the first number is every payload's `v`."""
DIALECT = "https://json-schema.org/draft/2020-12/schema"
_PARAMETERS = {
    "name": "which command",
    "client": "the client that the command named",
    "consumer": "a consumer of records that the station's configuration names",
}


def json_schemas() -> dict[str, dict[str, Any]]:
    """Every payload's schema by the name of its message; commands as `cmd-NAME`, the integer as `consumer-ack`."""
    return {
        **{_name(t.leaf): _schema(t.payload) for t in TOPICS if t.payload is not None},
        **{f"cmd-{name}": _schema(kind) for name, kind in COMMANDS.items()},
        "consumer-ack": {
            "$schema": DIALECT,
            "title": "ConsumerAck",
            "description": "The highest contiguous seq that the consumer has stored.",
            "type": "integer",
            "minimum": 0,
            "maximum": MAX_INT64,
        },
    }


def asyncapi(prefix: str) -> dict[str, Any]:
    """An AsyncAPI 3.0 document of all topics, seen from the station: it sends what goes out."""
    schemas = {name: _inlined(schema) for name, schema in json_schemas().items()}
    shown = examples()
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "partsight: a vision station on the line",
            "version": VERSION,
            "description": "A receiver passes a part only if a verdict with a = 0 for its e and id came before its "
            "gate. All else is rejected.",
        },
        "defaultContentType": "application/json",
        "channels": {_name(t.leaf): _channel(t, prefix) for t in TOPICS},
        "operations": {_name(t.leaf): _operation(t) for t in TOPICS},
        "components": {
            "messages": {
                name: {
                    "name": name,
                    "title": schema["title"],
                    "summary": schema.get("description", "").split("\n")[0],
                    "payload": {"$ref": f"#/components/schemas/{name}"},
                    "examples": [{"payload": shown[name]}],
                }
                for name, schema in schemas.items()
            },
            "schemas": schemas,
        },
    }


def as_text(document: dict[str, Any]) -> str:
    """JSON for a file: the same text each time."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _schema(kind: type[Message]) -> dict[str, Any]:
    return {"$schema": DIALECT, **kind.model_json_schema(by_alias=True)}


def _inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """References to `$defs` replaced by what they name: in AsyncAPI they would point into the wrong document."""
    definitions = schema.get("$defs", {})

    def walk(value: Any) -> Any:
        if isinstance(value, list):
            return [walk(v) for v in value]
        if not isinstance(value, dict):
            return value
        name = str(value.get("$ref", "")).removeprefix("#/$defs/")
        if name in definitions:
            return {**walk(definitions[name]), **{k: walk(v) for k, v in value.items() if k != "$ref"}}
        return {k: walk(v) for k, v in value.items() if k not in {"$defs", "$schema"}}

    inlined: dict[str, Any] = walk(schema)
    return inlined


def _name(leaf: str) -> str:
    """`plc/trig` to `plc-trig`, `rsp/{client}` to `rsp`."""
    return re.sub(r"/\{\w+\}", "", leaf).replace("/", "-")


def _messages(topic: Topic) -> tuple[str, ...]:
    if topic.payload is not None:
        return (_name(topic.leaf),)
    if topic.leaf.startswith("cmd/"):
        return tuple(f"cmd-{name}" for name in COMMANDS)
    return ("consumer-ack",) if topic.leaf.startswith("ack/") else ()


def _channel(topic: Topic, prefix: str) -> dict[str, Any]:
    names = re.findall(r"\{(\w+)\}", topic.leaf)
    channel: dict[str, Any] = {
        "address": f"{prefix}/{topic.leaf}",
        "description": topic.text,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in _messages(topic)},
    }
    if names:
        channel["parameters"] = {name: {"description": _PARAMETERS[name]} for name in names}
    if "name" in names:
        channel["parameters"]["name"]["enum"] = list(COMMANDS)
    return channel


def _operation(topic: Topic) -> dict[str, Any]:
    name = _name(topic.leaf)
    return {
        "action": "send" if topic.way is Way.OUT else "receive",
        "channel": {"$ref": f"#/channels/{name}"},
        "summary": topic.text,
        "bindings": {"mqtt": {"qos": topic.qos, "retain": topic.retained, "bindingVersion": "0.2.0"}},
    }
