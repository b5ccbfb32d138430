"""The files of a comparison: page, JSON, node table, pictures."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import astuple, fields
from pathlib import Path

from y10c.comparison.page import QUALITY, write_html
from y10c.comparison.result import Comparison, NodeDifference

NODES, PAGE, OBJECT, PICTURES = "compare_nodes.csv", "compare.html", "compare.json", "images"


def write_files(found: Comparison, folder: Path) -> dict[str, Path]:
    """Write everything into a folder that exists; gives the files by kind."""
    files = {"html": folder / PAGE, "json": folder / OBJECT, "nodes": folder / NODES}
    write_html(found, files["html"])
    text = json.dumps(found.to_json(), indent=1, allow_nan=False)
    files["json"].write_text(text + "\n", encoding="utf-8")
    files["nodes"].write_text(nodes_csv(found), encoding="utf-8")
    pictures = _write_pictures(found, folder / PICTURES)
    return {**files, "images": folder / PICTURES} if pictures else files


def nodes_csv(found: Comparison) -> str:
    """The node table as comma-separated values, one line a tensor."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(field.name for field in fields(NodeDifference))
    writer.writerows(["" if v is None else v for v in astuple(node)] for node in found.nodes)
    return stream.getvalue()


def _write_pictures(found: Comparison, folder: Path) -> int:
    from PIL import Image

    pictures = found.detections.pictures if found.detections is not None else ()
    for number, one in enumerate(pictures):
        folder.mkdir(exist_ok=True)
        both = Image.new("RGB", (2 * one.reference.width, one.reference.height))
        both.paste(one.reference, (0, 0))
        both.paste(one.candidate, (one.reference.width, 0))
        both.save(folder / f"{number:02}_{Path(one.sample).stem}.jpg", quality=QUALITY)
    return len(pictures)
