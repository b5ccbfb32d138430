"""ONNX in: a model becomes a graph of the IR, and nothing of it is lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import onnx

from y10c.errors import ModelError, VerifyError
from y10c.frontend.protos import read_attribute, read_tensor, read_type
from y10c.frontend.read import read_model
from y10c.frontend.scalars import make_scalars
from y10c.frontend.shapes import inferred_graph, nested_graphs, set_input_shapes, value_types
from y10c.frontend.upgrade import upgrade
from y10c.ir.attrs import Attrs
from y10c.ir.graph import Graph, ModelInfo
from y10c.ir.types import Type
from y10c.ir.value import Op, Value
from y10c.ir.verify import verify


def load(model: str | Path | onnx.ModelProto, *, shapes: Mapping[str, Sequence[int]] | None = None) -> Graph:
    """Read an ONNX model into the IR.

    Args:
        model: A path, or a model in memory.
        shapes: Extents for inputs whose shape is symbolic, by input name.

    Raises:
        ModelError: The file cannot be read, is not ONNX, or is not a valid graph; the error names the place.
    """
    proto, path = read_model(model)
    if proto.functions:
        proto = _inlined(proto)
    if shapes:
        proto = set_input_shapes(proto, shapes)
    return _Importer(proto, path).run()


def _inlined(proto: onnx.ModelProto) -> onnx.ModelProto:
    import onnx.inliner

    try:
        return onnx.inliner.inline_local_functions(proto)
    except Exception as error:
        raise ModelError(f"the model's functions cannot be expanded: {error}") from error


class _Importer:
    def __init__(self, proto: onnx.ModelProto, path: Path | None) -> None:
        self.proto = proto
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
        self.fill(graph, self.proto.graph, inferred_graph(self.proto), {})
        upgrade(graph)
        make_scalars(graph)
        try:
            verify(graph, types=False)
        except VerifyError as error:
            raise ModelError(error.message, where=self.where) from None
        return graph

    def fill(
        self, graph: Graph, proto: onnx.GraphProto, inferred: onnx.GraphProto, outer: dict[str, Value]
    ) -> None:
        scope = dict(outer)
        types = value_types(inferred)
        initialized = {t.name for t in proto.initializer} | {t.values.name for t in proto.sparse_initializer}
        for tensor in proto.initializer:
            scope[tensor.name] = graph.named_constant(read_tensor(tensor, self.folder), tensor.name)
        for sparse in proto.sparse_initializer:
            scope[sparse.values.name] = self.sparse_constant(graph, sparse)
        for entry in proto.input:
            if entry.name not in initialized:
                scope[entry.name] = graph.add_input(read_type(entry.type), entry.name)
        for node, typed in zip(proto.node, inferred.node, strict=True):
            self.add_node(graph, node, typed, scope, types)
        outputs = [self.lookup(scope, o.name, f"output of graph {proto.name!r}") for o in proto.output]
        graph.set_outputs(outputs, [o.name for o in proto.output])

    def sparse_constant(self, graph: Graph, sparse: onnx.SparseTensorProto) -> Value:
        from y10c.frontend.sparse import dense

        return graph.named_constant(dense(sparse, self.folder), sparse.values.name)

    def add_node(
        self,
        graph: Graph,
        node: onnx.NodeProto,
        typed: onnx.NodeProto,
        scope: dict[str, Value],
        types: Mapping[str, Type | None],
    ) -> None:
        label = f'{self.where}: node "{node.name or node.op_type}"'
        operands = [self.lookup(scope, n, label) if n else None for n in node.input]
        if node.op_type == "Constant" and not node.domain and self.constant(graph, node, scope):
            return

        bodies = nested_graphs(typed)

        def nested(proto: onnx.GraphProto) -> Graph:
            inner = Graph(proto.name, parent=graph)
            self.fill(inner, proto, next(bodies), scope)
            return inner

        op = Op(
            _op_name(node),
            operands,
            Attrs({a.name: read_attribute(a, nested, self.folder) for a in node.attribute}),
            [types.get(n) for n in node.output],
            result_names=list(node.output),
            location=node.name,
        )
        graph._insert_before(op, graph.terminator)
        for name, value in zip(node.output, op.results, strict=True):
            if name and name in scope:
                raise ModelError(f"{name!r} is defined twice", where=label)
            if name:
                scope[name] = value

    def constant(self, graph: Graph, node: onnx.NodeProto, scope: dict[str, Value]) -> bool:
        from y10c.frontend.sparse import constant_tensor

        tensor = constant_tensor(node, self.folder)
        if tensor is None:
            return False
        scope[node.output[0]] = graph.named_constant(tensor, node.output[0])
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


def _op_name(node: onnx.NodeProto) -> str:
    return f"{node.domain}::{node.op_type}" if node.domain not in ("", "ai.onnx") else node.op_type
