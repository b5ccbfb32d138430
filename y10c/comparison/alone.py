"""The candidate cut at every compared tensor: each node's own loss, without that of its predecessors."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import onnx
from numpy.typing import NDArray

from y10c.calib.session import ExposedSession, model_copy
from y10c.comparison.matching import Pair
from y10c.comparison.sides import Side

PREFIX = "y10c/reference/"
"""Of the inputs that stand for the reference's tensors."""


class Alone:
    """Runs some of the candidate's nodes on the reference's tensors.

    A compared tensor is then what its own node makes of perfect inputs, with the candidate's weights and its
    own rounding.

    Args:
        candidate: The model to judge.
        pairs: All tensors that can be compared: where nodes are cut from each other.
        wanted: The pairs whose tensors are asked for.
        threads: Threads inside a run.

    Attributes:
        inputs: The candidate's own inputs that these nodes read.
    """

    def __init__(
        self, candidate: Side, pairs: Collection[Pair], wanted: Collection[Pair], *, threads: int = 1
    ) -> None:
        names = list(dict.fromkeys(pair.candidate for pair in wanted))
        model = cut_model(candidate, pairs, names)
        fed = {one.name for one in model.graph.input}
        by_name = {PREFIX + pair.candidate: pair for pair in pairs}
        self._stand_ins = {name: pair for name, pair in by_name.items() if name in fed}
        self.inputs = [name for name in candidate.inputs if name in fed]
        self._session = ExposedSession(model, names, threads=threads)

    @property
    def needed(self) -> list[str]:
        """The reference's tensors that a run needs."""
        return list(dict.fromkeys(pair.reference for pair in self._stand_ins.values()))

    def run(
        self, reference: Mapping[str, NDArray[Any]], inputs: Mapping[str, NDArray[Any]]
    ) -> dict[str, NDArray[Any]]:
        """The wanted tensors by the candidate's names.

        Args:
            reference: At least the needed tensors, by the reference's names.
            inputs: At least what of the candidate's own `inputs` these nodes read.
        """
        given = {
            name: pair.expected(reference[pair.reference]).astype(pair.element.numpy, copy=False)
            for name, pair in self._stand_ins.items()
        }
        return self._session.run({**given, **{name: inputs[name] for name in self.inputs}})


def cut_model(candidate: Side, pairs: Collection[Pair], wanted: Collection[str]) -> onnx.ModelProto:
    """The part of the candidate that makes some tensors of the reference's tensors.

    Each compared tensor becomes an input `y10c/reference/NAME`, and whoever read the tensor reads that input;
    inputs of the model itself keep their names.
    """
    model: onnx.ModelProto = model_copy(candidate.source)
    graph = model.graph
    inputs = {one.name: one for one in graph.input}
    elements = {pair.candidate: pair.element for pair in pairs if pair.candidate not in inputs}
    for node in graph.node:
        for index, name in enumerate(node.input):
            if name in elements:
                node.input[index] = PREFIX + name
    kept = list(_needed_nodes(graph, wanted))[::-1]
    read = dict.fromkeys(name for node in kept for name in _reads(node))
    del graph.node[:], graph.input[:], graph.output[:]
    graph.node.extend(kept)
    graph.output.extend(onnx.ValueInfoProto(name=name) for name in wanted if name not in inputs)
    graph.input.extend(entry for name, entry in inputs.items() if name in read or name in wanted)
    for name, element in elements.items():
        if PREFIX + name in read:
            graph.input.add(name=PREFIX + name).type.tensor_type.elem_type = element.value
    return model


def _needed_nodes(graph: onnx.GraphProto, wanted: Collection[str]) -> Iterator[onnx.NodeProto]:
    """What some tensors are made of, last first."""
    needed = set(wanted)
    for node in reversed(list(graph.node)):
        if needed.intersection(node.output):
            needed.update(_reads(node))
            copy = onnx.NodeProto()
            copy.CopyFrom(node)
            yield copy


def _reads(node: onnx.NodeProto) -> Iterator[str]:
    """The names that a node reads, those of the outer graph in its subgraphs among them."""
    yield from (name for name in node.input if name)
    for attribute in node.attribute:
        for inner in (attribute.g, *attribute.graphs):
            for nested in inner.node:
                yield from _reads(nested)
            yield from (one.name for one in inner.output)
