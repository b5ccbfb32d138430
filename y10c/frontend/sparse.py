"""Constants that ONNX writes in another way than as a dense initializer."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from y10c.errors import ModelError
from y10c.frontend.protos import read_tensor
from y10c.ir.tensor import Array, Tensor

MAX_DENSE_BYTES = 1 << 32
"""A sparse constant may not grow beyond this."""


def dense(sparse: onnx.SparseTensorProto, folder: Path | None) -> Tensor:
    """A sparse tensor as a dense one of the same meaning.

    Indices are linear `[nnz]` or coordinates `[nnz, rank]`. Source: onnx.proto, SparseTensorProto.

    Raises:
        ModelError: It would not fit into memory; at the first look: an index lies outside.
    """
    values = read_tensor(sparse.values, folder)
    size = math.prod(sparse.dims) * values.dtype.bits // 8
    if size > MAX_DENSE_BYTES:
        raise ModelError(
            f"sparse tensor {sparse.values.name!r} of {list(sparse.dims)} would be {size / 1e12:.3g} TB"
            " when its zeros are written out",
            code="Y3003",
        )
    indices = read_tensor(sparse.indices, folder)
    shape = tuple(sparse.dims)

    def fill() -> Array:
        array = np.zeros(shape, values.dtype.numpy)
        where = indices.numpy()
        try:
            place = where if where.ndim == 1 else np.ravel_multi_index(tuple(where.T), shape)
            array.reshape(-1)[place] = values.numpy()
        except (IndexError, ValueError) as error:
            raise ModelError(
                f"sparse tensor {sparse.values.name!r} of {list(shape)} has indices outside it"
            ) from error
        return array

    return Tensor(values.dtype, shape, fill)


_KINDS: dict[str, tuple[int, Any]] = {
    "value_int": (onnx.AttributeProto.INT, np.int64),
    "value_ints": (onnx.AttributeProto.INTS, np.int64),
    "value_float": (onnx.AttributeProto.FLOAT, np.float32),
    "value_floats": (onnx.AttributeProto.FLOATS, np.float32),
    "value_string": (onnx.AttributeProto.STRING, np.object_),
    "value_strings": (onnx.AttributeProto.STRINGS, np.object_),
}
"""The short spellings of a constant: kind of the attribute, numpy type. Source: ONNX operator Constant."""


def constant_tensor(node: onnx.NodeProto, folder: Path | None) -> Tensor | None:
    """The data of a Constant node in any of its spellings; None where it has none."""
    if len(node.attribute) != 1 or len(node.output) != 1:
        return None
    attribute = node.attribute[0]
    if attribute.name == "value":
        return read_tensor(attribute.t, folder)
    if attribute.name == "sparse_value":
        return dense(attribute.sparse_tensor, folder)
    kind, dtype = _KINDS.get(attribute.name, (None, None))
    if kind is None or attribute.type != kind:
        return None
    return Tensor.of(np.asarray(onnx.helper.get_attribute_value(attribute), dtype))
