"""Which layers a graph has: what is work, what is fused, what is free."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from onnx import helper

from y10c.cost.extract import Widths, layers_of
from y10c.cost.workload import Kind
from y10c.errors import ModelError
from y10c.ir.types import Layout

node = helper.make_node
MAP = [1, 16, 32, 32]
Build = Callable[..., object]


def conv(source: str, result: str, weight: int = 0, group: int = 1):
    return node("Conv", [source, f"w{weight}"], [result], name=result, pads=[1, 1, 1, 1], group=group)


def silu(source: str, result: str):
    return [node("Sigmoid", [source], [f"{result}_s"]), node("Mul", [source, f"{result}_s"], [result])]


def quantized(source: str, result: str, zero: str = "zero"):
    return [
        node("QuantizeLinear", [source, "scale", zero], [f"{result}_q"]),
        node("DequantizeLinear", [f"{result}_q", "scale", zero], [result]),
    ]


def test_an_activation_and_a_residual_add_are_fused_behind_their_convolution(graph_of: Build) -> None:
    work = layers_of(graph_of([conv("x", "c"), *silu("c", "a"), node("Add", ["a", "x"], ["y"])], {"y": MAP}))
    (layer,) = work.layers
    assert layer.epilogue == ("Mul", "Add")
    assert layer.vector_elements == 2 * 16 * 32 * 32
    assert {work.maps[read.map].name for read in layer.reads} == {"x"}


def test_a_map_that_others_read_before_its_activation_is_kept(graph_of: Build) -> None:
    work = layers_of(graph_of([conv("x", "c"), *silu("c", "a"), conv("c", "d")], {"a": MAP, "d": MAP}))
    assert [layer.kind for layer in work.layers] == [Kind.CONV, Kind.ELEMENTWISE, Kind.CONV]


def test_split_and_concat_move_nothing(graph_of: Build) -> None:
    nodes = [
        node("Split", ["x"], ["l", "r"], axis=1, num_outputs=2),
        node("Concat", ["r", "l"], ["j"], axis=1),
        conv("j", "y"),
    ]
    (layer,) = layers_of(graph_of(nodes, {"y": MAP})).layers
    assert [read.elements for read in layer.reads] == [16 * 32 * 32]


def test_macs_weights_and_outputs_are_counted(graph_of: Build) -> None:
    work = layers_of(graph_of([conv("x", "y")], {"y": MAP}), Widths(outputs=32))
    assert work.macs == 16 * 16 * 9 * 32 * 32
    assert work.weight_bytes == 16 * 16 * 9
    assert work.maps[-1].bytes == 4 * 16 * 32 * 32


def test_quantize_and_dequantize_set_widths_and_cost_nothing(graph_of: Build) -> None:
    nodes = [
        *quantized("x", "xq"),
        *quantized("w0", "wq"),
        node("Conv", ["xq", "wq"], ["c"], pads=[1, 1, 1, 1]),
        *quantized("c", "cq", "zero16"),
        *silu("cq", "a"),
        *quantized("a", "y"),
    ]
    work = layers_of(graph_of(nodes, {"y": MAP}))
    (layer,) = work.layers
    assert layer.epilogue == ("Mul",)
    assert (layer.activation_bits, layer.weight_bits) == (8, 8)
    assert [m.bits for m in work.maps] == [8, 8]


def test_sixteen_bit_activations_are_seen_by_their_reader(graph_of: Build) -> None:
    nodes = [*quantized("x", "xq", "zero16"), conv("xq", "y")]
    assert layers_of(graph_of(nodes, {"y": MAP})).layers[0].activation_bits == 16


def test_a_concat_of_wide_maps_that_is_requantized_is_read_at_its_own_width(graph_of: Build) -> None:
    nodes = [
        node("Split", ["x"], ["l", "r"], axis=1, num_outputs=2),
        *quantized("l", "lq", "zero16"),
        *quantized("r", "rq", "zero16"),
        node("Concat", ["lq", "rq"], ["j"], axis=1),
        *quantized("j", "jq"),
        conv("jq", "y"),
    ]
    assert layers_of(graph_of(nodes, {"y": MAP})).layers[-1].activation_bits == 8


def test_a_wide_shortcut_does_not_widen_the_convolution_it_is_fused_behind(graph_of: Build) -> None:
    nodes = [
        *quantized("x", "xq"),
        *silu("xq", "s"),
        *quantized("s", "sq", "zero16"),
        conv("xq", "c"),
        node("Add", ["c", "sq"], ["y"]),
    ]
    work = layers_of(graph_of(nodes, {"y": MAP}))
    (product,) = [layer for layer in work.layers if layer.macs]
    assert product.activation_bits == 8
    assert len(product.reads) == 2


def test_a_normalization_of_a_constant_by_an_input_is_work(graph_of: Build) -> None:
    nodes = [
        node("GlobalAveragePool", ["x"], ["p"]),
        node("Squeeze", ["p"], ["m"]),
        node("BatchNormalization", ["w0", "m", "m", "m", "m"], ["n"]),
        *quantized("n", "q"),
        node("Relu", ["q"], ["y"]),
    ]
    work = layers_of(graph_of(nodes, {"y": [16, 16, 3, 3]}))
    _, normalization, relu = work.layers
    assert [read.map for read in relu.reads] == [normalization.writes]


def test_ops_of_the_host_are_layers_of_their_own(graph_of: Build) -> None:
    work = layers_of(graph_of([conv("x", "c"), node("NonMaxSuppressionX", ["c"], ["y"])], {"y": MAP}))
    assert [layer.kind for layer in work.layers] == [Kind.CONV, Kind.HOST]


def test_a_shape_that_is_not_static_is_an_error(graph_of: Build) -> None:
    graph = graph_of([node("Relu", ["x"], ["y"])], {"y": MAP})
    graph.inputs[0].type = graph.inputs[0].type.with_(shape=(1, 16, "h", 32))
    with pytest.raises(ModelError, match="not static"):
        layers_of(graph)


def test_a_residual_block_is_two_layers_and_its_relus_only_clamp(graph_of: Build) -> None:
    nodes = [
        conv("x", "a"),
        node("Relu", ["a"], ["r"]),
        conv("r", "b"),
        node("Add", ["b", "x"], ["s"]),
        node("Relu", ["s"], ["y"]),
    ]
    first, second = layers_of(graph_of(nodes, {"y": MAP})).layers
    elements = 16 * 32 * 32
    assert (first.vector_elements, first.clamp_elements) == (0, elements)
    assert (second.vector_elements, second.clamp_elements) == (elements, elements)
    assert second.epilogue == ("Add", "Relu")


def test_a_transpose_is_followed_by_strides_and_a_pad_is_a_copy(graph_of: Build) -> None:
    nodes = [
        node("Transpose", ["x"], ["t"], perm=[0, 1, 3, 2]),
        node("DepthToSpace", ["t"], ["d"], blocksize=2),
        node("Sigmoid", ["d"], ["y"]),
    ]
    work = layers_of(graph_of(nodes, {"y": [1, 4, 64, 64]}))
    assert [layer.kind for layer in work.layers] == [Kind.COPY, Kind.ELEMENTWISE]
    assert [read.map for read in work.layers[0].reads] == [0]


def test_an_identity_between_layouts_is_a_conversion(graph_of: Build) -> None:
    graph = graph_of([conv("x", "c"), node("Identity", ["c"], ["i"]), conv("i", "y")], {"y": MAP})
    assert [layer.kind for layer in layers_of(graph).layers] == [Kind.CONV, Kind.CONV]
    made, copied = (op.results[0] for op in list(graph.ops)[:2])
    made.type = made.tensor_type.with_(layout=Layout.nchw)
    copied.type = copied.tensor_type.with_(layout=Layout.nhwc)
    work = layers_of(graph)
    assert [layer.kind for layer in work.layers] == [Kind.CONV, Kind.CONVERT, Kind.CONV]
    assert [m.layout for m in work.maps] == [None, Layout.nchw, Layout.nhwc, None]
