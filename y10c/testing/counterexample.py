"""A graph that a rule breaks, as text for people and as ONNX for tools."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from y10c import atomic
from y10c.ir.graph import Graph
from y10c.ir.printer import print_graph
from y10c.ir.tensor import Array
from y10c.testing.exact import rounded
from y10c.testing.oracle import Problem


@dataclass(frozen=True)
class Counterexample:
    """What went in, what came out, and what is wrong with it.

    Args:
        before: The graph before the rewrite.
        after: The graph after it.
        feeds: One array per input, on which the two differ.
        problem: What does not hold.
        contexts: The adversarial contexts that the match stands in.
    """

    before: Graph
    after: Graph
    feeds: Mapping[str, Array]
    problem: Problem
    contexts: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """Number of ops, and of elements of inputs and constants."""
        constants = sum(v.tensor_type.elements for v in self.before.constants)
        return len(self.before), constants + sum(a.size for a in self.feeds.values())

    def text(self) -> str:
        """Both graphs and the feeds."""
        context = f" ({', '.join(self.contexts)})" if self.contexts else ""
        feeds = [f"  {n} = {np.array2string(a, threshold=24, separator=', ')}" for n, a in self.feeds.items()]
        parts = [
            f"before{context}:",
            print_graph(rounded(self.before)),
            "after:",
            _printed(self.after),
            "feeds:",
            *feeds,
        ]
        return "\n".join(p.rstrip() for p in parts)

    def save(self, folder: Path) -> Path:
        """Write `before.onnx`, `after.onnx` where it exports, and `counterexample.txt`; gives the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        atomic.write_text(folder / "counterexample.txt", f"{self.problem}\n{self.text()}\n")
        atomic.write_bytes(folder / "before.onnx", rounded(self.before).to_onnx().SerializeToString())
        try:
            after = rounded(self.after).to_onnx().SerializeToString()
        except Exception:  # a graph that a wrong rule broke need not export; the text has it
            return folder
        atomic.write_bytes(folder / "after.onnx", after)
        return folder


def _printed(graph: Graph) -> str:
    try:
        return print_graph(rounded(graph))
    except Exception as error:  # as above: printing what is broken may fail
        return f"  (cannot be printed: {error})"
