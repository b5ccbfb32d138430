"""The verifier: every rule that a graph must keep, checked in time linear in the graph's size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

from y10c.errors import VerifyError
from y10c.ir.graph import Graph
from y10c.ir.printer import format_quant, format_type
from y10c.ir.types import QuantParams, TensorType, Type
from y10c.ir.value import Op, Use, Value

if TYPE_CHECKING:
    from y10c.ops.spec import OpSpec

MIXES_QUANTIZATIONS = frozenset(
    {"Cast", "QuantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger"}
)
"""ONNX ops whose operands and results may be integers of different quantizations."""

_CACHE_SIZE = 20_000
_Found = tuple[Type | None, ...] | str
_inferred: dict[object, _Found] = {}
"""Inference by what it looks at: networks repeat their blocks, and verification its graphs."""


def verify(graph: Graph, *, types: bool = True) -> None:
    """Check a graph and its nested graphs.

    Checked are the order of ops and the scope of values, uses in both directions, operands and attributes
    against the op's declaration, result types against inference, quantizations, outputs, parent links.

    Args:
        graph: The graph; it is not changed.
        types: Also run type inference on every op, which takes most of the time.

    Raises:
        VerifyError: With one sentence a problem, in the order of the ops.
    """
    problems = list(_Verifier(graph, types).problems())
    if problems:
        raise VerifyError(problems, where=f"graph {graph.name!r}" if graph.name else None)


def label(op: Op) -> str:
    """How an op is named in a problem: its kind, and the node that it came from."""
    return f"{op.name} {op.location!r}" if op.location else op.name


class _Verifier:
    def __init__(self, graph: Graph, types: bool) -> None:
        self.root = graph
        self.types = types
        self.visible: set[Value] = set()
        self.known: dict[Value, None] = {}
        self.ops: set[Op] = set()
        self.interned = {id(v) for v in graph._constants.values()}

    def problems(self) -> Iterator[str]:
        yield from self.graph(self.root)
        for value in self.known:
            yield from self.uses(value)

    # --- graphs ---

    def graph(self, graph: Graph) -> Iterator[str]:
        defined: list[Value] = []
        for index, value in enumerate(graph.inputs):
            if value.producer is not None or value.tensor is not None or value.index != index:
                yield f"input {index} ({value.name!r}) of graph {graph.name!r} is not an input value"
            self.define(value, defined)
        for value in graph.defaults:
            if value not in graph.inputs:
                yield f"graph {graph.name!r} has a default for {value.name!r}, which is no input of it"
        count = 0
        for op in _linked(graph):
            count += 1
            yield from self.op(op, graph, defined)
        if count != len(graph):
            yield f"graph {graph.name!r} counts {len(graph)} ops but links {count}"
        yield from self.terminator(graph)
        self.visible.difference_update(defined)

    def define(self, value: Value, defined: list[Value]) -> None:
        self.visible.add(value)
        self.known[value] = None
        defined.append(value)

    def terminator(self, graph: Graph) -> Iterator[str]:
        end = graph.terminator
        self.ops.add(end)
        if end.graph is not graph or not end.is_terminator or end._next is not None:
            yield f"graph {graph.name!r} does not end in its terminator"
        if None in end.operands:
            yield f"an output of graph {graph.name!r} has no value"
        if len(graph.output_names) != len(end.operands):
            yield f"graph {graph.name!r} has {len(end.operands)} outputs but {len(graph.output_names)} names"
        if len(set(graph.output_names)) != len(graph.output_names):
            yield f"graph {graph.name!r} has two outputs of one name: {graph.output_names}"
        yield from self.operands(end)

    # --- ops ---

    def op(self, op: Op, graph: Graph, defined: list[Value]) -> Iterator[str]:
        if op in self.ops:
            yield f"{label(op)} stands in the graph twice"
        self.ops.add(op)
        if op.graph is not graph:
            yield f"{label(op)} does not know the graph that it is in"
        yield from self.operands(op)
        for nested in op.graphs:
            if nested.parent is not graph or nested._constants is not self.root._constants:
                yield f"a nested graph of {label(op)} has another parent"
            yield from self.graph(nested)
        problems = [*_declaration(op), *(p for r in op.results for p in _extents(r, op))]
        yield from problems
        for index, result in enumerate(op.results):
            if result.producer is not op or result.index != index or result.tensor is not None:
                yield f"result {index} of {label(op)} does not know its producer"
            self.define(result, defined)
        if self.types and not problems:
            yield from _result_types(op)
        yield from _quantization(op)

    def operands(self, op: Op) -> Iterator[str]:
        for index, value in enumerate(op.operands):
            if value is None:
                continue
            if Use(op, index) not in value._uses:
                yield f"operand {index} of {label(op)} is missing among the uses of its value"
            if value.tensor is not None:
                self.known[value] = None
                if id(value) not in self.interned:
                    yield f"operand {index} of {label(op)} is a constant of another graph"
            elif value not in self.visible:
                yield f"{label(op)} reads {value!r} before it is defined or out of its scope"

    def uses(self, value: Value) -> Iterator[str]:
        for op, index in value._uses:
            if op not in self.ops:
                yield f"{value!r} is said to be read by {label(op)}, which is not in the graph"
            elif op.operand(index) is not value:
                yield f"{value!r} is said to be operand {index} of {label(op)}, which reads another value"


def _extents(result: Value, op: Op) -> Iterator[str]:
    """Extents that are neither numbers nor names, as a rule makes them that divides."""
    shape: Iterable[object] = (isinstance(result.type, TensorType) and result.type.shape) or ()
    for extent in shape:
        if not isinstance(extent, int | str | None):
            yield f"a result of {label(op)} has the extent {extent!r}, which is no whole number"


def _linked(graph: Graph) -> Iterator[Op]:
    """The ops by their links; stops where the chain breaks or turns back."""
    op, previous = graph._first, None
    seen: set[int] = set()
    while op is not graph.terminator and id(op) not in seen and op._prev is previous:
        seen.add(id(op))
        yield op
        if op._next is None:
            return
        op, previous = op._next, op


def _declaration(op: Op) -> Iterator[str]:
    from y10c.ops.registry import find_spec
    from y10c.ops.spec import check_arity

    spec = find_spec(op.name)
    if spec is None:
        return
    if op.version is None:
        problem = check_arity(spec, op.operands)
        if problem is not None:
            yield f"{label(op)}: {problem}"
    known, required = _attribute_names(spec, op.version)
    if unknown := sorted(op.attrs.keys() - known):
        yield f"{label(op)} has no attribute {', '.join(unknown)}"
    if missing := sorted(required - op.attrs.keys()):
        yield f"{label(op)} needs attribute {', '.join(missing)}"


def _attribute_names(spec: OpSpec, version: int | None) -> tuple[AbstractSet[str], frozenset[str]]:
    """The attributes that an op may have and those that it must have, at a pinned version or today."""
    if version is None:
        return spec.attrs.keys(), spec.required
    from y10c.ops.onnx_schema import find_schema

    schema = find_schema(spec.name, version)
    declared = {} if schema is None else schema.attributes
    return declared.keys(), frozenset(n for n, a in declared.items() if a.required)


# --- types ---


def _result_types(op: Op) -> Iterator[str]:
    if any(v is not None and v.type is None for v in op.operands):
        return
    key = _inference_key(op)
    if key not in _inferred:
        if len(_inferred) >= _CACHE_SIZE:
            _inferred.clear()
        _inferred[key] = _infer(op)
    found = _inferred[key]
    if isinstance(found, str):
        yield f"{label(op)}: {found}"
        return
    for result, type in zip(op.results, found, strict=True):
        if not _agree(result.type, type):
            yield f"{label(op)} gives {format_type(type)}, but its result is said to be {result!r}"


def _inference_key(op: Op) -> object:
    operands = tuple(None if v is None else (v.type, _data_key(v)) for v in op.operands)
    attrs = () if op.graphs else tuple(op.attrs.items())
    return op.name, op.version, operands, attrs, len(op.results)


def _data_key(value: Value) -> str | None:
    """Inference may look at lists and scalars; of larger constants it takes the type alone."""
    if value.tensor is None:
        return None
    return value.tensor.digest if len(value.tensor.shape) <= 1 else ""


def _infer(op: Op) -> _Found:
    """Types by the op's declaration; where that refuses one of ONNX's ops, ONNX's own inference judges.

    A declaration serves building and may be stricter than ONNX, say on a branch of an If that never runs.
    """
    from y10c.ops.infer import BuildError, infer_types
    from y10c.ops.onnx_schema import IR_OPSET, find_schema

    versions = [op.version]
    if op.version is None and not op.domain and find_schema(op.name) is not None:
        versions.append(IR_OPSET)
    refusal = ""
    for version in versions:
        try:
            return tuple(infer_types(op.name, op.operands, op.attrs, len(op.results), version))
        except BuildError as error:
            refusal = refusal or error.message
    return refusal


def _agree(said: Type | None, found: Type | None) -> bool:
    if said is None or found is None:
        return True
    if not (isinstance(said, TensorType) and isinstance(found, TensorType)):
        return type(said) is type(found)
    if found.quant is not None and said.quant is not None and said.quant != found.quant:
        return False
    return said.dtype is found.dtype and _same_extents(said, found)


def _same_extents(said: TensorType, found: TensorType) -> bool:
    if said.shape is None or found.shape is None:
        return True
    pairs = zip(said.shape, found.shape, strict=False)
    return len(said.shape) == len(found.shape) and all(
        a == b or not (isinstance(a, int) and isinstance(b, int)) for a, b in pairs
    )


def _quantization(op: Op) -> Iterator[str]:
    """ONNX's ops never change a quantization but in QuantizeLinear, so two that meet must be one."""
    if op.name == "DequantizeLinear":
        yield from _dequantize(op)
    elif "::" not in op.name and "." not in op.name and op.name not in MIXES_QUANTIZATIONS:
        met = dict.fromkeys(q for v in (*op.operands, *op.results) if (q := _quant(v)) is not None)
        if len(met) > 1:
            shown = " and ".join(map(_short, met))
            yield f"{label(op)} mixes the quantizations {shown}: a requantize is missing"


def _dequantize(op: Op) -> Iterator[str]:
    from y10c.ops.quant import quant_of

    x, scale, zero = op.operand(0), op.operand(1), op.operand(2)
    said = _quant(x)
    if said is None or scale is None or scale.tensor is None or (zero is not None and zero.tensor is None):
        return
    meant = quant_of(scale.tensor, zero.tensor if zero is not None else None, op.attrs.get("axis", 1))
    if meant is not None and (meant.scale, meant.zero_point) != (said.scale, said.zero_point):
        yield f"{label(op)} reads {_short(said)} as {_short(meant)}: a requantize is missing"


def _quant(value: Value | None) -> QuantParams | None:
    return value.type.quant if value is not None and isinstance(value.type, TensorType) else None


def _short(quant: QuantParams) -> str:
    return f"{{{format_quant(quant)}}}"
