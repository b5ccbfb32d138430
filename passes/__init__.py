"""The passes of y10c, one folder a stage; imported as `y10c.passes`."""

from __future__ import annotations

if __name__ != "y10c.passes":
    # Under two names every rule would register twice.
    raise ImportError(f"import y10c.passes, not {__name__}: this folder is the package y10c.passes")
