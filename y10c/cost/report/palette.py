"""Colours, declared once for pictures and pages; each has 3:1 contrast or more with its background."""

from __future__ import annotations

from dataclasses import dataclass

from y10c.cost.result import Bound, Unit


@dataclass(frozen=True, slots=True)
class Shade:
    """One colour on light and on dark ground."""

    light: str
    dark: str


BLUE = Shade("#2d68bd", "#7db0f5")
GREEN = Shade("#0f7a5f", "#46c79b")
AMBER = Shade("#b56a00", "#eeb04c")
PLUM = Shade("#a8478b", "#e08bc8")
VIOLET = Shade("#6b55c4", "#ab9bf2")
RED = Shade("#c4444f", "#f58a90")
GREY = Shade("#6d7683", "#9aa5b4")

UNITS = {
    Unit.LOAD: BLUE,
    Unit.TAE: GREEN,
    Unit.VPU: AMBER,
    Unit.AAE: PLUM,
    Unit.TRANS: VIOLET,
    Unit.STORE: RED,
    Unit.HOST: GREY,
}

BOUNDS = {
    Bound.COMPUTE: GREEN,
    Bound.VECTOR: AMBER,
    Bound.POOLING: PLUM,
    Bound.LAYOUT: VIOLET,
    Bound.LOAD: BLUE,
    Bound.STORE: RED,
    Bound.LAUNCH: GREY,
    Bound.NOTHING: GREY,
}
"""A bound has the colour of the unit that it waits for."""
