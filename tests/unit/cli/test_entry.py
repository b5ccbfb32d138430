"""The ways in: `python -m y10c`, and the names of `import y10c`."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import y10c


def test_module_runs_like_the_command() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "y10c", "--version"], capture_output=True, text=True, check=True
    )
    assert ran.stdout == f"y10c {y10c.__version__}\n"


def test_exit_code_reaches_the_shell() -> None:
    ran = subprocess.run([sys.executable, "-m", "y10c", "no-such"], capture_output=True, check=False)
    assert ran.returncode == 2


def test_api_is_named_without_being_loaded() -> None:
    assert {"load", "save", "optimize", "compile", "Result"} <= set(dir(y10c))


def test_other_names_do_not_exist() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        y10c.no_such_name  # noqa: B018


def test_version_is_declared_once() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    assert "version" not in project["project"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "y10c.__version__"}
