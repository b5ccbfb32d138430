"""Choices that cover instead of chance: every optional operand, every enumerated attribute value, in turn.

A first walk takes the simplest choice everywhere and notes what else there was; each further walk changes one
decision, or gives the optional operands another combination of present and absent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle, product
from random import Random
from typing import NamedTuple, TypeVar

from y10c.ops.sample import Draw

T = TypeVar("T")

Decision = tuple[str, int]
"""A label, and which of the choices under that label it is."""
Plan = Mapping[Decision, int]

SIZES: Mapping[str, tuple[int, ...]] = {
    "channels": (2,),
    "batch": (2,),
    "pad": (1, 0),
    "strides": (2, 1),
    "dilations": (1, 2),
    "operands": (2,),
    "rest": (2,),
}
"""Two channels a group, and so on; anything else follows the profile."""


class Profile(NamedTuple):
    """Sizes in turn.

    Args:
        extents: Of axes.
        kernel: Of windows.
    """

    extents: tuple[int, ...]
    kernel: tuple[int, ...]


WIDE = (Profile((2, 4), (2, 1)), Profile((4, 2), (2, 1)))
"""Enough channels for two groups of two where they come from another op."""
PROFILES = (
    Profile((2, 3), (2, 1)),
    Profile((2, 3), (1,)),
    Profile((2, 2), (2, 1)),
    Profile((2, 1), (2, 1)),
    Profile((1, 1), (1,)),
)
"""Unequal sizes first, equal ones where an op asks for it."""
MOST_OPTIONAL = 4


@dataclass
class CoverDraw(Draw):
    """Takes the planned choices, else the simplest, and notes every decision with its number of choices.

    Args:
        plan: Choices that differ from the simplest.
        profile: Extents and kernels in turn.
    """

    plan: Plan
    profile: Profile
    decisions: dict[Decision, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._seen: dict[str, int] = {}
        self._cycles: dict[str, Iterator[int]] = {}
        self._numbers = 0

    def integer(self, low: int, high: int, label: str = "") -> int:
        """A size: from the table, else from the profile."""
        values = self.profile.kernel if label == "kernel" else SIZES.get(label, self.profile.extents)
        size = next(self._cycles.setdefault(label, cycle(values)))
        base = low if label == "extent" and low == 0 else 0
        return min(high, max(low, base + size - (1 if low == 0 and label == "extent" else 0)))

    def shape(self, rank: int, low: int = 1, high: int = 3) -> tuple[int, ...]:
        """As the profile says, also where that is more than usual."""
        return super().shape(rank, low, max(high, *self.profile.extents))

    def indices(self, count: int, size: int) -> Sequence[int]:
        """Different numbers one after the other."""
        start, self._numbers = self._numbers, self._numbers + count
        return [(start + i) % size for i in range(count)]

    def choice(self, items: Sequence[T], label: str = "") -> T:
        """The planned item, else the first; two groups are simpler than one."""
        if not items:
            return super().choice(items, label)
        preferred = items.index(2) if label == "group" and 2 in items else 0
        return items[self._decided(label, len(items), preferred)]

    def boolean(self, label: str = "") -> bool:
        """As planned, else no."""
        return bool(self._decided(label, 2, 0))

    def _decided(self, label: str, count: int, preferred: int) -> int:
        decision = (label, self._seen.get(label, 0))
        self._seen[label] = decision[1] + 1
        self.decisions[decision] = count
        return min(self.plan.get(decision, preferred), count - 1)


def plans(decisions: Mapping[Decision, int], *, dtypes: bool = False) -> Iterator[Plan]:
    """The plans that cover what a first walk saw.

    All combinations of the optional operands; every other decision's every value, with all of the optional
    operands and with none.

    Args:
        decisions: Each decision with its number of choices.
        dtypes: Element types are decisions too; to expressions they are all one.
    """
    optional, others = _split(decisions)
    others |= {d: n for d, n in decisions.items() if dtypes and d[0] == "dtype"}
    for bits in product((1, 0), repeat=len(optional)):
        yield dict(zip(optional, bits, strict=True))
    for bit in (1, 0) if optional else (1,):
        for decision, count in others.items():
            for index in range(count):
                yield {**dict.fromkeys(optional, bit), decision: index}


def mixed_plans(decisions: Mapping[Decision, int]) -> Iterator[Plan]:
    """Plans with several changes at once, for rules whose conditions ask for them."""
    optional, others = _split(decisions)
    chance = Random(0)
    for _ in range(MIXED):
        several = {d: chance.randrange(n) for d, n in others.items() if chance.random() < 0.5}
        yield {**{d: chance.randrange(2) for d in optional}, **several}


def _split(decisions: Mapping[Decision, int]) -> tuple[list[Decision], dict[Decision, int]]:
    optional = [d for d in decisions if is_optional(d)][:MOST_OPTIONAL]
    others = {d: n for d, n in decisions.items() if not is_optional(d) and d[0] not in SKIPPED and n > 1}
    return optional, others


PRESENT = "present "
"""The label, followed by the variable's name, of the choice whether an optional operand is there."""


def is_optional(decision: Decision) -> bool:
    """True for the choice whether an optional operand is there."""
    return decision[0].startswith(PRESENT) or decision[0] == "optional operand"


MIXED = 80
SKIPPED = frozenset({"dtype", "input", "used value"})
"""Choices that change nothing in a symbolic run."""
