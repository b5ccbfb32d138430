"""What is wrong with a config file: every problem with its place, all of them at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches

from y10c.diagnostics import warn
from y10c.errors import ConfigError


@dataclass(frozen=True, order=True)
class Place:
    """A place in a file, counted from 1.

    Args:
        line: Line.
        column: Column in characters.
        path: The file.
    """

    line: int
    column: int
    path: str = ""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"

    def shifted(self, columns: int) -> Place:
        """The place so many columns further to the right."""
        return Place(self.line, self.column + columns, self.path)


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong.

    Args:
        place: Where.
        key: `group.key`; empty where it concerns no key.
        message: One sentence without a final stop.
        help: What is allowed, or what to do.
    """

    place: Place
    key: str
    message: str
    help: str | None = None

    def as_error(self) -> ConfigError:
        """The problem as one error."""
        text = f"{self.key}: {self.message}" if self.key else self.message
        return ConfigError(text, where=str(self.place), help=self.help)


class ConfigProblems(ConfigError):
    """A config file with one problem or several; each is shown as an error of its own.

    Args:
        problems: In any order; at least one.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(problems)
        first = self.problems[0].as_error()
        count = len(self.problems)
        message = first.message if count == 1 else f"the config has {count} problems"
        super().__init__(message, where=first.where, help=first.help if count == 1 else None)

    def render(self) -> str:
        """Every problem as the lines that the CLI prints, in the order of the file."""
        return "\n".join(problem.as_error().render() for problem in self.problems)

    def as_dict(self) -> dict[str, str | None]:
        """The problems as one JSON object; the help holds a line for each where there are several."""
        if len(self.problems) == 1:
            return super().as_dict()
        lines = [f"{p.place}: {p.as_error().message}" for p in self.problems]
        return {**super().as_dict(), "help": "\n".join(lines)}


@dataclass
class Findings:
    """Collects problems and remarks while a file is read.

    Args:
        problems: What must be mended.
        remarks: What is accepted, with a word about it.
    """

    problems: list[Problem] = field(default_factory=list)
    remarks: list[Problem] = field(default_factory=list)

    def wrong(self, place: Place, key: str, message: str, help: str | None = None) -> None:
        """Note something that must be mended."""
        self.problems.append(Problem(place, key, message, help))

    def remark(self, place: Place, key: str, message: str, help: str | None = None) -> None:
        """Note something that is accepted and has no effect, or another one than the user may think."""
        self.remarks.append(Problem(place, key, message, help))

    def raise_problems(self) -> None:
        """Raise ConfigProblems where something must be mended."""
        if self.problems:
            raise ConfigProblems(self.problems)

    def warn_remarks(self) -> None:
        """Hand the remarks to the person as warnings."""
        for remark in sorted(self.remarks):
            error = remark.as_error()
            warn("Y5007", error.message, where=error.where, help=error.help)


def suggestion(name: str, known: Iterable[str]) -> str:
    """`did you mean 'x'?` or nothing; case does not matter."""
    by_lower = {one.lower(): one for one in known}
    close = get_close_matches(name.lower(), list(by_lower), n=1, cutoff=0.6)
    return f"did you mean {by_lower[close[0]]!r}?" if close else ""


def choices(name: str, known: Iterable[str], label: str = "allowed") -> str:
    """A help text: the closest name, then all that are allowed."""
    listed = list(known)
    return f"{suggestion(name, listed)} {label}: {', '.join(listed)}".strip()
