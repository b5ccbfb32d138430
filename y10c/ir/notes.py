"""What a model says of its parts to people and tools; it changes no result, and must not be lost.

Notes are a mapping from keys to text. The keys: `doc` is the documentation; `meta.KEY` an entry of the
metadata; `attribute.NAME` the documentation of an op's attribute; `denotation` says what a value is
(`IMAGE`), `denotation.AXIS` what one of its axes is; `quant.KEY` what a quantizer said of it. Source: the
fields doc_string, metadata_props, denotation and quantization_annotation of onnx.proto.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

Notes = Mapping[str, str]

NO_NOTES: Notes = MappingProxyType({})

DOC = "doc"
METADATA = "meta."
ATTRIBUTE = "attribute."
QUANTIZATION = "quant."
DENOTATION = "denotation"
