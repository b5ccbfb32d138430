"""`y10c opt`: run passes on a model or on text, and look on while they run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from y10c.cli.terminal import table, terminal
from y10c.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.table import Table

    from y10c.ir.graph import Graph
    from y10c.ir.tensor import Array
    from y10c.pipeline.bisect import Contexts
    from y10c.pipeline.optimize import OptResult
    from y10c.pipeline.validate import MeaningChanged
    from y10c.rewrite.passes import Pass, PassContext

    Feed = Mapping[str, Array] | None

FIRST_DIAGNOSED = 2
"""From this level of validation on, a failure starts bisect and reduce."""

Model = Annotated[Path | None, typer.Argument(help="ONNX file, or text IR (.y10c).")]
Passes = Annotated[
    str, typer.Option("--passes", "-p", help="Pipeline, such as 'fold-bn,fold-head{mode=e2e}'.")
]
Shape = Annotated[list[str] | None, typer.Option(help="Extents of an open input: x=1x3x640x640.")]
Inputs = Annotated[Path | None, typer.Option(help="npz file with one array per input; drawn otherwise.")]
TargetName = Annotated[str | None, typer.Option("--target", "-t", help="Whose scheme passes quantize by.")]
March = Annotated[str | None, typer.Option(help="Chip of the target's family.")]
Calibration = Annotated[Path | None, typer.Option(help="Data for the pass calibrate; generated otherwise.")]


def opt(
    model: Model = None,
    passes: Passes = "canonicalize",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="OUT.onnx or OUT.y10c; else text on stdout.")
    ] = None,
    shape: Shape = None,
    print_ir_after_all: Annotated[bool, typer.Option(help="Print the IR after each pass to stderr.")] = False,
    print_ir_after_change: Annotated[bool, typer.Option(help="The same, where a pass changed it.")] = False,
    verify_each: Annotated[bool, typer.Option(help="Verify the graph after every pass.")] = True,
    validate: Annotated[
        str,
        typer.Option(
            help="L0 verifier; L1 interface; L2 float64 around each rewrite; L3 outputs in onnxruntime "
            "around each pass; L4 inner tensors too."
        ),
    ] = "L0",
    time_passes: Annotated[bool, typer.Option(help="Show the time of each pass.")] = False,
    rewrite_limit: Annotated[int | None, typer.Option(min=0, help="Stop after so many rewrites.")] = None,
    inputs: Inputs = None,
    target: TargetName = None,
    march: March = None,
    calibration: Calibration = None,
    list_passes: Annotated[bool, typer.Option(help="List the registered passes, and exit.")] = False,
) -> None:
    """Run passes on a model or on text IR; the rest goes to stderr, so that stdout is the text alone."""
    from y10c.pipeline.optimize import OptOptions, read_feeds, read_graph, run_opt, write_graph
    from y10c.pipeline.textual import format_pipeline, parse_pipeline
    from y10c.pipeline.validate import MeaningChanged, level_of

    if list_passes:
        show_passes()
        return
    if print_ir_after_all and print_ir_after_change:
        raise UsageError("--print-ir-after-all and --print-ir-after-change exclude each other")
    pipeline = parse_pipeline(passes)
    graph = read_graph(required(model), shapes(shape))
    contexts = contexts_of(graph, target, march, calibration)
    context = contexts(graph)
    options = OptOptions(
        print_ir="all" if print_ir_after_all else "change" if print_ir_after_change else "",
        write=terminal().note,
        verify_each=verify_each,
        validate=level_of(validate),
        limit=rewrite_limit,
        feeds=read_feeds(inputs) if inputs is not None else sample_of(context),
    )
    before = graph.clone() if options.validate >= FIRST_DIAGNOSED else None
    try:
        result = run_opt(graph, pipeline, context, options)
    except MeaningChanged as error:
        if before is not None:
            add_diagnosis(error, before, pipeline, contexts, options.feeds)
        raise
    text = str(graph) if output is None else str(write_graph(graph, output))
    if time_passes and not terminal().json:
        terminal().console(sys.stderr).print(pass_table(result))
    if output is not None:
        terminal().note(f"{result.ops_before} ops became {len(graph)}")
    summary = result_dict(result, format_pipeline(pipeline), validate, output, text)
    terminal().result(summary, lambda: text)


def add_diagnosis(
    error: MeaningChanged, graph: Graph, pipeline: Sequence[Pass], contexts: Contexts, feeds: Feed
) -> None:
    """Say in an error's help which rewrite broke the outputs, and which file replays it."""
    from y10c.pipeline.diagnose import diagnose
    from y10c.progress import step

    with step("looking for the rewrite"):
        found = diagnose(graph, pipeline, contexts, feeds)
    if found is not None:
        one = found.culprit.application
        error.help = (
            f"rewrite {one.number}, {one.rule} in {found.culprit.pass_name}, breaks the outputs; "
            f"y10c repro {found.file} shows it on {found.ops} ops"
        )


def result_dict(
    result: OptResult, pipeline: str, level: str, output: Path | None, text: str
) -> dict[str, object]:
    """The result as the JSON object of `--json`; the text of the IR where no file was asked for."""
    return {
        "pipeline": pipeline,
        "ops": {"before": result.ops_before, "after": len(result.graph)},
        "passes": [run_dict(result, index) for index in range(len(result.runs))],
        "validation": {"level": level, **result.validation.as_dict()} if level != "L0" else None,
        "output": str(output) if output is not None else None,
        "ir": text if output is None else None,
    }


def required(model: Path | None) -> Path:
    """The model that the command line names.

    Raises:
        UsageError: It names none.
    """
    if model is None:
        raise UsageError("no model given", help="name an ONNX file or a .y10c text file")
    return model


def shapes(given: list[str] | None) -> dict[str, list[int]]:
    """`--shape` options as extents by input name; raises UsageError."""
    from y10c.cli.compile import parse_shape

    return dict(map(parse_shape, given or []))


def context_of(graph: Graph, target: str | None, march: str | None, calibration: Path | None) -> PassContext:
    """What passes that calibrate and quantize look for; generated data where no folder is named.

    Raises:
        UnknownNameError: There is no such target or march.
        DataError: The data cannot be read or does not fit.
    """
    from y10c.rewrite.passes import PassContext

    context = PassContext()
    if target is None:
        return context
    from y10c.calib.feeds import Feeds, generated_feeds, open_feeds
    from y10c.pipeline.target import create_target, tables_of

    types = {value.name: value.tensor_type for value in graph.inputs}
    feeds = generated_feeds(types) if calibration is None else open_feeds(types, calibration)
    context.tables = {**tables_of(create_target(target, march)), Feeds: feeds}
    return context


def contexts_of(graph: Graph, target: str | None, march: str | None, calibration: Path | None) -> Contexts:
    """Makes contexts for runs on a graph; for other graphs, parts of it, the data is generated.

    The data of a whole model fits no part of it, whose inputs are other tensors.
    """
    from y10c.rewrite.passes import PassContext

    whole = context_of(graph, target, march, calibration)

    def contexts(part: Graph) -> PassContext:
        if [v.name for v in part.inputs] == [v.name for v in graph.inputs]:
            return PassContext(tables=dict(whole.tables))
        return context_of(part, target, march, None)

    return contexts


def sample_of(context: PassContext) -> dict[str, Array] | None:
    """The first calibration sample as an array per input; None where there is no calibration data.

    Numbers drawn without regard to it would lie outside the ranges that calibration chooses.
    """
    from y10c.calib.feeds import Feeds

    loaded = {name: data.load(0) for name, data in context.tables.get(Feeds, {}).items()}
    return {name: one.array for name, one in loaded.items() if one is not None} or None


def show_passes() -> None:
    """The registered passes with what they do, their options and rules."""
    from dataclasses import fields

    from y10c import plugins
    from y10c.pipeline.textual import GROUP, registered_passes

    listed = [
        {
            "name": name,
            "doc": (type(one).__doc__ or "").strip().splitlines()[0],
            "options": {f.name: f.default for f in fields(one)},
            "rules": [rule.name for rule in getattr(one, "rules", ())],
            "requires": sorted(one.requires),
            "establishes": sorted(one.establishes),
            "distribution": plugins.entries(GROUP)[name].distribution,
        }
        for name, one in registered_passes().items()
    ]
    rows = [
        (p["name"], p["doc"], " ".join(f"{k}={v}" for k, v in p["options"].items()), len(p["rules"]))  # type: ignore[attr-defined]
        for p in listed
    ]
    terminal().result({"passes": listed}, lambda: table(("pass", "what it does", "options", "rules"), rows))


def run_dict(result: OptResult, index: int) -> dict[str, object]:
    """One pass as a JSON object."""
    run = result.runs[index]
    return {
        "name": run.name,
        "seconds": run.seconds,
        "verify_seconds": run.verify_seconds,
        "ops": run.ops,
        "rewrites": sum(run.rules.values()),
        "rules": dict(run.rules),
    }


def pass_table(result: OptResult) -> Table:
    """Time, rewrites and ops a pass."""
    rows = [
        (run.name, round(run.seconds, 3), round(run.verify_seconds, 3), sum(run.rules.values()), run.ops)
        for run in result.runs
    ]
    return table(("pass", "seconds", "verifying", "rewrites", "ops"), rows)
