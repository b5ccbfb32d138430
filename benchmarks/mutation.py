"""Do the derived tests of rules bite? A mutation run over all shipped rules.

    python benchmarks/mutation.py --sample 200 [--seed 0] [--part 1/2] [--json FILE]

Mutants are made mechanically (`y10c.testing.mutate`): every operator at every place of every rule. Of all
of them `--sample` are drawn with `--seed`, without looking at what they are; 0 takes all. Each is judged by
what is derived from rules alone, the quickest first: the record of the original (graphs, drawn
mechanically, on which it fires), the property test of the mutant's own pattern, and the symbolic proof. No
hand-written test runs. A mutant that raises wherever it fires, or cannot be loaded, is not counted, as any
test would see it.

A survivor is compared with the original on many graphs of the original's pattern: either none tells the two
apart, or the report says in what they differ. Verdicts are kept in `--json` as they come; a run that was
interrupted goes on there.
"""

from __future__ import annotations

import argparse
import inspect
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

from y10c import atomic
from y10c.ir.graph import Graph
from y10c.ops.infer import BuildError
from y10c.ops.sample import NoInstance
from y10c.progress import track
from y10c.rewrite.driver import rewrite
from y10c.rewrite.rule import Rule
from y10c.testing.check import VACUOUS, FromPattern, VacuousRule, explore
from y10c.testing.check import judge as demand
from y10c.testing.draw import RandomDraw
from y10c.testing.mutate import Mutant, mutants, rules_in
from y10c.testing.proof import prove_rule
from y10c.testing.record import Recorded, draw_record, record_outcomes
from y10c.testing.registered import registered_rules

PROOF_SECONDS = 6.0
COMPARED = 500
"""Graphs on which a survivor is compared with the original."""
UNCOUNTED = ("does not load", "merely raises")
Row = dict[str, Any]


def modules() -> list[ModuleType]:
    names = sorted({r.rule.build.__module__ for r in registered_rules() if r.distribution == "y10c"})
    return [import_module(name) for name in names]


def all_mutants(only: str) -> Iterator[tuple[ModuleType, Mutant]]:
    for module in modules():
        if only in module.__name__:
            for mutant in mutants(inspect.getsource(module)):
                yield module, mutant


def chosen(only: str, sample: int, seed: int, part: str) -> list[tuple[ModuleType, Mutant]]:
    """The mutants of a run, in an order that does not depend on the part."""
    found = list(all_mutants(only))
    if 0 < sample < len(found):
        found = [found[i] for i in sorted(Random(seed).sample(range(len(found)), sample))]
    which, _, of = part.partition("/")
    return found[int(which) - 1 :: int(of)]


class Judge:
    """Runs the derived tests on mutants.

    Args:
        examples: Graphs that hypothesis draws a rule; three times as many are drawn at random.
    """

    def __init__(self, examples: int) -> None:
        self.examples = examples
        self.records: dict[str, list[Recorded]] = {}

    def judge(self, mutant: Mutant, module: ModuleType) -> str:
        """The verdict over all rules that the change can affect: one kill suffices."""
        found = []
        try:
            with loaded(mutant, module) as changed:
                for name in mutant.rules:
                    (original,) = rules_in(module, (name,))
                    for rule in rules_in(changed, (name,)):
                        found.append(self.verdict(rule, original))
                        if found[-1].startswith("killed"):
                            return found[-1]
        except _DoesNotLoad:
            return "does not load"
        kept = [v for v in found if v not in UNCOUNTED]
        return kept[0] if kept else "merely raises"

    def verdict(self, rule: Rule, original: Rule) -> str:
        """How the derived tests end: what killed the mutant, or why it may have survived."""
        if original.name not in self.records:
            self.records[original.name] = draw_record(original)
        known = on_record(rule, self.records[original.name])
        if known:
            return known
        raises = _Raises(rule)
        trial = explore(raises.change, FromPattern(rule), self.examples, 0, shrink=False, dearer=rule.dearer)
        if trial.failure is not None:
            return f"killed: {trial.failure.problem.kind}"
        if raises.raised and not raises.succeeded:
            return "merely raises"
        if raises.raised:
            return "killed: raises at times"
        if trial.examples == 0 or trial.fired < VACUOUS * trial.examples:
            return "killed: vacuous"
        try:
            demand(rule.name, trial, "", None)
        except VacuousRule:
            return "killed: vacuous form"
        if prove_rule(rule, seconds=PROOF_SECONDS).status == "refuted":
            return "killed: proof"
        return compared(rule, original)


def on_record(rule: Rule, record: list[Recorded]) -> str:
    """The verdict of the recorded graphs; empty where the mutant does to all of them what it should."""
    kinds: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
    for one, found in zip(record, record_outcomes(rule, record), strict=True):
        kinds[one.fires]["" if found is None else found.problem.kind] += 1
    if merely_raises(kinds[True], kinds[False]):
        return "merely raises"
    both = kinds[True] + kinds[False]
    harm = sorted(both.keys() - {"", "record", "crash"})
    if harm:
        return f"killed: {harm[0]} on the record"
    if both["crash"]:
        return "killed: raises at times"
    if kinds[True]["record"]:
        return "killed: does not fire on the record"
    return "killed: fires on the record where it should not" if both["record"] else ""


def merely_raises(fires: Counter[str], others: Counter[str]) -> bool:
    """True of a mutant that raises wherever it should fire, and fires nowhere else without raising.

    A graph on which it should not fire says nothing against that where it does not: nothing is raised there.
    """
    return set(fires) == {"crash"} and set(others) <= {"", "crash"}


class _Raises:
    """Rewrites, and counts what raises apart: it is not held against a mutant that never succeeds."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.raised = self.succeeded = 0

    def change(self, graph: Graph) -> int:
        try:
            applied = rewrite(graph, [self.rule]).applied[self.rule.name]
        except Exception:
            self.raised += 1
            return 0
        self.succeeded += bool(applied)
        return applied


class _DoesNotLoad(Exception):
    """The changed module cannot be run."""


@contextmanager
def loaded(mutant: Mutant, module: ModuleType) -> Iterator[ModuleType]:
    """The changed module, as long as it is judged."""
    try:
        changed = mutant.load(module)
    except Exception as error:
        raise _DoesNotLoad from error
    finally:
        sys.modules.pop(f"{module.__name__}_mutant", None)
    yield changed


def compared(rule: Rule, original: Rule) -> str:
    """In what a survivor differs from the original on graphs of the original's pattern, if in anything."""
    source, counts, tried = FromPattern(original), Counter[str](), 0
    for seed in range(COMPARED):
        try:
            graph = source(RandomDraw(10_000_000 + seed)).graph
        except (NoInstance, BuildError):
            continue
        tried += 1
        other = graph.clone()
        applied = rewrite(graph, [original]).applied[original.name]
        try:
            mutated = rewrite(other, [rule]).applied[rule.name]
        except Exception:
            counts["raises"] += 1
            continue
        if bool(applied) != bool(mutated):
            counts["fires less" if applied else "fires more"] += 1
        elif str(graph) != str(other):
            counts["another graph of the same meaning"] += 1
    if not counts:
        return f"survived: the same graph on {tried} of {tried}"
    return "survived: " + ", ".join(f"{kind} on {n} of {tried}" for kind, n in sorted(counts.items()))


def row_of(mutant: Mutant, module: ModuleType) -> Row:
    place = f"{module.__name__.rpartition('.')[2]}.py:{mutant.line}:{mutant.column}"
    row = {"place": place, "operator": mutant.operator, "before": mutant.before, "after": mutant.after}
    return {**row, "rules": list(mutant.rules)}


def run(mutants: list[tuple[ModuleType, Mutant]], examples: int, path: Path | None) -> list[Row]:
    """Judge every mutant that the file does not know yet."""
    rows: list[Row] = json.loads(path.read_text()) if path and path.is_file() else []
    known = {key_of(row): row for row in rows}
    judge, judged = Judge(examples), []
    for module, mutant in track(mutants, "Judging", total=len(mutants)):
        row = row_of(mutant, module)
        if key_of(row) not in known:
            started = time.monotonic()
            row["verdict"] = judge.judge(mutant, module)
            row["seconds"] = round(time.monotonic() - started, 2)
            known[key_of(row)] = row
            rows.append(row)
            if path is not None:
                atomic.write_text(path, json.dumps(rows, indent=1))
        judged.append(known[key_of(row)])
    return judged


def key_of(row: Row) -> str:
    return json.dumps([row[k] for k in ("place", "operator", "before", "after", "rules")])


def report(rows: list[Row], of: int) -> None:
    for row in rows:
        if row["verdict"].startswith("survived"):
            print(f"{row['place']} {row['operator']}: {row['before']} -> {row['after']}")
            print(f"    {row['verdict']}")
    verdicts = Counter(r["verdict"].partition(" of ")[0].rstrip(" 0123456789") for r in rows)
    for verdict, count in sorted(verdicts.items(), key=lambda pair: -pair[1]):
        print(f"{count:5}  {verdict}")
    killed = sum(r["verdict"].startswith("killed") for r in rows)
    counted = killed + sum(r["verdict"].startswith("survived") for r in rows)
    seconds = sum(r["seconds"] for r in rows)
    print(
        f"{len(rows)} of {of} mutants in {seconds:.0f} s, {counted} counted, "
        f"{killed} killed ({killed / max(1, counted):.1%})"
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sample", type=int, default=200, help="mutants drawn from all; 0 takes all")
    parser.add_argument("--seed", type=int, default=0, help="of the drawing")
    parser.add_argument("--part", default="1/1", help="one of several runs side by side, such as 2/4")
    parser.add_argument("--examples", type=int, default=60)
    parser.add_argument("--only", default="", help="modules whose name holds this")
    parser.add_argument("--json", type=Path, help="every verdict; a later run goes on there")
    arguments = parser.parse_args()
    found = chosen(arguments.only, arguments.sample, arguments.seed, arguments.part)
    rows = run(found, arguments.examples, arguments.json)
    report(rows, sum(1 for _ in all_mutants(arguments.only)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
