"""`assert_equivalent` for two graphs, `check_pass` for a whole pass."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from y10c.errors import RuleCheckError
from y10c.ir.graph import Graph
from y10c.ir.tensor import Array
from y10c.ir.types import TensorType
from y10c.ir.value import Value
from y10c.ops.sample import Draw
from y10c.rewrite.passes import Pass, PassContext, RulePass
from y10c.testing.check import (
    EXAMPLES,
    Change,
    Drawn,
    FromPattern,
    RuleReport,
    Source,
    explore,
    judge,
)
from y10c.testing.oracle import Problem, float32_problem, interface_problem, meaning_problem

SYMBOL_EXTENT = 2
"""What a symbolic extent is taken as where feeds are drawn."""


def assert_equivalent(
    before: Graph,
    after: Graph,
    feeds: Mapping[str, Array] | None = None,
    *,
    samples: int = 3,
    seed: int = 0,
) -> None:
    """Check that two graphs have one interface and one meaning.

    In float64 references the outputs may differ by 1e-9 of the largest number, in onnxruntime by what float32
    rounding can do to them, integers of 8 and 16 bits by one LSB, other integers not at all.

    Args:
        before: One graph.
        after: The other.
        feeds: One array per input; by default `samples` random ones.
        samples: How many sets of feeds are drawn.
        seed: The same seed draws the same feeds.

    Raises:
        RuleCheckError: They differ; the message says where and by how much.
    """
    changed = interface_problem(before, after)
    if changed is not None:
        raise RuleCheckError(f"the interface changed: {changed.message}")
    rng = np.random.default_rng(seed)
    for _ in range(samples if feeds is None else 1):
        drawn = feeds if feeds is not None else {v.name: _random(v, rng) for v in before.inputs}
        problem = _difference(before, after, drawn)
        if problem is not None:
            raise RuleCheckError(f"the graphs differ: {problem}")


def _difference(before: Graph, after: Graph, feeds: Mapping[str, Array]) -> Problem | None:
    # Files hold float32 constants that both graphs rounded in their own way.
    return meaning_problem(before, after, feeds, exact=False) or float32_problem(before, after, feeds)


def _random(value: Value, rng: np.random.Generator) -> Array:
    type = value.type
    if not isinstance(type, TensorType) or type.shape is None:
        raise RuleCheckError(f"input {value.name!r} has no known rank", help="give feeds")
    shape = [d if isinstance(d, int) else SYMBOL_EXTENT for d in type.shape]
    if type.dtype.is_float:
        return rng.standard_normal(shape).astype(type.dtype.numpy)
    return rng.integers(0, 2, shape).astype(type.dtype.numpy)


def check_pass(
    checked: Pass | type[Pass],
    *,
    examples: int = EXAMPLES,
    seed: int = 0,
    save_to: Path | str | None = None,
    shrink: bool = True,
) -> RuleReport:
    """Test a pass on graphs of its rules' patterns, all its rules at once, and on random models.

    Args:
        checked: A pass with its options, or its class for the default ones.
        examples: How many graphs are drawn in all.
        seed: The same seed draws the same graphs.
        save_to: Where a counterexample is written; None writes none.
        shrink: Make a counterexample as small as possible.

    Raises:
        WrongRewrite: With the smallest counterexample found.
        VacuousRule: A pass of rules hardly changed any graph of their patterns.
    """
    started = time.monotonic()
    one = checked() if isinstance(checked, type) else checked
    dearer = any(rule.dearer for rule in getattr(one, "rules", ()))
    trial = explore(_change(one), _graphs_for(one), examples, seed, shrink, dearer)
    if trial.failure is not None or isinstance(one, RulePass):
        judge(one.name, trial, "", save_to)
    seconds = time.monotonic() - started
    return RuleReport(
        one.name, trial.examples, trial.fired, dict(trial.contexts), len(trial.samples), seconds
    )


def _change(one: Pass) -> Change:
    def change(graph: Graph) -> int:
        context = PassContext()
        was = None if isinstance(one, RulePass) else str(graph)
        one.run(graph, context)
        return sum(context.applied.values()) if was is None else int(str(graph) != was)

    return change


def _graphs_for(one: Pass) -> Source:
    from y10c.testing.random_models import draw_model

    patterns = [FromPattern(rule) for rule in one.rules] if isinstance(one, RulePass) else []

    def source(draw: Draw) -> Drawn:
        which = draw.integer(0, len(patterns), "rule")
        if which < len(patterns):
            return patterns[which](draw)
        case = draw_model(draw)
        return Drawn(case.graph, case.feeds, ("random model",))

    return source
