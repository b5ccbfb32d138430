"""What must hold after a rewrite: meaning, validity, interface, fixpoint, text form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np

from y10c.cost.precision import known_macs
from y10c.errors import Y10cError
from y10c.ir.equal import difference
from y10c.ir.graph import Graph
from y10c.ir.parser import parse_graph
from y10c.ir.printer import print_graph
from y10c.ir.tensor import Array, Tensor
from y10c.ir.types import DType, TensorType
from y10c.ir.value import Value
from y10c.ir.verify import verify
from y10c.ops.reference import evaluate, evaluate_op

ALGEBRA = 1e-9
"""Greatest difference in float64, relative to the output's largest number: rounding stays below 1e-12."""
ROUNDING_FACTOR = 8.0
"""Safety factor on the float32 error that random rounding of every result shows."""
LSB = 1
"""Greatest difference of quantized outputs: a tie may round either way."""
EIGHT_BITS_AND_MORE = frozenset({DType.i8, DType.u8, DType.i16, DType.u16})


@dataclass(frozen=True)
class Problem:
    """What does not hold.

    Args:
        kind: `crash`, `cycle`, `verify`, `interface`, `text`, `constant`, `float64`, `int8`, `cost`,
            `fixpoint` or `float32`.
        message: One sentence with the numbers.
    """

    kind: str
    message: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}"


def interface_of(graph: Graph) -> tuple[tuple[str, str, tuple[object, ...] | None], ...]:
    """Names, element types and shapes of inputs and outputs, in order."""
    outputs = zip(graph.output_names, graph.outputs, strict=True)
    named = [*((f"input {v.name}", v) for v in graph.inputs), *((f"output {n}", v) for n, v in outputs)]
    return tuple((name, *_kind(value)) for name, value in named)


def _kind(value: Value) -> tuple[str, tuple[object, ...] | None]:
    if not isinstance(value.type, TensorType):
        return str(value.type), None
    return value.type.dtype.name, value.type.shape


def interface_problem(before: Graph, after: Graph) -> Problem | None:
    """The first input or output whose name, place or type changed; more may be known of a type now."""
    old, new = interface_of(before), interface_of(after)
    for a, b in zip_longest(old, new):
        if a is None or b is None or a[0] != b[0] or not _refines(b[1:], a[1:]):
            return Problem("interface", f"{a} became {b}")
    return None


def _refines(new: tuple[Any, ...], old: tuple[Any, ...]) -> bool:
    """True where the two can be one type; an extent may also be known less well, as a Slice makes it."""
    (kind, shape), (was_kind, was) = new, old
    if "None" in (kind, was_kind):
        return True
    if kind != was_kind or was is None or shape is None:
        return bool(kind == was_kind)
    return len(shape) == len(was) and all(map(_may_be, shape, was))


def _may_be(new: object, old: object) -> bool:
    return new == old or not (isinstance(new, int) and isinstance(old, int))


def structure_problem(before: Graph, after: Graph) -> Problem | None:
    """The first of: an invalid graph, a changed interface, a text form that does not come back."""
    try:
        verify(after)
    except Y10cError as error:
        return Problem("verify", error.message)
    problem = interface_problem(before, after)
    if problem is not None:
        return problem
    side: dict[str, Tensor] = {}
    try:
        found = difference(after, parse_graph(print_graph(after, side), side))
    except Y10cError as error:
        found = error.message
    return Problem("text", found) if found else None


def cost_problem(before: Graph, after: Graph) -> Problem | None:
    """More multiplications than before: a value that others read too is computed twice, or a product grew.

    One op cut into several that do its work together is no problem. Where extents are open nothing is said.
    """
    work, more = known_macs(before), known_macs(after)
    if work is None or more is None or more <= work:
        return None
    return Problem("cost", f"{work} multiplications of convolutions and products became {more}")


def constant_problem(before: Graph, after: Graph) -> Problem | None:
    """A constant that is not a number, although all were before."""
    if _all_finite(before) and not _all_finite(after):
        return Problem("constant", "a constant is not finite")
    return None


def _all_finite(graph: Graph) -> bool:
    arrays = [np.asarray(v.numpy()) for v in graph.constants]
    return all(np.isfinite(a).all() for a in arrays if a.dtype.kind == "f")


def meaning_problem(
    before: Graph,
    after: Graph,
    feeds: Mapping[str, Array],
    expected: Mapping[str, Array] | None = None,
    *,
    exact: bool = True,
) -> Problem | None:
    """The first output in which two graphs differ under the float64 references.

    Elements that are not finite before are not compared: such a graph means nothing there.

    Args:
        before: The graph as it was.
        after: The graph as it is now.
        feeds: One array per input.
        expected: The outputs of `before` in float64, where they are known already.
        exact: No constant was rounded to float32; else the rounding bound of float32 holds.
    """
    expected = evaluate(before, feeds, DType.f64) if expected is None else expected
    try:
        actual = evaluate(after, feeds, DType.f64)
    except Exception as error:  # whatever a reference raises on a graph that is wrong
        return Problem("float64", f"the rewritten graph does not run: {type(error).__name__}: {error}")
    allowed = {} if exact else rounding_bound(after, feeds)
    for name, value in zip(after.output_names, after.outputs, strict=True):
        bound = max(allowed.get(name, 0.0), _scaled(expected[name], ALGEBRA))
        problem = _array_problem(name, expected[name], actual[name], value, bound)
        if problem is not None:
            return problem
    return None


def _array_problem(name: str, expected: Array, actual: Array, value: Value, bound: float) -> Problem | None:
    if expected.shape != actual.shape:
        return Problem("float64", f"output {name} has shape {list(actual.shape)}, not {list(expected.shape)}")
    if expected.dtype.kind == "f":
        return _float_problem("float64", name, expected, actual, bound)
    dtype = value.type.dtype if isinstance(value.type, TensorType) else None
    if dtype in EIGHT_BITS_AND_MORE:
        worst = int(np.max(np.abs(expected.astype(np.int64) - actual.astype(np.int64)), initial=0))
        return Problem("int8", f"output {name} is off by {worst} LSB") if worst > LSB else None
    if not np.array_equal(expected, actual):
        return Problem("float64", f"output {name} is {_short(actual)}, not {_short(expected)}")
    return None


def _scaled(expected: Array, relative: float) -> float:
    if expected.dtype.kind != "f":
        return relative
    finite = np.abs(expected[np.isfinite(expected)])
    return relative * float(max(1.0, finite.max(initial=0)))


def _float_problem(kind: str, name: str, expected: Array, actual: Array, bound: float) -> Problem | None:
    finite = np.isfinite(expected)
    with np.errstate(all="ignore"):
        error = np.abs(actual.astype(np.float64) - expected)
    error = np.where(np.isfinite(error), error, np.inf)[finite]
    worst = float(error.max(initial=0))
    if worst <= bound:
        return None
    at = int(np.argmax(error))
    was, now = expected[finite][at], actual[finite][at]
    return Problem(
        kind, f"output {name} is {now:.9g}, not {was:.9g}: off by {worst:.3g}, allowed {bound:.3g}"
    )


def _short(array: Array) -> str:
    return np.array2string(array, threshold=8, max_line_width=1000)


# --- float32 ---


def rounding_bound(graph: Graph, feeds: Mapping[str, Array], seed: int = 0) -> dict[str, float]:
    """What float32 rounding can do to each output, by name.

    Every op's result is perturbed in float64 by as much as its sums may round (their number of terms times
    half a float32 ulp of the largest operand); the largest change of the outputs over a few trials, times a
    safety factor, is the bound. Source: Monte Carlo arithmetic, Parker, UCLA CSD-970002 (1997).
    """
    exact = evaluate(graph, feeds, DType.f64)
    rng = np.random.default_rng(seed)
    bound = {n: _scaled(a, 2**-23) if a.dtype.kind == "f" else 0.0 for n, a in exact.items()}
    for _ in range(3):
        moved = _perturbed(graph, feeds, rng)
        for name, array in moved.items():
            if exact[name].dtype.kind == "f":
                finite = np.isfinite(exact[name]) & np.isfinite(array)
                worst = float(np.abs(array[finite] - exact[name][finite]).max(initial=0))
                bound[name] = max(bound[name], ROUNDING_FACTOR * worst)
    return bound


def _perturbed(graph: Graph, feeds: Mapping[str, Array], rng: np.random.Generator) -> dict[str, Array]:
    values: dict[Value, Array] = {v: _double(np.asarray(feeds[v.name])) for v in graph.inputs}

    def read(value: Value, exact: bool = False) -> Array:
        if value.tensor is None:
            return values[value]
        array = _double(np.asarray(value.tensor.numpy()))
        return array if exact else _moved(array, [], rng)

    for op in graph.ops:
        # Scales of a Resize and what a Range counts decide extents; they do not round.
        arrays = [
            None if v is None else read(v, op.name == "Range" or (op.name == "Resize" and i > 0))
            for i, v in enumerate(op.operands)
        ]
        with np.errstate(all="ignore"):
            found = evaluate_op(op, arrays)
        for result, array in zip(op.results, found, strict=True):
            values[result] = _moved(_double(array), arrays, rng)
    return {n: read(v) for n, v in zip(graph.output_names, graph.outputs, strict=True)}


def _double(array: Array) -> Array:
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def _moved(array: Array, operands: Sequence[Array | None], rng: np.random.Generator) -> Array:
    if array.dtype.kind != "f":
        return array
    known = [a for a in operands if a is not None and a.dtype.kind == "f" and a.size]
    terms = max([1.0, *(a.size / max(1, array.size) for a in known)])
    size = max([_scaled(array, 1.0), *(_scaled(a, 1.0) for a in known)])
    return array + rng.uniform(-1, 1, array.shape) * (2**-24 * terms * size)


def float32_problem(before: Graph, after: Graph, feeds: Mapping[str, Array]) -> Problem | None:
    """The first output of `after`, run by onnxruntime, that leaves the rounding bound around `before`.

    Graphs that onnxruntime does not implement, before as after, are passed over.
    """
    expected = evaluate(before, feeds, DType.f64)
    reference = run_onnxruntime(before, feeds)
    actual = run_onnxruntime(after, feeds)
    if isinstance(reference, str):
        return None
    if isinstance(actual, str):
        return Problem("float32", f"onnxruntime refuses the rewritten graph: {actual}")
    allowed_before, allowed = rounding_bound(before, feeds), rounding_bound(after, feeds)
    for name in after.output_names:
        if expected[name].dtype.kind != "f":
            continue
        with np.errstate(invalid="ignore"):
            drift = np.abs(reference[name].astype(np.float64) - expected[name])
        finite = np.isfinite(drift)
        # What onnxruntime does to the graph before is no fault of the rule.
        bound = max(allowed[name], allowed_before[name]) + 2 * float(drift[finite].max(initial=0))
        problem = _float_problem("float32", name, expected[name], actual[name], bound)
        if problem is not None:
            return problem
    return None


def run_onnxruntime(graph: Graph, feeds: Mapping[str, Array]) -> dict[str, Array] | str:
    """Outputs by name from onnxruntime without its optimizations, or the reason why it does not run."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    try:
        model = graph.to_onnx().SerializeToString()
        session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        names = [i.name for i in session.get_inputs()]
        found = session.run(None, {n: np.asarray(feeds[n]) for n in names})
    except Exception as error:  # onnxruntime's exceptions share no base class
        return str(error).splitlines()[0]
    return dict(zip(graph.output_names, map(np.asarray, found), strict=True))
