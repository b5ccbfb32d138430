"""A rule's pattern turned round: from what it matches to graphs that match by construction.

The samplers of the ops are walked over the pattern from the operands to the root. A sampler that knows its
operands draws the rest of a valid op, so every drawn graph is well typed and holds the pattern; only a rule's
`where` conditions and its own code may still turn it down. The idea of deriving a generator from a predicate
is that of Fetscher et al., "Making Random Judgments" (ESOP 2015).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from y10c.ir.graph import Graph
from y10c.ir.tensor import Array
from y10c.ir.types import DType, TensorType
from y10c.ir.value import Op, Value
from y10c.ops.infer import infer_types
from y10c.ops.registry import declared_specs, get_spec
from y10c.ops.sample import (
    ANY,
    LEFT_OUT,
    Domain,
    Draw,
    Given,
    NoInstance,
    Open,
    OpInstance,
    Request,
    Slot,
    need,
)
from y10c.ops.spec import Trait
from y10c.rewrite.pattern import AnyOf, AnyOp, BoundAttr, Literal, OpPattern, Pattern, Rest, Var, describe
from y10c.rewrite.rewriter import Rewriter
from y10c.testing.exact import ExactGraph, ExactTensor
from y10c.testing.hints import RARE, Hints

ALIGNED = frozenset({"Concat", "Where", "Max", "Min", "Sum", "Mean"})
"""Ops whose operands have related shapes, beside the elementwise ones."""


WINDOWED = frozenset({"Conv", "ConvTranspose"})


class CannotDraw(Exception):
    """The pattern holds an op that declares no sampler, so no example of it can be drawn."""


@dataclass
class Example:
    """A graph that holds the pattern.

    Args:
        graph: The graph; contexts may be added to it.
        root: The op at which the rule is meant to match.
        inner: The other ops of the pattern.
        domains: What each graph input may hold.
        contexts: The adversarial contexts that it was put into.
        types: What inputs are fed with, where the graph says less of them.
        forms: What was chosen of what the pattern leaves open: alternatives, names, optional operands.
    """

    graph: Graph
    root: Op
    inner: list[Op]
    domains: dict[Value, Domain]
    contexts: list[str] = field(default_factory=list)
    types: dict[Value, TensorType] = field(default_factory=dict)
    forms: frozenset[str] = frozenset()

    def feeds(self, draw: Draw) -> dict[str, Array]:
        """Data for every graph input, from its domain."""
        return {v.name: draw.array(self.static(v), self.domains.get(v, ANY)) for v in self.graph.inputs}

    def static(self, value: Value) -> TensorType:
        """The type of what an input is fed with."""
        return self.types.get(value) or value.tensor_type

    def infer_again(self) -> None:
        """Set the types that follow from what is known of the inputs now.

        Raises:
            BuildError: An op is not valid any more.
        """
        for op in self.graph.ops:
            if op.location == "unknown":
                continue
            found = infer_types(op.name, op.operands, op.attrs, len(op.results), op.version)
            for result, type in zip(op.results, found, strict=True):
                result.type = type


class Inverter:
    """Draws one example of a pattern.

    Args:
        draw: Where the choices come from.
        hints: Numbers that attributes and constants of these names should sometimes be.
        adversarial: Variables may also be fed by an op, by a constant, or by a value that is used already.
    """

    def __init__(self, draw: Draw, hints: Hints | None = None, *, adversarial: bool = True) -> None:
        self.draw = draw
        self.hints = hints or {}
        self.adversarial = adversarial
        self.graph = ExactGraph("example")
        self.rewriter = Rewriter(self.graph)
        self.bound: dict[str, Value] = {}
        self.attrs: dict[str, Any] = {}
        self.domains: dict[Value, Domain] = {}
        self.made: dict[str, Op] = {}
        self.results: dict[str, int] = {}
        self.forms: set[str] = set()

    def example(self, pattern: Pattern) -> Example:
        """A graph with one match of the pattern, whose results are the graph's outputs.

        Raises:
            NoInstance: The choices made so far fit no valid graph.
            CannotDraw: An op of the pattern has no sampler.
        """
        pattern = self._chosen(pattern)
        for part in pattern.walk():
            if isinstance(part, OpPattern):
                key = _key(part)
                self.results[key] = max(self.results.get(key, 1), part.result + 1)
        root = self._any_op(pattern) if isinstance(pattern, AnyOp) else self._root(pattern)
        inner = [op for op in self.made.values() if op is not root]
        read = 1 if len(root.results) > 1 and self.draw.boolean("first result alone") else len(root.results)
        self.graph.set_outputs(root.results[:read], [f"out{i}" for i in range(read)])
        return Example(self.graph, root, inner, self.domains, forms=frozenset(self.forms))

    # --- ops ---

    def _root(self, pattern: Pattern) -> Op:
        assert isinstance(pattern, OpPattern)
        producer = self._op(pattern, None).producer
        assert producer is not None
        return producer

    def _chosen(self, pattern: Pattern) -> Pattern:
        while isinstance(pattern, AnyOf):
            pattern = self.draw.choice(pattern.alternatives, "alternative")
            self.forms.add(describe(pattern))
        return pattern

    def _op(self, pattern: OpPattern, wish: TensorType | None) -> Value:
        key = _key(pattern)
        if key in self.made and (pattern.single_use or not self.draw.boolean("apart")):
            return self.made[key].results[pattern.result]
        name = self.draw.choice(pattern.names, "name")
        if len(pattern.names) > 1:
            self.forms.add(name)
        parts = self._ordered(name, pattern)
        children = self._children(name, parts)
        fixed = {**self._alike(name), **self._hinted_attrs(name), **self._fixed_attrs(pattern)}
        slots = tuple(self._slot(p, c) for p, c in zip(parts, children, strict=True))
        request = Request(slots, fixed, wish, self.results[key], exact=True, rare=RARE in self.hints)
        instance = self._instance(name, request)
        op = self._insert(name, instance, self._operands(parts, children, instance))
        for attribute, wanted in pattern.attrs:
            if isinstance(wanted, BoundAttr):
                self.attrs.setdefault(wanted.name, op.attr(attribute))
        self.made[key if key not in self.made else f"{key} #{len(self.made)}"] = op
        return op.results[pattern.result]

    def _ordered(self, name: str, pattern: OpPattern) -> list[Pattern]:
        parts: list[Pattern] = []
        for part in map(self._chosen, pattern.operands):
            if isinstance(part, Rest):
                least = 0 if parts else 1
                parts += [Var(f"{part.name}{i}") for i in range(self.draw.integer(least, 2, "rest"))]
            else:
                parts.append(part)
        commutative = not pattern.ordered and get_spec(name).has(Trait.commutative)
        if commutative and len(parts) == 2 and self.draw.boolean("swap"):
            parts.reverse()
        return parts

    def _children(self, name: str, parts: Sequence[Pattern]) -> list[Value | None]:
        aligned = name in ALIGNED or get_spec(name).has(Trait.elementwise)
        wish: TensorType | None = None
        children: list[Value | None] = []
        for part in parts:
            child = self._op(part, wish) if isinstance(part, OpPattern) else None
            children.append(child)
            if aligned and child is not None and isinstance(child.type, TensorType) and child.type.is_static:
                wish = child.type
        return children

    def _fixed_attrs(self, pattern: OpPattern) -> dict[str, Any]:
        fixed = {}
        for name, wanted in pattern.attrs:
            if not isinstance(wanted, BoundAttr):
                fixed[name] = wanted
            elif wanted.name in self.attrs:
                fixed[name] = self.attrs[wanted.name]
        return fixed

    def _alike(self, name: str) -> dict[str, Any]:
        """The attributes of another op of that name: rules that merge two ask for equal ones."""
        others = [op for op in self.made.values() if op.name == name]
        if not others or not self.draw.boolean("alike"):
            return {}
        alike: dict[str, Any] = dict(others[-1].attrs)
        weights = others[-1].operand(1)
        if name in WINDOWED and weights is not None:
            alike["kernel_shape"] = weights.tensor_type.static_shape[2:]
            if self.draw.boolean("other window"):
                del alike["kernel_shape"]
                alike.pop("pads", None)
        return alike

    def _hinted_attrs(self, name: str) -> dict[str, Any]:
        spec = get_spec(name)
        hinted = {}
        for attribute in sorted(self.hints.keys() & spec.attrs.keys()):
            hint = self._hint(attribute)
            if attribute in spec.float_attrs and hint is not None:
                hinted[attribute] = self._stored(hint)
        return hinted

    def _stored(self, number: float) -> float:
        """A number as an attribute of a file holds it."""
        return float(np.float32(number))

    def _hint(self, name: str) -> float | None:
        numbers = self.hints.get(name, ())
        return self.draw.choice((*numbers, *numbers, *numbers, None), f"hint {name}")

    def _slot(self, part: Pattern, child: Value | None) -> Slot:
        if child is None and isinstance(part, Var):
            child = self.bound.get(part.name)
            if child is None and part.is_optional:
                present = self.draw.boolean(f"present {part.name}")
                self.forms.add(f"{part.name} {'given' if present else 'left out'}")
                if not present:
                    return LEFT_OUT
        if child is not None:
            data = child.numpy() if child.tensor is not None else None
            return Given(child.tensor_type, data, self.domains.get(child, ANY))
        if isinstance(part, Literal):
            return Open(number=part.value)
        return Open(part.dtypes, part.ranks, part.single) if isinstance(part, Var) else Open()

    def _instance(self, name: str, request: Request) -> OpInstance:
        sample = get_spec(name).sample
        if sample is None:
            raise CannotDraw(f"op {name} declares no sampler")
        if request.result is not None:
            try:
                return sample(self.draw, request)  # type: ignore[no-any-return]
            except NoInstance:
                request = replace(request, result=None)
        return sample(self.draw, request)  # type: ignore[no-any-return]

    def _insert(self, name: str, instance: OpInstance, operands: Sequence[Value | None]) -> Op:
        op = self.rewriter.op.make(
            name,
            *operands,
            _results=instance.results,
            _location=f"n{len(self.graph)}",
            **instance.attrs,
        )
        self.rewriter.insert(op)
        return op

    # --- operands ---

    def _operands(
        self, parts: Sequence[Pattern], children: Sequence[Value | None], instance: OpInstance
    ) -> list[Value | None]:
        padded = (*instance.operands, *[None] * len(parts))[: len(parts)]
        return [
            None if given is None else self._operand(part, child, given)
            for part, child, given in zip(parts, children, padded, strict=True)
        ]

    def _operand(self, part: Pattern, child: Value | None, given: Given) -> Value:
        if child is None and isinstance(part, Var):
            child = self.bound.get(part.name)
        if child is None:
            child = self._leaf(part, given)
            if isinstance(part, Var):
                self.bound[part.name] = child
        self._narrow(child, given.domain)
        return child

    def _leaf(self, part: Pattern, given: Given) -> Value:
        if isinstance(part, Literal):
            return self._literal(part, given)
        assert isinstance(part, Var)
        if given.data is not None:
            return self.rewriter.const(self._hinted_data(part.name, given.data))
        if part.constant:
            return self.constant(part.name, given)
        source = self.draw.choice(_SOURCES if self.adversarial else _SOURCES[:1], "source")
        return getattr(self, f"_from_{source}")(part.name, given)  # type: ignore[no-any-return]

    def constant(self, name: str, given: Given) -> Value:
        """A constant of a type, its numbers drawn from its domain, and now and then with a forbidden zero."""
        domain = given.domain
        if domain.nonzero and self.draw.integer(0, 7, "zero") == 7:
            domain = replace(domain, nonzero=False)
        array = self.draw.array(given.type, domain)
        if given.dtype is DType.f32:
            array = array.astype(np.float64)
        hint = self._hint(name) if name in self.hints else None
        if hint is not None and _holds(given, hint):
            array = np.full_like(array, hint)
        if given.dtype is DType.f32:
            return self.graph.constant(ExactTensor(array))
        return self.rewriter.const(array)

    def _hinted_data(self, name: str, data: Array) -> Array:
        """Axes counted from the back, where the rule looks for them."""
        hint = self._hint(name) if name in self.hints else None
        if hint is None or data.dtype.kind != "i" or data.size != 1 or hint not in (-1, 0, 1):
            return data
        return np.full_like(data, hint)

    def _literal(self, part: Literal, given: Given) -> Value:
        array = np.full(given.shape, part.value).astype(given.dtype.numpy)
        need(array.size > 0 and np.all(array == part.value), "the element type holds the number")
        need(given.data is None or np.array_equal(given.data, array), "the op's own data is the number")
        return self.rewriter.const(array)

    def _from_input(self, name: str, given: Given) -> Value:
        taken = {v.name for v in self.graph.inputs}
        value = self.graph.add_input(given.type, name if name not in taken else f"{name}_{len(taken)}")
        self.domains[value] = given.domain
        return value

    def _from_op(self, name: str, given: Given) -> Value:
        source = self._from_input(name, given)
        mirrored = given.domain.low == -given.domain.high and given.dtype in _SIGNED
        value: Value = self.rewriter.op["Neg" if mirrored else "Identity"](source, _location="feeder")
        return value

    def _from_constant(self, name: str, given: Given) -> Value:
        return self.constant(name, given)

    def _from_used(self, name: str, given: Given) -> Value:
        fitting = [v for v in (*self.graph.inputs, *self._results()) if v.type == given.type]
        if not fitting:
            return self._from_input(name, given)
        return self.draw.choice(fitting, "used value")

    def _results(self) -> list[Value]:
        return [r for op in self.graph.ops for r in op.results]

    def _narrow(self, value: Value, domain: Domain) -> None:
        if value in self.domains:
            self.domains[value] = _intersection(self.domains[value], domain)
        elif value.tensor is not None and domain is not ANY and value.tensor.numpy().dtype.kind in "fiu":
            need(domain.takes(value.numpy()), "a constant in the domain of each of its readers")

    # --- any op ---

    def _any_op(self, pattern: AnyOp) -> Op:
        names = [s.name for s in declared_specs() if s.sample is not None and pattern.accepts(s.name)]
        if not names:
            raise CannotDraw("no op that the pattern accepts declares a sampler")
        name = self.draw.choice(names, "name")
        instance = self._instance(name, Request())
        constant = self.draw.boolean("constants")
        operands: list[Value | None] = []
        for index, given in enumerate(instance.operands):
            if given is None:
                operands.append(None)
            elif constant and given.data is None:
                operands.append(self.constant(f"c{index}", given))
            else:
                operands.append(self._leaf(Var(f"i{index}"), given))
        op = self._insert(name, instance, operands)
        self.made[name] = op
        return op


_SOURCES = ("input", "input", "input", "op", "used", "constant")
_SIGNED = frozenset({DType.f32, DType.f64, DType.f16, DType.i32, DType.i64})


def _holds(given: Given, number: float) -> bool:
    whole = given.dtype.is_float or number == int(number)
    return (
        whole
        and given.domain.low <= number <= given.domain.high
        and not (given.domain.nonzero and not number)
    )


def _key(pattern: OpPattern) -> str:
    return describe(pattern[0])


def _intersection(a: Domain, b: Domain) -> Domain:
    low, high = max(a.low, b.low), min(a.high, b.high)
    need(low <= high, "one number for all readers of a value")
    return Domain(low, high, min(a.step, b.step), a.nonzero or b.nonzero)


ATTEMPTS = 4
"""So often is an example drawn again where the rule's own conditions turn it down."""


def invert(
    draw: Draw,
    pattern: Pattern,
    hints: Hints | None = None,
    accepts: Callable[[Example], bool] = lambda example: True,
) -> Example:
    """An example of a pattern; one that `accepts` does not take is drawn again a few times.

    Raises:
        NoInstance: The choices fit no valid graph; a test drops the example.
        CannotDraw: An op of the pattern has no sampler.
    """
    for _ in range(ATTEMPTS - 1):
        try:
            example = Inverter(draw, hints).example(pattern)
        except NoInstance:
            continue
        if accepts(example):
            return example
    return Inverter(draw, hints).example(pattern)
