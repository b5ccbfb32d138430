"""Conv and ConvTranspose."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from math import prod

from y10c.check.constraint import Row, demand, one_of, within
from y10c.check.node import Node
from y10c.targets.x5.general import four_dimensional
from y10c.targets.x5.sources import LIST

UNIT = "BPU"
MOST_LAST_CHANNELS = 65536


@within(1, 31, source=LIST, remedy="take smaller kernels in a row", cures=("split-large-kernel",))
def conv_kernel_size(node: Node) -> Iterable[int]:
    """A Conv kernel is {low} to {high} high and wide."""
    return node.kernel


@within(1, 8192, source=LIST, remedy="use groups or fewer channels", cures=("split-input-channels",))
def conv_input_channels(node: Node) -> Iterable[int]:
    """A group of a Conv reads {low} to {high} channels."""
    return [node.shape(1)[1]]


@within(1, 8192, source=LIST, remedy="use fewer output channels", cures=("split-output-channels",))
def conv_output_channels(node: Node) -> Iterable[int]:
    """A group of a Conv gives {low} to {high} channels, except in the last op of the model (65536)."""
    channels = node.shape(1)[0] // node.attr("group", 1)
    return [] if node.is_last and channels <= MOST_LAST_CHANNELS else [channels]


@within(
    1,
    32767,
    source=LIST,
    remedy="use groups, fewer channels or a smaller kernel",
    cures=("split-input-channels", "split-large-kernel"),
)
def conv_kernel_volume(node: Node) -> Iterable[int]:
    """Channels of a group times kernel height times kernel width are at most {high}."""
    return [prod(node.shape(1)[1:])]


@within(1, 256, source=LIST, remedy="take a smaller stride", cures=("stride-to-channels",))
def conv_stride(node: Node) -> Iterable[int]:
    """A Conv steps by {low} to {high}."""
    return node.window.strides


@one_of(1, 2, source=LIST, remedy="step by 1 or 2 there, or add elsewhere", cures=("stride-to-channels",))
def conv_stride_before_add(node: Node) -> Iterable[int]:
    """A Conv whose result goes into a shortcut Add steps by {legal}."""
    return node.window.strides if node.feeds_shortcut else ()


@one_of(1, source=LIST, remedy="step by 1 where taps are dilated")
def conv_stride_dilated(node: Node) -> Iterable[int]:
    """A dilated Conv steps by {legal}."""
    return node.window.strides


@within(1, 16, source=LIST, remedy="take a smaller dilation")
def conv_dilation(node: Node) -> Iterable[int]:
    """Taps of a Conv are {low} to {high} apart."""
    return node.window.dilations


@demand("multiples of the dilation", source=LIST, remedy="pad the input first", cures=("pad-for-dilation",))
def conv_dilated_extent(node: Node) -> str | None:
    """Height and width of a dilated Conv's input are {allowed}."""
    pairs = zip(node.shape()[2:], node.window.dilations, strict=True)
    return next((f"{n} at dilation {d}" for n, d in pairs if n % d), None)


@within(0, 256, source=LIST, remedy="pad in an op of its own")
def conv_pad(node: Node) -> Iterable[int]:
    """A Conv pads by {low} to {high}."""
    return node.pads


CONV = Row(
    "conv",
    ("Conv",),
    "A convolution of an image runs on the multiply-accumulate array.",
    LIST,
    UNIT,
    (
        conv_kernel_size,
        conv_input_channels,
        conv_output_channels,
        conv_kernel_volume,
        conv_stride,
        conv_stride_before_add,
        conv_pad,
    ),
    when=lambda node: _spatial(node) == 2,
)

CONV_DILATED = replace(
    CONV,
    name="conv-dilated",
    sentence="A dilated convolution of an image runs on the multiply-accumulate array and gives int8.",
    constraints=(*CONV.constraints, conv_stride_dilated, conv_dilation, conv_dilated_extent),
    when=lambda node: _spatial(node) == 2 and max(node.op.attr("dilations") or (1,)) > 1,
)
"""Which tensors get 16 bits is decided after the check (`y10c.quant.plan`): int8 is a sentence here."""

CONV_1D = Row(
    "conv-1d",
    ("Conv", "ConvTranspose", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"),
    "The list knows windows over images; those over a sequence are not named.",
    LIST,
    UNIT,
    (four_dimensional("lift-conv-1d", "lift-conv-transpose-1d", "lift-pool-1d"),),
    when=lambda node: _spatial(node) == 1,
)


@within(1, 128, source=LIST, remedy="run smaller batches", cures=("split-batch",))
def conv3d_batch(node: Node) -> Iterable[int]:
    """The batch of a 3-D Conv is {low} to {high}."""
    return [node.shape()[0]]


@within(1, 31, source=LIST, remedy="take smaller kernels in a row")
def conv3d_kernel_size(node: Node) -> Iterable[int]:
    """The kernel of a 3-D Conv is {low} to {high} high and wide."""
    return node.kernel[1:]


@within(1, 8191, source=LIST, remedy="take a shorter kernel")
def conv3d_kernel_depth(node: Node) -> Iterable[int]:
    """The kernel of a 3-D Conv is {low} to {high} deep."""
    return node.kernel[:1]


@demand("both 1 or both 2", source=LIST, remedy="step by 1 or 2 along height and width alike")
def conv3d_stride(node: Node) -> str | None:
    """A 3-D Conv steps along height and width by {allowed}."""
    steps = node.window.strides[1:]
    return None if steps in ((1, 1), (2, 2)) else f"{steps[0]} and {steps[1]}"


@one_of(1, source=LIST, remedy="use one group")
def conv3d_group(node: Node) -> Iterable[int]:
    """A 3-D Conv has {legal} group."""
    return [node.attr("group", 1)]


@one_of(1, source=LIST, remedy="do not dilate")
def conv3d_dilation(node: Node) -> Iterable[int]:
    """A 3-D Conv has dilation {legal}."""
    return node.window.dilations


@within(1, 8192, source=LIST, remedy="use fewer channels or a shorter kernel")
def conv3d_depth_volume(node: Node) -> Iterable[int]:
    """Kernel depth times channels of a 3-D Conv are at most {high}."""
    return [node.kernel[0] * node.shape(1)[1]]


CONV_3D = Row(
    "conv-3d",
    ("Conv",),
    "A convolution of a volume runs on the multiply-accumulate array.",
    LIST,
    UNIT,
    (
        conv3d_batch,
        conv3d_kernel_size,
        conv3d_kernel_depth,
        conv3d_stride,
        conv3d_group,
        conv3d_dilation,
        conv3d_depth_volume,
    ),
    when=lambda node: _spatial(node) == 3,
)


@within(1, 128, source=LIST, remedy="run smaller batches", cures=("split-batch",))
def conv_transpose_batch(node: Node) -> Iterable[int]:
    """The batch of a ConvTranspose is {low} to {high}."""
    return [node.shape()[0]]


@within(1, 2048, source=LIST, remedy="use fewer channels")
def conv_transpose_channels(node: Node) -> Iterable[int]:
    """A ConvTranspose reads {low} to {high} channels."""
    return [node.shape()[1]]


@within(1, 14, source=LIST, remedy="take a smaller kernel")
def conv_transpose_kernel_size(node: Node) -> Iterable[int]:
    """The kernel of a ConvTranspose is {low} to {high} high and wide."""
    return node.kernel


@demand("not 1x1", source=LIST, remedy="use a Conv")
def conv_transpose_kernel_is_no_point(node: Node) -> str | None:
    """The kernel of a ConvTranspose is {allowed}."""
    return "1x1" if node.kernel == (1, 1) else None


@within(1, 32767, source=LIST, remedy="use fewer channels or a smaller kernel")
def conv_transpose_volume(node: Node) -> Iterable[int]:
    """Kernel height times width times channels of a ConvTranspose are at most {high}."""
    return [prod(node.kernel) * node.shape()[1]]


@within(1, 14, source=LIST, remedy="take a smaller stride")
def conv_transpose_stride(node: Node) -> Iterable[int]:
    """A ConvTranspose steps by {low} to {high}."""
    return node.window.strides


@demand("not both 1", source=LIST, remedy="use a Conv with the kernel turned round")
def conv_transpose_steps(node: Node) -> str | None:
    """The strides of a ConvTranspose are {allowed}."""
    return "1 and 1" if node.window.strides == (1, 1) else None


@one_of(1, source=LIST, remedy="do not dilate")
def conv_transpose_dilation(node: Node) -> Iterable[int]:
    """A ConvTranspose has dilation {legal}."""
    return node.window.dilations


@one_of(0, 1, source=LIST, remedy="pad the result in an op of its own")
def conv_transpose_output_padding(node: Node) -> Iterable[int]:
    """The output padding of a ConvTranspose is {legal}."""
    return [int(n) for n in node.op.attr("output_padding") or ()]


@demand("pad at most kernel / stride, less than it where the stride is odd", source=LIST, remedy="pad less")
def conv_transpose_pad(node: Node) -> str | None:
    """A ConvTranspose may {allowed}."""
    window = node.window
    for axis, (kernel, stride) in enumerate(zip(window.kernel, window.strides, strict=True)):
        pad = max(window.begin[axis], window.end[axis])
        too_much = pad * stride >= kernel if stride % 2 else pad * stride > kernel
        if pad and too_much:
            return f"pad {pad} of kernel {kernel}, stride {stride}"
    return None


CONV_TRANSPOSE = Row(
    "conv-transpose",
    ("ConvTranspose",),
    "A transposed convolution of an image runs on the multiply-accumulate array.",
    LIST,
    UNIT,
    (
        conv_transpose_batch,
        conv_transpose_channels,
        conv_transpose_kernel_size,
        conv_transpose_kernel_is_no_point,
        conv_transpose_volume,
        conv_transpose_stride,
        conv_transpose_steps,
        conv_transpose_dilation,
        conv_transpose_output_padding,
        conv_transpose_pad,
    ),
    when=lambda node: _spatial(node) == 2,
)

ROWS = (CONV_1D, CONV_DILATED, CONV, CONV_3D, CONV_TRANSPOSE)


def _spatial(node: Node) -> int | None:
    value = node.op.operand(0)
    shape = None if value is None else value.shape
    return None if shape is None else len(shape) - 2
