"""Writing ONNX: a small node writer and, over it, the interpreter of the blocks that emits a network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from y10c.zoo.arrays import Parameters
from y10c.zoo.blocks import Role

MODULE_LISTS = frozenset({"model", "m"})
"""Modules that only hold others, beside the head's: exporters give them no scope of their own."""


@dataclass(frozen=True)
class Tensor:
    """A float32 tensor of the graph: its name and its whole shape."""

    name: str
    shape: tuple[int, ...]


@dataclass
class Writer:
    """Nodes, initializers and types of a graph in the making.

    Names are those that exporters of PyTorch give: a node is `/scope/OpType`, numbered where it repeats,
    and its result `/scope/OpType_output_0`.
    """

    opset: int
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    initializers: dict[str, onnx.TensorProto] = field(default_factory=dict)
    types: dict[str, onnx.ValueInfoProto] = field(default_factory=dict)
    used: Counter[str] = field(default_factory=Counter)

    def node(
        self,
        scope: str,
        op: str,
        inputs: Sequence[Tensor | str],
        shapes: Sequence[tuple[int, ...]],
        dtype: int = TensorProto.FLOAT,
        **attributes: Any,
    ) -> list[Tensor]:
        """Append a node; its results have the given shapes, all of one type."""
        name = self._fresh(f"{scope}/{op}")
        made = [Tensor(f"{name}_output_{i}", shape) for i, shape in enumerate(shapes)]
        names = [x if isinstance(x, str) else x.name for x in inputs]
        self.nodes.append(helper.make_node(op, names, [x.name for x in made], name, **attributes))
        for x in made:
            self.types[x.name] = helper.make_tensor_value_info(x.name, dtype, x.shape)
        return made

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        """An initializer; the same name means the same value and is stored once."""
        if name not in self.initializers:
            self.initializers[name] = numpy_helper.from_array(value, name)
        return name

    def integers(self, values: Sequence[int]) -> str:
        """A vector of int64, shared by all that need the same."""
        return self.constant("int64_" + "_".join(map(str, values)), np.array(values, np.int64))

    def rename(self, x: Tensor, name: str) -> Tensor:
        """Give the result of the last node the name of an output of the graph."""
        last = self.nodes[-1]
        last.output[list(last.output).index(x.name)] = name
        info = self.types.pop(x.name)
        info.name = name
        self.types[name] = info
        return Tensor(name, x.shape)

    def model(self, name: str, image: Tensor, outputs: Sequence[Tensor]) -> onnx.ModelProto:
        """The nodes as a model of one input; nothing may be written afterwards."""
        graph = helper.make_graph(
            self.nodes,
            name,
            [helper.make_tensor_value_info(image.name, TensorProto.FLOAT, image.shape)],
            [self.types.pop(x.name) for x in outputs],
            list(self.initializers.values()),
            value_info=list(self.types.values()),
        )
        opsets = [helper.make_opsetid("", self.opset)]
        return helper.make_model(
            graph,
            opset_imports=opsets,
            ir_version=helper.find_min_ir_version_for(opsets),
            producer_name="y10c.zoo",
        )

    def _fresh(self, name: str) -> str:
        self.used[name] += 1
        return name if self.used[name] == 1 else f"{name}_{self.used[name] - 1}"


def scope(module: str) -> str:
    """The scope of a module's nodes: `model.22.m.0.cv1.0` is `/model.22/m.0/cv1/cv1.0`."""
    steps: list[str] = []
    word = ""
    parts = module.split(".")
    for part, following in zip(parts, [*parts[1:], ""], strict=True):
        if part.isdigit():
            word = f"{word}.{part}"
            steps.append(word)
            continue
        word = part
        of_head = steps == ["model.23"] and following.isdigit()
        steps += [] if part in MODULE_LISTS or of_head else [part]
    return "/" + "/".join(steps)


@dataclass
class OnnxTape:
    """The interpreter of the blocks that writes nodes."""

    writer: Writer
    parameters: Mapping[str, Parameters]

    def channels(self, x: Tensor) -> int:
        """See `Tape`."""
        return x.shape[1]

    def conv(
        self,
        name: str,
        x: Tensor,
        out: int,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        *,
        role: Role = Role.ACTIVATED,
    ) -> Tensor:
        """See `Tape`."""
        batch, _, height, width = x.shape
        bare = role in (Role.SCORES, Role.BOXES)
        module = name if bare else f"{name}.conv"
        parameters = self.parameters[name]
        (y,) = self.writer.node(
            scope(module),
            "Conv",
            [
                x,
                self.writer.constant(f"{module}.weight", parameters.weight),
                self.writer.constant(f"{module}.bias", parameters.bias),
            ],
            [(batch, out, -(-height // stride), -(-width // stride))],
            dilations=[1, 1],
            group=groups,
            kernel_shape=[kernel, kernel],
            pads=[kernel // 2] * 4,
            strides=[stride, stride],
        )
        return self._silu(f"{name}.act", y) if role is Role.ACTIVATED else y

    def _silu(self, name: str, x: Tensor) -> Tensor:
        (gate,) = self.writer.node(scope(name), "Sigmoid", [x], [x.shape])
        return self.writer.node(scope(name), "Mul", [x, gate], [x.shape])[0]

    def split(self, name: str, x: Tensor, sizes: Sequence[int]) -> list[Tensor]:
        """See `Tape`."""
        return self._split(name, x, sizes, 1)

    def _split(self, name: str, x: Tensor, sizes: Sequence[int], axis: int) -> list[Tensor]:
        shapes = [(*x.shape[:axis], size, *x.shape[axis + 1 :]) for size in sizes]
        return self.writer.node(scope(name), "Split", [x, self.writer.integers(sizes)], shapes, axis=axis)

    def concat(self, name: str, parts: Sequence[Tensor]) -> Tensor:
        """See `Tape`."""
        batch, _, *space = parts[0].shape
        shape = (batch, sum(part.shape[1] for part in parts), *space)
        return self.writer.node(scope(name), "Concat", parts, [shape], axis=1)[0]

    def add(self, name: str, a: Tensor, b: Tensor) -> Tensor:
        """See `Tape`."""
        return self.writer.node(scope(name), "Add", [a, b], [a.shape])[0]

    def pool(self, name: str, x: Tensor) -> Tensor:
        """See `Tape`."""
        window: dict[str, Any] = {
            "kernel_shape": [5, 5],
            "pads": [2] * 4,
            "strides": [1, 1],
            "dilations": [1, 1],
        }
        return self.writer.node(scope(name), "MaxPool", [x], [x.shape], ceil_mode=0, **window)[0]

    def upsample(self, name: str, x: Tensor) -> Tensor:
        """See `Tape`."""
        batch, channels, height, width = x.shape
        scales = self.writer.constant("upsample_scales", np.array([1, 1, 2, 2], np.float32))
        mode: dict[str, Any] = {
            "coordinate_transformation_mode": "asymmetric",
            "mode": "nearest",
            "nearest_mode": "floor",
        }
        shape = (batch, channels, 2 * height, 2 * width)
        return self.writer.node(scope(name), "Resize", [x, "", scales], [shape], **mode)[0]

    def attention(self, name: str, qkv: Tensor, heads: int, key: int) -> tuple[Tensor, Tensor]:
        """See `Tape`."""
        batch, channels, height, width = qkv.shape
        value = channels // heads - 2 * key
        image = batch, heads * value, height, width
        folded = self.reshape(name, qkv, (batch, heads, channels // heads, height * width))
        q, k, v = self._split(name, folded, [key, key, value], 2)
        scale = self.writer.constant(f"{name}.scale", np.array(key**-0.5, np.float32))
        (scaled,) = self.writer.node(scope(name), "Mul", [q, scale], [q.shape])
        logits = self._product(name, self.transpose(name, scaled, (0, 1, 3, 2)), k)
        (shares,) = self.writer.node(scope(name), "Softmax", [logits], [logits.shape], axis=-1)
        attended = self._product(name, v, self.transpose(name, shares, (0, 1, 3, 2)))
        return self.reshape(name, attended, image), self.reshape(name, v, image)

    def reshape(self, name: str, x: Tensor, shape: tuple[int, ...]) -> Tensor:
        """The same elements in another shape."""
        if prod(shape) != prod(x.shape):
            raise ValueError(f"{x} cannot become {shape}")
        return self.writer.node(scope(name), "Reshape", [x, self.writer.integers(shape)], [shape])[0]

    def transpose(self, name: str, x: Tensor, order: tuple[int, ...]) -> Tensor:
        """The axes in another order."""
        shape = tuple(x.shape[i] for i in order)
        return self.writer.node(scope(name), "Transpose", [x], [shape], perm=order)[0]

    def _product(self, name: str, a: Tensor, b: Tensor) -> Tensor:
        return self.writer.node(scope(name), "MatMul", [a, b], [(*a.shape[:-1], b.shape[-1])])[0]
