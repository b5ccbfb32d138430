"""`compare`: two models on the same data, tensor by tensor, output by output, detection by detection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from y10c import progress
from y10c.calib.collect import run_outputs
from y10c.calib.feeds import Feeds
from y10c.calib.similarity import Similarity, compare_streams
from y10c.comparison.detections import compare_detections
from y10c.comparison.matching import Pair, match
from y10c.comparison.measure import THREADS, Measured, measure
from y10c.comparison.outputs import (
    compared_outputs,
    quantized_in_tail,
    ranking_tail,
    sorts,
    tail_warning,
)
from y10c.comparison.result import Comparison, OutputDifference, distributions, node_difference
from y10c.comparison.sides import Model, Side, feeds_for, open_side
from y10c.diagnostics import warn
from y10c.errors import ModelError

SAMPLES = 8
"""Samples on which tensors are compared; detections are compared on all."""


def compare(
    reference: Model,
    candidate: Model,
    *,
    data: str | Path | None = None,
    samples: int = SAMPLES,
    shapes: Mapping[str, Sequence[int]] | None = None,
    pictures: int = 0,
) -> Comparison:
    """Compare a model with a reference on the same data.

    Tensors are matched by lineage: a tensor keeps its ONNX name through y10c's and onnxruntime's passes, and
    a quantized one is read behind its Q/DQ pair.

    Args:
        reference: The model that is right: a path or a model.
        candidate: The model to judge.
        data: Folder of images or npy tensors, or one npy file; generated samples where None.
        samples: Compare tensors on at most so many samples, spread evenly; detections on all.
        shapes: Extents of inputs that are open, by input name.
        pictures: Draw at most so many images, those whose detections changed most.

    Raises:
        DataError: The data cannot be read or does not fit.
        ModelError: A model cannot be read or run, the inputs differ, or nothing of the two can be compared.
    """
    with progress.step("reading the models"):
        ours = open_side(reference, "reference", shapes)
        theirs = open_side(candidate, "candidate", shapes, units=True)
    feeds = feeds_for(ours, theirs, None if data is None else Path(data))
    few = (feeds[0].limited(samples), feeds[1].limited(samples))
    pairs = match(ours, theirs)
    found = measure(ours, theirs, pairs, few)
    outputs = _outputs(ours, theirs, found, few)
    detections = compare_detections(ours, theirs, feeds, pictures=pictures)
    _require_something(ours, theirs, pairs, outputs, detections is not None)
    feeds[0].report_findings()
    return Comparison(
        ours.name,
        theirs.name,
        few[0].count,
        feeds[0].count,
        feeds[0].synthetic,
        tuple(node_difference(pair, found[pair.tensor]) for pair in pairs),
        tuple(outputs),
        detections,
        distributions(pairs, found),
        tuple(_notes(ours, theirs, pairs, outputs)),
    )


def _outputs(
    ours: Side, theirs: Side, found: Mapping[str, Measured], feeds: tuple[Feeds, Feeds]
) -> list[OutputDifference]:
    """The outputs' figures: measured already, or of integers and ranked rows not among the tensors."""
    wanted = compared_outputs(ours.graph, ranking_tail(ours.graph))
    shared = set(theirs.graph.output_names)
    unmeasured = [t for t in wanted.values() if t not in found and t in shared]
    more = _unmeasured(ours, theirs, unmeasured, feeds)
    known = {**{tensor: one.whole for tensor, one in found.items()}, **more}
    return [_output(name, known.get(tensor)) for name, tensor in wanted.items()]


def _unmeasured(
    ours: Side, theirs: Side, names: Sequence[str], feeds: tuple[Feeds, Feeds]
) -> dict[str, Similarity]:
    if not names:
        return {}
    return compare_streams(
        run_outputs(ours.source, feeds[0], names, threads=THREADS),
        run_outputs(theirs.source, feeds[1], names, threads=THREADS),
    )


def _output(name: str, found: Similarity | None) -> OutputDifference:
    if found is None:
        return OutputDifference(name)
    return OutputDifference(name, found.cosine, found.sqnr_db, found.max_error)


def _require_something(
    ours: Side, theirs: Side, pairs: Sequence[Pair], outputs: Sequence[OutputDifference], detect: bool
) -> None:
    if _computed(pairs) or detect or any(one.compared for one in outputs):
        return
    raise ModelError(
        f"{ours.name} and {theirs.name} share no tensor name and no output name, so nothing can be compared",
        code="Y3003",
        help=f"outputs of the first: {', '.join(ours.graph.output_names)}; "
        f"of the second: {', '.join(theirs.graph.output_names)}",
    )


def _computed(pairs: Sequence[Pair]) -> bool:
    """Whether a tensor that a node makes can be compared."""
    return any(pair.op != "input" for pair in pairs)


def _notes(ours: Side, theirs: Side, pairs: Sequence[Pair], outputs: Sequence[OutputDifference]) -> list[str]:
    inside = quantized_in_tail(theirs.graph)
    notes = []
    if inside:
        warn("Y5008", tail_warning(inside), where=theirs.name, help="leave the tail float")
        notes.append(f"{theirs.name}: {tail_warning(inside)}.")
    missing = [one.name for one in outputs if not one.compared]
    moved = sum(pair.shift is not None for pair in pairs)
    if moved:
        notes.append(
            f"{moved} tensors of {theirs.name} are less by a constant for which their readers make up; it is "
            "taken off the reference's too."
        )
    if sorts(ranking_tail(ours.graph)):
        notes.append(
            "The reference ranks its rows, which change places by a trifle: what enters its tail is compared."
        )
    if missing:
        notes.append(f"Only the reference has {', '.join(missing)}.")
    if not _computed(pairs):
        notes.append("The models share no tensor names, so only their outputs are compared.")
    return notes
