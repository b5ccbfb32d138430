"""An annotated config to start from, and the reference page, both made from the table of keys."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from y10c.config.keys import DEPRECATED, GROUPS, Group, Key

EFFECTS = {
    "compile": "the compiled model",
    "deploy": "the runtime form `_deploy_model.onnx`",
    "prepare": "`y10c prepare`",
    "estimate": "the estimate of time and traffic",
    "nothing": "the closed compiler only",
    "deprecated": "nothing; deprecated",
}
"""What each kind of effect is called on the reference page."""

STARTING = {
    "onnx_model": "model.onnx",
    "march": "nash-e",
    "input_type_rt": "nv12",
    "input_type_train": "rgb",
    "input_layout_train": "NCHW",
    "scale_value": "0.00392156862745098",
    "cal_data_dir": "./calibration",
    "optimize_level": "O2",
}
"""Values of the template: those of a YOLO detector on S100."""


def render(values: Mapping[str, Mapping[str, Any]], note: str = "") -> str:
    """A config with these values by group and key, nothing else, in the order of the declarations.

    Args:
        values: What to write; text, numbers, truth values and mappings.
        note: Comment lines at the top.
    """
    lines = [f"# {line}".rstrip() for line in note.splitlines()]
    for group in GROUPS:
        given = values.get(group.name)
        if given is None and not group.required:
            continue
        lines.append(f"{group.name}:" if given else f"{group.name}: {{}}")
        lines += [
            f"  {key.name}: {scalar(given[key.name])}" for key in group.keys if given and key.name in given
        ]
    return "\n".join(lines) + "\n"


def scalar(value: Any) -> str:
    """A value as YAML on one line: text in double quotes, mappings in flow style."""
    if isinstance(value, bool):
        return str(value)
    return json.dumps(value, ensure_ascii=False)


def template(values: Mapping[str, Any] | None = None, full: bool = False) -> str:
    """An annotated config.

    Args:
        values: Values by key, over those of `STARTING`.
        full: Whether keys without a value are there too, commented out with their default.
    """
    filled = {**STARTING, **(values or {})}
    lines = ["# y10c compile -c config.yaml; the keys are those of hb_compile.", ""]
    for group in GROUPS:
        lines += _group(group, filled, full)
    return "\n".join(lines).rstrip() + "\n"


def _group(group: Group, filled: Mapping[str, Any], full: bool) -> Iterable[str]:
    shown = [key for key in group.keys if key.name in filled or (full and key.effect != DEPRECATED)]
    if not group.required and not shown:
        return
    yield f"# {group.doc}"
    any_given = any(key.name in filled for key in shown)
    head = f"{group.name}:" if any_given else f"{group.name}: {{}}" if group.required else f"# {group.name}:"
    yield head
    for key in shown:
        yield f"  # {_about(key)}"
        comment = "" if key.name in filled else "# "
        yield f"  {comment}{key.name}: {scalar(filled.get(key.name, _shown_default(key)))}"
    yield ""


def _about(key: Key) -> str:
    parts = [key.doc, f"({key.kind.allowed})" if key.kind.allowed not in key.doc else ""]
    parts += [f"Required {key.required}." if key.required else ""]
    return " ".join(part for part in parts if part)


def _shown_default(key: Key) -> Any:
    return "" if key.default is None else key.default


def reference() -> str:
    """The reference page in Markdown."""
    lines = [
        "# The config file",
        "",
        "<!-- Made by `y10c config reference` from y10c/config/keys.py; do not edit. -->",
        "",
        "Everything that `-c config.yaml` may say. Lists are text with `;` between the elements, one an "
        'input or one a name; channels have `,` between. Empty text means "not given". Options of the '
        "command line win. What keys say together is checked by `y10c config check`; see "
        "[the guide](../guide/config.md).",
        "",
    ]
    for group in GROUPS:
        need = "required" if group.required else "optional"
        lines += [f"## {group.name} ({need})", "", group.doc, ""]
        lines += ["| key | may hold | default | required | what it means | acts on | source |"]
        lines += ["|---|---|---|---|---|---|---|"]
        lines += [_row(_cells(key)) for key in group.keys] + [""]
    return "\n".join(lines)


def _cells(key: Key) -> Sequence[str]:
    doc = f"{key.doc} {key.instead[:1].upper()}{key.instead[1:]}{'.' if key.instead else ''}".strip()
    default = "" if key.default is None else f"`{key.default}`"
    return (f"`{key.name}`", key.kind.allowed, default, key.required, doc, EFFECTS[key.effect], key.source)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
