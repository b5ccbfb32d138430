"""Models under other names: what only worked by a name fails on them."""

from __future__ import annotations

import random
import string

import onnx


def scrambled(model: onnx.ModelProto, seed: int = 0) -> onnx.ModelProto:
    """A copy with every node, tensor, input and output named at random, those of nested graphs too.

    Args:
        model: It is not changed.
        seed: The same gives the same names.
    """
    copy, names = onnx.ModelProto(), _Names(random.Random(seed))
    copy.CopyFrom(model)
    _rename_graph(copy.graph, names)
    return copy


class _Names:
    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._known = {"": ""}

    def of(self, name: str) -> str:
        if name not in self._known:
            word = "".join(self._rng.choices(string.ascii_letters, k=12))
            self._known[name] = f"{word}{len(self._known)}"
        return self._known[name]


def _rename_graph(graph: onnx.GraphProto, names: _Names) -> None:
    for entry in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
        entry.name = names.of(entry.name)
    for sparse in graph.sparse_initializer:
        sparse.values.name = names.of(sparse.values.name)
    for node in graph.node:
        node.name = names.of(f"node {node.name}")
        node.input[:] = map(names.of, node.input)
        node.output[:] = map(names.of, node.output)
        for attribute in node.attribute:
            for nested in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                _rename_graph(nested, names)
