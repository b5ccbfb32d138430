"""A neutral view of a graph, so that the extraction of layers does not care where the graph comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True, slots=True)
class TensorView:
    """One operand or result. `bits` are those of its element type, `key` tells tensors apart."""

    key: str
    shape: tuple[int, ...] | None
    bits: int
    constant: bool = False


@dataclass(frozen=True, slots=True)
class OpView:
    """One operation: ONNX op name (other domains as `domain::Name`), operands, results, attributes."""

    op: str
    location: str
    operands: tuple[TensorView | None, ...]
    results: tuple[TensorView, ...]
    attrs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GraphView:
    """Operations in topological order and the keys of the graph's inputs and outputs."""

    name: str
    ops: tuple[OpView, ...]
    inputs: tuple[TensorView, ...]
    outputs: tuple[TensorView, ...]


def view_of_onnx(model: onnx.ModelProto, name: str = "model") -> GraphView:
    """The view of an ONNX model, shapes inferred.

    Raises:
        ModelError: A shape of the graph is not static.
    """
    import onnx
    from onnx import helper, numpy_helper, shape_inference

    inferred = shape_inference.infer_shapes(model, data_prop=True).graph
    tensors: dict[str, TensorView] = {}
    for info in (*inferred.value_info, *inferred.input, *inferred.output):
        tensor_type = info.type.tensor_type
        shape = tuple(d.dim_value for d in tensor_type.shape.dim) if tensor_type.HasField("shape") else None
        tensors[info.name] = TensorView(info.name, shape, _bits(tensor_type.elem_type))
    for init in inferred.initializer:
        tensors[init.name] = TensorView(init.name, tuple(init.dims), _bits(init.data_type), constant=True)
    initial = {init.name for init in inferred.initializer}

    def tensor(key: str) -> TensorView:
        return tensors.get(key) or TensorView(key, None, 32)

    def attribute(attr: onnx.AttributeProto) -> Any:
        value = helper.get_attribute_value(attr)
        return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value

    ops = tuple(
        OpView(
            f"{node.domain}::{node.op_type}" if node.domain not in ("", "ai.onnx") else node.op_type,
            node.name or node.output[0],
            tuple(tensor(key) if key else None for key in node.input),
            tuple(tensor(key) for key in node.output),
            {attr.name: attribute(attr) for attr in node.attribute},
        )
        for node in inferred.node
    )
    inputs = tuple(tensor(i.name) for i in inferred.input if i.name not in initial)
    return GraphView(name, ops, inputs, tuple(tensor(o.name) for o in inferred.output))


def _bits(elem_type: int) -> int:
    import onnx

    return onnx.helper.tensor_dtype_to_np_dtype(elem_type).itemsize * 8 if elem_type else 32
