"""The JSON schema of the config, for editors: completion, and red lines under what is wrong by itself."""

from __future__ import annotations

from typing import Any

from y10c.config.keys import DEPRECATED, GROUPS, Group, Key

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """The schema, made from the table of keys; what keys say together stands in `y10c config check` alone."""
    return {
        "$schema": DRAFT,
        "title": "Config of y10c compile and hb_compile",
        "type": "object",
        "properties": {group.name: _group(group) for group in GROUPS},
        "required": [group.name for group in GROUPS if group.required],
        "additionalProperties": False,
    }


def _group(group: Group) -> dict[str, Any]:
    return {
        "description": group.doc,
        "type": ["object", "null"],
        "properties": {key.name: _key(key) for key in group.keys},
        "required": [key.name for key in group.keys if key.required == "always"],
        "additionalProperties": group.open,
    }


def _key(key: Key) -> dict[str, Any]:
    described: dict[str, Any] = {"description": key.doc}
    if key.default is not None:
        described["default"] = key.default
    if key.effect == DEPRECATED:
        return {"description": f"{key.doc} {_sentence(key.instead)}", "deprecated": True}
    return {**described, "anyOf": [key.kind.schema(), {"type": "null"}, {"const": ""}]}


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
