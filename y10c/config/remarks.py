"""What a valid config says that changes nothing here: one remark a reason."""

from __future__ import annotations

from collections.abc import Iterator

from y10c.config.problems import Place
from y10c.config.quant import QuantConfig
from y10c.config.settings import Config

QUANT_CONFIG = "calibration_parameters.quant_config"
OPTIMIZATION = "calibration_parameters.optimization"

IDLE_WORDS = ("run_fast",)
"""Words of `optimization` that nothing here reads."""

IDLE_KEYS = ("modelwise_search", "layerwise_search")
"""Keys of `model_config` that steer the toolchain's own search."""


def remark_no_effect(config: Config) -> None:
    """Remark on keys and words that matter to the closed compiler only."""
    help = "they matter to the closed compiler only"
    names = list(config.without_effect())
    if names:
        keys = ", ".join(name.rpartition(".")[2] for name in names)
        place = min((config.key_place(name) for name in names), default=Place(1, 1, config.path))
        config.findings.remark(place, "", f"no effect here: {keys}", help)
    words = [word for word in config.names(OPTIMIZATION) if word in IDLE_WORDS]
    if words:
        place = words[0].place or config.place(OPTIMIZATION)
        config.findings.remark(place, OPTIMIZATION, f"no effect here: {', '.join(words)}", help)
    quant: QuantConfig | None = config[QUANT_CONFIG]
    idle = list(_idle(quant)) if quant is not None else []
    if idle:
        config.findings.remark(
            config.place(QUANT_CONFIG), QUANT_CONFIG, f"no effect here: {', '.join(idle)}", help
        )


def _idle(quant: QuantConfig) -> Iterator[str]:
    yield from (f"model_config.{key}" for key in IDLE_KEYS if key in quant.model)
    activation = quant.model.get("activation", {})
    if "per_channel" in activation:
        yield "model_config.activation.per_channel"
    if len(activation.get("max_percentile", ())) > 1:
        yield "model_config.activation.max_percentile (several: ranges are searched by their error)"
