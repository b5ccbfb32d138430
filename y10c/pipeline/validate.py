"""The validation ladder: what is compared around every pass, and around every rewrite.

L0 verifier, L1 interface, L2 float64 references around each rewrite alone, L3 onnxruntime on the whole model
before and after each pass, L4 inner tensors by lineage: SQNR, and the difference in steps of an 8-bit grid.
Each level includes those below it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from y10c.errors import UnknownNameError, VisibleFailure
from y10c.ir.cut import Names, cut, outer_reads
from y10c.ir.graph import Graph
from y10c.ir.tensor import Array
from y10c.ir.types import DType, TensorType
from y10c.ir.value import Op, Value
from y10c.ops.reference import evaluate
from y10c.pipeline.checks import DIFFERS, Check, compare, draw_feeds, relative_error, run_onnxruntime, sqnr
from y10c.pipeline.manager import Instrument, PassRun
from y10c.rewrite.explain import levels
from y10c.rewrite.journal import label
from y10c.rewrite.passes import Pass, PassContext
from y10c.rewrite.rewriter import Listener
from y10c.rewrite.rule import Rule
from y10c.testing.oracle import interface_of, meaning_problem

LEVELS = ("L0", "L1", "L2", "L3", "L4")
MAX_ELEMENTS = 1 << 22
"""A rewrite on larger tensors is not run by the references, which would take minutes: L3 covers it."""
GRID_STEPS = 255
"""An 8-bit grid over a tensor's range has so many steps."""
MAX_STEPS = 0.5
"""A float pass that moves a tensor by more than half an 8-bit step changes its quantized form."""


class MeaningChanged(VisibleFailure):
    """A pass or a rewrite after which the graph computes something else."""


@dataclass
class Validation:
    """What was compared.

    Args:
        rewrites: Rewrites whose surroundings were run in float64.
        skipped: Rewrites that were not: shapes that are open or too large, ops without a reference.
        passes: Passes before and after which the model ran in onnxruntime.
        lowest_sqnr: The lowest SQNR of an inner tensor by lineage, in dB, with its name; L4.
        most_steps: The largest difference of an inner tensor in steps of its 8-bit grid, with its name; L4.
    """

    rewrites: int = 0
    skipped: int = 0
    passes: int = 0
    lowest_sqnr: tuple[float, str] = (math.inf, "")
    most_steps: tuple[float, str] = (0.0, "")

    def as_dict(self) -> dict[str, object]:
        """As the JSON object of `--json`."""
        return {
            "rewrites": self.rewrites,
            "skipped": self.skipped,
            "passes": self.passes,
            "lowest_sqnr_db": {"value": self.lowest_sqnr[0], "tensor": self.lowest_sqnr[1]},
            "most_steps": {"value": self.most_steps[0], "tensor": self.most_steps[1]},
        }


def level_of(name: str) -> int:
    """The number of a level.

    Raises:
        UnknownNameError: There is no such level.
    """
    if name not in LEVELS:
        raise UnknownNameError("validation level", name, list(LEVELS))
    return LEVELS.index(name)


class Validator(Instrument):
    """Compares around every pass up to a level; L0 is the manager's own verification.

    Args:
        level: 0 to 4.
        context: Its listeners get the one of L2.
        feeds: One array per input for L3 and L4; drawn where None.
    """

    def __init__(self, level: int, context: PassContext, feeds: Mapping[str, Array] | None = None) -> None:
        self.level = level
        self.feeds = feeds
        self.found = Validation()
        self._interface: object = None
        self._values: dict[str, Array] | str | None = None
        if level >= 2:
            context.listeners.append(_Surroundings(self.found))

    def before(self, each: Pass, graph: Graph) -> None:
        """Keep what must not change."""
        if self.level >= 1:
            self._interface = interface_of(graph)
        if self.level >= 3 and self._values is None:
            self.feeds = self.feeds if self.feeds is not None else draw_feeds(graph)
            self._values = self._run(graph)

    def after(self, each: Pass, graph: Graph, run: PassRun) -> None:
        """Compare.

        Raises:
            MeaningChanged: A level does not hold.
        """
        if self.level >= 1 and each.keeps_interface and interface_of(graph) != self._interface:
            raise MeaningChanged(
                f"the interface changed: {self._interface} became {interface_of(graph)}",
                where=f"pass {run.name}",
                rule="L1: names, types and order of inputs and outputs stay",
            )
        if self.level >= 3:
            before, self._values = self._values, self._run(graph)
            self._compare(each, graph, before, self._values, run)

    def _run(self, graph: Graph) -> dict[str, Array] | str:
        assert self.feeds is not None
        exposed = _exposed(graph) if self.level >= 4 else graph
        return run_onnxruntime(exposed, self.feeds)

    def _compare(
        self,
        each: Pass,
        graph: Graph,
        before: dict[str, Array] | str | None,
        after: dict[str, Array] | str,
        run: PassRun,
    ) -> None:
        if not isinstance(before, dict):
            return
        if isinstance(after, str):
            raise MeaningChanged(f"onnxruntime refuses the graph now: {after}", where=f"pass {run.name}")
        self.found.passes += 1
        if each.exact and each.keeps_interface:
            outputs = [{name: of[name] for name in graph.output_names} for of in (before, after)]
            verdict = compare(Check("differs", DIFFERS), *outputs)
            if verdict.broken:
                raise MeaningChanged(verdict.why, where=f"pass {run.name}", rule="L3: outputs in onnxruntime")
        if self.level >= 4:
            self._inner(each, before, after, run)

    def _inner(
        self, each: Pass, before: Mapping[str, Array], after: Mapping[str, Array], run: PassRun
    ) -> None:
        for name in before.keys() & after.keys():
            a, b = before[name], after[name]
            if a.shape != b.shape or a.dtype.kind != "f" or not a.size:
                continue
            ratio, steps = sqnr(a, b), relative_error(a, b) * GRID_STEPS
            self.found.lowest_sqnr = min(self.found.lowest_sqnr, (ratio, name))
            self.found.most_steps = max(self.found.most_steps, (steps, name))
            if steps > MAX_STEPS and each.exact:
                raise MeaningChanged(
                    f"tensor {name!r} moved by {steps:.3g} steps of its 8-bit grid (SQNR {ratio:.1f} dB)",
                    where=f"pass {run.name}",
                    rule=f"L4: at most {MAX_STEPS} steps for every tensor that survives by lineage",
                )


def _exposed(graph: Graph) -> Graph:
    """A copy in which every float tensor is an output under every ONNX name that it stands for."""
    copy = graph.clone()
    values, names, taken = list(copy.outputs), list(copy.output_names), set(copy.output_names)
    for value in (r for op in copy.ops for r in op.results):
        if isinstance(value.type, TensorType) and value.type.dtype.is_float:
            for name in value.lineage:
                if name not in taken:
                    taken.add(name)
                    values.append(value)
                    names.append(name)
    copy.set_outputs(values, names)
    return copy


class _Surroundings(Listener):
    """L2: what a rule replaced and what it put there, in float64 on numbers drawn at the boundary."""

    def __init__(self, found: Validation) -> None:
        self.found = found
        self.pairs: list[tuple[Value, Value]] = []
        self.new: set[Op] = set()

    def inserted(self, op: Op) -> None:
        self.new.add(op)

    def replaced(self, old: Value, new: Value) -> None:
        self.pairs.append((old, new))

    def fired(self, rule: Rule, root: Op) -> None:
        pairs = [(old, new) for old, new in self.pairs if old.producer is root]
        before, after = _surroundings(pairs, root, rule, self.new)
        self.pairs, self.new = [], set()
        problem = self.compared(before, after)
        if problem:
            raise MeaningChanged(
                f"the rewrite changes the meaning: {problem}\nbefore:\n{before}after:\n{after}".rstrip(),
                where=f"rule {rule.name} ({rule.source}) at {label(root)}",
                rule="L2: float64 references around the rewrite",
            )

    def compared(self, before: Graph, after: Graph) -> str:
        if not (_small(before) and _small(after)):
            self.found.skipped += 1
            return ""
        feeds = {**draw_feeds(after), **draw_feeds(before)}
        try:
            expected = evaluate(before, feeds, DType.f64)
            problem = meaning_problem(before, after, feeds, expected, exact=False)
        except Exception:  # an op of the part has no reference, or none for the numbers drawn
            self.found.skipped += 1
            return ""
        self.found.rewrites += 1
        return problem.message if problem is not None else ""


def _surroundings(
    pairs: list[tuple[Value, Value]], root: Op, rule: Rule, new: set[Op]
) -> tuple[Graph, Graph]:
    """The part of the graph that a rule can have seen, before and after, with the same values outside."""
    olds, news = [old for old, _ in pairs], [new for _, new in pairs]
    seen = _matched(root, levels(rule.pattern))
    names = Names()
    before = cut(_ordered(olds, seen), olds, names=names)
    after = cut(_ordered(news, seen | new), news, names=names)
    after.output_names = list(before.output_names)
    return before, after


def _matched(root: Op, names: list[set[str]]) -> set[Op]:
    """The root, and the ops behind it, erased ones too, that its pattern has a place for."""
    seen, layer = {root}, {root}
    for wanted in names[1:]:
        makers = {v.producer for op in layer for v in outer_reads(op)}
        layer = {op for op in makers if op is not None and op.name in wanted}
        seen |= layer
    return seen


def _ordered(values: list[Value], allowed: set[Op]) -> list[Op]:
    """The allowed ops that some values need, operands first."""
    order: dict[Op, None] = {}
    todo = [(v.producer, False) for v in reversed(values)]
    while todo:
        op, read = todo.pop()
        if op is None or op in order or op not in allowed:
            continue
        if read:
            order[op] = None
        else:
            todo.append((op, True))
            todo.extend((v.producer, False) for v in outer_reads(op))
    return list(order)


def _small(graph: Graph) -> bool:
    values = (*graph.inputs, *(r for op in graph.ops for r in op.results))
    types = [v.type for v in values]
    known = [t.elements for t in types if isinstance(t, TensorType) and t.is_static]
    return len(known) == len(types) and sum(known) <= MAX_ELEMENTS
