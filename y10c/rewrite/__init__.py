"""Rewriting: the one door of change, patterns as data, rules, the driver that runs them to a fixpoint."""

from y10c.rewrite.driver import RewriteStats, rewrite
from y10c.rewrite.match import Match, OpView
from y10c.rewrite.pattern import any_of, attr, const, op, rest, scalar_const, var, variables
from y10c.rewrite.rewriter import Listener, RewriteError, Rewriter
from y10c.rewrite.rule import Declined, Rule, decline, rule

__all__ = [
    "Declined",
    "Listener",
    "Match",
    "OpView",
    "RewriteError",
    "RewriteStats",
    "Rewriter",
    "Rule",
    "any_of",
    "attr",
    "const",
    "decline",
    "op",
    "rest",
    "rewrite",
    "rule",
    "scalar_const",
    "var",
    "variables",
]
