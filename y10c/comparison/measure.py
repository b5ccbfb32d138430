"""Both models on the same samples, one at a time: how far each tensor is from the reference's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from y10c import progress
from y10c.calib.collect import run_outputs
from y10c.calib.feeds import Feeds
from y10c.calib.similarity import Similarity
from y10c.calib.sketch import Sketch
from y10c.comparison.alone import Alone
from y10c.comparison.matching import Pair
from y10c.comparison.sides import Side

Arrays = Mapping[str, NDArray[Any]]

THREADS = 2
MOST_ELEMENTS = 24_000_000
"""Elements of the compared tensors of one sample that are in memory at a time."""


@dataclass
class Measured:
    """What the samples showed of one tensor.

    Args:
        whole: The candidate's tensor in the running candidate: all errors before it and its own.
        alone: The candidate's tensor where its node reads the reference's inputs: its own error only.
        reference: Distribution in the reference.
        candidate: Distribution in the candidate, before its quantization.
        saturated: Elements that the candidate's grid clips.
        elements: Elements in all.
    """

    whole: Similarity = field(default_factory=Similarity)
    alone: Similarity = field(default_factory=Similarity)
    reference: Sketch = field(default_factory=Sketch)
    candidate: Sketch = field(default_factory=Sketch)
    saturated: int = 0
    elements: int = 0

    @property
    def saturation(self) -> float:
        """Share of the elements that the grid clips."""
        return self.saturated / self.elements if self.elements else 0.0


def measure(
    reference: Side, candidate: Side, pairs: Sequence[Pair], feeds: tuple[Feeds, Feeds]
) -> dict[str, Measured]:
    """Compare every pair on every sample.

    Memory: about 24 bytes for each of at most `MOST_ELEMENTS` elements, whatever the number of samples;
    larger models run several times, with other tensors exposed.

    Args:
        reference: The model that is right.
        candidate: The model to judge.
        pairs: What to compare.
        feeds: Samples for the reference and for the candidate.

    Returns:
        Reference tensor -> what was found.

    Raises:
        DataError: The data does not decode or does not fit.
        ModelError: A model does not run.
    """
    found = {pair.tensor: Measured() for pair in pairs}
    parts = list(chunks(pairs))
    with progress.counter("comparing tensors") as report:
        for index, part in enumerate(parts):
            alone = Alone(candidate, pairs, part, threads=THREADS)
            for done in _measure_part(reference, candidate, part, feeds, alone, found):
                report(index * feeds[0].count + done, len(parts) * feeds[0].count)
    return found


def chunks(pairs: Sequence[Pair]) -> Iterator[list[Pair]]:
    """Runs of pairs whose tensors are in memory at a time; open extents count as 1."""
    part: list[Pair] = []
    held = 0
    for pair in pairs:
        if part and held + pair.elements > MOST_ELEMENTS:
            yield part
            part, held = [], 0
        part.append(pair)
        held += pair.elements
    if part:
        yield part


def _measure_part(
    reference: Side,
    candidate: Side,
    pairs: Sequence[Pair],
    feeds: tuple[Feeds, Feeds],
    alone: Alone,
    into: Mapping[str, Measured],
) -> Iterator[int]:
    """Add what every sample shows of some pairs; yields the number of samples done."""
    ours = list(dict.fromkeys([*(p.reference for p in pairs), *alone.needed]))
    theirs = list(dict.fromkeys([*(name for p in pairs for name in (p.candidate, p.raw)), *alone.inputs]))
    runs = zip(
        run_outputs(reference.source, feeds[0], ours, threads=THREADS),
        run_outputs(candidate.source, feeds[1], theirs, threads=THREADS),
        strict=True,
    )
    for index, ((sample, right), (_, judged)) in enumerate(runs):
        own = alone.run(right, judged)
        for pair in pairs:
            _add(into[pair.tensor], pair, sample, pair.expected(right[pair.reference]), judged, own)
        yield index + 1


def _add(into: Measured, pair: Pair, sample: str, right: NDArray[Any], judged: Arrays, own: Arrays) -> None:
    into.whole.update(right, judged[pair.candidate], sample)
    into.alone.update(right, own[pair.candidate], sample)
    into.reference.update(right, sample)
    raw = judged[pair.raw]
    into.candidate.update(raw, sample)
    into.elements += raw.size
    into.saturated += pair.grid.saturated(raw) if pair.grid is not None else 0
