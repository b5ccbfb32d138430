"""The cut between chip and host."""

from __future__ import annotations

import random

import onnx.parser
import pytest

from y10c.check.partition import Cut, cut, producers
from y10c.frontend.importer import load
from y10c.ir.graph import Graph
from y10c.ir.value import Op

HEAD = '<ir_version: 10, opset_import: ["" : 21]> net (float[1,4] x) => (float[1,4] y) '
HOST = ("Neg", "Mod")


def graph_of(body: str) -> Graph:
    return load(onnx.parser.parse_model(HEAD + body))


def cut_of(body: str) -> tuple[Cut, dict[str, Op]]:
    graph = graph_of(body)
    refused = [op for op in graph.ops if op.name in HOST]
    pinned = [op for op in graph.ops if op.name == "Exp"]
    return cut(graph, refused, pinned), {op.results[0].name: op for op in graph.ops}


def test_a_graph_of_the_chip_alone_is_not_cut() -> None:
    found, _ = cut_of("{ a = Exp(x) y = Relu(a) }")
    assert found == Cut(frozenset(), frozenset(), 0, 0, frozenset())


def test_an_op_in_mid_graph_crosses_twice() -> None:
    found, ops = cut_of("{ a = Exp(x) b = Neg(a) y = Exp(b) }")
    assert (found.crossings, found.segments) == (2, 1)
    assert found.middle == {ops["b"]}


@pytest.mark.parametrize(
    ("body", "crossings"),
    [("{ a = Neg(x) y = Exp(a) }", 1), ("{ a = Exp(x) y = Neg(a) }", 1)],
    ids=["before", "behind"],
)
def test_the_ends_of_a_graph_are_no_mid_graph(body: str, crossings: int) -> None:
    found, _ = cut_of(body)
    assert (found.crossings, found.segments, found.middle) == (crossings, 1, frozenset())


def test_what_stands_between_host_ops_moves_to_the_host() -> None:
    found, ops = cut_of("{ a = Exp(x) b = Neg(a) c = Relu(b) d = Neg(c) y = Exp(d) }")
    assert found.moved == {ops["c"]}
    assert (found.crossings, found.segments) == (2, 1)


def test_products_stay_on_the_chip_even_between_host_ops() -> None:
    found, ops = cut_of("{ a = Exp(x) b = Neg(a) c = Exp(b) d = Neg(c) y = Exp(d) }")
    assert not found.moved
    assert (found.crossings, found.segments) == (4, 2)
    assert found.middle == {ops["b"], ops["d"]}


def test_a_tensor_that_many_read_crosses_once() -> None:
    found, _ = cut_of("{ a = Exp(x) b = Neg(a) c = Neg(a) d = Mod(b, c) y = Exp(d) }")
    assert found.crossings == 2


def test_parallel_host_ops_take_one_visit() -> None:
    found, _ = cut_of("{ a = Exp(x) b = Exp(a) c = Neg(a) d = Neg(b) e = Exp(c) f = Exp(d) y = Add(e, f) }")
    assert found.segments == 1


def random_body(seed: int) -> str:
    draw = random.Random(seed)
    names = ["x"]
    for number in range(9):
        name = draw.choice(["Neg", "Exp", "Relu", "Relu", "Add", "Mul"])
        operands = draw.choices(names[-4:], k=2 if name in ("Add", "Mul") else 1)
        names.append(f"v{number} = {name}({', '.join(n.split(' ')[0] for n in operands)})")
    return f"{{ v = Neg(x) {' '.join(names[1:])} w = Neg(v8) y = Add(v, w) }}"


@pytest.mark.parametrize("seed", range(25))
def test_no_choice_of_the_ops_between_host_ops_has_fewer_crossings(seed: int) -> None:
    body = random_body(seed)
    found, _ = cut_of(body)
    assert found.crossings == _fewest(graph_of(body), between=True)


def test_the_cut_has_as_few_crossings_as_any_choice_of_sides() -> None:
    body = "{ a = Exp(x) b = Neg(a) c = Relu(b) d = Relu(c) e = Exp(d) f = Neg(d) g = Relu(f) h = Neg(g)"
    body += " i = Add(e, h) y = Exp(i) }"
    found, _ = cut_of(body)
    assert found.crossings == _fewest(graph_of(body))


def _fewest(graph: Graph, between: bool = False) -> int:
    ops = list(graph.ops)
    free = [op for op in ops if op.name not in (*HOST, "Exp")]
    if between:
        free = [op for op in free if _reaches(op, True) and _reaches(op, False)]
    counts = []
    for choice in range(2 ** len(free)):
        host = {op for op in ops if op.name in HOST}
        host |= {op for bit, op in enumerate(free) if choice >> bit & 1}
        counts.append(
            sum(
                any((op in host) != (reader in host) for reader in result.users if not reader.is_terminator)
                for op in ops
                for result in op.results
            )
        )
    return min(counts)


def _reaches(op: Op, forward: bool) -> bool:
    near = [r for r in op.results[0].users if not r.is_terminator] if forward else producers(op)
    return any(n.name in HOST or _reaches(n, forward) for n in near)


def test_ops_before_and_behind_stay_on_the_chip() -> None:
    found, _ = cut_of("{ a = Relu(x) b = Neg(a) y = Relu(b) }")
    assert not found.moved
    assert (found.crossings, found.segments) == (2, 1)
