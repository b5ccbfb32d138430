"""Read a config file: every key by its declaration, then what keys say together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from y10c.config.document import Entry, Item, read_text, read_yaml
from y10c.config.keys import DEPRECATED, GROUPS, Group, Key
from y10c.config.problems import ConfigProblems, Findings, choices, suggestion
from y10c.config.remarks import remark_no_effect
from y10c.config.rules import check_together
from y10c.config.settings import Config, Setting, default_settings


def read_config(path: Path, overrides: Mapping[str, tuple[Any, str]] | None = None) -> Config:
    """Read and check a config file.

    Args:
        path: The YAML.
        overrides: What the command line says, by `group.key`: the value and the option. It wins.

    Raises:
        ConfigError: The file cannot be read or is not YAML.
        ConfigProblems: The file says what it may not say; every problem is told.
    """
    return parse_config(read_text(path), str(path), overrides)


def parse_config(text: str, path: str, overrides: Mapping[str, tuple[Any, str]] | None = None) -> Config:
    """Read and check the text of a config file; see `read_config`."""
    findings = Findings()
    tree = read_yaml(text, path, findings)
    given = dict(overrides or {})
    settings = default_settings()
    broken = set(given)
    if tree.entries is None:
        findings.wrong(tree.place, "", "the config holds no groups", f"it starts with {GROUPS[0].name}:")
        raise ConfigProblems(findings.problems)
    _check_groups(tree, findings)
    for group in GROUPS:
        _read_group(group, tree, settings, broken, findings)
    settings |= {name: Setting(value, option) for name, (value, option) in given.items()}
    groups = {entry.key: entry.place for entry in tree.entries.values()}
    config = Config(path, settings, findings, groups)
    check_together(config, frozenset(broken - set(given)))
    findings.raise_problems()
    remark_no_effect(config)
    return config


def _check_groups(tree: Item, findings: Findings) -> None:
    names = [group.name for group in GROUPS]
    entries = tree.entries or {}
    for entry in entries.values():
        if entry.key not in names:
            findings.wrong(entry.place, "", f"unknown group {entry.key!r}", _home(entry.key, names))
    for group in GROUPS:
        if group.required and group.name not in entries:
            findings.wrong(
                tree.place, "", f"the group {group.name} is missing", f"add {group.name}: even if it is empty"
            )


def _home(name: str, groups: list[str]) -> str:
    """The group that a key belongs to, which stands at the wrong level; else the groups."""
    home = next((group.name for group in GROUPS if group.key(name)), None)
    return f"{name} belongs into {home}" if home else choices(name, groups, "groups")


def _read_group(
    group: Group, tree: Item, settings: dict[str, Setting], broken: set[str], findings: Findings
) -> None:
    entry = (tree.entries or {}).get(group.name)
    if entry is None:
        return
    if entry.item.entries is None:
        if not entry.item.is_empty:
            findings.wrong(entry.item.place, group.name, "a group holds keys", "write them indented below it")
        return
    for one in entry.item.entries.values():
        key = group.key(one.key)
        if key is None:
            _unknown(group, one, findings)
        else:
            _read_key(group, key, one, settings, broken, findings)


def _unknown(group: Group, entry: Entry, findings: Findings) -> None:
    known = [key.name for key in group.keys]
    elsewhere = [g.name for g in GROUPS if g.key(entry.key)]
    if elsewhere:
        findings.wrong(
            entry.place, group.name, f"{entry.key} stands in the wrong group", f"move it to {elsewhere[0]}"
        )
    elif group.open:
        # The vendor's schema allows further keys in this group (published: S1).
        help = f"{suggestion(entry.key, known)} it has no effect here".strip()
        findings.remark(entry.place, group.name, f"{entry.key} is no known key", help)
    else:
        findings.wrong(
            entry.place, group.name, f"unknown key {entry.key!r}", choices(entry.key, known, "keys")
        )


def _read_key(
    group: Group, key: Key, entry: Entry, settings: dict[str, Setting], broken: set[str], findings: Findings
) -> None:
    name = f"{group.name}.{key.name}"
    if key.effect == DEPRECATED:
        findings.remark(entry.place, name, "deprecated and not read", key.instead)
    if entry.item.is_empty and entry.item.entries is None:
        return
    before = len(findings.problems)
    value = key.kind.read(entry.item, name, findings)
    if len(findings.problems) > before:
        broken.add(name)
    if value is None:
        return
    settings[name] = Setting(value, str(entry.item.place), entry.item.place, entry.place)
