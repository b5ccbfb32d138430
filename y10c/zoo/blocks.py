"""The blocks of YOLOv10, written once for every interpreter of them.

A block is a function over a `Tape`, which gives the few primitive operations a meaning: writing ONNX nodes
(`y10c.zoo.graph`) or predicting moments to choose the weights (`y10c.zoo.weights`). So the two can
never disagree about the structure.

Names follow the tree of modules: `model.2.m.0.cv1` is the first convolution of the first bottleneck of
layer 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from functools import partial
from typing import Protocol, TypeVar

from y10c.zoo.variants import DETECTED, LAYERS, Kind, Layer, Variant

T = TypeVar("T")


class Role(Enum):
    """What follows a convolution, and so how its weights are chosen."""

    ACTIVATED = "BatchNorm, then SiLU"
    LINEAR = "BatchNorm only"
    RESIDUAL = "BatchNorm only, added to the block's input"
    SCORES = "class logits of the head: a bias, no BatchNorm"
    BOXES = "box logits of the head: a bias, no BatchNorm"


class Tape(Protocol[T]):
    """The primitive operations on a feature map of type `T`, `[batch, channels, height, width]`."""

    def channels(self, x: T) -> int:
        """Number of channels of a feature map."""
        ...

    def conv(
        self,
        name: str,
        x: T,
        out: int,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        *,
        role: Role = ...,
    ) -> T:
        """Convolution with bias, padded by half its kernel, with the activation that its role asks for."""
        ...

    def split(self, name: str, x: T, sizes: Sequence[int]) -> list[T]:
        """Parts of the channels."""
        ...

    def concat(self, name: str, parts: Sequence[T]) -> T:
        """Channels side by side."""
        ...

    def add(self, name: str, a: T, b: T) -> T:
        """Elementwise sum."""
        ...

    def pool(self, name: str, x: T) -> T:
        """5x5 maximum at stride 1."""
        ...

    def upsample(self, name: str, x: T) -> T:
        """Nearest neighbour, twice the height and width."""
        ...

    def attention(self, name: str, qkv: T, heads: int, key: int) -> tuple[T, T]:
        """Self-attention over positions: (attended values, values), each `[batch, channels, height, width]`.

        The channels of `qkv` are, for each head, `key` of query, `key` of key and the rest of value.
        """
        ...


def depthwise(
    tape: Tape[T], name: str, x: T, kernel: int, stride: int = 1, *, role: Role = Role.ACTIVATED
) -> T:
    """One filter for each channel."""
    channels = tape.channels(x)
    return tape.conv(name, x, channels, kernel, stride, channels, role=role)


def scdown(tape: Tape[T], name: str, x: T, out: int) -> T:
    """Spatial-channel decoupled downsampling: channels pointwise, then space depthwise (section 3.2)."""
    y = tape.conv(f"{name}.cv1", x, out)
    return depthwise(tape, f"{name}.cv2", y, 3, 2, role=Role.LINEAR)


def bottleneck(tape: Tape[T], name: str, x: T, *, shortcut: bool) -> T:
    """Two 3x3 convolutions of the same width."""
    channels = tape.channels(x)
    y = tape.conv(f"{name}.cv1", x, channels, 3)
    y = tape.conv(f"{name}.cv2", y, channels, 3)
    return tape.add(name, x, y) if shortcut else y


def compact_inverted(tape: Tape[T], name: str, x: T, *, kernel: int) -> T:
    """Compact inverted block: depthwise for space, pointwise for channels (figure 3 of the paper)."""
    channels = tape.channels(x)
    y = depthwise(tape, f"{name}.cv1.0", x, 3)
    y = tape.conv(f"{name}.cv1.1", y, 2 * channels)
    y = depthwise(tape, f"{name}.cv1.2", y, kernel)
    y = tape.conv(f"{name}.cv1.3", y, channels)
    y = depthwise(tape, f"{name}.cv1.4", y, 3)
    return tape.add(name, x, y)


def c2f(tape: Tape[T], variant: Variant, index: int, layer: Layer, x: T) -> T:
    """Cross-stage partial block: half of the channels pass a chain whose every link is kept."""
    name, out = f"model.{index}", variant.channels(layer.channels)
    if index in variant.compact:
        inner = partial(compact_inverted, kernel=7 if index in variant.large_kernel else 3)
    else:
        inner = partial(bottleneck, shortcut=layer.shortcut)
    links = tape.split(name, tape.conv(f"{name}.cv1", x, out), [out // 2, out // 2])
    for i in range(variant.repeats(layer.repeats)):
        links.append(inner(tape, f"{name}.m.{i}", links[-1]))
    return tape.conv(f"{name}.cv2", tape.concat(name, links), out)


def sppf(tape: Tape[T], name: str, x: T, out: int) -> T:
    """Spatial pyramid pooling: three maxima in a row, seen together."""
    links = [tape.conv(f"{name}.cv1", x, tape.channels(x) // 2)]
    for _ in range(3):
        links.append(tape.pool(f"{name}.m", links[-1]))
    return tape.conv(f"{name}.cv2", tape.concat(name, links), out)


def psa(tape: Tape[T], name: str, x: T, out: int) -> T:
    """Partial self-attention: attention and a feed-forward net on half of the channels (section 3.2)."""
    half = out // 2
    kept, y = tape.split(name, tape.conv(f"{name}.cv1", x, out), [half, half])
    y = tape.add(name, y, attention(tape, f"{name}.attn", y))
    wide = tape.conv(f"{name}.ffn.0", y, 2 * half)
    y = tape.add(name, y, tape.conv(f"{name}.ffn.1", wide, half, role=Role.RESIDUAL))
    return tape.conv(f"{name}.cv2", tape.concat(name, [kept, y]), out)


def attention(tape: Tape[T], name: str, x: T) -> T:
    """Multi-head self-attention with keys of half the values' size and a depthwise position encoding."""
    channels = tape.channels(x)
    heads = channels // 64
    key = channels // heads // 2
    qkv = tape.conv(f"{name}.qkv", x, channels + 2 * heads * key, role=Role.LINEAR)
    attended, value = tape.attention(name, qkv, heads, key)
    position = depthwise(tape, f"{name}.pe", value, 3, role=Role.LINEAR)
    return tape.conv(f"{name}.proj", tape.add(name, attended, position), channels, role=Role.RESIDUAL)


def backbone_and_neck(tape: Tape[T], variant: Variant, image: T) -> dict[int, T]:
    """The feature maps that the head reads, by stride."""
    made: list[T] = []
    x = image
    for index, layer in enumerate(LAYERS):
        name, out = f"model.{index}", variant.channels(layer.channels)
        match layer.kind:
            case Kind.CONV:
                x = tape.conv(name, x, out, 3, 2)
            case Kind.C2F:
                x = c2f(tape, variant, index, layer, x)
            case Kind.SCDOWN:
                x = scdown(tape, name, x, out)
            case Kind.SPPF:
                x = sppf(tape, name, x, out)
            case Kind.PSA:
                x = psa(tape, name, x, out)
            case Kind.UPSAMPLE:
                x = tape.upsample(name, x)
            case Kind.CONCAT:
                x = tape.concat(name, [x, made[layer.other]])
        made.append(x)
    return {stride: made[index] for stride, index in DETECTED.items()}


def head(
    tape: Tape[T], features: dict[int, T], *, branch: str, classes: int, reg_max: int
) -> dict[int, tuple[T, T]]:
    """Decoupled detection head: (class logits, box logits) of each stride.

    Args:
        tape: The interpreter.
        features: Feature maps by stride.
        branch: Prefix of the names, `one2one_` or nothing for the one-to-many branch.
        classes: Number of classes, the channels of the class logits.
        reg_max: Bins of a box side's distance distribution; box logits have `4 * reg_max` channels.
    """
    first = tape.channels(features[min(features)])
    narrow = max(16, first // 4, 4 * reg_max)
    wide = max(first, min(classes, 100))
    made: dict[int, tuple[T, T]] = {}
    for i, (stride, x) in enumerate(features.items()):
        boxes, scores = f"model.23.{branch}cv2.{i}", f"model.23.{branch}cv3.{i}"
        y = tape.conv(f"{boxes}.0", x, narrow, 3)
        y = tape.conv(f"{boxes}.1", y, narrow, 3)
        box = tape.conv(f"{boxes}.2", y, 4 * reg_max, role=Role.BOXES)
        y = x
        for j in range(2):
            y = tape.conv(f"{scores}.{j}.1", depthwise(tape, f"{scores}.{j}.0", y, 3), wide)
        made[stride] = tape.conv(f"{scores}.2", y, classes, role=Role.SCORES), box
    return made
