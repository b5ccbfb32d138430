"""`y10c rules`: the registered rewrite rules, what is proved of them, and their derived tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from y10c.cli.terminal import table, terminal
from y10c.progress import track

rules = typer.Typer(name="rules", help="List and check the registered rewrite rules.", no_args_is_help=True)


@rules.command(name="list")
def list_rules(
    seconds: Annotated[float, typer.Option(help="Time for the proof of each rule.")] = 30.0,
    shapes: Annotated[bool, typer.Option("--shapes", help="Also show the shapes of each proof.")] = False,
) -> None:
    """Show every registered rule, whether it is proved, and if not, why not.

    With `--json` stdout is a list of objects: `name`, `pass`, `status` (`proved` or `tested`), `why`, and
    more. A proof is kept until the rule or y10c changes.
    """
    from y10c.testing.proof_cache import cached_proof
    from y10c.testing.registered import registered_rules

    found = registered_rules()
    proofs = [
        (one, cached_proof(one.rule, seconds=seconds)) for one in track(found, "Proving", total=len(found))
    ]
    listed = [
        {
            "name": one.rule.name,
            "pass": one.pass_name,
            "status": "proved" if proof.proved else "tested",
            "why": proof.why if proof.status != "refuted" else f"refuted: {proof.why}",
            "doc": one.rule.doc,
            "source": one.rule.source,
            **({"cases": list(proof.cases)} if shapes else {}),
        }
        for one, proof in proofs
    ]
    if terminal().json:
        # A bare list, so that programs read it as one; `finish` has nothing left to print.
        print(json.dumps(listed, indent=2))
        terminal().json = False
        return
    rows = [(one.rule.name, one.pass_name, proof.status, proof.why) for one, proof in proofs]
    title = f"{len(proofs)} rules, {sum(proof.proved for _, proof in proofs)} proved"
    terminal().result({}, lambda: table(("rule", "pass", "status", "why"), rows, title=title))


@rules.command()
def record(
    names: Annotated[list[str] | None, typer.Argument(help="Rules; all by default.")] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder of the records.")] = Path(
        "tests/rules/records"
    ),
) -> None:
    """Draw and keep graphs on which each rule fires, and some that it turns down; it has to stay so.

    Run it for a new rule, and after a change that lets a rule fire on more or on less: the difference of the
    files is what the change did.
    """
    from y10c.testing.record import draw_record, save_record
    from y10c.testing.registered import registered_rule, registered_rules

    found = [registered_rule(name) for name in names] if names else list(registered_rules())
    kept: dict[str, int] = {}
    for one in track(found, "Drawing", total=len(found)):
        graphs = draw_record(one.rule)
        save_record(output, one.rule.name, graphs)
        kept[one.rule.name] = len(graphs)
    rows = [(name, str(count)) for name, count in kept.items()]
    terminal().result(
        {"folder": str(output), "graphs": kept},
        lambda: table(("rule", "graphs"), rows, title=f"{sum(kept.values())} graphs in {output}"),
    )


@rules.command()
def document(
    output: Annotated[Path, typer.Option("--output", "-o", help="The page to write.")] = Path(
        "docs/reference/rules.md"
    ),
    records: Annotated[Path, typer.Option(help="The folder of the records, for the examples.")] = Path(
        "tests/rules/records"
    ),
    seconds: Annotated[float, typer.Option(help="Time for the proof of each rule.")] = 30.0,
) -> None:
    """Write the page of y10c's own rules: what each does, an example, and whether it is proved."""
    from y10c import atomic
    from y10c.testing.catalog import page
    from y10c.testing.proof_cache import cached_proof
    from y10c.testing.registered import registered_rules

    found = [one for one in registered_rules() if one.distribution == "y10c"]
    proofs = {
        one.rule.name: cached_proof(one.rule, seconds=seconds)
        for one in track(found, "Proving", total=len(found))
    }
    statuses = {
        name: f"{'proved' if proof.proved else 'tested'}: {proof.why}" for name, proof in proofs.items()
    }
    atomic.write_text(output, page(found, records, statuses))
    terminal().result({"page": str(output), "rules": len(found)}, lambda: f"{len(found)} rules in {output}")


@rules.command()
def check(
    name: Annotated[str, typer.Argument(help="The rule's name, as `y10c rules list` shows it.")],
    examples: Annotated[int, typer.Option("--examples", "-n", help="Graphs drawn from its pattern.")] = 100,
    seed: Annotated[int, typer.Option(help="The same seed draws the same graphs.")] = 0,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where a counterexample is written.")] = Path(
        "counterexamples"
    ),
    records: Annotated[
        Path, typer.Option(help="The folder of the records: graphs on which the rule has to fire.")
    ] = Path("tests/rules/records"),
) -> None:
    """Run everything that is derived from a rule: its property test, its record and its proof.

    Exit code 1 says that the rule is wrong or never fires; the counterexample is printed and written.
    """
    from y10c.testing.check import check_rule
    from y10c.testing.registered import registered_rule

    found = registered_rule(name)
    report = check_rule(found.rule, examples=examples, seed=seed, save_to=output, prove=True, records=records)
    proof = report.proof
    assert proof is not None
    result = {
        "name": name,
        "pass": found.pass_name,
        "examples": report.examples,
        "fired": report.fired,
        "contexts": dict(report.contexts),
        "float32": report.float32,
        "seconds": report.seconds,
        "status": proof.status,
        "why": proof.why,
        "cases": list(proof.cases),
    }
    lines = [
        f"{name}: {found.rule.doc}",
        f"fired on {report.fired} of {report.examples} graphs, {report.float32} of them also in onnxruntime",
        *(f"  {context}: {count}" for context, count in report.contexts.items()),
        f"{proof.status}: {proof.why}",
        *(f"  {case}" for case in proof.cases),
    ]
    terminal().result(result, lambda: "\n".join(lines))
