"""What a compilation gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import onnx

from y10c.calib.feeds import Feeds
from y10c.check.report import CheckReport
from y10c.cost.report.data import NodeRow, OutputCosine
from y10c.cost.result import CostResult
from y10c.deploy.build import Deployed
from y10c.detect.head_info import HeadInfo
from y10c.diagnostics import Diagnostics
from y10c.passes.int8.choose_precision import Precision
from y10c.pipeline.manager import PassRun


@dataclass(frozen=True)
class Cost:
    """The estimate, and which layer feeds which.

    Args:
        result: Cycles, bytes, times.
        edges: Pairs (producer, reader) of layer indices.
        times_refused: Why times cannot be told for this march; None where they can.
    """

    result: CostResult
    edges: tuple[tuple[int, int], ...]
    times_refused: str | None = None


@dataclass(frozen=True)
class Result:
    """What a compilation made.

    Args:
        target: Name of the target.
        march: Chip of the target's family.
        precision: Which tensors got 16 bits, and why; None where that was not asked.
        head: What the detection head is and how its outputs decode; None before folding.
        models: The stage models by stage name.
        files: What was written, by kind.
        nodes: The node table.
        outputs: Agreement of the outputs with the float model, on calibration samples.
        cost: Cycles, bytes and times; None where the target models no cost.
        passes: What ran.
        warnings: What a person should know.
        synthetic: Calibration ran on generated images, so that nothing is known of accuracy.
        samples: Number of calibration samples.
        check: What runs where; None where the target has no operator list.
        deployed: The runtime form; None where it is the last stage as it is.
        feeds: What calibration ran on.
    """

    target: str
    march: str
    models: Mapping[str, onnx.ModelProto]
    files: Mapping[str, Path]
    nodes: tuple[NodeRow, ...]
    outputs: tuple[OutputCosine, ...]
    cost: Cost | None
    passes: tuple[PassRun, ...]
    warnings: Diagnostics
    synthetic: bool
    samples: int
    head: HeadInfo | None = None
    precision: Precision | None = None
    deployed: Deployed | None = None
    feeds: Feeds = field(default_factory=Feeds)
    check: CheckReport | None = None

    @property
    def model(self) -> onnx.ModelProto:
        """The last stage's model."""
        return list(self.models.values())[-1]

    def moved(self, folder: Path) -> Result:
        """The same result with its files in another folder."""
        return replace(self, files={kind: folder / path.name for kind, path in self.files.items()})

    @property
    def worst_output(self) -> OutputCosine | None:
        """The output that agrees least with the float model."""
        return min(self.outputs, key=lambda o: o.cosine, default=None)
