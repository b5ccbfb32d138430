"""`compile`: frontend, passes, target, in stages, each with its file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import onnx

from y10c import __version__, atomic, diagnostics, progress
from y10c.backend.exporter import export_model, save_model
from y10c.calib.feeds import Feeds, generated_feeds, open_feeds
from y10c.calib.table import CalibrationTable
from y10c.check.report import CheckReport, check_graph, require_homes
from y10c.check.table import OperatorTable
from y10c.config.settings import Config
from y10c.cost.machine import Machine
from y10c.cost.precision import is_quantized
from y10c.cost.report.data import NodeRow, OutputCosine
from y10c.deploy.build import Deployed, deploy
from y10c.detect.head_info import HeadInfo
from y10c.diagnostics import Diagnostics, warn
from y10c.errors import ModelError, UnknownNameError
from y10c.frontend.importer import load
from y10c.ir.graph import Graph
from y10c.ir.types import TensorType
from y10c.passes.head.cut import CutOutputs
from y10c.passes.int8.choose_precision import Precision
from y10c.passes.layout.select import AUTO, LAYOUTS
from y10c.passes.observe.ranges import Ranges
from y10c.passes.pipelines import Stage, stages
from y10c.pipeline.config import (
    CONFIG_TARGET,
    deploy_plan,
    input_shapes,
    open_config_feeds,
    reach_of_outputs,
)
from y10c.pipeline.costs import estimate_cost, machine_of
from y10c.pipeline.manager import PassRun, check_order, run_passes
from y10c.pipeline.nodes import Models, compare_nodes
from y10c.pipeline.outputs import write_outputs
from y10c.pipeline.result import Result
from y10c.pipeline.target import MARCH_KEY, TARGET_KEY, create_target
from y10c.pipeline.wishes import node_types
from y10c.quant.options import QuantOptions
from y10c.quant.plan import QuantPlan, Tail, plan_quantization
from y10c.quant.scheme import QuantScheme
from y10c.rewrite.passes import PassContext

QDQ_OPSET = 21
"""The first opset with 16-bit QuantizeLinear in ONNX's own domain."""

HEADS = ("raw", "e2e", "keep")
OUTPUT_NODES = "model_parameters.output_nodes"
CORE_NUM = "compiler_parameters.core_num"
STAGE_NAMES = ("original", "optimized", "calibrated", "ptq")


@dataclass(frozen=True)
class CompileOptions:
    """What to compile and how.

    Args:
        target: Name of the target.
        march: Chip of the target's family; its default where None.
        calibration: Folder of images or npy tensors, or one npy file; None means generated images.
        head: `raw`, `e2e` or `keep`; the target's default where None.
        shapes: Extents for inputs with symbolic dims.
        stop_after: Last stage that is made.
        limit: Use at most this many calibration samples.
        quant: How it is quantized.
        config: What else the user's YAML says: inputs, data, precision of nodes, where the model ends.
        layout: `auto`, `nchw` or `nhwc`: how tensors lie in the chip's memory.
    """

    target: str = "j6"
    march: str | None = None
    calibration: Path | None = None
    head: str | None = None
    shapes: Mapping[str, Sequence[int]] = field(default_factory=dict)
    stop_after: str = "ptq"
    limit: int | None = None
    quant: QuantOptions = field(default_factory=QuantOptions)
    config: Config | None = None
    layout: str = AUTO

    @property
    def cores(self) -> int:
        """How many cores of the chip the estimate takes to work on one inference."""
        return 1 if self.config is None else int(self.config[CORE_NUM])

    def __post_init__(self) -> None:
        if self.stop_after not in STAGE_NAMES:
            raise UnknownNameError("stage", self.stop_after, list(STAGE_NAMES))
        if self.head is not None and self.head not in HEADS:
            raise UnknownNameError("head", self.head, list(HEADS))
        if self.layout not in LAYOUTS:
            raise UnknownNameError("layout", self.layout, list(LAYOUTS))


def compile(
    model: str | Path | onnx.ModelProto,
    target: str = "j6",
    *,
    calibration: str | Path | None = None,
    output: str | Path | None = None,
    prefix: str | None = None,
    march: str | None = None,
    head: str | None = None,
    shapes: Mapping[str, Sequence[int]] | None = None,
    stop_after: str = "ptq",
    limit: int | None = None,
    quant: QuantOptions | None = None,
    config: Config | None = None,
    layout: str = AUTO,
) -> Result:
    """Compile an ONNX model for a target.

    Args:
        model: Path of an ONNX file, or a model.
        target: Name of the target.
        calibration: Folder of images or npy tensors, or one npy file; generated images where None.
        output: Folder for the files; None writes none.
        prefix: Of the file names; the model file's stem where None.
        march: Chip of the target's family.
        head: `raw`, `e2e` or `keep`; the target's default where None.
        shapes: Extents for inputs with symbolic dims, by input name.
        stop_after: `original`, `optimized`, `calibrated` or `ptq`.
        limit: Use at most this many calibration samples.
        quant: How it is quantized; the defaults where None.
        config: The user's YAML (`y10c.config.load.read_config`): its inputs, data, precision of nodes and
            output nodes; the arguments above are stronger.
        layout: `auto`, `nchw` or `nhwc`: how tensors lie in the chip's memory.

    Raises:
        Y10cError: Whatever is wrong with the model, the data, the options or the output folder.
    """
    options = CompileOptions(
        target,
        march,
        None if calibration is None else Path(calibration),
        head,
        shapes or {},
        stop_after,
        limit,
        quant or QuantOptions(),
        config,
        layout,
    )
    with diagnostics.collect() as warnings:
        if config is not None:
            config.findings.warn_remarks()
        compilation = _Compilation(model, options, warnings)
        if output is None:
            return compilation.run(None, prefix or "model")
        name = prefix or (
            Path(model).stem.removesuffix(".onnx") if isinstance(model, str | Path) else "model"
        )
        with atomic.folder(output) as folder:
            result = compilation.run(folder, name)
        return result.moved(Path(output))


class _Compilation:
    def __init__(
        self, model: str | Path | onnx.ModelProto, options: CompileOptions, warnings: Diagnostics
    ) -> None:
        self.target = create_target(options.target, options.march)
        self.options = options
        self.warnings = warnings
        self.where = str(model) if isinstance(model, str | Path) else "model"
        self.model_name = Path(self.where).name.removesuffix(".onnx")
        with progress.step("reading the model"):
            shapes = {**input_shapes(options.config, model), **options.shapes}
            self.graph = load(model, shapes=shapes, freeze=True)
        require_static_inputs(self.graph, self.where)
        if options.stop_after not in ("original", "optimized"):
            require_float(self.graph, self.where)
        self.feeds = self._open_feeds()
        self.context = PassContext(tables={QuantScheme: self._scheme(), Feeds: self.feeds})
        if (machine := machine_of(self.target, options.cores)) is not None:
            self.context.tables[Machine] = machine
        operators = self.target.operators()
        if operators is not None:
            self.context.tables[OperatorTable] = operators
        self.check: CheckReport | None = None
        self.runs: list[PassRun] = []
        self.models: dict[str, onnx.ModelProto] = {}

    def _scheme(self) -> QuantScheme:
        scheme = self.target.scheme()
        return scheme.without_zero_points() if self.options.quant.scheme == "symmetric" else scheme

    def _open_feeds(self) -> Feeds:
        if self.options.stop_after in ("original", "optimized"):
            return Feeds()
        inputs = {value.name: value.tensor_type for value in self.graph.inputs}
        if self.options.calibration is not None:
            return self._given(open_feeds(inputs, self.options.calibration))
        if self.options.config is not None:
            return self._given(open_config_feeds(self.options.config, inputs))
        warn(
            "Y5001",
            "calibrated on generated images: the accuracy of this model is unknown",
            help="pass --calibration DIR with images like those of the application",
        )
        return generated_feeds(inputs)

    def _given(self, feeds: Feeds) -> Feeds:
        """As much of some data as the user wants."""
        feeds.warn_of_few()
        return feeds if self.options.limit is None else feeds.limited(self.options.limit)

    def run(self, folder: Path | None, prefix: str) -> Result:
        check_order([p for stage in self._stages() for p in stage.passes])
        files: dict[str, Path] = {}
        for index in range(STAGE_NAMES.index(self.options.stop_after) + 1):
            stage = self._stages()[index]
            self._run_stage(stage)
            if folder is not None:
                files[stage.name] = save_model(
                    self.models[stage.name], folder / f"{prefix}_{stage.file}.onnx"
                )
        if folder is not None and CalibrationTable in self.context.tables:
            files["calibration"] = folder / f"{prefix}_calibration.json"
            self.context.tables[CalibrationTable].save(files["calibration"])
        return self._finish(folder, prefix, files)

    def _stages(self) -> tuple[Stage, ...]:
        ends = self.options.config.names(OUTPUT_NODES) if self.options.config is not None else ()
        head = self.options.head or ("keep" if ends else self.target.default_head)
        plan = list(stages(head, self.options.quant, self.target.legalization(), self.options.layout))
        if ends:
            plan[1] = replace(plan[1], passes=(CutOutputs(ends), *plan[1].passes))
        return tuple(plan[: STAGE_NAMES.index(self.options.stop_after) + 1])

    def _run_stage(self, stage: Stage) -> None:
        self.runs += run_passes(self.graph, stage.passes, self.context)
        if stage.name == "optimized":
            self._check()
        if self.options.config is not None and stage.name == "optimized":
            self._take_node_types(self.options.config)
        saved = self.options.quant.save_calibration
        if saved is not None and stage.name == "calibrated":
            self.context.tables[CalibrationTable].save(saved)
        quantized = stage.name in ("calibrated", "ptq")
        self.models[stage.name] = export_model(
            self.graph, opset=QDQ_OPSET if quantized else None, metadata=self._metadata()
        )

    def _check(self) -> None:
        """Place the ops of the legalized graph; what the chip cannot run is left to the host.

        Raises:
            IllegalOpError: The host cannot run it either.
        """
        table = self.context.tables.get(OperatorTable)
        if table is not None:
            tail = self.context.tables.get(Tail, Tail())
            self.check = check_graph(self.graph, table, self.target.name, tail)
            require_homes(self.check, self.where)
            if self.check.middle:
                warn(
                    "Y5004",
                    f"{len(self.check.middle)} nodes run on the CPU in mid-graph: "
                    f"{self.check.crossings} tensors change sides in each inference",
                    where=self.where,
                    help="y10c check shows which, why, and what to do",
                )

    def _take_node_types(self, config: Config) -> None:
        """Names of nodes in the config are those of the optimized graph, so it is asked from here on."""
        quant = self.options.quant
        tail = self.context.tables.get(Tail, Tail())
        plan = plan_quantization(self.graph, self.context.tables[QuantScheme], tail)
        types = {**node_types(config, self.graph).known(plan), **quant.node_types}
        self.options = replace(self.options, quant=replace(quant, node_types=types))

    def _deployed(self) -> Deployed | None:
        """The runtime form, where it differs from the quantized model."""
        if "ptq" not in self.models or self.target.name != CONFIG_TARGET:
            return None
        plan = deploy_plan(self.options.config, self.graph)
        if plan.output_type:
            plan = replace(plan, reach=reach_of_outputs(self.models["optimized"], self.feeds))
        return None if plan.changes_nothing else deploy(self.graph, plan, self.context.tables.get(HeadInfo))

    def _metadata(self) -> dict[str, str]:
        samples = f"{self.feeds.count} samples" if self.feeds else "none"
        calibration = "generated images" if self.feeds.synthetic else samples
        return {
            "y10c.version": __version__,
            TARGET_KEY: self.target.name,
            MARCH_KEY: self.target.march,
            "y10c.calibration": calibration,
        }

    def _finish(self, folder: Path | None, prefix: str, files: dict[str, Path]) -> Result:
        nodes, outputs = self._compared()
        deployed = self._deployed()
        if deployed is not None and folder is not None:
            model = export_model(deployed.graph, opset=QDQ_OPSET, metadata=self._metadata())
            files["deploy"] = save_model(model, folder / f"{prefix}_deploy_model.onnx")
        result = Result(
            target=self.target.name,
            march=self.target.march,
            models=self.models,
            files=files,
            nodes=nodes,
            outputs=outputs,
            cost=estimate_cost(self.graph, self.target, self.model_name, cores=self.options.cores),
            passes=tuple(self.runs),
            warnings=self.warnings,
            head=self.context.tables.get(HeadInfo),
            precision=self.context.tables.get(Precision),
            synthetic=self.feeds.synthetic,
            samples=self.feeds.count,
            deployed=deployed,
            feeds=self.feeds,
            check=self.check,
        )
        if folder is None:
            return result
        return replace(result, files={**files, **write_outputs(result, self.graph, folder, prefix)})

    def _compared(self) -> tuple[tuple[NodeRow, ...], tuple[OutputCosine, ...]]:
        if "ptq" not in self.models:
            return (), ()
        plan: QuantPlan = self.context.tables[QuantPlan]
        if not plan.edges:
            warn("Y5002", "the model holds nothing that the target runs on integers", where=self.where)
        models = Models(self.models["optimized"], self.models["calibrated"], self.models["ptq"])
        report = compare_nodes(
            self.graph,
            plan,
            self.context.tables.get(Tail, Tail()),
            self.context.tables[Ranges],
            models,
            self.feeds,
        )
        return self._placed(report.rows), report.outputs

    def _placed(self, rows: tuple[NodeRow, ...]) -> tuple[NodeRow, ...]:
        """The node table; what the list refuses or the user keeps float is on the CPU too."""
        refused = set() if self.check is None else {verdict.node for verdict in self.check.refused}
        refused |= set(self.options.quant.nodes_of("float32"))
        return tuple(replace(row, unit="CPU") if row.node in refused else row for row in rows)


def require_static_inputs(graph: Graph, where: str) -> None:
    """Whether every input's extents are numbers.

    Raises:
        ModelError: An input is symbolic, and the help shows the option to give; or it is no tensor.
    """
    for value in graph.inputs:
        if not isinstance(value.type, TensorType):
            raise ModelError(
                f"input {value.name!r} is a sequence, optional or map",
                where=where,
                help="export the model with tensors as inputs",
            )
        if 0 in (value.shape or ()):
            raise ModelError(f"input {value.name!r} of shape {value.type} has no elements", where=where)
        if not value.tensor_type.is_static:
            shown = "x".join(str(d) if isinstance(d, int) else "?" for d in value.shape or ())
            raise ModelError(
                f"input {value.name!r} has the open shape {value.type}",
                code="Y3004",
                where=where,
                help=f"give --shape {value.name}={shown or '1x3x640x640'} with a number for each ?",
            )


def require_float(graph: Graph, where: str) -> None:
    """Whether a graph is still to be quantized.

    Raises:
        ModelError: It holds quantized tensors: a second quantization would only add errors to the first.
    """
    if is_quantized(graph):
        raise ModelError(
            "the model is quantized already",
            code="Y3003",
            where=where,
            help="compile the float model that it came from; y10c info shows what is INT8 in this one",
        )
