"""`y10c detect`: run a detector on pictures and show what it finds."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from y10c import atomic, diagnostics, progress
from y10c.cli.terminal import table, terminal
from y10c.errors import DataError, OutputError

if TYPE_CHECKING:
    from PIL import Image

    from y10c.detect.decode import Detections
    from y10c.detect.detector import Detector

RESULTS = "detections.json"
SHOWN_CLASSES = 6
"""In the table, the commonest first; the JSON has them all."""


def detect(
    model: Annotated[Path, typer.Argument(help="ONNX detector: raw, raw INT8, e2e, or any YOLO export.")],
    images: Annotated[list[Path], typer.Argument(help="Pictures, or folders of them.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for pictures and JSON.")] = Path(
        "detections"
    ),
    score: Annotated[float, typer.Option(min=0.0, max=1.0, help="Least score.")] = 0.25,
    iou: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Overlap that suppresses, where the head needs NMS.")
    ] = 0.7,
) -> None:
    """Detect objects: draws boxes into copies of the pictures and writes `detections.json` (COCO results)."""
    from y10c.detect.classes import category_ids, class_names
    from y10c.detect.coco import image_ids, results
    from y10c.detect.detector import Detector
    from y10c.detect.draw import draw
    from y10c.passes.head.runnable import runnable

    pictures = list(_pictures(images))
    drawings, ids = _drawings(pictures, output), image_ids(pictures)
    source, info = runnable(model)
    detector = Detector(source, info, score=score, iou=iou)
    names, categories = class_names(info.classes, detector.metadata), category_ids(info.classes)
    found: dict[str, Detections] = {}
    with atomic.folder(output) as folder:
        rows: list[dict[str, object]] = []
        for path in progress.track(pictures, "detecting", len(pictures)):
            image = _opened(path)
            if image is not None:
                found[str(path)] = here = detector(image)
                rows += results(path.name, ids[path], here, categories)
                draw(_upright(image), here, names).save(folder / drawings[path], quality=92)
        _require_some(found, images)
        (folder / RESULTS).write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    _tell(detector, found, names, output)


def _pictures(given: list[Path]) -> Iterator[Path]:
    """The pictures, each once, under the name by which it was first given."""
    seen: set[Path] = set()
    for path in _named(given):
        if path.resolve() not in seen:
            seen.add(path.resolve())
            yield path


def _named(given: list[Path]) -> Iterator[Path]:
    from y10c.calib.sources import IMAGE_SUFFIXES

    for path in given:
        if path.is_dir():
            yield from sorted(p for p in path.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
        elif path.exists():
            yield path
        else:
            raise DataError("there is no such picture or folder", code="Y3101", where=str(path))


def _opened(path: Path) -> Image.Image | None:
    from PIL import Image

    try:
        with Image.open(path) as image:
            image.load()
        if image.mode.startswith(("I", "F")):
            raise ValueError(f"more than 8 bits a channel: mode {image.mode}")
        return image
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        diagnostics.warn(
            "Y5003", f"skipped: this is not an image that can be read ({error})", where=str(path)
        )
        return None


def _upright(image: Image.Image) -> Image.Image:
    from PIL import ImageOps

    return ImageOps.exif_transpose(image)


def _drawings(pictures: Sequence[Path], output: Path) -> dict[Path, str]:
    """The name of each drawn copy.

    Raises:
        OutputError: A copy would replace a picture.
    """
    names: dict[Path, str] = {}
    for path in pictures:
        names[path] = _free_name(path.stem, set(names.values()))
    originals = {path.resolve() for path in pictures}
    for name in names.values():
        if (output / name).resolve() in originals:
            raise OutputError(
                "a drawn copy would replace this picture",
                where=str(output / name),
                help="choose another folder with -o",
            )
    return names


def _free_name(stem: str, taken: set[str]) -> str:
    name, number = f"{stem}.jpg", 1
    while name in taken:
        name, number = f"{stem}_{number}.jpg", number + 1
    return name


def _require_some(found: dict[str, Detections], given: list[Path]) -> None:
    if not found:
        raise DataError(
            "no picture is left",
            code="Y3101",
            where=", ".join(map(str, given)),
            help="give .jpg or .png files that can be read",
        )


def _tell(detector: Detector, found: dict[str, Detections], labels: Sequence[str], output: Path) -> None:
    if detector.info.needs_nms is not False:
        terminal().note(f"boxes that overlap more than {detector.iou} were suppressed: the head needs NMS")
    lists = {
        path: [
            {"class": labels[c], "score": s, "box": b.round(2).tolist()}
            for c, s, b in zip(here.classes, here.scores, here.boxes, strict=True)
        ]
        for path, here in found.items()
    }
    rows = [(path, len(here), _summary([str(d["class"]) for d in here])) for path, here in lists.items()]
    terminal().result(
        {"model": detector.info, "images": lists, "output": output, "results": output / RESULTS},
        lambda: table(["picture", "found", "classes"], rows, title=f"written to {output}"),
    )


def _summary(labels: list[str]) -> str:
    counts = Counter(labels).most_common()
    shown = [f"{n} {label}" for label, n in counts[:SHOWN_CLASSES]]
    more = len(counts) - len(shown)
    return ", ".join([*shown, *([f"{more} classes more"] if more else [])]) or "-"
