"""`y10c demo`: the whole flow on a network that y10c builds itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from y10c.cli.compile import drawn, summary
from y10c.cli.terminal import terminal

SIZE = 320
"""Side of the input: the whole flow takes seconds at this size."""


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the files.")] = Path("y10c-demo"),
    target: Annotated[str, typer.Option("--target", "-t", help="j6 or ort.")] = "j6",
) -> None:
    """Compile a YOLOv10n with seeded weights on generated images, and show what comes out."""
    from y10c import progress
    from y10c.pipeline.compile import compile as run
    from y10c.zoo import yolov10

    with progress.step("building YOLOv10n from the paper, with seeded weights"):
        model = yolov10("n", size=SIZE)
    result = run(model, target, output=output, prefix="yolov10n")
    terminal().result(summary(result), lambda: drawn(result))
    picture = result.files.get("picture")
    if picture is not None:
        terminal().note(f"picture: {picture}")
