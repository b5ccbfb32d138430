"""How to decode a detection head: the JSON beside a model and the metadata inside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from y10c.errors import ModelError

METADATA_KEY = "y10c.head"
"""The entry of an ONNX model's metadata that holds the JSON."""


@dataclass(frozen=True)
class HeadInfo:
    """What a program needs to know to turn a model's outputs into boxes.

    Args:
        kind: What was found: `e2e`, `dual`, `eval`, `one2many`, `nms`, `raw`, or `none`.
        mode: What the outputs are now: `raw`, `e2e` or `keep`.
        branch: `one2one`, `one2many`, or `unknown` where nothing in the graph says.
        classes: Number of classes.
        reg_max: Bins of a box side's distribution; 1 means that the distance itself is given.
        distribution: Whether box channels are softmax logits over the bins.
        bins: The distance that each bin stands for, in cells.
        strides: Pixels per cell of each scale, in the order of the outputs.
        extents: Height and width of each scale in cells.
        input_size: Height and width of the model's input in pixels.
        outputs: Names of the outputs in order; `raw`: class then box of each scale, NHWC logits.
        scales: By output name, the quantization scales where an output holds integers; empty for floats.
        needs_nms: Whether suppression is the caller's; None where unknown.
        detections: Rows of the `e2e` output; 0 otherwise.
        notes: What a person should know, one sentence each.
    """

    kind: str
    mode: str = "keep"
    branch: str = "unknown"
    classes: int = 0
    reg_max: int = 0
    distribution: bool = True
    bins: tuple[float, ...] = ()
    strides: tuple[int, ...] = ()
    extents: tuple[tuple[int, int], ...] = ()
    input_size: tuple[int, int] = (0, 0)
    outputs: tuple[str, ...] = ()
    scales: Mapping[str, tuple[float, ...]] | None = None
    needs_nms: bool | None = None
    detections: int = 0
    notes: tuple[str, ...] = ()

    @property
    def found(self) -> bool:
        """Whether there is a head at all."""
        return self.kind != "none"

    def to_json(self) -> str:
        """The description as JSON text, keys sorted."""
        return json.dumps({**asdict(self), "scales": dict(self.scales or {})}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> HeadInfo:
        """Read back what `to_json` wrote.

        Raises:
            ModelError: The text is not such a description.
        """
        try:
            data = json.loads(text)
            return cls(**{key: _frozen(value) for key, value in data.items()})
        except (ValueError, TypeError, AttributeError) as error:
            raise ModelError(f"the description of the head cannot be read: {error}") from error


def _frozen(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_frozen(v) for v in value)
    return {k: _frozen(v) for k, v in value.items()} if isinstance(value, dict) else value
