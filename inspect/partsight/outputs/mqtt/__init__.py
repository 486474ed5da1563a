"""Verdicts, state and records over MQTT, commands in: the contract with the line."""

from partsight.outputs.broker_login import TlsTable
from partsight.outputs.mqtt.health import MqttHealth
from partsight.outputs.mqtt.output import MqttOutput
from partsight.outputs.mqtt.presence import About
from partsight.outputs.mqtt.settings import MqttSettings
from partsight.outputs.mqtt.topics import Topics

__all__ = ["About", "MqttHealth", "MqttOutput", "MqttSettings", "TlsTable", "Topics"]
