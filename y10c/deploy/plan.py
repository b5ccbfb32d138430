"""What the runtime form should be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from y10c.config.settings import Config, InputConfig


@dataclass(frozen=True)
class DeployPlan:
    """What the runtime form should be.

    Args:
        inputs: What each input of the model is fed with, by name; others stay as they are.
        remove_types: Types of nodes to remove at inputs and outputs, in the words of the config.
        remove_names: Nodes to remove there.
        batch: Images in one run.
        output_type: `int8` or `int16` where outputs are quantized; empty for none.
        reach: By output, the greatest magnitude that quantized outputs must hold.
    """

    inputs: Mapping[str, InputConfig] = field(default_factory=dict)
    remove_types: frozenset[str] = frozenset()
    remove_names: frozenset[str] = frozenset()
    batch: int = 1
    output_type: str = ""
    reach: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, config: Config, inputs: Mapping[str, InputConfig]) -> DeployPlan:
        """The plan of a config.

        Args:
            config: The config.
            inputs: What it says of each input, by the model's name for it.
        """
        return cls(
            inputs=inputs,
            remove_types=frozenset(config.names("model_parameters.remove_node_type")),
            remove_names=frozenset(config.names("model_parameters.remove_node_name")),
            batch=config["input_parameters.input_batch"] or 1,
            output_type=_output_type(config),
        )

    @property
    def changes_nothing(self) -> bool:
        """Whether the runtime form is the quantized model itself."""
        images = any(one.is_image for one in self.inputs.values())
        removed = self.remove_types or self.remove_names
        return not (images or removed or self.batch > 1 or self.output_type)


def _output_type(config: Config) -> str:
    """The type of the outputs, where it is one of integers."""
    quant = config["calibration_parameters.quant_config"]
    said = quant.model.get("model_output_type") if quant is not None else None
    words = config["calibration_parameters.optimization"] or ()
    said = said or next((w.rpartition("_")[2] for w in words if w.startswith("set_model_output_")), "")
    return said if said in ("int8", "int16") else ""
