"""A target by name, from the plugin door."""

from __future__ import annotations

from y10c import plugins
from y10c.errors import UsageError
from y10c.targets.base import Target


def create_target(name: str, march: str | None = None) -> Target:
    """The target that is registered under a name.

    Raises:
        UnknownNameError: There is no such target or march.
        UsageError: What is registered is not a target.
    """
    kind = plugins.load("y10c.targets", name)
    if not (isinstance(kind, type) and issubclass(kind, Target)):
        raise UsageError(f"what is registered as target {name!r} is not one", help="it must subclass Target")
    return kind.create(march)
