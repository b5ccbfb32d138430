"""One-file reproducers: graph, weights, pipeline, check, inputs and versions in one JSON file."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from y10c import __version__, atomic
from y10c.errors import DataError, VisibleFailure
from y10c.ir.graph import Graph
from y10c.ir.parser import parse_graph
from y10c.ir.printer import print_graph
from y10c.ir.tensor import Array, Tensor
from y10c.ir.textdata import tensor_bytes, tensor_of_bytes
from y10c.ir.types import DType
from y10c.pipeline.checks import Oracle, Verdict, draw_feeds, parse_check
from y10c.pipeline.manager import run_passes
from y10c.pipeline.textual import parse_pipeline
from y10c.rewrite.passes import PassContext

FORMAT = "y10c-reproducer-1"


class Reproduced(VisibleFailure):
    """The recorded failure happens again."""


@dataclass(frozen=True)
class Reproducer:
    """A failure that can be run again.

    Args:
        graph: Before any pass.
        pipeline: The passes as text.
        check: What counts as broken, as text.
        verdict: What the check said.
        feeds: One array per input.
        limit: Stop after so many rewrites; None runs everything.
        target: Target and march whose scheme the passes need; empty for none.
    """

    graph: Graph
    pipeline: str
    check: str
    verdict: Verdict
    feeds: Mapping[str, Array]
    limit: int | None = None
    target: tuple[str, str] = ("", "")


def reproducer(
    oracle: Oracle,
    pipeline: str,
    verdict: Verdict,
    limit: int | None = None,
    target: tuple[str, str] = ("", ""),
) -> Reproducer:
    """The reproducer of what an oracle found; its feeds are those that it used or would draw."""
    feeds = oracle.feeds
    if feeds is None:
        feeds = draw_feeds(oracle.graph) if oracle.check.numeric else {}
    return Reproducer(oracle.graph, pipeline, str(oracle.check), verdict, feeds, limit, target)


def save_reproducer(found: Reproducer, path: Path) -> Path:
    """Write a reproducer; raises OutputError."""
    side: dict[str, Tensor] = {}
    text = print_graph(found.graph, side)
    content = {
        "format": FORMAT,
        "y10c": __version__,
        "pipeline": found.pipeline,
        "check": found.check,
        "limit": found.limit,
        "target": list(found.target),
        "failure": {"why": found.verdict.why, "signature": found.verdict.signature},
        "ir": text.splitlines(),
        "tensors": {digest: _packed(tensor) for digest, tensor in side.items()},
        "feeds": {name: _packed(Tensor.of(array)) for name, array in found.feeds.items()},
    }
    atomic.write_text(path, json.dumps(content, indent=1) + "\n")
    return path


def load_reproducer(path: Path) -> Reproducer:
    """Read a reproducer.

    Raises:
        DataError: The file is none, or is damaged.
    """
    content = read_json(path)
    try:
        if content["format"] != FORMAT:
            raise ValueError(f"its format is {content['format']}, not {FORMAT}")
        tensors = {digest: _unpacked(packed) for digest, packed in content["tensors"].items()}
        return Reproducer(
            parse_graph("\n".join(content["ir"]), tensors, source=str(path)),
            content["pipeline"],
            content["check"],
            Verdict(True, content["failure"]["why"], content["failure"]["signature"]),
            {name: _unpacked(packed).numpy() for name, packed in content["feeds"].items()},
            content["limit"],
            (content["target"][0], content["target"][1]),
        )
    except (KeyError, TypeError, ValueError, IndexError, zlib.error) as error:
        raise _damaged(path, f"{type(error).__name__}: {error}") from None


def read_json(path: Path) -> dict[str, Any]:
    """The object that a JSON file holds.

    Raises:
        DataError: It cannot be read or holds something else.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _damaged(path, str(error)) from None
    if not isinstance(found, dict):
        raise _damaged(path, "it does not hold an object")
    return found


def replay(found: Reproducer) -> Verdict:
    """Run the recorded pipeline on the recorded graph and inputs.

    Raises:
        UnknownNameError: A pass or target of it is not installed.
    """
    passes = parse_pipeline(found.pipeline)
    context = PassContext(limit=found.limit)
    if found.target[0]:
        from y10c.calib.feeds import Feeds, generated_feeds
        from y10c.pipeline.target import create_target, tables_of

        types = {value.name: value.tensor_type for value in found.graph.inputs}
        tables = tables_of(create_target(found.target[0], found.target[1] or None))
        context.tables = {**tables, Feeds: generated_feeds(types)}
    oracle = Oracle(parse_check(found.check), found.graph, found.feeds or None)
    return oracle.judge(lambda graph: run_passes(graph, passes, context))


def _packed(tensor: Tensor) -> list[Any]:
    data = base64.b64encode(zlib.compress(bytes(tensor_bytes(tensor)), 1)).decode()
    return [tensor.dtype.name, list(tensor.shape), data]


def _unpacked(packed: list[Any]) -> Tensor:
    kind, shape, data = packed
    return tensor_of_bytes(DType[kind], tuple(shape), zlib.decompress(base64.b64decode(data)))


def _damaged(path: Path, why: str) -> DataError:
    return DataError(
        f"this is not a reproducer: {why}",
        code="Y3101",
        where=str(path),
        help="y10c bisect and y10c reduce write them with -o, and a bug of y10c leaves y10c-crash-*.json",
    )
