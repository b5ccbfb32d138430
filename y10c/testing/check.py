"""`check_rule`: everything that is derived from a rule, run; a wrong one comes back with a counterexample."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from y10c.errors import RewriteCycleError, RuleCheckError
from y10c.ir.graph import Graph
from y10c.ir.tensor import Array
from y10c.ir.types import DType
from y10c.ops.infer import BuildError
from y10c.ops.reference import evaluate
from y10c.ops.sample import NoInstance
from y10c.rewrite.driver import rewrite
from y10c.rewrite.rewriter import Rewriter
from y10c.rewrite.rule import Rule
from y10c.testing.counterexample import Counterexample
from y10c.testing.draw import HypothesisDraw
from y10c.testing.exact import has_rounded_constants, rounded
from y10c.testing.hazards import add_hazards
from y10c.testing.hints import hints_of
from y10c.testing.invert import CannotDraw, Example, invert
from y10c.testing.oracle import (
    Problem,
    constant_problem,
    cost_problem,
    float32_problem,
    meaning_problem,
    structure_problem,
)

if TYPE_CHECKING:
    from y10c.testing.proof import Proof

EXAMPLES = 100
VACUOUS = 0.1
"""A rule that fires on a smaller part of its own examples was not tested."""
FLOAT32_SAMPLES = 12
"""So many of the fired examples also run in onnxruntime."""
SHRINK_SECONDS = 8.0

Change = Callable[[Graph], int]
"""Rewrites a graph in place; gives the number of applications."""
Drawn = tuple[Graph, dict[str, Array], Sequence[str]]
Source = Callable[[Any], Drawn]
"""Draws a graph, its feeds and the names of its contexts from hypothesis' data."""


class WrongRewrite(RuleCheckError):
    """A rule or a pass that breaks a graph of its own pattern.

    Attributes:
        counterexample: The smallest found.
    """

    def __init__(self, name: str, counterexample: Counterexample, *, where: str, saved: Path | None) -> None:
        super().__init__(
            f"{name} is wrong: {counterexample.problem}\n{counterexample.text()}",
            where=where or None,
            help=f"the counterexample is in {saved}" if saved else None,
        )
        self.counterexample = counterexample


class VacuousRule(RuleCheckError):
    """A rule that hardly fires on the examples of its own pattern, so that nothing was tested."""


@dataclass(frozen=True)
class RuleReport:
    """What the derived tests of a rule did.

    Args:
        name: The rule.
        examples: Graphs drawn from its pattern.
        fired: Graphs that it changed.
        contexts: How many of the changed graphs were in which adversarial context.
        float32: Graphs that were also compared in onnxruntime.
        seconds: Time of it all.
        proof: The bounded proof, where one was tried.
    """

    name: str
    examples: int
    fired: int
    contexts: Mapping[str, int]
    float32: int
    seconds: float
    proof: Proof | None = None


class FromPattern:
    """Graphs drawn from a rule's pattern, in adversarial contexts."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.hints = hints_of(rule)

    def __call__(self, data: Any) -> Drawn:
        """One graph, its feeds, and the contexts that it is in."""
        draw = HypothesisDraw(data.draw)
        example = invert(draw, self.rule.pattern, self.hints, self.accepts)
        add_hazards(draw, example)
        return example.graph, example.feeds(draw), example.contexts

    def accepts(self, example: Example) -> bool:
        """True where the rule matches and does not decline, or raises; the example stays as it is."""
        rewriter = Rewriter(example.graph)
        try:
            with rewriter.transaction():
                applied = self.rule.apply(rewriter, example.root)
                raise _Tried
        except _Tried:
            return applied
        except Exception:  # what the rule raises is reported when it really runs
            return True


@dataclass
class Trial:
    """An exploration of one rule: what was drawn, what fired, and what was found.

    Args:
        change: What is done to each graph.
        source: Where the graphs come from.
    """

    change: Change
    source: Source
    deadline: float = SHRINK_SECONDS
    examples: int = 0
    fired: int = 0
    unusable: Counter[str] = field(default_factory=Counter)
    contexts: Counter[str] = field(default_factory=Counter)
    samples: list[tuple[Graph, Graph, dict[str, Array]]] = field(default_factory=list)
    failure: Counterexample | None = None
    last: int = 0

    def run(self, data: Any) -> None:
        """One example of hypothesis.

        Raises:
            _Found: It is a counterexample.
        """
        from hypothesis import reject

        if self.failure is not None and time.monotonic() > self.deadline:
            raise _Enough
        try:
            graph, feeds, contexts = self.source(data)
        except NoInstance:
            reject()
        except BuildError as error:
            self.unusable[f"a sampler draws an invalid op: {error.message}"] += 1
            reject()
        self.judge(graph, feeds, contexts)

    def judge(self, graph: Graph, feeds: dict[str, Array], contexts: Sequence[str]) -> None:
        """Change the graph and look at everything that must hold.

        Raises:
            _Found: Something does not.
        """
        before = graph.clone()
        expected = self.expected(before, feeds)
        self.examples += 1
        problem = self.changed(graph)
        if problem is None and not self.last:
            return
        self.fired += 1
        problem = problem or self.problem(before, graph, feeds, expected)
        if problem is not None:
            self.found(Counterexample(before, graph.clone(), feeds, problem, tuple(contexts)))
        self.contexts.update(contexts)
        if len(self.samples) < FLOAT32_SAMPLES:
            self.samples.append((before, graph, feeds))

    def expected(self, before: Graph, feeds: dict[str, Array]) -> dict[str, Array]:
        """The outputs before the rewrite, in float64."""
        from hypothesis import reject

        try:
            return evaluate(before, feeds, DType.f64)
        except Exception as error:  # a reference that fails on a drawn graph is no fault of the rule
            self.unusable[f"a reference fails: {type(error).__name__}: {error}"] += 1
            reject()

    def changed(self, graph: Graph) -> Problem | None:
        """Change the graph, counting in `last`; what it raises is a problem."""
        self.last = 0
        try:
            self.last = self.change(graph)
        except RewriteCycleError as error:
            return Problem("cycle", error.message)
        except Exception as error:  # whatever a rule raises is its fault
            return Problem("crash", f"{type(error).__name__}: {error}")
        return None

    def problem(
        self, before: Graph, after: Graph, feeds: dict[str, Array], expected: dict[str, Array]
    ) -> Problem | None:
        """The first thing that does not hold."""
        found = structure_problem(rounded(before), rounded(after)) or constant_problem(before, after)
        if found is None:
            exact = not (has_rounded_constants(after) or has_rounded_constants(before))
            found = meaning_problem(before, after, feeds, expected, exact=exact)
        return found or cost_problem(before, after) or self.unsettled(after)

    def unsettled(self, after: Graph) -> Problem | None:
        """A second run must change nothing."""
        again = after.clone()
        problem = self.changed(again)
        if problem is None and self.last:
            problem = Problem("fixpoint", f"a second run changes {self.last} places more")
        return problem

    def found(self, counterexample: Counterexample) -> None:
        """Keep the smallest and tell hypothesis.

        Raises:
            _Found: Always.
        """
        if self.failure is None:
            self.deadline += time.monotonic()
        if self.failure is None or counterexample.size <= self.failure.size:
            self.failure = counterexample
        raise _Found


class _Found(Exception):  # control flow within hypothesis, not an error
    """A counterexample was found; all of them are one bug to hypothesis, so that it shrinks across kinds."""


class _Tried(Exception):  # control flow: rolls the trial of a rule back
    """The rule was tried."""


class _Enough(BaseException):
    """The time for shrinking is over."""


def check_rule(
    rule: Rule,
    *,
    examples: int = EXAMPLES,
    seed: int = 0,
    save_to: Path | str | None = None,
    shrink: bool = True,
    prove: bool = False,
) -> RuleReport:
    """Test a rule on graphs drawn from its own pattern, in adversarial contexts.

    Args:
        rule: The rule.
        examples: How many graphs are drawn.
        seed: The same seed draws the same graphs.
        save_to: Where a counterexample is written, as ONNX and as text; None writes none.
        shrink: Make a counterexample as small as possible.
        prove: Also try the bounded proof.

    Raises:
        WrongRewrite: With the smallest counterexample found.
        VacuousRule: It fired on under 10 % of the graphs.
        RuleCheckError: No graph of its pattern can be drawn, or a symbolic difference is left.
    """
    started = time.monotonic()
    proof = None
    if prove:
        from y10c.testing.proof_cache import cached_proof

        proof = cached_proof(rule)

    def change(graph: Graph) -> int:
        return rewrite(graph, [rule]).applied[rule.name]

    trial = explore(change, FromPattern(rule), examples, seed, shrink)
    judge(rule.name, trial, rule.source, save_to)
    if proof is not None and proof.status == "refuted":
        raise RuleCheckError(f"{rule.name} is wrong: {proof.why}", where=rule.source or None)
    return RuleReport(
        rule.name,
        trial.examples,
        trial.fired,
        dict(trial.contexts),
        len(trial.samples),
        time.monotonic() - started,
        proof,
    )


def explore(change: Change, source: Source, examples: int, seed: int, shrink: bool) -> Trial:
    """Draw graphs, change them, and look at everything that must hold."""
    trial = Trial(change, source)
    _run_hypothesis(trial, examples, seed, shrink)
    if trial.failure is None:
        for before, after, feeds in trial.samples:
            problem = float32_problem(rounded(before), rounded(after), feeds)
            if problem is not None:
                trial.failure = Counterexample(before, after, feeds, problem)
                break
    return trial


def _run_hypothesis(trial: Trial, examples: int, seed: int, shrink: bool) -> None:
    import hypothesis
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import strategies as st

    phases: Sequence[Phase] = (Phase.generate, Phase.shrink) if shrink else (Phase.generate,)
    options = settings(
        max_examples=examples,
        phases=phases,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        print_blob=False,
    )

    def run(data: Any) -> None:
        trial.run(data)

    try:
        hypothesis.seed(seed)(options(given(st.data())(run)))()
    except (_Found, _Enough, hypothesis.errors.Flaky):
        # An example that is cut off when the time for shrinking is over looks flaky to hypothesis.
        if trial.failure is None:
            raise
    except hypothesis.errors.Unsatisfiable:
        pass
    except CannotDraw as error:
        raise RuleCheckError(
            f"its pattern cannot be drawn: {error}", help="declare a sampler for the op"
        ) from error


def judge(name: str, trial: Trial, where: str, save_to: Path | str | None) -> None:
    """Raise what an exploration found.

    Raises:
        WrongRewrite: With the smallest counterexample.
        VacuousRule: Too little fired.
    """
    if trial.failure is not None:
        saved = trial.failure.save(Path(save_to) / name) if save_to is not None else None
        raise WrongRewrite(name, trial.failure, where=where, saved=saved)
    causes = "; ".join(f"{cause} ({count} times)" for cause, count in trial.unusable.most_common(3))
    if trial.examples == 0:
        raise VacuousRule(
            f"no graph of the pattern of {name} could be drawn", where=where, help=causes or None
        )
    if trial.fired < VACUOUS * trial.examples:
        raise VacuousRule(
            f"{name} fired on {trial.fired} of {trial.examples} graphs of its own pattern",
            where=where,
            help="put what its conditions ask for into the pattern" + (f"; {causes}" if causes else ""),
        )
