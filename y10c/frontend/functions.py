"""Functions of a model, expanded where they are called.

A function may import another opset than the model. So each call is read as a model of its own, which moves
its ops to the IR's forms by its own opset. (The inliner of the onnx package leaves calls across opsets as
they are, and forgets the defaults of attributes.)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import onnx

from y10c.backend.protos import type_proto
from y10c.errors import ModelError
from y10c.ir.value import Value
from y10c.ops.onnx_schema import find_schema

Key = tuple[str, str, str]


@dataclass(frozen=True)
class Functions:
    """The functions that a model's nodes may call.

    Args:
        protos: By domain, name and overload.
    """

    protos: Mapping[Key, onnx.FunctionProto]

    @classmethod
    def of(cls, proto: onnx.ModelProto) -> Functions:
        """Those of a model.

        Raises:
            ModelError: A function calls itself.
        """
        functions = cls({(_domain(f.domain), f.name, f.overload): f for f in proto.functions})
        functions._refuse_recursion()
        return functions

    def find(self, node: onnx.NodeProto) -> onnx.FunctionProto | None:
        """What a node calls, or None where it is an op.

        ONNX leaves open what a name means that an op of its own has too; as in onnxruntime it is the op.
        """
        if not _domain(node.domain) and find_schema(node.op_type) is not None:
            return None
        return self.protos.get((_domain(node.domain), node.op_type, node.overload))

    def body(self, node: onnx.NodeProto, operands: Iterable[Value | None]) -> onnx.ModelProto:
        """The called function as a model that takes the operands that are given."""
        function = self.protos[_domain(node.domain), node.op_type, node.overload]
        given = dict(zip(function.input, operands, strict=False))
        absent = {name for name in function.input if given.get(name) is None}
        graph = onnx.GraphProto(name=function.name, doc_string=function.doc_string)
        for name, value in given.items():
            if value is not None:
                graph.input.add(name=name).type.CopyFrom(type_proto(value.type))
        graph.output.extend(onnx.ValueInfoProto(name=n) for n in function.output)
        graph.value_info.extend(function.value_info)
        attributes = _attributes(node, function)
        graph.node.extend(_bound(n, attributes, absent) for n in function.node)
        return onnx.ModelProto(
            ir_version=onnx.IR_VERSION,
            opset_import=function.opset_import,
            graph=graph,
            functions=self._reachable(function),
        )

    def _calls(self, key: Key) -> Iterator[Key]:
        for node in _nodes(self.protos[key].node):
            called = self.find(node)
            if called is not None:
                yield _key(called)

    def _reachable(self, function: onnx.FunctionProto) -> list[onnx.FunctionProto]:
        found: dict[Key, None] = {}
        todo = list(self._calls(_key(function)))
        while todo:
            key = todo.pop()
            if key not in found:
                found[key] = None
                todo.extend(self._calls(key))
        return [self.protos[key] for key in found]

    def _refuse_recursion(self) -> None:
        """Walk the calls with a stack of our own, not Python's or onnx's, which would end."""
        done: set[Key] = set()
        for start in self.protos:
            path: dict[Key, Iterator[Key]] = {start: self._calls(start)}
            while path and start not in done:
                here = next(reversed(path))
                called = next(path[here], None)
                if called is None:
                    done.add(here)
                    del path[here]
                elif called in path:
                    raise ModelError(f"function {called[1]!r} calls itself", help="ONNX forbids recursion")
                elif called not in done:
                    path[called] = self._calls(called)


def _key(function: onnx.FunctionProto) -> Key:
    return _domain(function.domain), function.name, function.overload


def _domain(name: str) -> str:
    return "" if name == "ai.onnx" else name


def _nodes(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    for node in nodes:
        yield node
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                yield from _nodes(graph.node)


def _attributes(node: onnx.NodeProto, function: onnx.FunctionProto) -> dict[str, onnx.AttributeProto]:
    """What the function's attributes are in this call."""
    return {a.name: a for a in (*function.attribute_proto, *node.attribute)}


def _bound(
    node: onnx.NodeProto, attributes: Mapping[str, onnx.AttributeProto], absent: set[str]
) -> onnx.NodeProto:
    """A node of a function's body with the call's attributes, and without the operands that are not given."""
    bound = onnx.NodeProto()
    bound.CopyFrom(node)
    bound.input[:] = ["" if name in absent else name for name in node.input]
    del bound.attribute[:]
    for attribute in node.attribute:
        given = attributes.get(attribute.ref_attr_name) if attribute.ref_attr_name else attribute
        if given is not None:
            made: Any = bound.attribute.add()
            made.CopyFrom(given)
            made.name = attribute.name
            for graph in (*([made.g] if made.HasField("g") else []), *made.graphs):
                _bind_nodes(graph, attributes, absent)
    return bound


def _bind_nodes(
    graph: onnx.GraphProto, attributes: Mapping[str, onnx.AttributeProto], absent: set[str]
) -> None:
    nodes = [_bound(n, attributes, absent) for n in graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
