"""Canonicalization: the one form of a graph that later passes can rely on."""
