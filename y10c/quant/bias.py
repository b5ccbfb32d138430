"""Biases: on the accumulator's grid, and moved so that the mean output stays.

Source of the correction: M. Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias
Correction", ICCV 2019. Correct only when each layer sees the already corrected layers before it: all at
once, measured from one run, the corrections add up and the network diverges. Measure before using it: on
YOLOv10n with symmetric activations the sequential correction by plain means lowered the agreement of
detections, and weighing the positions was not tried.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from y10c.quant.qparams import integer_range

Reals = NDArray[np.float64]


def analytic_correction(w: NDArray[Any], v: NDArray[Any], mean: NDArray[Any]) -> Reals:
    """What to add to the bias so that `v x` has the mean of `w x`.

    Args:
        w: Weight `[O, C / group, kh, kw]`.
        v: The same weight after quantization, as reals.
        mean: `E[x]` of the patches, `[group, K]`, as `moments.Moments.mean`.

    Returns:
        `[O]`.
    """
    group = mean.shape[0]
    difference = (w.astype(np.float64) - v).reshape(group, w.shape[0] // group, -1)
    correction: Reals = np.einsum("gok,gk->go", difference, mean).reshape(-1)
    return correction


def empirical_correction(
    reference: NDArray[Any],
    found: NDArray[Any],
    weights: NDArray[Any] | None = None,
) -> Reals:
    """What to add to the bias so that the outputs `found` get the mean of `reference`.

    Args:
        reference: Outputs of the float layer `[N, O, ...]`.
        found: Outputs of the quantized layer, same shape.
        weights: Importance of each position, `[N, ...]`; all alike where None.

    Returns:
        `[O]`.
    """
    difference = np.moveaxis(reference.astype(np.float64) - found, 1, -1)
    flat = difference.reshape(-1, difference.shape[-1])
    correction: Reals = np.average(flat, axis=0, weights=None if weights is None else weights.ravel())
    return correction


def quantize_bias(
    bias: NDArray[Any],
    activation_scale: float,
    weight_scale: NDArray[Any],
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """A bias as int32 on the grid of the accumulator.

    Args:
        bias: Reals `[O]`.
        activation_scale: Scale of the input.
        weight_scale: Scale of each output channel, `[O]`.

    Returns:
        int32 integers `[O]` and their float32 scale `activation_scale * weight_scale` `[O]`.

    Raises:
        ValueError: A bias does not fit into int32, because the scales are too small for it.
    """
    scale = np.float32(activation_scale) * weight_scale.astype(np.float32)
    steps = np.rint(bias.astype(np.float64) / scale)
    least, greatest = integer_range(32)
    outside = np.flatnonzero((steps < least) | (steps > greatest))
    if outside.size:
        raise ValueError(
            f"the bias of channel {outside[0]} does not fit into int32 at scale {scale[outside[0]]:.3g}"
        )
    return steps.astype(np.int32), scale


def absorb_shift(w: NDArray[Any], shift: NDArray[Any]) -> Reals:
    """What to add to the bias when the input carries `x - shift` instead of `x`.

    With it a symmetric grid does what a zero point does: SiLU's table emits `silu(x) - shift`, and both
    halves of the grid are used. Exact only where the padding is `-shift` too, so a padded convolution
    needs an explicit Pad of that value; a pointwise one needs nothing.

    Args:
        w: Weight `[O, C, kh, kw]`, group 1, or `[C, 1, kh, kw]` for a depthwise convolution.
        shift: One real for each input channel, `[C]`.

    Returns:
        `[O]`.

    Raises:
        ValueError: The channels of `w` and `shift` do not belong together.
    """
    taps = w.astype(np.float64).reshape(*w.shape[:2], -1).sum(axis=2)
    if w.shape[1] == len(shift):
        return np.asarray(taps @ shift, np.float64)
    if w.shape[:2] == (len(shift), 1):
        return np.asarray(taps[:, 0] * shift, np.float64)
    raise ValueError(f"a weight of shape {w.shape} does not read {len(shift)} channels")
