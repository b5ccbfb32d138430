"""Nodes in an order in which each reads what stands before it: ONNX asks for it, some tools do not care."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import heapify, heappop, heappush

import onnx

from y10c.diagnostics import warn

OUT_OF_ORDER = "the nodes were not in the order that ONNX asks for, and were sorted"


def in_order(proto: onnx.ModelProto, where: str) -> onnx.ModelProto:
    """The model itself where its nodes are in order, else a copy in which they are, with a warning."""
    if not any(_is_mixed(graph) for graph in _graphs(proto.graph)):
        return proto
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    for graph in _graphs(copy.graph):
        nodes = list(graph.node)
        ordered = [onnx.NodeProto.FromString(nodes[i].SerializeToString()) for i in _sorted(nodes)]
        del graph.node[:]
        graph.node.extend(ordered)
    warn("Y5006", OUT_OF_ORDER, where=where)
    return copy


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """A graph behind those that are nested in it."""
    for node in graph.node:
        for attribute in node.attribute:
            for nested in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                yield from _graphs(nested)
    yield graph


def _is_mixed(graph: onnx.GraphProto) -> bool:
    """Whether a node reads what a later one of the same graph makes."""
    later = {name for node in graph.node for name in node.output if name}
    for node in graph.node:
        if not later.isdisjoint(_reads(node)):
            return True
        later.difference_update(node.output)
    return False


def _reads(node: onnx.NodeProto) -> Iterator[str]:
    yield from node.input
    for attribute in node.attribute:
        for nested in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
            yield from (o.name for o in nested.output)
            for inner in nested.node:
                yield from _reads(inner)


def _sorted(nodes: Sequence[onnx.NodeProto]) -> list[int]:
    """Places of the nodes in order, early ones first where there is a choice; those of a circle come last."""
    makers = {name: i for i, node in enumerate(nodes) for name in node.output if name}
    needs = [{makers[name] for name in _reads(node) if name in makers} for node in nodes]
    readers: list[list[int]] = [[] for _ in nodes]
    for i, wanted in enumerate(needs):
        for maker in wanted:
            readers[maker].append(i)
    ready = [i for i, wanted in enumerate(needs) if not wanted]
    heapify(ready)
    found: list[int] = []
    while ready:
        found.append(i := heappop(ready))
        for reader in readers[i]:
            needs[reader].discard(i)
            if not needs[reader]:
                heappush(ready, reader)
    done = set(found)
    return found + [i for i in range(len(nodes)) if i not in done]
