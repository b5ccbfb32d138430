"""Bounded proofs: the rule's own Python, run on tensors of symbols, must give the same expressions.

The reference of every op before and after, and the rule between them, run on numpy object arrays of sympy
expressions; `before - after` has to simplify to zero for every element. What is proved is the identity in
exact real arithmetic for the shapes and attributes that the proof lists. Rules over 8-bit integers are
proved by enumerating all 256 or 65,536 inputs instead.
"""

from __future__ import annotations

import gc
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from types import FrameType
from typing import Any

import numpy as np

from y10c.ir.graph import Graph
from y10c.ir.tensor import Array
from y10c.ir.types import DType
from y10c.ir.value import Value
from y10c.ops.infer import BuildError
from y10c.ops.reference import evaluate
from y10c.ops.registry import declared_specs, get_spec
from y10c.ops.sample import ANY, Given, NoInstance
from y10c.ops.spec import Trait
from y10c.rewrite.driver import rewrite
from y10c.rewrite.pattern import AnyOp, OpPattern, Var
from y10c.rewrite.rule import Rule
from y10c.testing.cover import (
    PRESENT,
    PROFILES,
    WIDE,
    CoverDraw,
    Decision,
    Plan,
    Profile,
    is_optional,
    mixed_plans,
    plans,
)
from y10c.testing.exact import ExactTensor
from y10c.testing.hints import Hints, hints_of
from y10c.testing.invert import CannotDraw, Example, Inverter
from y10c.testing.symbolic import DataDependent, difference_of, largest, symbols

SECONDS = 30.0
REPEAT = 0.25
"""Seconds until an alarm that nobody heard rings again."""
EXHAUSTIVE = "exhaustive"
ROUNDING = 1e-6
"""A difference below this everywhere comes from constants that the rule takes as equal within rounding."""


@dataclass(frozen=True)
class Proof:
    """What was proved of a rule, or why nothing was.

    Args:
        rule: Its name.
        status: `proved`, `tested` (no proof, the property test decides), or `refuted`.
        why: The method, the obstacle, or the difference.
        cases: Shapes and attributes of each case that was proved.
        seconds: Time taken.
    """

    rule: str
    status: str
    why: str
    cases: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def proved(self) -> bool:
        """True where the rule holds for all listed shapes."""
        return self.status == "proved"


class _Obstacle(Exception):
    """Why there is no proof."""


class _Refuted(Exception):
    """The difference that is not zero."""


@dataclass
class _Prover:
    rule: Rule
    hints: Hints = field(default_factory=dict)
    cases: list[str] = field(default_factory=list)
    method: str = "symbolic"
    numbers: bool = False
    obstacle: str = ""
    windows: set[str] = field(default_factory=set)
    fired: set[tuple[str, bool]] = field(default_factory=set)

    def run(self) -> None:
        """Prove every case.

        Raises:
            _Obstacle: There is no proof.
            _Refuted: A case is wrong.
        """
        first: dict[Decision, int] = {}
        self.case({}, first)
        base = self.base(first)
        seen: dict[Decision, int] = {}
        for plan in plans(first, dtypes=self.method == EXHAUSTIVE):
            seen.update(self.case({**base, **plan}, {}))
        # Some decisions only come up where an optional operand or another attribute is there.
        late = {d: n for d, n in seen.items() if d not in first and not is_optional(d)}
        for plan in plans(late):
            self.case({**base, **{d: 1 for d in first if is_optional(d)}, **plan}, {})
        if GROUPS in self.wanted() - self.windows:
            self.case({d: n for d, n in base.items() if d[0] != "group"}, {}, WIDE)
        for number, plan in enumerate(mixed_plans({**seen, **first})):
            if number >= LEAST_MIXED and not self.missing():
                break
            self.case(plan, {})
        obstacle = self.missing()
        if obstacle:
            raise _Obstacle(obstacle)

    def base(self, first: Mapping[Decision, int]) -> Plan:
        """The simplest choices on which the rule fires; the others change them one by one."""
        if self.cases:
            return {}
        for plan in mixed_plans(first):
            self.case(plan, {})
            if self.cases:
                return plan
        return {}

    def missing(self) -> str:
        """What the cases do not cover yet; empty where they suffice."""
        if not self.cases:
            return self.obstacle or "it does not fire on the shapes of a proof"
        optional = {p.name for p in self.rule.pattern.walk() if isinstance(p, Var) and p.is_optional}
        for name, present in product(sorted(optional), (False, True)):
            if (f"{PRESENT}{name}", present) not in self.fired:
                return f"it does not fire {'with' if present else 'without'} its optional operand {name}"
        lacking = sorted(self.wanted() - self.windows)
        return f"it does not fire on {lacking[0]}" if lacking else ""

    def wanted(self) -> set[str]:
        """What a proof over convolutions has to show."""
        convs = [
            p for p in self.rule.pattern.walk() if isinstance(p, OpPattern) and CONVOLUTIONS & set(p.names)
        ]
        pinned = all(("group", 1) in p.attrs for p in convs)
        small = POINT in self.windows and not self.windows & {OBLONG_KERNEL, OTHER_KERNEL}
        return (
            {OBLONG_IMAGE, *(() if pinned else (GROUPS,)), *(() if small else (OBLONG_KERNEL,))}
            if convs
            else set()
        )

    def case(
        self, plan: Plan, decisions: dict[Decision, int], profiles: Sequence[Profile] = PROFILES
    ) -> dict[Decision, int]:
        """Prove one case where it can be drawn and fires there; gives the decisions on the way."""
        for profile in profiles:
            draw = CoverDraw(plan, profile)
            inverter = _SymbolicInverter(draw, self.hints, self.numbers)
            try:
                example = inverter.example(self.rule.pattern)
            except (NoInstance, BuildError):
                continue
            finally:
                decisions.update(draw.decisions)
            if self.proved(example):
                self.fired.update((d[0], bool(plan.get(d, 0))) for d in draw.decisions if is_optional(d))
                break
        return decisions

    def proved(self, example: Example) -> bool:
        before = example.graph.clone()
        if _quantizes(before) and not _is_single_bytes(before):
            self.obstacle = "it rounds, and does not work element by element on one or two 8-bit inputs"
            return False
        if rewrite(example.graph, [self.rule]).applied[self.rule.name] == 0:
            return False
        described = describe_case(before)
        if described in self.cases:
            return True
        if _is_single_bytes(before):
            self.method = EXHAUSTIVE
            _enumerate(before, example.graph)
        else:
            _compare(before, example.graph, example)
        self.cases.append(described)
        self.windows.update(windows_of(before))
        return True


LEAST_MIXED = 8
"""So many combinations of choices are tried beside one choice at a time."""
CONVOLUTIONS = frozenset({"Conv", "ConvTranspose"})
GROUPS = "two groups of two channels"
OBLONG_IMAGE = "an image that is not square"
OBLONG_KERNEL = "a kernel that is not square"
OTHER_KERNEL, POINT = "a square kernel", "a kernel of one tap"


def windows_of(graph: Graph) -> Iterator[str]:
    """What the convolutions of a case are like."""
    for op in graph.ops:
        if op.name not in CONVOLUTIONS:
            continue
        x, w = (v.tensor_type.static_shape for v in op.operands[:2] if v is not None)
        group = op.attr("group")
        inputs, outputs = x[1] // group, op.results[0].tensor_type.static_shape[1] // group
        if min(group, inputs, outputs) >= 2:
            yield GROUPS
        if len(set(x[2:])) > 1:
            yield OBLONG_IMAGE
        yield OBLONG_KERNEL if len(set(w[2:])) > 1 else POINT if set(w[2:]) == {1} else OTHER_KERNEL


class _SymbolicInverter(Inverter):
    def __init__(self, draw: CoverDraw, hints: Hints, numbers: bool) -> None:
        super().__init__(draw, hints, adversarial=False)
        self.numbers = numbers

    def _stored(self, number: float) -> float:
        """The number itself, so that it can cancel."""
        return number

    def constant(self, name: str, given: Given) -> Value:
        """A constant of symbols where it is of float type and no hint says its number."""
        hint = self._hint(name) if name in self.hints else None
        lone = self.numbers and given.type.elements == 1
        if hint is not None or lone or given.dtype is not DType.f32:
            array = self.draw.array(given.type, given.domain)
            if hint is None or given.dtype is not DType.f32:
                return self.rewriter.const(array if hint is None else np.full_like(array, hint))
            return self.graph.constant(ExactTensor(np.full(given.shape, hint, np.float64)))
        domain = given.domain
        array = symbols(f"{name}_", given.shape, positive=domain.low > 0, nonzero=domain.nonzero)
        return self.graph.constant(ExactTensor(array))

    def _narrow(self, value: Value, domain: Any) -> None:
        if value in self.domains:
            super()._narrow(value, domain)


def describe_case(graph: Graph) -> str:
    """Shapes of inputs and constants and attributes of the ops, in one line."""
    lines = []
    for op in graph.ops:
        operands = ["_" if v is None else str(v.type) for v in op.operands]
        attrs = [f"{k}={v!r}" for k, v in op.attrs.items()]
        lines.append(f"{op.name}({', '.join([*operands, *attrs])})")
    return " ; ".join(lines)


def _compare(before: Graph, after: Graph, example: Example) -> None:
    feeds = {}
    for value in example.graph.inputs:
        domain = example.domains.get(value, ANY)
        if value.tensor_type.dtype is DType.bool:
            raise _Obstacle("a truth value is no expression")
        shape = value.tensor_type.static_shape
        feeds[value.name] = symbols(f"{value.name}_", shape, positive=domain.low > 0, nonzero=domain.nonzero)
    was, now = _evaluated(before, feeds), _evaluated(after, feeds)
    for name, array in was.items():
        if array.shape != now[name].shape:
            raise _Refuted(f"shape {list(now[name].shape)} instead of {list(array.shape)}")
        for a, b in zip(array.flat, now[name].flat, strict=True):
            difference = difference_of(a, b)
            if difference != 0:
                _not_zero(difference)


def _not_zero(difference: Any) -> None:
    try:
        size = largest(difference)
    except (TypeError, ValueError, OverflowError):
        raise _Obstacle(f"cannot decide whether {str(difference)[:120]} is zero") from None
    if size < ROUNDING:
        raise _Obstacle("equal only up to the rounding of its constants")
    raise _Refuted(f"before - after = {str(difference)[:200]}")


def _evaluated(graph: Graph, feeds: dict[str, Array]) -> dict[str, Array]:
    for op in graph.ops:
        if get_spec(op.name).reference is None:
            raise _Obstacle(f"op {op.name} has no reference that runs on expressions")
    try:
        return evaluate(graph, feeds)
    except DataDependent:
        raise _Obstacle("an op of it decides by the numbers") from None
    except (TypeError, AttributeError, ValueError) as error:
        raise _Obstacle(
            f"a reference does not run on expressions: {str(error).splitlines()[0][:100]}"
        ) from None


# --- 8-bit integers ---

_BYTES = frozenset({DType.i8, DType.u8})
_ELEMENTWISE = frozenset({"QuantizeLinear", "DequantizeLinear", "Cast", "Identity"})


def _quantizes(graph: Graph) -> bool:
    return any(op.name in ("QuantizeLinear", "DequantizeLinear") for op in graph.ops)


def _is_single_bytes(graph: Graph) -> bool:
    """True where every input is one 8-bit integer and every op works element by element."""
    types = [v.tensor_type for v in graph.inputs]
    each = all(get_spec(op.name).has(Trait.elementwise) or op.name in _ELEMENTWISE for op in graph.ops)
    return each and 1 <= len(types) <= 2 and all(t.dtype in _BYTES and t.elements == 1 for t in types)


def _enumerate(before: Graph, after: Graph) -> None:
    """Compare on every combination of the inputs, all of them at once along a new first axis."""
    grids = np.meshgrid(*(_all_values(v.tensor_type.dtype) for v in before.inputs), indexing="ij")
    feeds = {
        v.name: g.reshape(-1, *[1] * max(0, (v.tensor_type.rank or 1) - 1))
        for v, g in zip(before.inputs, grids, strict=True)
    }
    was, now = evaluate(before, feeds), evaluate(after, feeds)
    for name, array in was.items():
        wrong = np.flatnonzero(np.asarray(array != now[name]).reshape(-1))
        if wrong.size:
            raise _Refuted(f"{wrong.size} of {array.size} inputs give another output")


def _all_values(dtype: DType) -> Array:
    low, high = dtype.integer_range
    return np.arange(low, high + 1).astype(dtype.numpy)


def prove_rule(rule: Rule, *, seconds: float = SECONDS) -> Proof:
    """Try to prove a rule; running out of time counts as tested, not as proved.

    Args:
        rule: The rule.
        seconds: Processor time allowed, so that what is proved does not depend on the machine's load.
    """
    started = time.monotonic()
    prover = _Prover(rule, hints_of(rule))
    status, why = _outcome(prover, seconds)
    return Proof(rule.name, status, why, tuple(prover.cases), time.monotonic() - started)


def _outcome(prover: _Prover, seconds: float) -> tuple[str, str]:
    if isinstance(prover.rule.pattern, AnyOp):
        return "tested", "it stands for any op"
    declared_specs()  # an alarm may not ring while they are loaded
    started = time.process_time()
    try:
        with _limit(seconds):
            try:
                prover.run()
            except DataDependent:
                # The code asks what a number is: lone constants become numbers, as attributes are.
                prover.numbers, prover.method = True, "symbolic, lone constants as numbers"
                prover.run()
    except _Refuted as refuted:
        return "refuted", str(refuted)
    except _TimeUp:
        return "tested", f"no proof within {seconds:.0f} s"
    except _Obstacle as obstacle:
        return "tested", str(obstacle)
    except DataDependent as asked:
        return "tested", str(asked)
    except CannotDraw as error:
        return "tested", str(error)
    except Exception as error:  # numpy and sympy wrap what expressions raise, the alarm too, in many ways
        if time.process_time() - started >= seconds:
            return "tested", f"no proof within {seconds:.0f} s"
        return "tested", f"it does not run on expressions: {type(error).__name__}: {str(error)[:100]}"
    return "proved", f"{prover.method}, {len(prover.cases)} cases"


class _TimeUp(BaseException):
    """The proof takes too long."""


@contextmanager
def _limit(seconds: float) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "SIGPROF"):
        yield
        return
    alarm = _Alarm()
    before = signal.signal(signal.SIGPROF, alarm.ring)
    signal.setitimer(signal.ITIMER_PROF, seconds, REPEAT)
    try:
        yield
    finally:
        alarm.answered = True
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
    if alarm.rang:
        raise _TimeUp


@dataclass
class _Alarm:
    """Raises in the interrupted code, and again if that code swallows it.

    What is raised inside a callback of the garbage collector or a finalizer reaches nobody, so the former is
    spared, the latter is asked again, and whoever finishes after a ring is late all the same.
    """

    rang: bool = False
    answered: bool = False

    def ring(self, _: int, frame: FrameType | None) -> None:
        self.rang = True
        if not self.answered and not _is_collecting(frame):
            raise _TimeUp


def _is_collecting(frame: FrameType | None) -> bool:
    callbacks = {getattr(callback, "__code__", None) for callback in gc.callbacks}
    while frame is not None and frame.f_code not in callbacks:
        frame = frame.f_back
    return frame is not None
