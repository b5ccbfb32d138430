"""Cycles, bytes and milliseconds of a network on a march, with the error of the estimate beside them.

`workload` says what is computed, `machine` on what, and `model.estimate` joins the two into a
`result.CostResult`.
"""
