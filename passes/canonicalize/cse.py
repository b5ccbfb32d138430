"""Common subexpressions: ops of one name over the same operands with the same attributes are one op."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from y10c.ir.graph import Graph
from y10c.ir.tensor import Tensor
from y10c.ir.value import Op, Value
from y10c.ops.registry import find_spec
from y10c.ops.spec import Trait
from y10c.rewrite import Rewriter
from y10c.rewrite.passes import Pass, PassContext


@dataclass(frozen=True)
class MergeCommonSubexpressions(Pass):
    """Merge ops, and constants, that are equal."""

    name: ClassVar[str] = "cse"

    def run(self, graph: Graph, context: PassContext) -> None:
        """One walk in topological order suffices: operands are merged before their readers."""
        rewriter = Rewriter(graph, context.listeners, by=self.name)
        _merge_constants(rewriter, graph)
        _merge_ops(rewriter, graph)


def _merge_constants(rewriter: Rewriter, graph: Graph) -> None:
    """Data is hashed only where two constants have the same type and the same first and last bytes."""
    alike: dict[object, list[Value]] = {}
    for value in graph.constants:
        assert value.tensor is not None
        alike.setdefault(_glance(value.tensor), []).append(value)
    first: dict[str, Value] = {}
    for values in alike.values():
        for value in values if len(values) > 1 else ():
            assert value.tensor is not None
            kept = first.setdefault(value.tensor.digest, value)
            rewriter.replace_uses(value, kept)


GLANCE = 16
"""So many elements at either end tell most tensors of one type apart."""


def _glance(tensor: Tensor) -> object:
    flat = tensor.numpy().reshape(-1)
    ends = (*flat[:GLANCE].tolist(), *flat[-GLANCE:].tolist())
    return tensor.dtype, tensor.shape, repr(ends)


def _merge_ops(rewriter: Rewriter, graph: Graph) -> None:
    first: dict[object, Op] = {}
    for op in graph.ops:
        spec = find_spec(op.name)
        if spec is None or op.graphs or spec.has(Trait.random):
            continue
        key = (op.name, op.version, tuple(map(id, op.operands)), tuple(op.attrs.items()), len(op.results))
        kept = first.setdefault(key, op)
        if kept is not op:
            rewriter.replace(op, kept.results)


@dataclass(frozen=True)
class EraseDead(Pass):
    """Erase ops whose results nobody reads."""

    name: ClassVar[str] = "erase-dead"

    def run(self, graph: Graph, context: PassContext) -> None:
        """From the back to the front."""
        Rewriter(graph, context.listeners, by=self.name).erase_dead()
