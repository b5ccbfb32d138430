"""The verifier names every broken rule of a graph, and finds none in a good one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from y10c.errors import VerifyError
from y10c.ir import DType, Graph, QuantParams, TensorType
from y10c.ir.parser import parse_graph
from y10c.ir.value import Op, Value
from y10c.ir.verify import verify

CHAIN = """graph "g"(%x: f32[2,3]) {
  %y: f32[2,3] = Relu(%x)
  %z: f32[2,3] = Add(%y, %x)
  return "z": %z
}
"""
NESTED = """graph "g"(%c: bool[], %x: f32[2]) {
  %y: f32[2] = If(%c)
    .then_branch = graph "t"() {
      %a: f32[2] = Relu(%x)
      return "a": %a
    }
    .else_branch = graph "e"() {
      return "x": %x
    }
  return "y": %y
}
"""


def problems(graph: Graph) -> list[str]:
    with pytest.raises(VerifyError) as caught:
        verify(graph)
    return caught.value.problems


def op_named(graph: Graph, name: str) -> Op:
    return next(op for op in graph.walk() if op.name == name)


@pytest.mark.parametrize("text", [CHAIN, NESTED])
def test_a_good_graph_passes(text: str) -> None:
    verify(parse_graph(text))


def test_an_extent_that_is_no_whole_number_is_named() -> None:
    graph = parse_graph(CHAIN)
    op_named(graph, "Relu").results[0].type = TensorType(DType.f32, (2, 1.5))  # type: ignore[arg-type]
    assert any("Relu has the extent 1.5" in problem for problem in problems(graph))


def test_reading_a_value_before_its_definition_is_named() -> None:
    graph = parse_graph(CHAIN)
    relu, add = op_named(graph, "Relu"), op_named(graph, "Add")
    relu._set_operand(0, add.result)
    assert any("Relu reads %z" in p and "before it is defined" in p for p in problems(graph))


def test_a_value_of_a_nested_graph_is_out_of_scope_outside() -> None:
    graph = parse_graph(NESTED)
    inner = op_named(graph, "Relu").result
    graph.terminator._set_operand(0, inner)
    assert any("out of its scope" in p for p in problems(graph))


def test_a_nested_graph_with_another_parent_is_named() -> None:
    graph = parse_graph(NESTED)
    op_named(graph, "If").graphs[0].parent = Graph("stranger")
    assert any("another parent" in p for p in problems(graph))


def _forget_use(graph: Graph) -> None:
    graph.inputs[0]._uses.clear()


def _invent_use(graph: Graph) -> None:
    Op("Relu", [graph.inputs[0]], result_types=[None])._link_uses()


def _drop_operand(graph: Graph) -> None:
    op_named(graph, "Add")._set_operands((graph.inputs[0],))


def _misspell_attribute(graph: Graph) -> None:
    relu = op_named(graph, "Relu")
    relu.attrs = relu.attrs.updated(alpha=1.0)


def _lie_about_type(graph: Graph) -> None:
    op_named(graph, "Relu").result.type = TensorType(DType.f32, (2, 4))


def _steal_result(graph: Graph) -> None:
    op_named(graph, "Relu").result.producer = None


def _duplicate_output(graph: Graph) -> None:
    graph.set_outputs([graph.outputs[0]] * 2, ["z", "z"])


def _foreign_constant(graph: Graph) -> None:
    from y10c.ir import Tensor

    op_named(graph, "Add")._set_operand(1, Value(None, tensor=Tensor.of([1.0])))


def _miscount(graph: Graph) -> None:
    graph._count += 1


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (_forget_use, "missing among the uses"),
        (_invent_use, "which is not in the graph"),
        (_drop_operand, "lacks its operand"),
        (_misspell_attribute, "has no attribute alpha"),
        (_lie_about_type, "gives f32[2,3], but its result is said to be"),
        (_steal_result, "does not know its producer"),
        (_duplicate_output, "two outputs of one name"),
        (_foreign_constant, "a constant of another graph"),
        (_miscount, "links 2"),
    ],
)
def test_a_broken_rule_is_named(damage: Callable[[Graph], None], sentence: str) -> None:
    graph = parse_graph(CHAIN)
    damage(graph)
    assert any(sentence in p for p in problems(graph)), problems(graph)


def test_all_problems_are_named_at_once() -> None:
    graph = parse_graph(CHAIN)
    _misspell_attribute(graph)
    _duplicate_output(graph)
    assert len(problems(graph)) == 2


# --- a missing requantize is a type error ---


def quantized(scale: float) -> str:
    return f"i8[4]{{s={scale},z=0}}"


@pytest.mark.parametrize("name", ["Concat", "Max"])
def test_two_quantizations_that_meet_are_named(name: str) -> None:
    attrs = " {axis=0}" if name == "Concat" else ""
    shape = "[8]" if name == "Concat" else "[4]"
    text = f"""graph "g"(%a: {quantized(0.5)}, %b: {quantized(0.25)}) {{
      %y: i8{shape} = {name}(%a, %b){attrs}
      return "y": %y
    }}"""
    assert any("a requantize is missing" in p for p in problems(parse_graph(text)))


@pytest.mark.parametrize(("scale", "valid"), [(0.5, True), (0.25, False)])
def test_dequantize_must_mean_what_the_type_says(scale: float, valid: bool) -> None:
    text = f"""graph "g"(%a: {quantized(0.5)}) {{
      %s = const f32[] [{scale}]
      %y: f32[4] = DequantizeLinear(%a, %s)
      return "y": %y
    }}"""
    if valid:
        verify(parse_graph(text))
    else:
        assert any("a requantize is missing" in p for p in problems(parse_graph(text)))


def test_a_reshape_that_changes_the_quantization_is_named() -> None:
    text = f"""graph "g"(%a: {quantized(0.5)}) {{
      %y: {quantized(0.25)} = Identity(%a)
      return "y": %y
    }}"""
    assert QuantParams((0.25,), (0,)) == parse_graph(text).outputs[0].tensor_type.quant
    assert any("mixes the quantizations" in p for p in problems(parse_graph(text)))


def test_a_long_chain_exhausts_no_stack() -> None:
    lines = [f"%v{i + 1}: f32[2] = Relu(%v{i})" for i in range(3000)]
    graph = parse_graph('graph "g"(%v0: f32[2]) {' + "\n".join(lines) + '\nreturn "y": %v3000 }')
    verify(graph)
