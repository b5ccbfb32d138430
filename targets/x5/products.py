"""Matrix products, attention, recurrence."""

from __future__ import annotations

from collections.abc import Iterable

from y10c.check.constraint import HOST, Row, demand, one_of, within
from y10c.check.node import Node
from y10c.targets.x5.sources import LIST

UNIT = "BPU"


@demand(
    "operands of one rank",
    source=LIST,
    remedy="reshape both to 4 dimensions",
    cures=("matmul-to-conv", "align-matmul-ranks"),
)
def matmul_rank(node: Node) -> str | None:
    """A MatMul takes {allowed}."""
    ranks = [len(s) for s in node.shapes]
    return None if ranks[0] == ranks[1] else f"{ranks[0]} and {ranks[1]} dimensions"


@within(1, 8192, source=LIST, remedy="cut the product into parts")
def matmul_matrix(node: Node) -> Iterable[int]:
    """The last two extents of a MatMul's operands are {low} to {high}."""
    return (d for s in node.shapes for d in s[-2:])


@within(1, 4096, source=LIST, remedy="cut the product into parts")
def matmul_batch(node: Node) -> Iterable[int]:
    """The other extents of a MatMul's operands are {low} to {high}."""
    return (d for s in node.shapes for d in s[:-2])


@demand(
    "all of them or none",
    source=LIST,
    remedy="expand the operand first",
    cures=("expand-matmul-batch",),
)
def matmul_broadcast(node: Node) -> str | None:
    """Of the other extents of a MatMul's operands, {allowed} broadcast."""
    a, b = (s[:-2] for s in node.shapes)
    if len(a) != len(b) or a == b:
        return None
    whole = all(d == 1 for d in a) or all(d == 1 for d in b)
    return None if whole else f"{list(a)} and {list(b)}"


MATMUL = Row(
    "matmul",
    ("MatMul",),
    "A matrix product of two computed tensors runs on the multiply-accumulate array.",
    LIST,
    UNIT,
    (matmul_rank, matmul_matrix, matmul_batch, matmul_broadcast),
)


@demand(
    "a constant", source=LIST, remedy="multiply two computed tensors with MatMul", cures=("gemm-to-matmul",)
)
def gemm_weight(node: Node) -> str | None:
    """A Gemm becomes a Conv, so its weight is {allowed} and its input not transposed."""
    if node.constant(1) is None:
        return "computed"
    return "a transposed input" if node.attr("transA") else None


@within(1, 8192, source=LIST, remedy="use fewer channels")
def gemm_channels(node: Node) -> Iterable[int]:
    """A Gemm reads and gives {low} to {high} channels, as a 1x1 Conv does."""
    return node.shape(1)


GEMM = Row("gemm", ("Gemm",), "A Gemm runs as a 1x1 Conv.", LIST, UNIT, (gemm_weight, gemm_channels))

SOFTMAX = Row(
    "softmax",
    ("Softmax",),
    "Softmax runs on the CPU unless run_on_bpu asks for the chip (4 dimensions, along the last).",
    LIST,
    HOST,
    remedy="name the node in run_on_bpu, or let y10c compile write it as max, exp, sum and divide",
    cures=("softmax-by-parts",),
)


@one_of(1, source=LIST, remedy="run the sequences one by one")
def lstm_batch(node: Node) -> Iterable[int]:
    """The batch of an LSTM is {legal}."""
    return [node.shape()[0 if node.attr("layout") else 1]]


LSTM = Row("lstm", ("LSTM",), "An LSTM runs on the chip.", LIST, UNIT, (lstm_batch,))

ROWS = (MATMUL, GEMM, SOFTMAX, LSTM)
