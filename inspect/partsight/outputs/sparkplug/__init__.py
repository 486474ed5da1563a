"""Live tags of the station as Sparkplug B: an edge node with one device. Not the way of verdicts or records."""

from partsight.outputs.sparkplug.output import SparkplugHealth, SparkplugOutput
from partsight.outputs.sparkplug.settings import SparkplugSettings

__all__ = ["SparkplugHealth", "SparkplugOutput", "SparkplugSettings"]
