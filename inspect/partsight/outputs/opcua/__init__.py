"""The station as an OPC UA server, modelled on OPC 40100-1 (Machine Vision). Needs the extra `opcua`."""

from partsight.outputs.opcua.output import OpcUaHealth, OpcUaOutput
from partsight.outputs.opcua.passwords import hash_password
from partsight.outputs.opcua.settings import OpcUaSettings, OpcUaUser

__all__ = ["OpcUaHealth", "OpcUaOutput", "OpcUaSettings", "OpcUaUser", "hash_password"]
