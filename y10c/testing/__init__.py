"""Public tools for testing graphs and rules: strategies, derived tests, proofs, comparisons.

Names are loaded when they are first used, so that a pytest plugin may live here without importing hypothesis.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from y10c.testing.check import RuleReport as RuleReport
    from y10c.testing.check import VacuousRule as VacuousRule
    from y10c.testing.check import WrongRewrite as WrongRewrite
    from y10c.testing.check import check_rule as check_rule
    from y10c.testing.counterexample import Counterexample as Counterexample
    from y10c.testing.equivalence import assert_equivalent as assert_equivalent
    from y10c.testing.equivalence import check_pass as check_pass
    from y10c.testing.instances import Case as Case
    from y10c.testing.proof import Proof as Proof
    from y10c.testing.proof import prove_rule as prove_rule
    from y10c.testing.random_models import models as models
    from y10c.testing.record import draw_record as draw_record
    from y10c.testing.record import load_record as load_record
    from y10c.testing.record import record_problem as record_problem
    from y10c.testing.record import save_record as save_record
    from y10c.testing.tensors import arrays as arrays
    from y10c.testing.tensors import op_instances as op_instances
    from y10c.testing.tensors import ops as ops
    from y10c.testing.tensors import tensor_types as tensor_types

_HOMES = {
    "Case": "instances",
    "Counterexample": "counterexample",
    "Proof": "proof",
    "RuleReport": "check",
    "VacuousRule": "check",
    "WrongRewrite": "check",
    "assert_equivalent": "equivalence",
    "check_pass": "equivalence",
    "check_rule": "check",
    "draw_record": "record",
    "load_record": "record",
    "prove_rule": "proof",
    "record_problem": "record",
    "save_record": "record",
    "arrays": "tensors",
    "models": "random_models",
    "op_instances": "tensors",
    "ops": "tensors",
    "tensor_types": "tensors",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
