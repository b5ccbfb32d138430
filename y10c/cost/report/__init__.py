"""The report of one estimate: HTML, JSON, trace, CSV and PNG, all from one `ReportData`."""

from __future__ import annotations

from y10c.cost.report.data import FileRow, NodeRow, OutputCosine, PassRow, ReportData, TensorRow, edges_of

__all__ = ["FileRow", "NodeRow", "OutputCosine", "PassRow", "ReportData", "TensorRow", "edges_of"]
