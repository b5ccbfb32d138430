"""`check_rule` accepts a right fold of BatchNormalization, and refuses every wrong variant of it, small."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from y10c.rewrite import Rewriter, Rule, any_of, op, rule, variables
from y10c.testing.check import VacuousRule, WrongRewrite, check_rule

x, W, B, GAMMA, BETA, MEAN, VAR = variables("x W B GAMMA BETA MEAN VAR")
STATISTICS = GAMMA, BETA, MEAN, VAR
FOLDABLE = op.BatchNormalization(
    op.Conv(x, W, B.optional(0), bind="conv", single_use=True), *STATISTICS, bind="bn"
)


def scaled(rw: Rewriter, m: Any, scale: Any, shift: Any, **changes: Any) -> Any:
    weight = m.W * scale.reshape(-1, *[1] * (m.W.ndim - 1))
    return rw.op.Conv(m.x, rw.const(weight), rw.const(m.B * scale + shift), **{**m.conv.attrs, **changes})


@rule(match=FOLDABLE)
def right(rw: Rewriter, m: Any) -> Any:
    """The right one."""
    scale = m.GAMMA / np.sqrt(m.VAR + m.bn.epsilon)
    return scaled(rw, m, scale, m.BETA - m.MEAN * scale)


@rule(match=FOLDABLE)
def fixed_epsilon(rw: Rewriter, m: Any) -> Any:
    scale = m.GAMMA / np.sqrt(m.VAR + 1e-5)
    return scaled(rw, m, scale, m.BETA - m.MEAN * scale)


@rule(match=FOLDABLE)
def forgotten_mean(rw: Rewriter, m: Any) -> Any:
    scale = m.GAMMA / np.sqrt(m.VAR + m.bn.epsilon)
    return scaled(rw, m, scale, m.BETA)


@rule(match=FOLDABLE)
def dropped_group(rw: Rewriter, m: Any) -> Any:
    scale = m.GAMMA / np.sqrt(m.VAR + m.bn.epsilon)
    return scaled(rw, m, scale, m.BETA - m.MEAN * scale, group=1)


@rule(match=FOLDABLE)
def dropped_strides(rw: Rewriter, m: Any) -> Any:
    scale = m.GAMMA / np.sqrt(m.VAR + m.bn.epsilon)
    return scaled(rw, m, scale, m.BETA - m.MEAN * scale, strides=None)


@rule(match=FOLDABLE)
def positive_gamma(rw: Rewriter, m: Any) -> Any:
    scale = abs(m.GAMMA) / np.sqrt(m.VAR + m.bn.epsilon)
    return scaled(rw, m, scale, m.BETA - m.MEAN * scale)


@rule(match=FOLDABLE)
def forgotten_bias(rw: Rewriter, m: Any) -> Any:
    scale = m.GAMMA / np.sqrt(m.VAR + m.bn.epsilon)
    weight = m.W * scale.reshape(-1, *[1] * (m.W.ndim - 1))
    return rw.op.Conv(m.x, rw.const(weight), rw.const(m.BETA - m.MEAN * scale), **m.conv.attrs)


@rule(match=op.BatchNormalization(op.Conv(x, W, bind="conv"), *STATISTICS, bind="bn"))
def replaced_convolution(rw: Rewriter, m: Any) -> Any:
    """Redirects every reader of the Conv, and not only the BatchNormalization."""
    scale = m.GAMMA / np.sqrt(m.VAR + m.bn.epsilon)
    shift = rw.const(m.BETA - m.MEAN * scale)
    folded = rw.op.Conv(m.x, rw.const(m.W * scale.reshape(-1, *[1] * (m.W.ndim - 1))), shift, **m.conv.attrs)
    rw.replace(m.conv.op, folded)
    return folded


def never(m: Any) -> bool:
    return False


@rule(match=FOLDABLE, where=never)
def vacuous(rw: Rewriter, m: Any) -> Any:
    return m.x


@rule(match=op.Add(x, op.Neg(x)))
def not_simpler(rw: Rewriter, m: Any) -> Any:
    """Fires on its own result for ever."""
    return rw.op.Add(rw.op.Neg(m.x), m.x)


WRONG = [
    fixed_epsilon,
    forgotten_mean,
    dropped_group,
    dropped_strides,
    positive_gamma,
    forgotten_bias,
    replaced_convolution,
]


def test_the_right_rule_passes_and_reports_what_was_tried() -> None:
    report = check_rule(right, examples=60)
    assert report.fired >= 10
    assert report.float32 >= 5
    assert report.contexts


@pytest.mark.slow  # shrinks every counterexample
@pytest.mark.parametrize("wrong", WRONG, ids=lambda r: r.name)
def test_a_wrong_rule_is_refused_with_a_counterexample_of_at_most_four_nodes(wrong: Rule) -> None:
    with pytest.raises(WrongRewrite) as caught:
        check_rule(wrong)
    assert caught.value.counterexample.size[0] <= 4


@pytest.mark.parametrize("wrong", WRONG, ids=lambda r: r.name)
def test_a_wrong_rule_is_refused(wrong: Rule) -> None:
    with pytest.raises(WrongRewrite):
        check_rule(wrong, shrink=False)


def test_a_rule_that_never_fires_is_refused_as_vacuous() -> None:
    with pytest.raises(VacuousRule, match="fired on 0 of"):
        check_rule(vacuous, examples=20)


def test_a_rule_that_feeds_itself_is_named_as_a_cycle() -> None:
    with pytest.raises(WrongRewrite, match="not-simpler -> not-simpler"):
        check_rule(not_simpler, shrink=False)


@rule(match=any_of(op.Neg(op.Neg(x)), op.Neg(op.Add(op.Sqrt(-1.0), x))))
def one_form_is_impossible(rw: Rewriter, m: Any) -> Any:
    return m.x


def test_an_alternative_of_which_no_graph_can_be_drawn_is_named() -> None:
    with pytest.raises(VacuousRule, match=r"with Neg\(Add\(Sqrt\(-1.0\), x\)\) could be drawn"):
        check_rule(one_form_is_impossible, examples=20)
