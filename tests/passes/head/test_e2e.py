"""The folded tail against a float64 reference: exact selection and order, ties included."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import y10c
from y10c.ir import DType, TensorType
from y10c.passes.head.fold import fold_head
from y10c.passes.head.recognize import decode_tail, recognize

ARITHMETIC = {"Mod", "Div", "Mul", "Add", "Sub", "FloorDiv", "Floor"}


def anchors(head: dict[str, Any]) -> int:
    return sum((head["size"] // stride) ** 2 for stride in head["strides"])


HEADS = st.fixed_dictionaries(
    {
        "classes": st.integers(1, 90),
        "reg_max": st.integers(1, 16),
        "strides": st.sampled_from([(8, 16), (8, 16, 32), (4, 8, 16, 32)]),
        "size": st.sampled_from([32, 64, 96, 160, 320, 640]),
        "distribution": st.booleans(),
        "joined": st.sampled_from([False, True, "scale"]),
        "seed": st.integers(0, 99),
    }
).filter(lambda h: (h["distribution"] or h["reg_max"] == 1) and 21 <= anchors(h) <= 8400)


def reference(head: Any, image: Any, strides: Any, distribution: bool) -> Any:
    """Rows in float64: ranked by score, then by lower anchor, then by lower class."""
    logits, sides = head.logits(image, 0), head.logits(image, 1)
    count = min(300, len(logits))
    survivors = sorted(range(len(logits)), key=lambda a: (-logits[a].max(), a))[:count]
    pairs = [(-logits[a, c], a, c) for a in survivors for c in range(head.classes)]
    rows = []
    cells = [(s, *divmod(i, head.size // s)) for s in strides for i in range((head.size // s) ** 2)]
    for negative, anchor, label in sorted(pairs)[:count]:
        side = sides[anchor].reshape(4, head.reg_max)
        if distribution:
            shares = np.exp(side - side.max(1, keepdims=True))
            side = (shares / shares.sum(1, keepdims=True)) @ np.arange(head.reg_max)[:, None]
        left, top, right, bottom = side.ravel()
        stride, y, x = cells[anchor]
        box = np.array([x + 0.5 - left, y + 0.5 - top, x + 0.5 + right, y + 0.5 + bottom]) * stride
        rows.append([*box, 1 / (1 + np.exp(negative)), label])
    return np.array(rows)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(options=HEADS, levels=st.integers(1, 3))
@pytest.mark.slow  # a session of onnxruntime for each example
def test_any_head_gives_the_rows_of_the_reference(
    make_head: Callable[..., Any], run: Any, options: dict[str, Any], levels: int
) -> None:
    head = make_head(**options)
    image = head.image(options["seed"], levels)
    graph = y10c.load(head.model)
    assert fold_head(graph, "e2e").mode == "e2e"
    (rows,) = run(graph.to_onnx(), image).values()
    wanted = reference(head, image, options["strides"], options["distribution"])
    assert rows.shape == (1, *wanted.shape)
    np.testing.assert_array_equal(rows[0, :, 5], wanted[:, 5])
    np.testing.assert_allclose(rows[0, :, :4], wanted[:, :4], rtol=1e-5, atol=1e-3)
    np.testing.assert_allclose(rows[0, :, 4], wanted[:, 4], rtol=1e-5)


def test_equal_scores_come_by_lower_anchor_then_by_lower_class(make_head: Any, run: Any) -> None:
    head = make_head(classes=5, reg_max=2, size=64)
    image = np.zeros((1, 3, 64, 64), np.float32)
    graph = y10c.load(head.model)
    fold_head(graph, "e2e")
    (rows,) = run(graph.to_onnx(), image).values()
    assert rows.shape == (1, 84, 6)
    assert set(rows[0, :, 4]) == {0.5}
    np.testing.assert_array_equal(rows[0, :, 5], np.arange(84) % 5)
    np.testing.assert_allclose(rows[0, 5:10, :4], rows[0, [5] * 5, :4])


def test_all_8400_anchors_of_a_640_input(make_head: Any, run: Any) -> None:
    head = make_head(classes=4, reg_max=3, size=640)
    image = head.image(1, 3)
    graph = y10c.load(head.model)
    fold_head(graph, "e2e")
    (rows,) = run(graph.to_onnx(), image).values()
    wanted = reference(head, image, (8, 16, 32), True)
    np.testing.assert_array_equal(rows[0, :, 5], wanted[:, 5])
    np.testing.assert_allclose(rows[0], wanted, rtol=1e-5, atol=1e-3)


def test_no_integer_arithmetic_is_left(make_head: Any) -> None:
    graph = y10c.load(make_head().model)
    assert any(op.name == "Mod" for op in graph.ops)
    fold_head(graph, "e2e")
    for op in graph.ops:
        kinds = {v.type.dtype for v in op.results if isinstance(v.type, TensorType)}
        assert op.name not in ARITHMETIC or DType.i64 not in kinds, op


def test_only_survivors_are_decoded(make_head: Any) -> None:
    graph = y10c.load(make_head(size=640).model)
    fold_head(graph, "e2e")
    (softmax,) = [op for op in graph.ops if op.name == "Softmax"]
    assert softmax.result.shape == (1, 300, 4, 4)


def test_output_keeps_its_name_and_type(make_head: Any) -> None:
    graph = y10c.load(make_head().model)
    name, kind = graph.output_names[0], graph.outputs[0].type
    fold_head(graph, "e2e")
    assert graph.output_names == [name]
    assert graph.outputs[0].type == kind


def test_folding_again_changes_nothing_of_the_result(make_head: Any, run: Any) -> None:
    head = make_head()
    graph = y10c.load(head.model)
    fold_head(graph, "e2e")
    once = graph.to_onnx()
    again = y10c.load(once)
    fold_head(again, "e2e")
    image = head.image(0, 2)
    np.testing.assert_array_equal(*(next(iter(run(m, image).values())) for m in (once, again.to_onnx())))


@pytest.mark.parametrize("mode", ["keep", "raw", "e2e"])
def test_everything_behind_the_last_convolutions_is_tail(make_head: Any, mode: str) -> None:
    graph = y10c.load(make_head().model)
    fold_head(graph, mode)
    head, tail = recognize(graph), decode_tail(graph)
    assert head is not None
    assert {v.producer for v in head.boundary} == {op for op in graph.ops if op not in tail}
    assert all(op.by == ("" if mode == "keep" else "fold-head") for op in tail)


@pytest.mark.slow  # builds whole networks
@pytest.mark.parametrize("output", ["raw", "e2e"])
def test_a_batch_gives_each_picture_its_rows(run: Any, output: Any) -> None:
    from y10c.zoo import noise_images, yolov10

    images, rows = noise_images(3, 64), []
    for batch in (1, 3):
        graph = y10c.load(yolov10("n", size=64, output=output, batch=batch))
        assert fold_head(graph, "e2e").mode == "e2e"
        assert graph.outputs[0].shape == (batch, 84, 6)
        model = graph.to_onnx()
        parts = [next(iter(run(model, images[i : i + batch]).values())) for i in range(0, 3, batch)]
        rows.append(np.concatenate(parts))
    np.testing.assert_allclose(rows[1], rows[0], rtol=1e-4, atol=1e-3)
