"""The families of ops that y10c declares, one module each."""

from __future__ import annotations

from collections.abc import Iterator

from y10c.ops.spec import OpSpec


def all_families() -> Iterator[tuple[OpSpec, ...]]:
    """The declarations of every family."""
    from y10c.ops import (
        activation,
        conv,
        convert,
        copies,
        cut,
        elementwise,
        index,
        linear,
        logic,
        norm,
        pool,
        quant,
        reduce,
        resize,
        search,
        shape,
        shape_arithmetic,
    )

    yield activation.SPECS
    yield conv.SPECS
    yield convert.SPECS
    yield copies.SPECS
    yield cut.SPECS
    yield elementwise.SPECS
    yield index.SPECS
    yield linear.SPECS
    yield logic.SPECS
    yield norm.SPECS
    yield pool.SPECS
    yield quant.SPECS
    yield reduce.SPECS
    yield resize.SPECS
    yield search.SPECS
    yield shape.SPECS
    yield shape_arithmetic.SPECS
