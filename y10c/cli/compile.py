"""`y10c compile`: from ONNX to INT8 and a cost report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from y10c.cli.terminal import table, terminal
from y10c.errors import UsageError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from y10c.config.settings import Config
    from y10c.pipeline.result import Cost, Result
    from y10c.quant.options import QuantOptions

MODEL = "model_parameters"


def compile(
    context: typer.Context,
    model: Annotated[Path | None, typer.Argument(help="ONNX file; may come from the config instead.")] = None,
    target: Annotated[str, typer.Option("--target", "-t", help="j6 or ort.")] = "j6",
    march: Annotated[str | None, typer.Option(help="Chip of the target's family, such as nash-e.")] = None,
    calibration: Annotated[
        Path | None, typer.Option(help="Folder of images, .npy or .npz files, or of one for each input.")
    ] = None,
    config: Annotated[Path | None, typer.Option("--config", "-c", help="YAML in the vendor's form.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for the files; else ./model_output.")
    ] = None,
    prefix: Annotated[str | None, typer.Option(help="Of the file names; else the model's stem.")] = None,
    head: Annotated[
        str | None, typer.Option(help="raw (six raw outputs), e2e ([1,300,6]) or keep; j6 takes raw.")
    ] = None,
    shape: Annotated[
        list[str] | None, typer.Option(help="Extents of an input with open shape: images=1x3x640x640.")
    ] = None,
    stop_after: Annotated[str, typer.Option(help="original, optimized, calibrated or ptq.")] = "ptq",
    limit: Annotated[int | None, typer.Option(min=1, help="Use at most this many samples.")] = None,
    scheme: Annotated[
        str, typer.Option(help="target: zero points where the target allows them; symmetric: none.")
    ] = "target",
    method: Annotated[
        str, typer.Option(help="How ranges are chosen: search, min-max, percentile, mse, kl or entropy.")
    ] = "search",
    percentile: Annotated[float, typer.Option(help="For --method percentile, in percent.")] = 99.99,
    mixed: Annotated[
        str, typer.Option(help="Which tensors get 16 bits: auto measures it, off gives none, or a JSON file.")
    ] = "auto",
    int16_macs: Annotated[
        str, typer.Option(help="Greatest share of MACs with a 16-bit operand, such as 10%.")
    ] = "10%",
    latency: Annotated[
        str | None, typer.Option(help="Greatest growth of the estimated latency instead, such as +5%.")
    ] = None,
    effort: Annotated[str, typer.Option(help="fast, default or best: how much is measured.")] = "default",
    save_calibration: Annotated[
        Path | None, typer.Option(help="Write what calibration saw, as JSON that can be used again.")
    ] = None,
    calibration_table: Annotated[
        Path | None, typer.Option(help="Take ranges from such a file instead of running the data.")
    ] = None,
    workers: Annotated[int, typer.Option(min=0, help="Processes for calibration; 0 takes threads.")] = 0,
    layout: Annotated[str, typer.Option(help="How tensors lie in memory: auto, nchw or nhwc.")] = "auto",
    kit: Annotated[
        Path | None, typer.Option(help="Also write a kit for hb_compile into this folder.")
    ] = None,
) -> None:
    """Compile an ONNX model: fold its head, calibrate, quantize to INT8, estimate its cost."""
    from y10c.pipeline.compile import compile as run
    from y10c.quant.options import MIXED, QuantOptions

    quant = QuantOptions(
        scheme=scheme,
        method=method,
        percentile=percentile,
        mixed=mixed if mixed in MIXED else Path(mixed),
        int16_macs=parse_share(int16_macs, "--int16-macs"),
        latency=None if latency is None else parse_share(latency, "--latency"),
        effort=effort,
        save_calibration=save_calibration,
        calibration_table=calibration_table,
        workers=workers,
    )
    read = None
    if config is not None:
        from y10c.pipeline.config import CONFIG_TARGET, model_of

        read, quant = _with_config(context, config, quant)
        model, calibration = model_of(read), None
        output, prefix = Path(read[f"{MODEL}.working_dir"]), str(read[f"{MODEL}.output_model_file_prefix"])
        march = read[f"{MODEL}.march"] if target == CONFIG_TARGET else march
    if model is None:
        raise UsageError("no model given", help="y10c compile MODEL.onnx, or -c config.yaml that names one")
    if kit is not None:
        from y10c.kit.write import require_kit

        given = calibration is not None or (read is not None and not read.skips_calibration)
        require_kit(stop_after == "ptq", given)
    result = run(
        model,
        target,
        calibration=calibration,
        output=output or Path("model_output"),
        prefix=prefix,
        march=march,
        head=head,
        shapes=dict(map(parse_shape, shape or [])),
        stop_after=stop_after,
        limit=limit,
        quant=quant,
        config=read,
        layout=layout,
    )
    terminal().result(summary(result), lambda: drawn(result))
    if kit is not None:
        _write_kit(result, kit, prefix or model.stem, read)


def _write_kit(result: Result, folder: Path, prefix: str, config: Config | None) -> None:
    from y10c.kit.write import write_kit

    made = write_kit(result, folder, prefix, config)
    told = {"files": made.files, "unsaid": list(made.unsaid)}
    terminal().result({"kit": told}, lambda: f"kit for hb_compile: read {made.files['readme']}")


def _with_config(context: typer.Context, path: Path, flags: QuantOptions) -> tuple[Config, QuantOptions]:
    """The config with the options of the command line over it, and what both say of quantization."""
    from y10c.pipeline.config import open_config, stronger_flags

    def is_given(name: str) -> bool:
        source = context.get_parameter_source(name)
        return source is not None and source.name != "DEFAULT"

    read = open_config(path, context.params)
    return read, stronger_flags(read, flags, [name for name in context.params if is_given(name)])


def parse_share(text: str, option: str) -> float:
    """`10%` or `+5%` as 0.1 or 0.05.

    Raises:
        UsageError: The text has another form.
    """
    try:
        if text.endswith("%"):
            return float(text[:-1]) / 100
    except ValueError:
        pass
    raise UsageError(f"{option} {text} is not understood", help=f"write {option} 10%")


def parse_shape(text: str) -> tuple[str, list[int]]:
    """`images=1x3x640x640` as a name and extents.

    Raises:
        UsageError: The text has another form.
    """
    name, _, extents = text.rpartition("=")
    parts = extents.split("x")
    if not name or not all(p.isdecimal() and p.isascii() and int(p) > 0 for p in parts):
        raise UsageError(f"--shape {text} is not understood", help="write NAME=1x3x640x640")
    return name, [int(p) for p in parts]


def summary(result: Result) -> dict[str, object]:
    """The result as the JSON object of `--json`."""
    return {
        "target": result.target,
        "march": result.march,
        "head": result.head,
        "calibration": {"samples": result.samples, "synthetic": result.synthetic},
        "outputs": [{"name": o.name, "cosine": o.cosine} for o in result.outputs],
        "int16": None
        if result.precision is None
        else {"macs": result.precision.share, "tensors": [row.tensor for row in result.precision.wide]},
        "cpu_nodes": [n.node for n in result.nodes if n.unit == "CPU"],
        "cost": _estimate(result.cost) if result.cost is not None else None,
        "files": dict(result.files),
        "warnings": result.warnings.as_dicts(),
    }


def _estimate(cost: Cost) -> dict[str, object]:
    """The totals of the estimate; times are null where the march tells none."""
    totals: dict[str, object] = cost.result.summary_dict()
    if cost.times_refused is None:
        return totals
    return {name: None if _is_time(name) else value for name, value in totals.items()} | {
        "times_refused": cost.times_refused
    }


def _is_time(name: str) -> bool:
    return "_ms" in name or name.startswith("fps")


def drawn(result: Result) -> RenderableType:
    """The summary table, the files, and what to type next."""
    from rich.console import Group

    rows = [
        ("head", _head(result)),
        ("agreement with float", _agreement(result)),
        ("time on the chip", _time(result)),
        ("nodes on the CPU", str(sum(n.unit == "CPU" for n in result.nodes))),
        ("MACs with 16-bit operands", _wide_share(result)),
        ("files", "\n".join(str(p) for p in result.files.values())),
        ("next", _next(result)),
    ]
    return Group(table(["", f"{result.target} {result.march}"], rows))


def _agreement(result: Result) -> str:
    worst = result.worst_output
    if worst is None:
        return "not compared"
    note = ", on generated images: not a statement of accuracy" if result.synthetic else ""
    return f"cosine {worst.cosine:.4f} (lowest of {len(result.outputs)} outputs, {worst.name}{note})"


def _head(result: Result) -> str:
    head = result.head
    if head is None or not head.found:
        return "none recognised: the outputs stay as they are"
    return "; ".join((f"{head.kind}, {head.classes} classes, outputs as {head.mode}", *head.notes))


def _time(result: Result) -> str:
    if result.cost is None:
        return "not modelled for this target"
    if result.cost.times_refused is not None:
        return f"not told: {result.cost.times_refused}"
    total = result.cost.result.summary
    low, high = total.latency_ms_band
    return f"{total.latency_ms:.2f} ms ({low:.2f} to {high:.2f}), {total.fps:.0f} FPS, estimated"


def _wide_share(result: Result) -> str:
    return "-" if result.cost is None else f"{result.cost.result.summary.int16_mac_share:.1%}"


def _next(result: Result) -> str:
    if "html" in result.files:
        return f"open {result.files['html']}"
    last = result.files.get("ptq")
    return f"y10c info {last}" if last is not None else "y10c compile without --stop-after"
