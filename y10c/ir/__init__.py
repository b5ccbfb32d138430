"""The intermediate representation: frozen types, values with ordered uses, ops, graphs."""

from y10c.ir.attrs import Attrs, Floats, Graphs, Ints, Strings, Tensors, Types
from y10c.ir.graph import Graph, ModelInfo
from y10c.ir.tensor import Tensor
from y10c.ir.types import (
    DType,
    Layout,
    MapType,
    OptionalType,
    QuantParams,
    SequenceType,
    SparseTensorType,
    TensorType,
    Type,
)
from y10c.ir.value import Op, Use, Value

__all__ = [
    "Attrs",
    "DType",
    "Floats",
    "Graph",
    "Graphs",
    "Ints",
    "Layout",
    "MapType",
    "ModelInfo",
    "Op",
    "OptionalType",
    "QuantParams",
    "SequenceType",
    "SparseTensorType",
    "Strings",
    "Tensor",
    "TensorType",
    "Tensors",
    "Type",
    "Types",
    "Use",
    "Value",
]
