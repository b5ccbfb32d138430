"""What a comparison found, as plain data: for the table, the page, JSON and gates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from y10c.calib.sketch import Sketch
from y10c.comparison.agreement import Agreement, Changes
from y10c.comparison.detections import Detected
from y10c.comparison.matching import Pair
from y10c.comparison.measure import Measured


@dataclass(frozen=True)
class NodeDifference:
    """One tensor that both models have.

    Args:
        node: The candidate's node; the input's name for an input.
        op: What it is.
        tensor: Name in the reference.
        dtype: Type in which the candidate passes it on: `int8`, `uint8`, `int16`, `float` ...
        cosine: Cosine with the reference over all samples.
        sqnr_db: Signal to noise with all errors before it, in dB; inf where they are equal.
        own_sqnr_db: The same where the node reads the reference's inputs: what it loses on its own.
        max_error: Largest difference of one element.
        max_sample: The sample that it was on.
        threshold: Largest magnitude that the candidate's integers express; None for floats.
        saturation: Share of the elements that the integers clip; None for floats.
        nonfinite: Elements that are NaN or Inf in either model; they are left out of the figures.
    """

    node: str
    op: str
    tensor: str
    dtype: str
    cosine: float
    sqnr_db: float
    own_sqnr_db: float
    max_error: float
    max_sample: str
    threshold: float | None
    saturation: float | None
    nonfinite: int


@dataclass(frozen=True)
class Distribution:
    """How a node's tensor is distributed, in the reference and in the candidate before its quantization.

    Args:
        reference: All values over all samples.
        candidate: The same.
        limits: The least and greatest value of the candidate's integers; None for floats.
    """

    reference: Sketch
    candidate: Sketch
    limits: tuple[float, float] | None


@dataclass(frozen=True)
class OutputDifference:
    """One output, or tensor that enters a tail whose rows change places.

    Args:
        name: To show.
        cosine: With the reference; None where the candidate has no such tensor.
        sqnr_db: In dB; None likewise.
        max_error: Largest difference; None likewise.
    """

    name: str
    cosine: float | None = None
    sqnr_db: float | None = None
    max_error: float | None = None

    @property
    def compared(self) -> bool:
        """Whether both models have it."""
        return self.cosine is not None


@dataclass(frozen=True)
class Comparison:
    """How a candidate differs from a reference.

    Args:
        reference: Name of the model that is right.
        candidate: Name of the model to judge.
        samples: Samples that tensors were compared on.
        images: Samples that detections were compared on.
        synthetic: Whether the data was generated and says nothing of accuracy.
        nodes: In the candidate's order; empty where the models share no tensor but their outputs.
        outputs: The reference's outputs, or what enters its tail.
        detections: Agreement as detectors; None where one of the models is none.
        distributions: By tensor.
        notes: What a reader should know, one sentence each.
    """

    reference: str
    candidate: str
    samples: int
    images: int
    synthetic: bool
    nodes: tuple[NodeDifference, ...]
    outputs: tuple[OutputDifference, ...]
    detections: Detected | None = None
    distributions: Mapping[str, Distribution] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def worst_output(self) -> OutputDifference | None:
        """The compared output of the lowest cosine."""
        known = [one for one in self.outputs if one.cosine is not None]
        return min(known, key=lambda one: one.cosine or 0.0, default=None)

    @property
    def worst_own(self) -> list[NodeDifference]:
        """The nodes that lose something on their own, most first."""
        return sorted(self.nodes, key=lambda node: node.own_sqnr_db)

    def to_json(self) -> dict[str, Any]:
        """The object of `y10c compare --json`; infinite figures become null there."""
        return {
            "reference": self.reference,
            "candidate": self.candidate,
            "samples": self.samples,
            "synthetic": self.synthetic,
            "outputs": [_plain(one) for one in self.outputs],
            "nodes": [_plain(node) for node in self.nodes],
            "worst_own": [node.node for node in self.worst_own[:10]],
            "detections": _detections(self.detections, self.images),
            "notes": list(self.notes),
        }


def _plain(row: NodeDifference | OutputDifference | Agreement | Changes) -> dict[str, Any]:
    """A row as JSON's own types."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in asdict(row).items()
    }


def _detections(found: Detected | None, images: int) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "images": images,
        "kept": found.kept,
        "lost": found.lost,
        "new": found.new,
        "agreement": [_plain(one) for one in found.agreements],
        "by_image": {name: _plain(one) for name, one in found.images.items()},
    }


def node_difference(pair: Pair, found: Measured) -> NodeDifference:
    """The row of one tensor."""
    return NodeDifference(
        pair.node,
        pair.op,
        pair.tensor,
        pair.dtype,
        found.whole.cosine,
        found.whole.sqnr_db,
        found.alone.sqnr_db,
        found.whole.max_error,
        found.whole.max_sample,
        pair.grid.threshold if pair.grid is not None else None,
        found.saturation if pair.grid is not None else None,
        found.whole.nonfinite,
    )


def distributions(pairs: Sequence[Pair], found: Mapping[str, Measured]) -> dict[str, Distribution]:
    """The distribution of every compared tensor."""
    return {
        pair.tensor: Distribution(
            found[pair.tensor].reference,
            found[pair.tensor].candidate,
            (pair.grid.low, pair.grid.high) if pair.grid is not None else None,
        )
        for pair in pairs
    }
