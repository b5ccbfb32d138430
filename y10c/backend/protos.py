"""The IR's types, tensors and attributes, written as ONNX protobuf messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import onnx
from onnx import AttributeProto, numpy_helper

from y10c.ir.attrs import Floats, Graphs, Ints, SparseTensor, SparseTensors, Strings, Tensors, Types
from y10c.ir.tensor import Tensor
from y10c.ir.types import Dim, DType, MapType, OptionalType, SequenceType, SparseTensorType, TensorType, Type

if TYPE_CHECKING:
    from y10c.ir.graph import Graph

GraphWriter = Callable[["Graph"], onnx.GraphProto]


def type_proto(type: Type | None) -> onnx.TypeProto:
    """A type as a message; empty where nothing is known. Layout and quantization have no place in it."""
    proto = onnx.TypeProto()
    if isinstance(type, TensorType):
        _fill_tensor(proto.tensor_type, type.dtype, type.shape)
    elif isinstance(type, SparseTensorType):
        _fill_tensor(proto.sparse_tensor_type, type.dtype, type.shape)
    elif isinstance(type, SequenceType):
        proto.sequence_type.elem_type.CopyFrom(type_proto(type.element))
    elif isinstance(type, OptionalType):
        proto.optional_type.elem_type.CopyFrom(type_proto(type.element))
    elif isinstance(type, MapType):
        proto.map_type.key_type = type.key.value
        proto.map_type.value_type.CopyFrom(type_proto(type.element))
    return proto


def _fill_tensor(proto: Any, dtype: DType, shape: tuple[Dim, ...] | None) -> None:
    proto.elem_type = dtype.value
    if shape is None:
        return
    proto.shape.SetInParent()
    for dim in shape:
        entry = proto.shape.dim.add()
        if isinstance(dim, int):
            entry.dim_value = dim
        elif dim is not None:
            entry.dim_param = dim


def tensor_proto(tensor: Tensor, name: str) -> onnx.TensorProto:
    """A constant as a message with its data inside."""
    return numpy_helper.from_array(tensor.numpy(), name)


def attribute_proto(name: str, value: Any, write_graph: GraphWriter | None = None) -> onnx.AttributeProto:
    """An attribute as a message.

    Raises:
        TypeError: The value is of no kind that ONNX has.
    """
    for kind, (code, fill) in _WRITERS.items():
        if isinstance(value, kind):
            proto = AttributeProto(name=name, type=code)
            fill(proto, value)
            return proto
    return _graph_attribute(name, value, write_graph)


def _graph_attribute(name: str, value: Any, write_graph: GraphWriter | None) -> onnx.AttributeProto:
    from y10c.ir.graph import Graph

    if write_graph is None or not isinstance(value, Graph | Graphs):
        raise TypeError(f"attribute {name!r} cannot be written to ONNX: {value!r}")
    if isinstance(value, Graph):
        return AttributeProto(name=name, type=AttributeProto.GRAPH, g=write_graph(value))
    return AttributeProto(name=name, type=AttributeProto.GRAPHS, graphs=[write_graph(g) for g in value])


def _sparse(tensor: SparseTensor) -> onnx.SparseTensorProto:
    return onnx.SparseTensorProto(
        values=tensor_proto(tensor.values, ""), indices=tensor_proto(tensor.indices, ""), dims=tensor.shape
    )


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()


_TYPES = TensorType | SequenceType | OptionalType | MapType | SparseTensorType
_WRITERS: dict[Any, tuple[Any, Callable[[onnx.AttributeProto, Any], Any]]] = {
    int: (AttributeProto.INT, lambda p, v: setattr(p, "i", v)),
    float: (AttributeProto.FLOAT, lambda p, v: setattr(p, "f", v)),
    str | bytes: (AttributeProto.STRING, lambda p, v: setattr(p, "s", _bytes(v))),
    Ints: (AttributeProto.INTS, lambda p, v: p.ints.extend(v)),
    Floats: (AttributeProto.FLOATS, lambda p, v: p.floats.extend(v)),
    Strings: (AttributeProto.STRINGS, lambda p, v: p.strings.extend(map(_bytes, v))),
    Tensor: (AttributeProto.TENSOR, lambda p, v: p.t.CopyFrom(tensor_proto(v, ""))),
    Tensors: (AttributeProto.TENSORS, lambda p, v: p.tensors.extend(tensor_proto(t, "") for t in v)),
    SparseTensor: (AttributeProto.SPARSE_TENSOR, lambda p, v: p.sparse_tensor.CopyFrom(_sparse(v))),
    SparseTensors: (AttributeProto.SPARSE_TENSORS, lambda p, v: p.sparse_tensors.extend(map(_sparse, v))),
    _TYPES: (AttributeProto.TYPE_PROTO, lambda p, v: p.tp.CopyFrom(type_proto(v))),
    Types: (AttributeProto.TYPE_PROTOS, lambda p, v: p.type_protos.extend(map(type_proto, v))),
}
