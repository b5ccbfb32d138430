"""Observation: what the network's tensors look like on real data."""
