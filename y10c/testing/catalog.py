"""The page of all rules: what each does, its pattern, an example, and whether it is proved."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path

from y10c import plugins
from y10c.ir.graph import Graph
from y10c.ir.printer import print_graph
from y10c.rewrite.driver import rewrite
from y10c.rewrite.pattern import describe
from y10c.rewrite.rule import Rule
from y10c.testing.record import load_record
from y10c.testing.registered import Registered

HEAD = """# Rewrite rules

Generated from the rules by `y10c rules document`; a test says when it is out of date. Each rule with its
pattern, the smallest graph of its record before and after, and whether it is *proved* (for the shapes that
`y10c rules list --shapes` shows) or *tested* (and why not proved).
"""

Statuses = Mapping[str, str]
"""`proved: how` or `tested: why not`, by rule."""


def page(found: Iterable[Registered], records: Path, statuses: Statuses) -> str:
    """The page as Markdown.

    Args:
        found: The rules.
        records: The folder of their records.
        statuses: What is proved of them.
    """
    ordered = sorted(found, key=lambda one: (one.pass_name, one.rule.name))
    lines = [HEAD]
    for name, rules in groupby(ordered, key=lambda one: one.pass_name):
        lines.append(f"## {name or 'Rules of no pass'}\n\n{_sentence(name)}\n")
        lines += [_entry(one.rule, records, statuses.get(one.rule.name, "")) for one in rules]
    return "\n".join(lines)


def statuses_of(text: str) -> dict[str, str]:
    """The statuses that a page states, by rule."""
    return dict(re.findall(r"^### (\S+)\n\n.*?\n\n\*(.*?)\*$", text, re.M | re.S))


def _sentence(name: str) -> str:
    if not name:
        return ""
    doc = getattr(plugins.load("y10c.passes", name), "__doc__", "") or ""
    return doc.strip().splitlines()[0] if doc else ""


def _entry(rule: Rule, records: Path, status: str) -> str:
    parts = [f"### {rule.name}", rule.doc.splitlines()[0] if rule.doc else "", f"*{status}*"]
    example = "\n".join(_example(rule, records))
    return "\n\n".join([*parts, f"```text\n{describe(rule.pattern)}\n{example}```\n"])


def _example(rule: Rule, records: Path) -> Iterator[str]:
    """The smallest recorded graph that only holds the match, before and after."""
    record = sorted((one for one in load_record(records, rule.name) if one.fires), key=lambda one: one.size)
    if not record:
        return
    before = record[0].graph
    after = before.clone()
    rewrite(after, [rule])
    yield "\nbefore"
    yield from _ops(before)
    yield "after"
    yield from _ops(after)
    yield ""


def _ops(graph: Graph) -> Iterator[str]:
    for line in print_graph(graph).splitlines()[1:-1]:
        yield re.sub(r"\s*# .*$", "", line)
