"""Writes what the guides quote: source files, and what commands print, so that the pages stay true.

    python docs/generate.py            rewrite the generated parts of docs/guide/*.md
    python docs/generate.py --check    exit code 1 where a page says something else than the code

A generated part stands between `<!-- generated: NAME -->` and `<!-- end -->`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

DOCS = Path(__file__).parent
EXAMPLES = DOCS / "examples"
PART = re.compile(r"(<!-- generated: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
WRONG = ("m.A + m.B", "m.A - m.B")
"""The mistake of the guide: a sign."""


def smallest_pass() -> str:
    """The source of the smallest pass."""
    return fenced("python", (EXAMPLES / "smallest_pass.py").read_text())


@cache
def smallest_wrong() -> str:
    """What the check of the pass says with the mistake in it."""
    with tempfile.TemporaryDirectory() as name:
        source = (EXAMPLES / "smallest_pass.py").read_text()
        assert WRONG[0] in source
        Path(name, "my_pass.py").write_text(source.replace(*WRONG))
        code = "from my_pass import merge_subs as r; from y10c.testing import check_rule; check_rule(r)"
        ran = python(["-c", code], name)
    return fenced("text", "error[Y1003]: " + ran.stderr.partition("WrongRewrite: ")[2])


def wrong_pass() -> str:
    """The source of the wrong pass of the debugging guide."""
    return fenced("python", (EXAMPLES / "wrong_pass.py").read_text())


def opt() -> str:
    """A validation that fails."""
    return session("y10c opt net.onnx -p drop-noops,hard-silu -o out.onnx --validate L2")


def bisected() -> str:
    """The rewrite that broke it."""
    return session("y10c bisect net.onnx -p drop-noops,hard-silu --check differs")


def reduced() -> str:
    """The smallest graph."""
    return session("y10c reduce net.onnx -p drop-noops,hard-silu --check differs -o small.json")


def replayed() -> str:
    """The reproducer again."""
    return session("y10c repro small.json")


def misspelt() -> str:
    """An error with its column."""
    return session("y10c opt net.onnx -p drop-noops,hard-slu")


PARTS: dict[str, Callable[[], str]] = {
    "smallest-pass": smallest_pass,
    "smallest-wrong": smallest_wrong,
    "wrong-pass": wrong_pass,
    "opt": opt,
    "bisect": bisected,
    "reduce": reduced,
    "repro": replayed,
    "misspelt": misspelt,
}


@cache
def scene() -> Path:
    """A folder with a network, and the wrong pass installed by its metadata alone."""
    folder = Path(tempfile.mkdtemp(prefix="y10c-docs-"))
    (folder / "wrong_pass.py").write_text((EXAMPLES / "wrong_pass.py").read_text())
    info = folder / "my_passes-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-passes\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[y10c.passes]\nhard-silu = wrong_pass:HardSilu\n")
    code = "import onnx; from y10c.zoo import yolov10; onnx.save(yolov10(size=64), 'net.onnx')"
    assert python(["-c", code], str(folder)).returncode == 0
    return folder


@cache
def session(command: str) -> str:
    """A command and what it prints, standard error included, as a person sees it."""
    ran = python(["-m", *command.split()], str(scene()))
    said = "\n".join(filter(None, (part.strip("\n") for part in (ran.stdout, ran.stderr))))
    said = re.sub(r" known: .*", " known: …", said)  # all names, which change with every new pass
    lines = [line.rstrip() for line in said.splitlines() if not line.startswith("model {")]
    return fenced("console", "\n".join([f"$ {command}", *lines]))


def python(arguments: list[str], folder: str) -> subprocess.CompletedProcess[str]:
    """Python in a folder whose modules and entry points it sees."""
    environment = {**os.environ, "PYTHONPATH": folder, "NO_COLOR": "1", "COLUMNS": "110"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def fenced(language: str, text: str) -> str:
    """A code block of Markdown."""
    return f"```{language}\n{text.strip()}\n```\n"


def renewed(page: str) -> str:
    """A page with its generated parts made anew; raises KeyError for an unknown part."""
    return PART.sub(lambda found: found.group(1) + PARTS[found.group(2)]() + found.group(3), page)


def main() -> int:
    """Renew or check all guides."""
    check, wrong = "--check" in sys.argv, []
    for path in sorted((DOCS / "guide").glob("*.md")):
        before = path.read_text()
        after = renewed(before)
        if after != before:
            wrong.append(path.name)
            if not check:
                path.write_text(after)
    done = "not true any more" if check else "rewritten"
    print(f"{done}: {', '.join(wrong)}" if wrong else "every page is as the code says")
    return int(check and bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
