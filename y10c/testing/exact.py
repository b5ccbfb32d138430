"""Graphs whose float32 constants hold exact numbers, so that a rule's own arithmetic does not round.

A rule computes new constants from old ones. In float32 that rounds, and a wrong rule hides behind it; here
the same constants hold float64 numbers, or symbolic expressions, under the type f32.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np

from y10c.ir.graph import Graph
from y10c.ir.tensor import Array, Tensor
from y10c.ir.types import DType, TensorType
from y10c.ir.value import Value
from y10c.rewrite.rewriter import Rewriter


class ExactArray(np.ndarray[Any, np.dtype[Any]]):
    """Float64 numbers or expressions that stay what they are when a rule asks for float32."""

    def astype(self, dtype: Any, *args: Any, **kwargs: Any) -> Any:
        """Itself for a float type; else as numpy does it."""
        wanted = np.dtype(dtype)
        if self.dtype == np.object_ and wanted.kind == "f":
            return self.copy()
        if self.dtype == np.float64 and wanted in (np.float32, np.float16):
            return self.copy()
        return super().astype(dtype, *args, **kwargs)


class ExactTensor(Tensor):
    """Constant data of type f32 whose array holds float64 numbers or expressions."""

    __slots__ = ()

    def __init__(self, array: Array, dtype: DType = DType.f32) -> None:
        data = np.array(array, order="C").view(ExactArray)
        read: Callable[[], Array] = lambda: data  # noqa: E731
        super().__init__(dtype, data.shape, read)

    @property
    def digest(self) -> str:
        """A hash of the shape and the numbers or expressions."""
        array = np.asarray(self.numpy())
        content = repr(array.ravel().tolist()).encode() if array.dtype == np.object_ else array.tobytes()
        return "exact" + hashlib.blake2b(f"{self.shape}".encode() + content, digest_size=14).hexdigest()


class ExactGraph(Graph):
    """A graph that turns the float64 arrays and expressions of a rule into exact constants of type f32."""

    def constant(self, tensor: Tensor) -> Value:
        """The value that holds `tensor`, or its exact form."""
        return super().constant(self._exact(tensor))

    def clone(self) -> Graph:
        """A copy that is exact from now on; what it holds already is what it was."""
        copy = super().clone()
        copy.__class__ = ExactGraph
        return copy

    def _exact(self, tensor: Tensor) -> Tensor:
        if isinstance(tensor, ExactTensor):
            return tensor
        if tensor.dtype is DType.f64 and not self._has_doubles():
            return ExactTensor(tensor.numpy())
        if tensor.dtype is DType.str and any(not isinstance(i, str | bytes) for i in tensor.numpy().flat):
            return ExactTensor(tensor.numpy())
        return tensor

    def _has_doubles(self) -> bool:
        values = [*self.inputs, *(r for op in self.ops for r in op.results)]
        return any(isinstance(v.type, TensorType) and v.type.dtype is DType.f64 for v in values)


def rounded(graph: Graph) -> Graph:
    """A copy whose exact constants are ordinary ones of float32, as a file would hold them."""
    copy = graph.clone()
    for value in copy.constants:
        if isinstance(value.tensor, ExactTensor):
            array = np.asarray(value.tensor.numpy()).astype(np.float32)
            del copy._constants[next(k for k, v in copy._constants.items() if v is value)]
            value.tensor = Tensor.of(array)
            twin = copy._constants.setdefault(value.tensor.digest, value)
            Rewriter(copy).replace_uses(value, twin)
    return copy


def has_rounded_constants(graph: Graph) -> bool:
    """True where a number of float32 is not exact and has more digits than the samplers draw."""
    if any(_is_rounded(v.tensor) for v in graph.constants if v.tensor is not None):
        return True
    floats = (v for op in graph.ops for v in op.attrs.values() if isinstance(v, float))
    return any(v == float(np.float32(v)) and not (v * _COARSE).is_integer() for v in floats)


def _is_rounded(tensor: Tensor) -> bool:
    if isinstance(tensor, ExactTensor) or tensor.dtype is not DType.f32:
        return False
    scaled = np.asarray(tensor.numpy(), np.float64) * _COARSE
    return bool(np.any(scaled != np.rint(scaled)))


_COARSE = 64.0
