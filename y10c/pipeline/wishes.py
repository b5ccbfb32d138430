"""What a config wants of single nodes, as types by node and tensor of the optimized graph."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from y10c.config.kinds import Name
from y10c.config.nodes import NodeWish
from y10c.config.quant import QuantConfig, Subgraph
from y10c.config.settings import Config
from y10c.diagnostics import warn
from y10c.ir.graph import Graph
from y10c.ir.value import Op
from y10c.passes.observe.calibrate import name_values
from y10c.quant.plan import QuantPlan

QUANT_CONFIG = "calibration_parameters.quant_config"
WIDTHS = {"int8": 0, "int16": 1, "float32": 2}
"""Types of nodes, the more precise the higher."""


@dataclass(frozen=True)
class Wanted:
    """What a config wants.

    Args:
        types: By tensor, and `float32` by node.
        named: Tensors whose node the user named, and did not just mean by its kind.
    """

    types: dict[str, str] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)

    def known(self, plan: QuantPlan) -> dict[str, str]:
        """The types that mean something: of tensors that are quantized, and of float nodes.

        Warns of named tensors that are wanted with 16 bits and pass between no two integer ops.
        """
        tensors = {name for edge in plan.edges for name in (edge.value.name, *edge.value.lineage)}
        known = {name: kind for name, kind in self.types.items() if kind == "float32" or name in tensors}
        lost = sorted(n for n in self.named - set(known) if self.types.get(n) == "int16")
        if lost:
            where = ", ".join(lost)
            warn("Y5007", f"16 bits have no effect on tensors that pass between no two integer ops: {where}")
        return known


def node_types(config: Config, graph: Graph) -> Wanted:
    """The type of each tensor for which the config wants one, and the nodes that it keeps float.

    `node_info` wins over `quant_config`, that over `run_on_cpu` and `run_on_bpu`, those over
    `optimization`. Where two nodes want different types of a tensor, the more precise one holds.

    Args:
        config: The config.
        graph: The optimized graph; its values get the names that they have in the file.
    """
    name_values(graph)
    wanted = Wanted()
    used: set[str] = set()
    for op in graph.ops:
        before = len(used)
        wish = _wish(config, op, used)
        for name, kind in _types_of(op, wish) if wish is not None else ():
            wanted.types[name] = max(kind, wanted.types.get(name, "int8"), key=WIDTHS.__getitem__)
            if len(used) > before:
                wanted.named.add(name)
    _tell_unused(config, used)
    return wanted


def _types_of(op: Op, wish: NodeWish) -> Iterator[tuple[str, str]]:
    said = [kind for kind in (wish.output, *wish.inputs.values()) if kind]
    if wish.on == "CPU" or any(kind.startswith("float") for kind in said):
        yield from [(op.location, "float32")] if op.location else []
        return
    if wish.output:
        yield from ((result.name, wish.output) for result in op.results)
    for index, value in enumerate(op.operands):
        kind = wish.input(index)
        if kind and value is not None and not value.is_constant:
            yield value.name, kind


def _wish(config: Config, op: Op, used: set[str]) -> NodeWish | None:
    names = {op.location, *(r.name for r in op.results)} - {""}
    levels = list(_wishes(config, op, names, used))
    if not levels:
        return None
    merged = levels[0]
    for level in levels[1:]:
        merged = merged.over(level)
    return merged


def _wishes(config: Config, op: Op, names: set[str], used: set[str]) -> Iterator[NodeWish]:
    """What is wanted of an op, the strongest first."""
    for wish in config["model_parameters.node_info"] or ():
        if wish.name in names:
            used.add(wish.name)
            yield wish
    quant: QuantConfig | None = config[QUANT_CONFIG]
    if quant is not None:
        said = names & set(quant.nodes)
        used |= said
        found = quant.wish(min(said, default=op.location), _type_name(op), _around(quant, op))
        yield from () if found is None else (found,)
    for key, place in (("run_on_cpu", "CPU"), ("run_on_bpu", "BPU")):
        for name in config.names(f"calibration_parameters.{key}"):
            if name in names:
                used.add(name)
                yield NodeWish(name, on=place)
    yield from _optimizations(config, op)


def _type_name(op: Op) -> str:
    return op.kind.removeprefix("y10c.")


def _optimizations(config: Config, op: Op) -> Iterator[NodeWish]:
    words = set(config["calibration_parameters.optimization"] or ())
    name = Name(op.location)
    if op.name == "Softmax":
        yield NodeWish(
            name,
            "int8" if "set_Softmax_output_int8" in words else None,
            {None: "int8"} if "set_Softmax_input_int8" in words else {},
        )
    if "set_all_nodes_int16" in words:
        yield NodeWish(name, "int16", {None: "int16"})


def _around(quant: QuantConfig, op: Op) -> tuple[Subgraph, ...]:
    return tuple(part for part in quant.subgraphs if _holds(part, op))


def _holds(part: Subgraph, op: Op) -> bool:
    """Whether an op lies between the ends of a subgraph, ends included; ends are nodes or tensors."""
    return _reaches(op, set(part.inputs), forward=False) and _reaches(op, set(part.outputs), forward=True)


def _reaches(op: Op, ends: set[str], forward: bool) -> bool:
    seen: set[Op] = set()
    stack = [op]
    while stack:
        one = stack.pop()
        values = one.results if forward else [v for v in one.operands if v is not None]
        if ends & {one.location, *(v.name for v in values)}:
            return True
        seen.add(one)
        nearby = (
            [u for v in values for u in v.users if not u.is_terminator]
            if forward
            else [v.producer for v in values if v.producer is not None]
        )
        stack += [each for each in nearby if each not in seen]
    return False


def _tell_unused(config: Config, used: set[str]) -> None:
    quant: QuantConfig | None = config[QUANT_CONFIG]
    wishes = [*(config["model_parameters.node_info"] or ()), *(quant.nodes.values() if quant else ())]
    named = [wish.name for wish in wishes]
    named += [
        n for key in ("run_on_cpu", "run_on_bpu") for n in config.names(f"calibration_parameters.{key}")
    ]
    for name in named:
        if name not in used:
            warn(
                "Y5007",
                f"{name!s} names no node of the optimized model, so it has no effect",
                where=str(name.place or config.path),
                help="names are those of *_optimized_float_model.onnx",
            )
