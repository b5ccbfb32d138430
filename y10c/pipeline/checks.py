"""Predicates on what a pipeline does to a graph: it crashes, it breaks the graph, it changes the numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from y10c.errors import UsageError, VerifyError, Y10cError
from y10c.ir.graph import Graph
from y10c.ir.tensor import Array
from y10c.ir.types import TensorType
from y10c.ir.value import Value
from y10c.quant.error import sqnr_db

DIFFERS = 1e-4
"""Outputs differ where the error exceeds this share of the output's largest number: float32 sums of the size
that networks have stay below it by an order of magnitude, wrong algebra does not. assumed."""

KINDS = ("crash", "verify", "differs", "sqnr")
OPEN_EXTENT = 2
"""What a symbolic extent is taken as where feeds are drawn."""


@dataclass(frozen=True)
class Check:
    """What counts as broken.

    Args:
        kind: `crash` (a pass raises), `verify` (a pass leaves an invalid graph), `differs` (an output
            moves by more than `bound` of its largest number, or is refused by onnxruntime), `sqnr` (an
            output's signal-to-noise ratio is below `bound` dB).
        bound: Of `differs` and `sqnr`.
    """

    kind: str
    bound: float = 0.0

    def __str__(self) -> str:
        return f"{self.kind}={self.bound:g}" if self.kind in ("differs", "sqnr") else self.kind

    @property
    def numeric(self) -> bool:
        """True where the check runs the graph."""
        return self.kind in ("differs", "sqnr")


def parse_check(text: str) -> Check:
    """`crash`, `verify`, `differs`, `differs=1e-3` or `sqnr=40` as a check.

    Raises:
        UsageError: The text is none of these.
    """
    kind, given, number = text.partition("=")
    bound = _number(number) if given else DIFFERS
    wants_number = kind == "sqnr" and not given
    if kind not in KINDS or bound is None or wants_number or (given and kind in ("crash", "verify")):
        raise UsageError(
            f"--check {text} is not understood", help="write crash, verify, differs, differs=1e-3 or sqnr=40"
        )
    return Check(kind, bound if kind in ("differs", "sqnr") else 0.0)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


@dataclass(frozen=True)
class Verdict:
    """What a check found.

    Args:
        broken: True where the predicate holds.
        why: One sentence with the numbers, or what went well.
        signature: Equal for failures of one kind, so that reduction does not slip from one to another.
    """

    broken: bool
    why: str
    signature: str = ""


Runner = Callable[[Graph], object]
"""Changes a graph in place; may raise."""


@dataclass
class Oracle:
    """Judges what a runner does to a graph, and keeps what the untouched graph computes.

    Args:
        check: What counts as broken.
        graph: The graph before; it is not changed.
        feeds: One array per input; drawn where None.
    """

    check: Check
    graph: Graph
    feeds: Mapping[str, Array] | None = None
    _expected: dict[str, Array] | str | None = field(default=None, repr=False)

    def judge(self, runner: Runner) -> Verdict:
        """Run on a clone and look."""
        changed = self.graph.clone()
        raised = _raised(runner, changed)
        if raised is not None:
            return self._of_error(raised)
        if not self.check.numeric:
            return Verdict(False, "the passes run and the graph is valid")
        return self._of_numbers(changed)

    def _of_error(self, error: Exception) -> Verdict:
        message = error.message if isinstance(error, Y10cError) else str(error)
        why = f"{type(error).__name__}: {(message.splitlines() or [''])[0]}"
        notes = getattr(error, "__notes__", [])
        rule = next((n.split(" (")[0] for n in notes if n.startswith("raised by the rule ")), "")
        kind = "verify" if isinstance(error, VerifyError) else "crash"
        broken = self.check.kind in (kind, "crash") or self.check.numeric
        return Verdict(broken, why, f"{kind} {type(error).__name__} {rule}")

    def _of_numbers(self, changed: Graph) -> Verdict:
        if self._expected is None:
            self.feeds = self.feeds if self.feeds is not None else draw_feeds(self.graph)
            self._expected = run_onnxruntime(self.graph, self.feeds)
        if isinstance(self._expected, str):
            return Verdict(False, f"the model does not run before any pass: {self._expected}", "unusable")
        assert self.feeds is not None
        actual = run_onnxruntime(changed, self.feeds)
        if isinstance(actual, str):
            return Verdict(True, f"onnxruntime refuses the result: {actual}", "refused")
        return compare(self.check, self._expected, actual)


def _raised(runner: Runner, graph: Graph) -> Exception | None:
    try:
        runner(graph)
    except UsageError:
        raise
    except Exception as error:  # whatever a pass raises is what is looked for
        return error
    return None


def compare(check: Check, expected: Mapping[str, Array], actual: Mapping[str, Array]) -> Verdict:
    """Two runs of one interface, output by output; the worst one is named."""
    if list(expected) != list(actual):
        return Verdict(True, f"outputs {list(expected)} became {list(actual)}", "interface")
    worst = Verdict(False, "the outputs agree")
    closest = -math.inf
    for name, before in expected.items():
        after = actual[name]
        if before.shape != after.shape or before.dtype != after.dtype:
            return Verdict(
                True,
                f"output {name} is {after.dtype}{list(after.shape)} now, not {before.dtype}"
                f"{list(before.shape)}",
                "type",
            )
        score, said = _score(check, before, after)
        if score > closest:
            closest, worst = score, Verdict(score > 0, f"output {name} {said}", check.kind)
    return worst


def _score(check: Check, before: Array, after: Array) -> tuple[float, str]:
    """How far an output lies beyond the bound (positive is broken), and the figure as words."""
    if check.kind == "sqnr":
        ratio = sqnr(before, after)
        return check.bound - ratio, f"has an SQNR of {ratio:.1f} dB, the bar is {check.bound:g} dB"
    error = relative_error(before, after)
    return error - check.bound, f"moved by {error:.3g} of its largest number, allowed {check.bound:g}"


def relative_error(before: Array, after: Array) -> float:
    """Greatest difference over the greatest finite magnitude; infinite where NaN or infinities differ."""
    if before.dtype.kind not in "fiub" or not before.size:
        return 0.0 if np.array_equal(before, after) else math.inf
    a, b = np.asarray(before, np.float64), np.asarray(after, np.float64)
    finite = np.isfinite(a)
    if not np.array_equal(finite, np.isfinite(b)) or not np.array_equal(
        a[~finite], b[~finite], equal_nan=True
    ):
        return math.inf
    scale = float(np.abs(a[finite]).max(initial=0))
    error = float(np.abs(a[finite] - b[finite]).max(initial=0))
    return error / scale if scale else (math.inf if error else 0.0)


def sqnr(before: Array, after: Array) -> float:
    """Signal power over the power of the difference, in dB; infinite for equal arrays, strings included."""
    if np.array_equal(before, after):
        return math.inf
    found = sqnr_db(before, after) if before.dtype.kind in "fiub" else -math.inf
    return found if math.isfinite(found) else -math.inf


def draw_feeds(graph: Graph, seed: int = 0) -> dict[str, Array]:
    """Normal floats, and integers of 0 and 1, for every input: equal for equal names, types and seeds.

    Raises:
        UsageError: The rank of an input is not known.
    """
    return {value.name: _drawn(value, seed) for value in graph.inputs}


def _drawn(value: Value, seed: int) -> Array:
    type = value.type
    if not isinstance(type, TensorType) or type.shape is None:
        raise UsageError(f"input {value.name!r} has no known shape", help="give --inputs FILE.npz")
    rng = np.random.default_rng([seed, *value.name.encode()])
    shape = [d if isinstance(d, int) else OPEN_EXTENT for d in type.shape]
    numpy: Any = type.dtype.numpy
    drawn = rng.standard_normal(shape) if type.dtype.is_float else rng.integers(0, 2, shape)
    return np.asarray(drawn).astype(numpy)


def run_onnxruntime(graph: Graph, feeds: Mapping[str, Array]) -> dict[str, Array] | str:
    """Outputs by name from onnxruntime without its optimizations, or the reason why it does not run."""
    from y10c.testing.oracle import run_onnxruntime as run

    found = run(graph, feeds)
    return found if isinstance(found, str) else {n: np.asarray(a) for n, a in found.items()}
