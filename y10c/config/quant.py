"""`quant_config`: four levels of priority, inline or as a JSON file with comments.

Priority rises from `model_config` over `op_config` and `subgraph_config` to `node_config` (published: S3).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from y10c.config.document import Item, read_json, read_text
from y10c.config.kinds import Flag, Kind, Name, Real, Text, Whole, refused
from y10c.config.nodes import QTYPES, NodeWish, read_qtype, read_wish
from y10c.config.problems import Findings, choices
from y10c.errors import ConfigError

METRICS = ("cosine-similarity", "mse", "mae", "mre", "sqnr", "chebyshev")
CALIBRATIONS = ("max", "kl", "min-max", "percentile", "mix", "equalization", "fixed", "load")
LEVELS = ("model_config", "op_config", "subgraph_config", "node_config")


@dataclass(frozen=True)
class OrList:
    """One value of a kind, or a list of them, among which the toolchain searches."""

    kind: Kind

    @property
    def allowed(self) -> str:
        """The kind, once or in a list."""
        return f"{self.kind.allowed}, or a list of them"

    def read(self, item: Item, key: str, findings: Findings) -> tuple[Any, ...]:
        """The values; those that are wrong are left out and told."""
        items = item.value if isinstance(item.value, list) else [item]
        values = [self.kind.read(one, key, findings) for one in items]
        return tuple(value for value in values if value is not None)

    def schema(self) -> dict[str, Any]:
        """Both forms."""
        one = self.kind.schema()
        return {"anyOf": [one, {"type": "array", "items": one}]}


@dataclass(frozen=True)
class Qtype:
    """A quantization type."""

    allowed: str = f"one of {', '.join(QTYPES)}"

    def read(self, item: Item, key: str, findings: Findings) -> str | None:
        """The type."""
        return read_qtype(item, key, findings)

    def schema(self) -> dict[str, Any]:
        """Text, since newer toolchains know more types."""
        return {"type": "string"}


@dataclass(frozen=True)
class Fields:
    """A mapping whose keys are known.

    Args:
        fields: Kind of each key's value.
        open: Whether further keys are remarked on and not refused.
    """

    fields: Mapping[str, Kind]
    open: bool = False

    @property
    def allowed(self) -> str:
        """The keys."""
        return f"a mapping of {', '.join(self.fields)}"

    def read(self, item: Item, key: str, findings: Findings) -> dict[str, Any] | None:
        """The values by key; those that are wrong or empty are left out."""
        if item.entries is None:
            refused(item, key, findings, self.allowed)
            return None
        found: dict[str, Any] = {}
        for entry in item.entries.values():
            kind = self.fields.get(entry.key)
            if kind is None:
                tell = findings.remark if self.open else findings.wrong
                tell(entry.place, key, f"unknown key {entry.key!r}", choices(entry.key, self.fields))
            elif not entry.item.is_empty:
                value = kind.read(entry.item, f"{key}.{entry.key}", findings)
                found |= {} if value is None else {entry.key: value}
        return found

    def schema(self) -> dict[str, Any]:
        """An object with these properties."""
        properties = {name: kind.schema() for name, kind in self.fields.items()}
        return {"type": "object", "properties": properties, "additionalProperties": self.open}


SEARCH: Mapping[str, Kind] = {"similarity": Real(0), "metric": Text(METRICS)}

MODEL_CONFIG = Fields(
    {
        "all_node_type": Qtype(),
        "model_output_type": Text(("int8", "int16", "float32")),
        "activation": Fields(
            {
                "calibration_type": OrList(Text(CALIBRATIONS)),
                "max_percentile": OrList(Real(0)),
                "per_channel": OrList(Flag()),
                "asymmetric": OrList(Flag()),
            },
            open=True,
        ),
        "weight": Fields(
            {"bias_correction": Fields({"num_sample": Whole(1), "metric": Text(METRICS)})}, open=True
        ),
        "modelwise_search": Fields(SEARCH),
        "layerwise_search": Fields(SEARCH, open=True),
    }
)


@dataclass(frozen=True)
class Subgraph:
    """A part of the model between tensors or nodes, with one type.

    Args:
        name: As the user calls it.
        inputs: Where it begins.
        outputs: Where it ends.
        wish: The type, as for a node.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    wish: NodeWish


@dataclass(frozen=True)
class QuantConfig:
    """What a `quant_config` says.

    Args:
        model: What holds for the whole model: the keys of `model_config` that were given.
        ops: By op type in lower case.
        subgraphs: In the order of the file.
        nodes: By node name.
    """

    model: Mapping[str, Any] = field(default_factory=dict)
    ops: Mapping[str, NodeWish] = field(default_factory=dict)
    subgraphs: tuple[Subgraph, ...] = ()
    nodes: Mapping[str, NodeWish] = field(default_factory=dict)

    def wish(self, node: str, op: str, inside: tuple[Subgraph, ...] = ()) -> NodeWish | None:
        """What is wanted of a node: the highest level wins, key by key.

        Args:
            node: Its name.
            op: Its op type.
            inside: The subgraphs that hold it.
        """
        everything = self.model.get("all_node_type")
        levels = [
            self.nodes.get(node),
            *(part.wish for part in inside),
            self.ops.get(op.lower()),
            NodeWish(Name(node), everything, {None: everything}) if everything else None,
        ]
        found = [level for level in levels if level is not None]
        if not found:
            return None
        merged = NodeWish(Name(node))
        for level in found:
            merged = merged.over(level)
        return merged


@dataclass(frozen=True)
class QuantConfigKind:
    """A mapping of the four levels, the same as JSON text, or the path of a JSON file with comments."""

    allowed: str = f"a mapping of {', '.join(LEVELS)}, or the path of a JSON file"

    def read(self, item: Item, key: str, findings: Findings) -> QuantConfig | None:
        """What it says; problems in a JSON file carry the places there."""
        if item.entries is None and not item.is_scalar:
            refused(item, key, findings, self.allowed)
            return None
        tree = item if item.entries is not None else _from_text(item, key, findings)
        if tree is None:
            return None
        if tree.entries is None:
            refused(tree, key, findings, self.allowed)
            return None
        return _read_levels(tree, key, findings)

    def schema(self) -> dict[str, Any]:
        """The four levels, or text."""
        wishes = {"type": "object", "additionalProperties": {"type": "object"}}
        levels = {name: wishes for name in LEVELS[1:]}
        properties = {"model_config": MODEL_CONFIG.schema(), **levels}
        return {
            "anyOf": [
                {"type": "string"},
                {"type": "object", "properties": properties, "additionalProperties": False},
            ]
        }


def _from_text(item: Item, key: str, findings: Findings) -> Item | None:
    """The tree of JSON text in the YAML, or of the file that it names."""
    inline = item.text.lstrip().startswith("{")
    path = beside(Path(item.text), item.place.path)
    try:
        if not inline:
            return read_json(read_text(path), str(path), findings)
        # Places inside a scalar are lost to escapes and folding: all problems stand where it begins.
        inner = Findings()
        tree = read_json(item.text, item.place.path, inner)
    except ConfigError as error:
        findings.wrong(item.place, key, f"{error.message} ({error.where})" if error.where else error.message)
        return None
    for problem in inner.problems:
        findings.wrong(item.place, key, problem.message, problem.help)
    return _moved(tree, item)


def _moved(tree: Item, item: Item) -> Item:
    from dataclasses import replace

    def moved(one: Item) -> Item:
        if isinstance(one.value, Mapping):
            entries = {k: replace(e, place=item.place, item=moved(e.item)) for k, e in one.value.items()}
            return replace(one, value=entries, place=item.place)
        value = [moved(each) for each in one.value] if isinstance(one.value, list) else one.value
        return replace(one, value=value, place=item.place)

    return moved(tree)


def beside(path: Path, config: str) -> Path:
    """A path of the config: from the working folder, or beside the config where it is only there."""
    near = Path(config).parent / path
    return near if not path.exists() and near.exists() else path


def _read_levels(tree: Item, key: str, findings: Findings) -> QuantConfig:
    entries = tree.entries or {}
    for entry in entries.values():
        if entry.key not in LEVELS:
            findings.wrong(entry.place, key, f"unknown key {entry.key!r}", choices(entry.key, LEVELS))
    model = entries.get("model_config")
    parts = {
        level: _wishes(entries[level].item, f"{key}.{level}", findings)
        for level in LEVELS[1:]
        if level in entries
    }
    return QuantConfig(
        (MODEL_CONFIG.read(model.item, f"{key}.model_config", findings) or {}) if model else {},
        {name.lower(): wish for name, (wish, _) in parts.get("op_config", {}).items()},
        tuple(_subgraph(name, *found) for name, found in parts.get("subgraph_config", {}).items()),
        {name: wish for name, (wish, _) in parts.get("node_config", {}).items()},
    )


ENDS = Fields({"inputs": OrList(Text()), "outputs": OrList(Text())})


def _wishes(item: Item, key: str, findings: Findings) -> dict[str, tuple[NodeWish, dict[str, Any]]]:
    """The wishes of one level, and the ends of a subgraph."""
    if item.entries is None:
        refused(item, key, findings, "a mapping")
        return {}
    found = {}
    for entry in item.entries.values():
        ends, rest = _split_ends(entry.item, key.endswith("subgraph_config"))
        where = f"{key}.{entry.key}"
        wish = read_wish(Name(entry.key, entry.place), rest, where, findings, qtype=True)
        if wish is not None:
            found[entry.key] = (wish, ENDS.read(ends, where, findings) or {})
    return found


def _split_ends(item: Item, wanted: bool) -> tuple[Item, Item]:
    entries = item.entries
    if entries is None or not wanted:
        return Item({}, item.place), item
    ends = {name: entry for name, entry in entries.items() if name in ENDS.fields}
    rest = {name: entry for name, entry in entries.items() if name not in ENDS.fields}
    return Item(ends, item.place), Item(rest, item.place)


def _subgraph(name: str, wish: NodeWish, ends: dict[str, Any]) -> Subgraph:
    return Subgraph(name, ends.get("inputs", ()), ends.get("outputs", ()), wish)
