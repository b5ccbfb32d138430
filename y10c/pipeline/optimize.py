"""`opt`: a model or text in, passes with everything that looks on, a model or text out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from y10c.errors import DataError, ModelError, UsageError, VerifyError
from y10c.frontend.importer import load
from y10c.ir.graph import Graph
from y10c.ir.tensor import Array
from y10c.ir.textdata import load_text, save_text
from y10c.ir.verify import verify
from y10c.pipeline.instruments import PrintIR
from y10c.pipeline.manager import Instrument, PassRun, check_order, run_passes
from y10c.pipeline.validate import Validation, Validator
from y10c.rewrite.passes import Pass, PassContext

TEXT_SUFFIX = ".y10c"


@dataclass(frozen=True)
class OptOptions:
    """What looks on while passes run.

    Args:
        print_ir: `all`, `change` or nothing.
        write: Takes the printed IR.
        verify_each: Verify after every pass.
        validate: Level of the validation ladder, 0 to 4.
        limit: Stop after so many rewrites.
        feeds: One array per input for levels 3 and 4; drawn where None.
    """

    print_ir: str = ""
    write: Callable[[str], object] = print
    verify_each: bool = True
    validate: int = 0
    limit: int | None = None
    feeds: Mapping[str, Array] | None = None


@dataclass(frozen=True)
class OptResult:
    """What the passes did.

    Args:
        graph: The graph afterwards.
        runs: One a pass.
        validation: What was compared.
        ops_before: Number of ops beforehand.
    """

    graph: Graph
    runs: Sequence[PassRun]
    validation: Validation = field(default_factory=Validation)
    ops_before: int = 0


def run_opt(graph: Graph, passes: Sequence[Pass], context: PassContext, options: OptOptions) -> OptResult:
    """Run passes on a graph in place, with the instruments that the options ask for.

    Raises:
        PipelineError: The passes are in an order that cannot work.
        VerifyError: A pass left an invalid graph.
        MeaningChanged: A level of validation does not hold.
    """
    check_order(passes, context.facts)
    context.limit = options.limit
    before = len(graph)
    instruments: list[Instrument] = []
    validation = Validation()
    if options.print_ir:
        instruments.append(PrintIR(options.write, changed_only=options.print_ir == "change"))
    if options.validate:
        validator = Validator(options.validate, context, options.feeds)
        instruments.append(validator)
        validation = validator.found
    runs = run_passes(graph, passes, context, instruments=instruments, verify_each=options.verify_each)
    return OptResult(graph, runs, validation, before)


def read_graph(path: Path, shapes: Mapping[str, Sequence[int]] | None = None) -> Graph:
    """A graph from a text file (`.y10c`) or an ONNX file (anything else).

    Raises:
        ModelError: The file cannot be read or is not valid; ParseError where the text does not parse.
        UsageError: Shapes are given for text.
    """
    if path.suffix != TEXT_SUFFIX:
        return load(path, shapes=shapes)
    if shapes:
        raise UsageError("--shape is for ONNX files", help="edit the types in the text")
    graph = load_text(path)
    try:
        verify(graph)
    except VerifyError as error:
        raise ModelError(error.message, where=str(path)) from None
    return graph


def write_graph(graph: Graph, path: Path) -> Path:
    """Write text (`.y10c`) or ONNX (anything else); raises OutputError."""
    from y10c.backend.exporter import save

    return save_text(graph, path) if path.suffix == TEXT_SUFFIX else save(graph, path)


def read_feeds(path: Path) -> dict[str, Array]:
    """The arrays of an npz file, by input name.

    Raises:
        DataError: The file is not one.
    """
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise DataError(
            f"this is not an npz file: {error}",
            code="Y3101",
            where=str(path),
            help="numpy.savez(FILE, input_name=array) writes one",
        ) from None
