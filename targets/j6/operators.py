"""The operator list of the Nash BPU: the public rows, and X5 rows where nothing is public."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from y10c.check.chip import Chip
from y10c.check.constraint import HOST, Constraint, Row, demand, one_of, within
from y10c.check.node import Node
from y10c.check.table import OperatorTable
from y10c.ir.types import DType
from y10c.targets.j6.sources import ASSUMED, INT64, LOGS, NASH, SOFTMAX, STATIC, UNITS
from y10c.targets.x5 import elementwise, general, reductions
from y10c.targets.x5.operators import ROWS as X5_ROWS
from y10c.targets.x5.sources import LIST


def taken_over(constraint: Constraint) -> Constraint:
    """An X5 constraint as a Nash one: published there, assumed here."""
    return constraint.from_source(ASSUMED) if constraint.source == LIST else constraint


PUBLISHED_HERE = {general.element_type: INT64, general.static_shape: STATIC}
"""What is public about Nash and only assumed of the X5."""

GENERAL = tuple(
    constraint.from_source(PUBLISHED_HERE[constraint])
    if constraint in PUBLISHED_HERE
    else taken_over(constraint)
    for constraint in general.GENERAL
)

UNIT_OF = {
    **dict.fromkeys(
        ("conv-1d", "conv", "conv-dilated", "conv-3d", "conv-transpose", "matmul", "gemm", "lstm"), "TAE"
    ),
    **dict.fromkeys(
        ("elementwise", "table", "unnamed-table", "pow", "relu", "prelu", "reduce", "arg"), "VAE"
    ),
    **dict.fromkeys(("max-pool", "average-pool", "global-average-pool", "global-max-pool"), "AAE"),
    **dict.fromkeys(("resize", "grid-sample"), "AAE"),
    **dict.fromkeys(("concat", "split", "slice", "reshape", "transpose", "nothing"), "DTE"),
    **dict.fromkeys(("depth-to-space", "pad", "expand", "gather", "gather-elements"), "DTE"),
    "top-k": "SPU",
}
"""The unit of each X5 row that runs on the chip."""

NAMED_BY_ROLE = frozenset(
    {"conv", "matmul", "average-pool", "global-average-pool", "global-max-pool", "resize", "grid-sample"}
)
"""Rows that say no more than the published roles of the units do (S16): convolution and product on TAE;
pooling, resize and warp on AAE. Other places are assumed."""


@one_of(3, source=ASSUMED, remedy="move the axis to the end", cures=("softmax-to-last-axis",))
def softmax_axis(node: Node) -> Iterable[int]:
    """A Softmax of 4 dimensions goes along axis {legal}."""
    return [node.axis] if len(node.shape()) == 4 else ()


SOFTMAX_ROW = Row(
    "softmax",
    ("Softmax",),
    "Softmax runs on the BPU as one op, on int8 or int16.",
    SOFTMAX,
    "VAE",
    (general.four_dimensional("lift-softmax").from_source(ASSUMED), softmax_axis),
)


@demand(
    "cast to int32 before arithmetic",
    source=INT64,
    remedy="let --head raw cut the decode tail, or cast the indices to int32",
)
def top_k_indices(node: Node) -> str | None:
    """Indices of a TopK leave as int64; the chip computes with them only when they are {allowed}."""
    if len(node.op.results) < 2:
        return None
    readers = sorted({u.name for u in node.op.results[1].users if not u.is_terminator} - {"Cast"})
    return f"int64 into {', '.join(readers)}" if readers else None


TOP_K = Row(
    "top-k",
    ("TopK",),
    "TopK runs on the scalar unit.",
    UNITS,
    "SPU",
    (taken_over(reductions.top_k_sorted), top_k_indices),
    indices=frozenset({1, -2}),
)


@within(1, 32767, source=NASH, remedy="search in two steps")
def arg_extent(node: Node) -> Iterable[int]:
    """The axis of an ArgMax or ArgMin has {low} to {high} elements."""
    return [node.shape()[node.axis]]


ARG = Row(
    "arg",
    ("ArgMax", "ArgMin"),
    "The index of the greatest or least element is found on the BPU, on int8 and int16.",
    NASH,
    "VAE",
    (taken_over(reductions.arg_axis), arg_extent),
    indices=frozenset({-1}),
)


@demand("no int64", source=INT64, remedy="cast to int32")
def div_type(node: Node) -> str | None:
    """A Div takes {allowed}."""
    return "int64" if node.dtype() is DType.i64 else None


@demand("fused into a Conv", source=NASH, remedy="add in int16 or float")
def int32_add(node: Node) -> str | None:
    """An Add of int32 runs only {allowed}."""
    makers = {v.producer.name for v in node.op.operands if v is not None and v.producer is not None}
    alone = node.dtype() is DType.i32 and not makers & {"Conv", "ConvTranspose"}
    return "an Add by itself" if alone else None


ADD = Row(
    "add",
    ("Add",),
    "Add runs on int8, int16 and int32 of one type and saturates; an int32 Add fuses into a Conv.",
    NASH,
    "VAE",
    (int32_add, taken_over(elementwise.collapsible), taken_over(elementwise.one_constant)),
)

DIV = Row(
    "div",
    ("Div",),
    "Div runs as Mul does.",
    ASSUMED,
    "VAE",
    (div_type, taken_over(elementwise.collapsible), taken_over(elementwise.one_constant)),
)

NASH_TABLES = ("Abs", "Acos", "Acosh")
LOGGED_TABLES = {"y10c.SiLU": "HzSwish", "Gelu": "HzGelu", "Clip": "HzReluX"}

PUBLISHED_TABLE = Row(
    "lut",
    NASH_TABLES,
    "A table of int8 or int16, or segments of one in int16, gives the result.",
    NASH,
    "VAE",
    (general.ranks(1, 10).from_source(ASSUMED),),
)

LOGGED_TABLE = Row(
    "lut-logged",
    tuple(LOGGED_TABLES),
    f"Public logs show it as one op ({', '.join(LOGGED_TABLES.values())}).",
    LOGS,
    "VAE",
    (general.ranks(1, 10).from_source(ASSUMED),),
)

LUT_FAMILY = Row(
    "lut-family",
    tuple(
        n for n in (*elementwise.TABLES, *elementwise.MORE_TABLES) if n not in (*NASH_TABLES, *LOGGED_TABLES)
    ),
    "A function of one number runs as a table of int8 or int16.",
    "assumed: S12 publishes a family of tables with Abs, Acos and Acosh; its other members are from S11",
    "VAE",
    (general.ranks(1, 10).from_source(ASSUMED),),
)


def _narrows_indices(node: Node) -> bool:
    return node.dtype() is DType.i64 and node.attr("to") == DType.i32.value


INDEX_CAST = Row(
    "index-cast",
    ("Cast",),
    "A Cast of 64-bit indices to int32 is what makes them computable.",
    INT64,
    "SPU",
    when=_narrows_indices,
    indices=frozenset({0}),
)

QUANTIZE = Row(
    "quantize",
    ("QuantizeLinear", "DequantizeLinear"),
    "Numbers become integers and integers numbers on the vector unit, at the model's inputs and outputs.",
    UNITS,
    "VPU",
)

GROUP_NORM = Row(
    "group-norm",
    ("GroupNormalization",),
    "GroupNorm runs by its parts, not as one op.",
    NASH,
    HOST,
    remedy="let y10c compile write it by its parts",
    cures=("group-norm-by-parts",),
)

DEFORMABLE = Row(
    "deform-conv",
    ("DeformConv",),
    "DeformConv is there only as a custom op.",
    NASH,
    HOST,
    remedy="register the vendor's custom op, or use a plain Conv",
)

OWN = (
    SOFTMAX_ROW,
    ADD,
    DIV,
    PUBLISHED_TABLE,
    LOGGED_TABLE,
    LUT_FAMILY,
    TOP_K,
    ARG,
    INDEX_CAST,
    QUANTIZE,
    GROUP_NORM,
    DEFORMABLE,
)
"""What is public about Nash itself."""


OWN_OPS = frozenset(name for row in OWN for name in row.ops) - {"Cast"}
"""Ops that the rows above settle; other Casts than those of indices stay the X5 row's."""


def _from_x5(row: Row) -> Row:
    """An X5 row on the units of Nash, without the ops that have a row of their own here."""
    source = ASSUMED if row.source == LIST else row.source
    return replace(
        row,
        ops=tuple(name for name in row.ops if name not in OWN_OPS),
        unit=UNIT_OF.get(row.name, HOST),
        source=UNITS if row.name in NAMED_BY_ROLE else source,
        constraints=tuple(map(taken_over, row.constraints)),
    )


ROWS = (*OWN, *(row for row in map(_from_x5, X5_ROWS) if row.ops))
"""The first row that is about an op places it."""


def operator_table(march: str, chip: Chip) -> OperatorTable:
    """The list for a march of the family."""
    return OperatorTable(march, ROWS, GENERAL, chip, ASSUMED)
