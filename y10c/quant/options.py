"""Every choice about quantization that a person can make, in one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from y10c.errors import UnknownNameError, UsageError

SCHEMES = ("target", "symmetric")
EFFORTS = ("fast", "default", "best")
MIXED = ("auto", "off")
NODE_TYPES = ("int8", "int16", "float32")


@dataclass(frozen=True)
class QuantOptions:
    """How a model is quantized; the defaults are what a user should want.

    Args:
        scheme: `target` takes asymmetric activations where the target allows them, `symmetric` never.
        method: How ranges are chosen: `search`, or a key of `y10c.calib.observers.METHODS`.
        percentile: For `method="percentile"`, in percent.
        mixed: `auto` measures which tensors get 16 bits, `off` gives none, a path names a JSON file.
        int16_macs: Greatest share of MACs with a 16-bit operand, 0 to 1.
        latency: Greatest relative growth of the estimated latency instead, such as 0.05; None for no bound.
        effort: `fast`, `default` or `best`: how many images the measurements take.
        node_types: Node or tensor name -> `int8`, `int16` or `float32`; stronger than every measurement.
        wide_edges: 16 bits on tensors that no multiply-accumulate reads, where the target allows it.
        rounding: Round weights so that outputs move least, not to nearest.
        weight_clip: Clip weights to the range of least squared error.
        equalize: Cross-layer equalization of weights before calibration.
        smooth: Move outliers of activation channels into the weights that read them.
        absorb_shift: On a symmetric grid, let tables emit values around zero and biases make up for it.
        bias_correction: Move biases so that mean outputs stay.
        workers: Processes that calibration runs in; below 2, threads of this process.
        save_calibration: Where to write the calibration table.
        calibration_table: A table to take instead of running the data.
    """

    scheme: str = "target"
    method: str = "search"
    percentile: float = 99.99
    mixed: str | Path = "auto"
    int16_macs: float = 0.1
    latency: float | None = None
    effort: str = "default"
    node_types: Mapping[str, str] = field(default_factory=dict)
    wide_edges: bool = True
    rounding: bool = True
    weight_clip: bool = False
    equalize: bool = False
    smooth: bool = False
    absorb_shift: bool = True
    bias_correction: bool = False
    workers: int = 0
    save_calibration: Path | None = None
    calibration_table: Path | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be meant.

        Raises:
            UnknownNameError: A scheme, effort, method or type of another name.
            UsageError: A share or percentile outside its bounds.
        """
        _one_of("scheme", self.scheme, SCHEMES)
        _one_of("effort", self.effort, EFFORTS)
        for kind in self.node_types.values():
            _one_of("node type", kind, NODE_TYPES)
        if not 0 <= self.int16_macs <= 1:
            raise UsageError(f"--int16-macs {self.int16_macs:.0%} is not between 0% and 100%")
        if self.latency is not None and not self.latency >= 0:
            raise UsageError(f"--latency {self.latency:+.0%} is below zero", help="write --latency +5%")
        if not 0 < self.percentile <= 100:
            raise UsageError(f"the percentile {self.percentile:g} is not above 0 and at most 100")

    def nodes_of(self, kind: str) -> tuple[str, ...]:
        """The names that `node_types` gives a type."""
        return tuple(sorted(name for name, given in self.node_types.items() if given == kind))


def _one_of(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UnknownNameError(what, value, list(known))
