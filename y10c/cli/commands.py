"""The commands of `y10c`: one line each, imported when called.

A command is a function (its signature is the command line, its docstring the help) or a `typer.Typer`
with subcommands, in a module of its own under `y10c/cli/` that imports nothing heavy at its top.
"""

from __future__ import annotations

from typing import NamedTuple


class Command(NamedTuple):
    """Where a command is (`module:attribute`), and its line in `y10c --help`, which imports none of them."""

    target: str
    summary: str


COMMANDS: dict[str, Command] = {
    "compile": Command("y10c.cli.compile:compile", "Compile an ONNX model to INT8 with a cost report."),
    "compare": Command(
        "y10c.cli.compare:compare", "Compare two models node by node, on outputs and detections."
    ),
    "check": Command("y10c.cli.check:check", "Show what runs on the chip, what on the CPU, and why."),
    "targets": Command("y10c.cli.targets:targets", "List the chips and show where their numbers come from."),
    "cost": Command("y10c.cli.cost:cost", "Estimate cycles, bytes and times of a model on a chip."),
    "demo": Command("y10c.cli.demo:demo", "Compile a built-in YOLOv10n and show the report."),
    "detect": Command(
        "y10c.cli.detect:detect", "Run a detector on pictures, draw boxes, write COCO results."
    ),
    "info": Command(
        "y10c.cli.info:info", "Show what a model is: head, ops, parameters, MACs, inputs, outputs."
    ),
    "opt": Command("y10c.cli.opt:opt", "Run passes on a model or on text IR, and look on while they run."),
    "bisect": Command("y10c.cli.bisect:bisect", "Name the pass and the rewrite that broke something."),
    "reduce": Command("y10c.cli.reduce:reduce", "Find the smallest graph on which passes break something."),
    "repro": Command("y10c.cli.repro:repro", "Replay a reproducer or a crash report."),
    "explain": Command("y10c.cli.explain:explain", "Show all about one node: place, ranges, cost, rules."),
    "doctor": Command("y10c.cli.doctor:doctor", "Show what y10c finds on this machine, and what is missing."),
    "config": Command("y10c.cli.config:config", "Write, check and show the users' YAML."),
    "prepare": Command("y10c.cli.prepare:prepare", "Make calibration data of pictures, refusing bad ones."),
    "rules": Command("y10c.cli.rules:rules", "List and check the registered rewrite rules."),
}
"""Every command by name, in the order of the help."""
