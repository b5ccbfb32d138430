"""`check_rule`: everything that is derived from a rule, run; a wrong one comes back with a counterexample."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from y10c.errors import RewriteCycleError, RuleCheckError
from y10c.ir.graph import Graph
from y10c.ir.tensor import Array
from y10c.ir.types import DType
from y10c.ops.infer import BuildError
from y10c.ops.reference import evaluate
from y10c.ops.sample import Draw, NoInstance
from y10c.rewrite.driver import rewrite
from y10c.rewrite.pattern import AnyOf, describe
from y10c.rewrite.rewriter import Rewriter
from y10c.rewrite.rule import Rule
from y10c.testing.counterexample import Counterexample
from y10c.testing.draw import HypothesisDraw, RandomDraw
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
from y10c.testing.twist import may_twist

if TYPE_CHECKING:
    from y10c.testing.proof import Proof

EXAMPLES = 100
BREADTH = 3
"""So many graphs are drawn at random for each that hypothesis draws."""
FORM_EXAMPLES = 40
"""A form of the pattern that came up so often has to fire once."""
ALTERNATIVE_EXAMPLES = 10
"""With so many graphs for each alternative of the pattern, every one of them has to come up."""
VACUOUS = 0.1
"""A rule that fires on a smaller part of its own examples was not tested; of few examples one is enough."""
FLOAT32_SAMPLES = 24
"""So many of the fired examples also run in onnxruntime, none of them of the same ranks and types twice."""
SHRINK_SECONDS = 8.0

Change = Callable[[Graph], int]
"""Rewrites a graph in place; gives the number of applications."""


class Drawn(NamedTuple):
    """What is tried.

    Args:
        graph: The graph.
        feeds: One array per input.
        contexts: Names of the adversarial contexts that it is in.
        forms: What was chosen of what the pattern leaves open.
        twisted: It is a near miss, on which the rule need not fire.
    """

    graph: Graph
    feeds: dict[str, Array]
    contexts: Sequence[str] = ()
    forms: frozenset[str] = frozenset()
    twisted: bool = False


Source = Callable[[Draw], Drawn]
"""Draws what is tried from a source of choices."""


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
        several = (part for part in rule.pattern.walk() if isinstance(part, AnyOf))
        self.forms = frozenset(describe(one) for part in several for one in part.alternatives)

    def __call__(self, draw: Draw) -> Drawn:
        """One graph, its feeds, and the contexts that it is in."""
        example = invert(draw, self.rule.pattern, self.hints, self.accepts)
        twisted = may_twist(draw, example)
        add_hazards(draw, example)
        forms = frozenset[str]() if twisted else example.forms
        return Drawn(example.graph, example.feeds(draw), example.contexts, forms, twisted)

    def accepts(self, example: Example) -> bool:
        """True where the rule matches and does not decline, or raises; the example stays as it is."""
        try:
            return would_fire(self.rule, example)
        except Exception:  # what the rule raises is reported when it really runs
            return True


def would_fire(rule: Rule, example: Example) -> bool:
    """True where a rule matches at an example's root and does not decline; the example stays as it is."""
    rewriter = Rewriter(example.graph)
    try:
        with rewriter.transaction():
            applied = rule.apply(rewriter, example.root)
            raise _Tried
    except _Tried:
        return applied


@dataclass
class Trial:
    """An exploration of one rule: what was drawn, what fired, and what was found.

    Args:
        change: What is done to each graph.
        source: Where the graphs come from.
        dearer: More multiplications are no problem.
        named: The alternatives of the pattern, each of which has to be drawn.
    """

    change: Change
    source: Source
    dearer: bool = False
    named: frozenset[str] = frozenset()
    deadline: float = SHRINK_SECONDS
    examples: int = 0
    fired: int = 0
    unusable: Counter[str] = field(default_factory=Counter)
    contexts: Counter[str] = field(default_factory=Counter)
    forms: Counter[str] = field(default_factory=Counter)
    fired_forms: Counter[str] = field(default_factory=Counter)
    samples: list[tuple[Graph, Graph, dict[str, Array]]] = field(default_factory=list)
    kinds: set[str] = field(default_factory=set)
    failure: Counterexample | None = None
    last: int = 0

    def run(self, draw: Draw) -> None:
        """Draw one graph and look at everything that must hold.

        Raises:
            Found: Something does not.
            NoInstance: The choices lead to no graph that can be tried.
        """
        if self.failure is not None and time.monotonic() > self.deadline:
            raise _Enough
        try:
            drawn = self.source(draw)
        except BuildError as error:
            self.unusable[f"a sampler draws an invalid op: {error.message}"] += 1
            raise NoInstance(error.message) from error
        self.judge(drawn)

    def judge(self, drawn: Drawn) -> None:
        """Change the graph and look at everything that must hold.

        Raises:
            Found: Something does not.
            NoInstance: The graph cannot be run.
        """
        graph, feeds = drawn.graph, drawn.feeds
        before = graph.clone()
        expected = self.expected(before, feeds)
        self.examples += not drawn.twisted
        self.forms.update(drawn.forms)
        problem = self.changed(graph)
        if problem is None and not self.last:
            return
        self.fired += not drawn.twisted
        self.fired_forms.update(drawn.forms)
        problem = problem or self.problem(before, graph, feeds, expected)
        if problem is not None:
            self.found(Counterexample(before, graph.clone(), feeds, problem, tuple(drawn.contexts)))
        self.contexts.update(drawn.contexts)
        kind = _kind_of(before)
        if len(self.samples) < FLOAT32_SAMPLES and kind not in self.kinds:
            self.kinds.add(kind)
            self.samples.append((before, graph, feeds))

    def expected(self, before: Graph, feeds: dict[str, Array]) -> dict[str, Array]:
        """The outputs before the rewrite, in float64."""
        try:
            return evaluate(before, feeds, DType.f64)
        except Exception as error:  # a reference that fails on a drawn graph is no fault of the rule
            self.unusable[f"a reference fails: {type(error).__name__}: {error}"] += 1
            raise NoInstance(str(error)) from error

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
        dearer = None if self.dearer else cost_problem(before, after)
        return found or dearer or self.unsettled(after)

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
            Found: Always.
        """
        if self.failure is None:
            self.deadline += time.monotonic()
        if self.failure is None or counterexample.size <= self.failure.size:
            self.failure = counterexample
        raise Found


def _kind_of(graph: Graph) -> str:
    """The ops with their operands' types, extents above 1 all alike."""
    ops = (f"{op.name} {[None if v is None else str(v.type) for v in op.operands]}" for op in graph.ops)
    return re.sub(r"(?<=[\[,])\d*[02-9]\d*", "n", "; ".join(ops))


class Found(Exception):  # control flow within hypothesis, not an error
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
    records: Path | None = None,
) -> RuleReport:
    """Test a rule on its record and on graphs drawn from its own pattern, in adversarial contexts.

    Args:
        rule: The rule.
        examples: How many graphs hypothesis draws; three times as many are drawn at random.
        seed: The same seed draws the same graphs.
        save_to: Where a counterexample is written, as ONNX and as text; None writes none.
        shrink: Make a counterexample as small as possible.
        prove: Also try the bounded proof.
        records: The folder of the records of rules (see `y10c.testing.record`).

    Raises:
        WrongRewrite: With the smallest counterexample found.
        VacuousRule: It fired on under 10 % of the graphs, or never on a form that the pattern allows.
        RuleCheckError: No graph of its pattern can be drawn, or a symbolic difference is left.
    """
    started = time.monotonic()
    proof = None
    if prove:
        from y10c.testing.proof_cache import cached_proof

        proof = cached_proof(rule)

    def change(graph: Graph) -> int:
        return rewrite(graph, [rule]).applied[rule.name]

    trial = explore(change, FromPattern(rule), examples, seed, shrink, rule.dearer)
    if trial.failure is None and records is not None:
        from y10c.testing.record import load_record, record_problem

        trial.failure = record_problem(rule, load_record(records, rule.name))
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


def explore(
    change: Change, source: Source, examples: int, seed: int, shrink: bool, dearer: bool = False
) -> Trial:
    """Draw graphs, change them, and look at everything that must hold.

    Most graphs are drawn at random, which is quick. Hypothesis then looks for the smallest that fails, or,
    where none does, for any: it combines choices in other ways.
    """
    named = source.forms if isinstance(source, FromPattern) else frozenset[str]()
    trial = Trial(change, source, dearer, named)
    _run_random(trial, BREADTH * examples, seed)
    if trial.failure is None or shrink:
        _run_hypothesis(trial, examples, seed, shrink)
    if trial.failure is None:
        trial.failure = _float32_failure(trial)
    return trial


def _run_random(trial: Trial, examples: int, seed: int) -> None:
    for number in range(examples):
        try:
            trial.run(RandomDraw(seed * 1_000_003 + number))
        except NoInstance:
            continue
        except Found:
            return
        except CannotDraw as error:
            raise _cannot_draw(error) from error


def _float32_failure(trial: Trial) -> Counterexample | None:
    for before, after, feeds in trial.samples:
        problem = float32_problem(rounded(before), rounded(after), feeds)
        if problem is not None:
            return Counterexample(before, after, feeds, problem)
    return None


def _cannot_draw(error: CannotDraw) -> RuleCheckError:
    return RuleCheckError(f"its pattern cannot be drawn: {error}", help="declare a sampler for the op")


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
        try:
            trial.run(HypothesisDraw(data.draw))
        except NoInstance:
            hypothesis.reject()

    try:
        hypothesis.seed(seed)(options(given(st.data())(run)))()
    except (Found, _Enough, hypothesis.errors.Flaky):
        # An example that is cut off when the time for shrinking is over looks flaky to hypothesis.
        if trial.failure is None:
            raise
    except hypothesis.errors.Unsatisfiable:
        pass
    except CannotDraw as error:
        raise _cannot_draw(error) from error


def judge(name: str, trial: Trial, where: str, save_to: Path | str | None) -> None:
    """Raise what an exploration found.

    Raises:
        WrongRewrite: With the smallest counterexample.
        VacuousRule: Too little fired, or never a form that the pattern allows.
    """
    if trial.failure is not None:
        saved = trial.failure.save(Path(save_to) / name) if save_to is not None else None
        raise WrongRewrite(name, trial.failure, where=where, saved=saved)
    causes = "; ".join(f"{cause} ({count} times)" for cause, count in trial.unusable.most_common(3))
    if trial.examples == 0:
        raise VacuousRule(
            f"no graph of the pattern of {name} could be drawn", where=where, help=causes or None
        )
    few = trial.examples < FORM_EXAMPLES and trial.fired
    if trial.fired < VACUOUS * trial.examples and not few:
        raise VacuousRule(
            f"{name} fired on {trial.fired} of {trial.examples} graphs of its own pattern",
            where=where,
            help="put what its conditions ask for into the pattern" + (f"; {causes}" if causes else ""),
        )
    enough = trial.examples >= ALTERNATIVE_EXAMPLES * len(trial.named)
    for form in sorted(trial.named - trial.forms.keys()) if enough else ():
        raise VacuousRule(
            f"no graph of {name} with {form} could be drawn, which its pattern names",
            where=where,
            help="a sampler cannot draw it; ask for less in the pattern, or widen the sampler",
        )
    for form, count in trial.forms.items():
        if count >= FORM_EXAMPLES and not trial.fired_forms[form]:
            raise VacuousRule(
                f"{name} fired on none of {count} graphs with {form}, which its pattern allows",
                where=where,
                help="take it out of the pattern, or let the conditions accept it",
            )
