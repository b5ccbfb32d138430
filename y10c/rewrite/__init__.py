"""Rewriting: the one door of change, patterns as data, rules, the driver that runs them to a fixpoint."""
