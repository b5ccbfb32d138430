"""The order of legalization, for every target with an operator list."""

from __future__ import annotations

from y10c.passes.canonicalize.batchnorm import FoldBatchNorm
from y10c.passes.canonicalize.chains import MergeChains
from y10c.passes.canonicalize.fold_constants import FoldConstants
from y10c.passes.canonicalize.noop import DropNoops
from y10c.passes.legalize.arithmetic import LegalizeArithmetic
from y10c.passes.legalize.indices import NarrowIndices
from y10c.passes.legalize.moves import LegalizeMoves
from y10c.passes.legalize.norms import LegalizeNorms
from y10c.passes.legalize.products import GemmToConv, LegalizeProducts
from y10c.passes.legalize.reductions import LegalizeReductions
from y10c.passes.legalize.shifts import FoldShifts
from y10c.passes.legalize.tables import RecognizeTables
from y10c.passes.legalize.unpin import Unpin
from y10c.passes.legalize.windows import LegalizeWindows
from y10c.rewrite.passes import Pass


def legalization() -> tuple[Pass, ...]:
    """First what makes one op of several, then what the list refuses, larger parts before smaller ones."""
    return (
        Unpin(),
        RecognizeTables(),
        FoldShifts(),
        FoldBatchNorm(),
        GemmToConv(),
        LegalizeNorms(),
        LegalizeReductions(),
        LegalizeArithmetic(),
        LegalizeProducts(),
        LegalizeWindows(),
        LegalizeMoves(),
        NarrowIndices(),
        FoldConstants(),
        MergeChains(),
        DropNoops(),
    )
