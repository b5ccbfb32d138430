"""Warnings are collected once each, nest, and are never lost."""

from __future__ import annotations

import logging

import pytest

from y10c import diagnostics


def test_form_of_a_warning() -> None:
    warning = diagnostics.Diagnostic("Y5003", "x.jpg does not decode", "images/x.jpg", "remove it")
    assert warning.render() == (
        "warning[Y5003]: x.jpg does not decode\n  --> images/x.jpg\n   = help: remove it"
    )
    assert warning.as_dict()["code"] == "Y5003"


def test_unknown_code_is_an_error_of_the_caller() -> None:
    with pytest.raises(ValueError, match="Y9999"):
        diagnostics.warn("Y9999", "?")


def test_collectors_nest_and_drop_twins() -> None:
    heard: list[str] = []
    with diagnostics.collect(lambda warning: heard.append(warning.message)) as outer:
        diagnostics.warn("Y5002", "first")
        with diagnostics.collect() as inner:
            diagnostics.warn("Y5002", "second")
            diagnostics.warn("Y5002", "second")
        diagnostics.warn("Y5002", "first")
    assert [warning.message for warning in outer] == heard == ["first", "second"]
    assert [warning.message for warning in inner] == ["second"]


def test_uncollected_warning_goes_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="y10c"):
        diagnostics.warn("Y5002", "the model holds nothing to quantize")
    assert caplog.messages == ["warning[Y5002]: the model holds nothing to quantize"]
