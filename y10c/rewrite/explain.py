"""Why a rule does not fire at a node: its best partial match there, and the reason why it ends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from y10c.errors import UnknownNameError
from y10c.ir.graph import Graph
from y10c.ir.value import Op
from y10c.rewrite.journal import label
from y10c.rewrite.match import Attempt
from y10c.rewrite.pattern import AnyOp, OpPattern, Pattern, describe
from y10c.rewrite.rewriter import Rewriter
from y10c.rewrite.rule import Rule


@dataclass(frozen=True)
class RuleExplanation:
    """What a rule says to a node.

    Args:
        rule: The rule's name.
        doc: What the rule does.
        pattern: What it looks for, as text.
        node: The op that was asked about, as `Name "location"`.
        fires: True where the rule would rewrite the graph, with this node in its match.
        root: The op that was tried as the outermost one of the pattern; empty where none could be.
        at: The op at which the best partial match ended; empty where the rule fires.
        reason: Why it ended there, one sentence; empty where the rule fires.
        depth: How many operands and ops had matched until then.
    """

    rule: str
    doc: str
    pattern: str
    node: str
    fires: bool
    root: str = ""
    at: str = ""
    reason: str = ""
    depth: int = 0


def explain_rule(graph: Graph, rule: Rule, node: Op | str) -> RuleExplanation:
    """Why a rule fires, or does not fire, with a node as any part of its match.

    Args:
        graph: It is not changed.
        rule: The rule in question.
        node: An op of the graph, or the name of an ONNX node or tensor (see `find_op`).

    Raises:
        UnknownNameError: The graph has no such node.
    """
    op = find_op(graph, node) if isinstance(node, str) else node
    tried = [_tried(graph, rule, op, root) for root in _roots(rule, op)]
    if not tried:
        return _answer(rule, op, reason=_no_root(rule, op))
    # The node as the root says more than the node as a part, unless a part came further.
    return max(tried, key=lambda one: (one.fires, one.depth))


def explain_rules(graph: Graph, rules: Iterable[Rule], node: Op | str) -> list[RuleExplanation]:
    """`explain_rule` for every rule that could have the node in its match: those that fire, then by depth.

    Raises:
        UnknownNameError: The graph has no such node.
    """
    op = find_op(graph, node) if isinstance(node, str) else node
    found = [explain_rule(graph, rule, op) for rule in rules if concerns(rule, op)]
    return sorted(found, key=lambda one: (not one.fires, -one.depth, one.rule))


def concerns(rule: Rule, op: Op) -> bool:
    """True where the rule's pattern has a place for an op of that name."""
    if isinstance(rule.pattern, AnyOp):
        return rule.pattern.accepts(op.name)
    return any(isinstance(part, OpPattern) and op.name in part.names for part in rule.pattern.walk())


def find_op(graph: Graph, name: str) -> Op:
    """The op that came from an ONNX node, or that makes a tensor, of a name; nested graphs included.

    An op that stands for a fused tensor is found by that tensor's name too.

    Raises:
        UnknownNameError: There is none; the error names those that hold the text, else all.
    """
    ops = list(graph.walk())
    for names in (_location, _results, _lineage):
        found = next((op for op in ops if name in names(op)), None)
        if found is not None:
            return found
    known = sorted({n for op in ops for n in (*_location(op), *_results(op))})
    holding = [n for n in known if name and name in n]
    raise UnknownNameError("node", name, (holding or known)[:200])


def _location(op: Op) -> tuple[str, ...]:
    return (op.location,) if op.location else ()


def _results(op: Op) -> tuple[str, ...]:
    return tuple(r.name for r in op.results if r.name)


def _lineage(op: Op) -> tuple[str, ...]:
    return tuple(name for r in op.results for name in r.lineage)


def _roots(rule: Rule, op: Op) -> Iterator[Op]:
    """The op itself and the readers behind it that can be the root of a match that holds the op."""
    if isinstance(rule.pattern, AnyOp):
        yield from (op,) if rule.pattern.accepts(op.name) else ()
        return
    roots = rule.roots or ()
    layer = {op: None}
    for _ in levels(rule.pattern):
        yield from (one for one in layer if one.name in roots)
        layer = {user: None for one in layer for r in one.results for user in r.users}


def levels(pattern: Pattern) -> list[set[str]]:
    """The names of the ops that a pattern has at its root, one op behind it, two ops behind it, and so on."""
    if isinstance(pattern, OpPattern):
        return [set(pattern.names), *_merged(levels(part) for part in pattern.parts())]
    return _merged(levels(part) for part in pattern.parts())


def _merged(parts: Iterable[list[set[str]]]) -> list[set[str]]:
    merged: list[set[str]] = []
    for part in parts:
        merged += [set() for _ in part[len(merged) :]]
        for names, more in zip(merged, part, strict=False):
            names |= more
    return merged


def _tried(graph: Graph, rule: Rule, op: Op, root: Op) -> RuleExplanation:
    attempt = Attempt()
    if _applies(graph, rule, root, attempt):
        return _answer(rule, op, root=root, fires=True, depth=attempt.steps)
    at = label(attempt.at) if attempt.at is not None else ""
    reason = attempt.reason or "the pattern does not match"
    return _answer(rule, op, root=root, at=at, reason=reason, depth=max(0, attempt.depth))


def _applies(graph: Graph, rule: Rule, root: Op, attempt: Attempt) -> bool:
    rewriter = Rewriter(graph, by=rule.name)
    applied = False
    try:
        with rewriter.transaction():
            applied = rule.apply(rewriter, root, attempt)
            raise _RollBack
    except _RollBack:
        return applied


class _RollBack(Exception):  # control flow, not an error
    """Undoes the trial of a rule."""


def _answer(
    rule: Rule,
    op: Op,
    *,
    root: Op | None = None,
    fires: bool = False,
    at: str = "",
    reason: str = "",
    depth: int = 0,
) -> RuleExplanation:
    tried = label(root) if root is not None else ""
    text = describe(rule.pattern)
    return RuleExplanation(rule.name, rule.doc, text, label(op), fires, tried, at, reason, depth)


def _no_root(rule: Rule, op: Op) -> str:
    if isinstance(rule.pattern, AnyOp):
        return f"the rule does not look at {op.name}"
    wanted = " or ".join(dict.fromkeys(rule.roots or ()))
    if not concerns(rule, op):
        return f"the rule's pattern has no place for {op.name}; it starts at {wanted}"
    readers = ", ".join(dict.fromkeys(user.name for r in op.results for user in r.users))
    return f"no {wanted} reads it where the pattern has one; it is read by {readers or 'nobody'}"
