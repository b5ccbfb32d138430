"""Where the rows of the RDK X5 operator list come from."""

from __future__ import annotations

LIST = "published: S11 (D-Robotics rdk_doc, supported operators of the RDK X5)"
SILENT = "assumed: the published row does not mention it"
