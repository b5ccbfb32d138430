"""What a report shows: the estimate, and what a compilation adds to it (all of that optional)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite

from y10c import __version__
from y10c.cost.result import CostResult, LayerCost
from y10c.cost.workload import Workload


def measured(value: float | None) -> float | None:
    """The value, None where it is no number (the cosine of an output that is zero everywhere)."""
    return value if value is not None and isfinite(value) else None


@dataclass(frozen=True, slots=True)
class NodeRow:
    """One line of the node table that Journey 6 users know from their toolchain's log.

    `unit` is "BPU" or "CPU". `threshold` is the largest magnitude of the output's range (scale times 127 at
    8 bits). The cosines compare the node's output with the float model's: with activations quantized
    (`calibrated_cosine`), and with weights too (`quantized_cosine`). None where nothing was measured.
    """

    node: str
    op: str
    unit: str
    threshold: float | None = None
    calibrated_cosine: float | None = None
    quantized_cosine: float | None = None
    dtype: str = ""

    def __post_init__(self) -> None:
        for name in ("threshold", "calibrated_cosine", "quantized_cosine"):
            object.__setattr__(self, name, measured(getattr(self, name)))


@dataclass(frozen=True, slots=True)
class OutputCosine:
    """Agreement of one model output with the float model's, over the calibration images."""

    name: str
    cosine: float


@dataclass(frozen=True, slots=True)
class TensorRow:
    """An input or output of the model; `dtype` as in ONNX ("float32", "uint8")."""

    name: str
    shape: tuple[int | str, ...]
    dtype: str
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class PassRow:
    """A pass that ran, and how often each of its rules was applied."""

    name: str
    rules: Mapping[str, int]

    @property
    def applied(self) -> int:
        """Applications of all rules together."""
        return sum(self.rules.values())


@dataclass(frozen=True, slots=True)
class FileRow:
    """A file that was written, with one sentence on what it is."""

    path: str
    about: str = ""
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class ReportData:
    """Everything a report shows.

    Args:
        cost: The estimate.
        version: Of y10c.
        inputs: The model's inputs as the user gave them.
        outputs: The model's outputs.
        nodes: The quantization summary, in graph order.
        output_cosines: One for each output that was compared.
        files: What was written beside the report.
        warnings: `Diagnostic.as_dict()` of each warning.
        notes: Sentences that must not be overlooked ("calibrated on synthetic images").
        passes: In the order in which they ran.
        edges: Layer to layer, as indices into `cost.layers`; `edges_of` reads them from a workload.
        times_refused: Why times cannot be told for this march; None where they can. Cycles are shown instead.
    """

    cost: CostResult
    version: str = __version__
    inputs: tuple[TensorRow, ...] = ()
    outputs: tuple[TensorRow, ...] = ()
    nodes: tuple[NodeRow, ...] = ()
    output_cosines: tuple[OutputCosine, ...] = ()
    files: tuple[FileRow, ...] = ()
    warnings: tuple[Mapping[str, str | None], ...] = ()
    notes: tuple[str, ...] = ()
    passes: tuple[PassRow, ...] = ()
    edges: tuple[tuple[int, int], ...] = ()
    times_refused: str | None = None

    @property
    def mac_share(self) -> dict[tuple[int, int], float]:
        """Share of all MACs (0..1) for each (activation bits, weight bits), the largest first."""
        counts: Counter[tuple[int, int]] = Counter()
        for layer in self.cost.layers:
            counts[layer.activation_bits, layer.weight_bits] += layer.macs
        total = counts.total() or 1
        return {bits: count / total for bits, count in counts.most_common() if count}

    @property
    def layouts(self) -> dict[str, int]:
        """How many results lie in each layout, the most frequent first; empty where none was chosen."""
        return dict(Counter(layer.layout for layer in self.cost.layers if layer.layout).most_common())

    @property
    def conversions(self) -> int:
        """Layers that do nothing but change a layout."""
        return sum(layer.kind in ("convert", "transpose") for layer in self.cost.layers)

    @property
    def makespan_us(self) -> float:
        """When the last unit is done, in microseconds from the first."""
        return max((interval.end_us for interval in self.cost.timeline), default=0.0)

    def layer(self, index: int) -> LayerCost | None:
        """The layer with that index; None for work that belongs to no layer."""
        return self.cost.layers[index] if 0 <= index < len(self.cost.layers) else None


def edges_of(workload: Workload) -> tuple[tuple[int, int], ...]:
    """The edges between a workload's layers, as pairs (producer, reader) of layer indices."""
    maker = {layer.writes: layer.index for layer in workload.layers}
    pairs = (
        (maker[read.map], layer.index)
        for layer in workload.layers
        for read in layer.reads
        if read.map in maker
    )
    return tuple(dict.fromkeys(pairs))
