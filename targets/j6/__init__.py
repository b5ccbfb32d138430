"""Horizon Journey 6 and RDK S100: the Nash BPU."""
