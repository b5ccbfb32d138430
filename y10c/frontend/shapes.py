"""Types of every value of a model, from onnx's own inference on a copy without the heavy data."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import onnx

from y10c.errors import ModelError, UsageError
from y10c.frontend.protos import read_type
from y10c.ir.types import TensorType, Type, more_precise

SMALL = 4096
"""Integer initializers above this many elements take part in inference by their type alone."""
SMALL_FLOATS = 64
"""The same for all others: of them inference reads scales (Resize) and scalars (Range), and no weights."""

_INTEGERS = (onnx.TensorProto.INT64, onnx.TensorProto.INT32)


def inferred_graph(proto: onnx.ModelProto, freeze: bool = False) -> onnx.GraphProto:
    """The graph with the types of all values, node by node like the model's, without the heavy data.

    Args:
        proto: The model.
        freeze: Whether the data of inputs that have a default is taken as known.

    Raises:
        ModelError: onnx finds the graph contradictory.
    """
    try:
        return onnx.shape_inference.infer_shapes(
            _without_data(proto, freeze), strict_mode=False, data_prop=True
        ).graph
    except Exception as error:  # onnx raises several unrelated classes here
        raise ModelError(f"the model's types contradict each other: {str(error).strip()}") from error


def value_types(graph: onnx.GraphProto) -> dict[str, Type | None]:
    """Types by value name; nested graphs, which may use the same names, have their own."""
    types: dict[str, Type | None] = {}
    for entry in (*graph.input, *graph.value_info, *graph.output):
        types[entry.name] = more_precise(types.get(entry.name), read_type(entry.type))
    return types


def nested_graphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """The graphs among a node's attributes, in order."""
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            yield attribute.g
        yield from attribute.graphs


def _without_data(proto: onnx.ModelProto, freeze: bool) -> onnx.ModelProto:
    light = onnx.ModelProto(
        ir_version=proto.ir_version, opset_import=proto.opset_import, functions=proto.functions
    )
    graph = light.graph
    graph.name = proto.graph.name
    graph.node.extend(proto.graph.node)
    graph.input.extend(proto.graph.input)
    graph.output.extend(proto.graph.output)
    graph.value_info.extend(proto.graph.value_info)
    named = {entry.name for entry in proto.graph.input}
    for tensor in proto.graph.initializer:
        if tensor.name in named and not freeze:
            continue
        small = SMALL if tensor.data_type in _INTEGERS else SMALL_FLOATS
        if math.prod(tensor.dims) <= small and tensor.data_location != onnx.TensorProto.EXTERNAL:
            graph.initializer.append(tensor)
        elif tensor.name not in named:
            graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    for sparse in proto.graph.sparse_initializer:
        entry = onnx.helper.make_tensor_value_info(sparse.values.name, sparse.values.data_type, sparse.dims)
        graph.input.append(entry)
    return light


def set_input_shapes(proto: onnx.ModelProto, shapes: Mapping[str, Sequence[int]]) -> onnx.ModelProto:
    """A copy of the model whose inputs have the given extents; what inference knew before is forgotten.

    Raises:
        UsageError: There is no such input, or a number contradicts a fixed extent or the rank.
    """
    initialized = {t.name for t in proto.graph.initializer}
    inputs = {e.name: e for e in proto.graph.input if e.name not in initialized}
    fixed = onnx.ModelProto()
    fixed.CopyFrom(proto)
    del fixed.graph.value_info[:]
    entries = {e.name: e for e in fixed.graph.input}
    for name, shape in shapes.items():
        if name not in inputs:
            raise UsageError(
                f"the model has no input {name!r}", help=f"its inputs: {', '.join(sorted(inputs))}"
            )
        _check_fits(name, read_type(inputs[name].type), shape)
        dims = entries[name].type.tensor_type.shape
        del dims.dim[:]
        for extent in shape:
            dims.dim.add().dim_value = extent
    _forget_output_extents(fixed)
    return fixed


def _check_fits(name: str, type: Type | None, shape: Sequence[int]) -> None:
    if not isinstance(type, TensorType):
        raise UsageError(f"input {name!r} is not a tensor")
    if type.shape is None:
        return
    fits = len(type.shape) == len(shape) and all(
        not isinstance(a, int) or a == b for a, b in zip(type.shape, shape, strict=True)
    )
    if not fits:
        raise UsageError(
            f"--shape {name}={'x'.join(map(str, shape))} does not fit the input's shape {list(type.shape)}",
            help="give as many extents as the input has and keep its fixed ones",
        )


def _forget_output_extents(proto: onnx.ModelProto) -> None:
    for entry in proto.graph.output:
        for dim in entry.type.tensor_type.shape.dim:
            if not dim.HasField("dim_value"):
                dim.ClearField("dim_param")
