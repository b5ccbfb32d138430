"""ONNX out: the graph as a model in a chosen opset, with the same names and deterministic bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import EncodeError

from y10c import atomic
from y10c.backend.downgrade import lowered, opset_for
from y10c.backend.external import data_file, move_data_out, size_in_file
from y10c.backend.names import Namer
from y10c.backend.notes import write_annotation, write_node_notes, write_notes, write_value_notes
from y10c.backend.protos import attribute_proto, tensor_proto, type_proto
from y10c.backend.stream import Pending
from y10c.errors import OutputError
from y10c.ir.collector import collector_paused
from y10c.ir.graph import Graph
from y10c.ir.layouts import KEY as LAYOUTS
from y10c.ir.layouts import table_of, values_with_layout
from y10c.ir.tensor import Tensor
from y10c.ir.types import DType, TensorType
from y10c.ir.value import Op, Value
from y10c.ops.onnx_schema import find_schema
from y10c.ops.versions import OLDEST_OPSET

OLDEST_IR_VERSION = 4
"""Before it, every initializer had to be an input as well. Source: onnx docs/IR.md."""
IR_VERSION_OF_DTYPE = {
    DType.u4: 10,
    DType.i4: 10,
    DType.f4e2m1: 11,
    DType.f8e8m0: 12,
    DType.u2: 13,
    DType.i2: 13,
}
"""The IR version that brought an element type. Source: onnx docs/Versioning.md and onnx.proto."""

MAX_INLINE_BYTES = 1_800_000_000
"""Above this much data the weights go to a file beside the model: protobuf ends at 2 GiB."""


def export_model(
    graph: Graph, *, opset: int | None = None, metadata: Mapping[str, str] | None = None
) -> onnx.ModelProto:
    """The graph as an ONNX model.

    Args:
        graph: It is not changed.
        opset: Opset of ONNX's own domain; by default the imported one, raised where an op needs it.
        metadata: Entries added to the model's metadata.

    Raises:
        ModelError: An op does not exist in the opset asked for.
    """
    plain = lowered(graph)
    return _Exporter(plain, opset_for(plain, opset), tensor_proto).model(metadata or {})


def save(
    graph: Graph, path: str | Path, *, opset: int | None = None, metadata: Mapping[str, str] | None = None
) -> Path:
    """Write the graph as an ONNX file; the file appears whole or not at all.

    Weights of more than about 1.8 GB go to `NAME.data` beside it, and are never all in memory.

    Raises:
        OutputError: The file cannot be written.
    """
    target, plain = Path(path), lowered(graph)
    version = opset_for(plain, opset)
    weights = (*plain.constants, *plain.inputs)
    tensors = [t for v in weights if (t := v.tensor or plain.defaults.get(v)) is not None]
    if sum(map(size_in_file, tensors)) <= MAX_INLINE_BYTES:
        pending = Pending()
        model = _Exporter(plain, version, pending.store).model(metadata or {})
        with _too_large(target), atomic.file(target) as temporary, temporary.open("wb") as file:
            pending.write(model, file)
        return target
    with data_file(target) as data:
        return _write(_Exporter(plain, version, data.store).model(metadata or {}), target)


def save_model(model: onnx.ModelProto, path: str | Path) -> Path:
    """Write a model; weights of more than about 1.8 GB go to `NAME.data` beside it.

    Raises:
        OutputError: The file cannot be written.
    """
    target = Path(path)
    if sum(len(t.raw_data) for t in model.graph.initializer) <= MAX_INLINE_BYTES:
        return _write(model, target)
    with data_file(target) as data:
        return _write(move_data_out(model, data), target)


def _write(model: onnx.ModelProto, target: Path) -> Path:
    with _too_large(target):
        data = model.SerializeToString(deterministic=True)
    atomic.write_bytes(target, data)
    return target


@contextmanager
def _too_large(target: Path) -> Iterator[None]:
    try:
        yield
    except (EncodeError, ValueError) as error:
        raise OutputError(
            "the model without its weights is larger than the 2 GB that ONNX files can have",
            where=str(target),
            help="its large tensors are attributes of ops: make them initializers",
        ) from error


class _Exporter:
    """Writes one graph.

    Args:
        graph: In the form of the opset.
        opset: Of ONNX's own domain.
        store: Gives the message for a constant of a name.
    """

    def __init__(self, graph: Graph, opset: int, store: Callable[[Tensor, str], onnx.TensorProto]) -> None:
        self.graph = graph
        self.opset = opset
        self.store = store
        self.namer = Namer(graph)

    def model(self, metadata: Mapping[str, str]) -> onnx.ModelProto:
        with collector_paused():
            return self._model(metadata)

    def _model(self, metadata: Mapping[str, str]) -> onnx.ModelProto:
        info = self.graph.info
        model = onnx.ModelProto(
            ir_version=self.ir_version(),
            producer_name="y10c",
            doc_string=info.doc,
            domain=info.domain[0],
            model_version=info.domain[1],
        )
        for domain, version in sorted({**self.other_domains(), **info.opsets, "": self.opset}.items()):
            model.opset_import.add(domain=domain, version=version)
        self.fill(model.graph, self.graph)
        layouts = table_of((self.namer.name(v), v) for v in values_with_layout(self.graph))
        entries = {**info.metadata, **metadata, **({LAYOUTS: layouts} if layouts else {})}
        for key, value in sorted(entries.items()):
            model.metadata_props.add(key=key, value=value)
        return model

    def ir_version(self) -> int:
        """That of the imported file, or a later one where the opset or an element type needs it."""
        opset = onnx.helper.make_opsetid("", max(self.opset, OLDEST_OPSET))  # onnx lists no older ones
        values = (
            *self.graph.constants,
            *self.graph.inputs,
            *(r for o in self.graph.walk() for r in o.results),
        )
        dtypes = {v.type.dtype for v in values if isinstance(v.type, TensorType)}
        return max(
            OLDEST_IR_VERSION,
            onnx.helper.find_min_ir_version_for([opset]),
            min(self.graph.info.ir_version, onnx.IR_VERSION),
            *(IR_VERSION_OF_DTYPE.get(d, 0) for d in dtypes),
        )

    def other_domains(self) -> dict[str, int]:
        """Versions of the domains that rewrites may have brought in."""
        domains = {op.domain: op.name for op in self.graph.walk() if op.domain}
        schemas = {domain: find_schema(name) for domain, name in domains.items()}
        return {d: 1 if s is None else s.since_version for d, s in schemas.items()}

    def graph_proto(self, graph: Graph) -> onnx.GraphProto:
        proto = onnx.GraphProto()
        self.fill(proto, graph)
        return proto

    def fill(self, proto: onnx.GraphProto, graph: Graph) -> None:
        proto.name = graph.name or "graph"
        write_notes(proto, graph.notes)
        slots = self.namer.output_slots(graph)
        for value in graph.inputs:
            self.entry(proto.input, self.namer.name(value), value)
            if value in graph.defaults:
                proto.initializer.append(self.store(graph.defaults[value], self.namer.name(value)))
        if graph is self.graph:
            for constant in graph.constants:
                self.constant(proto, constant)
        for op in graph.ops:
            proto.node.append(self.node(op))
            for result in op.results:
                self.describe(proto, result, graph)
        for name, value in zip(graph.output_names, graph.outputs, strict=True):
            if self.namer.name(value) != name or (slots[name] is not value and graph is not self.graph):
                proto.node.add(
                    op_type="Identity",
                    name=f"y10c/output/{name}",
                    input=[self.namer.name(value)],
                    output=[name],
                )
            self.entry(proto.output, name, value)
        for value in (*graph.inputs, *(r for op in graph.ops for r in op.results)):
            write_annotation(proto, self.namer.name(value), value.notes)

    def constant(self, proto: onnx.GraphProto, value: Value) -> None:
        assert value.tensor is not None
        written = self.store(value.tensor, self.namer.name(value))
        write_notes(written, value.notes)
        proto.initializer.append(written)
        write_annotation(proto, written.name, value.notes)

    def describe(self, proto: onnx.GraphProto, value: Value, graph: Graph) -> None:
        name = self.namer.name(value)
        if value.type is not None and (value._uses or value.notes) and name not in graph.output_names:
            self.entry(proto.value_info, name, value)

    @staticmethod
    def entry(entries: Any, name: str, value: Value) -> None:
        entry = entries.add(name=name)
        entry.type.CopyFrom(type_proto(value.type))
        write_value_notes(entry, value.notes)

    def node(self, op: Op) -> onnx.NodeProto:
        node = onnx.NodeProto(op_type=op.kind, domain=op.domain, name=self.namer.node_name(op))
        node.input.extend("" if v is None else self.namer.name(v) for v in op.operands)
        node.output.extend(self.namer.result_name(r) for r in op.results)
        node.attribute.extend(attribute_proto(k, v, self.graph_proto) for k, v in op.attrs.items())
        write_node_notes(node, op.notes)
        return node
