"""Nodes removed at inputs and outputs, as a runtime that quantizes and decodes by itself wants it.

A chip gives an output convolution's accumulators: int32 with one scale a channel (published: S7). Here they
are computed in float32 from integers, so that every number below 2**24 is exact; where a channel could reach
that, the operand is split into bytes and each part stays below.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from y10c.calib.color import Array
from y10c.deploy.plan import DeployPlan
from y10c.ir.types import DType
from y10c.ir.value import Op, Value
from y10c.rewrite.rewriter import Rewriter

EXACT = 2**24
"""Integers up to this are exact in float32."""

REMOVABLE = {
    "QuantizeLinear": "Quantize",
    "DequantizeLinear": "Dequantize",
    "Transpose": "Transpose",
    "Cast": "Cast",
    "Reshape": "Reshape",
    "Softmax": "Softmax",
}
"""Op names by the words of the config for them."""

MOVES = ("Transpose", "Reshape")
"""What a Dequantize may be removed behind: it scales by channel, and these only move data."""


@dataclass
class Removed:
    """What was removed.

    Args:
        scales: By output name, the scale of each channel of an output that holds integers.
        nodes: Names of the nodes that are gone.
        reshaped: Whether an output has another shape than before.
    """

    scales: dict[str, tuple[float, ...]] = field(default_factory=dict)
    nodes: list[str] = field(default_factory=list)
    reshaped: bool = False


def quantize_outputs(rewriter: Rewriter, plan: DeployPlan) -> None:
    """Put outputs on a symmetric grid of integers that holds their `reach`; Dequantize makes them real again.

    It bears the name of the convolution in front, so that `remove_node_name` finds it.
    """
    if not plan.output_type:
        return
    values = []
    for name, value in zip(rewriter.graph.output_names, rewriter.graph.outputs, strict=True):
        made = _on_grid(rewriter, value, plan.output_type, plan.reach.get(name, 0.0))
        made.name = name
        values.append(made)
    rewriter.set_outputs(values, list(rewriter.graph.output_names))


def _on_grid(rewriter: Rewriter, value: Value, kind: str, reach: float) -> Value:
    if value.tensor_type.dtype is not DType.f32 or reach <= 0:
        return value
    dtype = DType.i8 if kind == "int8" else DType.i16
    scale = rewriter.const(np.float32(reach / dtype.integer_range[1]))
    zero = rewriter.const(np.zeros((), dtype.numpy))
    value.name = f"{value.name}_real"
    integers = rewriter.op.QuantizeLinear(value, scale, zero, _location=f"{value.name}/quantize")
    made: Value = rewriter.op.DequantizeLinear(integers, scale, zero, _location=_behind_moves(value))
    return made


def _behind_moves(value: Value) -> str:
    """The name of the op that computes a value, seen through moves."""
    op = value.producer
    while op is not None and op.name in MOVES and op.operands[0] is not None:
        op = op.operands[0].producer
    return op.location if op is not None else value.name


def remove_outputs(rewriter: Rewriter, plan: DeployPlan, removed: Removed) -> None:
    """Remove what the plan names in front of the outputs; `removed` takes what is gone."""
    graph = rewriter.graph
    values = []
    for name, value in zip(graph.output_names, graph.outputs, strict=True):
        before = value.tensor_type.shape
        made = _stripped(rewriter, value, name, plan, removed)
        removed.reshaped |= made.tensor_type.shape != before
        if made is not value:
            made.name = name
        values.append(made)
    rewriter.set_outputs(values, list(graph.output_names))
    rewriter.erase_dead()


def remove_inputs(rewriter: Rewriter, value: Value, plan: DeployPlan, removed: Removed) -> Value:
    """Remove what the plan names behind an input that is fed as it is; gives the input that stands then.

    A QuantizeLinear goes only if every reader quantizes alike: then the input holds those integers.
    """
    while (op := _first_removable(value, plan)) is not None:
        taken = Value(op.results[0].type, value.name)
        if op.name == "QuantizeLinear":
            removed.scales[value.name] = _numbers(op.operands[1])
        for same in list(dict.fromkeys(value.users)):
            rewriter.replace_uses(same.results[0], taken)
            removed.nodes.append(same.location or same.name)
            rewriter.erase(same)
        index = rewriter.graph.inputs.index(value)
        inputs = list(rewriter.graph.inputs)
        inputs[index] = taken
        rewriter.set_inputs(inputs)
        value = taken
    return value


def _first_removable(value: Value, plan: DeployPlan) -> Op | None:
    users = list(dict.fromkeys(value.users))
    if not users or not all(_asked(op, plan) and op.operands[0] is value for op in users):
        return None
    first = users[0]
    alike = all(op.name == first.name and op.operands == first.operands for op in users)
    alike = alike and all(op.attrs == first.attrs for op in users)
    return first if alike and first.name in ("QuantizeLinear", "Transpose", "Cast") else None


def _asked(op: Op, plan: DeployPlan) -> bool:
    word = REMOVABLE.get(op.name)
    return word is not None and (word in plan.remove_types or op.location in plan.remove_names)


def _stripped(rewriter: Rewriter, value: Value, name: str, plan: DeployPlan, removed: Removed) -> Value:
    """What an output reads after everything removable in front of it is gone."""
    gone: set[Op] = set()
    while (op := value.producer) is not None and _ends_here(value, gone):
        if op.name in ("Transpose", "Cast", "Reshape", "Softmax") and _asked(op, plan):
            removed.nodes.append(op.location or op.name)
            assert op.operands[0] is not None
            gone.add(op)
            value = op.operands[0]
            continue
        found = _dequantized_by(value, plan)
        if found is None:
            return value
        removed.nodes.append(f"{found.location or found.name} (Dequantize)")
        value, removed.scales[name] = _integers(rewriter, value, found)
        return value
    return value


def _ends_here(value: Value, gone: set[Op]) -> bool:
    """Whether an output is a value's only reader; then nothing else misses what is removed."""
    return all(user.is_terminator or user in gone for user in value.users)


def _dequantized_by(value: Value, plan: DeployPlan) -> Op | None:
    """The Conv or DequantizeLinear that makes an output's reals, seen through moves, if it is to go."""
    op = value.producer
    while op is not None and op.name in MOVES and op.operands[0] is not None:
        op = op.operands[0].producer
    if op is None or not all(_is_move_or_end(user) for user in op.results[0].users):
        return None
    asked = "Dequantize" in plan.remove_types or bool({op.location, op.results[0].name} & plan.remove_names)
    if op.name == "DequantizeLinear":
        return op if asked else None
    return op if asked and op.name == "Conv" and _quantized_conv(op) else None


def _is_move_or_end(op: Op) -> bool:
    return op.is_terminator or op.name in MOVES


def _quantized_conv(op: Op) -> bool:
    dequantized = [v.producer for v in op.operands if v is not None]
    return all(p is not None and p.name == "DequantizeLinear" for p in dequantized)


def _numbers(value: Value | None) -> tuple[float, ...]:
    assert value is not None
    return tuple(float(n) for n in value.numpy().reshape(-1))


def _integers(rewriter: Rewriter, value: Value, op: Op) -> tuple[Value, tuple[float, ...]]:
    """The integers of an output, moved as its reals were, and their scales."""
    with rewriter.before(op):
        whole, scales = (
            _accumulated(rewriter, op) if op.name == "Conv" else (op.operands[0], _numbers(op.operands[1]))
        )
    assert whole is not None
    path = []
    step = value.producer
    while step is not None and step is not op:
        path.append(step)
        assert step.operands[0] is not None
        step = step.operands[0].producer
    with rewriter.before(rewriter.graph.terminator):
        for move in reversed(path):
            whole = rewriter.op[move.name](
                whole, *move.operands[1:], **dict(move.attrs.items()), _location=move.location
            )
    return whole, scales


def _accumulated(rewriter: Rewriter, op: Op) -> tuple[Value, tuple[float, ...]]:
    """A Conv's accumulators, int32, bias included, and the scale of each channel."""
    data, weight = (_dequantize_of(op, index) for index in (0, 1))
    scale = float(_array(data, 1).reshape(())) * _array(weight, 1).astype(np.float64).reshape(-1)
    kernel = _array(weight, 0).astype(np.int64) - _zero(weight)
    offset = rewriter.op.Cast(data.operands[0], to=DType.f32.value)
    if _zero(data):
        offset = rewriter.op.Sub(offset, rewriter.const(np.float32(_zero(data))))
    integers = data.operands[0]
    assert integers is not None
    largest = max(abs(end - _zero(data)) for end in integers.tensor_type.dtype.integer_range)
    made = _convolved(rewriter, op, offset, kernel, largest)
    bias = op.operand(2)
    if bias is not None:
        total = _bias_integers(op, scale)
        made = rewriter.op.Add(made, rewriter.const(total.reshape(1, -1, *[1] * (kernel.ndim - 2))))
    scales = np.broadcast_to(scale, (kernel.shape[0],))
    return made, tuple(float(s) for s in scales)


def _convolved(rewriter: Rewriter, op: Op, data: Value, kernel: Array, largest: int) -> Value:
    """The convolution of integers in int32: in one part where float32 holds it, else byte by byte."""
    reach = int(np.abs(kernel).reshape(len(kernel), -1).sum(axis=1).max(initial=0))
    attrs = dict(op.attrs.items())
    weight = rewriter.const(kernel.astype(np.float32))

    def part(values: Value) -> Value:
        made: Value = rewriter.op.Conv(values, weight, **attrs)
        return rewriter.op.Cast(made, to=DType.i32.value)  # type: ignore[no-any-return]

    if reach * largest < EXACT:
        return part(data)
    byte = rewriter.const(np.float32(256))
    high = rewriter.op.Floor(rewriter.op.Div(data, byte))
    low = rewriter.op.Sub(data, rewriter.op.Mul(high, byte))
    upper = rewriter.op.Mul(part(high), rewriter.const(np.int32(256)))
    whole: Value = rewriter.op.Add(upper, part(low))
    return whole


def _dequantize_of(op: Op, index: int) -> Op:
    value = op.operands[index]
    assert value is not None
    assert value.producer is not None
    return value.producer


def _array(dequantize: Op, index: int) -> Array:
    value = dequantize.operands[index]
    assert value is not None
    return value.numpy()


def _zero(dequantize: Op) -> int:
    zero = dequantize.operand(2)
    return int(zero.numpy().reshape(-1)[0]) if zero is not None else 0


def _bias_integers(op: Op, scale: Array) -> Array:
    """The bias in accumulator units, int32 [channels]."""
    bias = _dequantize_of(op, 2)
    real = _array(bias, 0).astype(np.float64) * _array(bias, 1).astype(np.float64)
    return np.rint(real / scale).astype(np.int32)
