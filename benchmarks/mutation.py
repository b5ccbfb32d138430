"""Do the derived tests of rules bite? A mutation run over all shipped rules.

    python benchmarks/mutation.py [--every 4] [--examples 100] [--only affine] [--json FILE]

Mutants are made mechanically (`y10c.testing.mutate`); each is judged by the property test that is derived
from its own pattern and, where that finds nothing, by the symbolic proof: no hand-written test runs. A mutant
that raises wherever it fires is not counted, as any test would see it.
"""

from __future__ import annotations

import argparse
import inspect
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

from y10c.ir.graph import Graph
from y10c.rewrite.driver import rewrite
from y10c.rewrite.rule import Rule
from y10c.testing.check import VACUOUS, FromPattern, Trial, explore
from y10c.testing.mutate import Mutant, mutants, rules_in
from y10c.testing.proof import prove_rule
from y10c.testing.registered import registered_rules

PROOF_SECONDS = 10.0
THOROUGH = 3
"""What survives the quick run is drawn so many times more, as a nightly run would."""
UNCOUNTED = ("does not load", "merely raises")


def modules() -> list[ModuleType]:
    names = sorted({r.rule.build.__module__ for r in registered_rules() if r.distribution == "y10c"})
    return [import_module(name) for name in names]


def verdict(rule: Rule, original: Rule, examples: int) -> str:
    """How the derived tests end: what killed the mutant, or why it may have survived."""
    raised = succeeded = 0

    def change(graph: Graph) -> int:
        nonlocal raised, succeeded
        try:
            applied = rewrite(graph, [rule]).applied[rule.name]
        except Exception:
            raised += 1
            return 0
        succeeded += bool(applied)
        return applied

    trial = explore(change, FromPattern(rule), examples, 0, shrink=False)
    if trial.failure is None and succeeded:
        trial = explore(change, FromPattern(rule), THOROUGH * examples, 1, shrink=False)
    if trial.failure is not None:
        return f"killed: {trial.failure.problem.kind}"
    if raised and not succeeded:
        return "merely raises"
    if raised:
        return "killed: raises at times"
    if trial.examples == 0 or trial.fired < VACUOUS * trial.examples:
        return "killed: vacuous"
    if prove_rule(rule, seconds=PROOF_SECONDS).status == "refuted":
        return "killed: proof"
    return _compared(rule, original, examples, trial)


def _compared(rule: Rule, original: Rule, examples: int, trial: Trial) -> str:
    """Whether a survivor can be told from the original at all on the examples of the original's pattern."""
    counts: Counter[str] = Counter()

    def change(graph: Graph) -> int:
        other = graph.clone()
        applied = rewrite(graph, [original]).applied[original.name]
        mutated = rewrite(other, [rule]).applied[rule.name]
        if bool(applied) != bool(mutated):
            counts["fires less" if applied else "fires more"] += 1
        elif str(graph) != str(other):
            counts["another graph of the same meaning"] += 1
        return 0

    explore(change, FromPattern(original), examples, 1, shrink=False)
    return "survived: " + (", ".join(sorted(counts)) or "the same graph on every example")


def judged(mutant: Mutant, module: ModuleType, examples: int) -> str:
    """The verdict over all rules that the change can affect: one kill suffices."""
    try:
        loaded = mutant.load(module)
    except Exception:
        return "does not load"
    finally:
        sys.modules.pop(f"{module.__name__}_mutant", None)
    found = []
    for name in mutant.rules:
        for rule, original in zip(rules_in(loaded, (name,)), rules_in(module, (name,)), strict=True):
            found.append(verdict(rule, original, examples))
            if found[-1].startswith("killed"):
                return found[-1]
    kept = [v for v in found if v not in UNCOUNTED]
    return kept[0] if kept else "merely raises"


def chosen(every: int, only: str) -> Iterator[tuple[ModuleType, Mutant]]:
    count = 0
    for module in modules():
        if only not in module.__name__:
            continue
        for mutant in mutants(inspect.getsource(module)):
            if count % every == 0:
                yield module, mutant
            count += 1


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--every", type=int, default=4, help="take every n-th mutant")
    parser.add_argument("--offset", type=int, default=0, help="skip so many of the chosen ones")
    parser.add_argument("--examples", type=int, default=100)
    parser.add_argument("--only", default="", help="modules whose name holds this")
    parser.add_argument("--json", type=Path, help="write every verdict here")
    arguments = parser.parse_args()
    rows = []
    for module, mutant in list(chosen(arguments.every, arguments.only))[arguments.offset :]:
        started = time.monotonic()
        found = judged(mutant, module, arguments.examples)
        place = f"{module.__name__.rpartition('.')[2]}.py:{mutant.line}"
        rows.append({"place": place, "operator": mutant.operator, "verdict": found, "rules": mutant.rules})
        rows[-1].update({"before": mutant.before, "after": mutant.after})
        if found.startswith("survived"):
            print(f"{place} {mutant.operator}: {mutant.before} -> {mutant.after}\n    {found}", flush=True)
        elif arguments.json:
            arguments.json.write_text(json.dumps(rows, indent=1))
        rows[-1]["seconds"] = round(time.monotonic() - started, 2)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))
    report(rows)
    return 0


def report(rows: list[dict[str, object]]) -> None:
    verdicts = Counter(str(r["verdict"]).partition(":")[0] for r in rows)
    counted = verdicts["killed"] + verdicts["survived"]
    same = sum(r["verdict"] == "survived: the same graph on every example" for r in rows)
    print(Counter(str(r["verdict"]) for r in rows))
    print(
        f"{len(rows)} mutants, {counted} counted, {verdicts['killed']} killed "
        f"({verdicts['killed'] / max(1, counted):.1%}); {same} survivors gave the same graph on every example"
    )


if __name__ == "__main__":
    sys.exit(main())
