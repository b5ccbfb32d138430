"""YOLOv10 as data: the six variants and the list of layers that they share.

Facts: A. Wang et al., "YOLOv10: Real-Time End-to-End Object Detection", 2024, arXiv 2405.14458
(section 3 and table 1), with the depth and width multiples of the published model family.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from math import ceil
from types import MappingProxyType


@dataclass(frozen=True)
class Variant:
    """One size of the family.

    Attributes:
        depth: Multiple of the number of bottlenecks in a C2f layer.
        width: Multiple of the number of channels.
        most_channels: Cap on a layer's base channels, before `width` is applied.
        compact: Layers built of compact inverted blocks (C2fCIB) instead of C2f,
            chosen by the rank of their weights (section 3.2 of the paper).
        large_kernel: The compact layers whose middle depthwise convolution is 7x7 instead of 3x3.
        parameters: Published number of parameters, in millions.
        gflops: Published cost of one 640x640 image, in 1e9 operations.
    """

    depth: float
    width: float
    most_channels: int
    compact: frozenset[int]
    large_kernel: frozenset[int] = field(default=frozenset())
    parameters: float = 0.0
    gflops: float = 0.0

    def channels(self, base: int) -> int:
        """Channels of a layer of `base` channels at this width: a multiple of 8."""
        return ceil(min(base, self.most_channels) * self.width / 8) * 8

    def repeats(self, base: int) -> int:
        """Number of bottlenecks of a layer that has `base` of them at full depth."""
        return max(round(base * self.depth), 1)


# published: arXiv 2405.14458, table 1 (parameters, FLOPs: the one-to-one head only, BatchNorm folded,
# large kernels re-parameterized; a multiply-add of a convolution counts two, other operations none).
VARIANTS: Mapping[str, Variant] = MappingProxyType(
    {
        "n": Variant(1 / 3, 0.25, 1024, frozenset({22}), frozenset({22}), 2.3, 6.7),
        "s": Variant(1 / 3, 0.50, 1024, frozenset({8, 22}), frozenset({8, 22}), 7.2, 21.6),
        "m": Variant(2 / 3, 0.75, 768, frozenset({8, 19, 22}), frozenset(), 15.4, 59.1),
        "b": Variant(2 / 3, 1.00, 512, frozenset({8, 13, 19, 22}), frozenset(), 19.1, 92.0),
        "l": Variant(1.0, 1.00, 512, frozenset({8, 13, 19, 22}), frozenset(), 24.4, 120.3),
        "x": Variant(1.0, 1.25, 512, frozenset({6, 8, 13, 19, 22}), frozenset(), 29.5, 160.4),
    }
)


class Kind(Enum):
    """What a layer is made of; `y10c.zoo.blocks` has one function for each."""

    CONV = "Conv"
    C2F = "C2f"
    SCDOWN = "SCDown"
    SPPF = "SPPF"
    PSA = "PSA"
    UPSAMPLE = "Upsample"
    CONCAT = "Concat"


@dataclass(frozen=True)
class Layer:
    """One line of the architecture.

    Attributes:
        kind: The block.
        channels: Base channels of the output at width 1; unused by UPSAMPLE and CONCAT.
        repeats: Bottlenecks at depth 1 (C2F).
        shortcut: Whether the bottlenecks of a C2F add their input; compact blocks always do.
        other: The layer that a CONCAT joins to the one before it.
    """

    kind: Kind
    channels: int = 0
    repeats: int = 0
    shortcut: bool = False
    other: int = -1


LAYERS: tuple[Layer, ...] = (
    Layer(Kind.CONV, 64),  # 0, stride 2
    Layer(Kind.CONV, 128),  # 1, stride 4
    Layer(Kind.C2F, 128, 3, shortcut=True),
    Layer(Kind.CONV, 256),  # 3, stride 8
    Layer(Kind.C2F, 256, 6, shortcut=True),
    Layer(Kind.SCDOWN, 512),  # 5, stride 16
    Layer(Kind.C2F, 512, 6, shortcut=True),
    Layer(Kind.SCDOWN, 1024),  # 7, stride 32
    Layer(Kind.C2F, 1024, 3, shortcut=True),
    Layer(Kind.SPPF, 1024),
    Layer(Kind.PSA, 1024),  # 10, end of the backbone
    Layer(Kind.UPSAMPLE),
    Layer(Kind.CONCAT, other=6),
    Layer(Kind.C2F, 512, 3),
    Layer(Kind.UPSAMPLE),
    Layer(Kind.CONCAT, other=4),
    Layer(Kind.C2F, 256, 3),  # 16, output of stride 8
    Layer(Kind.CONV, 256),
    Layer(Kind.CONCAT, other=13),
    Layer(Kind.C2F, 512, 3),  # 19, output of stride 16
    Layer(Kind.SCDOWN, 512),
    Layer(Kind.CONCAT, other=10),
    Layer(Kind.C2F, 1024, 3),  # 22, output of stride 32
)
DETECTED: Mapping[int, int] = MappingProxyType({8: 16, 16: 19, 32: 22})
"""The layers that the detection head reads, by stride."""
