"""What is computed: layers, feature maps and their edges. The cost model sees nothing else of a network."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import prod

from y10c.ir.types import Layout


class Kind(StrEnum):
    """The sort of work of a layer; which unit does it is the machine's business."""

    CONV = "conv"
    DEPTHWISE = "depthwise"
    MATMUL = "matmul"
    ELEMENTWISE = "elementwise"
    SOFTMAX = "softmax"
    NORM = "norm"
    REDUCE = "reduce"
    POOL = "pool"
    RESIZE = "resize"
    TRANSPOSE = "transpose"
    COPY = "copy"
    CONVERT = "convert"
    HOST = "host"


@dataclass(frozen=True, slots=True)
class Geometry:
    """The loop nest of a multiply-accumulate layer, channels counted per group.

    A matrix product `[batch, M, K] x [batch, K, N]` is a 1x1 convolution: `out_h` = M, `in_c` = K,
    `out_c` = N.
    """

    batch: int
    groups: int
    in_c: int
    in_h: int
    in_w: int
    out_c: int
    out_h: int
    out_w: int
    kernel_h: int = 1
    kernel_w: int = 1
    stride_h: int = 1
    stride_w: int = 1

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the whole layer."""
        return self.batch * self.groups * self.out_c * self.out_h * self.out_w * self.taps * self.in_c

    @property
    def taps(self) -> int:
        """Kernel positions."""
        return self.kernel_h * self.kernel_w


@dataclass(frozen=True, slots=True)
class FeatureMap:
    """A tensor between layers. `bits` are those of one element as it is stored.

    `layout` is None where nothing was chosen: the map then lies as the machine likes it.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    bits: int
    is_input: bool = False
    is_output: bool = False
    layout: Layout | None = None

    @property
    def elements(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @property
    def bytes(self) -> int:
        """Bytes without padding."""
        return (self.elements * self.bits + 7) // 8


@dataclass(frozen=True, slots=True)
class Read:
    """A layer's use of a map, or of a part of it (behind a Split or Slice)."""

    map: int
    elements: int


@dataclass(frozen=True, slots=True)
class Layer:
    """An op and what is fused behind it.

    `vector_elements` are elements that pass through a function or an elementwise op behind (or as) the main
    work, `clamp_elements` those that are only clamped behind it; `epilogue` names those ops. `writes` is the
    index of the map it produces. `perm` is a Transpose's.
    """

    index: int
    name: str
    kind: Kind
    reads: tuple[Read, ...]
    writes: int
    geometry: Geometry | None = None
    activation_bits: int = 8
    weight_bits: int = 8
    weight_elements: int = 0
    window: int = 1
    vector_elements: int = 0
    clamp_elements: int = 0
    epilogue: tuple[str, ...] = ()
    origin: tuple[str, ...] = ()
    perm: tuple[int, ...] = ()

    @property
    def macs(self) -> int:
        """Multiply-accumulates; 0 for layers without a MAC array's work."""
        return self.geometry.macs if self.geometry else 0

    @property
    def weight_bytes(self) -> int:
        """Bytes of the constants, at their stored width."""
        return (self.weight_elements * self.weight_bits + 7) // 8


@dataclass(frozen=True, slots=True)
class Workload:
    """A network as the cost model sees it: layers in execution order and the maps between them."""

    name: str
    layers: tuple[Layer, ...]
    maps: tuple[FeatureMap, ...]

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return sum(layer.macs for layer in self.layers)

    @property
    def weight_bytes(self) -> int:
        """Bytes of all constants."""
        return sum(layer.weight_bytes for layer in self.layers)
