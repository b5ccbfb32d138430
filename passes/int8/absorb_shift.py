"""Both halves of a symmetric grid for activations that live on one side of zero.

SiLU uses little of the negative half. A constant taken off behind the table puts its values around zero; the
convolutions that read it take the constant into their biases, and where they pad, the border is filled with
what a zero has become. Through Concat, Add and data movement the constant travels as one number a channel.
The float network stays what it was. A symmetric int8 grid then has the steps of an asymmetric one, with zero
points of 0 everywhere; the price is a Pad before each padded convolution.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from y10c.calib.feeds import Feeds
from y10c.ir.graph import Graph
from y10c.ir.value import Op, Use, Value
from y10c.passes.observe.calibrate import name_values, observe_tensors
from y10c.passes.observe.moments import Shifts
from y10c.passes.observe.ranges import RangeSearch
from y10c.quant.bias import absorb_shift
from y10c.quant.plan import QuantPlan, Tail, plan_quantization
from y10c.quant.scheme import Grid, QuantScheme
from y10c.rewrite.passes import Pass, PassContext
from y10c.rewrite.rewriter import Rewriter

Shift = NDArray[np.float64]
"""What is taken off each channel, `[C]`."""

TABLES = ("y10c.SiLU", "HardSwish", "Gelu", "Sigmoid", "Relu", "Elu", "Softplus", "Mish")
"""Functions whose results lie mostly above zero."""

SAME_CHANNELS = ("MaxPool", "Resize")
"""Data movement that takes each result from one channel."""

CROPS = "tf_crop_and_resize"
"""The Resize that fills what lies outside with a number."""


@dataclass(frozen=True)
class AbsorbShift(Pass):
    """Let tables emit values around zero where all their readers can make up for it.

    Args:
        images: Samples that tell the middle of each table's values.
    """

    name: ClassVar[str] = "absorb-shift"

    images: int = 24

    def run(self, graph: Graph, context: PassContext) -> None:
        """Change nothing where activations have zero points anyway, or where no data is at hand."""
        scheme: QuantScheme = context.tables[QuantScheme]
        feeds: Feeds = context.tables[Feeds]
        if not scheme.activation.symmetric or not feeds.count:
            return
        name_values(graph)
        plan = plan_quantization(graph, scheme, context.tables.get(Tail, Tail()))
        sources = [v for v in plan.observed if v.producer is not None and v.producer.name in TABLES]
        sources = [v for v in sources if len(v.shape or ()) > 2 and _narrow(v, plan)]
        middles = _middles(sources, graph, feeds.limited(self.images), scheme.activation)
        spread = spread_shifts(plan, middles)
        rewriter = Rewriter(graph, context.listeners, by=self.name)
        context.tables[Shifts] = _rewrite(rewriter, graph, plan, spread)
        context.applied[self.name] += len(spread.sources)


@dataclass
class Spread:
    """How shifts travel.

    Args:
        sources: The tables that emit shifted values, with their shift.
        shifts: The shift of every value that carries one.
        blocked: Why a table's shift cannot be absorbed, by table.
    """

    sources: dict[Value, float]
    shifts: dict[Value, Shift] = field(default_factory=dict)
    blocked: dict[Value, str] = field(default_factory=dict)


def spread_shifts(plan: QuantPlan, middles: Mapping[Value, float]) -> Spread:
    """Follow shifts from tables to convolutions; tables with a reader that cannot take it are left out.

    Args:
        plan: What runs on integers.
        middles: The wanted shift of each table.
    """
    blocked: dict[Value, str] = {}
    while True:
        left = {v: c for v, c in middles.items() if v not in blocked and c != 0}
        spread = Spread(left, {v: np.full(_channels(v), c) for v, c in left.items()}, blocked)
        origins = {v: {v} for v in left}
        found = _follow(plan, spread, origins)
        if not found:
            return spread
        blocked |= found


def _follow(plan: QuantPlan, spread: Spread, origins: dict[Value, set[Value]]) -> dict[Value, str]:
    """Fill in the shifts of all values; gives the tables with a reader that cannot take one, and why."""
    blocked: dict[Value, str] = {}
    shifts = spread.shifts
    for op in plan.integer_ops:
        carried = [v for v in op.operands if v is not None and v in shifts]
        if carried:
            reason = _conv_refuses(op, shifts) if op.name == "Conv" else _pass_on(op, shifts, origins)
            blocked |= {o: reason for v in carried for o in origins[v] if reason is not None}
    for value in shifts:
        outside = [user.name for user in value.users if user not in plan.integer_ops]
        blocked |= {
            o: f"{name} outside the integer part reads it" for o in origins[value] for name in outside
        }
    return blocked


def _conv_refuses(op: Op, shifts: Mapping[Value, Shift]) -> str | None:
    """Why a convolution cannot take the shift of its input; None where it can."""
    data, weight, bias = op.operands[0], op.operands[1], op.operand(2)
    group = op.attr("group", 1)
    if data is None or data not in shifts or weight is None or not weight.is_constant:
        return "the weight is computed"
    if bias is not None and not bias.is_constant:
        return "the bias is computed"
    if op.attr("auto_pad", "NOTSET") != "NOTSET":
        return "the padding depends on the extents"
    if group not in (1, len(shifts[data])):
        return "the convolution is grouped"
    if any(op.attr("pads", ())) and np.ptp(shifts[data]) > 0:
        return "channels would be padded with different values"
    return None


def _pass_on(op: Op, shifts: dict[Value, Shift], origins: dict[Value, set[Value]]) -> str | None:
    """Give the results of an op the shift that they then have; the reason where that cannot be said."""
    read = [v for v in op.operands if v is not None]
    carried = [v for v in read if v in shifts]
    results = _passed(op, read, shifts)
    if results is None or len(results) != len(op.results):
        return f"{op.name} cannot pass a shift on"
    for value, shift in zip(op.results, results, strict=True):
        shifts[value] = shift
        origins[value] = set().union(*(origins[v] for v in carried))
    return None


def _passed(op: Op, read: list[Value], shifts: Mapping[Value, Shift]) -> list[Shift] | None:
    rank = len(op.results[0].shape or ())
    if op.name in SAME_CHANNELS and op.attr("coordinate_transformation_mode", "") != CROPS:
        return [shifts[read[0]]]
    if op.name == "Split" and op.attr("axis", 0) in (1, 1 - rank):
        stops = np.cumsum([_channels(r) for r in op.results])[:-1]
        return list(np.split(shifts[read[0]], stops))
    if op.name == "Concat" and op.attr("axis", 0) in (1, 1 - rank):
        return [np.concatenate(_shifts_of(read, shifts))]
    if op.name == "Add" and all(v.shape == op.results[0].shape for v in read):
        return [np.sum(_shifts_of(read, shifts), axis=0)]
    return None


def _shifts_of(values: list[Value], shifts: Mapping[Value, Shift]) -> list[Shift]:
    return [shifts[v] if v in shifts else np.zeros(_channels(v)) for v in values]


def _rewrite(rewriter: Rewriter, graph: Graph, plan: QuantPlan, spread: Spread) -> Shifts:
    absorbed = Shifts()
    for op in list(plan.integer_ops):
        data = op.operands[0]
        if op.name == "Conv" and data is not None and data in spread.shifts:
            absorbed[op] = spread.shifts[data]
            _absorb(rewriter, op, data, absorbed[op])
    for value, middle in spread.sources.items():
        with rewriter.after(value, graph):
            shifted = rewriter.op.Sub(
                value, rewriter.const(np.float32(middle)), _location=f"{value.name}/shift"
            )
        rewriter.replace_uses(value, shifted, only=_other_than(shifted.producer))
    return absorbed


def _other_than(op: Op | None) -> Callable[[Op], bool]:
    return lambda user: user is not op


def _absorb(rewriter: Rewriter, op: Op, data: Value, shift: Shift) -> None:
    weight, bias = op.operands[1], op.operand(2)
    assert weight is not None
    array = weight.numpy()
    more = absorb_shift(array, shift)
    known = bias.numpy().astype(np.float64) if bias is not None else np.zeros(len(array))
    with rewriter.before(op):
        total = rewriter.const((known + more).astype(np.float32))
        source = _padded(rewriter, op, data, -float(shift[0])) if any(op.attr("pads", ())) else data
    rewriter.set_operands(op, (source, weight, total))


def _padded(rewriter: Rewriter, op: Op, data: Value, value: float) -> Value:
    """The input of a convolution with its border, shared by all that pad it alike."""
    pads = [int(n) for n in op.attr("pads")]
    half = len(pads) // 2
    whole = np.array([0, 0, *pads[:half], 0, 0, *pads[half:]], np.int64)
    rewriter.set_attrs(op, pads=tuple([0] * len(pads)))
    for use in data.uses:
        if _pads_alike(use, whole):
            known: Value = use.op.results[0]
            return known
    with rewriter.before(op):
        made: Value = rewriter.op.Pad(
            data,
            rewriter.const(whole),
            rewriter.const(np.float32(value)),
            _location=f"{op.location or op.results[0].name}/pad",
        )
    return made


def _pads_alike(use: Use, whole: NDArray[np.int64]) -> bool:
    amounts = use.op.operand(1)
    return (
        use.op.name == "Pad"
        and use.index == 0
        and amounts is not None
        and amounts.is_constant
        and np.array_equal(amounts.numpy(), whole)
    )


def _middles(sources: list[Value], graph: Graph, feeds: Feeds, grid: Grid) -> dict[Value, float]:
    """The middle of the range that an asymmetric grid would take for each table's values."""
    sketches = observe_tensors(graph, sources, feeds)
    free = Grid(grid.dtype, symmetric=False)
    ranges = {v: RangeSearch().choose(sketches[v.name], free) for v in sources}
    return {v: float(np.float32((r.low + r.high) / 2)) for v, r in ranges.items()}


def _narrow(value: Value, plan: QuantPlan) -> bool:
    """True where the tensor has 8 bits: the wide grid has steps to spare."""
    return any(e.value is value and e.grid == plan.scheme.activation for e in plan.edges)


def _channels(value: Value) -> int:
    shape: Any = value.shape
    return int(shape[1])
