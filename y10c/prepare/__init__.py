"""Calibration data as the toolchain wants it: chosen, checked, normalised, in the right layout."""
