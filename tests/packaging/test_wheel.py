"""sdist -> wheel -> a fresh environment outside the repository: everything is in, and it runs."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from y10c import __version__, plugins

ROOT = Path(__file__).resolve().parents[2]
SOURCES = {"y10c": ROOT / "y10c", "y10c/passes": ROOT / "passes", "y10c/targets": ROOT / "targets"}

pytestmark = pytest.mark.slow  # builds an sdist and a wheel and installs it: about 20 s


def run(*command: str | Path, cwd: Path) -> str:
    """The stdout of a command that must succeed; what the caller's PYTHONPATH names is not installed."""
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ran = subprocess.run(
        [*map(str, command)], cwd=cwd, capture_output=True, text=True, check=False, env=clean
    )
    assert ran.returncode == 0, f"{ran.stdout[-2000:]}\n{ran.stderr[-2000:]}"
    return ran.stdout


def shipped_files() -> set[str]:
    """Every file of the sources, under the name it has in the wheel."""
    return {
        f"{name}/{path.relative_to(root).as_posix()}"
        for name, root in SOURCES.items()
        for path in root.rglob("*")
        if path.is_file() and path.suffix not in {".pyc", ".md"}
    }


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of the tree without symlinks, as a checkout on Windows or a zip download has it."""
    tree = tmp_path_factory.mktemp("tree")
    for name in ("y10c", "passes", "targets", "pyproject.toml", "README.md", "LICENSE"):
        _copy(ROOT / name, tree / name)
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--sdist", "--outdir", out, cwd=tree)
    [archive] = out.glob("*.tar.gz")
    return archive


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    unpacked = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(unpacked, filter="data")
    [tree] = unpacked.iterdir()
    out = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", out, cwd=tree)
    [built] = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment that holds the wheel and sees this environment's dependencies behind it."""
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, with_pip=True)
    run(folder / "bin" / "python", "-m", "pip", "install", "--no-deps", "--no-index", wheel, cwd=folder)
    [packages] = folder.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def test_wheel_holds_every_module_and_data_file(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == shipped_files()


def test_wheel_claims_one_top_level_name(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        assert {name.split("/")[0] for name in archive.namelist()} == {
            "y10c",
            f"y10c-{__version__}.dist-info",
        }


def test_installed_command_runs_outside_the_repository(environment: Path) -> None:
    assert run(environment / "bin" / "y10c", "--version", cwd=environment) == f"y10c {__version__}\n"


def test_installed_help_and_every_module_import(environment: Path) -> None:
    modules = sorted(
        name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for name in shipped_files()
        if name.endswith(".py") and not name.endswith("__main__.py")
    )
    program = (
        "import importlib, pathlib, sys\n"
        "for name in sys.argv[1:]:\n"
        "    path = pathlib.Path(importlib.import_module(name).__file__)\n"
        "    assert path.is_relative_to(sys.prefix), path\n"
    )
    run(environment / "bin" / "python", "-c", program, *modules, cwd=environment)


def test_builtin_plugins_are_in_the_metadata(environment: Path) -> None:
    program = "from y10c.plugins import *; print(*(name for group in GROUPS for name in load_all(group)))"
    builtin = {
        name for group in plugins.GROUPS for name, entry in plugins.entries(group).items() if entry.builtin
    }
    out = run(environment / "bin" / "python", "-c", program, cwd=environment)
    assert set(out.split()) >= builtin


def _copy(source: Path, target: Path) -> None:
    if source.is_file():
        target.write_bytes(source.read_bytes())
        return
    target.mkdir()
    for entry in source.iterdir():
        if not entry.is_symlink() and entry.name != "__pycache__":
            _copy(entry, target / entry.name)
