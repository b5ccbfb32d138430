"""The record of a rule: graphs on which it fires or does not, drawn once, kept, and demanded from then on.

The property test finds rules that do harm. A rule that does too little, with a condition one too strict,
breaks no graph; it only stops firing. One that does more than it did breaks a graph only where one is drawn
on which that is wrong. So graphs are drawn from a rule's pattern, and few and small ones are kept. Of those
on which it fires: what makes its conditions come out in a new way or has a new form. Of those that it turns
down: some for each condition or context that alone decided, as the negative tests of compilers. A rule that
does otherwise on a recorded graph, or does harm there, is a problem. After a wanted change the record is
drawn again, and the diff shows what the rule lost and won.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from y10c import atomic
from y10c.ir.graph import Graph
from y10c.ir.parser import parse_graph
from y10c.ir.printer import print_graph
from y10c.ir.tensor import Array, Tensor
from y10c.ir.types import DType, TensorType
from y10c.ops.infer import BuildError
from y10c.ops.reference import evaluate
from y10c.ops.sample import NoInstance
from y10c.rewrite.driver import rewrite
from y10c.rewrite.rule import Rule
from y10c.testing.check import FromPattern, would_fire
from y10c.testing.counterexample import Counterexample
from y10c.testing.draw import RandomDraw
from y10c.testing.exact import rounded
from y10c.testing.hazards import add_hazards
from y10c.testing.invert import Example, invert
from y10c.testing.oracle import Problem, cost_problem, meaning_problem, structure_problem
from y10c.testing.relax import relaxed
from y10c.testing.twist import may_twist
from y10c.testing.watch import Watched, watched

EXAMPLES = 600
MOST = 32
"""So many graphs on which it fires are kept of one rule, and so many others."""
EACH = 2
"""So many graphs are kept that one condition, demand of the pattern or context alone turns down."""
MOST_ELEMENTS = 400
"""A graph with larger constants is not kept."""


@dataclass(frozen=True)
class Recorded:
    """A graph, and whether a rule fires on it.

    Args:
        graph: The graph before the rewrite.
        shapes: What its inputs are fed with; types may say less.
        fires: The rule fires.
    """

    graph: Graph
    shapes: dict[str, tuple[int, ...]]
    fires: bool = True

    @property
    def size(self) -> tuple[int, int]:
        """Number of ops, and of elements of constants."""
        return len(self.graph), sum(v.tensor_type.elements for v in self.graph.constants)

    def feeds(self, seed: int = 0) -> dict[str, Array]:
        """Small positive numbers, which every op takes."""
        rng = np.random.default_rng(seed)
        feeds = {}
        for value in self.graph.inputs:
            dtype = value.tensor_type.dtype
            numbers = rng.integers(1, 5, self.shapes[value.name]) / (4 if dtype.is_float else 1)
            feeds[value.name] = numbers.astype(dtype.numpy)
        return feeds


Found = tuple[Recorded, set[Any]]
"""A graph, and what it shows of a rule."""


def draw_record(rule: Rule, *, examples: int = EXAMPLES, most: int = MOST) -> list[Recorded]:
    """Few small graphs that show all that was seen of a rule, those first on which it fires."""
    found = sorted(_tried(rule, examples), key=lambda pair: pair[0].size)
    fired = [pair for pair in found if pair[0].fires]
    return _varied(fired, most) + _turned_down([pair for pair in found if not pair[0].fires], most)


def _varied(found: list[Found], most: int) -> list[Recorded]:
    kept: list[Recorded] = []
    seen: set[Any] = set()
    for kinds in (_is_outcome, _is_single, _is_any):
        for one, features in found:
            new = {f for f in features if kinds(f)} - seen
            if new and len(kept) < most and one not in kept:
                kept.append(one)
                seen |= features
    return kept


def _turned_down(found: list[Found], most: int) -> list[Recorded]:
    """For each condition the smallest graphs that it alone turned down."""
    kept: list[Recorded] = []
    seen: Counter[Any] = Counter()
    for one, deciding in found:
        if any(seen[condition] < EACH for condition in deciding) and len(kept) < most:
            kept.append(one)
            seen.update(deciding)
    return kept


def _is_outcome(feature: Any) -> bool:
    return isinstance(feature, tuple) and isinstance(feature[0], tuple)


def _is_single(feature: Any) -> bool:
    return isinstance(feature, str)


def _is_any(feature: Any) -> bool:
    return True


def _tried(rule: Rule, examples: int) -> Iterator[Found]:
    watch, source = watched(rule), FromPattern(rule)
    looser = [replace(watch.rule, pattern=pattern) for pattern in relaxed(rule.pattern)]
    for seed in range(examples):
        draw = RandomDraw(seed)
        try:
            example = invert(draw, rule.pattern, source.hints, *([source.accepts] if seed % 2 else []))
            may_twist(draw, example)
            alone = _would_fire(rule, example)
            add_hazards(draw, example)
        except (NoInstance, BuildError):
            continue
        shapes = {v.name: example.static(v).static_shape for v in example.graph.inputs}
        one = Recorded(rounded(example.graph), shapes)
        if _small(one.graph) and _runs(one):
            yield from _shown(rule, watch, looser, example, one, alone)


def _shown(
    rule: Rule, watch: Watched, looser: Sequence[Rule], example: Example, one: Recorded, alone: bool
) -> Iterator[Found]:
    """What a graph shows of a rule, if anything. `alone`: it fired before the graph had a context."""
    watch.outcomes.clear()
    if _would_fire(watch.rule, example):
        yield one, forms_of(example) | watch.outcomes
        return
    deciding = _deciding(watch, looser, example)
    if alone and len(example.contexts) == 1:
        deciding |= set(example.contexts)
    if deciding and not rewrite(one.graph.clone(), [rule]).total:
        yield replace(one, fires=False), deciding


def _deciding(watch: Watched, looser: Sequence[Rule], example: Example) -> set[Any]:
    """The conditions and the demands of the pattern of which each alone turns an example down."""
    places = {place for place, _ in watch.outcomes}
    found: set[Any] = {index for index, rule in enumerate(looser) if _would_fire(rule, example)}
    for place in places:
        watch.negated = place
        if _would_fire(watch.rule, example):
            found.add(place)
    watch.negated = None
    return found


def _would_fire(rule: Rule, example: Example) -> bool:
    try:
        return would_fire(rule, example)
    except Exception:  # the property test reports what a rule raises
        return False


def _small(graph: Graph) -> bool:
    return all(v.tensor_type.elements <= MOST_ELEMENTS for v in graph.constants)


def _runs(one: Recorded) -> bool:
    try:
        evaluate(one.graph, one.feeds(), DType.f64)
    except Exception:  # a reference that fails on a drawn graph is no fault of the rule
        return False
    return True


def forms_of(example: Example) -> set[Any]:
    """What can be told apart of a match: attributes, operands that are there, ranks, types, contexts."""
    features: set[Any] = set(example.contexts) | set(example.forms)
    windows: list[tuple[int, ...]] = []
    for place, op in enumerate((example.root, *example.inner)):
        named = {f"{place} {k}={_kind(v)}" for k, v in op.attrs.items()}
        features |= named | set(combinations(sorted(named), 2))
        for index, value in enumerate(op.operands):
            type = None if value is None else value.type
            shape = (type.dtype.name, type.rank) if isinstance(type, TensorType) else None
            constant = value is not None and value.is_constant
            features.add(f"{place} operand {index} {shape} {constant}")
            if constant and isinstance(type, TensorType) and len(type.static_shape) > 2:
                windows.append(type.static_shape[2:])
    features.add(f"windows {windows}")
    return features


def _kind(value: Any) -> Any:
    """An attribute; of a list of numbers whether it is zeros, ones, or of several kinds."""
    return sorted(set(value)) if isinstance(value, tuple) else value


# --- files ---


def save_record(folder: Path, name: str, record: Sequence[Recorded]) -> Path:
    """Write the record of a rule; gives the file."""
    path = folder / f"{name}.json"
    entries = []
    for one in record:
        side: dict[str, Tensor] = {}
        text = print_graph(one.graph, side).splitlines()
        data = {digest: _written(tensor) for digest, tensor in side.items()}
        entry = {"graph": text, "shapes": one.shapes, **({"data": data} if data else {})}
        entries.append(entry if one.fires else {**entry, "fires": False})
    folder.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(entry) for entry in entries)
    atomic.write_text(path, f"[\n{lines}\n]\n")
    return path


def load_record(folder: Path, name: str) -> list[Recorded]:
    """The recorded graphs of a rule; none where it has no record."""
    path = folder / f"{name}.json"
    return [*map(_recorded, json.loads(path.read_text(encoding="utf-8")))] if path.is_file() else []


def _recorded(entry: dict[str, Any]) -> Recorded:
    side = {digest: _read(data) for digest, data in entry.get("data", {}).items()}
    graph = parse_graph("\n".join(entry["graph"]) + "\n", side)
    shapes = {name: tuple(shape) for name, shape in entry["shapes"].items()}
    return Recorded(graph, shapes, entry.get("fires", True))


def _written(tensor: Tensor) -> dict[str, Any]:
    array = tensor.numpy()
    return {"dtype": tensor.dtype.name, "shape": list(array.shape), "numbers": array.reshape(-1).tolist()}


def _read(written: dict[str, Any]) -> Tensor:
    dtype = DType[written["dtype"]]
    return Tensor.of(np.array(written["numbers"], dtype.numpy).reshape(written["shape"]))


# --- what is demanded ---


def record_problem(rule: Rule, record: Sequence[Recorded]) -> Counterexample | None:
    """The first recorded graph on which a rule does otherwise than recorded, or does harm."""
    return next((found for found in record_outcomes(rule, record) if found is not None), None)


def record_outcomes(rule: Rule, record: Sequence[Recorded]) -> Iterator[Counterexample | None]:
    """What a rule does to each recorded graph: None where it does as recorded and all is well."""
    for index, one in enumerate(record):
        before, after, feeds = one.graph.clone(), one.graph.clone(), one.feeds(index)
        problem = _problem(rule, one, after, feeds)
        yield None if problem is None else Counterexample(before, after, feeds, problem)


def _problem(rule: Rule, one: Recorded, after: Graph, feeds: dict[str, Array]) -> Problem | None:
    try:
        fired = rewrite(after, [rule]).applied[rule.name]
    except Exception as error:  # whatever a rule raises is its fault
        return Problem("crash", f"{type(error).__name__}: {error}")
    if not fired:
        return Problem("record", f"it does not fire on {_RECORDED}") if one.fires else None
    before = one.graph
    found = structure_problem(before, after) or (None if rule.dearer else cost_problem(before, after))
    found = found or meaning_problem(before, after, feeds, exact=False)
    return found or (None if one.fires else Problem("record", f"it fires on {_RECORDED}, where it did not"))


_RECORDED = "a graph of its record; if that is meant, draw it again"
