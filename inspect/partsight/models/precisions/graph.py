"""ONNX graphs as TensorRT wants them: one fixed shape, nothing but known operators, nodes in order."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import AttributeProto, TensorProto, helper, numpy_helper

from partsight.domain.errors import BundleError
from partsight.domain.model import ModelSpec

OPSETS = range(11, 20)
"""What is taken. 19 is the last that every TensorRT from 10.1 on knows, and the first with float16 scales in Q/DQ."""
OPSET_MADE = 19
IR_MADE = 9
ERRORS_ONLY = 3
EXPORT_AGAIN = "export the model again with opset 17 to 19, without NMS or other steps of its own"


def operators() -> frozenset[str]:
    """Names of the operators that every TensorRT from 10.1 on parses."""
    text = files(__package__).joinpath("tensorrt_operators.txt").read_text("utf-8")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))


def lint(model: Any, where: str) -> None:
    """Raises BundleError with everything in the graph that the oldest TensorRT would refuse."""
    known = operators()
    problems = []
    opset = opset_of(model)
    if opset not in OPSETS:
        problems.append(f"opset {opset}; {OPSETS[0]} to {OPSETS[-1]} are known to every TensorRT from 10.1 on")
    strange: dict[str, str] = {}
    for node in model.graph.node:
        kind = f"{node.domain}.{node.op_type}" if node.domain not in ("", "ai.onnx") else node.op_type
        if kind not in known:
            strange.setdefault(kind, node.name or "without a name")
        if any(a.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS) for a in node.attribute):
            problems.append(f"node {node.name!r} ({kind}) holds a graph of its own; one flat graph is needed")
    problems += [f"operator {kind} (first at node {name!r})" for kind, name in sorted(strange.items())]
    if problems:
        listed = "\n".join(f"  {problem}" for problem in problems)
        raise BundleError(f"{where}: TensorRT 10.1 cannot parse it:\n{listed}\n{EXPORT_AGAIN}")


def opset_of(model: Any) -> int:
    """The version of ONNX's own operators, 0 where the model names none."""
    return next((one.version for one in model.opset_import if one.domain in ("", "ai.onnx")), 0)


def fixed(content: bytes, spec: ModelSpec) -> Any:
    """The float32 model for one image of the card's size, with everything folded that only depends on the size.

    Raises BundleError where it cannot be read, or TensorRT would refuse it.
    """
    where = str(spec.path)
    shape = (1, 3, spec.height, spec.width)
    try:
        lint(onnx.load_model_from_string(content), where)
        model = _folded(content, shape)
    except BundleError:
        raise
    except Exception as problem:  # the errors of ONNX Runtime and protobuf share no class below Exception
        raise BundleError(f"{where}: cannot be read: {problem}; {EXPORT_AGAIN}") from problem
    lint(model, where)
    model = _lifted(model, where)
    sizes = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim] if model.graph.input else []
    if len(model.graph.input) != 1 or tuple(sizes) != shape:
        told = f"the input is {sizes}, by the card it is {list(shape)}"
        raise BundleError(f"{where}: {told}; correct [input] in the card")
    return checked(model, where)


def checked(model: Any, where: str) -> Any:
    """The model, which is whole and in order. Raises BundleError."""
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as problem:
        raise BundleError(f"{where}: is no valid ONNX after the conversion: {problem}; {EXPORT_AGAIN}") from problem
    return model


def rebuilt(model: Any, nodes: list[Any], initializers: dict[str, Any], inputs: list[Any], outputs: list[Any]) -> Any:
    """A model of these parts, nodes in order, without what nothing uses; names and notes from `model`."""
    nodes = _in_order(nodes, {*initializers, *(one.name for one in inputs)})
    used = {name for node in nodes for name in node.input}
    kept = [tensor for name, tensor in initializers.items() if name in used]
    graph = helper.make_graph(nodes, model.graph.name or "model", inputs, outputs, kept)
    made = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", opset_of(model))],
        ir_version=IR_MADE,
        producer_name=model.producer_name,
        producer_version=model.producer_version,
    )
    made.metadata_props.extend(one for one in model.metadata_props if not one.key.startswith("onnx."))
    return made


def element_types(model: Any) -> dict[str, int]:
    """The element type of every tensor by its name, as onnx infers it."""
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    types = {one.name: one.type.tensor_type.elem_type for one in (*graph.input, *graph.value_info, *graph.output)}
    return types | {one.name: one.data_type for one in graph.initializer}


def output_convolutions(model: Any) -> list[Any]:
    """The convolutions that give the model's answers: no other one comes after them but DFL's."""
    after: dict[str, list[Any]] = {}
    for node in model.graph.node:
        for name in node.input:
            after.setdefault(name, []).append(node)
    values = {tensor.name: tensor for tensor in model.graph.initializer}
    ends = []
    for node in model.graph.node:
        if node.op_type == "Conv" and not is_expectation(node, values):
            later = _reached(list(node.output), after)
            if not any(one.op_type == "Conv" and not is_expectation(one, values) for one in later):
                ends.append(node)
    return ends


def behind(model: Any, nodes: list[Any]) -> list[Any]:
    """Every node that depends on one of `nodes`, without these."""
    after: dict[str, list[Any]] = {}
    for node in model.graph.node:
        for name in node.input:
            after.setdefault(name, []).append(node)
    return list(_reached([name for node in nodes for name in node.output], after))


def answers_behind(model: Any) -> Counter[str]:
    """For each node's `key`, how many of the output convolutions need it; each counts for itself."""
    made = {name: node for node in model.graph.node for name in node.output}
    before = {name: [made[name]] for name in made}
    counts: Counter[str] = Counter()
    for end in output_convolutions(model):
        counts.update(key(node) for node in _reached(list(end.output), before, back=True))
    return counts


def key(node: Any) -> str:
    """What tells a node from others: a tensor is made once. (Names may be missing; Python objects come and go.)"""
    return next(str(name) for name in node.output if name)


def is_expectation(node: Any, values: dict[str, Any]) -> bool:
    """Whether a convolution is DFL's: its weights are 0, 1, 2, ... and turn a distribution into its mean."""
    weights = values.get(node.input[1]) if node.op_type == "Conv" else None
    if weights is None or len(weights.dims) != 4 or weights.dims[0] != 1:
        return False
    array = numpy_helper.to_array(weights)
    return array.size > 1 and bool(np.array_equal(array.ravel(), np.arange(array.size)))


def _reached(names: list[str], neighbours: dict[str, list[Any]], *, back: bool = False) -> Iterator[Any]:
    """Every node that tensors lead to: by their users, or back by their makers."""
    seen: set[str] = set()
    waiting = list(names)
    while waiting:
        for node in neighbours.get(waiting.pop(), []):
            if key(node) not in seen:
                seen.add(key(node))
                waiting += node.input if back else node.output
                yield node


def _folded(content: bytes, shape: tuple[int, ...]) -> Any:
    """ONNX Runtime's basic optimisations fold constants and keep to ONNX's own operators."""
    options = ort.SessionOptions()
    options.log_severity_level = ERRORS_ONLY
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    plain = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    free = {n: size for n, size in zip(plain.get_inputs()[0].shape, shape, strict=True) if isinstance(n, str)}
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "folded.onnx"
        options = ort.SessionOptions()
        options.log_severity_level = ERRORS_ONLY
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(target)
        for name, size in free.items():
            options.add_free_dimension_override_by_name(name, size)
        ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        model = onnx.load(target)
    opset = opset_of(model)
    del model.opset_import[:]
    model.opset_import.append(helper.make_opsetid("", opset))
    return model


def _lifted(model: Any, where: str) -> Any:
    """The model in the opset that this package makes."""
    try:
        lifted = onnx.version_converter.convert_version(model, OPSET_MADE)
    except Exception as problem:  # its errors share no class below Exception
        raise BundleError(f"{where}: cannot be lifted to opset {OPSET_MADE}: {problem}; {EXPORT_AGAIN}") from problem
    values = {tensor.name: tensor for tensor in lifted.graph.initializer}
    nodes = []
    for node in lifted.graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            tensor = TensorProto()
            tensor.CopyFrom(node.attribute[0].t)
            tensor.name = node.output[0]
            values[tensor.name] = tensor
        else:
            nodes.append(node)
    lifted.producer_name, lifted.producer_version = model.producer_name, model.producer_version
    inputs = [one for one in lifted.graph.input if one.name not in values]
    made = rebuilt(lifted, nodes, values, inputs, list(lifted.graph.output))
    del made.metadata_props[:]
    made.metadata_props.extend(model.metadata_props)
    return made


def _in_order(nodes: list[Any], there: set[str]) -> list[Any]:
    """Each node after those that it needs, else in the order given."""
    made = {name: number for number, node in enumerate(nodes) for name in node.output if name}
    order: list[Any] = []
    done: set[int] = set()
    for start in range(len(nodes)):
        # By hand instead of by recursion: graphs are deeper than Python's stack.
        waiting = [start]
        while waiting:
            number = waiting[-1]
            needs = {made[n] for n in nodes[number].input if n and n not in there and n in made} - done
            if number in done or not needs:
                waiting.pop()
                if number not in done:
                    done.add(number)
                    order.append(nodes[number])
            else:
                waiting += sorted(needs, reverse=True)
    return order
