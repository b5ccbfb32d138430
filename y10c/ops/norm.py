"""Normalizations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from y10c.ir.types import DType, TensorType, Type
from y10c.ops import math
from y10c.ops.onnx_schema import onnx_op
from y10c.ops.sample import (
    ANY,
    POSITIVE,
    Draw,
    Given,
    OpInstance,
    Request,
    any_operand,
    attribute,
    keep,
    need,
    optional,
)
from y10c.ops.shapes import known, local, same_as_first
from y10c.ops.spec import Inputs, Trait

EPSILONS = (1e-5, 1e-3, 0.125)
"""Values of epsilon; a large one makes a forgotten epsilon visible."""


def _per_channel(parameter: Any, x: Any) -> Any:
    return parameter.reshape(-1, *(1,) * (x.ndim - 2))


def batch_normalization(
    x: Any,
    scale: Any,
    bias: Any,
    mean: Any,
    var: Any,
    *,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    training_mode: int = 0,
) -> Any:
    """`(x - mean) / sqrt(var + epsilon) * scale + bias` along axis 1.

    In training `x` gives mean and variance, and the running ones are results too.
    Source: ONNX operator BatchNormalization.
    """
    if training_mode:
        axes, known = (0, *range(2, x.ndim)), (mean, var)
        mean = np.sum(x, axis=axes) * x.shape[1] / x.size
        var = np.sum((x - _per_channel(mean, x)) ** 2, axis=axes) * x.shape[1] / x.size
        running = (old * momentum + new * (1 - momentum) for old, new in zip(known, (mean, var), strict=True))
        return _normalize(x, scale, bias, mean, var, epsilon), *running
    return _normalize(x, scale, bias, mean, var, epsilon)


def _normalize(x: Any, scale: Any, bias: Any, mean: Any, var: Any, epsilon: float) -> Any:
    scale, bias, mean, var = (_per_channel(p, x) for p in (scale, bias, mean, var))
    return (x - mean) / math.sqrt(var + epsilon) * scale + bias


@known(5)
def _infer_batch_normalization(inputs: Inputs, *types: TensorType) -> Sequence[Type | None] | None:
    if inputs.attrs.get("training_mode") or inputs.results != 1:
        return None
    if not all(t.is_static for t in types):
        return None
    x = types[0].static_shape
    for parameter in types[1:]:
        if len(x) > 1 and parameter.shape != (x[1],):
            raise ValueError(f"input of {x[1]} channels, parameter of shape {parameter.shape}")
    return [TensorType(types[0].dtype, x)]


def _sample_batch_normalization(draw: Draw, request: Request) -> OpInstance:
    x = _normalized(draw, request, ranks=(4, 3, 2), least=2)
    channels = x.shape[1]
    parameter = TensorType(x.dtype, (channels,))
    domains = (ANY, ANY, ANY, POSITIVE)
    # Scale and bias are of one type, mean and variance of another that may differ from the input's.
    kinds = [parameter, parameter, *[_other_type(draw, request, parameter)] * 2]
    parameters = [
        keep(draw, request, i + 1, Given(kind, None, domain))
        for i, (kind, domain) in enumerate(zip(kinds, domains, strict=True))
    ]
    # A given variance may come from a domain of its own; it still has to be positive.
    parameters[3] = Given(parameters[3].type, parameters[3].data, POSITIVE)
    attrs: dict[str, Any] = {"epsilon": attribute(draw, request, "epsilon", EPSILONS, 1e-5)}
    if request.rare and attribute(draw, request, "training_mode", (0, 0, 0, 1), 0):
        results = 3 if request.results > 1 or draw.boolean("statistics") else 1
        return OpInstance((x, *parameters), {**attrs, "training_mode": 1}, results)
    return OpInstance((x, *parameters), attrs)


def _other_type(draw: Draw, request: Request, parameter: TensorType) -> TensorType:
    """Where it is welcome, half floats: onnxruntime has no kernel for them."""
    other = request.rare and draw.choice((False, False, False, True), "dtype")
    return parameter.with_(dtype=DType.f16) if other else parameter


def _normalized(draw: Draw, request: Request, *, ranks: Sequence[int], least: int) -> Given:
    if request.given(0) is None and request.result is not None:
        x = keep(draw, request, 0, Given(request.result))
    elif request.given(0) is None:
        sized = [request.given(i) for i in range(1, len(request.operands))]
        channels = next((g.shape[0] for g in sized if g is not None and len(g.shape) == 1), None)
        x = any_operand(draw, request, 0, ranks=ranks)
        if channels is not None:
            need(len(x.shape) >= 2)
            x = Given(TensorType(x.dtype, (x.shape[0], channels, *x.shape[2:])))
    else:
        x = any_operand(draw, request, 0)
    need(len(x.shape) >= least and x.dtype.is_float, "a tensor with channels")
    return x


def _layer_normalization(
    x: Any, scale: Any, bias: Any = None, *, axis: int = -1, epsilon: float = 1e-5, **_: Any
) -> Any:
    axes = tuple(range(axis % x.ndim, x.ndim))
    centered = x - _mean(x, axes)
    result = centered / math.sqrt(_mean(centered * centered, axes) + epsilon) * scale
    return result if bias is None else result + bias


def _rms_normalization(x: Any, scale: Any, *, axis: int = -1, epsilon: float = 1e-5, **_: Any) -> Any:
    axes = tuple(range(axis % x.ndim, x.ndim))
    return x / math.sqrt(_mean(x * x, axes) + epsilon) * scale


def _mean(x: Any, axes: tuple[int, ...]) -> Any:
    return np.sum(x, axis=axes, keepdims=True) / int(np.prod([x.shape[a] for a in axes], dtype=np.int64))


def _sample_layer(operands: int) -> Any:
    def sample(draw: Draw, request: Request) -> OpInstance:
        x = any_operand(draw, request, 0, ranks=(2, 3, 4))
        rank = len(x.shape)
        need(rank >= 1 and x.dtype.is_float)
        axis = attribute(draw, request, "axis", (-1, *range(rank - 1, -1, -1)), -1)
        shape = x.shape[axis % rank :]
        parameter = Given(TensorType(x.dtype, shape))
        made: list[Given | None] = [x, keep(draw, request, 1, parameter)]
        if operands == 3:
            made.append(optional(draw, request, 2, parameter))
        attrs = {"axis": axis, "epsilon": attribute(draw, request, "epsilon", EPSILONS, 1e-5)}
        return OpInstance(tuple(made), attrs)

    return sample


def _instance_normalization(x: Any, scale: Any, bias: Any, *, epsilon: float = 1e-5) -> Any:
    axes = tuple(range(2, x.ndim))
    centered = x - _mean(x, axes)
    unit = centered / math.sqrt(_mean(centered * centered, axes) + epsilon)
    return unit * _per_channel(scale, x) + _per_channel(bias, x)


def _sample_instance(draw: Draw, request: Request) -> OpInstance:
    x = _normalized(draw, request, ranks=(4, 3), least=3)
    parameter = Given(TensorType(x.dtype, (x.shape[1],)))
    made = [keep(draw, request, i, parameter) for i in (1, 2)]
    return OpInstance((x, *made), {"epsilon": attribute(draw, request, "epsilon", EPSILONS, 1e-5)})


def _group_normalization(
    x: Any, scale: Any, bias: Any, *, num_groups: int, epsilon: float = 1e-5, **_: Any
) -> Any:
    grouped = x.reshape(x.shape[0], num_groups, -1)
    centered = grouped - _mean(grouped, (2,))
    unit = (centered / math.sqrt(_mean(centered * centered, (2,)) + epsilon)).reshape(x.shape)
    return unit * _per_channel(scale, x) + _per_channel(bias, x)


def _sample_group(draw: Draw, request: Request) -> OpInstance:
    x = _normalized(draw, request, ranks=(4, 3), least=3)
    channels = x.shape[1]
    divisors = [g for g in range(1, channels + 1) if channels % g == 0]
    parameter = Given(TensorType(x.dtype, (channels,)))
    made = [keep(draw, request, i, parameter) for i in (1, 2)]
    attrs = {
        "num_groups": attribute(draw, request, "num_groups", divisors, 1),
        "epsilon": attribute(draw, request, "epsilon", EPSILONS, 1e-5),
    }
    return OpInstance((x, *made), attrs)


def _lp_normalization(x: Any, *, axis: int = -1, p: int = 2) -> Any:
    size = math.absolute(x) if p == 1 else x * x
    total = np.sum(size, axis=axis, keepdims=True)
    length = total if p == 1 else math.sqrt(total)
    return x / length


def _sample_lp(draw: Draw, request: Request) -> OpInstance:
    x = any_operand(draw, request, 0, domain=POSITIVE)
    rank = len(x.shape)
    need(rank >= 1 and x.dtype is not DType.bool)
    axis = attribute(draw, request, "axis", (-1, *range(rank)), -1)
    return OpInstance((x,), {"axis": axis, "p": attribute(draw, request, "p", (2, 1), 2)})


SPECS = (
    onnx_op(
        "BatchNormalization",
        infer=local("BatchNormalization", _infer_batch_normalization),
        reference=batch_normalization,
        sample=_sample_batch_normalization,
        traits=frozenset({Trait.linear}),
    ),
    onnx_op(
        "LayerNormalization",
        infer=local("LayerNormalization", same_as_first),
        reference=_layer_normalization,
        sample=_sample_layer(3),
    ),
    onnx_op(
        "RMSNormalization",
        infer=local("RMSNormalization", same_as_first),
        reference=_rms_normalization,
        sample=_sample_layer(2),
    ),
    onnx_op(
        "InstanceNormalization",
        infer=local("InstanceNormalization", same_as_first),
        reference=_instance_normalization,
        sample=_sample_instance,
    ),
    onnx_op(
        "GroupNormalization",
        infer=local("GroupNormalization", same_as_first),
        reference=_group_normalization,
        sample=_sample_group,
    ),
    onnx_op(
        "LpNormalization",
        infer=local("LpNormalization", same_as_first),
        reference=_lp_normalization,
        sample=_sample_lp,
    ),
)
"""The declarations of this family."""
