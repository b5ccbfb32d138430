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
    """

    inputs: Mapping[str, InputConfig] = field(default_factory=dict)
    remove_types: frozenset[str] = frozenset()
    remove_names: frozenset[str] = frozenset()
    batch: int = 1

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
        )

    @property
    def changes_nothing(self) -> bool:
        """Whether the runtime form is the quantized model itself."""
        images = any(one.is_image for one in self.inputs.values())
        return not (images or self.remove_types or self.remove_names or self.batch > 1)
