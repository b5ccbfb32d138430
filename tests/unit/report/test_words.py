"""Numbers as a person reads them."""

from __future__ import annotations

import pytest

from y10c.cost.report.axis import decades, ticks
from y10c.cost.report.words import figure, likely, opening, percent, quantity, sentence, span, three_digits


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0, "0"),
        (0.01234, "0.0123"),
        (0.00001, "0.0000"),
        (0.7452, "0.745"),
        (0.9999, "1.00"),
        (1.234, "1.23"),
        (12.34, "12.3"),
        (123.4, "123"),
        (99.97, "100"),
    ],
)
def test_three_digits(value: float, said: str) -> None:
    assert three_digits(value) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [(0, "0 B"), (999, "999 B"), (999_900, "1.00 MB"), (17_695_424, "17.7 MB"), (4e13, "40.0 TB")],
)
def test_quantities_take_decimal_prefixes(value: float, said: str) -> None:
    assert quantity(value, "B") == said


def test_shares_bands_and_figures() -> None:
    assert [percent(share) for share in (0, 0.0421, 0.5, 1)] == ["0 %", "4.2 %", "50 %", "100 %"]
    assert span((3.41, 4.129), "ms") == "3.41 to 4.13 ms"
    assert [figure(value) for value in (2_097_152, 0.72512)] == ["2,097,152", "0.7251"]


def test_a_band_without_width_claims_nothing() -> None:
    assert likely((840.0, 880.0), "FPS") == "likely 840 to 880 FPS"
    assert likely((844.0, 844.0), "FPS") == "error not measured"


def test_sentences_begin_and_end() -> None:
    assert [sentence(text) for text in ("the error", "Known.", "")] == ["The error.", "Known.", ""]


def test_axes_have_round_numbers() -> None:
    assert ticks(0.745, 8) == [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
    assert ticks(4.0, 8) == [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4]
    assert ticks(0.0, 8) == [0]
    assert decades(3, 2000) == [1, 10, 100, 1000, 10000]


def test_a_long_note_opens_with_what_stands_before_its_list() -> None:
    names = ", ".join(f"/model.{i}/act/Mul_output_0" for i in range(20))
    assert opening(f"20 tensors have 16 bits: {names}") == ("20 tensors have 16 bits", names)
    assert opening("one tensor has 16 bits: a") == ("one tensor has 16 bits: a", "")
    assert opening(names) == (names, "")
