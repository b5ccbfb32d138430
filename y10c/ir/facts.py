"""What a model says beside its graph, as the one line of JSON that begins its text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from y10c.ir.graph import ModelInfo


def model_facts(info: ModelInfo) -> dict[str, Any]:
    """What a model says beside its graph, as JSON; what is empty is left out, and so is the path."""
    facts = {
        "opsets": info.opsets,
        "ir_version": info.ir_version,
        "producer": list(info.producer) if any(info.producer) else [],
        "metadata": info.metadata,
        "doc": info.doc,
        "domain": list(info.domain) if any(info.domain) else [],
    }
    return {k: v for k, v in facts.items() if v}


def model_info(facts: Mapping[str, Any]) -> ModelInfo:
    """The inverse of `model_facts`.

    Raises:
        ValueError, TypeError, AttributeError, KeyError: The facts are of another form.
    """
    producer, domain = facts.get("producer") or ("", ""), facts.get("domain") or ("", 0)
    return ModelInfo(
        opsets={str(k): int(v) for k, v in facts.get("opsets", {}).items()},
        ir_version=int(facts.get("ir_version", 0)),
        producer=(str(producer[0]), str(producer[1])),
        metadata={str(k): str(v) for k, v in facts.get("metadata", {}).items()},
        doc=str(facts.get("doc", "")),
        domain=(str(domain[0]), int(domain[1])),
    )
