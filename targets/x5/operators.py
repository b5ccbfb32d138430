"""The operator list of the RDK X5 (bayes-e), row by row as it is published."""

from __future__ import annotations

from y10c.check.chip import Chip
from y10c.check.table import OperatorTable
from y10c.targets.x5 import convolutions, elementwise, host, movement, pools, products, reductions
from y10c.targets.x5.general import GENERAL
from y10c.targets.x5.sources import LIST

ROWS = (
    *convolutions.ROWS,
    *pools.ROWS,
    *products.ROWS,
    *elementwise.ROWS,
    *reductions.ROWS,
    *movement.ROWS,
    *host.ROWS,
)
"""In the order of documents; the first row that is about an op places it."""


def operator_table(march: str, chip: Chip) -> OperatorTable:
    """The list for a march of the family."""
    return OperatorTable(march, ROWS, GENERAL, chip, LIST)
