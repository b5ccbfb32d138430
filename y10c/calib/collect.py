"""One pass over the data: run the float model, sketch the tensors, keep nothing else.

Each image runs alone (batch 1) in a session of one thread; parallelism is over images. So the activations,
and with them every bit of the result, do not depend on `threads` or `workers`, and a machine's cores are
used better than by splitting single layers. Memory is bounded by `threads` (or workers) images'
activations, whatever the number of images.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from typing import Any, TypeVar

from numpy.typing import NDArray

from y10c.calib.dataset import Dataset
from y10c.calib.session import ExposedSession, exposed_model, input_names
from y10c.calib.sketch import Sketch
from y10c.calib.sources import Note
from y10c.errors import DataError, UsageError

Progress = Callable[[int, int], None]
"""Called with (images done, images in all), in the calling thread."""

R = TypeVar("R")

Notes = tuple[dict[str, Note], dict[str, str]]

_MOST_THREADS = 4
_MOST_BYTES = 450_000_000
"""Of observed tensors in flight by default: with what onnxruntime keeps beside them, below 1 GB in all."""

_TASKS_PER_WORKER = 8


def collect(
    model: Any,
    tensors: Sequence[str],
    dataset: Dataset | Mapping[str, Dataset],
    *,
    threads: int | None = None,
    workers: int = 0,
    progress: Progress | None = None,
    allow_nonfinite: bool = False,
) -> dict[str, Sketch]:
    """Sketch tensors over a data set.

    Args:
        model: A ModelProto, its bytes, or a path.
        tensors: Names of node outputs or network inputs; any numeric type, counted as float32.
        dataset: For the only input; or one an input by its name, of equal lengths.
        threads: Images in flight in this process; None takes as many as there are cores, 4 at most, and
            fewer where their activations would take too much memory.
        workers: Processes to spread the images over, instead of threads, where above 1.
        progress: Told of every image done.
        allow_nonfinite: Count NaN and Inf apart instead of raising.

    Returns:
        Tensor -> sketch, in the order of `tensors`; the same bits for any `threads` and `workers`.

    Raises:
        DataError: NaN or Inf in the data or in a tensor (Y3103), or no sample decodes (Y3101).
        ModelError: The model does not load or run.
        UnknownNameError: A tensor is not in the model.
        UsageError: The data sets do not match the network's inputs.
    """
    names = list(dict.fromkeys(tensors))
    exposed = exposed_model(model, names)
    data = _Feeder(input_names(exposed), dataset)
    report = progress or (lambda done, of: None)
    if workers > 1:
        parts = _in_processes(exposed, names, data, workers, report)
    else:
        session = ExposedSession(exposed, names)
        parts = _in_threads(session, names, data, threads or _in_flight(session), report)
    data.finish()
    whole = {name: Sketch.merged(part[name] for part in parts) for name in names}
    if not allow_nonfinite:
        _require_finite(whole)
    return whole


def run_outputs(
    model: Any,
    dataset: Dataset | Mapping[str, Dataset],
    tensors: Sequence[str],
    *,
    threads: int = 1,
) -> Iterator[tuple[str, dict[str, NDArray[Any]]]]:
    """Run a model over data, one sample at a time, for comparisons.

    Args:
        model: A ModelProto, its bytes, or a path.
        dataset: For the only input; or one an input by its name.
        tensors: Names of node outputs or network inputs.
        threads: Threads inside a run.

    Yields:
        (sample name, tensor -> array) for each sample that decodes, in order.

    Raises:
        DataError: See `Dataset.samples`.
        ModelError: The model does not load or run.
        UnknownNameError: A tensor is not in the model.
    """
    session = ExposedSession(model, tensors, threads=threads)
    data = _Feeder(session.input_names, dataset)
    for index in range(len(data)):
        feeds, name = data.feeds(index)
        if feeds is not None:
            yield name, session.run(feeds)
    data.finish()


def mapped(
    model: Any,
    dataset: Dataset | Mapping[str, Dataset],
    tensors: Sequence[str],
    work: Callable[[int, Mapping[str, NDArray[Any]]], R],
    *,
    threads: int | None = None,
) -> Iterator[R]:
    """What `work` makes of each sample's tensors, in the order of the samples.

    Args:
        model: A ModelProto, its bytes, or a path.
        dataset: For the only input; or one an input by its name.
        tensors: Names of node outputs or network inputs.
        work: Called with (index of the sample, tensor -> array) in one of the threads; it must not keep the
            arrays, which are views of onnxruntime's memory.
        threads: Samples in flight; None as in `collect`.

    Raises:
        DataError: See `Dataset.samples`.
        ModelError: The model does not load or run.
        UnknownNameError: A tensor is not in the model.
    """
    session = ExposedSession(model, tensors)
    data = _Feeder(session.input_names, dataset)

    def one(index: int) -> list[R]:
        feeds, _ = data.feeds(index)
        return [] if feeds is None else [work(index, session.run(feeds))]

    in_flight = threads or _in_flight(session)
    pending: deque[Future[list[R]]] = deque()
    pool = ThreadPoolExecutor(in_flight, thread_name_prefix="y10c-run")
    try:
        for index in range(len(data)):
            pending.append(pool.submit(one, index))
            if len(pending) > in_flight:
                yield from pending.popleft().result()
        while pending:
            yield from pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    data.finish()


class _Feeder:
    """Puts the samples of one or several data sets together as a network's inputs."""

    def __init__(self, inputs: list[str], dataset: Dataset | Mapping[str, Dataset]) -> None:
        given = {name: dataset for name in inputs[:1]} if isinstance(dataset, Dataset) else dict(dataset)
        if set(given) != set(inputs):
            raise UsageError(
                f"the model has the inputs {', '.join(inputs) or 'none'}, "
                f"calibration data is given for {', '.join(given) or 'none'}",
                help="give one data set an input",
            )
        lengths = {name: len(one) for name, one in given.items()}
        if len(set(lengths.values())) > 1:
            raise UsageError(f"the calibration data differ in length: {lengths}", help="give equal numbers")
        self.datasets = given
        self._length = max(lengths.values(), default=0)

    def __len__(self) -> int:
        return self._length

    def feeds(self, index: int) -> tuple[dict[str, NDArray[Any]] | None, str]:
        """The inputs of one sample and its name; None where a part of it does not decode."""
        samples = {name: one.load(index) for name, one in self.datasets.items()}
        decoded = {name: sample for name, sample in samples.items() if sample is not None}
        label = ", ".join(dict.fromkeys(sample.name for sample in decoded.values()))
        if len(decoded) < len(samples):
            return None, label
        return {name: sample.array for name, sample in decoded.items()}, label

    def finish(self) -> None:
        """Raise DataError where no sample was left."""
        for one in self.datasets.values():
            one.require_some()


def _in_flight(session: ExposedSession) -> int:
    """How many samples run at a time by default."""
    fit = _MOST_BYTES // max(session.bytes, 1)
    return max(1, min(_MOST_THREADS, os.cpu_count() or 1, fit))


def _observe(
    session: ExposedSession, data: _Feeder, indices: Sequence[int], into: Mapping[str, Sketch]
) -> None:
    for index in indices:
        feeds, name = data.feeds(index)
        if feeds is None:
            continue
        for tensor, array in session.run(feeds).items():
            into[tensor].update(array, name)


def _in_threads(
    session: ExposedSession,
    names: Sequence[str],
    data: _Feeder,
    threads: int,
    report: Progress,
) -> list[dict[str, Sketch]]:
    local = threading.local()
    parts: list[dict[str, Sketch]] = []

    def one(index: int) -> int:
        if not hasattr(local, "part"):
            local.part = {name: Sketch() for name in names}
            parts.append(local.part)
        _observe(session, data, [index], local.part)
        return 1

    pool = ThreadPoolExecutor(max(1, threads), thread_name_prefix="y10c-calib")
    try:
        _gather(
            [pool.submit(one, index) for index in range(len(data))], len(data), lambda count: count, report
        )
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return parts


_worker: tuple[ExposedSession, list[str], _Feeder] | None = None


def _start_worker(model: bytes, names: list[str], data: _Feeder) -> None:
    global _worker
    # ctrl-C reaches the whole process group; the parent alone answers it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _worker = (ExposedSession(model, names), names, data)


def _work(indices: list[int]) -> tuple[int, dict[str, Sketch], dict[str, Notes]]:
    assert _worker is not None
    session, names, data = _worker
    part = {name: Sketch() for name in names}
    _observe(session, data, indices, part)
    return len(indices), part, {name: one.notes for name, one in data.datasets.items()}


def _in_processes(
    model: bytes,
    names: list[str],
    data: _Feeder,
    workers: int,
    report: Progress,
) -> list[dict[str, Sketch]]:
    from multiprocessing import get_context

    whole = {name: Sketch() for name in names}
    total = len(data)
    tasks = min(total, workers * _TASKS_PER_WORKER)

    def take(result: tuple[int, dict[str, Sketch], dict[str, Notes]]) -> int:
        count, part, notes = result
        for name in names:
            whole[name].merge(part[name])
        for name, seen in notes.items():
            data.datasets[name].add_notes(seen)
        return count

    # Spawned, because a forked onnxruntime has locks without the threads that hold them.
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _start_worker, (model, names, data))
    try:
        chunks = [list(range(start, total, tasks)) for start in range(tasks)]
        _gather([pool.submit(_work, chunk) for chunk in chunks], total, take, report)
    except BaseException:
        _stop(pool)
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return [whole]


def _stop(pool: ProcessPoolExecutor) -> None:
    for process in list((getattr(pool, "_processes", None) or {}).values()):
        process.terminate()


def _gather(futures: list[Future[R]], total: int, take: Callable[[R], int], report: Progress) -> None:
    done = 0
    report(done, total)
    # as_completed lets go of the futures it yields only if no one else holds them.
    for future in as_completed(_drained(futures)):
        done += take(future.result())
        report(done, total)


def _drained(futures: list[Future[R]]) -> set[Future[R]]:
    own = set(futures)
    futures.clear()
    return own


def _require_finite(sketches: Mapping[str, Sketch]) -> None:
    bad = {name: one for name, one in sketches.items() if one.nonfinite}
    if bad:
        name, one = next(iter(bad.items()))
        raise DataError(
            f"the tensor {name} holds {one.nonfinite} NaN or Inf, the first on {one.nonfinite_sample}; "
            f"{len(bad)} tensor{'s' * (len(bad) > 1)} in all",
            code="Y3103",
            where=one.nonfinite_sample,
            help="the float model itself overflows on this sample: check its weights and the preprocessing",
        )
