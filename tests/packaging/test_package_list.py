"""pyproject.toml's package list and package data are the tree: nothing is left out of a wheel."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
NOT_SHIPPED = ("*.pyc", "*.md")

SOURCES = {"y10c": ROOT / "y10c", "y10c.passes": ROOT / "passes", "y10c.targets": ROOT / "targets"}
"""The folder of each package root; the symlinks `y10c/passes` and `y10c/targets` are not sources."""


def files_of(root: Path) -> list[Path]:
    """Every file under a root, through no symlink."""
    return sorted(path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def package_of(file: Path, name: str, root: Path) -> str:
    return ".".join([name, *file.relative_to(root).parent.parts])


def test_package_list_equals_the_tree() -> None:
    found = {
        package_of(file, name, root)
        for name, root in SOURCES.items()
        for file in files_of(root)
        if file.suffix == ".py"
    }
    listed = set(SETUPTOOLS["packages"])
    assert not found - listed, f"add to [tool.setuptools] packages: {sorted(found - listed)}"
    assert not listed - found, f"remove from [tool.setuptools] packages: {sorted(listed - found)}"


def test_package_list_is_sorted_and_has_no_twins() -> None:
    assert SETUPTOOLS["packages"] == sorted(set(SETUPTOOLS["packages"]))


def test_every_package_has_an_init() -> None:
    missing = {
        str(file.parent.relative_to(ROOT) / "__init__.py")
        for root in SOURCES.values()
        for file in files_of(root)
        if file.suffix == ".py" and not (file.parent / "__init__.py").exists()
    }
    assert not missing, f"create {sorted(missing)}"


def test_every_data_file_is_package_data() -> None:
    patterns = [pattern.removeprefix("**/") for pattern in SETUPTOOLS["package-data"]["*"]]
    stray = [
        str(file.relative_to(ROOT))
        for root in SOURCES.values()
        for file in files_of(root)
        if file.suffix != ".py" and not any(fnmatch(file.name, one) for one in (*patterns, *NOT_SHIPPED))
    ]
    assert not stray, f"add a pattern to [tool.setuptools.package-data] for {stray}"


@pytest.mark.parametrize("folder", ["passes", "targets"])
def test_symlinks_are_relative(folder: str) -> None:
    link = ROOT / "y10c" / folder
    if not link.exists():
        pytest.skip("this checkout has no symlinks; nothing that is installed depends on them")
    assert link.readlink() == Path("..") / folder


@pytest.mark.parametrize("folder", ["passes", "targets"])
def test_bare_name_is_refused(folder: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", f"import {folder}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1
    assert f"import y10c.{folder}" in ran.stderr
