"""Which ops are the last convolutions of a detection head, and what each of them gives.

By structure only: names change with every exporter's release. The graph is read backwards from its outputs
to the first convolutions; a head is a pair of them, class logits and box logits, at each of several scales.
Networks: YOLOv10, arXiv 2405.14458; boxes as distributions, arXiv 2006.04388.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from y10c.errors import ModelError
from y10c.ir.graph import Graph
from y10c.ir.types import Dim
from y10c.ir.value import Op, Value
from y10c.passes.head.extents import Extents, input_extent
from y10c.passes.head.roles import PLAIN, class_convs
from y10c.rewrite.rewriter import reads

SUPPRESSORS = frozenset(("NonMaxSuppression", "EfficientNMS_TRT", "BatchedNMSDynamic_TRT", "BatchedNMS_TRT"))
"""Ops that suppress boxes, of ONNX and of TensorRT's plugins."""

BRANCHES_MIXED = (
    "the head has two branches of one structure, and the outputs' order does not tell which is one-to-one"
)
BRANCHES_BY_ORDER = (
    "both branches end in logits: as in training graphs, the later outputs were taken as one-to-one"
)
LOGITS_BY_ORDER = (
    "nothing tells class and box logits apart: of each scale the first output was taken as the class"
)
KEEP_OR_CUT = "export one branch alone, or pass --head keep"

Kind = Literal["e2e", "dual", "eval", "one2many", "nms", "raw"]
Branch = Literal["one2one", "one2many", "unknown"]


@dataclass(frozen=True)
class Scale:
    """One scale of a head.

    Args:
        stride: Input pixels per cell.
        extent: Height and width in cells.
        cls: The convolution whose result is class logits, NCHW.
        box: The convolution whose result is box logits, `4 * reg_max` channels, sides l, t, r, b.
    """

    stride: int
    extent: tuple[int, int]
    cls: Op
    box: Op


@dataclass(frozen=True)
class Head:
    """A detection head.

    Args:
        kind: How the graph ends: `e2e` rows of detections, `dual` logits of two branches, `eval` decoded
            boxes and scores of both, `one2many` decoded and in need of NMS, `nms` with that op inside,
            `raw` logits of one branch.
        branch: Which branch `scales` is.
        scales: By ascending stride.
        classes: Number of classes.
        reg_max: Bins a box side.
        distribution: Whether box logits go through softmax over the bins.
        bins: The distance that each bin stands for, in cells.
        detections: Rows of the original's output; 0 where it has none.
        input_size: Height and width of the input.
        batch: First extent of the input.
        static: Whether the other extents of the input are numbers.
        tail: The ops behind the convolutions, and those that only feed them.
        assumed: What only the order of the outputs tells, one sentence each.
    """

    kind: Kind
    branch: Branch
    scales: tuple[Scale, ...]
    classes: int
    reg_max: int
    distribution: bool
    bins: tuple[float, ...]
    detections: int
    input_size: tuple[int, int]
    batch: Dim
    static: bool
    tail: frozenset[Op]
    assumed: tuple[str, ...] = ()

    @property
    def boundary(self) -> tuple[Value, ...]:
        """The logits: class then box of each scale. Everything behind them is decoding."""
        return tuple(op.result for scale in self.scales for op in (scale.cls, scale.box))


@dataclass(frozen=True)
class Cone:
    """What lies between values and the first convolutions before them.

    Args:
        convs: Those convolutions, in the order in which they are met.
        ops: The ops in between.
    """

    convs: tuple[Op, ...]
    ops: frozenset[Op]


def recognize(graph: Graph) -> Head | None:
    """The detection head of a graph, or None where there is none that is understood."""
    try:
        return find_head(graph)
    except ModelError:
        return None


def find_head(graph: Graph) -> Head | None:
    """The detection head of a graph, or None where there is none.

    Raises:
        ModelError: There is one, but nothing tells which of its parts is which.
    """
    source = next((v for v in graph.inputs if v.shape is not None and len(v.shape) == 4), None)
    size = None if source is None else input_extent(source)
    if source is None or size is None:
        return None
    cones = [cone_of([value]) for value in graph.outputs]
    by_extent = _by_extent(cones, Extents(graph))
    counts = {len(convs) for convs in by_extent.values()}
    if len(by_extent) < 2 or counts not in ({2}, {4}):
        return None
    choice = _choose(graph, cones, by_extent)
    classes, told = class_convs(list(choice.pairs.values()), [op for op in graph.ops if op in choice.ops])
    scales = _scales(choice, classes, size)
    assumed = (*choice.assumed, *([] if told else [LOGITS_BY_ORDER]))
    return None if scales is None else _described(graph, choice, scales, source, size, assumed)


def decode_tail(graph: Graph) -> set[Op]:
    """The ops behind the last convolutions of the head, which quantization leaves float."""
    head = recognize(graph)
    return set() if head is None else set(head.tail)


def is_tail(op: Op) -> bool:
    """Whether an op belongs to the decode part of its graph. For many ops, ask `decode_tail` once."""
    return op.graph is not None and op in decode_tail(op.graph)


def cone_of(values: Iterable[Value | None]) -> Cone:
    """Read backwards from values to the first convolutions; the expectation over bins is passed through."""
    convs: dict[Op, None] = {}
    seen: dict[Op, None] = {}
    todo = [v for v in values if v is not None][::-1]
    while todo:
        op = todo.pop().producer
        if op is None or op in seen or op in convs:
            continue
        if op.name == "Conv" and not _is_expectation(op):
            convs[op] = None
            continue
        seen[op] = None
        if op.name != "Shape":
            todo.extend(reversed([*reads(op)]))
    return Cone(tuple(convs), frozenset(seen))


def _is_expectation(conv: Op) -> bool:
    """Whether a convolution is the mean over bins: one filter on what a softmax gives."""
    weight = conv.operand(1)
    if weight is None or not weight.shape or weight.shape[0] != 1:
        return False
    return _is_distribution(conv.operand(0))


def _bins(ops: Iterable[Op], reg_max: int) -> tuple[float, ...]:
    """The distance that each bin stands for, in cells; files exist where 8 bits moved them off 0, 1, 2 …"""
    for op in ops:
        values = [v for v in op.operands if v is not None]
        stored = [v.numpy().ravel() for v in values if v.is_constant]
        if any(map(_is_distribution, values)) and len(stored) == 1 and len(stored[0]) == reg_max:
            return tuple(map(float, stored[0]))
    return tuple(map(float, range(reg_max)))


def _is_distribution(value: Value | None) -> bool:
    """Whether a value is what a softmax gives, moved or not."""
    while value is not None and value.producer is not None and value.producer.name in PLAIN:
        value = value.producer.operand(0)
    return value is not None and value.producer is not None and value.producer.name == "Softmax"


def _by_extent(cones: Sequence[Cone], extents: Extents) -> dict[tuple[int, int], list[Op]]:
    """Convolutions by their extents, largest first, each list in the order of the outputs."""
    found: dict[tuple[int, int], list[Op]] = {}
    for conv in dict.fromkeys(c for cone in cones for c in cone.convs):
        extent = extents.of(conv.result)
        if extent is None:
            return {}
        found.setdefault(extent, []).append(conv)
    return dict(sorted(found.items(), reverse=True))


@dataclass(frozen=True)
class _Choice:
    """The branch that is kept: its pairs by extent, and what its outputs are."""

    pairs: Mapping[tuple[int, int], Sequence[Op]]
    outputs: tuple[int, ...]
    others: bool
    ops: frozenset[Op]
    branch: Branch
    assumed: tuple[str, ...] = ()


def _choose(graph: Graph, cones: Sequence[Cone], by_extent: Mapping[tuple[int, int], list[Op]]) -> _Choice:
    if len(next(iter(by_extent.values()))) == 2:
        ops = frozenset(op for cone in cones for op in cone.ops)
        return _Choice(by_extent, tuple(range(len(cones))), False, ops, _branch(ops))
    whole = [i for i, cone in enumerate(cones) if len(cone.convs) == 2 * len(by_extent)]
    if whole:
        branches = {i: _branch(cones[i].ops) for i in whole}
        best = max(whole, key=lambda i: (_PREFERRED.index(branches[i]), -i))
        keep = set(cones[best].convs)
        pairs = {e: [c for c in convs if c in keep] for e, convs in by_extent.items()}
        beside = branches[best] == "unknown" and "one2many" in branches.values()
        branch: Branch = "one2one" if beside else branches[best]
        return _Choice(pairs, (best,), True, cones[best].ops, branch)
    return _chosen_by_order(graph, cones, by_extent)


_PREFERRED: tuple[Branch, ...] = ("one2many", "unknown", "one2one")


def _chosen_by_order(
    graph: Graph, cones: Sequence[Cone], by_extent: Mapping[tuple[int, int], list[Op]]
) -> _Choice:
    """Two branches of one structure: training graphs return the one-to-many branch first.

    Source: the forward passes of YOLOv10 and of ultralytics' end-to-end heads.

    Raises:
        ModelError: The outputs of the branches are mixed.
    """
    half = len(cones) // 2
    parts = [{c for cone in part for c in cone.convs} for part in (cones[:half], cones[half:])]
    apart = len(cones) % 2 == 0 and not parts[0] & parts[1]
    if not apart or any(len(parts[1] & set(convs)) != 2 for convs in by_extent.values()):
        where = None if graph.info.path is None else str(graph.info.path)
        raise ModelError(BRANCHES_MIXED, code="Y3003", where=where, help=KEEP_OR_CUT)
    pairs = {extent: [c for c in convs if c in parts[1]] for extent, convs in by_extent.items()}
    outputs = tuple(range(half, len(cones)))
    ops = frozenset(op for i in outputs for op in cones[i].ops)
    return _Choice(pairs, outputs, True, ops, "one2one", (BRANCHES_BY_ORDER,))


def _branch(ops: Collection[Op]) -> Branch:
    """Only a one-to-one head selects by rank alone; only a one-to-many head gives centers and sizes."""
    names = _names(ops)
    if names & SUPPRESSORS:
        return "one2many"
    if "TopK" in names:
        return "one2one"
    return "one2many" if "Sigmoid" in names and _halves(ops) else "unknown"


def _names(ops: Iterable[Op]) -> set[str]:
    """Names of ops, those of nested graphs included."""
    nested = (inner.kind for op in ops for graph in op.graphs for inner in graph.walk())
    return {*(op.kind for op in ops), *nested}


def _halves(ops: Collection[Op]) -> bool:
    """Whether something is halved, as centers are."""
    return any(_is_half(op) for op in ops)


def _is_half(op: Op) -> bool:
    half = {"Div": 2.0, "Mul": 0.5}.get(op.name)
    factors = [v for v in op.operands if v is not None and v.is_constant] if half is not None else []
    if len(factors) != 1 or not factors[0].tensor_type.dtype.is_float:
        return False
    return factors[0].numpy().size == 1 and float(factors[0].numpy().item()) == half


def _scales(choice: _Choice, classes: Collection[Op], size: tuple[int, int]) -> tuple[Scale, ...] | None:
    found = []
    for extent, (a, b) in choice.pairs.items():
        stride = size[0] // extent[0]
        if (stride * extent[0], stride * extent[1]) != size:
            return None
        found.append(Scale(stride, extent, a, b) if a in classes else Scale(stride, extent, b, a))
    widths = {(channels(s.cls), channels(s.box)) for s in found}
    plausible = len(widths) == 1 and next(iter(widths))[1] % 4 == 0 and next(iter(widths))[1] > 0
    return tuple(found) if plausible else None


def channels(conv: Op) -> int:
    """Output channels of a convolution; 0 where unknown."""
    weight = conv.operands[1]
    shape = None if weight is None else weight.shape
    return shape[0] if shape and isinstance(shape[0], int) else 0


def _described(
    graph: Graph,
    choice: _Choice,
    scales: tuple[Scale, ...],
    source: Value,
    size: tuple[int, int],
    assumed: tuple[str, ...],
) -> Head | None:
    reg_max = channels(scales[0].box) // 4
    names = _names(choice.ops)
    kind = _kind(names, choice)
    distribution = "Softmax" in names if kind in ("e2e", "one2many", "nms", "eval") else reg_max > 1
    if reg_max > 1 and not distribution:
        return None
    rows = (graph.outputs[choice.outputs[0]].shape or ()) if kind in ("e2e", "eval") else ()
    return Head(
        kind=kind,
        assumed=assumed,
        branch=choice.branch,
        scales=scales,
        classes=channels(scales[0].cls),
        reg_max=reg_max,
        distribution=distribution,
        bins=_bins((op for op in graph.ops if op in choice.ops), reg_max),
        detections=_rows(rows),
        input_size=size,
        batch=source.shape[0] if source.shape else None,
        static=source.shape is not None and all(isinstance(d, int) for d in source.shape[1:]),
        tail=_tail(graph, scales),
    )


def _kind(names: Collection[str], choice: _Choice) -> Kind:
    if SUPPRESSORS & set(names):
        return "nms"
    if "Sigmoid" not in names or _JUST_MOVED.issuperset(names):
        return "dual" if choice.others else "raw"
    if choice.others or (choice.branch != "one2many" and "TopK" not in names):
        return "eval"
    return "e2e" if "TopK" in names else "one2many"


_JUST_MOVED = PLAIN | {"Concat", "Split", "Slice", "Sigmoid", "ReduceMax"}
"""Logits, or the scores made of them, that leave the network with nothing decoded."""


def _rows(shape: Sequence[int | str | None]) -> int:
    rows = shape[1] if len(shape) == 3 and shape[2] == 6 else 0
    return rows if isinstance(rows, int) else 0


def _tail(graph: Graph, scales: Sequence[Scale]) -> frozenset[Op]:
    needed = {op for scale in scales for op in (scale.cls, scale.box)}
    todo = list(needed)
    while todo:
        for value in reads(todo.pop()):
            if value.producer is not None and value.producer not in needed:
                needed.add(value.producer)
                todo.append(value.producer)
    return cone_of(graph.outputs).ops - needed
