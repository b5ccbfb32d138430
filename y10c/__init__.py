"""y10c: a compiler-style IR toolkit that takes ONNX networks to INT8.

The API is small and loads on first use, so that `import y10c` stays light::

    graph = y10c.load("yolov10n.onnx")
    result = y10c.compile("yolov10n.onnx", target="j6", calibration="images/")
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from y10c.api import Comparison, Result, compare, compile, load, optimize, save

__version__ = "0.1.0"

__all__ = ["Comparison", "Result", "__version__", "compare", "compile", "load", "optimize", "save"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module("y10c.api"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
