"""Pipelines as text: what parses comes back as it was, what does not says where and what was meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from y10c import plugins
from y10c.errors import Y10cError
from y10c.passes.pipelines import canonicalization
from y10c.pipeline.textual import format_pipeline, parse_pipeline, registered_passes


def test_every_registered_pass_is_nameable() -> None:
    names = plugins.names("y10c.passes")
    assert set(registered_passes()) == set(names)
    for name in names:
        assert [p.name for p in parse_pipeline(name)] == [name]


def test_options_are_converted_to_the_types_of_their_fields() -> None:
    (made,) = parse_pipeline("calibrate{method=kl workers=3 float_nodes=a,b wide_edges=false percentile=99}")
    assert made.options() == {
        "method": "kl",
        "workers": 3,
        "float_nodes": ("a", "b"),
        "wide_edges": False,
        "percentile": 99.0,
    }


def test_the_default_pipeline_has_a_name() -> None:
    assert parse_pipeline(" canonicalize ") == canonicalization()


@given(
    st.lists(
        st.sampled_from([*canonicalization(), *parse_pipeline("fold-head{mode=e2e},calibrate")]), min_size=1
    )
)
def test_what_is_printed_parses_back(passes: list) -> None:
    assert parse_pipeline(format_pipeline(passes)) == tuple(passes)


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ("fold-bm", 1, "did you mean 'fold-bn'"),
        ("cse, fold-hed", 6, "did you mean 'fold-head'"),
        ("fold-head{mde=raw}", 11, "did you mean 'mode'"),
        ("cse{x=1}", 5, "takes no options"),
        ("cse,", 5, "missing"),
        ("cse}", 4, "',' is missing"),
        ("fold-head{mode raw}", 16, "'=' is missing"),
        ("calibrate{workers=x}", 19, "not a whole number"),
        ("calibrate{wide_edges=1}", 22, "neither true nor false"),
        ("", 1, "empty"),
    ],
)
def test_an_error_has_its_column_and_what_was_meant(text: str, column: int, said: str) -> None:
    with pytest.raises(Y10cError) as caught:
        parse_pipeline(text)
    assert caught.value.exit_code == 2
    assert f"column {column}:" in (caught.value.where or "")
    assert said in caught.value.render()
