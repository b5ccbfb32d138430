"""Mixed precision: which tensors get 16 bits where a multiply-accumulate reads them.

The gain of a tensor is what quantizing it alone to 8 bits does to the outputs; its cost are the MACs of all
that read it. A knapsack takes the greatest gain within a share of the MACs, or within a growth of latency.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from y10c.calib.feeds import Feeds
from y10c.cost.extract import layers_of
from y10c.cost.machine import Machine
from y10c.cost.model import estimate
from y10c.cost.precision import macs_of
from y10c.cost.workload import Workload
from y10c.detect.head_info import HeadInfo
from y10c.diagnostics import warn
from y10c.errors import ConfigError, ModelError, UnknownNameError
from y10c.ir.graph import Graph
from y10c.ir.value import Op, Value
from y10c.passes.int8.output_error import output_error
from y10c.passes.int8.sensitivity import Effort, Trial, measure, telling
from y10c.passes.observe.calibrate import Sketches, group_sketch
from y10c.passes.observe.ranges import Ranges, RangeSearch, may_be_masked
from y10c.quant.knapsack import Candidate, choose
from y10c.quant.plan import QuantPlan
from y10c.rewrite.passes import Pass, PassContext

FORMAT = "y10c-mixed"

EFFORTS = {
    "fast": Effort(looked=8, least=2, most=6, passes=1.2),
    "default": Effort(looked=20, least=4, most=8, passes=1.6),
    "best": Effort(looked=60, least=12, most=30, passes=8.0),
}
"""What sensitivity is measured on. fitted: see benchmarks/sensitivity.py."""

LATENCY_STEPS = 8
"""Halvings of the share of MACs that a bound on latency is found by."""


@dataclass(frozen=True)
class Row:
    """A tensor that could be wide.

    Args:
        tensor: Its name.
        nodes: The products that read it.
        gain: Error of the outputs where it alone has 8 bits; None where nothing was measured.
        macs: Of those nodes.
        bits: What it got.
        why: In words.
    """

    tensor: str
    nodes: tuple[str, ...]
    gain: float | None
    macs: int
    bits: int
    why: str


@dataclass(frozen=True)
class Precision:
    """What mixed precision chose.

    Args:
        rows: Every tensor that a product reads, the greatest gain first.
        macs: MACs with a 16-bit operand.
        total: MACs of all integer ops.
    """

    rows: tuple[Row, ...]
    macs: int
    total: int

    @property
    def share(self) -> float:
        """Share of MACs with a 16-bit operand."""
        return self.macs / self.total if self.total else 0.0

    @property
    def wide(self) -> tuple[Row, ...]:
        """The rows that got 16 bits."""
        return tuple(row for row in self.rows if row.bits == 16)

    def to_json(self) -> str:
        """The choice as the file that `--mixed FILE` takes."""
        content = {
            "format": FORMAT,
            "int16": [row.tensor for row in self.wide],
            "share": self.share,
            "tensors": [asdict(row) for row in self.rows],
        }
        return json.dumps(content, indent=1) + "\n"


@dataclass(frozen=True)
class ChoosePrecision(Pass):
    """Give 16 bits to the tensors whose 8 bits cost the outputs most, within a budget.

    Args:
        auto: Measure, where there is data of the application; else only what is named gets 16 bits.
        share: Greatest share of MACs with a 16-bit operand.
        latency: Greatest relative growth of the latency instead.
        effort: Decides how many samples the measurement takes.
        file: A JSON file that names tensors or nodes under `int16`.
        int16: Tensors or nodes that get 16 bits whatever is measured.
        int8: Tensors or nodes that never do.
    """

    name: ClassVar[str] = "choose-precision"
    requires: ClassVar[frozenset[str]] = frozenset({"Calibrated"})

    auto: bool = True
    share: float = 0.1
    latency: float | None = None
    effort: str = "default"
    file: Path | None = None
    int16: tuple[str, ...] = ()
    int8: tuple[str, ...] = ()

    def run(self, graph: Graph, context: PassContext) -> None:
        """Leave `Precision` in the context, and widen edges of the plan and their ranges."""
        plan: QuantPlan = context.tables[QuantPlan]
        wide = plan.scheme.wide
        asked = (*self.int16, *(read_file(self.file) if self.file is not None else ()))
        if wide is None:
            if asked:
                raise UnknownNameError(
                    "16-bit type of the target", "int16", [plan.scheme.activation.dtype.name]
                )
            return
        narrow = named_groups(plan, self.int8, "node types")
        if not self.auto and not asked:
            return
        named = named_groups(plan, asked, str(self.file or "--mixed"))
        measured = self.auto and not context.tables[Feeds].synthetic
        trials = self.trials(context, (*named, *narrow)) if measured else []
        gains = self._measured(graph, plan, trials, context) if trials else {}
        macs = _macs(plan, graph)
        budget = _Budget(plan, gains, named, macs)
        chosen = budget.within(self._share(graph, budget, context))
        context.tables[Precision] = _report(plan, gains, chosen, named, macs)
        plan.set_grid(chosen, wide)
        _widen_ranges(plan, chosen, context)

    def trials(self, context: PassContext, without: Collection[Value] = ()) -> list[Trial]:
        """One for each group of 8-bit tensors that a product reads, with the group as its tag.

        Args:
            context: With the plan and the ranges.
            without: Groups that are decided anyway.
        """
        plan: QuantPlan = context.tables[QuantPlan]
        ranges: Ranges = context.tables[Ranges]
        return [Trial(_grids(plan, g, ranges), g) for g in _candidates(plan, without)]

    def _measured(
        self, graph: Graph, plan: QuantPlan, trials: list[Trial], context: PassContext
    ) -> dict[Value, float]:
        effort = EFFORTS[self.effort]
        model = graph.to_onnx()
        error = output_error(plan.exits, context.tables.get(HeadInfo))
        feeds = telling(model, context, error, effort.looked, effort.most)
        macs = _macs(plan, graph)
        samples = [effort.samples(share_behind(plan, trial.tag, macs)) for trial in trials]
        return measure(model, trials, feeds, error, samples)

    def _share(self, graph: Graph, budget: _Budget, context: PassContext) -> float:
        """The share of MACs that may be 16-bit: as asked, or as much as the latency allows."""
        if self.latency is None:
            return self.share
        machine: Machine | None = context.tables.get(Machine)
        if machine is None:
            raise ConfigError("the target models no latency", help="bound the MACs with --int16-macs instead")
        base = layers_of(graph)
        low, high = 0.0, 1.0
        for _ in range(LATENCY_STEPS):
            middle = (low + high) / 2
            wide = _widened(base, budget.tensors(middle))
            slower = latency_ms(wide, machine) / latency_ms(base, machine) - 1
            low, high = (middle, high) if slower <= self.latency else (low, middle)
        return low


@dataclass(frozen=True)
class _Budget:
    """What a share of the MACs buys.

    Args:
        plan: The plan.
        gains: Of each group that may be chosen.
        named: Groups that get 16 bits whatever they cost.
        macs: Of every product.
    """

    plan: QuantPlan
    gains: Mapping[Value, float]
    named: list[Value]
    macs: Mapping[Op, int]

    def within(self, share: float) -> list[Value]:
        """The groups that get 16 bits."""
        spent = {op for group in self.named for op in self.plan.macs_readers(group)}
        budget = int(share * sum(self.macs.values())) - sum(self.macs[op] for op in spent)
        if budget <= 0:
            return self.named
        groups = {self.plan.source_name(g): g for g in self.gains}
        candidates = [Candidate(name, self.gains[g], self._cost(g, spent)) for name, g in groups.items()]
        return [*self.named, *(groups[name] for name in choose(candidates, budget).names)]

    def tensors(self, share: float) -> set[str]:
        """The names of all tensors of those groups."""
        groups = self.plan.groups
        return {edge.value.name for group in self.within(share) for edge in groups[group]}

    def _cost(self, group: Value, spent: Collection[Op]) -> dict[str, int]:
        readers = self.plan.macs_readers(group)
        return {op.results[0].name: self.macs[op] for op in readers if op not in spent}


def latency_ms(workload: Workload, machine: Machine) -> float:
    """Milliseconds of one inference by the cost model."""
    return estimate(workload, machine).summary.latency_ms


def read_file(path: Path) -> tuple[str, ...]:
    """The tensors or nodes that a file gives 16 bits.

    Raises:
        ConfigError: The file is missing, no JSON, or names nothing under `int16`.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"the file of --mixed cannot be read: {error.strerror}", where=str(path)) from None
    except ValueError as error:
        raise ConfigError(f"the file of --mixed is no JSON: {error}", where=str(path)) from None
    names = content.get("int16") if isinstance(content, dict) else None
    if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
        raise ConfigError(
            'the file of --mixed has no list of names under "int16"',
            where=str(path),
            help='write {"int16": ["tensor", …]}, as PREFIX_mixed.json of a compilation has it',
        )
    return tuple(names)


def named_groups(plan: QuantPlan, names: Iterable[str], where: str) -> list[Value]:
    """The groups of tensors that are named, or that named nodes read.

    Raises:
        UnknownNameError: The plan knows no such tensor or node.
    """
    tensors = {n: e.group for e in plan.edges for n in (e.value.name, *e.value.lineage)}
    nodes: dict[str, list[Value]] = {}
    for edge in plan.edges:
        for use in edge.readers:
            nodes.setdefault(use.op.location, []).append(edge.group)
    found: dict[Value, None] = {}
    for name in names:
        groups = [tensors[name]] if name in tensors else nodes.get(name)
        if groups is None:
            raise UnknownNameError("tensor or node", name, [*tensors, *nodes], where=where)
        found.update(dict.fromkeys(groups))
    return list(found)


def share_behind(plan: QuantPlan, group: Value, macs: Mapping[Op, int]) -> float:
    """The share of the network's MACs that depends on the tensors of a group."""
    reached: set[Op] = set()
    left = [edge.value for edge in plan.groups[group]]
    while left:
        for user in left.pop().users:
            if user not in reached:
                reached.add(user)
                left.extend(user.results)
    return sum(n for op, n in macs.items() if op in reached) / max(1, sum(macs.values()))


def _candidates(plan: QuantPlan, without: Collection[Value]) -> list[Value]:
    """The 8-bit groups that a product reads."""
    wide = plan.scheme.wide
    return [
        group
        for group, edges in plan.groups.items()
        if group not in without
        and edges[0].grid != wide
        and not all(e.value.is_constant for e in edges)
        and plan.macs_readers(group)
    ]


def _macs(plan: QuantPlan, graph: Graph) -> dict[Op, int]:
    try:
        found = macs_of(graph)
    except ModelError:
        warn("Y5002", "the MACs are not known, so all products count alike in mixed precision")
        return {op: 1 for op, rules in plan.integer_ops.items() if rules.macs}
    return {op: n for op, n in found.items() if op in plan.integer_ops}


def _grids(plan: QuantPlan, group: Value, ranges: Ranges) -> dict[str, Any]:
    edges = plan.groups[group]
    found, grid = ranges[group], edges[0].grid
    params = grid.params(found.low, found.high)
    sources = [e.value.name for e in edges if plan.is_source(e) and not e.value.is_constant]
    return {name: (grid.dtype.bits, params) for name in sources}


def _widen_ranges(plan: QuantPlan, chosen: Collection[Value], context: PassContext) -> None:
    ranges: Ranges = context.tables[Ranges]
    groups = plan.groups
    for group in chosen:
        sketch = group_sketch(plan, groups[group], context.tables[Sketches])
        ranges[group] = RangeSearch().choose(
            sketch, groups[group][0].grid, masked=may_be_masked(groups[group])
        )


def _report(
    plan: QuantPlan,
    gains: Mapping[Value, float],
    chosen: Collection[Value],
    named: Collection[Value],
    macs: Mapping[Op, int],
) -> Precision:
    rows = []
    for group in sorted({*gains, *chosen}, key=lambda g: (-gains.get(g, float("inf")), plan.source_name(g))):
        readers = plan.macs_readers(group)
        cost = sum(macs[op] for op in readers)
        why = (
            "asked for"
            if group in named
            else "gain worth its MACs"
            if group in chosen
            else "MACs not worth it"
        )
        wide = 16 if group in chosen else 8
        rows.append(
            Row(plan.source_name(group), tuple(map(_label, readers)), gains.get(group), cost, wide, why)
        )
    wide_ops = {op for group in chosen for op in plan.macs_readers(group)}
    return Precision(tuple(rows), sum(macs[op] for op in wide_ops), sum(macs.values()))


def _label(op: Op) -> str:
    return op.location or op.results[0].name


def _widened(base: Workload, wide: set[str]) -> Workload:
    maps = tuple(replace(m, bits=16) if m.name in wide else m for m in base.maps)
    indices = {m.index for m in base.maps if m.name in wide}
    layers = tuple(
        replace(x, activation_bits=16) if x.geometry and indices & {r.map for r in x.reads} else x
        for x in base.layers
    )
    return replace(base, maps=maps, layers=layers)
