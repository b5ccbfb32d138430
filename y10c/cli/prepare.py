"""`y10c prepare`: calibration data from pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from y10c.cli.terminal import table, terminal

if TYPE_CHECKING:
    from rich.console import RenderableType

    from y10c.prepare.run import Prepared


def prepare(
    images: Annotated[Path, typer.Argument(help="Folder of pictures, searched with its subfolders.")],
    config: Annotated[Path, typer.Option("--config", "-c", help="YAML in the vendor's form.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the .npy files.")],
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="How many samples to write.")] = 100,
    input: Annotated[str | None, typer.Option(help="For which input, where the model has several.")] = None,
    script: Annotated[
        Path | None, typer.Option(help="Python file with calibration_transformers(); over the config's.")
    ] = None,
) -> None:
    """Make calibration data: choose diverse pictures, leave out what ruins ranges, write normalised .npy.

    Refused samples are listed with the reason; too few good ones, or values that the runtime never feeds,
    are an error.
    """
    from y10c.config.load import read_config
    from y10c.pipeline.preparation import request_of
    from y10c.prepare.run import prepare as run

    overrides = (
        {} if script is None else {"calibration_parameters.preprocess_script": (str(script), "--script")}
    )
    read = read_config(config, overrides)
    one, request = request_of(read, input, images, count)
    result = run(request, output)
    terminal().result(
        {
            "input": one.name,
            "output": output,
            "found": result.found,
            "chosen": result.chosen,
            "refused": result.refused,
            "values": [result.low, result.high],
            "radius": result.radius,
        },
        lambda: _drawn(result, output),
    )


def _drawn(result: Prepared, output: Path) -> RenderableType:
    from rich.console import Group

    rows = [
        ("looked at", str(result.found)),
        ("refused", str(len(result.refused))),
        ("written", str(len(result.chosen))),
        ("values", f"{result.low:g} to {result.high:g}"),
        ("next", f'cal_data_dir: "{output}"'),
    ]
    drawn: list[RenderableType] = [table(["", str(output)], rows)]
    if result.refused:
        drawn.append(table(["refused", "because"], list(result.refused.items())))
    return Group(*drawn)
