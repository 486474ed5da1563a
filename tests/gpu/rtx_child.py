"""Parse and build ONNX files with NVIDIA's own library, in a process that it may end. Prints one JSON object a file.

python rtx_child.py FILE...
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import tensorrt_rtx_bindings as trt


class Log(trt.ILogger):  # type: ignore[misc]  # NVIDIA's module has no types
    """Keeps what is said instead of printing it."""

    def __init__(self) -> None:
        trt.ILogger.__init__(self)
        self.errors: list[str] = []

    def log(self, severity: Any, text: str) -> None:
        """Called by the library."""
        if severity in (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR):
            self.errors.append(text)


def tried(path: Path, log: Log) -> dict[str, Any]:
    """What became of one file."""
    builder = trt.Builder(log)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, log)
    told: dict[str, Any] = {"parsed": parser.parse(path.read_bytes()), "built": 0}
    told["errors"] = [parser.get_error(number).desc() for number in range(parser.num_errors)]
    if told["parsed"]:
        layers = [network.get_layer(number) for number in range(network.num_layers)]
        told |= {
            "inputs": [_port(network.get_input(number)) for number in range(network.num_inputs)],
            "outputs": [_port(network.get_output(number)) for number in range(network.num_outputs)],
            "layers": Counter(layer.type.name for layer in layers),
            "convolutions": Counter(
                f"{layer.get_input(0).dtype.name} {layer.get_output(0).dtype.name}"
                for layer in layers
                if layer.type == trt.LayerType.CONVOLUTION
            ),
            # A convolution that takes its image and its weights from DQ layers is run in int8.
            "int8": sum(_is_int8(layer, layers) for layer in layers if layer.type == trt.LayerType.CONVOLUTION),
        }
        config = builder.create_builder_config()
        config.num_compute_capabilities = 1
        config.set_compute_capability(trt.ComputeCapability.SM89, 0)
        blob = builder.build_serialized_network(network, config)
        told["built"] = 0 if blob is None else blob.nbytes
    return told


def _is_int8(layer: Any, layers: list[Any]) -> bool:
    from_dq = {one.get_output(0).name for one in layers if one.type == trt.LayerType.DEQUANTIZE}
    inputs = [layer.get_input(number) for number in range(layer.num_inputs)]
    return len(inputs) >= 2 and all(one is not None and one.name in from_dq for one in inputs[:2])


def _port(tensor: Any) -> list[Any]:
    return [tensor.name, tensor.dtype.name, list(tensor.shape)]


if __name__ == "__main__":
    log = Log()  # one a process: the library keeps the first
    for name in sys.argv[1:]:
        log.errors.clear()
        told = tried(Path(name), log)
        print(json.dumps({"file": name, **told, "log": log.errors[:5]}), flush=True)
