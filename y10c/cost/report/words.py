"""Numbers as a person reads them: three digits and a unit."""

from __future__ import annotations

from y10c.cost.result import Bound, Unit

WORK = {
    Unit.LOAD: "reads DDR",
    Unit.TAE: "convolutions, matmuls",
    Unit.VPU: "elementwise, softmax",
    Unit.AAE: "pooling, resize",
    Unit.TRANS: "layout changes",
    Unit.STORE: "writes DDR",
    Unit.HOST: "CPU",
}
"""What each unit does, in two words."""

WAITS = {
    Bound.COMPUTE: "the MAC array",
    Bound.VECTOR: "the vector unit",
    Bound.POOLING: "pooling and resize",
    Bound.LAYOUT: "layout changes",
    Bound.LOAD: "reads from DDR",
    Bound.STORE: "writes to DDR",
    Bound.LAUNCH: "the launch of the layer",
    Bound.NOTHING: "nothing",
}
"""What a layer with that bound waits for."""

_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def quantity(value: float, unit: str) -> str:
    """`17_695_424, "B"` -> "17.7 MB": decimal prefixes, three significant digits."""
    for size, prefix in _PREFIXES:
        if abs(value) >= size * 0.9995:
            return f"{three_digits(value / size)} {prefix}{unit}"
    return f"{three_digits(value)} {unit}"


def three_digits(value: float) -> str:
    """Three significant digits without an exponent, at most four decimals: 0.0123, 1.23, 123, 12345."""
    if value == 0 or abs(value) >= 99.95:
        return f"{value:.0f}"
    decimals = next(
        digits for digits in range(1, 5) if digits == 4 or abs(value) >= 9.995 * 10.0 ** (1 - digits)
    )
    return f"{value:.{decimals}f}"


def figure(value: float) -> str:
    """A number of a data sheet: whole numbers in full with commas, others with four digits."""
    return f"{value:,.0f}" if value == round(value) else f"{value:.4g}"


def percent(share: float) -> str:
    """A share of 0..1 as "4.2 %"; whole numbers from 10 on."""
    value = 100 * share
    return f"{value:.0f} %" if value >= 9.95 or value == 0 else f"{value:.1f} %"


def sentence(text: str) -> str:
    """The text with a capital and a full stop."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".") if text else ""


def opening(note: str, longest: int = 240) -> tuple[str, str]:
    """What stands before a long note's first colon, and what it lists behind; all of a short note, and "".

    A list of names would otherwise push the figures off the first screen.
    """
    head, colon, rest = note.partition(": ")
    return (head, rest) if colon and len(note) > longest else (note, "")


def likely(band: tuple[float, float], unit: str = "") -> str:
    """The band as "likely 3.4 to 4.1 ms"; one that has no width says that the error is not known."""
    low, high = band
    return f"likely {span(band, unit)}" if low < high else "error not measured"


def span(band: tuple[float, float], unit: str = "") -> str:
    """A band as "3.4 to 4.1 ms"."""
    low, high = (three_digits(value) for value in band)
    return f"{low} to {high} {unit}".rstrip()
