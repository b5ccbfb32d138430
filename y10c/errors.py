"""Every error that y10c shows to a person: one hierarchy, one form, one exit code a class.

An error says what is wrong, where (file, line, node, rule) and what to do::

    error[Y3001]: the file ends in the middle of a tensor
      --> yolov10n.onnx
       = help: download it again; its size is 4096 bytes
"""

from __future__ import annotations

from typing import ClassVar

ERROR_CODES: dict[str, str] = {
    "Y1001": "an operation has no legal place on the target and falling back is not allowed",
    "Y1002": "an accuracy or similarity bar is missed",
    "Y1003": "a rule or a pass failed its derived checks",
    "Y2001": "the command line is used wrongly",
    "Y2002": "a configuration file is wrong",
    "Y2003": "no such target, march, pass, rule or model",
    "Y2004": "an output cannot be written",
    "Y2005": "a pass pipeline is written or ordered wrongly",
    "Y3001": "the model file cannot be read",
    "Y3002": "the model is not a valid ONNX graph",
    "Y3003": "the model needs something that is not supported",
    "Y3004": "the shape of an input is not known",
    "Y3101": "calibration data cannot be read",
    "Y3102": "calibration data does not fit the model",
    "Y3103": "calibration data holds values that would ruin the ranges",
    "Y3201": "text IR does not parse",
    "Y4001": "an internal invariant is broken: a bug of y10c",
    "Y4002": "a graph failed verification after a pass: a bug of that pass",
    "Y4003": "rewrite rules undo each other and never settle",
}
"""What each code means."""


class Y10cError(Exception):
    """Base of all errors that a person sees.

    Args:
        message: What is wrong, one sentence without a final stop.
        code: A key of `ERROR_CODES`; each class has a default.
        where: File, `file:line:column`, or `file: node "name"`.
        rule: The rule that was broken, with its provenance.
        help: What to do about it.
    """

    exit_code: ClassVar[int] = 4
    default_code: ClassVar[str] = "Y4001"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        where: str | None = None,
        rule: str | None = None,
        help: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        if self.code not in ERROR_CODES:
            raise ValueError(f"unknown error code {self.code}")
        self.where = where
        self.rule = rule
        self.help = help

    def render(self) -> str:
        """The error as the lines that the CLI prints."""
        lines = [f"error[{self.code}]: {self.message}"]
        lines += [f"  --> {self.where}"] if self.where else []
        lines += [f"   = rule: {self.rule}"] if self.rule else []
        lines += [f"   = help: {self.help}"] if self.help else []
        return "\n".join(lines)

    def as_dict(self) -> dict[str, str | None]:
        """The error as a JSON object (the `--json` form)."""
        return {
            "code": self.code,
            "message": self.message,
            "where": self.where,
            "rule": self.rule,
            "help": self.help,
        }


class VisibleFailure(Y10cError):
    """The work ran and its result is a failure: an illegal op, a bar missed, files that differ."""

    exit_code = 1
    default_code = "Y1002"


class IllegalOpError(VisibleFailure):
    """An operation that the target cannot run and that may not fall back."""

    default_code = "Y1001"


class RuleCheckError(VisibleFailure):
    """A rewrite rule or a pass that changes the meaning of a graph, with its counterexample."""

    default_code = "Y1003"


class UsageError(Y10cError):
    """A wrong command line or call."""

    exit_code = 2
    default_code = "Y2001"


class ConfigError(UsageError):
    """A wrong configuration file; `where` is `file:line:column`."""

    default_code = "Y2002"


class UnknownNameError(UsageError):
    """A target, march, pass or rule that does not exist."""

    default_code = "Y2003"

    def __init__(self, kind: str, name: str, known: list[str], *, where: str | None = None) -> None:
        from difflib import get_close_matches

        close = get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        super().__init__(
            f"unknown {kind} {name!r}", where=where, help=f"{hint}known: {', '.join(sorted(known))}"
        )


class OutputError(UsageError):
    """An output folder or file that cannot be written."""

    default_code = "Y2004"


class PipelineError(UsageError):
    """A pass pipeline that does not parse, or whose order breaks a pass's requirements."""

    default_code = "Y2005"


class ModelError(Y10cError):
    """An input model that cannot be read or is not valid."""

    exit_code = 3
    default_code = "Y3002"


class DataError(Y10cError):
    """Calibration or evaluation data that cannot be read or does not fit."""

    exit_code = 3
    default_code = "Y3102"


class ParseError(ModelError):
    """Text IR that does not parse; `where` is `file:line:column`."""

    default_code = "Y3201"


class InternalError(Y10cError):
    """A bug of y10c; the CLI writes a reproducer file."""


class VerifyError(InternalError):
    """A graph that breaks the IR's rules; `problems` holds one sentence each."""

    default_code = "Y4002"

    def __init__(self, problems: list[str], *, where: str | None = None) -> None:
        self.problems = problems
        shown = "; ".join(problems[:5]) + (f"; and {len(problems) - 5} more" if len(problems) > 5 else "")
        super().__init__(f"the graph is not valid: {shown}", where=where)


class RewriteCycleError(InternalError):
    """Rules that keep undoing each other; the message names the cycle."""

    default_code = "Y4003"
