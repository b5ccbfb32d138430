from y10c.rewrite import op, rule, variables
from y10c.rewrite.passes import rule_pass

x, A, B = variables("x A B")


@rule(match=op.Sub(op.Sub(x, A), B))
def merge_subs(rw, m):
    """(x - A) - B is x - (A + B)."""
    return rw.op.Sub(m.x, rw.const(m.A + m.B))


MergeSubs = rule_pass("merge-subs", merge_subs)
