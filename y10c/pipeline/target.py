"""A target by name, from the plugin door."""

from __future__ import annotations

from typing import Any

from y10c import plugins
from y10c.check.table import OperatorTable
from y10c.errors import UnknownNameError, UsageError
from y10c.ir.graph import Graph
from y10c.quant.scheme import QuantScheme
from y10c.targets.base import Target

TARGET_KEY = "y10c.target"
MARCH_KEY = "y10c.march"
"""Entries of a compiled model's metadata."""


def create_target(name: str, march: str | None = None) -> Target:
    """The target that is registered under a name.

    Raises:
        UnknownNameError: There is no such target or march.
        UsageError: What is registered is not a target.
    """
    return _target_kind(name, plugins.load("y10c.targets", name)).create(march)


def built_for(graph: Graph) -> Target:
    """The target that a model was compiled for, as its metadata says; that of the command line for others.

    Raises:
        UnknownNameError: It names a target or march that is not there.
    """
    told = graph.info.metadata
    return create_target(told.get(TARGET_KEY, "j6"), told.get(MARCH_KEY))


def tables_of(target: Target) -> dict[type, Any]:
    """What a target tells its passes, by type: how it quantizes, and what it runs."""
    tables: dict[type, Any] = {QuantScheme: target.scheme()}
    operators = target.operators()
    if operators is not None:
        tables[OperatorTable] = operators
    return tables


def target_kinds() -> tuple[type[Target], ...]:
    """Every registered target that loads."""
    return tuple(_target_kind(name, kind) for name, kind in plugins.load_all("y10c.targets").items())


def find_target(name: str) -> Target:
    """The target that a target's name, a march or another name of a march stands for.

    Raises:
        UnknownNameError: It stands for none.
    """
    known: dict[str, Target] = {}
    for kind in target_kinds():
        for march in (*kind.marches(), *kind.aliases()):
            known[march] = kind.create(march)
        known[kind.name] = kind.create()
    if name not in known:
        raise UnknownNameError("target or march", name, list(known))
    return known[name]


def _target_kind(name: str, kind: object) -> type[Target]:
    if not (isinstance(kind, type) and issubclass(kind, Target)):
        raise UsageError(f"what is registered as target {name!r} is not one", help="it must subclass Target")
    return kind
