"""Proofs are kept until a source that they depend on changes: they take seconds each."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict
from functools import cache
from pathlib import Path

from y10c import atomic
from y10c.rewrite.rule import Rule
from y10c.testing.proof import SECONDS, Proof, prove_rule

SOURCES = ("ir", "ops", "rewrite", "testing")


def cached_proof(rule: Rule, *, seconds: float = SECONDS) -> Proof:
    """The proof of a rule, from the cache where neither the rule nor y10c changed since.

    A proof that ran out of time is tried again.
    """
    path = _folder() / f"{_digest(rule)}.json"
    if path.is_file():
        known = json.loads(path.read_text(encoding="utf-8"))
        return Proof(**{**known, "cases": tuple(known["cases"])})
    proof = prove_rule(rule, seconds=seconds)
    if proof.seconds < seconds:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_text(path, json.dumps(asdict(proof)))
    return proof


def _folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "y10c" / "proofs"


def _digest(rule: Rule) -> str:
    hasher = hashlib.blake2b(f"{rule.name} {_tools()}".encode(), digest_size=16)
    for function in (rule.build, *rule.where):
        path = Path(function.__code__.co_filename)
        hasher.update(path.read_bytes() if path.is_file() else function.__code__.co_code)
    return hasher.hexdigest()


@cache
def _tools() -> str:
    root = Path(__file__).resolve().parents[1]
    hasher = hashlib.blake2b(digest_size=16)
    for path in sorted(p for folder in SOURCES for p in (root / folder).glob("*.py")):
        hasher.update(path.read_bytes())
    return hasher.hexdigest()
