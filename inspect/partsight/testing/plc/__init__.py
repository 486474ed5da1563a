"""A line controller: what a PLC must do with the station's verdicts, to test a station and a line's timing with.

Belt with encoder, shift register, gate that is energised to pass, reject sensor, heartbeats both ways; over MQTT or
Modbus, by the receiver's rules or by the wrong ones, to see what those let out.
"""

from partsight.testing.plc.controller import LineController
from partsight.testing.plc.link import Beat, Link, LinkUnavailable, StationWord
from partsight.testing.plc.modbus import ModbusLink
from partsight.testing.plc.mqtt import MqttLink
from partsight.testing.plc.plan import LinePlan
from partsight.testing.plc.score import Score, Truth, planned_truth, recorded_truth
from partsight.testing.plc.tracking import Answered, Passage, Policy, ShiftRegister

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
