"""Marches as data: names, inheritance, sources, what a chip lacks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from y10c.check.chip import load_chip
from y10c.check.reference import page
from y10c.cost.machine import load_machine
from y10c.errors import ConfigError, UnknownNameError
from y10c.ir.graph import Graph
from y10c.ir.types import DType, TensorType
from y10c.pipeline.target import create_target, find_target
from y10c.rewrite.rewriter import Rewriter
from y10c.targets.base import Target
from y10c.targets.j6.target import J6
from y10c.targets.x5.target import X5

MARCHES = {"nash-b-lite", "nash-b", "nash-b-plus", "nash-e", "nash-m", "nash-h", "nash-p", "nash-starry-p"}
KNOWN_SOURCES = ("published: ", "fitted: ", "assumed")


def test_every_march_of_the_family_is_there() -> None:
    assert set(J6.marches()) == MARCHES
    assert X5.marches() == ["bayes-e"]


@pytest.mark.parametrize(
    ("alias", "march"),
    [
        ("j6e", "nash-e"),
        ("j6m", "nash-m"),
        ("j6p", "nash-p"),
        ("s100", "nash-e"),
        ("s100p", "nash-m"),
        ("s600", "nash-p"),
    ],
)
def test_products_stand_for_their_march(alias: str, march: str) -> None:
    assert create_target("j6", alias).march == march
    assert find_target(alias).march == march


def test_an_unknown_march_is_refused_with_a_hint() -> None:
    with pytest.raises(UnknownNameError) as raised:
        create_target("j6", "s10")
    assert "s100" in str(raised.value.help)


@pytest.mark.parametrize("march", sorted(MARCHES))
def test_every_number_says_where_it_comes_from(march: str) -> None:
    target = create_target("j6", march)
    chip = target.chip()
    sources = [n.source for n in chip.sourced()]
    sources += [fact.source for facts in (chip.units, chip.words, chip.absent) for fact in facts.values()]
    assert len(sources) > 20
    assert all(source.startswith(KNOWN_SOURCES) for source in sources)


@pytest.mark.parametrize("march", sorted(MARCHES - {"nash-e", "nash-m"}))
def test_marches_without_a_published_rate_tell_no_times(march: str) -> None:
    file = create_target("j6", march).machine_file()
    assert file is not None
    assert load_machine(file).times_refused


@pytest.mark.parametrize("march", sorted(MARCHES - {"nash-e", "nash-m"}))
def test_rates_of_another_march_are_assumed_here(march: str) -> None:
    file = create_target("j6", march).machine_file()
    assert file is not None
    sources = {n.name: n.source for n in load_machine(file).numbers()}
    assert sources["clock_ghz"] == "assumed: as nash-e (published: S5 S20)"
    assert not [name for name, source in sources.items() if source.startswith("fitted")]


def test_only_places_that_a_published_role_names_are_published() -> None:
    table = create_target("j6").operators()
    assert table is not None
    published = {row.name for row in table.rows if row.source.startswith("published")}
    assert {"conv", "matmul", "average-pool", "resize", "softmax", "add"} <= published
    assumed = {"conv-1d", "conv-dilated", "conv-transpose", "lstm", "slice", "div", "lut-family", "gemm"}
    assert published.isdisjoint(assumed)


def test_a_march_has_what_it_extends_but_for_names() -> None:
    basic, other = create_target("j6", "nash-e").chip(), create_target("j6", "nash-p").chip()
    assert other.numbers["width_align"] == basic.numbers["width_align"]
    assert other.numbers["cores"].value == 4
    assert not set(basic.aliases) & set(other.aliases)


def top_k_on(target: Target) -> tuple[str, str]:
    graph = Graph("case")
    rewriter = Rewriter(graph)
    x = graph.add_input(TensorType(DType.f32, (1, 1, 8, 8)), "x")
    values, _ = rewriter.op.TopK(x, [2], _results=2, _location="n")
    graph.set_outputs([values], ["y"])
    table = target.operators()
    assert table is not None
    found = table.place(next(graph.ops))
    return found.unit, found.rule


def add_of(dtype: DType, maker: str | None = None) -> tuple[str, str]:
    graph = Graph("case")
    rewriter = Rewriter(graph)
    x = graph.add_input(TensorType(dtype, (1, 2, 4, 4)), "x")
    made = x if maker is None else rewriter.op[maker](x, rewriter.const(np.ones((2, 2, 1, 1), dtype.numpy)))
    graph.set_outputs([rewriter.op.Add(made, x)], ["y"])
    table = create_target("j6").operators()
    assert table is not None
    found = table.place(list(graph.ops)[-1])
    return found.unit, found.rule


def test_an_int32_add_runs_only_behind_a_conv() -> None:
    assert add_of(DType.f32) == ("VAE", "add")
    assert add_of(DType.i32) == ("CPU", "int32-add")
    assert add_of(DType.f32, "Conv") == ("VAE", "add")


def test_what_a_chip_lacks_goes_to_the_host() -> None:
    assert top_k_on(create_target("j6", "nash-e")) == ("SPU", "top-k")
    assert top_k_on(create_target("j6", "nash-b")) == ("CPU", "unit-absent")


def test_a_wrong_march_file_is_an_error_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "odd.yaml"
    file.write_text("chip:\n  title: odd\n  numbers:\n    cores: {value: 1, source: rumour}\n")
    with pytest.raises(ConfigError, match=r"numbers\.cores"):
        load_chip(file)


@pytest.mark.parametrize("name", ["j6", "x5"])
def test_the_operator_pages_are_current(name: str) -> None:
    target = create_target(name)
    table = target.operators()
    assert table is not None
    written = Path(__file__).parents[2] / "docs" / "reference" / f"{name}-operators.md"
    assert written.read_text(encoding="utf-8") == page(table, target.title), (
        f"write it again: y10c targets show {name} --operators > docs/reference/{name}-operators.md"
    )


@pytest.mark.parametrize("name", ["j6", "x5"])
def test_no_op_stands_in_a_row_that_never_places_it(name: str) -> None:
    table = create_target(name).operators()
    assert table is not None
    free = [row for row in table.rows if row.when.__name__ == "always"]
    ops = [op for row in free for op in row.ops]
    assert len(ops) == len(set(ops))
    assert {row.name for row in table.rows if not row.source.startswith(KNOWN_SOURCES)} == set()
