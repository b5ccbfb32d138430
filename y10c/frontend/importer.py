"""ONNX in: a model becomes a graph of the IR, and nothing of it is lost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx

from y10c.diagnostics import warn
from y10c.errors import ModelError, VerifyError
from y10c.frontend.functions import Functions
from y10c.frontend.notes import read_node_notes, read_notes, read_value_notes
from y10c.frontend.order import in_order
from y10c.frontend.protos import open_extents, read_attribute, read_tensor, read_type
from y10c.frontend.read import read_model
from y10c.frontend.scalars import make_scalars
from y10c.frontend.shapes import inferred_graph, nested_graphs, set_input_shapes, value_types
from y10c.frontend.sparse import constant_tensor, dense
from y10c.frontend.upgrade import upgrade
from y10c.ir.attrs import Attrs
from y10c.ir.collector import collector_paused
from y10c.ir.graph import Graph, ModelInfo
from y10c.ir.layouts import KEY as LAYOUTS
from y10c.ir.layouts import apply_table
from y10c.ir.notes import NO_NOTES, Notes
from y10c.ir.tensor import Tensor
from y10c.ir.types import Type, more_precise
from y10c.ir.value import Op, Value
from y10c.ir.verify import verify

CONSTANT_BEFORE = 4
"""Before this IR version, initializers had to be inputs too; all are constants. Source: onnx docs/IR.md."""

SHOWN_NAMES = 3
"""Names of inputs in a warning about many."""


def load(
    model: str | Path | onnx.ModelProto,
    *,
    shapes: Mapping[str, Sequence[int]] | None = None,
    freeze: bool = False,
) -> Graph:
    """Read an ONNX model into the IR.

    Args:
        model: A path, or a model in memory.
        shapes: Extents for inputs whose shape is symbolic, by input name.
        freeze: Take inputs that have a default as constants, with a warning: nobody can feed them any more.

    Raises:
        ModelError: The file cannot be read, is not ONNX, or is not a valid graph; the error names the place.
    """
    proto, path = read_model(model)
    proto = in_order(proto, "model" if path is None else str(path))
    if shapes:
        proto = set_input_shapes(proto, shapes)
    importer = _Importer(proto, path, freeze)
    if freeze:
        _warn_of_frozen(proto, importer.where)
    with collector_paused():
        return importer.run()


def _warn_of_frozen(proto: onnx.ModelProto, where: str) -> None:
    names = {e.name for e in proto.graph.input} & {t.name for t in proto.graph.initializer}
    if names and proto.ir_version >= CONSTANT_BEFORE:
        shown = ", ".join(sorted(names)[:SHOWN_NAMES]) + (" …" if len(names) > SHOWN_NAMES else "")
        warn("Y5006", f"inputs with defaults become constants: {shown}", where=where)


class _Importer:
    def __init__(self, proto: onnx.ModelProto, path: Path | None, freeze: bool) -> None:
        self.proto = proto
        self.functions = Functions.of(proto)
        self.freeze = freeze or proto.ir_version < CONSTANT_BEFORE
        self.current: set[Op] = set()
        self.folder = path.parent if path is not None else None
        self.where = path.name if path is not None else "model"
        self.info = ModelInfo(
            opsets={o.domain if o.domain != "ai.onnx" else "": o.version for o in proto.opset_import},
            ir_version=proto.ir_version,
            producer=(proto.producer_name, proto.producer_version),
            metadata={p.key: p.value for p in proto.metadata_props},
            doc=proto.doc_string,
            domain=(proto.domain, proto.model_version),
            path=path,
        )

    def run(self) -> Graph:
        graph = Graph(self.proto.graph.name)
        graph.info = self.info
        self.fill(graph, self.proto.graph, inferred_graph(self.proto, self.freeze), {})
        self.forget_invented_extents(graph)
        upgrade(graph, self.current)
        make_scalars(graph)
        if layouts := graph.info.metadata.pop(LAYOUTS, ""):
            apply_table(graph, layouts)
        try:
            verify(graph)
        except VerifyError as error:
            raise ModelError(error.message, where=self.where) from None
        return graph

    def forget_invented_extents(self, graph: Graph) -> None:
        """Outputs keep the names of open extents that the file gives; inference invents others."""
        proto = self.proto.graph
        given = {n for e in (*proto.input, *proto.output, *proto.value_info) for n in open_extents(e.type)}
        for value in graph.outputs:
            if value.shape is not None:
                shape = tuple(None if isinstance(d, str) and d not in given else d for d in value.shape)
                value.type = value.tensor_type.with_(shape=shape)

    def fill(
        self, graph: Graph, proto: onnx.GraphProto, inferred: onnx.GraphProto, outer: dict[str, Value]
    ) -> None:
        scope = dict(outer)
        graph.notes = read_notes(proto)
        said = _Said(value_types(inferred), read_value_notes(proto))
        bodies = [list(nested_graphs(node)) for node in inferred.node]
        del inferred  # as large as the model without its weights, and not needed any more
        constants = self.constants(proto)
        frozen = self.freeze and graph.parent is None
        for entry in proto.input:
            if entry.name not in constants or not frozen:
                value = scope[entry.name] = graph.add_input(read_type(entry.type), entry.name)
                if entry.name in constants:
                    graph.defaults[value] = constants.pop(entry.name)
        for name, tensor in constants.items():
            scope[name] = graph.named_constant(tensor, name)
        for name in (*constants, *(v.name for v in graph.inputs)):
            scope[name].notes = said.notes.get(name, NO_NOTES)
        for node, inner in zip(proto.node, bodies, strict=True):
            self.add_node(graph, node, inner, scope, said)
        outputs = [self.lookup(scope, o.name, f"output of graph {proto.name!r}") for o in proto.output]
        graph.set_outputs(outputs, [o.name for o in proto.output])

    def constants(self, proto: onnx.GraphProto) -> dict[str, Tensor]:
        found = {t.name: read_tensor(t, self.folder) for t in proto.initializer}
        return found | {t.values.name: dense(t, self.folder) for t in proto.sparse_initializer}

    def add_node(
        self,
        graph: Graph,
        node: onnx.NodeProto,
        bodies: Sequence[onnx.GraphProto],
        scope: dict[str, Value],
        said: _Said,
    ) -> None:
        label = f'{self.where}: node "{node.name or node.op_type}"'
        operands = [self.lookup(scope, n, label) if n else None for n in node.input]
        twice = next((n for n in node.output if n and n in scope), None)
        if twice is not None:
            raise ModelError(f"{twice!r} is defined twice", where=label)
        if node.op_type == "Constant" and not node.domain and self.constant(graph, node, scope):
            return
        function = self.functions.find(node)
        if function is None:
            results = self.op(graph, node, operands, iter(bodies), scope)
        elif len(node.input) > len(function.input) or len(node.output) > len(function.output):
            raise ModelError(f"function {function.name!r} has fewer operands or results", where=label)
        else:
            results = self.call(graph, node, operands)
        for name, value in zip(node.output, results, strict=True):
            if name:
                scope[name] = value
                said.about(name, value)

    def op(
        self,
        graph: Graph,
        node: onnx.NodeProto,
        operands: Sequence[Value | None],
        bodies: Iterator[onnx.GraphProto],
        scope: dict[str, Value],
    ) -> Sequence[Value]:

        def nested(proto: onnx.GraphProto) -> Graph:
            inner = Graph(proto.name, parent=graph)
            self.fill(inner, proto, next(bodies), scope)
            return inner

        op = Op(
            _op_name(node),
            operands,
            Attrs({a.name: read_attribute(a, nested, self.folder) for a in node.attribute}),
            [None] * len(node.output),
            result_names=list(node.output),
            location=node.name,
        )
        op.notes = read_node_notes(node)
        graph._insert_before(op, graph.terminator)
        return op.results

    def call(self, graph: Graph, node: onnx.NodeProto, operands: Sequence[Value | None]) -> Sequence[Value]:
        """Put a function's body in place of its call, by its own opset."""
        inner = _Importer(self.functions.body(node, operands), self.info.path, True).run()
        before = graph.terminator._prev
        results = graph.append_copy(inner, [v for v in operands if v is not None])
        for name, result in zip(node.output, results, strict=False):
            if result.producer is not None and result not in operands:
                result.name, result.lineage = name, (name,)
        added = graph._first if before is None else before._next
        while added is not None and added is not graph.terminator:
            self.current.update((added, *(o for g in added.graphs for o in g.walk())))
            added = added._next
        self.info.opsets = {**inner.info.opsets, **self.info.opsets}
        return results[: len(node.output)]

    def constant(self, graph: Graph, node: onnx.NodeProto, scope: dict[str, Value]) -> bool:
        tensor = constant_tensor(node, self.folder)
        if tensor is None:
            return False
        value = scope[node.output[0]] = graph.named_constant(tensor, node.output[0])
        value.notes = read_node_notes(node)
        return True

    def lookup(self, scope: dict[str, Value], name: str, label: str) -> Value:
        try:
            return scope[name]
        except KeyError:
            raise ModelError(
                f"{name!r} is read before anything defines it",
                where=label,
                help="the file is damaged or its nodes are not in order",
            ) from None


@dataclass(frozen=True)
class _Said:
    """What a graph says of its values by name: their types, and notes."""

    types: Mapping[str, Type | None]
    notes: Mapping[str, Notes]

    def about(self, name: str, value: Value) -> None:
        """Tell a new value."""
        value.type = more_precise(self.types.get(name), value.type)
        value.notes = self.notes.get(name, value.notes)


def _op_name(node: onnx.NodeProto) -> str:
    return f"{node.domain}::{node.op_type}" if node.domain not in ("", "ai.onnx") else node.op_type
