"""The runtime form: from the quantized graph and a plan to the graph that an application runs."""

from __future__ import annotations

from dataclasses import dataclass, replace

from y10c.calib.pixels import PIXELS_KEY, Pixels, pixels_json
from y10c.deploy.batch import set_batch
from y10c.deploy.inputs import InputForm, convert_input
from y10c.deploy.outputs import Removed, quantize_outputs, remove_inputs, remove_outputs
from y10c.deploy.plan import DeployPlan
from y10c.detect.head_info import METADATA_KEY, HeadInfo
from y10c.diagnostics import warn
from y10c.ir.graph import Graph
from y10c.ir.value import Value
from y10c.ir.verify import verify
from y10c.rewrite.rewriter import Rewriter

NAME = "deploy"


@dataclass(frozen=True)
class Deployed:
    """The runtime form.

    Args:
        graph: What the application runs.
        inputs: How each input of the network is fed.
        removed: What was removed.
        head: How the outputs decode now; None where they hold no head, or not in the form that decodes.
    """

    graph: Graph
    inputs: tuple[InputForm, ...]
    removed: Removed
    head: HeadInfo | None


def deploy(quantized: Graph, plan: DeployPlan, head: HeadInfo | None = None) -> Deployed:
    """Make the runtime form of a quantized graph, which stays as it is.

    Args:
        quantized: The graph of the last stage.
        plan: What is wanted.
        head: How its outputs decode.

    Raises:
        ModelError: An input cannot hold the pixels asked for, or an op takes only a batch of 1.
    """
    graph = quantized.clone()
    rewriter = Rewriter(graph, by=NAME)
    removed = Removed()
    set_batch(rewriter, plan.batch)
    quantize_outputs(rewriter, plan)
    remove_outputs(rewriter, plan, removed)
    forms = tuple(_fed(rewriter, value, plan, removed) for value in list(graph.inputs))
    verify(graph)
    _tell_what_stayed(plan, removed)
    told = _described(graph, head, removed)
    fed = [(form.name, plan.inputs[form.name]) for form in forms if form.pixels]
    if fed:
        pixels = [Pixels(name, one.runtime, one.video) for name, one in fed]
        graph.info.metadata[PIXELS_KEY] = pixels_json(pixels)
    return Deployed(graph, forms, removed, told)


def _fed(rewriter: Rewriter, value: Value, plan: DeployPlan, removed: Removed) -> InputForm:
    one = plan.inputs.get(value.name)
    if one is not None and one.is_image:
        return convert_input(rewriter, value, one)
    value = remove_inputs(rewriter, value, plan, removed)
    return InputForm(value.name, [value.name]) if one is None else convert_input(rewriter, value, one)


def _described(graph: Graph, head: HeadInfo | None, removed: Removed) -> HeadInfo | None:
    graph.info.metadata.pop(METADATA_KEY, None)
    if head is None or not head.found or removed.reshaped:
        return None
    scales = {name: scale for name, scale in removed.scales.items() if name in head.outputs}
    told = replace(head, scales=scales)
    graph.info.metadata[METADATA_KEY] = told.to_json()
    return told


def _tell_what_stayed(plan: DeployPlan, removed: Removed) -> None:
    gone = {name.removesuffix(" (Dequantize)") for name in removed.nodes}
    for name in sorted(plan.remove_names - gone):
        warn(
            "Y5007",
            f"remove_node_name {name} removes nothing: it touches no input or output",
            help="y10c info MODEL shows the nodes at the outputs",
        )
