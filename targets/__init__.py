"""The targets of y10c, one folder each; imported as `y10c.targets`."""

from __future__ import annotations

if __name__ != "y10c.targets":
    # Under two names every target would register twice.
    raise ImportError(f"import y10c.targets, not {__name__}: this folder is the package y10c.targets")
