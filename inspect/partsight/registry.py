"""Driver name to import path; nothing is imported until it is asked for.

A driver module holds one class that the table names. The class has a nested pydantic `Settings`
(frozen, extra forbidden), which validates the driver's own table of the configuration, and takes
the settings as its only argument. Others add theirs by the entry points `partsight.cameras` and
`partsight.detectors`.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from partsight.domain.errors import BackendUnavailable, CameraUnavailable, PartsightError

CAMERAS: dict[str, str] = {
    "simulated": "partsight.cameras.simulated:SimulatedCamera",
    "folder": "partsight.cameras.folder:FolderCamera",
    "opencv": "partsight.cameras.opencv:OpenCvCamera",
}

DETECTORS: dict[str, str] = {
    "onnx": "partsight.detectors.onnx:OnnxDetector",
    "openvino": "partsight.detectors.openvino:OpenVinoDetector",
    "tensorrt": "partsight.detectors.tensorrt.detector:TensorRtDetector",
}


OUTPUT_SETTINGS: dict[str, str] = {
    "mqtt": "partsight.outputs.mqtt.settings:MqttSettings",
    "modbus": "partsight.outputs.modbus.settings:ModbusSettings",
    "sparkplug": "partsight.outputs.sparkplug.settings:SparkplugSettings",
    "opcua": "partsight.outputs.opcua.settings:OpcUaSettings",
}


def output_settings(name: str) -> Any:
    """The pydantic class of an output's table. Raises PartsightError where its library is not here."""
    return _load(name, OUTPUT_SETTINGS, "partsight.outputs", PartsightError)


def camera_names() -> tuple[str, ...]:
    """Every camera driver that can be named in a configuration."""
    return tuple(sorted({*CAMERAS, *(e.name for e in entry_points(group="partsight.cameras"))}))


def detector_names() -> tuple[str, ...]:
    """Every detector backend that can be named in a configuration, besides `auto`."""
    return tuple(sorted({*DETECTORS, *(e.name for e in entry_points(group="partsight.detectors"))}))


def camera_driver(name: str) -> Any:
    """The driver class. Raises CameraUnavailable where its library is not here."""
    return _load(name, CAMERAS, "partsight.cameras", CameraUnavailable)


def detector_driver(name: str) -> Any:
    """The backend class. Raises BackendUnavailable where its library is not here."""
    return _load(name, DETECTORS, "partsight.detectors", BackendUnavailable)


def _load(name: str, table: dict[str, str], group: str, error: type[PartsightError]) -> Any:
    path = table.get(name)
    if path is None:
        path = next((e.value for e in entry_points(group=group) if e.name == name), None)
    if path is None:
        raise error(f"there is no driver {name!r}; known: {', '.join(sorted(table))}")
    module, _, attribute = path.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except ImportError as problem:
        raise error(
            f"driver {name!r} cannot be imported: {problem}; `partsight doctor` says what is missing"
        ) from problem
