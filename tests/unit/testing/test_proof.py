"""Proofs: right rules are proved with their shapes, wrong ones refuted, and obstacles said."""

from __future__ import annotations

import gc
import time
from typing import Any

import numpy as np
import pytest

from y10c.passes.canonicalize.batchnorm import fold_bn_into_conv
from y10c.passes.canonicalize.requantize import clip_integers, compare_integers, drop_requantize
from y10c.passes.canonicalize.transposes import merge_transposes_around_unary
from y10c.rewrite import Rewriter, op, rule, scalar_const, variables
from y10c.testing import prove_rule
from y10c.testing.proof import _limit, _TimeUp
from y10c.testing.symbolic import DataDependent, Symbolic, difference_of, exact_number, symbols

x, q, C = variables("x q C")
SCALE, ZERO = scalar_const("SCALE"), scalar_const("ZERO")


@rule(match=op.Mul(op.Add(x, C), C))
def wrong_expansion(rw: Rewriter, m: Any) -> Any:
    """(x + c) c is not x c + c."""
    return rw.op.Add(rw.op.Mul(m.x, rw.const(m.C)), rw.const(m.C))


@rule(match=op.QuantizeLinear(op.Relu(op.DequantizeLinear(q, SCALE, ZERO)), SCALE, ZERO))
def wrong_clip(rw: Rewriter, m: Any) -> Any:
    """A Relu clips at the zero point, not at zero."""
    return rw.op.Clip(m.q, rw.const(np.zeros((), m.ZERO.dtype)))


@rule(match=op.Add(x, C))
def looks(rw: Rewriter, m: Any) -> Any:
    """Decides by the numbers."""
    return rw.op.Sub(m.x, rw.const(-m.C)) if m.C.sum() > 1 else None


def test_a_proof_lists_groups_and_windows_that_are_not_square() -> None:
    proof = prove_rule(fold_bn_into_conv)
    assert proof.proved
    assert any("group=2" in case and "f32[4,2,2,1]" in case for case in proof.cases)
    assert {len(case.partition(")")[0].split("f32")) for case in proof.cases} == {3, 4}, (
        "without and with bias"
    )
    for mode in ("SAME_UPPER", "SAME_LOWER", "VALID"):
        assert any(mode in case for case in proof.cases)


def test_every_named_op_is_a_case() -> None:
    proof = prove_rule(merge_transposes_around_unary)
    assert proof.proved
    assert all(any(f" {name}(" in case for case in proof.cases) for name in ("Relu", "Erf", "Gelu"))


@pytest.mark.parametrize("exact", [drop_requantize, clip_integers, compare_integers], ids=lambda r: r.name)
def test_rules_on_bytes_are_proved_by_all_inputs(exact: Any) -> None:
    proof = prove_rule(exact)
    assert proof.proved
    assert proof.why.startswith("exhaustive")
    assert any("i8[" in case for case in proof.cases)
    assert any("u8[" in case for case in proof.cases)


def test_a_wrong_rule_is_refuted_with_the_difference() -> None:
    proof = prove_rule(wrong_expansion)
    assert proof.status == "refuted"
    assert "before - after = " in proof.why


def test_a_wrong_rule_on_bytes_is_refuted_by_count() -> None:
    proof = prove_rule(wrong_clip)
    assert proof.status == "refuted"
    assert "inputs give another output" in proof.why


def test_code_that_looks_at_numbers_is_only_tested() -> None:
    proof = prove_rule(looks)
    assert proof.status == "tested"
    assert "numbers" in proof.why


def test_running_out_of_time_is_no_proof() -> None:
    proof = prove_rule(fold_bn_into_conv, seconds=0.05)
    assert proof.status == "tested"
    assert "no proof within" in proof.why


def test_time_that_runs_out_during_garbage_collection_is_no_proof_either() -> None:
    def dawdle(phase: str, _: dict[str, int]) -> None:
        end = time.process_time() + 0.1
        while phase == "stop" and time.process_time() < end:
            pass

    gc.callbacks.append(dawdle)
    try:
        with pytest.raises(_TimeUp), _limit(0.02):
            gc.collect()
    finally:
        gc.callbacks.remove(dawdle)


def test_a_comparison_is_decided_only_where_it_always_holds() -> None:
    positive = symbols("v", (1,), positive=True, nonzero=False)[0]
    any_sign = symbols("w", (1,), positive=False, nonzero=False)[0]
    assert positive > 0
    assert not positive < 0
    assert bool(positive)
    for undecided in (lambda: any_sign > 0, lambda: bool(any_sign), lambda: any_sign == positive):
        with pytest.raises(DataDependent):
            undecided()


@pytest.mark.parametrize(("number", "text"), [(1 / 6, "1/6"), (np.sqrt(2), "sqrt(2)"), (1e-5, "1/100000")])
def test_doubles_are_read_as_what_they_stand_for(number: float, text: str) -> None:
    assert str(exact_number(float(number))) == text
    assert difference_of(Symbolic(exact_number(float(number))), float(number)) == 0
