"""Moments describe exactly what the convolution multiplies, and they add."""

from __future__ import annotations

import numpy as np
import pytest

from y10c.quant.moments import Window, accumulate, patches, pick_positions

CASES = [
    Window((3, 3), (2, 2), (1, 1, 1, 1)),
    Window((1, 1)),
    Window((3, 3), (1, 1), (2, 2, 2, 2), (2, 2)),
    Window((3, 3), (1, 1), (1, 1, 1, 1), group=4),
    Window((3, 2), (1, 2), (0, 1, 1, 0), group=2),
]


def onnxruntime_conv(x: np.ndarray, w: np.ndarray, window: Window) -> np.ndarray:
    import onnx.helper as oh
    import onnxruntime as ort

    node = oh.make_node(
        "Conv",
        ["x", "w"],
        ["y"],
        strides=window.strides,
        pads=window.pads,
        dilations=window.dilations,
        group=window.group,
    )
    values = [oh.make_tensor_value_info(n, 1, None) for n in "xwy"]
    graph = oh.make_graph([node], "g", values[:2], values[2:])
    model = oh.make_model(graph, opset_imports=[oh.make_opsetid("", 17)], ir_version=8)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x, "w": w})[0]


@pytest.mark.parametrize("window", CASES, ids=str)
def test_patches_times_weight_is_the_convolution(window: Window) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 4, 7, 9)).astype(np.float32)
    w = rng.standard_normal((8, 4 // window.group, *window.kernel)).astype(np.float32)
    y = onnxruntime_conv(x, w, window)
    rows = w.reshape(window.group, 8 // window.group, -1)
    ours = np.einsum("gpk,gok->pgo", patches(x, window), rows).reshape(-1, 8)
    assert np.allclose(ours, y.transpose(0, 2, 3, 1).reshape(-1, 8), atol=1e-5)


def test_selected_positions_are_those_rows() -> None:
    x = np.arange(2 * 3 * 4 * 4, dtype=np.float32).reshape(2, 3, 4, 4)
    window = Window((3, 3), pads=(1, 1, 1, 1))
    chosen = np.array([0, 5, 31])
    assert np.array_equal(patches(x, window, chosen), patches(x, window)[:, chosen])


def test_moments_add_over_any_split() -> None:
    x = np.random.default_rng(1).standard_normal((2, 50, 6)).astype(np.float32)
    whole, parts = accumulate(x), accumulate(x[:, :20]) + accumulate(x[:, 20:])
    assert np.allclose(whole.second, parts.second, rtol=1e-5, atol=1e-5)
    assert np.allclose(whole.mean, x.mean(axis=1), atol=1e-6)
    assert np.allclose(whole.covariance[1], np.cov(x[1].T, bias=True), atol=1e-5)


def test_a_weight_of_two_counts_twice() -> None:
    x = np.random.default_rng(2).standard_normal((1, 3, 4)).astype(np.float32)
    twice = accumulate(x[:, [0, 1, 1, 2]])
    weighted = accumulate(x, np.array([1.0, 2.0, 1.0]))
    assert weighted.count == twice.count
    assert np.allclose(weighted.second, twice.second, atol=1e-5)
    assert np.allclose(weighted.first, twice.first, atol=1e-5)


def test_picked_positions_are_reproducible_and_distinct() -> None:
    first, second = pick_positions(1000, 50, (1, 2)), pick_positions(1000, 50, (1, 2))
    assert np.array_equal(first, second)
    assert len(np.unique(first)) == 50
    assert pick_positions(7, 50, (0,)).tolist() == list(range(7))
