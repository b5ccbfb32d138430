"""Where the rows of the Journey 6 operator list come from.

The vendor's page of Nash constraints exists, but only its first rows are public (S12). What it does not
tell is taken from the older chip whose list is public in full (X5, S11), and says so.
"""

from __future__ import annotations

ASSUMED = "assumed: X5 row assumed to hold (S11)"
NASH = "published: S12 (operator constraints, ONNX, J6E/M)"
UNITS = "published: S16 (units of the Nash BPU)"
LOGS = "published: S7 (ops of public compile logs for nash-e)"
SOFTMAX = (
    "published: S7 S8 (HzSoftmax in nash-e logs; nash-e YAML files run it in int8, and in int16 on the BPU)"
)
INT64 = "published: S23 (Div int64 is not supported, INT64 cannot be quantized; a Cast mends it)"
STATIC = "published: S10 (FAQ 8.5: open shapes fail, with dimensions of 0)"
