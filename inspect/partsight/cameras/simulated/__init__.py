"""A simulated line: bare boards on a belt, in the style of DeepPCB, with the truth attached."""

from partsight.cameras.simulated.camera import SimulatedCamera, SimulatedSettings
from partsight.cameras.simulated.misbehaviour import Misbehaviour
from partsight.cameras.simulated.world import Reference, reference

__all__ = ["Misbehaviour", "Reference", "SimulatedCamera", "SimulatedSettings", "reference"]
