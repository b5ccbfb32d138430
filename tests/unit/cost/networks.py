"""Networks for tests, made without a graph."""

from __future__ import annotations

from y10c.cost.workload import FeatureMap, Geometry, Kind, Layer, Read, Workload


def chain(sizes: list[tuple[int, int, int]], skip: int = 0, side: int = 1) -> Workload:
    """Convolutions one after another; each (channels, extent, kernel). Every layer may read `skip` back."""
    maps = [FeatureMap(0, "x", (1, 16, 32 * side, 32 * side), 8, is_input=True)]
    layers: list[Layer] = []
    for i, (channels, extent, kernel) in enumerate(sizes):
        source = maps[-1]
        extent *= side
        last = i == len(sizes) - 1
        maps.append(FeatureMap(i + 1, f"m{i}", (1, channels, extent, extent), 8, is_output=last))
        geometry = Geometry(
            1, 1, source.shape[1], source.shape[2], source.shape[3], channels, extent, extent, kernel, kernel
        )
        reads = {i, max(i - skip, 0)}
        layers.append(
            Layer(
                i,
                f"l{i}",
                Kind.CONV,
                tuple(Read(m, maps[m].elements) for m in sorted(reads)),
                i + 1,
                geometry,
                weight_elements=source.shape[1] * channels * kernel**2,
                vector_elements=maps[-1].elements,
            )
        )
    return Workload("chain", tuple(layers), tuple(maps))
