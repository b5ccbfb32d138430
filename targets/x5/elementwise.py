"""Arithmetic of several tensors, and functions of one number, which are tables."""

from __future__ import annotations

from collections.abc import Sequence

from y10c.check.constraint import HOST, Row, demand, within
from y10c.check.node import Node
from y10c.targets.x5.general import ANY_RANK, four_dimensional, ranks
from y10c.targets.x5.sources import LIST

UNIT = "BPU"
TABLES = (
    "Sigmoid",
    "Tanh",
    "Exp",
    "Log",
    "Sqrt",
    "Erf",
    "Clip",
    "HardSigmoid",
    "Elu",
    "Selu",
    "Softplus",
)
"""The functions that the list names; it ends in dots."""
MORE_TABLES = (
    "y10c.SiLU",
    "Abs",
    "Acos",
    "Acosh",
    "Asin",
    "Asinh",
    "Atan",
    "Atanh",
    "Celu",
    "Ceil",
    "Cos",
    "Cosh",
    "Floor",
    "Gelu",
    "HardSwish",
    "Mish",
    "Reciprocal",
    "Round",
    "Sign",
    "Sin",
    "Sinh",
    "Softsign",
    "Tan",
    "ThresholdedRelu",
)
"""Functions of one number that are not named: a table holds any."""


@within(0, 1, source=LIST, remedy="fold the constants")
def one_constant(node: Node) -> Sequence[int]:
    """At most {high} operand is a constant."""
    return [node.constants]


@demand(
    "at most 4 once like axes are joined",
    source=LIST,
    remedy="reshape so that fewer axes broadcast apart",
)
def collapsible(node: Node) -> str | None:
    """Operands have 1 to 10 dimensions, {allowed}."""
    rank = collapsed_rank([*node.shapes, node.out])
    too_many = len(node.out) > 10 or rank > 4
    return f"{len(node.out)} dimensions, joined {rank}" if too_many else None


def collapsed_rank(shapes: Sequence[tuple[int, ...]]) -> int:
    """Dimensions that are left when neighbours along which every operand broadcasts alike are joined."""
    rank = max(map(len, shapes))
    padded = [(1,) * (rank - len(s)) + s for s in shapes]
    kinds = [tuple(s[axis] > 1 for s in padded) for axis in range(rank)]
    # An axis of extent one joins any neighbour.
    kinds = [kind for kind in kinds if any(kind)]
    return sum(1 for i, kind in enumerate(kinds) if i == 0 or kind != kinds[i - 1])


ARITHMETIC = Row(
    "elementwise",
    ("Add", "Sub", "Mul", "Div", "Sum", "Max"),
    "Elementwise arithmetic runs on the chip, on int8 and int16; an Add fuses into the Conv before it.",
    LIST,
    UNIT,
    (collapsible, one_constant),
)

MINIMUM = Row(
    "min",
    ("Min",),
    "Min runs on the CPU unless run_on_bpu asks for the chip.",
    LIST,
    HOST,
    remedy="name the node in run_on_bpu, or write it with Max",
    cures=("min-to-clip", "min-to-max"),
)

COMPARISONS = Row(
    "compare",
    ("Equal", "Greater", "Less"),
    "Comparisons run on the CPU unless run_on_bpu asks for the chip.",
    LIST,
    HOST,
    remedy="name the node in run_on_bpu if only one side broadcasts",
)

TABLE = Row(
    "table",
    TABLES,
    "A function of one number runs as a look-up table, on int8 and int16.",
    LIST,
    UNIT,
    (ranks(1, 10),),
)

UNNAMED_TABLE = Row(
    "unnamed-table",
    MORE_TABLES,
    "A function of one number runs as a look-up table, whichever it is.",
    "assumed: the published row names some functions and ends in dots",
    UNIT,
    (ANY_RANK,),
)


@demand(
    "a constant", source="assumed: a table is filled at compile time", remedy="make the exponent constant"
)
def constant_exponent(node: Node) -> str | None:
    """The exponent of a Pow is {allowed} number, so that it is a function of one number."""
    exponent = node.constant(1)
    return None if exponent is not None and exponent.size == 1 else "a tensor"


POWER = Row(
    "pow",
    ("Pow",),
    "A power with a constant exponent runs as a look-up table.",
    "assumed: a function of one number",
    UNIT,
    (ANY_RANK, constant_exponent),
)

RELU = Row(
    "relu",
    ("Relu", "LeakyRelu"),
    "Relu and LeakyRelu run on the chip.",
    LIST,
    UNIT,
    (ANY_RANK,),
)

PRELU = Row(
    "prelu",
    ("PRelu",),
    "PRelu runs on the chip, on int8.",
    LIST,
    UNIT,
    (four_dimensional("prelu-to-leaky-relu", "lift-prelu"),),
)

ROWS = (ARITHMETIC, MINIMUM, COMPARISONS, TABLE, UNNAMED_TABLE, POWER, RELU, PRELU)
