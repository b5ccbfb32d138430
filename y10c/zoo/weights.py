"""Seeded weights that behave like those of a trained network.

Naive random weights make a deep net chaotic: float32 rounding alone then moves its outputs. Training with
BatchNorm leaves a net whose every channel is centred, scaled to a modest gain and shifted to where SiLU is
nearly linear. That is imitated here: each convolution is normalized by the moments that `y10c.zoo.moments`
predicts, as its BatchNorm would have been, then folded. No image is seen, so no gain fits a few images only.

Images are run for the class scores alone (`y10c.zoo.scores`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from zlib import crc32

import numpy as np

from y10c.zoo import moments
from y10c.zoo.arrays import Array, Floats, Parameters
from y10c.zoo.blocks import Role, backbone_and_neck, head
from y10c.zoo.images import CONTRAST, MEAN
from y10c.zoo.moments import Moments
from y10c.zoo.scores import BRANCHES, biased, evened
from y10c.zoo.variants import VARIANTS

# All below: assumed, to resemble trained detectors; the tests state what follows from them.
GAIN: Mapping[Role, float] = {Role.ACTIVATED: 0.5, Role.LINEAR: 0.5, Role.RESIDUAL: 0.3}
SHIFT: Mapping[Role, float] = {Role.ACTIVATED: 1.0, Role.LINEAR: 0.0, Role.RESIDUAL: 0.0}
SPREAD = 0.2  # standard deviation of log gain and of shift over channels
ROUGHNESS = 0.5  # norm of the random part of a depthwise kernel; the rest is its middle
BOX_GAIN = 0.7
CLASS_GAIN = 2.0
RARITY = 8.0  # mean step in logits by which a class is rarer than the commonest


@lru_cache(maxsize=2)
def trained_like(variant: str, *, seed: int, classes: int, reg_max: int) -> Mapping[str, Parameters]:
    """All convolutions of a variant by name, both branches; the same for the same arguments."""
    tape = Normalizer(seed)
    image = Moments(np.full(3, MEAN), np.full(3, CONTRAST**2))
    features = backbone_and_neck(tape, VARIANTS[variant], image)
    for prefix in BRANCHES.values():
        head(tape, features, branch=prefix, classes=classes, reg_max=reg_max)
    return evened(tape.parameters, variant, seed=seed, classes=classes, reg_max=reg_max)


@lru_cache(maxsize=2)
def sized(variant: str, size: int, *, seed: int, classes: int, reg_max: int) -> Mapping[str, Parameters]:
    """The same with class biases for images of `size` pixels."""
    parameters = trained_like(variant, seed=seed, classes=classes, reg_max=reg_max)
    return biased(parameters, variant, size, seed=seed, classes=classes, reg_max=reg_max)


@dataclass
class Normalizer:
    """The interpreter of the blocks that predicts moments and chooses each convolution's weights."""

    seed: int
    parameters: dict[str, Parameters] = field(default_factory=dict)

    def channels(self, x: Moments) -> int:
        """See `Tape`."""
        return len(x.mean)

    def conv(
        self,
        name: str,
        x: Moments,
        out: int,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        *,
        role: Role = Role.ACTIVATED,
    ) -> Moments:
        """See `Tape`."""
        # One stream for each name: a layer keeps its weights whatever else the net holds.
        rng = np.random.default_rng([self.seed, crc32(name.encode())])
        weight = _filters(rng, out, len(x.mean) // groups, kernel)
        gain, shift = _gain_and_shift(rng, role, out)
        mean, deviation = _response(weight, x, groups)
        scale = _rounded(gain / deviation)
        bias = _on_grid(shift - scale * mean)
        weight *= scale[:, None, None, None].astype(np.float32)
        self.parameters[name] = Parameters(weight, bias.astype(np.float32))
        made = Moments(shift, np.broadcast_to(gain, (out,)) ** 2)
        return made.activated() if role is Role.ACTIVATED else made

    def split(self, name: str, x: Moments, sizes: Sequence[int]) -> list[Moments]:
        """See `Tape`."""
        return moments.split(x, sizes)

    def concat(self, name: str, parts: Sequence[Moments]) -> Moments:
        """See `Tape`."""
        return moments.concat(parts)

    def add(self, name: str, a: Moments, b: Moments) -> Moments:
        """See `Tape`."""
        return a.added(b)

    def pool(self, name: str, x: Moments) -> Moments:
        """See `Tape`."""
        return x.pooled()

    def upsample(self, name: str, x: Moments) -> Moments:
        """See `Tape`."""
        return x

    def attention(self, name: str, qkv: Moments, heads: int, key: int) -> tuple[Moments, Moments]:
        """See `Tape`."""
        # The order of the channels does not matter to what follows: value is the last part of each head.
        shape = heads, len(qkv.mean) // heads
        value = Moments(
            qkv.mean.reshape(shape)[:, 2 * key :].ravel(), qkv.variance.reshape(shape)[:, 2 * key :].ravel()
        )
        return value.attended(), value


def _filters(rng: np.random.Generator, out: int, inner: int, kernel: int) -> Floats:
    """Random filters `[out, inner, kernel, kernel]` before normalization."""
    drawn = rng.standard_normal((out, inner, kernel, kernel), dtype=np.float32)
    if inner == 1:
        drawn *= np.float32(ROUGHNESS / kernel)
        drawn[:, :, kernel // 2, kernel // 2] += 1
        return drawn
    if inner > 3:
        drawn -= drawn.mean(axis=(1, 2, 3), keepdims=True)
    return drawn / np.float32(np.sqrt(inner * kernel * kernel))


def _response(weight: Floats, x: Moments, groups: int) -> tuple[Array, Array]:
    """Mean and standard deviation that each filter gives, before normalization."""
    sums = weight.sum(axis=(2, 3), dtype=np.float64)
    energy = np.square(weight, dtype=np.float64).sum(axis=(1, 2, 3))
    if groups > 1:
        mean, variance = sums[:, 0] * x.mean, x.variance
    else:
        mean, variance = sums @ x.mean, x.variance.mean()
    if weight.shape[1] <= 3:  # few correlated inputs: what is flat over the kernel adds up
        energy = (energy + sums.sum(axis=1) ** 2) / 2
    return mean, np.sqrt(variance * energy)


def _gain_and_shift(rng: np.random.Generator, role: Role, out: int) -> tuple[Array, Array]:
    """Standard deviation and mean of each channel after a convolution, `[out]` each."""
    if role is Role.SCORES:
        return np.full(out, CLASS_GAIN), -rng.exponential(RARITY, out)
    if role is Role.BOXES:
        return np.full(out, BOX_GAIN), _distances(rng, out)
    gain = GAIN[role] * np.exp(SPREAD * rng.standard_normal(out))
    return gain, SHIFT[role] + SPREAD * rng.standard_normal(out)


def _distances(rng: np.random.Generator, out: int) -> Array:
    """Biases of the box logits: each of the four sides prefers one distance, as trained heads do."""
    bins = out // 4
    preferred = rng.uniform(0.15, 0.45, (4, 1)) * bins
    return np.asarray(-(((np.arange(bins) - preferred) / (0.25 * bins)) ** 2)).ravel()


def _rounded(x: Array) -> Array:
    """To 8 bits of mantissa."""
    mantissa, exponent = np.frexp(x)
    return np.asarray(np.ldexp(np.round(mantissa * 256), exponent - 8))


def _on_grid(x: Array) -> Array:
    """To multiples of 1/1024."""
    return np.asarray(np.round(x * 1024) / 1024)
