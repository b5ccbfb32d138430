"""ONNX out: the graph as a model in a chosen opset, with the same names and deterministic bytes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import onnx

from y10c import atomic
from y10c.backend.downgrade import lowered, opset_for
from y10c.backend.names import Namer
from y10c.backend.protos import attribute_proto, tensor_proto, type_proto
from y10c.ir.graph import Graph
from y10c.ir.types import TensorType
from y10c.ir.value import Op, Value

IR_VERSION_OF_OPSET = {
    7: 3,
    8: 3,
    9: 4,
    10: 5,
    11: 6,
    12: 7,
    13: 7,
    14: 7,
    15: 8,
    16: 8,
    17: 8,
    18: 8,
    19: 9,
    20: 9,
}
"""Source: onnx docs/Versioning.md; later opsets use version 10 and up as the onnx package says."""

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
    version = opset_for(plain, opset)
    written = _Exporter(plain, version).model()
    for key, value in sorted({**graph.info.metadata, **(metadata or {})}.items()):
        written.metadata_props.add(key=key, value=value)
    return written


def save(
    graph: Graph, path: str | Path, *, opset: int | None = None, metadata: Mapping[str, str] | None = None
) -> Path:
    """Write the graph as an ONNX file; the file appears whole or not at all.

    Raises:
        OutputError: The file cannot be written.
    """
    return save_model(export_model(graph, opset=opset, metadata=metadata), path)


def save_model(model: onnx.ModelProto, path: str | Path) -> Path:
    """Write a model; weights of more than about 1.8 GB go to `NAME.data` beside it.

    Raises:
        OutputError: The file cannot be written.
    """
    target = Path(path)
    if sum(len(t.raw_data) for t in model.graph.initializer) > MAX_INLINE_BYTES:
        from y10c.backend.external import move_data_out

        model = move_data_out(model, target.with_name(target.name + ".data"))
    atomic.write_bytes(target, model.SerializeToString(deterministic=True))
    return target


class _Exporter:
    def __init__(self, graph: Graph, opset: int) -> None:
        self.graph = graph
        self.opset = opset
        self.namer = Namer(graph)

    def model(self) -> onnx.ModelProto:
        info = self.graph.info
        model = onnx.ModelProto(
            ir_version=max(IR_VERSION_OF_OPSET.get(self.opset, 10), min(info.ir_version, 10)),
            producer_name="y10c",
            doc_string=info.doc,
            domain=info.domain[0],
            model_version=info.domain[1],
        )
        for domain, version in sorted({**info.opsets, "": self.opset}.items()):
            model.opset_import.add(domain=domain, version=version)
        model.graph.CopyFrom(self.graph_proto(self.graph))
        return model

    def graph_proto(self, graph: Graph) -> onnx.GraphProto:
        proto = onnx.GraphProto(name=graph.name or "graph")
        slots = self.namer.output_slots(graph)
        for value in graph.inputs:
            proto.input.add(name=self.namer.name(value)).type.CopyFrom(type_proto(value.type))
        if graph is self.graph:
            for constant in graph.constants:
                proto.initializer.append(tensor_proto(constant.tensor, self.namer.name(constant)))  # type: ignore[arg-type]
        for op in graph.ops:
            proto.node.append(self.node(op))
            for result in op.results:
                self.describe(proto, result, graph)
        for name, value in zip(graph.output_names, graph.outputs, strict=True):
            if slots[name] is not value or self.namer.name(value) != name:
                proto.node.add(
                    op_type="Identity",
                    name=f"y10c/output/{name}",
                    input=[self.namer.name(value)],
                    output=[name],
                )
            proto.output.add(name=name).type.CopyFrom(type_proto(value.type))
        return proto

    def describe(self, proto: onnx.GraphProto, value: Value, graph: Graph) -> None:
        name = self.namer.name(value)
        if isinstance(value.type, TensorType) and value._uses and name not in graph.output_names:
            proto.value_info.add(name=name).type.CopyFrom(type_proto(value.type))

    def node(self, op: Op) -> onnx.NodeProto:
        node = onnx.NodeProto(op_type=op.kind, domain=op.domain, name=self.namer.node_name(op))
        node.input.extend("" if v is None else self.namer.name(v) for v in op.operands)
        node.output.extend(self.namer.result_name(r) for r in op.results)
        node.attribute.extend(attribute_proto(k, v, self.graph_proto) for k, v in op.attrs.items())
        return node
