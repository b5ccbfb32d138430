"""Inputs as the application has them: camera pixels in front of the network's own input.

The chain is `Cast`, chroma by `Resize`, `Concat`, one 1x1 `Conv` for colours and scale, `Clip`. What the
numbers allow is folded: the scale of plain pixels into the quantization of the first convolution where all
256 values give the same integers, or into its weights where no padding stands between.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from y10c.calib.color import IDENTITY, SWAP, Affine, Array, yuv_to_rgb
from y10c.config.settings import InputConfig
from y10c.deploy.batch import retype
from y10c.errors import ModelError
from y10c.ir.types import DType, TensorType
from y10c.ir.value import Op, Value
from y10c.rewrite.rewriter import Rewriter

NHWC_TO_NCHW = (0, 3, 1, 2)
NCHW_TO_NHWC = (0, 2, 3, 1)


@dataclass
class InputForm:
    """How one input came to be fed.

    Args:
        name: The network's own name for it.
        fed: The names of what is fed.
        notes: What was folded, and what stands in the graph.
        pixels: Whether a picture feeds it.
    """

    name: str
    fed: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    pixels: bool = False


def convert_input(rewriter: Rewriter, value: Value, one: InputConfig) -> InputForm:
    """Put pixels of the runtime type in front of an input; gives how it is fed.

    Args:
        rewriter: Of the graph.
        value: An input of the graph, float, `[batch, 3 or 1, H, W]` or its NHWC form.
        one: What the config says of it.

    Raises:
        ModelError: The input cannot hold such pixels.
    """
    form = InputForm(value.name)
    shape = value.tensor_type.static_shape
    if not one.is_image:
        form.fed = _separated(rewriter, value, one, form) if one.separate and shape[0] > 1 else [value.name]
        return form
    _require_image(value, one)
    with rewriter.before(next(iter(rewriter.graph.ops), rewriter.graph.terminator)):
        pixels, fed = _pixels(rewriter, one, shape, form)
        ready = _normalized(rewriter, value, pixels, one, form)
        if one.layout == "NHWC":
            ready = rewriter.op.Transpose(ready, perm=NCHW_TO_NHWC)
    _replace_input(rewriter, value, ready, fed)
    form.fed, form.pixels = [new.name for new in fed], True
    return form


def _require_image(value: Value, one: InputConfig) -> None:
    from y10c.config.rules import shape_problem

    problem = shape_problem(one, value.tensor_type.static_shape)
    if problem is None and value.tensor_type.dtype is not DType.f32:
        problem = f"it is {value.type}, and pixels become float32"
    if problem is not None:
        raise ModelError(
            f"input {value.name!r} cannot be fed with {one.runtime}: {problem}",
            code="Y3003",
            help="input_type_rt: featuremap feeds it as it is",
        )


def _replace_input(rewriter: Rewriter, old: Value, new: Value, fed: list[Value]) -> None:
    inner = new.producer
    rewriter.replace_uses(old, new, only=lambda op: op is not inner)
    index = rewriter.graph.inputs.index(old)
    before, after = rewriter.graph.inputs[:index], rewriter.graph.inputs[index + 1 :]
    rewriter.set_inputs([*before, *fed, *after])


def _bytes(*shape: int) -> TensorType:
    return TensorType(DType.u8, shape)


# --- pixels as planes, float32 [batch, channels, H, W] from 0 to 255 ---


def _pixels(
    rewriter: Rewriter, one: InputConfig, shape: tuple[int, ...], form: InputForm
) -> tuple[Value, list[Value]]:
    batch = shape[0]
    height, width = shape[1:3] if one.layout == "NHWC" else shape[2:4]
    name = form.name
    if not (one.separate and batch > 1):
        return _one_picture(rewriter, one, name, (batch, height, width))
    parts = [_one_picture(rewriter, one, f"{name}_{i}", (1, height, width)) for i in range(batch)]
    form.notes.append(f"{batch} pictures, each an input of its own")
    whole: Value = rewriter.op.Concat(*(planes for planes, _ in parts), axis=0)
    return whole, [value for _, fed in parts for value in fed]


def _one_picture(
    rewriter: Rewriter, one: InputConfig, name: str, extents: tuple[int, int, int]
) -> tuple[Value, list[Value]]:
    batch, height, width = extents
    if one.runtime == "nv12":
        return _nv12(rewriter, name, extents)
    nchw = one.runtime == "gray"
    shape = (batch, 1, height, width) if nchw else (batch, height, width, 3)
    fed = Value(_bytes(*shape), name)
    return _planes(rewriter, fed, nchw), [fed]


def _planes(rewriter: Rewriter, fed: Value, nchw: bool = False) -> Value:
    real: Value = rewriter.op.Cast(fed, to=DType.f32.value)
    return real if nchw else rewriter.op.Transpose(real, perm=NHWC_TO_NCHW)


def _nv12(rewriter: Rewriter, name: str, extents: tuple[int, int, int]) -> tuple[Value, list[Value]]:
    batch, height, width = extents
    y = Value(_bytes(batch, height, width, 1), f"{name}_y")
    uv = Value(_bytes(batch, height // 2, width // 2, 2), f"{name}_uv")
    chroma = rewriter.op.Resize(
        _planes(rewriter, uv),
        None,
        rewriter.const(np.array([1, 1, 2, 2], np.float32)),
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
    return rewriter.op.Concat(_planes(rewriter, y), chroma, axis=1), [y, uv]


# --- colours and scale ---


def color_map(one: InputConfig) -> tuple[Affine, bool]:
    """From the runtime type's channels to the trained ones, both 0 to 255, and whether the result is cut.

    Only what comes from YUV can leave that range.
    """
    yuv = one.runtime in ("nv12", "yuv444")
    if one.training == "yuv444":
        return IDENTITY, False
    if yuv:
        rgb = yuv_to_rgb(one.video)
        return (rgb.then(SWAP) if one.training == "bgr" else rgb), True
    return (IDENTITY if one.runtime == one.training else SWAP), False


def normalization(one: InputConfig, channels: int) -> tuple[Array, Array]:
    """Mean and factor of each channel: `(pixel - mean) * factor`, float64 [channels]."""
    mean, scale, std = (
        np.broadcast_to(np.asarray(v or [default], np.float64), (channels,))
        for v, default in ((one.mean, 0.0), (one.scale, 1.0), (one.std, 1.0))
    )
    return mean, scale / std


def _normalized(rewriter: Rewriter, value: Value, pixels: Value, one: InputConfig, form: InputForm) -> Value:
    channels = 1 if one.training == "gray" else 3
    mean, factor = normalization(one, channels)
    if channels == 1:
        return _scaled(rewriter, value, pixels, mean, factor, one, form)
    colors, cut = color_map(one)
    if colors.is_identity:
        return _scaled(rewriter, value, pixels, mean, factor, one, form)
    uniform = bool((mean == mean[0]).all() and (factor == factor[0]).all())
    if cut and not uniform:
        form.notes.append("colours in a 1x1 Conv, cut to 0..255, mean and scale in another")
        rgb = _cut(rewriter, _conv(rewriter, pixels, colors), 0.0, 255.0)
        return _conv(rewriter, rgb, Affine(np.diag(factor), -factor * mean))
    form.notes.append("colours, mean and scale in one 1x1 Conv" + (", then a Clip" if cut else ""))
    made = _conv(rewriter, pixels, colors.then(Affine(np.diag(factor), -factor * mean)))
    ends = sorted(float(factor[0] * (end - mean[0])) for end in (0.0, 255.0))
    return _cut(rewriter, made, *ends) if cut else made


def _conv(rewriter: Rewriter, pixels: Value, affine: Affine) -> Value:
    weight = affine.matrix.astype(np.float32)[:, :, None, None]
    made: Value = rewriter.op.Conv(
        pixels, rewriter.const(weight), rewriter.const(affine.offset.astype(np.float32))
    )
    return made


def _cut(rewriter: Rewriter, value: Value, low: float, high: float) -> Value:
    ends = (rewriter.const(np.float32(low)), rewriter.const(np.float32(high)))
    made: Value = rewriter.op.Clip(value, *ends)
    return made


def _scaled(
    rewriter: Rewriter,
    value: Value,
    pixels: Value,
    mean: Array,
    factor: Array,
    one: InputConfig,
    form: InputForm,
) -> Value:
    """Mean and scale of pixels whose colours stay, folded where exact."""
    if (mean == 0).all() and (factor == 1).all():
        return pixels
    whole = one.runtime != "nv12"
    if one.layout != "NHWC" and whole and _fold_into_quantization(rewriter, value, mean, factor):
        form.notes.append("scale folded into the first quantization: all 256 pixel values agree")
        return pixels
    if one.layout != "NHWC" and _fold_into_weights(rewriter, value, mean, factor):
        form.notes.append("mean and scale folded into the first Conv")
        return pixels
    form.notes.append("mean and scale in a 1x1 Conv")
    weight = factor.astype(np.float32)[:, None, None, None]
    offset = (-factor * mean).astype(np.float32)
    made: Value = rewriter.op.Conv(pixels, rewriter.const(weight), rewriter.const(offset), group=len(factor))
    return made


def _fold_into_quantization(rewriter: Rewriter, value: Value, mean: Array, factor: Array) -> bool:
    """Let the first quantization be one of pixels; True where every pixel value keeps its integer.

    The input's step becomes one in pixels, and the weights that read it take over the factor, so that all
    integers stay: those of the input, of the weights and of the bias.
    """
    if not value.users or (mean != 0).any() or (factor != factor[0]).any():
        return False
    chains = [_first_convolutions(op) for op in dict.fromkeys(value.users)]
    if not all(chain is not None and chain.allows(float(factor[0])) for chain in chains):
        return False
    for chain in chains:
        assert chain is not None
        chain.fold(rewriter, float(factor[0]))
    return True


@dataclass(frozen=True)
class _Chain:
    """A QuantizeLinear, the DequantizeLinears behind it, and those of the weights that they meet."""

    quantize: Op
    dequantizes: tuple[Op, ...]
    weights: tuple[Op, ...]

    def allows(self, factor: float) -> bool:
        """Whether all 256 pixel values become the same integers."""
        scale, zero = (_constant(self.quantize.operand(index)) for index in (1, 2))
        if scale is None or zero is None or scale.size != 1:
            return False
        return _same_integers(scale, (scale.astype(np.float64) / factor).astype(np.float32), zero, factor)

    def fold(self, rewriter: Rewriter, factor: float) -> None:
        """Divide the input's step, and multiply those of the weights."""
        for op in (self.quantize, *self.dequantizes, *self.weights):
            scale = _constant(op.operand(1))
            assert scale is not None
            wide = scale.astype(np.float64)
            changed = wide * factor if op in self.weights else wide / factor
            rewriter.set_operand(op, 1, rewriter.const(changed.astype(np.float32)))
            retype(rewriter, op)


def _first_convolutions(op: Op) -> _Chain | None:
    """What an input goes through up to its first convolutions; None where it is anything else."""
    if op.name != "QuantizeLinear":
        return None
    dequantizes = tuple(dict.fromkeys(op.result.users))
    convs = [user for each in dequantizes for user in each.result.users]
    if not all(each.name == "DequantizeLinear" for each in dequantizes):
        return None
    if not all(conv.name == "Conv" and conv.operands[0] is not None for conv in convs):
        return None
    weights = [conv.operands[1].producer for conv in convs if conv.operands[1] is not None]
    found = [w for w in weights if w is not None and w.name == "DequantizeLinear" and _own(w)]
    return _Chain(op, dequantizes, tuple(dict.fromkeys(found))) if len(found) == len(convs) else None


def _own(op: Op) -> bool:
    """Whether a result has one reader, so that changing it changes nothing else."""
    return len(op.result.users) == 1 and _constant(op.operand(1)) is not None


def _constant(value: Value | None) -> Array | None:
    return value.numpy() if value is not None and value.is_constant else None


def _same_integers(scale: Array, changed: Array, zero: Array, factor: float) -> bool:
    """Whether all 256 pixel values become the same integers with the scale folded and without."""
    pixels = np.arange(256, dtype=np.float32)
    values = (pixels.astype(np.float64) * factor).astype(np.float32)
    low, high = _limits(zero)
    one, other = (
        np.clip(np.rint(v / s.reshape(())) + float(zero.reshape(())), low, high)
        for v, s in ((values, scale), (pixels, changed))
    )
    return bool((one == other).all())


def _limits(zero: Array) -> tuple[int, int]:
    info = np.iinfo(zero.dtype)
    return int(info.min), int(info.max)


def _fold_into_weights(rewriter: Rewriter, value: Value, mean: Array, factor: Array) -> bool:
    """Fold into float Convs behind an input; True where every reader is one that allows it."""
    convs = list(dict.fromkeys(value.users))
    if not convs or not all(_foldable(op, mean) for op in convs):
        return False
    for op in convs:
        weight, bias = op.operands[1], op.operand(2)
        assert weight is not None
        old = weight.numpy().astype(np.float64)
        offset = bias.numpy().astype(np.float64) if bias is not None else np.zeros(len(old))
        new = old * factor[None, :, None, None]
        offset = offset - (new * mean[None, :, None, None]).sum(axis=(1, 2, 3))
        operands = [rewriter.const(a.astype(np.float32)) for a in (new, offset)]
        rewriter.set_operands(op, (op.operands[0], *operands))
    return True


def _foldable(op: Op, mean: Array) -> bool:
    if op.name != "Conv" or op.attr("group", 1) != 1 or op.attr("auto_pad", "NOTSET") != "NOTSET":
        return False
    weight, bias = op.operands[1], op.operand(2)
    known = weight is not None and weight.is_constant and (bias is None or bias.is_constant)
    # Padding is 0 after normalization: with a mean it would be another value before it.
    return known and (bool((mean == 0).all()) or not any(op.attr("pads", ()) or ()))


def _separated(rewriter: Rewriter, value: Value, one: InputConfig, form: InputForm) -> list[str]:
    kind = value.tensor_type
    shape = kind.static_shape
    parts = [Value(kind.with_(shape=(1, *shape[1:])), f"{value.name}_{i}") for i in range(shape[0])]
    with rewriter.before(next(iter(rewriter.graph.ops), rewriter.graph.terminator)):
        whole: Value = rewriter.op.Concat(*parts, axis=0)
    _replace_input(rewriter, value, whole, parts)
    form.notes.append(f"{shape[0]} samples, each an input of its own")
    return [part.name for part in parts]
