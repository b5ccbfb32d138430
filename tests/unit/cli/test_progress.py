"""Progress shows on a terminal and nowhere else, and never changes what it walks."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr

import pytest

from y10c import progress


class FakeTerminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@contextmanager
def looking_on() -> Iterator[FakeTerminal]:
    """A person before stderr; inside the test, since pytest swaps stderr after the fixtures."""
    with redirect_stderr(FakeTerminal()) as screen:
        yield screen


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TERM", "xterm")
    progress.show(True)
    yield
    progress.show(True)


def test_a_pipe_sees_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.step("prepare"):
        assert list(progress.track(range(3), "calibrate")) == [0, 1, 2]
    assert capsys.readouterr() == ("", "")


def test_a_terminal_sees_bars_nested_in_steps() -> None:
    with looking_on() as screen, progress.step("prepare"):
        assert list(progress.track(iter([1, 2]), "calibrate", total=2)) == [1, 2]
        progress.write("a note above the bars [/not-markup]")
    assert "calibrate" in screen.getvalue()
    assert "a note above the bars [/not-markup]" in screen.getvalue()


def test_switched_off_shows_nothing() -> None:
    progress.show(False)
    with looking_on() as screen:
        assert list(progress.track([1], "calibrate")) == [1]
    assert screen.getvalue() == ""


def test_an_error_inside_ends_the_display() -> None:
    with looking_on() as screen:
        with pytest.raises(ValueError, match="bad image"):
            for _ in progress.track([1], "calibrate"):
                raise ValueError("bad image")
        progress.write("afterwards")
    assert screen.getvalue().endswith("afterwards\n")
