"""Users' own files on a trained detector, unchanged but for paths."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from y10c.calib.color import nv12_to_rgb, rgb_to_nv12
from y10c.calib.preprocess import Preprocess
from y10c.calib.session import ExposedSession
from y10c.cli.main import main
from y10c.comparison.agreement import changes
from y10c.detect.decode import Detections, decode
from y10c.detect.head_info import METADATA_KEY, HeadInfo

CONFIG = Path(__file__).parents[1] / "config" / "valid" / "rdk_s100_detector.yaml"
PATHS = {
    "./yolo11n_detect_bayese_640x640_nv12.onnx": "model",
    "'yolo11n_output'": "output",
    "'./calibration_data'": "data",
}


def detections(path: Path, feeds: dict[str, np.ndarray]) -> Detections:
    model = onnx.load(path)
    told = {entry.key: entry.value for entry in model.metadata_props}
    found = ExposedSession(model, [one.name for one in model.graph.output]).run(feeds)
    return decode(found, HeadInfo.from_json(told[METADATA_KEY]))


@pytest.mark.slow
def test_a_real_rdk_yaml_compiles_and_its_runtime_form_detects(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Slow: a trained network at 640, quantized, and run on pictures as NV12 and as RGB."""
    given = {
        "model": str(shared / "models" / "yolov10n_coco.onnx"),
        "output": f"'{tmp_path / 'out'}'",
        "data": f"'{tmp_path / 'data'}'",
    }
    text = CONFIG.read_text()
    for written, name in PATHS.items():
        assert written in text
        text = text.replace(written, given[name])
    config = tmp_path / "config.yaml"
    config.write_text(text)
    images = shared / "images" / "calibration"
    assert main(["prepare", str(images), "-c", str(config), "-o", str(tmp_path / "data"), "-n", "12"]) == 0
    kit = tmp_path / "kit"
    flags = ["--mixed", "off", "--effort", "fast", "--kit", str(kit), "--json"]
    capsys.readouterr()
    assert main(["compile", "-c", str(config), *flags]) == 0
    said = json.loads(capsys.readouterr().out)
    messages = " ".join(w["message"] for w in said["warnings"])
    assert "the model has no node /model.23/cv2.0/cv2.0.2/Conv" in messages
    assert min(o["cosine"] for o in said["outputs"]) > 0.99
    assert main(["config", "check", str(kit / "config.yaml")]) == 0
    assert "remove_node_name" not in (kit / "config.yaml").read_text(), "names of another model"

    quantized, runtime = (next((tmp_path / "out").glob(f"*_{kind}_model.onnx")) for kind in ("ptq", "deploy"))
    shape, preprocess = (1, 3, 640, 640), Preprocess()
    kept = lost = new = 0
    for path in sorted((shared / "images" / "evaluation").glob("*.jpg"))[::4]:
        with Image.open(path) as image:
            canvas = preprocess.canvas(image, shape)
        y, uv = rgb_to_nv12(canvas)
        in_graph = detections(runtime, {"images_y": y, "images_uv": uv})
        host = np.ascontiguousarray(nv12_to_rgb(y, uv).transpose(2, 0, 1)[None] / 255, np.float32)
        on_host = changes(detections(quantized, {"images": host}), in_graph)
        assert (on_host.lost, on_host.new) == (0, 0), path
        rgb = preprocess.tensor(canvas, shape, np.dtype(np.float32))
        one = changes(detections(quantized, {"images": rgb}), in_graph)
        kept, lost, new = kept + one.kept, lost + one.lost, new + one.new
    assert kept > 10
    assert lost + new <= 0.2 * kept
