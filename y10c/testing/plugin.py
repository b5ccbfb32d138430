"""The pytest plugin: `pytest --rules` checks every registered rule, one item a rule.

It is loaded in every pytest run of an environment with y10c, so it imports nothing before the flag is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from y10c.testing.check import RuleReport
    from y10c.testing.registered import Registered

EXAMPLES = 100
RECORDS = Path("tests", "rules", "records")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--rules` and what goes with it."""
    group = parser.getgroup("y10c", "rewrite rules of y10c")
    group.addoption("--rules", action="store_true", help="check every registered rewrite rule, nothing else")
    group.addoption(
        "--rules-examples", type=int, default=EXAMPLES, metavar="N", help="graphs drawn a rule (default 100)"
    )
    group.addoption(
        "--rules-out",
        type=Path,
        default=Path("counterexamples"),
        metavar="DIR",
        help="where counterexamples go, as ONNX and text (default counterexamples)",
    )
    group.addoption(
        "--rules-records",
        type=Path,
        metavar="DIR",
        help="graphs on which each rule has to fire (default tests/rules/records below the root)",
    )
    group.addoption("--rules-no-proof", action="store_true", help="leave out the bounded proofs")


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """With the flag no other test is collected."""
    return True if config.getoption("rules", default=False) else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """With the flag the items are the rules; `-k` selects among them as usual."""
    if config.getoption("rules", default=False):
        items[:] = _rule_items(session)


def _rule_items(session: pytest.Session) -> Iterator[pytest.Item]:
    from y10c.testing.registered import registered_rules

    for registered in registered_rules():
        item: pytest.Item = RuleItem.from_parent(session, name=registered.rule.name, registered=registered)
        yield item


class RuleItem(pytest.Item):
    """The derived tests and the proof of one rule."""

    def __init__(self, *, registered: Registered, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.registered = registered
        self._nodeid = f"rules::{registered.rule.name}"

    def runtest(self) -> None:
        """Check the rule."""
        from y10c.testing.check import check_rule

        report = check_rule(
            self.registered.rule,
            examples=self.config.getoption("rules_examples"),
            save_to=self.config.getoption("rules_out"),
            prove=not self.config.getoption("rules_no_proof"),
            records=self.config.getoption("rules_records") or self.config.rootpath / RECORDS,
        )
        self.config.stash.setdefault(_REPORTS, []).append(report)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The error as a person reads it, without the traceback of the tools."""
        from y10c.errors import Y10cError

        error = excinfo.value
        return error.render() if isinstance(error, Y10cError) else super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """The rule's source and name."""
        code = self.registered.rule.build.__code__
        return Path(code.co_filename), code.co_firstlineno, f"rule {self.registered.rule.name}"


_REPORTS: pytest.StashKey[list[RuleReport]] = pytest.StashKey()


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """The rules by time."""
    reports = config.stash.get(_REPORTS, [])
    if not reports:
        return
    terminalreporter.section("rewrite rules")
    width = max(len(r.name) for r in reports)
    terminalreporter.line(f"{'rule':{width}}  {'fired':>9}  {'float32':>7}  {'seconds':>7}  proof")
    for report in sorted(reports, key=lambda r: -r.seconds):
        terminalreporter.line(_line(report, width))
    proved = sum(r.proof is not None and r.proof.proved for r in reports)
    total = sum(r.seconds for r in reports)
    terminalreporter.line(f"{len(reports)} rules checked, {proved} proved, {total:.0f} s")


def _line(report: RuleReport, width: int) -> str:
    fired = f"{report.fired}/{report.examples}"
    proof = "" if report.proof is None else f"{report.proof.status}: {report.proof.why}"
    return f"{report.name:{width}}  {fired:>9}  {report.float32:7}  {report.seconds:7.1f}  {proof}"
