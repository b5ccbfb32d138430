"""Fit the scalars of a march family to published latencies, and measure the error on families left out.

Six scalars: the MAC array's rate, the elementwise rate, DDR's rate, the launch of a layer, the overhead of an
inference, and the capacity for maps on chip. The first five come from damped Gauss-Newton steps (Levenberg,
1944) on log(predicted / measured) in the logarithms of the scalars; the capacity and the discrete choices
from trying all of `CAPACITIES` and `CHOICES`. A fold makes all of this anew, without the family that it is
judged on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt

from y10c.cost.machine import Machine
from y10c.cost.residency import Residency, plan_residency
from y10c.cost.times import cycles_of
from y10c.cost.work import Array, Work, work_of
from y10c.cost.workload import Workload

SCALARS = (
    "mac_array__macs_per_cycle",
    "vector__elements_per_cycle",
    "memory__ddr_bytes_per_cycle",
    "overheads__launch_cycles",
    "overheads__inference_us",
)
CAPACITY = "memory__on_chip_bytes"
CAPACITIES = tuple(float(megabytes) * 1e6 for megabytes in (4, 5, 6, 6.5, 7, 7.5, 8, 8.5, 9, 10, 12))
CHOICES: dict[str, tuple[float, ...]] = {
    "vector__passes__softmax": (4, 5),
    "vector__passes__resize": (1, 4),
}
"""Discrete choices: a number by path, and the values that are tried."""

_ARRAYS = ("launches", "macs", "vector", "weights", "loads", "stores", "layout")

Indices = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Observation:
    """A published row: a network, its family and board.

    `busy_ms` is the core's time for one frame, which is fitted; `latency_ms` that of one frame alone.
    """

    model: str
    family: str
    march: str
    clock_ghz: float
    busy_ms: float
    latency_ms: float
    workload: Workload


@dataclass(frozen=True, slots=True)
class _Variant:
    """One discrete choice: its machine, and the work of all observations end to end."""

    machine: Machine
    work: Work
    owner: Indices
    clocks: Array

    def predict(self, logs: Array) -> Array:
        machine = self.at(logs)
        cycles = cycles_of(self.work, machine).total(machine.phases)
        total = np.bincount(self.owner, cycles, minlength=len(self.clocks))
        return np.asarray(total / self.clocks / 1e6 + machine.overheads.inference_us.value / 1e3, float)

    def at(self, logs: Array) -> Machine:
        return self.machine.with_values(**dict(zip(SCALARS, np.exp(logs).tolist(), strict=True)))


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted machine and its squared log error on what it was fitted to."""

    machine: Machine
    loss: float
    predict: Callable[[], Array]


class Fitter:
    """All discrete variants of a machine on a set of observations, ready to fit any subset of them."""

    def __init__(
        self,
        observations: Sequence[Observation],
        machine: Machine,
        capacities: Sequence[float] = CAPACITIES,
        choices: dict[str, tuple[float, ...]] | None = None,
    ) -> None:
        self.observations = tuple(observations)
        self.measured = np.array([o.busy_ms for o in observations])
        self.families = np.array([o.family for o in observations])
        chosen = CHOICES if choices is None else choices
        self.variants = list(_variants(self.observations, machine, {CAPACITY: tuple(capacities), **chosen}))

    def fit(self, rows: Indices | None = None) -> Fit:
        """The best variant and scalars for some rows (all where None)."""
        used = np.arange(len(self.measured)) if rows is None else rows
        best: tuple[float, _Variant, Array] | None = None
        for variant in self.variants:
            logs, loss = self._scalars(variant, used)
            if best is None or loss < best[0]:
                best = loss, variant, logs
        assert best is not None
        loss, variant, logs = best
        return Fit(variant.at(logs), loss, lambda: variant.predict(logs))

    def held_out(self) -> Array:
        """Predictions in ms, each from a fit that saw no row of that family."""
        predicted = np.zeros_like(self.measured)
        for family in sorted(set(self.families)):
            inside = self.families == family
            predicted[inside] = self.fit(np.flatnonzero(~inside)).predict()[inside]
        return predicted

    def _scalars(self, variant: _Variant, rows: Indices) -> tuple[Array, float]:
        start = np.log([variant.machine.value_of(path) for path in SCALARS])
        return least_squares(lambda p: np.log(variant.predict(p)[rows] / self.measured[rows]), start)


def _variants(
    observations: tuple[Observation, ...], machine: Machine, grid: dict[str, tuple[float, ...]]
) -> Iterator[_Variant]:
    networks = {o.workload.name: o.workload for o in observations}
    clocks = np.array([o.clock_ghz for o in observations])
    plans: dict[tuple[str, float, float], Residency] = {}
    for values in product(*grid.values()):
        chosen = machine.with_values(**dict(zip(grid, values, strict=True)))
        works = {}
        for name, network in networks.items():
            memory = chosen.memory
            key = name, memory.on_chip_bytes.value, memory.stripes.value
            if key not in plans:
                plans[key] = plan_residency(network, chosen)
            works[name] = work_of(network, chosen, plans[key])
        parts = [works[o.workload.name] for o in observations]
        owner = np.repeat(np.arange(len(parts)), [len(part.macs) for part in parts])
        arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _ARRAYS}
        yield _Variant(chosen, Work(**arrays, residency=parts[0].residency), owner, clocks)


def least_squares(residuals: Callable[[Array], Array], start: Array, steps: int = 30) -> tuple[Array, float]:
    """Levenberg's damped Gauss-Newton, Jacobian by differences; the point and its sum of squares."""
    point, damping, h = np.array(start, float), 1e-2, 1e-4
    current = residuals(point)
    for _ in range(steps):
        jacobian = np.stack([(residuals(point + step) - current) / h for step in h * np.eye(len(point))], 1)
        normal, slope = jacobian.T @ jacobian, jacobian.T @ current
        step = np.linalg.solve(normal + damping * np.diag(np.diag(normal) + 1e-9), -slope).clip(-1, 1)
        moved = residuals(point + step)
        gain = float(current @ current - moved @ moved)
        if gain <= 0:
            damping *= 10
            if damping > 1e6:
                break
            continue
        point, current, damping = point + step, moved, damping * 0.3
        if gain < 1e-8:
            break
    return point, float(current @ current)


@dataclass(frozen=True, slots=True)
class Errors:
    """Mean and largest absolute relative error, and Kendall's tau-a (1938) between predicted and measured."""

    mean: float
    largest: float
    tau: float

    @classmethod
    def of(cls, predicted: Array, measured: Array) -> Errors:
        """Errors of predictions, relative to what was measured."""
        error = np.abs(predicted / measured - 1)
        order = np.sign(predicted[:, None] - predicted) * np.sign(measured[:, None] - measured)
        pairs = len(measured) * (len(measured) - 1)
        return cls(float(error.mean()), float(error.max()), float(order.sum() / pairs) if pairs else 1.0)

    def __str__(self) -> str:
        return f"{self.mean:.1%} mean, {self.largest:.1%} max, tau {self.tau:.3f}"


def record(file: Path, fitted: Machine, held_out: Array, measured: Array, note: str) -> None:
    """Write scalars, choices, the error note and the band's ratios into a march's YAML, comments kept."""
    from io import StringIO

    from ruamel.yaml import YAML

    from y10c.atomic import write_text

    yaml = YAML()
    yaml.width = 150
    tree = yaml.load(file.read_text())
    for path in (*SCALARS, CAPACITY, *CHOICES):
        node = tree["machine"]
        for name in path.split("__"):
            node = node[name]
        value = float(f"{fitted.value_of(path):.5g}")
        node["value"] = int(value) if value.is_integer() else value
    low, high = np.quantile(measured / held_out, [0.1, 0.9])
    source = "fitted: residuals of families left out"
    tree["machine"]["accuracy"] = {
        "note": note,
        "ratio_p10": {"value": round(float(low), 4), "unit": "x", "source": source},
        "ratio_p90": {"value": round(float(high), 4), "unit": "x", "source": source},
    }
    text = StringIO()
    yaml.dump(tree, text)
    write_text(file, text.getvalue())
