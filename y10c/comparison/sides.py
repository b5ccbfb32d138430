"""The two models of a comparison, and whether the same data can feed both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx

from y10c.calib.dataset import fixed_shape
from y10c.calib.feeds import Feeds, generated_feeds, open_feeds
from y10c.comparison.tensors import may_fit
from y10c.diagnostics import warn
from y10c.errors import ModelError
from y10c.frontend.importer import load
from y10c.frontend.read import read_model
from y10c.frontend.shapes import set_input_shapes
from y10c.ir.graph import Graph
from y10c.ir.types import TensorType
from y10c.passes.canonicalize.recognize import RecognizeFunctions
from y10c.rewrite.passes import PassContext

Model = str | Path | onnx.ModelProto


@dataclass(frozen=True)
class Side:
    """One of the two models.

    Args:
        name: For people: the file's name.
        source: What runs: the file's path, so that weights beside it are found, or the model.
        proto: The same as a message.
        graph: Its structure; never run.
    """

    name: str
    source: Path | onnx.ModelProto
    proto: onnx.ModelProto
    graph: Graph

    @property
    def tensors(self) -> set[str]:
        """What can be read on a run: results of nodes outside of subgraphs, and inputs."""
        made = {name for node in self.proto.graph.node for name in node.output if name}
        return made | {one.name for one in self.proto.graph.input}

    @property
    def inputs(self) -> dict[str, TensorType]:
        """What must be fed, in order."""
        return {value.name: value.tensor_type for value in self.graph.inputs}


def open_side(
    model: Model, name: str, shapes: Mapping[str, Sequence[int]] | None = None, *, units: bool = False
) -> Side:
    """Read a model for a comparison.

    Args:
        model: A path or a model.
        name: What to call a model in memory.
        shapes: Extents of its inputs where they are open; names that it has not are passed over.
        units: Show functions of several nodes (SiLU) as one op, whose inner tensors are none.

    Raises:
        ModelError: It cannot be read or is not valid.
    """
    proto, path = read_model(model)
    own = {one.name for one in proto.graph.input}
    given = {key: value for key, value in (shapes or {}).items() if key in own}
    graph = load(model, shapes=given)
    if units:
        RecognizeFunctions().run(graph, PassContext())
    fixed = set_input_shapes(proto, given) if given else proto
    runs = path if path is not None and not given and path.suffix == ".onnx" else fixed
    return Side(path.name if path is not None else name, runs, fixed, graph)


def feeds_for(reference: Side, candidate: Side, data: Path | None) -> tuple[Feeds, Feeds]:
    """The same samples for both models, each under its own input's name.

    Args:
        reference: The model that is right.
        candidate: The model to judge.
        data: Folder or npy file; generated samples where None.

    Raises:
        DataError: The data cannot be read or does not fit.
        ModelError: The models' inputs differ, are open, or are several.
    """
    _require_same_inputs(reference, candidate)
    kinds = reference.inputs.items()
    wanted = {name: kind.with_(shape=fixed_shape(kind.shape or ())) for name, kind in kinds}
    if data is not None:
        feeds = open_feeds(wanted, data)
    else:
        warn("Y5001", "compared on generated data: the figures say nothing of real images")
        feeds = generated_feeds(wanted)
    return feeds, Feeds(dict(zip(candidate.inputs, feeds.values(), strict=True)))


def _require_same_inputs(reference: Side, candidate: Side) -> None:
    ours, theirs = list(reference.graph.inputs), list(candidate.graph.inputs)
    if len(ours) != len(theirs):
        raise _differ(f"{reference.name} has {len(ours)} inputs, {candidate.name} {len(theirs)}")
    for a, b in zip(ours, theirs, strict=True):
        if a.tensor_type.dtype is not b.tensor_type.dtype or not may_fit(a, b):
            raise _differ(
                f"input {a.name!r} of {reference.name} is {a.type}, input {b.name!r} of {candidate.name} "
                f"is {b.type}"
            )


def _differ(what: str) -> ModelError:
    return ModelError(
        f"the same data cannot feed both models: {what}",
        code="Y3003",
        help="compare models of one input type, layout and size; y10c compile keeps the input as it is",
    )
