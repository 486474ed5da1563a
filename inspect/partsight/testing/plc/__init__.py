"""A line controller: what a PLC must do with the station's verdicts, to test a station and a line's timing with.

Belt with encoder, shift register, gate that is energised to pass, reject sensor, heartbeats both ways; over MQTT or
Modbus, by the receiver's rules or by the wrong ones, to see what those let out.

The two links bring paho and pymodbus with them: each is imported when it is asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from partsight.testing.plc.controller import LineController
from partsight.testing.plc.link import Beat, Link, LinkUnavailable, StationWord
from partsight.testing.plc.plan import LinePlan
from partsight.testing.plc.score import Score, Truth, planned_truth, recorded_truth
from partsight.testing.plc.tracking import Answered, Passage, Policy, ShiftRegister

if TYPE_CHECKING:
    from partsight.testing.plc.modbus import ModbusLink
    from partsight.testing.plc.mqtt import MqttLink

__all__ = [
    "Answered",
    "Beat",
    "LineController",
    "LinePlan",
    "Link",
    "LinkUnavailable",
    "ModbusLink",
    "MqttLink",
    "Passage",
    "Policy",
    "Score",
    "ShiftRegister",
    "StationWord",
    "Truth",
    "planned_truth",
    "recorded_truth",
]

_LINKS = {"ModbusLink": "partsight.testing.plc.modbus", "MqttLink": "partsight.testing.plc.mqtt"}


def __getattr__(name: str) -> Any:
    """A link, by its name."""
    if name not in _LINKS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LINKS[name]), name)
