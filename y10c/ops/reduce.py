"""Reductions along axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from y10c.ir.types import DType, TensorType, Type
from y10c.ops import math
from y10c.ops.onnx_schema import onnx_op
from y10c.ops.sample import (
    ANY,
    FLOATS,
    POSITIVE,
    Domain,
    Draw,
    OpInstance,
    Request,
    Sampler,
    any_operand,
    attribute,
    constant,
    need,
    optional,
)
from y10c.ops.shapes import axis_of, has, int_list, known, local, shape_of
from y10c.ops.spec import Inputs, OpSpec, Reference, Trait


@known(1)
def _infer_reduce(inputs: Inputs, x: TensorType) -> Sequence[Type | None] | None:
    axes = int_list(inputs, 1)
    if axes is None and has(inputs, 1):
        return None
    shape = shape_of(x)
    keep = bool(inputs.attrs.get("keepdims", 1))
    if not axes:
        axes = () if inputs.attrs.get("noop_with_empty_axes") else tuple(range(len(shape)))
    gone = {axis_of(a, len(shape)) for a in axes}
    dims = tuple(1 if i in gone else d for i, d in enumerate(shape) if keep or i not in gone)
    return [TensorType(x.dtype, dims)]


def _over(step: Callable[[Any, tuple[int, ...], bool], Any]) -> Reference:
    def reference(x: Any, axes: Any = None, *, keepdims: int = 1, noop_with_empty_axes: int = 0) -> Any:
        chosen = () if axes is None else tuple(int(a) for a in np.asarray(axes).reshape(-1))
        if not chosen:
            chosen = () if noop_with_empty_axes else tuple(range(x.ndim))
        return step(x, chosen, bool(keepdims))

    return reference


def _sum(x: Any, axes: tuple[int, ...], keep: bool) -> Any:
    return np.sum(x, axis=axes, keepdims=keep, dtype=x.dtype)


def _mean(x: Any, axes: tuple[int, ...], keep: bool) -> Any:
    count = int(np.prod([x.shape[a] for a in axes], dtype=np.int64))
    total = _sum(x, axes, keep)
    return total // count if x.dtype.kind in "iu" else total / count


def fold(step: Callable[[Any, Any], Any]) -> Callable[[Any, tuple[int, ...], bool], Any]:
    """A reduction by a function of two, which also works on expressions."""

    def reduce(x: Any, axes: tuple[int, ...], keep: bool) -> Any:
        for axis in sorted((a % x.ndim for a in axes), reverse=True):
            parts = [np.take(x, [i], axis) for i in range(x.shape[axis])]
            total = parts[0]
            for part in parts[1:]:
                total = step(total, part)
            x = total if keep else np.squeeze(total, axis)
        return x

    return reduce


def reduce_sampler(domain: Domain = ANY, dtypes: Sequence[DType] = FLOATS) -> Sampler:
    """Samples an op that reduces operand 0 along the axes of operand 1."""

    def sample(draw: Draw, request: Request) -> OpInstance:
        x = any_operand(draw, request, 0, domain=domain, dtypes=dtypes, ranks=(2, 3, 4, 1))
        rank = len(x.shape)
        need(rank >= 1, "a scalar has no axis")
        attrs = {"keepdims": attribute(draw, request, "keepdims", (1, 0), 1)}
        if attribute(draw, request, "noop_with_empty_axes", (0, 0, 0, 1), 0):
            attrs["noop_with_empty_axes"] = 1
        given = request.given(1)
        if given is not None:
            return OpInstance((x, given), attrs)
        chosen = draw.subset(rank, 1, "axes")
        axes = [a - rank if draw.boolean("negative axis") else a for a in chosen]
        if draw.boolean("axes backwards"):
            axes.reverse()
        return OpInstance((x, optional(draw, request, 1, constant(axes))), attrs)

    return sample


def _reduction(
    name: str,
    step: Callable[[Any, tuple[int, ...], bool], Any],
    domain: Domain = ANY,
    dtypes: Sequence[DType] = FLOATS,
    traits: frozenset[Trait] = frozenset(),
) -> OpSpec:
    return onnx_op(
        name,
        infer=local(name, _infer_reduce),
        reference=_over(step),
        sample=reduce_sampler(domain, dtypes),
        traits=traits,
    )


_LINEAR = frozenset({Trait.linear})
_WITH_INTEGERS = (DType.f32, DType.i64)
SPECS = (
    _reduction("ReduceSum", _sum, dtypes=_WITH_INTEGERS, traits=_LINEAR),
    _reduction("ReduceMean", _mean, traits=_LINEAR),
    _reduction("ReduceMax", fold(math.maximum), dtypes=_WITH_INTEGERS),
    _reduction("ReduceMin", fold(math.minimum), dtypes=_WITH_INTEGERS),
    _reduction("ReduceProd", fold(lambda a, b: a * b)),
    _reduction("ReduceL1", lambda x, a, k: _sum(math.absolute(x), a, k)),
    _reduction("ReduceL2", lambda x, a, k: math.sqrt(_sum(x * x, a, k))),
    _reduction("ReduceSumSquare", lambda x, a, k: _sum(x * x, a, k)),
    _reduction("ReduceLogSum", lambda x, a, k: math.log(_sum(x, a, k)), POSITIVE),
    _reduction("ReduceLogSumExp", lambda x, a, k: math.log(_sum(math.exp(x), a, k))),
)
"""The declarations of this family."""
