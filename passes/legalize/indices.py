"""64-bit indices that fit in 32 bits, narrowed where they are made and all the way to where they are used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from y10c.check.table import OperatorTable
from y10c.ir.graph import Graph
from y10c.ir.types import DType
from y10c.ir.value import Op, Use, Value
from y10c.passes.legalize.build import shape_of
from y10c.quant.plan import Tail
from y10c.rewrite import Rewriter
from y10c.rewrite.passes import Pass, PassContext

LIMIT = 2**31 - 1
GATHERS = frozenset({"Gather", "GatherElements"})
MOVES = frozenset({"Unsqueeze", "Squeeze", "Reshape", "Flatten", "Transpose", "Expand", "Tile", "Slice"})
ARITHMETIC = frozenset({"Add", "Sub", "Mul", "Div", "Mod"})


@dataclass(frozen=True)
class NarrowIndices(Pass):
    """Compute with indices of TopK, ArgMax and ArgMin in int32, where the chip can cast and they fit."""

    name: ClassVar[str] = "narrow-indices"

    def run(self, graph: Graph, context: PassContext) -> None:
        """Narrow every index outside the decode tail that something computes with."""
        table, tail = context.tables.get(OperatorTable), context.tables.get(Tail, ())
        rewriter = Rewriter(graph, context.listeners, by=self.name)
        for op in list(graph.ops):
            found = index_of(op) if op.graph is not None and op not in tail else None
            if found is not None and any(_follows(use, found[1]) for use in found[0].uses):
                context.applied[self.name] += _narrow(rewriter, *found, table)


def index_of(op: Op) -> tuple[Value, int] | None:
    """The result that holds indices and the greatest of them, where this fits in 32 bits."""
    value = op.results[-1] if op.name in ("TopK", "ArgMax", "ArgMin") else None
    x = op.operand(0)
    shape = shape_of(x) if x is not None else None
    if value is None or not shape:
        return None
    axis = int(op.attr("axis", -1 if op.name == "TopK" else 0))
    return (value, shape[axis] - 1) if shape[axis] <= LIMIT else None


def _narrow(rewriter: Rewriter, value: Value, greatest: int, table: OperatorTable | None) -> int:
    assert value.producer is not None
    with rewriter.after(value):
        place = value.producer.location
        narrow = rewriter.op.Cast(
            value, to=DType.i32.value, _location=f"{place}/Cast" if place else "narrowed"
        )
    if table is not None and not table.place(narrow.producer).on_chip:
        rewriter.erase(narrow.producer)
        return 0
    for use in value.uses:
        if use.op is not narrow.producer and _follows(use, greatest):
            _follow(rewriter, use, narrow, greatest)
    return 1


def _follow(rewriter: Rewriter, use: Use, narrow: Value, greatest: int) -> None:
    """Let one reader of an index read it in 32 bits, and what reads its result too."""
    op = use.op
    if op.name in GATHERS or op.name == "Cast":
        rewriter.set_operand(op, use.index, narrow)
        return
    with rewriter.before(op):
        operands = [_as_narrow(rewriter, op, i, v, use, narrow) for i, v in enumerate(op.operands)]
        made = rewriter.op[op.name](*operands, _location=op.location, **op.attrs)
    bound = _bound(op, use, greatest)
    assert bound is not None, "only bounded arithmetic is followed"
    for reader in op.results[0].uses:
        if _follows(reader, bound):
            _follow(rewriter, reader, made, bound)
        else:
            with rewriter.before(op):
                wide = rewriter.op.Cast(made, to=DType.i64.value)
            rewriter.set_operand(reader.op, reader.index, wide)
    rewriter.erase(op)


def _as_narrow(
    rewriter: Rewriter, op: Op, index: int, value: Value | None, use: Use, narrow: Value
) -> Value | None:
    if index == use.index:
        return narrow
    if op.name in ARITHMETIC and value is not None:
        return rewriter.const(value.numpy().astype(np.int32))
    return value


def _follows(use: Use, greatest: int) -> bool:
    """Whether a reader can take an index in 32 bits."""
    op, index = use
    if op.name in GATHERS:
        return index == 1
    if op.name == "Cast":
        return int(op.attr("to")) != DType.i32.value
    return len(op.results) == 1 and _bound(op, use, greatest) is not None


def _bound(op: Op, use: Use, greatest: int) -> int | None:
    """The greatest magnitude of what an op makes of an index, or None where it may not fit in 32 bits."""
    if op.name in MOVES:
        return greatest if use.index == 0 else None
    others = [v for i, v in enumerate(op.operands) if i != use.index]
    if op.name not in ARITHMETIC or len(others) != 1 or others[0] is None or not others[0].is_constant:
        return None
    size = max((abs(int(n)) for n in others[0].numpy().reshape(-1)), default=0)
    bound = {"Add": greatest + size, "Sub": greatest + size, "Mul": greatest * size}.get(op.name)
    if bound is None:
        bound = max(greatest, size)
    return bound if max(bound, size) <= LIMIT else None
