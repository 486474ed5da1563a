"""Modbus TCP: registers that a PLC reads and writes, with the line's hand-shake."""

from partsight.outputs.modbus.output import ModbusHealth, ModbusOutput
from partsight.outputs.modbus.settings import ModbusSettings

__all__ = ["ModbusHealth", "ModbusOutput", "ModbusSettings"]
