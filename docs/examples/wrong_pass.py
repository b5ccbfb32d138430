from y10c.rewrite import op, rule, var
from y10c.rewrite.passes import rule_pass

x = var("x")


@rule(match=op.Mul(x, op.Sigmoid(x)))
def silu_is_hardswish(rw, m):
    """Take SiLU for HardSwish, which is close to it and not equal."""
    return rw.op.HardSwish(m.x)


HardSilu = rule_pass("hard-silu", silu_is_hardswish)
